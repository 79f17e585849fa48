//! Circular convolution, with or without subsampling, inverted in the frequency domain.

use burn::tensor::{Device, Tensor, TensorData};
use rustfft::{FftPlanner, num_complex::Complex};

use super::{LinearOperator, Preconditioner, Spectral, psf::Kernel};
use crate::error::Result;
use crate::kernel::{Fft2, fft::half};

/// Singular values below this count as 0 where nothing else damps them: inverted in f32, they would turn rounding into
/// pictures.
const NEGLIGIBLE: f64 = 1e-4;

/// `y = S H x`: convolution `H` with a kernel, and every `scale`-th pixel `S`.
pub struct Convolution {
    channels: usize,
    size: [usize; 2],
    scale: usize,
    fft: Fft2,
    transfer: Tensor<3>,
    conjugate: Tensor<3>,
    /// Transform of the measured size, and half the spectrum of `A Aᵀ` there, `[h, w / 2 + 1, 1]`.
    measured_fft: Fft2,
    measured_power: Tensor<3>,
    /// Roots of the whole of that spectrum.
    singular: Vec<f64>,
}

impl Convolution {
    /// Convolution of images `[channels, height, width]` with `kernel`.
    ///
    /// # Errors
    /// A kernel larger than the picture.
    pub fn new(kernel: &Kernel, image: [usize; 3], device: &Device) -> Result<Self> {
        Self::subsampled(kernel, 1, image, device)
    }

    /// Bicubic reduction by `scale` (Keys' kernel with a = -1/2, centred on the pixel that is kept).
    ///
    /// # Errors
    /// A kernel larger than the picture.
    ///
    /// # Panics
    /// If `scale` is 0.
    pub fn bicubic(scale: usize, image: [usize; 3], device: &Device) -> Result<Self> {
        Self::subsampled(&Kernel::bicubic(scale), scale, image, device)
    }

    fn subsampled(kernel: &Kernel, scale: usize, image: [usize; 3], device: &Device) -> Result<Self> {
        kernel.check_fits(image[1], image[2])?;
        Ok(Self::folded(kernel, scale, image, device))
    }

    /// The convolution with a kernel of any size, which the period folds.
    pub(super) fn folded(
        kernel: &Kernel,
        scale: usize,
        [channels, height, width]: [usize; 3],
        device: &Device,
    ) -> Self {
        let spectrum = transfer_function(kernel, height, width);
        let (h, w) = (height / scale, width / scale);
        // The spectrum of the subsampled autocorrelation of the kernel: power folded over the aliases.
        let mut power = vec![0.0; h * w];
        for (i, value) in spectrum.iter().enumerate() {
            power[i / width % h * w + i % width % w] += value.norm_sqr() / (scale * scale) as f64;
        }
        let upload = |sign: f64| {
            let halves = halves(&spectrum, width);
            let pairs: Vec<f32> = halves.flat_map(|c| [c.re as f32, (sign * c.im) as f32]).collect();
            Tensor::from_data(TensorData::new(pairs, [height, half(width), 2]), device)
        };
        let singular: Vec<f64> = power.iter().map(|p| p.sqrt()).collect();
        let power: Vec<f32> = halves(&power, w).map(|p| p as f32).collect();
        Self {
            channels,
            size: [height, width],
            scale,
            fft: Fft2::new(height, width, device),
            transfer: upload(1.0),
            conjugate: upload(-1.0),
            measured_fft: Fft2::new(h, w, device),
            measured_power: Tensor::from_data(TensorData::new(power, [h, half(w), 1]), device),
            singular,
        }
    }

    /// Singular values at every frequency of the measured size, row by row.
    pub(super) fn spectrum(&self) -> &[f64] {
        &self.singular
    }

    /// A measurement whose spectrum is multiplied by real `gains`, `[h, w / 2 + 1, 1]`.
    fn multiplied(&self, y: Tensor<4>, gains: Tensor<3>) -> Tensor<4> {
        let transfer = Tensor::cat(vec![gains.clone(), gains.zeros_like()], 2);
        self.measured_fft.filter(y, &transfer)
    }

    /// Spectrum of `P`; its inverse is 0 where that of `A Aᵀ + eta I` is negligible.
    fn gains(&self, Preconditioner { eta, inverse, identity }: Preconditioner) -> Tensor<3> {
        let damped = self.measured_power.clone() + eta;
        let hole = damped.clone().lower_elem(NEGLIGIBLE * NEGLIGIBLE);
        damped.recip().mask_fill(hole, 0.0) * inverse + identity
    }
}

