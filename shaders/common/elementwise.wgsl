// Entry point of kernels that do one thing per thread: `element(thread)` for every thread below `parameters.threads`.
// The grid is flat, folded into two dimensions because an axis holds at most 65 535 workgroups.

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
