// Half spectra of pairs of real lines, from the spectrum Z of the complex line that the pair is packed into:
//   X[k] = (Z[k] + conj(Z[-k])) / 2 of the first, (Z[k] - conj(Z[-k])) / 2i of the second
//
//   dispatch     one thread per frequency of a pair: pairs * half
//   source       spectra of complex lines, each `width` long
//   destination  half spectra of `lines` real lines, each `half_` long
//   matches      kernel::fft::reference, between the rows and the columns

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
    let here = source[pair * width + k];
    let mirrored = conjugate_if(true, source[pair * width + (width - k) % width]);
    let at = 2u * pair * parameters.half_ + k;
    destination[at] = 0.5 * (here + mirrored);
    if 2u * pair + 1u < parameters.lines {
        let difference = 0.5 * (here - mirrored);
        destination[at + parameters.half_] = vec2(difference.y, -difference.x);
    }
}
