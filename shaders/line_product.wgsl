// Product of every line with one table; lines are cut, or padded with zeros, to a new length on the way.
//
//   dispatch     one thread per element of the destination
//   source       lines of `length_in` complex numbers, or pairs of real lines (access/load_*.wgsl); `inner` as in
//                fft_radix.wgsl
//   table        table[offset + i], shared by all lines, conjugated if CONJUGATE
//   destination  lines of `length_out`, complex or pairs: source * table * scale, 0 from `length_in` on
//   constants    CONJUGATE
//   matches      kernel::fft::filter_reference, as the product with the transfer function (a plane is one line there), and
//                kernel::fft::reference, as the chirps of Bluestein's transform

struct Parameters {
    threads: u32,
    length_in: u32,
    length_out: u32,
    inner: u32,
    offset: u32,
    scale: f32,
    lines: u32,     // number of real lines; `stride` is the distance of adjacent elements of one
    stride: u32,
}

@group(0) @binding(0) var<storage, read_write> source: array<Source>;
@group(0) @binding(1) var<storage, read_write> table: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> destination: array<Destination>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let inner = parameters.inner;
    let row = thread / inner;
    let i = row % parameters.length_out;
    let outer = row / parameters.length_out;
    let pair = outer * inner + thread % inner;
    var product = vec2(0.0);
    if i < parameters.length_in {
        let from_ = (outer * parameters.length_in + i) * inner + thread % inner;
        let factor = conjugate_if(CONJUGATE, table[parameters.offset + i]) * parameters.scale;
        product = multiply(load(from_, pair, i, parameters.length_in), factor);
    }
    store(thread, pair, i, parameters.length_out, product);
}
