// Source of a line kernel: element `i` of pair `pair`, two real lines of `length` read as one complex line. The last line of an
// odd number is paired with itself.

alias Source = f32;

fn load(at: u32, pair: u32, i: u32, length: u32) -> vec2<f32> {
    let second = min(2u * pair + 1u, parameters.lines - 1u);
    return vec2(source[address(2u * pair, i, length)], source[address(second, i, length)]);
}
