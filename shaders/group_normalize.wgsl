// Group normalisation with the statistics of group_statistics.wgsl, followed by SiLU if SILU is set.
//
//   dispatch     one thread per `Vector`
//   x, normed    [batch, channels, plane] in `Vector`s of LANES floats (lanes/*.wgsl); LANES divides a plane
//   statistics   vec2(mean, 1 / deviation) per group
//   scale, shift one float per channel
//   normed       v = (x - mean) / deviation * scale + shift, or v / (1 + exp(-v)) if SILU is set
//   constants    SILU, LANES
//   matches      kernel::normalization::GroupNorm::reference

struct Parameters {
    threads: u32,
    plane: u32,
    channels: u32,
    group_channels: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<Vector>;
@group(0) @binding(1) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> shift: array<f32>;
@group(0) @binding(4) var<storage, read_write> normed: array<Vector>;
@group(0) @binding(5) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let plane = thread / parameters.plane;
    let channel = plane % parameters.channels;
    let statistic = statistics[plane / parameters.group_channels];
    let value = (x[thread] - statistic.x) * statistic.y * scale[channel] + shift[channel];
    normed[thread] = select(value, value / (1.0 + exp(-value)), SILU);
}
