// DFT of 16 values, from four DFTs of every fourth value.

const HALF_ROOT: f32 = 0.7071067811865476;
const COSINE: f32 = 0.9238795325112867; // of pi / 8
const SINE: f32 = 0.3826834323650898;

fn turned(a: vec2<f32>, cosine: f32, sine: f32) -> vec2<f32> {
    return multiply(a, conjugate_if(INVERSE, vec2(cosine, -sine)));
}

fn butterfly(v: array<vec2<f32>, RADIX>, length: u32) -> array<vec2<f32>, RADIX> {
    let a = dft4(v[0], v[4], v[8], v[12]);
    let b = dft4(v[1], v[5], v[9], v[13]);
    let c = dft4(v[2], v[6], v[10], v[14]);
    let d = dft4(v[3], v[7], v[11], v[15]);
    let x = dft4(a[0], b[0], c[0], d[0]);
    let y = dft4(a[1], turned(b[1], COSINE, SINE), turned(c[1], HALF_ROOT, HALF_ROOT), turned(d[1], SINE, COSINE));
    let z = dft4(a[2], turned(b[2], HALF_ROOT, HALF_ROOT), quarter_turn(c[2]), turned(d[2], -HALF_ROOT, HALF_ROOT));
    let w = dft4(a[3], turned(b[3], SINE, COSINE), turned(c[3], -HALF_ROOT, HALF_ROOT), turned(d[3], -COSINE, -SINE));
    return array<vec2<f32>, RADIX>(
        x[0], y[0], z[0], w[0], x[1], y[1], z[1], w[1], x[2], y[2], z[2], w[2], x[3], y[3], z[3], w[3],
    );
}
