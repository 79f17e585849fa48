// DFT of 8 values, from the DFTs of the even and the odd ones.

const HALF_ROOT: f32 = 0.7071067811865476;

fn butterfly(v: array<vec2<f32>, RADIX>, length: u32) -> array<vec2<f32>, RADIX> {
    let even = dft4(v[0], v[2], v[4], v[6]);
    let odd = dft4(v[1], v[3], v[5], v[7]);
    let o1 = multiply(odd[1], conjugate_if(INVERSE, vec2(HALF_ROOT, -HALF_ROOT)));
    let o2 = quarter_turn(odd[2]);
    let o3 = multiply(odd[3], conjugate_if(INVERSE, vec2(-HALF_ROOT, -HALF_ROOT)));
    return array<vec2<f32>, RADIX>(
        even[0] + odd[0], even[1] + o1, even[2] + o2, even[3] + o3,
        even[0] - odd[0], even[1] - o1, even[2] - o2, even[3] - o3,
    );
}
