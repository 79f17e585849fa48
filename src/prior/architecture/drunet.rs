//! DRUNet, the denoiser of "Plug-and-Play Image Restoration with Deep Denoiser Prior" (DPIR, K. Zhang et al.,
//! arXiv:2008.13751), as a prior.
//!
//! It takes a picture `u` in `[0, 1]` with white noise of standard deviation `s` and a map of `s`, and gives the picture without
//! noise. A state `x_t = sqrt(a) x0 + sqrt(1 - a) eps` of `[-1, 1]` images is such a picture, at another scale:
//!
//! ```text
//! u = (x_t / sqrt(a) + 1) / 2     s = sqrt((1 - a) / a) / 2
//! x0 = 2 D(u, s) - 1              eps = (x_t - sqrt(a) x0) / sqrt(1 - a)
//! ```

use burn::tensor::{Tensor, activation::relu};

use super::adm::AdmOptions;
use crate::error::Result;
use crate::kernel::convolution::concatenate;
use crate::model::Checkpoint;
use crate::prior::denoiser::{Call, Denoiser, Network};
use crate::prior::footprint::Footprint;
use crate::prior::layers::{Conv, depth_to_space, space_to_depth};
use crate::prior::shape::{Published, Shape};
use crate::prior::weights::{Parameter, Weights};

/// Red, green, blue and the map of the noise.
const INPUTS: usize = 4;
/// Largest noise of the training pictures, of a `[0, 1]` image.
const LARGEST_NOISE: f64 = 50.0 / 255.0;
/// Resolutions.
const LEVELS: usize = 4;

/// Shape of a DRUNet for colour pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrunetConfig {
    /// Channels of each resolution, finest first.
    pub widths: [usize; LEVELS],
    /// Residual blocks of each resolution, on the way down and on the way up.
    pub blocks: usize,
}

impl DrunetConfig {
    /// The published checkpoint `drunet_color.pth`.
    pub const fn color() -> Self {
        Self { widths: [64, 128, 256, 512], blocks: 4 }
    }
}

/// The network of a checkpoint, if it is a DRUNet.
///
/// # Errors
/// Networks for grey pictures or for blocks of JPEG, and checkpoints that lack the tensors that tell the shape.
pub(super) fn recognise(checkpoint: &Checkpoint, _: Option<AdmOptions>) -> Result<Option<Box<dyn Shape>>> {
    if !(checkpoint.contains("m_head.weight") && checkpoint.contains("m_tail.weight")) {
        return Ok(None);
    }
    let [finest, inputs, ..] = checkpoint.shape::<4>("m_head.weight")?;
    if inputs != INPUTS {
        let fact = format!(
            "it is a DRUNet of {inputs} input channels, and only the one for colour pictures does not need another input \
             than a prior has"
        );
        return Err(Checkpoint::refusal(checkpoint.path(), fact));
    }
    let block = |i: usize| format!("m_body.{i}.res.0.weight");
    let blocks = (0..).take_while(|&i| checkpoint.contains(&block(i))).count();
    let mut widths = [finest; LEVELS];
    for (level, width) in widths.iter_mut().enumerate().skip(1) {
        *width = checkpoint.shape::<4>(&format!("m_down{level}.{blocks}.weight"))?[0];
    }
    Ok(Some(Box::new(DrunetConfig { widths, blocks })))
}

impl Shape for DrunetConfig {
    fn describe(&self) -> String {
        let Self { widths, blocks } = self;
        let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
        let largest = LARGEST_NOISE * 255.0;
        format!("DRUNet: {} channels, {blocks} blocks a level, for noise up to {largest:.0}/255", widths.join(" "))
    }

    fn published(&self) -> Option<Published> {
        (*self == Self::color()).then_some(Published { title: "DPIR's denoiser of colour pictures", side: 128 })
    }

    fn load(&self, _class: Option<usize>, weights: &mut Weights) -> Result<Box<dyn Network>> {
        Ok(Box::new(Drunet::build(self, weights)?))
    }
}

/// A DRUNet. No convolution has a bias, so that a picture and its noise may be scaled together.
struct Drunet {
    head: Conv,
    /// Finest first.
    down: Vec<(Vec<Residual>, Halving)>,
    body: Vec<Residual>,
    /// Coarsest first.
    up: Vec<(Doubling, Vec<Residual>)>,
    tail: Conv,
    config: DrunetConfig,
    weights: u64,
}

