// DFT of RADIX values by its definition; the roots of unity come from the table of the whole line.

fn butterfly(v: array<vec2<f32>, RADIX>, length: u32) -> array<vec2<f32>, RADIX> {
    var input = v;
    var output: array<vec2<f32>, RADIX>;
    for (var q = 0u; q < RADIX; q++) {
        var sum = input[0];
        for (var r = 1u; r < RADIX; r++) {
            sum += multiply(input[r], root((q * r % RADIX) * (length / RADIX)));
        }
        output[q] = sum;
    }
    return output;
}
