// Weight phi'(d) / d of the gradient in the G- regulariser, with one joint magnitude for both directions.
//
//   dispatch     one thread per pixel
//   du, dv       Fourier derivatives of a real image along the width and the height
//   weights      scale phi'(d) / d with s = du^2 + dv^2 + 2e-4, clamped to [1e-4, 100]
//   matches      kernel::gradient::joint_weight_reference

struct Parameters {
    threads: u32,
    alpha: f32,
    rate: f32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read_write> du: array<f32>;
@group(0) @binding(1) var<storage, read_write> dv: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let s = clamp(du[thread] * du[thread] + dv[thread] * dv[thread] + 2e-4, 1e-4, 100.0);
    weights[thread] = penalty_weight(s, parameters.alpha, parameters.rate) * parameters.scale;
}
