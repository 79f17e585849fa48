// Destination of a line kernel: element `i` of pair `pair`, one complex line written as two real lines of `length`.

alias Destination = f32;

fn store(at: u32, pair: u32, i: u32, length: u32, value: vec2<f32>) {
    destination[address(2u * pair, i, length)] = value.x;
    if 2u * pair + 1u < parameters.lines {
        destination[address(2u * pair + 1u, i, length)] = value.y;
    }
}
