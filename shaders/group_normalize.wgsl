// Group normalisation from the statistics of group_statistics.wgsl, and SiLU where SILU.
//
//   dispatch     one thread per `Number`
//   x, normed    [batch, channels, plane] of `Number`s: floats, or vectors of LANES where that divides a plane
//   scale, shift one float per channel
//   normed       (x - mean) * deviation^-1 * scale + shift, then v / (1 + exp(-v)) where SILU
//   matches      kernel::normalization::specification

struct Parameters {
    threads: u32,
    plane: u32,
    channels: u32,
    group_channels: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> shift: array<f32>;
@group(0) @binding(4) var<storage, read_write> normed: array<Number>;
@group(0) @binding(5) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let plane = thread / parameters.plane;
    let channel = plane % parameters.channels;
    let statistic = statistics[plane / parameters.group_channels];
    let value = (x[thread] - statistic.x) * statistic.y * scale[channel] + shift[channel];
    normed[thread] = select(value, value / (1.0 + exp(-value)), SILU);
}
