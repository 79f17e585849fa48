// Gradient of the loss with respect to the normalised input n, from the one with respect to the result: through the affine map
// with `scale` and `shift`, and through SiLU if SILU is set.

fn normalized_gradient(normed: Vector, gradient: Vector, scale: f32, shift: f32) -> Vector {
    let v = normed * scale + shift;
    let sigmoid = 1.0 / (1.0 + exp(-v));
    return select(gradient, gradient * sigmoid * (1.0 + v * (1.0 - sigmoid)), SILU) * scale;
}
