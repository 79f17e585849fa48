//! The whole suite in one program, so that the libraries are linked once.

#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod checkpoints;
mod cli;
mod estimates;
mod experiments;
mod golden;
mod helps;
mod hostile;
mod laws;
mod layers;
mod methods;
mod metrics;
mod models;
mod old_photos;
mod parity;
mod pictures;
mod restorers;
mod shaders;
mod support;
#[cfg(feature = "gui")]
mod window;
