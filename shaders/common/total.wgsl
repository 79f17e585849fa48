// Sums over a workgroup, for kernels with one workgroup per group of channels.

var<workgroup> partial: array<f32, WORKGROUP>;

// Sum over the workgroup; every thread gets it.
fn total(value: f32, local: u32) -> f32 {
    partial[local] = value;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    let sum = partial[0];
    workgroupBarrier();
    return sum;
}

// Workgroups behind the last group work on that one again, so that barriers stay in uniform control flow.
fn group_index(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return min(group.y * groups.x + group.x, parameters.groups - 1u);
}

