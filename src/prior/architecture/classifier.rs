//! guided-diffusion's classifier of noisy pictures, whose gradient guides a prior towards a class.

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::{log_softmax, silu},
};

use super::adm::{ASSUMED_HEADS, AdmConfig, AdmOptions, Trunk, split_attention};
use crate::control::{Control, Silent, check};
use crate::error::Result;
use crate::model::Checkpoint;
use crate::prior::denoiser::{Call, ClassGradient, Network};
use crate::prior::layers::{Linear, Norm};
use crate::prior::shape::Shape;
use crate::prior::weights::{Precision, Weights};

const EPSILON: f32 = 1e-5;

/// Shape of a classifier with attention pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassifierConfig {
    trunk: AdmConfig,
    /// Number of classes.
    pub classes: usize,
    /// Positions of the coarsest level, one more for their mean.
    positions: usize,
    pool_heads: usize,
}

impl ClassifierConfig {
    /// Reads the shape off a checkpoint's names and shapes.
    ///
    /// # Errors
    /// Checkpoints that lack the tensors that tell, and other poolings than attention.
    pub fn recognise(checkpoint: &Checkpoint, options: AdmOptions) -> Result<Self> {
        let trunk = AdmConfig::trunk(checkpoint, options)?;
        let [_, positions] = checkpoint.shape::<2>("out.2.positional_embedding")?;
        let [classes, width, _] = checkpoint.shape::<3>("out.2.c_proj.weight")?;
        // The pooling has heads of num_head_channels, whatever num_heads is.
        let channels = options.num_head_channels.and_then(|n| usize::try_from(n).ok()).unwrap_or(64).max(1);
        let pool_heads = (width / channels).max(1);
        if positions < 2 || (positions - 1).isqrt().pow(2) != positions - 1 || !width.is_multiple_of(pool_heads) {
            let fact =
                format!("its pooling of {positions} positions of {width} channels by {pool_heads} heads does not fit");
            return Err(Checkpoint::refusal(checkpoint.path(), fact));
        }
        Ok(Self { trunk, classes, positions, pool_heads })
    }

    /// Pixels a side of the pictures it takes.
    pub fn side(&self) -> usize {
        (self.positions - 1).isqrt() * self.trunk.coarsest()
    }

    /// Shape of the trunk.
    pub fn trunk(&self) -> &AdmConfig {
        &self.trunk
    }
}

/// The classifier of a checkpoint, if it is one of guided-diffusion.
///
/// # Errors
/// As [`ClassifierConfig::recognise`], and configurations beside the file that do not fit.
pub(super) fn recognise(checkpoint: &Checkpoint, options: Option<AdmOptions>) -> Result<Option<Box<dyn Shape>>> {
    let has = |start: &str| checkpoint.names().any(|name| name.starts_with(start));
    if has("output_blocks.") || !has("input_blocks.") || !has("out.2.") {
        return Ok(None);
    }
    let options = options.map_or_else(|| AdmOptions::beside(checkpoint), Ok)?;
    Ok(Some(Box::new(ClassifierConfig::recognise(checkpoint, options)?)))
}

impl Shape for ClassifierConfig {
    fn describe(&self) -> String {
        let (classes, side, trunk) = (self.classes, self.side(), self.trunk.describe_shape());
        format!("guided-diffusion classifier of {classes} classes at {side}x{side}: {trunk}")
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }

    fn assumption(&self) -> Option<&'static str> {
        self.trunk.options.assumed().then_some(ASSUMED_HEADS)
    }

    fn is_classifier(&self) -> bool {
        true
    }

    fn ask(&self, weights: &mut Weights) -> Result<()> {
        Classifier::build(self, weights).map(drop)
    }

    fn load(&self, _class: Option<usize>, weights: &mut Weights) -> Result<Box<dyn Network>> {
        let path = weights.path().unwrap_or_else(|| "the classifier".as_ref());
        Err(Checkpoint::refusal(path, "it is a classifier, and predicts no noise".into()))
    }
}

/// `log p(class | x_t, t)`.
pub struct Classifier {
    trunk: Trunk,
    norm_out: Norm,
    positions: Tensor<2>,
    mixed: Linear,
    out: Linear,
    config: ClassifierConfig,
}

impl Classifier {
    fn build(config: &ClassifierConfig, weights: &mut Weights) -> Result<Self> {
        let (trunk, _) = Trunk::load(&config.trunk, weights)?;
        let width = config.trunk.widths.last().copied().unwrap_or_default();
        Ok(Self {
            trunk,
            norm_out: weights.norm("out.0", width, EPSILON)?,
            positions: weights.tensor("out.2.positional_embedding".into(), [width, config.positions])?,
            mixed: weights.projection("out.2.qkv_proj", width, 3 * width, 3)?,
            out: weights.projection("out.2.c_proj", width, config.classes, 3)?,
            config: config.clone(),
        })
    }

    /// Reads the classifier of a checkpoint.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, by name.
    pub fn load(checkpoint: &Checkpoint, options: AdmOptions, device: &Device) -> Result<Self> {
        Self::load_with(checkpoint, options, device, &Silent)
    }

    /// The same; `control` hears of every tensor and may cancel.
    pub(in crate::prior) fn load_with(
        checkpoint: &Checkpoint,
        options: AdmOptions,
        device: &Device,
        control: &dyn Control,
    ) -> Result<Self> {
        let config = ClassifierConfig::recognise(checkpoint, options)?;
        let all = Weights::parameters(|weights| config.ask(weights));
        Self::build(&config, &mut Weights::load(checkpoint, device, Precision::F32, all, control))
    }

    /// Its shape.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Logits `[b, classes]` of pictures `[b, 3, h, w]` of its own size at time `t`.
    pub fn logits(&self, x_t: Tensor<4>, t: usize) -> Tensor<2> {
        let time = silu(self.trunk.embed(t, &x_t.device().inner()));
        let h = self.trunk.input.iter().fold(x_t, |h, block| block.forward(h, &time));
        let h = self.norm_out.activated(self.trunk.middle.forward(h, &time));
        let [b, c, height, width] = h.dims();
        let columns = h.reshape([b, c, height * width]);
        let columns = Tensor::cat(vec![columns.clone().mean_dim(2), columns], 2) + self.positions.clone().unsqueeze();
        let pooled = self.out.columns(split_attention(self.mixed.columns(columns), self.config.pool_heads, true));
        pooled.narrow(2, 0, 1).squeeze_dim(2)
    }
}

impl ClassGradient for Classifier {
    fn gradient(&self, x_t: Tensor<4>, class: usize, call: &Call) -> Result<Tensor<4>> {
        check(call.control, || "while the classifier was evaluated".into())?;
        let [b, ..] = x_t.dims();
        let x = x_t.clone().autodiff().require_grad();
        let log_probabilities = log_softmax(self.logits(x.clone(), call.t), 1);
        let mask: Vec<f32> = (0..self.config.classes).map(|i| f32::from(u8::from(i == class))).collect();
        let mask = Tensor::<2>::from_data(TensorData::new(mask, [1, self.config.classes]), &x_t.device());
        let chosen = (log_probabilities * mask.repeat_dim(0, b)).sum();
        let gradients = chosen.backward();
        Ok(x.grad(&gradients).expect("the sum depends on x"))
    }
}
