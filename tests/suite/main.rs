//! The whole suite in one program, so that the libraries are linked once.

mod cli;
mod golden;
mod laws;
mod parity;
mod pictures;
mod shaders;
mod support;
