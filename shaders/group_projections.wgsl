// Means over every group of channels of d and of d n: n is the normalised input, d the gradient with respect to n.
//
//   dispatch     one workgroup per group: batch * groups
//   x, gradient  groups of `length` consecutive `Vector`s of LANES floats (lanes/*.wgsl), `plane` of them per channel; the
//                gradient is the one with respect to the result of the normalisation
//   statistics   vec2(mean, 1 / deviation) per group, from group_statistics.wgsl
//   scale, shift one float per channel
//   projections  vec2(mean d, mean d n) per group
//   constants    SILU, LANES
//   matches      kernel::normalization::GroupNorm::reference, differentiated, together with group_gradient.wgsl

struct Parameters {
    groups: u32,
    length: u32,
    plane: u32,
    channels: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<Vector>;
@group(0) @binding(1) var<storage, read_write> gradient: array<Vector>;
@group(0) @binding(2) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> shift: array<f32>;
@group(0) @binding(5) var<storage, read_write> projections: array<vec2<f32>>;
@group(0) @binding(6) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group_index(group, groups);
    let statistic = statistics[index];
    var sums = Vector();
    var products = Vector();
    for (var i = local; i < parameters.length; i += WORKGROUP) {
        let at = index * parameters.length + i;
        let channel = (at / parameters.plane) % parameters.channels;
        let normed = (x[at] - statistic.x) * statistic.y;
        let d = normalized_gradient(normed, gradient[at], scale[channel], shift[channel]);
        sums += d;
        products += d * normed;
    }
    let count = f32(parameters.length * LANES);
    let mean = workgroup_sum(horizontal_sum(sums), local) / count;
    let mean_product = workgroup_sum(horizontal_sum(products), local) / count;
    if local == 0u {
        projections[index] = vec2(mean, mean_product);
    }
}
