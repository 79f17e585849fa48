// DFT of 2 values.

fn butterfly(v: array<vec2<f32>, RADIX>, length: u32) -> array<vec2<f32>, RADIX> {
    return array<vec2<f32>, RADIX>(v[0] + v[1], v[0] - v[1]);
}
