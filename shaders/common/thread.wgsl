// Flat thread index of a 2-D grid of workgroups (an axis holds at most 65 535 of them).

fn thread_index(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * WORKGROUP + local;
}
