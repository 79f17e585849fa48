//! fdgr restores degraded photographs with a pretrained diffusion prior and no training for the task.
//!
//! ```no_run
//! use fdgr::degradation::{Form, sr_bicubic::SrBicubic};
//! use fdgr::{control::Silent, device, restore::{PriorChoice, Request, Restorer, Source}};
//!
//! # fn main() -> fdgr::Result<()> {
//! let photo = Source::read("small.jpg".as_ref())?;
//! let restorer = Restorer::load(&PriorChoice::default(), device::open("auto")?, &Silent)?;
//! let request = Request::new(SrBicubic { scale: 4, form: Form::Svd });
//! let config = request.resolve(&photo, &Silent)?;
//! let restored = restorer.restore(&photo, &config, &Silent)?;
//! restored.picture.write("big.png".as_ref())?;
//! println!("{} evaluations of the network", restored.receipt.evaluations);
//! # Ok(())
//! # }
//! ```
//!
//! # Data flow
//!
//! ```text
//! Source -> Request (may hold Auto) -> resolve -> RestoreConfig (= recipe) -> Measurement -> sampler -> crop -> Restored
//! ```
//!
//! [`picture`] reads and writes photos, [`degradation`] knows what can happen to them, [`prior`] what photos look like,
//! [`sampler`] and [`regularizer`] how the two are brought together; [`restore`] alone chooses implementations.
//! [`experiment`] runs it over sets of pictures and measures the results with [`metrics`]. Weights come from files through
//! [`model`]. [`job`] takes a photo from its file to the restored file. [`control`] carries events and cancellation, [`error`]
//! what went wrong; the command line parses, calls and prints, the window shows and calls.
//!
//! # Your own operator, prior or sampler
//!
//! An operator implements [`degradation::LinearOperator`]: two functions and two shapes; the inverse defaults to conjugate
//! gradients.
//!
//! ```no_run
//! use fdgr::degradation::{LinearOperator, denoising::Denoising};
//! use fdgr::noise::{Seeded, Stream};
//! use fdgr::restore::{Measurement, Method, PriorChoice, RestoreConfig, Restorer};
//! use fdgr::{control::Silent, device, sampler::Data};
//! # use burn::tensor::Tensor;
//!
//! /// Light from the upper half of a picture reaches the lower half.
//! struct Reflection([usize; 2]);
//!
//! impl LinearOperator for Reflection {
//!     fn image_shape(&self) -> [usize; 3] { [3, self.0[0], self.0[1]] }
//!     fn measured_shape(&self) -> [usize; 3] { self.image_shape() }
//!     fn apply(&self, x: Tensor<4>) -> Tensor<4> { (x.clone() * 0.8) + x.flip([2]) * 0.2 }
//!     fn adjoint(&self, y: Tensor<4>) -> Tensor<4> { self.apply(y) }
//! }
//!
//! # fn main() -> fdgr::Result<()> {
//! # let y = Tensor::<4>::zeros([1, 3, 256, 256], &burn::tensor::Device::flex());
//! let restorer = Restorer::load(&PriorChoice::default(), device::open("auto")?, &Silent)?;
//! let measurement = Measurement::custom(Box::new(Reflection([256, 256])));
//! let config = RestoreConfig { method: Method::named("hqs")?, ..RestoreConfig::new(Denoising {}, 0.02) };
//! let mut noise = Seeded::new(0, Stream::Sampling);
//! let x = restorer.sample(&measurement, &Data::Exact(y), &config, &mut noise, &Silent)?;
//! # Ok(())
//! # }
//! ```
//!
//! A network implements [`prior::Denoiser`] and [`prior::Network`], and becomes a [`prior::Prior::custom`] for
//! [`restore::Restorer::with_prior`]; a sampler implements [`sampler::Sampler`], and runs in a [`sampler::Run`].
//!
//! # Symbols
//!
//! As in the papers: `x0` a clean image in `[-1, 1]`, `y` its measurement, `A` the degradation, `sigma_y` the standard
//! deviation of the measurement's noise in the same units, `x_t` the noisy state at time `t`, `eps` its noise, `a` the
//! cumulative product of `1 - beta` at `t` and `a'` at the next time, `eta` the regularisation of an inverse (in DDRM, DDNM and PiGDM the share of fresh noise). `sigma` without
//! an index is the noise of an image in `[0, 1]`, as users give it: `sigma_y = 2 sigma`.

pub mod bm3d;
#[cfg(feature = "cli")]
pub mod cli;
pub mod control;
mod cosine;
pub mod degradation;
pub mod device;
pub mod error;
pub mod estimate;
pub mod experiment;
pub mod files;
#[cfg(feature = "gui")]
pub mod gui;
pub mod job;
pub mod kernel;
pub mod metrics;
mod mirror;
pub mod model;
pub mod noise;
pub mod parameter;
pub mod picture;
pub mod prior;
pub mod psf;
pub mod recipe;
pub mod regularizer;
pub mod restore;
pub mod sampler;

pub use error::{Error, Result};
