// Inputs of a direct convolution, one matrix of taps and channels by positions ("im2col").
//
//   dispatch     one thread per element of the matrix
//   x            [batch, inputs, height, width]
//   gathered     [taps * taps * inputs, columns]; position `first + column` of [batch, out_height, out_width]
//   matches      kernel::convolution::specification, together with multiply.wgsl and scatter_pixels.wgsl

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
    // 1 where every pixel of x counts as 2 x 2, else 0.
    doubled: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> gathered: array<f32>;
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
    // Subtractions that would be negative wrap, and are outside then.
    let source_y = (y - parameters.padding) >> parameters.doubled;
    let source_x = (x_at - parameters.padding) >> parameters.doubled;
    var value = 0.0;
    if position < parameters.positions && source_y < parameters.height && source_x < parameters.width {
        value = x[((image * parameters.inputs + channel) * parameters.height + source_y) * parameters.width + source_x];
    }
    gathered[thread] = value;
}
