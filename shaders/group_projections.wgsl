// Means over every group of channels of the gradient d by what is normalised, n, and of d n.
//
//   dispatch     one workgroup per group: batch * groups of them
//   x, gradient  groups of `length` consecutive `Number`s, `plane` of them a channel; the gradient is that by the result
//   statistics   vec2(mean, 1 / deviation) per group, from group_statistics.wgsl
//   projections  vec2(mean d, mean d n) per group
//   matches      kernel::normalization::specification differentiated, together with group_gradient.wgsl

struct Parameters {
    groups: u32,
    length: u32,
    plane: u32,
    channels: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> gradient: array<Number>;
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
    var sums = Number();
    var products = Number();
    for (var i = local; i < parameters.length; i += WORKGROUP) {
        let at = index * parameters.length + i;
        let channel = (at / parameters.plane) % parameters.channels;
        let normed = (x[at] - statistic.x) * statistic.y;
        let d = slope(normed, gradient[at], scale[channel], shift[channel]);
        sums += d;
        products += d * normed;
    }
    let count = f32(parameters.length * LANES);
    let mean = total(added(sums), local) / count;
    let mean_product = total(added(products), local) / count;
    if local == 0u {
        projections[index] = vec2(mean, mean_product);
    }
}
