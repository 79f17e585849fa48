// Pixels of a direct convolution from its products: the bias, and the residual if there is one, are added.
//
//   dispatch     one thread per output and column
//   products     [rows, columns], `rows` at least `outputs`
//   bias         [outputs]
//   residual     of the shape of `convolved`; bound by residual/added.wgsl only
//   convolved    [batch, outputs, plane]; column c is position `first + c` of [batch, plane], unused from `positions` on
//   matches      kernel::convolution::reference, together with im2col.wgsl, pad_weights.wgsl and multiply.wgsl

struct Parameters {
    threads: u32,
    columns: u32,
    first: u32,
    positions: u32,
    outputs: u32,
    plane: u32,
}

fn element(thread: u32) {
    let position = parameters.first + thread % parameters.columns;
    let output = thread / parameters.columns;
    if position < parameters.positions {
        let image = position / parameters.plane;
        let at = (image * parameters.outputs + output) * parameters.plane + position % parameters.plane;
        convolved[at] = products[thread] + bias[output] + residual_at(at);
    }
}
