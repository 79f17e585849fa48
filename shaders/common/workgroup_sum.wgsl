// Reductions over a workgroup, for kernels that run one workgroup per group of channels.

var<workgroup> partial_sums: array<f32, WORKGROUP>;

// Sum of `value` over the workgroup, returned to every thread.
fn workgroup_sum(value: f32, local: u32) -> f32 {
    partial_sums[local] = value;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            partial_sums[local] += partial_sums[local + half];
        }
        workgroupBarrier();
    }
    let sum = partial_sums[0];
    workgroupBarrier();
    return sum;
}

// Index of the group of this workgroup. Surplus workgroups of the 2-D grid repeat the last group, which keeps the barriers in
// uniform control flow.
fn group_index(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return min(group.y * groups.x + group.x, parameters.groups - 1u);
}
