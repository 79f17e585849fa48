// Gradient of a group normalisation, followed by SiLU if SILU is set, from the means of group_projections.wgsl.
//
//   dispatch     one thread per `Vector`
//   x, gradient, result   [batch, channels, plane] in `Vector`s of LANES floats (lanes/*.wgsl); the gradient is the one with
//                respect to the result of the normalisation
//   statistics   vec2(mean, 1 / deviation) per group
//   scale, shift one float per channel
//   projections  vec2(mean d, mean d n) per group: n is the normalised input, d the gradient with respect to n
//   result       (d - mean d - n mean(d n)) / deviation
//   constants    SILU, LANES
//   matches      kernel::normalization::GroupNorm::reference, differentiated

struct Parameters {
    threads: u32,
    plane: u32,
    channels: u32,
    group_channels: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<Vector>;
@group(0) @binding(1) var<storage, read_write> gradient: array<Vector>;
@group(0) @binding(2) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> shift: array<f32>;
@group(0) @binding(5) var<storage, read_write> projections: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> result: array<Vector>;
@group(0) @binding(7) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let plane = thread / parameters.plane;
    let channel = plane % parameters.channels;
    let statistic = statistics[plane / parameters.group_channels];
    let projection = projections[plane / parameters.group_channels];
    let normed = (x[thread] - statistic.x) * statistic.y;
    let d = normalized_gradient(normed, gradient[thread], scale[channel], shift[channel]);
    result[thread] = (d - projection.x - normed * projection.y) * statistic.y;
}
