//! The table of all shaders. A shader is declared beside the code that launches it, as an implementation of
//! [`Shader`](super::shader::Shader), and listed by `shaders` of that file.

use super::shader::Entry;
use super::{attention, convolution, fft, gradient, half, matrix, normalization};

/// Every variant of every shader.
pub fn shaders() -> Vec<Entry> {
    [
        attention::shaders(),
        convolution::shaders(),
        fft::shaders(),
        gradient::shaders(),
        half::shaders(),
        matrix::shaders(),
        normalization::shaders(),
    ]
    .concat()
}
