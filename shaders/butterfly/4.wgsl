// DFT of 4 values.

fn butterfly(v: array<vec2<f32>, RADIX>, length: u32) -> array<vec2<f32>, RADIX> {
    return dft4(v[0], v[1], v[2], v[3]);
}
