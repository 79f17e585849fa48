// Gradient or negative divergence in the frequency domain, both axes in one complex product.
//
//   dispatch     one thread per frequency
//   source, destination   spectra, planes of HEIGHT x WIDTH complex numbers
//   gradient     X -> 2 pi i (fx + i fy) X: the inverse transform of it is du/dx + i du/dy of a real u
//   DIVERGENCE   P -> -2 pi i (fx - i fy) P: the real part of its inverse transform is -(d Re p/dx + d Im p/dy)
//   matches      kernel::gradient::spectral_derivative
//
// f are the frequencies of `fftfreq`, cycles a pixel. The Nyquist frequency of an even side counts as 0: its derivative
// is purely imaginary in space, where only the real part is meant, and the two axes share one complex number here.

struct Parameters {
    threads: u32,
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<storage, read_write> source: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> destination: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

const TAU: f32 = 6.283185307179586;

fn frequency(index: u32, length: u32) -> f32 {
    if 2u * index == length {
        return 0.0;
    }
    return f32(select(i32(index), i32(index) - i32(length), 2u * index > length)) / f32(length);
}

fn element(thread: u32) {
    let fx = TAU * frequency(thread % parameters.width, parameters.width);
    let fy = TAU * frequency((thread / parameters.width) % parameters.height, parameters.height);
    // i (fx + i fy) = -fy + i fx;  -i (fx - i fy) = -fy - i fx
    let factor = vec2(-fy, select(fx, -fx, DIVERGENCE));
    destination[thread] = multiply(source[thread], factor);
}
