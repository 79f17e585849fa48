//! Part 2 of 3 of the weights of fdgr's built-in prior for photographs: a crate holds 10 MB at most, and the file 25 MB.
//!
//! The parts one after another are a safetensors file.

/// The part.
pub static PART: &[u8] = include_bytes!("part");
