// Two real lines of `length` as one complex line, the source of a kernel: element `i` of pair `pair`. The last line of an odd
// number is a pair by itself.

alias Source = f32;

fn load(at: u32, pair: u32, i: u32, length: u32) -> vec2<f32> {
    let second = min(2u * pair + 1u, parameters.lines - 1u);
    return vec2(source[address(2u * pair, i, length)], source[address(second, i, length)]);
}

