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
//! [`model`]. [`control`] carries events and cancellation, [`error`] what went wrong; the command line parses, calls and
//! prints.
//!
//! Your own operator implements [`degradation::LinearOperator`] (two functions and two shapes; the inverse defaults to
//! conjugate gradients) and becomes a [`restore::Measurement::custom`]; your own network implements
//! [`prior::Denoiser`] and becomes a [`prior::Prior::custom`]; your own sampler implements [`sampler::Sampler`] and runs in a
//! [`sampler::Run`].
//!
//! # Symbols
//!
//! As in the papers: `x0` a clean image in `[-1, 1]`, `y` its measurement, `A` the degradation, `sigma_y` the standard
//! deviation of the measurement's noise in the same units, `x_t` the noisy state at time `t`, `eps` its noise, `a` the
//! cumulative product of `1 - beta` at `t` and `a'` at the next time, `eta` the regularisation of an inverse. `sigma` without
//! an index is the noise of an image in `[0, 1]`, as users give it: `sigma_y = 2 sigma`.

#[cfg(feature = "cli")]
pub mod cli;
pub mod control;
pub mod degradation;
pub mod device;
pub mod error;
pub mod estimate;
pub mod experiment;
pub mod files;
pub mod kernel;
pub mod metrics;
pub mod model;
pub mod noise;
pub mod parameter;
pub mod picture;
pub mod prior;
pub mod recipe;
pub mod regularizer;
pub mod restore;
pub mod sampler;

pub use error::{Error, Result};
