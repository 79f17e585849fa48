// Entry point of kernels with one thread per element: calls `element(thread)` for every thread below `parameters.threads`.
// The 1-D range of threads is folded into a 2-D grid, because a dimension holds at most 65 535 workgroups.

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = (group.y * groups.x + group.x) * WORKGROUP + local;
    if thread < parameters.threads {
        element(thread);
    }
}
