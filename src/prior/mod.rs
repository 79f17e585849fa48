//! Diffusion priors: networks that predict the noise in a picture.
//!
//! A file becomes a prior in three steps: a [`Checkpoint`] knows its tensors, an [`Architecture`] is recognised by their names
//! and shapes, and its network reads them one by one onto a device. A new network is one file and one variant of
//! [`Architecture`].

mod adm;
mod architecture;
mod classes;
mod classifier;
mod ddpm;
mod diffusers;
mod layers;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::{Checkpoint, ModelFolder, Subject, catalog};
use burn::tensor::{Device, Int, Tensor, TensorData};

pub use crate::model::EMBEDDED;
pub use adm::{AdmConfig, AdmOptions, AdmUnet};
pub use architecture::Architecture;
pub use classes::{find as find_class, name as class_name};
pub use classifier::{Classifier, ClassifierConfig};
pub use ddpm::{DdpmConfig, DdpmUnet};
pub use layers::Precision;

static EMBEDDED_FILE: &[u8] = include_bytes!("../../assets/prior/photo.safetensors");

/// `v` to `Jᵀ v` with `J` the derivative of a predicted noise by the state it was predicted from, all `[b, c, h, w]`.
pub type PullBack<'a> = Box<dyn FnOnce(Tensor<4>) -> Tensor<4> + 'a>;

/// Predicts the noise in `x_t = sqrt(a) x0 + sqrt(1 - a) eps`.
pub trait Denoiser {
    /// `eps` of `x_t` `[b, c, h, w]` at time `t` of the training schedule, of the same shape.
    fn predict_noise(&self, x_t: Tensor<4>, t: usize) -> Tensor<4>;

    /// The same, and its derivative by `x_t` through automatic differentiation, which keeps every feature map meanwhile.
    fn differentiate(&self, x_t: Tensor<4>, t: usize) -> (Tensor<4>, PullBack<'_>) {
        let x_t = x_t.autodiff().require_grad();
        let eps = self.predict_noise(x_t.clone(), t);
        let value = eps.clone().inner();
        let pull_back = move |v: Tensor<4>| {
            // A product with constants, so that its gradient by eps is v.
            let gradients = (eps * v.autodiff()).sum().backward();
            x_t.grad(&gradients).expect("the noise depends on the state")
        };
        (value, Box::new(pull_back))
    }
}

/// A classifier of noisy pictures.
pub trait ClassGradient {
    /// Gradient of `log p(class | x_t, t)` by `x_t` `[b, c, h, w]`, of the same shape.
    fn gradient(&self, x_t: Tensor<4>, t: usize, class: usize) -> Tensor<4>;
}

/// A denoiser that says what it needs.
trait Network: Denoiser {
    /// Height and width must be multiples of this.
    fn multiple(&self) -> usize;
    fn footprint(&self) -> layers::Footprint;
}

/// A checkpoint that was found and recognised, not yet loaded.
pub struct PriorFile {
    name: String,
    checkpoint: Checkpoint,
    architecture: Architecture,
    subject: Option<Subject>,
    assumed_heads: bool,
}

impl PriorFile {
    /// The prior or classifier named `model`: [`EMBEDDED`], one in the model folder, or a file or folder.
    ///
    /// # Errors
    /// Names that mean nothing, files that cannot be read, and checkpoints of no known architecture.
    pub fn find(model: &str) -> Result<Self> {
        if model == EMBEDDED {
            let mut embedded = Self::recognise(EMBEDDED, Checkpoint::embedded(EMBEDDED, EMBEDDED_FILE)?, None)?;
            embedded.subject = Some(Subject::Photos);
            return Ok(embedded);
        }
        let path = Path::new(model);
        if path.exists() {
            return Self::open(path);
        }
        let folder = ModelFolder::open()?;
        if let Some(installed) = folder.find(model)? {
            let mut file = Self::open(&installed.path())?;
            file.name = model.into();
            file.subject = installed.record.subject;
            return Ok(file);
        }
        let known = catalog()?.into_iter().find(|known| known.name == model);
        Err(Error::Checkpoint {
            path: path.into(),
            fact: match &known {
                Some(known) => format!("it is known ({}), but not installed", known.title),
                None => "there is no such file, and no installed model of that name".into(),
            },
            remedy: match &known {
                Some(_) => format!(
                    "`fdgr models pull {model}` fetches it, `fdgr models add FILE --name {model}` takes a file you have"
                ),
                None => "`fdgr models list` shows what there is".into(),
            },
        })
    }

