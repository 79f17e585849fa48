//! The same operator on every channel, and a mixture of the channels.

use burn::tensor::Tensor;

use super::{ChannelMix, LinearOperator, Preconditioner, Spectral};

/// `B = M ⊗ A`: `A` for images of one channel, on every channel of the mixture `M` of an image's channels.
///
/// With the eigenvectors `u` and eigenvalues `m` of `M Mᵀ`,
/// `(B Bᵀ + eta I)⁻¹ = sum_j u_j u_jᵀ ⊗ (m_j A Aᵀ + eta I)⁻¹`: as closed a form as that of `A`.
pub struct Mixed {
    alike: Box<dyn LinearOperator>,
    mix: ChannelMix,
}

impl Mixed {
    /// `M ⊗ A`.
    ///
    /// # Panics
    /// If `A` is not for images of one channel.
    pub fn new(alike: Box<dyn LinearOperator>, mix: ChannelMix) -> Self {
        assert_eq!((alike.image_shape()[0], alike.measured_shape()[0]), (1, 1), "an operator on one channel");
        Self { alike, mix }
    }

    /// `A`.
    pub fn alike(&self) -> &dyn LinearOperator {
        self.alike.as_ref()
    }

    /// `M`, for images of any size.
    pub fn mix(&self) -> &ChannelMix {
        &self.mix
    }
}

/// `f` of every channel of `x` as an image of its own.
fn on_channels(x: Tensor<4>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    let [b, c, h, w] = x.dims();
    let x = f(x.reshape([b * c, 1, h, w]));
    let [_, _, h, w] = x.dims();
    x.reshape([b, c, h, w])
}

impl LinearOperator for Mixed {
    fn image_shape(&self) -> [usize; 3] {
        let ([_, height, width], [channels, ..]) = (self.alike.image_shape(), self.mix.image_shape());
        [channels, height, width]
    }

    fn measured_shape(&self) -> [usize; 3] {
        let ([_, height, width], [channels, ..]) = (self.alike.measured_shape(), self.mix.measured_shape());
        [channels, height, width]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        on_channels(self.mix.apply(x), |x| self.alike.apply(x))
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        self.mix.adjoint(on_channels(y, |y| self.alike.adjoint(y)))
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        self.mix.by_component(y, |power, component| {
            let scaled = Preconditioner { eta: p.eta / power, inverse: p.inverse / power, identity: p.identity };
            match power > 0.0 {
                true => self.alike.precondition(component, scaled),
                false if p.eta > 0.0 => component * (p.inverse / p.eta + p.identity),
                false => component * p.identity,
            }
        })
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        self.alike.spectral().map(|_| self as &dyn Spectral)
    }
}

impl Mixed {
    fn spectrum(&self) -> &dyn Spectral {
        self.alike.spectral().expect("asked for only where there is one")
    }
}

impl Spectral for Mixed {
    fn singular_values(&self) -> Vec<f32> {
        let (of_mix, of_alike) = (self.mix.singular_values(), self.spectrum().singular_values());
        let mut all: Vec<f32> = of_mix.iter().flat_map(|m| of_alike.iter().map(move |s| m * s)).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        all
    }

    /// `sum_j v_j v_jᵀ ⊗ filter(s -> f(s sqrt(m_j)))` with the right singular vectors `v_j` of `M`, and `f(0)` of the rest.
    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        // v_j v_jᵀ x = Mᵀ u_j u_jᵀ M x / m_j.
        let seen = self.mix.by_component(self.mix.apply(x.clone()), |power, component| match power > 0.0 {
            true => {
                let own = |s: f64| f(s * power.sqrt()) - f(0.0);
                self.spectrum().filter(component, &own) / power
            }
            false => component.zeros_like(),
        });
        let seen = self.mix.adjoint(seen);
        if f(0.0) == 0.0 { seen } else { seen + x * f(0.0) }
    }
}