impl Drunet {
    fn build(config: &DrunetConfig, weights: &mut Weights) -> Result<Self> {
        let DrunetConfig { widths, blocks } = config.clone();
        let residuals = |weights: &mut Weights, name: &str, first: usize, width: usize| -> Result<Vec<Residual>> {
            (first..first + blocks).map(|i| Residual::load(weights, &format!("{name}.{i}"), width)).collect()
        };
        let head = weights.conv_without_bias("m_head", INPUTS, widths[0], 3)?;
        let mut down = Vec::new();
        for level in 1..LEVELS {
            let name = format!("m_down{level}");
            let (fine, coarse) = (widths[level - 1], widths[level]);
            let same = residuals(weights, &name, 0, fine)?;
            down.push((same, Halving(weights.blocks(&format!("{name}.{blocks}"), coarse, fine)?)));
        }
        let body = residuals(weights, "m_body", 0, widths[LEVELS - 1])?;
        let mut up = Vec::new();
        for level in (1..LEVELS).rev() {
            let name = format!("m_up{level}");
            let (fine, coarse) = (widths[level - 1], widths[level]);
            let doubling = Doubling(weights.blocks(&format!("{name}.0"), coarse, fine)?);
            up.push((doubling, residuals(weights, &name, 1, fine)?));
        }
        let tail = weights.conv_without_bias("m_tail", widths[0], 3, 3)?;
        Ok(Self { head, down, body, up, tail, config: config.clone(), weights: weights.bytes() })
    }

    /// The picture in `[0, 1]` without its noise of standard deviation `sigma`.
    fn denoise(&self, u: Tensor<4>, sigma: f64) -> Tensor<4> {
        let map = u.clone().narrow(1, 0, 1).zeros_like() + sigma;
        let run = |blocks: &[Residual], h: Tensor<4>| blocks.iter().fold(h, |h, block| block.forward(h));
        let mut h = self.head.forward(concatenate(u, map));
        let mut skips = Vec::new();
        for (same, halving) in &self.down {
            skips.push(h.clone());
            h = halving.forward(run(same, h));
        }
        skips.push(h.clone());
        h = run(&self.body, h);
        for (doubling, same) in &self.up {
            let skip = skips.pop().expect("a skip for each resolution");
            h = run(same, doubling.forward(h + skip));
        }
        self.tail.forward(h + skips.pop().expect("the skip of the finest resolution"))
    }
}

impl Denoiser for Drunet {
    fn predict_noise(&self, x_t: Tensor<4>, call: &Call) -> Result<Tensor<4>> {
        let (scale, noise) = (call.a.sqrt(), (1.0 - call.a).sqrt());
        let u = (x_t.clone() / scale + 1.0) / 2.0;
        let x0 = self.denoise(u, noise / scale / 2.0) * 2.0 - 1.0;
        Ok((x_t - x0 * scale) / noise)
    }
}

impl Network for Drunet {
    fn multiple(&self) -> usize {
        1 << (LEVELS - 1)
    }

    fn largest_noise(&self) -> f64 {
        2.0 * LARGEST_NOISE
    }

    fn footprint(&self) -> Footprint {
        let [channels, ..] = self.config.widths;
        Footprint { patch: 1, channels, widest: channels, attention: None, weights: self.weights }
    }
}

/// `x + conv(relu(conv(x)))`.
struct Residual([Conv; 2]);

impl Residual {
    fn load(weights: &mut Weights, name: &str, width: usize) -> Result<Self> {
        let mut conv = |i: usize| weights.conv_without_bias(&format!("{name}.res.{i}"), width, width, 3);
        Ok(Self([conv(0)?, conv(2)?]))
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = relu(self.0[0].forward(x.clone()));
        self.0[1].forward_residual(h, x)
    }
}

/// A convolution by 2x2 taps at every second pixel: a matrix `[outputs, 4 inputs]` on blocks of 2x2 pixels.
struct Halving(Parameter<2>);

impl Halving {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        multiplied(self.0.value(), space_to_depth(x, 2))
    }
}

/// Its transpose, a matrix `[4 outputs, inputs]` into blocks of 2x2 pixels.
struct Doubling(Parameter<2>);

impl Doubling {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        depth_to_space(multiplied(self.0.value().transpose(), x), 2)
    }
}

/// A matrix times the channels of every pixel.
fn multiplied(matrix: Tensor<2>, x: Tensor<4>) -> Tensor<4> {
    let ([b, c, h, w], [outputs, _]) = (x.dims(), matrix.dims());
    matrix.unsqueeze::<3>().matmul(x.reshape([b, c, h * w])).reshape([b, outputs, h, w])
}

impl Weights<'_> {
    /// A tensor `[rows, columns, 2, 2]`, as a matrix `[rows, 4 columns]`.
    fn blocks(&mut self, name: &str, rows: usize, columns: usize) -> Result<Parameter<2>> {
        let weight = format!("{name}.weight");
        let values = self.values(weight.clone(), &[rows, columns, 2, 2])?;
        self.parameter(&weight, values, [rows, 4 * columns])
    }
}
