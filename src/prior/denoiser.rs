//! What samplers need of a network.

use burn::tensor::Tensor;

use super::footprint::Footprint;
use super::schedule::Betas;
use crate::control::{Control, Silent};
use crate::error::{Error, Result};

/// One evaluation of a network within a run.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Time of the training schedule, from 0 to 999.
    pub t: usize,
    /// Cumulative product `a` at that time: the state is `sqrt(a) x0 + sqrt(1 - a) eps`.
    pub a: f64,
    /// Number of the evaluation in its run, from 0; decides the jitter of windows.
    pub index: usize,
    /// Hears of progress, and may cancel.
    pub control: &'a dyn Control,
}

impl Call<'static> {
    /// A single evaluation at time `t` of the linear schedule, which nobody listens to.
    ///
    /// # Panics
    /// If there is no such time.
    pub fn at(t: usize) -> Self {
        Self { t, a: Betas::Linear.alpha_bar()[t + 1], index: 0, control: &Silent }
    }
}

/// `v` to `Jᵀ v` with `J` the derivative of a predicted noise by the state it was predicted from, all `[b, c, h, w]`.
pub type Vjp<'a> = Box<dyn FnOnce(Tensor<4>) -> Result<Tensor<4>> + 'a>;

/// Predicts the noise in `x_t = sqrt(a) x0 + sqrt(1 - a) eps`.
pub trait Denoiser: Send + Sync {
    /// `eps` of `x_t` `[b, c, h, w]`, of the same shape.
    ///
    /// # Errors
    /// Being cancelled, and what the network cannot compute.
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>>;

    /// The same, and its derivative by `x_t`: by automatic differentiation, which keeps every feature map meanwhile.
    ///
    /// # Errors
    /// As [`Denoiser::predict_noise`], and results that do not depend on `x_t` through tensor operations.
    fn differentiate(&self, x_t: Tensor<4>, call: &Call) -> Result<(Tensor<4>, Vjp<'_>)> {
        let x_t = x_t.autodiff().require_grad();
        let eps = self.predict_noise(x_t.clone(), call)?;
        let independent = || {
            let fact = "its result does not depend on the state through differentiable operations";
            Error::mismatch("the network", fact, "implement Denoiser::differentiate for it")
        };
        if !eps.is_tracked() {
            return Err(independent());
        }
        let value = eps.clone().inner();
        let vjp = move |v: Tensor<4>| {
            // A product with constants, so that its gradient by eps is v.
            let gradients = (eps * v.autodiff()).sum().backward();
            x_t.grad(&gradients).ok_or_else(independent)
        };
        Ok((value, Box::new(vjp)))
    }
}

/// A classifier of noisy images.
pub trait ClassGradient: Send + Sync {
    /// Gradient of `log p(class | x_t, t)` by `x_t` `[b, c, h, w]`, of the same shape.
    ///
    /// # Errors
    /// Being cancelled, and what the classifier cannot compute.
    fn gradient(&self, x_t: Tensor<4>, class: usize, call: &Call) -> Result<Tensor<4>>;
}

/// A denoiser that says what it needs. Implement it for a network of your own and pass it to
/// [`Prior::custom`](super::Prior::custom).
pub trait Network: Denoiser {
    /// Height and width must be multiples of this.
    fn multiple(&self) -> usize {
        1
    }

    /// The largest noise of `x_t / sqrt(a)` that it knows, of a `[-1, 1]` image.
    fn largest_noise(&self) -> f64 {
        f64::INFINITY
    }

    /// Memory of an evaluation.
    fn footprint(&self) -> Footprint {
        Footprint::UNKNOWN
    }
}