    /// The network of a file, or of a folder in the form of diffusers.
    ///
    /// # Errors
    /// As [`PriorFile::find`].
    pub fn open(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { diffusers::weights_file(path)? } else { path.to_owned() };
        Self::recognise(&path.display().to_string(), Checkpoint::open(&file)?, None)
    }

    /// The same with options that the shapes do not show, instead of those in a JSON file beside it.
    ///
    /// # Errors
    /// As [`PriorFile::find`].
    pub fn open_with(path: &Path, options: AdmOptions) -> Result<Self> {
        Self::recognise(&path.display().to_string(), Checkpoint::open(path)?, Some(options))
    }

    fn recognise(name: &str, checkpoint: Checkpoint, options: Option<AdmOptions>) -> Result<Self> {
        let checkpoint = if diffusers::is_diffusers(&checkpoint) {
            diffusers::check_beside(checkpoint.path())?;
            diffusers::as_ddpm(checkpoint)
        } else {
            checkpoint
        };
        let options = options.map_or_else(|| options_beside(&checkpoint), Ok)?;
        let architecture = Architecture::recognise(&checkpoint, options)?;
        let assumed_heads = options.assumed() && !matches!(architecture, Architecture::Ddpm(_));
        Ok(Self { name: name.into(), checkpoint, architecture, subject: None, assumed_heads })
    }

    /// The name it was found by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The weights file at `path`, of a network that can be used and lacks nothing: what installs a prior.
    ///
    /// # Errors
    /// As [`PriorFile::find`], and files that lack tensors.
    pub fn examine(path: &Path) -> Result<PathBuf> {
        let found = Self::open(path)?;
        found.architecture.compare(&found.checkpoint).check(&found.checkpoint)?;
        Ok(found.checkpoint.path().into())
    }

    /// Its tensors.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Its network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Whether the number of attention heads is that of the published checkpoints because nothing says it.
    pub fn assumed_heads(&self) -> bool {
        self.assumed_heads
    }

    /// f32 where that leaves half of `memory` bytes for the step, else f16.
    pub fn fitting_precision(&self, memory: u64) -> Precision {
        let full = self.architecture.parameters() as u64 * Precision::F32.bytes();
        if full <= memory / 2 { Precision::F32 } else { Precision::F16 }
    }

    /// Reads the denoiser onto a device, tensor by tensor. `class` is needed where the network has classes, and only there.
    ///
    /// # Errors
    /// Tensors that are missing, mis-shaped or not finite, and classes that do not fit.
    pub fn load(self, precision: Precision, class: Option<usize>, device: &Device) -> Result<Prior> {
        let Self { name, checkpoint, architecture, subject, .. } = self;
        let conditional = !matches!(architecture, Architecture::Classifier(_)) && architecture.classes().is_some();
        if conditional && class.is_none() {
            return Err(Error::Checkpoint {
                path: checkpoint.path().into(),
                fact: "it is conditional on a class".into(),
                remedy: "add for example --class 207 or --class \"golden retriever\"".into(),
            });
        }
        let network = architecture.load(&checkpoint, class, precision, device)?;
        let sha256 = checkpoint.sha256()?;
        let (parameters, origin) = (architecture.parameters(), checkpoint.origin().map(str::to_owned));
        let side = architecture.published_side();
        Ok(Prior { network, name, sha256, parameters, origin, precision, subject, side, conditional })
    }

