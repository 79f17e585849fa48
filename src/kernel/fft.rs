//! Two-dimensional discrete Fourier transforms of any size.
//!
//! `X[k] = sum_n x[n] exp(-2 pi i k n / N)`; the inverse carries the factor `1 / N`, so that `inverse(forward(x)) = x`.
//! Frequencies are in the order of `fftfreq`: 0, 1, ..., then the negative ones.
//!
//! On wgpu lines are transformed by Stockham passes of radix 8, 4, 2, 3, 5, 7, 11 and 13; lengths with a larger prime
//! factor go through Bluestein's chirp transform. On the CPU the work is done by `rustfft`.

use std::f64::consts::TAU;

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor, TensorData};
use rustfft::{FftPlanner, num_complex::Complex};

use super::Kernels;

/// A plan for transforms of `height` x `width` planes on one device.
#[derive(Clone, Debug)]
pub struct Fft2 {
    columns: Tensor<1>,
    rows: Tensor<1>,
}

impl Fft2 {
    /// Prepares the twiddle tables.
    pub fn new(height: usize, width: usize, device: &Device) -> Self {
        let upload = |n| Tensor::from_data(TensorData::from(table(n).as_slice()), device);
        Self { columns: upload(height), rows: upload(width) }
    }

    /// Spectrum `[b, c, h, w, 2]` of a real image `[b, c, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<5> {
        let rows = Dispatch::fft_lines(x.into_dispatch(), self.rows.clone().into_dispatch(), 3, false, false);
        self.lines(Tensor::from_dispatch(rows), 2, false)
    }

    /// Spectrum of a complex field, both `[b, c, h, w, 2]`.
    pub fn forward_complex(&self, x: Tensor<5>) -> Tensor<5> {
        let rows = self.lines(x, 3, false);
        self.lines(rows, 2, false)
    }

    /// Complex field of a spectrum, both `[b, c, h, w, 2]`.
    pub fn inverse(&self, x: Tensor<5>) -> Tensor<5> {
        let columns = self.lines(x, 2, true);
        self.lines(columns, 3, true)
    }

    /// Real part `[b, c, h, w]` of the field of a spectrum `[b, c, h, w, 2]`.
    pub fn inverse_real(&self, x: Tensor<5>) -> Tensor<4> {
        let columns = self.lines(x, 2, true);
        let rows = self.rows.clone().into_dispatch();
        Tensor::from_dispatch(Dispatch::fft_lines(columns.into_dispatch(), rows, 3, true, true))
    }

    /// Circular convolution: the image whose spectrum is that of `x` times `transfer` `[h, w, 2]`.
    pub fn filter(&self, x: Tensor<4>, transfer: &Tensor<3>) -> Tensor<4> {
        self.inverse_real(multiply(self.forward(x), transfer))
    }

    fn lines(&self, x: Tensor<5>, axis: usize, inverse: bool) -> Tensor<5> {
        let table = if axis == 2 { &self.columns } else { &self.rows };
        let table = table.clone().into_dispatch();
        Tensor::from_dispatch(Dispatch::fft_lines(x.into_dispatch(), table, axis, inverse, false))
    }
}

/// Product of every plane of `x` `[b, c, h, w, 2]` with the transfer function `[h, w, 2]`.
pub fn multiply(x: Tensor<5>, transfer: &Tensor<3>) -> Tensor<5> {
    Tensor::from_dispatch(Dispatch::transfer_product(x.into_dispatch(), transfer.clone().into_dispatch()))
}

/// What [`Fft2`] must compute, as products with the DFT matrices: `x` and the result are `[b, c, h, w, 2]`.
pub fn specification(x: Tensor<5>, inverse: bool) -> Tensor<5> {
    let [b, c, h, w, _] = x.dims();
    let device = x.device();
    let part = |x: &Tensor<5>, i: usize| x.clone().narrow(4, i, 1).reshape([b, c, h, w]);
    let (re, im) = (part(&x, 0), part(&x, 1));

    let (cos, sin) = dft_matrix(w, inverse, &device);
    let (re, im) = (re.clone().matmul(cos.clone()) - im.clone().matmul(sin.clone()), re.matmul(sin) + im.matmul(cos));
    let (cos, sin) = dft_matrix(h, inverse, &device);
    let (re, im) = (cos.clone().matmul(re.clone()) - sin.clone().matmul(im.clone()), sin.matmul(re) + cos.matmul(im));
    Tensor::stack(vec![re, im], 4)
}

/// Real and imaginary part `[1, 1, n, n]` of `exp(-+ 2 pi i j k / n)`, divided by `n` for the inverse.
fn dft_matrix(n: usize, inverse: bool, device: &Device) -> (Tensor<4>, Tensor<4>) {
    let (sign, scale) = if inverse { (1.0, 1.0 / n as f64) } else { (-1.0, 1.0) };
    let entries = |f: fn(f64) -> f64| {
        let values: Vec<f32> =
            (0..n * n).map(|i| (scale * f(sign * TAU * ((i / n) * (i % n) % n) as f64 / n as f64)) as f32).collect();
        Tensor::from_data(TensorData::new(values, [1, 1, n, n]), device)
    };
    (entries(f64::cos), entries(f64::sin))
}

/// Radices of the Stockham passes for a line of `n`, or `None` where a prime factor is above 13.
pub(super) fn radices(mut n: usize) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for radix in [8, 4, 2, 3, 5, 7, 11, 13] {
        while n.is_multiple_of(radix) {
            found.push(radix);
            n /= radix;
        }
    }
    (n == 1).then_some(found)
}

/// Length of the circular convolution in Bluestein's transform of length `n`.
pub(super) fn chirp_length(n: usize) -> usize {
    (2 * n - 1).next_power_of_two()
}

/// Constants of the transform of length `n`, complex numbers as pairs.
///
/// The `n` roots of unity; or, where a prime factor is above 13 and with `m = chirp_length(n)`: the `m` roots of unity,
/// the chirp `exp(-pi i k² / n)` (`n` numbers), and the spectrum of its periodic conjugate divided by `m`.
pub fn table(n: usize) -> Vec<f32> {
    if radices(n).is_some() {
        return pairs(roots(n));
    }
    let m = chirp_length(n);
    let chirp: Vec<Complex<f64>> =
        (0..n).map(|k| Complex::cis(-0.5 * TAU * (k * k % (2 * n)) as f64 / n as f64)).collect();
    let mut spectrum = vec![Complex::default(); m];
    for (k, c) in chirp.iter().enumerate() {
        spectrum[k] = c.conj() / m as f64;
        spectrum[(m - k) % m] = c.conj() / m as f64;
    }
    FftPlanner::new().plan_fft_forward(m).process(&mut spectrum);
    pairs(roots(m).chain(chirp).chain(spectrum))
}

fn roots(n: usize) -> impl Iterator<Item = Complex<f64>> {
    (0..n).map(move |k| Complex::cis(-TAU * k as f64 / n as f64))
}

fn pairs(values: impl IntoIterator<Item = Complex<f64>>) -> Vec<f32> {
    values.into_iter().flat_map(|c| [c.re as f32, c.im as f32]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radices_multiply_to_the_length() {
        for n in 1..400 {
            if let Some(radices) = radices(n) {
                assert_eq!(radices.iter().product::<usize>(), n);
            } else {
                assert!((17..=n).any(|p| n.is_multiple_of(p) && (2..p).all(|q| !p.is_multiple_of(q))));
            }
        }
    }
}
