// Gradient by what is normalised, from that by the result: through v / (1 + exp(-v)) where SILU, and the scale.

fn slope(normed: Number, gradient: Number, scale: f32, shift: f32) -> Number {
    let v = normed * scale + shift;
    let sigmoid = 1.0 / (1.0 + exp(-v));
    return select(gradient, gradient * sigmoid * (1.0 + v * (1.0 - sigmoid)), SILU) * scale;
}

