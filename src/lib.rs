//! fdgr restores degraded photographs with a pretrained diffusion prior and no training for the task.
//!
//! Data flows one way: [`picture`] -> [`degradation`] -> [`sampler`] (with a [`prior`], an operator and a [`regularizer`])
//! -> picture and [`metrics`]. [`restore`] alone chooses implementations; [`experiment`] runs it over sets of pictures, and the
//! command line is a thin shell over both. Weights come from files through [`model`].
//!
//! Symbols, as in the papers: `x0` a clean image in `[-1, 1]`, `y` its measurement, `A` the degradation, `sigma_y` the
//! standard deviation of the measurement's noise, `x_t` the noisy state at time `t`, `eps` its noise, `a` the cumulative
//! product of `1 - beta` at `t` and `a'` at the next time, `eta` the regularisation of an inverse.

pub mod cli;
pub mod degradation;
pub mod device;
pub mod error;
pub mod experiment;
pub mod kernel;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod noise;
pub mod picture;
pub mod prior;
pub mod recipe;
pub mod regularizer;
pub mod restore;
pub mod sampler;

pub use error::{Error, Result};
