// Destination of a line kernel: complex lines.

alias Destination = vec2<f32>;

fn store(at: u32, pair: u32, i: u32, length: u32, value: vec2<f32>) {
    destination[at] = value;
}
