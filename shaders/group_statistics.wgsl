// Mean and inverse standard deviation of every group of channels.
//
//   dispatch     one workgroup per group: batch * groups
//   x            groups of `length` consecutive `Vector`s of LANES floats (lanes/*.wgsl); LANES divides a plane
//   statistics   vec2(mean, 1 / sqrt(variance + epsilon)) per group
//   constants    LANES
//   matches      kernel::normalization::GroupNorm::reference, together with group_normalize.wgsl
//
// The variance is computed from the deviations in a second pass, because E[x^2] - E[x]^2 cancels in f32.

struct Parameters {
    groups: u32,
    length: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> x: array<Vector>;
@group(0) @binding(1) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group_index(group, groups);
    let start = index * parameters.length;
    let count = f32(parameters.length * LANES);
    var sums = Vector();
    for (var i = local; i < parameters.length; i += WORKGROUP) {
        sums += x[start + i];
    }
    let mean = workgroup_sum(horizontal_sum(sums), local) / count;
    var squares = Vector();
    for (var i = local; i < parameters.length; i += WORKGROUP) {
        let deviation = x[start + i] - mean;
        squares += deviation * deviation;
    }
    let variance = workgroup_sum(horizontal_sum(squares), local) / count;
    if local == 0u {
        statistics[index] = vec2(mean, inverseSqrt(variance + parameters.epsilon));
    }
}
