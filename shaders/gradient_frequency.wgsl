// phi' of the gradient field of the G- regulariser, both directions with one joint magnitude.
//
//   dispatch     one thread per pixel
//   field        du + i dv of a real image
//   penalised    phi'(du) + i phi'(dv) with s = du^2 + dv^2 + 2e-4, clamped to [1e-4, 100]
//   matches      kernel::gradient::penalty_specification

struct Parameters {
    threads: u32,
    alpha: f32,
    rate: f32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read_write> field: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> penalised: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let d = field[thread];
    let s = clamp(dot(d, d) + 2e-4, 1e-4, 100.0);
    penalised[thread] = penalty_weight(s, parameters.alpha, parameters.rate) * parameters.scale * d;
}
