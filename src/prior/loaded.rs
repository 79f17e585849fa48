//! A prior on a device.

use burn::tensor::Tensor;

use super::denoiser::{Call, Denoiser, Network, Vjp};
use super::weights::Precision;
use crate::error::Result;
use crate::mirror;
use crate::model::Subject;

/// A denoiser and where it came from.
pub struct Prior {
    network: Box<dyn Network>,
    origin: Origin,
}

/// What is known of a prior beside its network.
pub(super) struct Origin {
    pub name: String,
    pub lasting_name: String,
    pub sha256: String,
    pub parameters: usize,
    /// Which of several dictionaries in the file.
    pub within: Option<String>,
    pub precision: Precision,
    pub subject: Option<Subject>,
    /// Side of the pictures it was trained on.
    pub side: Option<usize>,
}

impl Prior {
    pub(super) fn new(network: Box<dyn Network>, origin: Origin) -> Self {
        Self { network, origin }
    }

    /// A network of your own, under a name for records. It has no file: [`Prior::sha256`] is empty.
    pub fn custom(name: &str, network: Box<dyn Network>) -> Self {
        let origin = Origin {
            name: name.into(),
            lasting_name: name.into(),
            sha256: String::new(),
            parameters: 0,
            within: None,
            precision: Precision::F32,
            subject: None,
            side: None,
        };
        Self { network, origin }
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.origin.name
    }

    /// The name that finds it again from any folder: that of a built-in or installed model, else an absolute path.
    pub fn lasting_name(&self) -> &str {
        &self.origin.lasting_name
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.origin.sha256
    }

    /// Number of parameters; 0 where it is not known.
    pub fn parameters(&self) -> usize {
        self.origin.parameters
    }

    /// Which of several dictionaries in the file its weights are from, such as moving averages.
    pub fn origin(&self) -> Option<&str> {
        self.origin.within.as_deref()
    }

    /// How its weights are kept.
    pub fn precision(&self) -> Precision {
        self.origin.precision
    }

    /// What it was trained on, where that is known.
    pub fn subject(&self) -> Option<Subject> {
        self.origin.subject
    }

    /// Side of the pictures it was trained on, where its shape is that of a published network.
    pub fn published_side(&self) -> Option<usize> {
        self.origin.side
    }

    /// The largest noise of a state that its network knows, of a `[-1, 1]` image.
    pub fn largest_noise(&self) -> f64 {
        self.network.largest_noise()
    }

    /// Bytes one step needs on the device for `batch` pictures of that many pixels, the weights included, and what its
    /// derivative needs where the method `differentiates`.
    pub fn working_memory(&self, pixels: usize, batch: usize, differentiates: bool) -> u64 {
        self.network.footprint().step(pixels, batch, differentiates)
    }

    /// Bytes of the largest single tensor of a step for `batch` pictures of that many pixels.
    pub fn largest_tensor(&self, pixels: usize, batch: usize) -> u64 {
        self.network.footprint().largest_tensor(pixels, batch)
    }

    /// `x` mirrored beyond its right and lower border to the multiple that the network needs.
    pub(super) fn extended(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, h, w] = x.dims();
        let multiple = self.network.multiple();
        extend(extend(x, 2, h.next_multiple_of(multiple)), 3, w.next_multiple_of(multiple))
    }

    /// The transpose of [`Prior::extended`], which is linear, on images of the shape of `x`.
    pub(super) fn folded(&self, x: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
        let x = x.autodiff().require_grad();
        let gradients = (self.extended(x.clone()) * v.autodiff()).sum().backward();
        x.grad(&gradients).expect("the extension depends on its image")
    }
}

impl Denoiser for Prior {
    /// Pictures of any size: they are extended by reflection to the multiple the network needs, and cropped again.
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>> {
        let [b, c, h, w] = x_t.dims();
        let extended = self.extended(x_t);
        let whole = extended.dims() == [b, c, h, w];
        let eps = self.network.predict_noise(extended, call)?;
        Ok(if whole { eps } else { eps.slice([0..b, 0..c, 0..h, 0..w]) })
    }

    /// By the network's own derivative.
    fn differentiate(&self, x_t: Tensor<4>, call: &Call) -> Result<(Tensor<4>, Vjp<'_>)> {
        let [b, c, h, w] = x_t.dims();
        let extended = self.extended(x_t.clone());
        let [_, _, height, width] = extended.dims();
        let (eps, vjp) = self.network.differentiate(extended, call)?;
        if [height, width] == [h, w] {
            return Ok((eps, vjp));
        }
        let eps = eps.slice([0..b, 0..c, 0..h, 0..w]);
        // The transpose of the crop fills up with zeros, that of the extension is its derivative.
        let vjp = move |v: Tensor<4>| {
            let device = v.device();
            let filled = Tensor::<4>::zeros([b, c, height, width], &device).slice_assign([0..b, 0..c, 0..h, 0..w], v);
            Ok(self.folded(x_t, vjp(filled)?))
        };
        Ok((eps, Box::new(vjp)))
    }
}

/// Mirrors `x` after its end along `axis` until it is `length` long.
fn extend(x: Tensor<4>, axis: usize, length: usize) -> Tensor<4> {
    if x.dims()[axis] == length { x } else { mirror::select(x, axis, 0..length as i64) }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    /// `eps = c x` with a multiple of 4, and its own derivative.
    struct Scaled(f64);

    impl Denoiser for Scaled {
        fn predict_noise(&self, x_t: Tensor<4>, _: &Call) -> Result<Tensor<4>> {
            Ok(x_t * self.0)
        }

        fn differentiate(&self, x_t: Tensor<4>, call: &Call) -> Result<(Tensor<4>, Vjp<'_>)> {
            assert!(!x_t.is_autodiff(), "a network that brings its derivative needs no graph");
            let scale = self.0;
            Ok((self.predict_noise(x_t, call)?, Box::new(move |v: Tensor<4>| Ok(v * scale))))
        }
    }

    impl Network for Scaled {
        fn multiple(&self) -> usize {
            4
        }
    }

    #[test]
    fn a_network_of_ones_own_is_called_at_its_multiple() {
        let prior = Prior::custom("scaled", Box::new(Scaled(0.5)));
        let device = Device::flex();
        for [h, w] in [[4, 8], [5, 7], [1, 1]] {
            let values: Vec<f32> = (0..3 * h * w).map(|i| i as f32).collect();
            let x = Tensor::<4>::from_data(TensorData::new(values, [1, 3, h, w]), &device);
            let half: Vec<f32> = (x.clone() * 0.5).try_into_vec_as().unwrap();
            let (eps, vjp) = prior.differentiate(x.clone(), &Call::at(0)).unwrap();
            assert_eq!(eps.try_into_vec_as::<f32>().unwrap(), half);
            assert_eq!(vjp(x.clone()).unwrap().try_into_vec_as::<f32>().unwrap(), half);
            let alone = prior.predict_noise(x, &Call::at(0)).unwrap();
            assert_eq!(alone.try_into_vec_as::<f32>().unwrap(), half);
        }
        assert_eq!((prior.lasting_name(), prior.working_memory(1 << 20, 8, true)), ("scaled", 0));
    }

    #[test]
    fn priors_go_from_thread_to_thread() {
        fn check<T: Send + Sync>() {}
        check::<Prior>();
    }
}
