// Source of a line kernel: complex lines.

alias Source = vec2<f32>;

fn load(at: u32, pair: u32, i: u32, length: u32) -> vec2<f32> {
    return source[at];
}