impl LinearOperator for Convolution {
    fn image_shape(&self) -> [usize; 3] {
        [self.channels, self.size[0], self.size[1]]
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.channels, self.size[0] / self.scale, self.size[1] / self.scale]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let blurred = self.fft.filter(x, &self.transfer);
        if self.scale == 1 { blurred } else { every(blurred, self.scale) }
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        let spread = if self.scale == 1 { y } else { spread(y, self.scale) };
        self.fft.filter(spread, &self.conjugate)
    }

    fn gram(&self, y: Tensor<4>) -> Tensor<4> {
        self.multiplied(y, self.measured_power.clone())
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        self.multiplied(y, self.gains(p))
    }

    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        if self.scale == 1 {
            return self.fft.filter(y, &(self.conjugate.clone() * self.gains(preconditioner)));
        }
        self.adjoint(self.precondition(y, preconditioner))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Convolution {
    fn singular_values(&self) -> Vec<f32> {
        let mut values: Vec<f32> = self.singular.iter().map(|&s| s as f32).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }

    /// `f(0) x + Aᵀ F⁻¹ (f(s) - f(0)) / s² F A x`; without subsampling `Aᵀ` and `A` are in the same product.
    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        let seen = |s: f64| if s < NEGLIGIBLE { 0.0 } else { f(s) - f(0.0) };
        let divisor = |s: f64| if self.scale == 1 || s < NEGLIGIBLE { 1.0 } else { s * s };
        let singular = halves(&self.singular, self.size[1] / self.scale);
        let gains: Vec<f32> = singular.flat_map(|s| [(seen(s) / divisor(s)) as f32, 0.0]).collect();
        let [h, half, _] = self.measured_power.dims();
        let gains = Tensor::from_data(TensorData::new(gains, [h, half, 2]), &x.device());
        let seen = if self.scale == 1 {
            self.fft.filter(x.clone(), &gains)
        } else {
            self.adjoint(self.measured_fft.filter(self.apply(x.clone()), &gains))
        };
        seen + x * f(0.0)
    }
}

/// The half of a spectrum `[h, width]` that transforms of real images have.
fn halves<T: Copy>(spectrum: &[T], width: usize) -> impl Iterator<Item = T> {
    spectrum.chunks_exact(width).flat_map(move |row| &row[..half(width)]).copied()
}

/// Every `s`-th pixel of both axes.
fn every(x: Tensor<4>, s: usize) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    let rows = x.reshape([b * c, h / s, s, w]).narrow(2, 0, 1);
    rows.reshape([b * c, h / s, w / s, s]).narrow(3, 0, 1).reshape([b, c, h / s, w / s])
}

/// The adjoint of [`every`]: zeros between the pixels.
fn spread(y: Tensor<4>, s: usize) -> Tensor<4> {
    let [b, c, h, w] = y.dims();
    let device = y.device();
    let pixels = y.reshape([b * c, h, w, 1]);
    let columns = Tensor::cat(vec![pixels, Tensor::zeros([b * c, h, w, s - 1], &device)], 3);
    let rows = columns.reshape([b * c, h, 1, w * s]);
    let rows = Tensor::cat(vec![rows, Tensor::zeros([b * c, h, s - 1, w * s], &device)], 2);
    rows.reshape([b, c, h * s, w * s])
}

/// Spectrum of `kernel` with its centre, index `(size - 1) / 2` rounded down, moved to the origin.
fn transfer_function(kernel: &Kernel, height: usize, width: usize) -> Vec<Complex<f64>> {
    let mut field = vec![Complex::default(); height * width];
    let place = |i: usize, taps: usize, n: usize| (i as i64 - (taps as i64 - 1) / 2).rem_euclid(n as i64) as usize;
    for (i, &value) in kernel.values.iter().enumerate() {
        let y = place(i / kernel.width, kernel.height, height);
        let x = place(i % kernel.width, kernel.width, width);
        field[y * width + x] += value;
    }
    let mut planner = FftPlanner::new();
    planner.plan_fft_forward(width).process(&mut field);
    let columns = planner.plan_fft_forward(height);
    let mut column = vec![Complex::default(); height];
    for x in 0..width {
        column.iter_mut().enumerate().for_each(|(y, value)| *value = field[y * width + x]);
        columns.process(&mut column);
        column.iter().enumerate().for_each(|(y, value)| field[y * width + x] = *value);
    }
    field
}
