//! Weights in half precision: pairs of f16 in 32-bit words, which every device supports, converted to f32 when they are
//! used.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::Kernels;

/// The `2 n` numbers in `n` words of type i32, the low half of each word first.
pub fn widen(words: Tensor<1, Int>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::widen_half(words.into_dispatch()))
}

/// [`widen`] in tensor operations: `(-1)^s 2^(e - 15) (1 + m / 1024)`, and `(-1)^s 2^-14 m / 1024` where
/// the exponent `e` is 0.
pub fn widen_reference(words: Tensor<1, Int>) -> Tensor<1> {
    let half = |shift: i32| {
        let bits = |from: i32, mask: i32| {
            words.clone().bitwise_right_shift_scalar(shift + from).bitwise_and_scalar(mask).float()
        };
        let (mantissa, exponent, sign) = (bits(0, 0x3ff), bits(10, 0x1f), bits(15, 1));
        let subnormal = exponent.clone().equal_elem(0.0);
        let power = (exponent.clone().clamp_min(1.0) - 25.0) * std::f64::consts::LN_2;
        let significand = mantissa.clone() + 1024.0;
        let magnitude = significand.mask_where(subnormal, mantissa) * power.exp();
        magnitude * (sign * -2.0 + 1.0)
    };
    Tensor::stack::<2>(vec![half(0), half(16)], 1).flatten(0, 1)
}
