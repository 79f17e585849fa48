// f16 to f32.
//
//   dispatch     one thread per word
//   words        two f16 each, the first in the low half
//   widened      twice as many f32
//   matches      kernel::half::widen_reference

struct Parameters {
    threads: u32,
}

@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> widened: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

// By bits: the builtin unpack2x16float is an optional capability.
fn widen(half: u32) -> f32 {
    let sign = (half & 0x8000u) << 16u;
    let exponent = (half >> 10u) & 0x1fu;
    let mantissa = half & 0x3ffu;
    let normal = ((exponent + 112u) << 23u) | (mantissa << 13u);
    let subnormal = bitcast<u32>(f32(mantissa) * 5.9604645e-8); // 2^-24
    return bitcast<f32>(sign | select(normal, subnormal, exponent == 0u));
}

fn element(thread: u32) {
    let word = words[thread];
    widened[thread] = vec2(widen(word & 0xffffu), widen(word >> 16u));
}
