// Patch matrix of a direct convolution: taps and channels by positions ("im2col").
//
//   dispatch     one thread per element of the matrix
//   x            [batch, inputs, height, width]
//   patches      [taps * taps * inputs, columns]; column c is position `first + c` of [batch, out_height, out_width], and 0
//                from `positions` on
//   matches      kernel::convolution::reference, together with pad_weights.wgsl, multiply.wgsl and epilogue.wgsl

struct Parameters {
    threads: u32,
    columns: u32,
    first: u32,
    positions: u32,
    inputs: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    taps: u32,
    stride: u32,
    padding: u32,
    // 1 if x is doubled first by nearest-neighbour upsampling, else 0.
    doubled: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> patches: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let position = parameters.first + thread % parameters.columns;
    let row = thread / parameters.columns;
    let channel = row % parameters.inputs;
    let tap = row / parameters.inputs;
    let pixel = position % (parameters.out_height * parameters.out_width);
    let image = position / (parameters.out_height * parameters.out_width);
    let y = pixel / parameters.out_width * parameters.stride + tap / parameters.taps;
    let x_at = pixel % parameters.out_width * parameters.stride + tap % parameters.taps;
    // A negative difference wraps to a number that is out of range.
    let source_y = (y - parameters.padding) >> parameters.doubled;
    let source_x = (x_at - parameters.padding) >> parameters.doubled;
    var value = 0.0;
    if position < parameters.positions && source_y < parameters.height && source_x < parameters.width {
        value = x[((image * parameters.inputs + channel) * parameters.height + source_y) * parameters.width + source_x];
    }
    patches[thread] = value;
}
