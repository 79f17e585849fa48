// One Stockham pass of radix RADIX over many lines at once (decimation in time, self-sorting).
//
//   dispatch     one thread per butterfly: lines * length / RADIX
//   source       complex lines, or pairs of real lines in the first pass (access/load_*.wgsl)
//   table        table[k] = exp(-2 pi i k / length)
//   destination  complex lines, or pairs of real lines in the last pass (access/store_*.wgsl)
//   constants    RADIX, INVERSE; `butterfly` is the file of butterfly/ for RADIX
//   matches      kernel::fft::reference, after all passes over both axes
//
// Element i of a complex line is at `outer * length * inner + i * inner + (line mod inner)`; `inner` is 1 along rows, and the
// number of adjacent lines along columns.

struct Parameters {
    threads: u32,
    length: u32,
    inner: u32,
    span: u32,      // product of the radices already done
    scale: f32,     // 1, or 1 / length in the last pass of an inverse
    lines: u32,     // number of real lines; `stride` is the distance of adjacent elements of one
    stride: u32,
}

@group(0) @binding(0) var<storage, read_write> source: array<Source>;
@group(0) @binding(1) var<storage, read_write> table: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> destination: array<Destination>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn root(k: u32) -> vec2<f32> {
    return conjugate_if(INVERSE, table[k]);
}

// Multiplication by -i, or by i in the inverse direction.
fn quarter_turn(a: vec2<f32>) -> vec2<f32> {
    return select(vec2(a.y, -a.x), vec2(-a.y, a.x), INVERSE);
}

fn dft4(a: vec2<f32>, b: vec2<f32>, c: vec2<f32>, d: vec2<f32>) -> array<vec2<f32>, 4> {
    let even = a + c;
    let odd = quarter_turn(b - d);
    let cross = a - c;
    let sum = b + d;
    return array<vec2<f32>, 4>(even + sum, cross + odd, even - sum, cross - odd);
}

fn element(thread: u32) {
    let length = parameters.length;
    let inner = parameters.inner;
    let span = parameters.span;
    let butterflies = length / RADIX;
    let row = thread / inner;
    let j = row % butterflies;
    let outer = row / butterflies;
    let base = outer * length * inner + thread % inner;
    let pair = outer * inner + thread % inner;

    let k = j % span;
    let turn = k * (butterflies / span);
    var v: array<vec2<f32>, RADIX>;
    for (var r = 0u; r < RADIX; r++) {
        let i = j + r * butterflies;
        v[r] = multiply(load(base + i * inner, pair, i, length), root(turn * r));
    }
    v = butterfly(v, length);
    let first = (j / span) * span * RADIX + k;
    for (var r = 0u; r < RADIX; r++) {
        let i = first + r * span;
        store(base + i * inner, pair, i, length, v[r] * parameters.scale);
    }
}
