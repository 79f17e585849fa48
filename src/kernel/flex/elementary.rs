//! Elementary functions without calls or branches, so that loops over them become vectors.

/// `exp` within 2e-7 of the true value.
///
/// `exp(v) = 2^n exp(r)` with `n` the nearest integer to `v / ln 2`, found by adding a number whose last bit is 1, and
/// `exp(r)` by its Taylor polynomial of degree 6 on `|r| <= ln 2 / 2`.
#[inline(always)]
pub(super) fn exp(v: f32) -> f32 {
    const SHIFTER: f32 = 12_582_912.0; // 1.5 * 2^23
    const LN_2_HIGH: f32 = 0.693_359_4; // the first bits of ln 2, so that n LN_2_HIGH is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let v = v.clamp(-87.0, 87.0);
    let shifted = v * std::f32::consts::LOG2_E + SHIFTER;
    let n = shifted - SHIFTER;
    let r = v - n * LN_2_HIGH - n * LN_2_LOW;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0));
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    series * power
}

/// Natural logarithm of a positive, normal number, within 3e-7 of the true value or of 1, whichever is larger.
///
/// `ln v = e ln 2 + ln m` with `m` between `1 / sqrt 2` and `sqrt 2`, and `ln m = 2 artanh(s)`,
/// `s = (m - 1) / (m + 1)`, by its series up to `s^9`.
#[inline(always)]
pub(super) fn ln(v: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let above = v.to_bits().wrapping_sub(SQRT_HALF) & 0xff80_0000;
    let exponent = ((above as i32) >> 23) as f32;
    let mantissa = f32::from_bits(v.to_bits().wrapping_sub(above));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    let series = 1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))));
    exponent * std::f32::consts::LN_2 + 2.0 * s * series
}

/// `v / (1 + exp(-v))`.
#[inline(always)]
pub(super) fn silu(v: f32) -> f32 {
    v / (1.0 + exp(-v))
}

/// Derivative of [`silu`].
#[inline(always)]
pub(super) fn silu_slope(v: f32) -> f32 {
    let sigmoid = 1.0 / (1.0 + exp(-v));
    sigmoid * (1.0 + v * (1.0 - sigmoid))
}

#[cfg(test)]
mod tests {
    #[test]
    fn exp_is_close() {
        for i in -8700..=8700 {
            let v = i as f32 / 100.0;
            let relative = (f64::from(super::exp(v)) / f64::from(v).exp() - 1.0).abs();
            assert!(relative < 2e-7 * (1.0 + f64::from(v).abs() / 10.0), "exp({v}) is off by {relative:e}");
        }
    }

    #[test]
    fn ln_is_close() {
        for i in -3000..=3000 {
            let v = 1.01_f32.powi(i);
            let exact = f64::from(v).ln();
            let relative = (f64::from(super::ln(v)) - exact).abs() / exact.abs().max(1.0);
            assert!(v.is_infinite() || v < f32::MIN_POSITIVE || relative < 3e-7, "ln({v:e}) is off by {relative:e}");
        }
    }
}
