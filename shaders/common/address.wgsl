// Where element `i` of a real line is in an image: `stride` is 1 along rows and the width along columns.

fn address(line: u32, i: u32, length: u32) -> u32 {
    let stride = parameters.stride;
    return (line / stride) * length * stride + i * stride + line % stride;
}

