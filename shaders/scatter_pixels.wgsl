// The pixels of a direct convolution from its products.
//
//   dispatch     one thread per output and column
//   products     [rows, columns], `rows` at least `outputs`
//   bias         [outputs]
//   residual     as `convolved`, where RESIDUAL; added
//   convolved    [batch, outputs, plane]; position `first + column` of [batch, plane]
//   matches      kernel::convolution::specification, together with gather_taps.wgsl and multiply.wgsl

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
