//! Experiments as in papers: degrade every picture of a set, restore it, and measure the result against the original.
//!
//! A [`Plan`] holds the reference's flags as plain values. A [`Driver`] carries it out: it loads the prior, runs an
//! [`Experiment`] and returns an [`Outcome`]; a [`Listener`] hears of everything that happens. A [`sweep::Sweep`] runs a plan
//! over values of parameters. All noise of a picture is a function of the settings and the picture's index in its set, so a
//! run may be stopped, resumed and split into shards without changing a pixel.

pub mod config;
pub mod dataset;
pub mod degradation;
mod driver;
pub mod evaluation;
mod event;
mod plan;
pub mod recipes;
pub mod report;
pub mod results;
mod runner;
mod settings;
mod shard;
pub mod statistics;
pub mod sweep;

pub use driver::{Driver, Outcome};
pub use event::{Event, Listener, Remark};
pub use plan::{Defaults, Plan, Resolved};
pub use runner::Experiment;
pub use settings::Settings;
pub use shard::Shard;
