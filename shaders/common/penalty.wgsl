// Derivative of the gradient penalty of FDGR, phi'(d) for s = d^2 + epsilon (or the joint s of both directions):
//   alpha s^(alpha/2 - 1) / (2 sigma^2) exp(-s^(alpha/2) / (2 sigma^2)) d
// `rate` is 1 / (2 sigma^2).

fn penalty_weight(s: f32, alpha: f32, rate: f32) -> f32 {
    let power = pow(s, 0.5 * alpha);
    return alpha * rate * power / s * exp(-rate * power);
}
