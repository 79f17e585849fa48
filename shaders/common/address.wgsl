// Index of element `i` of a real line in an image; `stride` is 1 for rows and the width for columns.

fn address(line: u32, i: u32, length: u32) -> u32 {
    let stride = parameters.stride;
    return (line / stride) * length * stride + i * stride + line % stride;
}
