//! Two-dimensional discrete Fourier transforms of real images of any size, and circular convolutions by them.
//!
//! `X[k] = sum_n x[n] exp(-2 pi i k n / N)`; the inverse carries the factor `1 / N`, so that `inverse(forward(x)) = x`.
//! Frequencies are in the order of `fftfreq`: 0, 1, ..., then the negative ones. Spectra of images are halves, with
//! `w / 2 + 1` numbers a row (rounded down): the rest follows from `X[-ky, -kx] = conj(X[ky, kx])`.
//!
//! On wgpu lines are transformed by Stockham passes of radix 16, 8, 4, 2, 3, 5, 7, 11 and 13, two real lines as one
//! complex one; lengths with a larger prime factor go through Bluestein's chirp transform. On the CPU the work is done
//! by `rustfft` and `realfft`.

use std::f64::consts::TAU;

use burn::backend::Dispatch;
use burn::tensor::{Device, Shape, Tensor, TensorData};
use rustfft::{FftPlanner, num_complex::Complex};

use super::Kernels;

/// A plan for transforms of `height` x `width` images on one device.
#[derive(Clone, Debug)]
pub struct Fft2 {
    width: usize,
    columns: Tensor<1>,
    rows: Tensor<1>,
}

impl Fft2 {
    /// Prepares the twiddle tables.
    pub fn new(height: usize, width: usize, device: &Device) -> Self {
        Self { width, columns: uploaded_table(height, device), rows: uploaded_table(width, device) }
    }

    /// Spectrum `[b, c, h, w / 2 + 1, 2]` of an image `[b, c, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<5> {
        let (rows, columns) = self.tables();
        Tensor::from_dispatch(Dispatch::fft2(x.into_dispatch(), rows.into_dispatch(), columns.into_dispatch()))
    }

    /// Image `[b, c, h, w]` of a spectrum `[b, c, h, w / 2 + 1, 2]`.
    pub fn inverse(&self, x: Tensor<5>) -> Tensor<4> {
        let (rows, columns) = self.tables();
        let (rows, columns) = (rows.into_dispatch(), columns.into_dispatch());
        Tensor::from_dispatch(Dispatch::inverse_fft2(x.into_dispatch(), rows, columns, self.width))
    }

    /// Circular convolution: the image whose spectrum is that of `x` times `transfer` `[h, w / 2 + 1, 2]`.
    pub fn filter(&self, x: Tensor<4>, transfer: &Tensor<3>) -> Tensor<4> {
        let (rows, columns) = self.tables();
        let (rows, columns) = (rows.into_dispatch(), columns.into_dispatch());
        Tensor::from_dispatch(Dispatch::filter(x.into_dispatch(), rows, columns, transfer.clone().into_dispatch()))
    }

    fn tables(&self) -> (Tensor<1>, Tensor<1>) {
        (self.rows.clone(), self.columns.clone())
    }
}

/// A circular convolution of all lines along one axis of an image.
#[derive(Clone, Debug)]
pub struct LineFilter {
    axis: usize,
    table: Tensor<1>,
    transfer: Tensor<2>,
}

impl LineFilter {
    /// Along `axis` (2: height, 3: width), by the transfer function of a real kernel: as many numbers as the axis has
    /// pixels, in the order of `fftfreq`, with `transfer[-k] = conj(transfer[k])`.
    pub fn new(axis: usize, transfer: &[Complex<f64>], device: &Device) -> Self {
        let n = transfer.len();
        let values = TensorData::new(pairs(transfer.iter().copied()), [n, 2]);
        Self { axis, table: uploaded_table(n, device), transfer: Tensor::from_data(values, device) }
    }

    /// The convolution of `x` `[b, c, h, w]`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let (table, transfer) = (self.table.clone().into_dispatch(), self.transfer.clone().into_dispatch());
        Tensor::from_dispatch(Dispatch::filter_lines(x.into_dispatch(), table, transfer, self.axis))
    }
}

fn uploaded_table(length: usize, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::from(table(length).as_slice()), device)
}

/// Numbers of a row of a half spectrum.
pub fn half(width: usize) -> usize {
    width / 2 + 1
}

/// Shape of the spectrum of an image.
pub(super) fn spectrum_shape(image: &Shape) -> Shape {
    Shape::from([image[0], image[1], image[2], half(image[3]), 2])
}

/// Shape of the image of a spectrum.
pub(super) fn image_shape(spectrum: &Shape, width: &usize) -> Shape {
    Shape::from([spectrum[0], spectrum[1], spectrum[2], *width])
}

/// [`Fft2::forward`] as products with the DFT matrices.
pub fn reference(x: Tensor<4>) -> Tensor<5> {
    let [_, _, h, w] = x.dims();
    let zeros = x.zeros_like();
    let (re, im) = complex_reference((x, zeros), [h, w], false);
    Tensor::stack::<5>(vec![re, im], 4).narrow(3, 0, half(w))
}

/// [`Fft2::inverse`] as products with the DFT matrices.
pub fn inverse_reference(x: Tensor<5>, width: usize) -> Tensor<4> {
    let [b, c, h, half, _] = x.dims();
    let part = |i: usize| -> Tensor<4> { x.clone().narrow(4, i, 1).reshape([b, c, h, half]) };
    // The other half: conjugates, both axes reversed but for frequency 0.
    let others = width - half;
    let reversed = |part: Tensor<4>| {
        let columns = part.narrow(3, 1, others).flip([3]);
        if h == 1 {
            columns
        } else {
            Tensor::cat(vec![columns.clone().narrow(2, 0, 1), columns.narrow(2, 1, h - 1).flip([2])], 2)
        }
    };
    let whole = |part: Tensor<4>, sign: f32| {
        if others == 0 { part } else { Tensor::cat(vec![part.clone(), reversed(part) * sign], 3) }
    };
    complex_reference((whole(part(0), 1.0), whole(part(1), -1.0)), [h, width], true).0
}

/// [`Fft2::filter`] as products with the DFT matrices.
pub fn filter_reference(x: Tensor<4>, transfer: &Tensor<3>) -> Tensor<4> {
    let width = x.dims()[3];
    let spectrum = reference(x);
    let [h, half, _] = transfer.dims();
    let part = |x: &Tensor<5>, i: usize| x.clone().narrow(4, i, 1);
    let transfer: Tensor<5> = transfer.clone().reshape([1, 1, h, half, 2]);
    let [a, b, c, d] = [part(&spectrum, 0), part(&spectrum, 1), part(&transfer, 0), part(&transfer, 1)];
    let product = vec![a.clone() * c.clone() - b.clone() * d.clone(), a * d + b * c];
    inverse_reference(Tensor::cat(product, 4), width)
}

/// The transform of complex numbers `(re, im)`, each `[b, c, h, w]`.
fn complex_reference((re, im): (Tensor<4>, Tensor<4>), [h, w]: [usize; 2], inverse: bool) -> (Tensor<4>, Tensor<4>) {
    let device = re.device();
    let (cos, sin) = dft_matrix(w, inverse, &device);
    let (re, im) = (re.clone().matmul(cos.clone()) - im.clone().matmul(sin.clone()), re.matmul(sin) + im.matmul(cos));
    let (cos, sin) = dft_matrix(h, inverse, &device);
    (cos.clone().matmul(re.clone()) - sin.clone().matmul(im.clone()), sin.matmul(re) + cos.matmul(im))
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
    for radix in [16, 8, 4, 2, 3, 5, 7, 11, 13] {
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