    /// Reads the classifier onto a device.
    ///
    /// # Errors
    /// As [`PriorFile::load`], and networks that are none.
    pub fn load_classifier(self, device: &Device) -> Result<(Classifier, String)> {
        if !matches!(self.architecture, Architecture::Classifier(_)) {
            return Err(Checkpoint::refusal(self.checkpoint.path(), "it is no classifier".into()));
        }
        self.architecture.compare(&self.checkpoint).check(&self.checkpoint)?;
        let options = options_beside(&self.checkpoint)?;
        Ok((Classifier::load(&self.checkpoint, options, device)?, self.checkpoint.sha256()?))
    }
}

/// What a JSON file beside a guided-diffusion checkpoint says: `NAME.json` or `config.json`, with guided-diffusion's flags.
fn options_beside(checkpoint: &Checkpoint) -> Result<AdmOptions> {
    let parse = |text: &str, path: &Path| {
        serde_json::from_str(text)
            .map_err(|e| Checkpoint::refusal(path, format!("its configuration does not fit ({e})")))
    };
    // Other networks show everything, whatever stands beside them.
    if !checkpoint.names().any(|name| name.starts_with("input_blocks.")) {
        return Ok(AdmOptions::default());
    }
    if let Some(text) = checkpoint.metadata("config") {
        return parse(text, checkpoint.path());
    }
    let beside: [PathBuf; 2] =
        [checkpoint.path().with_extension("json"), checkpoint.path().with_file_name("config.json")];
    let found = beside.iter().find_map(|path| Some((path, std::fs::read_to_string(path).ok()?)));
    found.map_or_else(|| Ok(AdmOptions::default()), |(path, text)| parse(&text, path))
}

/// A denoiser and where it came from.
pub struct Prior {
    network: Box<dyn Network>,
    name: String,
    sha256: String,
    parameters: usize,
    origin: Option<String>,
    precision: Precision,
    subject: Option<Subject>,
    side: Option<usize>,
    conditional: bool,
}

impl Prior {
    /// The prior named `model`, in f32.
    ///
    /// # Errors
    /// As [`PriorFile::find`] and [`PriorFile::load`].
    pub fn open(model: &str, device: &Device) -> Result<Self> {
        PriorFile::find(model)?.load(Precision::F32, None, device)
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Which of several dictionaries in the file its weights are from, such as moving averages.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// How its weights are kept.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What it was trained on, where that is known.
    pub fn subject(&self) -> Option<Subject> {
        self.subject
    }

    /// Side of the pictures it was trained on, where its shape is that of a published network.
    pub fn published_side(&self) -> Option<usize> {
        self.side
    }

    /// Whether it was trained with classes.
    pub fn is_conditional(&self) -> bool {
        self.conditional
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
}

impl Denoiser for Prior {
    /// Pictures of any size: they are extended by reflection to the multiple the network needs, and cropped again.
    fn predict_noise(&self, x_t: Tensor<4>, t: usize) -> Tensor<4> {
        let [b, c, h, w] = x_t.dims();
        let multiple = self.network.multiple();
        let (height, width) = (h.next_multiple_of(multiple), w.next_multiple_of(multiple));
        if (height, width) == (h, w) {
            return self.network.predict_noise(x_t, t);
        }
        let extended = extend(extend(x_t, 2, height), 3, width);
        self.network.predict_noise(extended, t).slice([0..b, 0..c, 0..h, 0..w])
    }
}

/// Mirrors `x` behind its end along `axis` until it is `length` long.
fn extend(x: Tensor<4>, axis: usize, length: usize) -> Tensor<4> {
    let n = x.dims()[axis];
    if n == length {
        return x;
    }
    let fold = |i: usize| (i % (2 * n)).min(2 * n - 1 - i % (2 * n)) as i32;
    let indices: Vec<i32> = (0..length).map(fold).collect();
    let device = x.device();
    x.select(axis, Tensor::<1, Int>::from_data(TensorData::from(indices.as_slice()), &device))
}
