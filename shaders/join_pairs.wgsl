// Spectra of the complex lines that pairs of real lines are packed into, from the half spectra of the real lines:
// Z[k] = X[k] + i Y[k], and the conjugates at -k. Imaginary parts of frequencies that are their own conjugates are dropped, as
// a real line has none.
//
//   dispatch     one thread per frequency of a pair: pairs * half
//   source       half spectra of `lines` real lines, each `half_` long; the last of an odd number is paired with itself
//   destination  spectra of complex lines, each `width` long
//   matches      kernel::fft::inverse_reference, between the columns and the rows

struct Parameters {
    threads: u32,
    width: u32,
    half_: u32,
    lines: u32,
}

@group(0) @binding(0) var<storage, read_write> source: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> destination: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let width = parameters.width;
    let pair = thread / parameters.half_;
    let k = thread % parameters.half_;
    let x = source[2u * pair * parameters.half_ + k];
    let y = source[min(2u * pair + 1u, parameters.lines - 1u) * parameters.half_ + k];
    if k == 0u || 2u * k == width {
        destination[pair * width + k] = vec2(x.x, y.x);
    } else {
        destination[pair * width + k] = vec2(x.x - y.y, x.y + y.x);
        destination[pair * width + width - k] = vec2(x.x + y.y, y.x - x.y);
    }
}
