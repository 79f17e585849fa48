// Winograd output transform of F(4x4, 3x3): pixels from the products at the 36 points; the bias, and the residual if there is
// one, are added.
//
//   dispatch     one thread per output and column
//   products     [36, rows, columns] of the outputs from `first_output` on
//   bias         [outputs]
//   residual     of the shape of `convolved`; bound by residual/added.wgsl only
//   convolved    [batch, outputs, height, width]; column c is tile `first + c` of [batch, down, across], unused from `tiles` on
//   matches      kernel::convolution::reference, together with weight_transform.wgsl, input_transform.wgsl and multiply.wgsl

struct Parameters {
    threads: u32,
    columns: u32,
    first: u32,
    tiles: u32,
    rows: u32,
    first_output: u32,
    outputs: u32,
    height: u32,
    width: u32,
    down: u32,
    across: u32,
}

fn element(thread: u32) {
    let tile = parameters.first + thread % parameters.columns;
    if tile >= parameters.tiles {
        return;
    }
    let output = parameters.first_output + thread / parameters.columns;
    let image = tile / (parameters.down * parameters.across);
    let y = tile / parameters.across % parameters.down * 4u;
    let x = tile % parameters.across * 4u;
    var half: array<array<f32, 6>, 4>;
    for (var row = 0u; row < 6u; row++) {
        var values: array<f32, 6>;
        for (var column = 0u; column < 6u; column++) {
            values[column] = products[(row * 6u + column) * parameters.rows * parameters.columns + thread];
        }
        let transformed = transformed_products(values);
        for (var column = 0u; column < 4u; column++) {
            half[column][row] = transformed[column];
        }
    }
    for (var column = 0u; column < 4u; column++) {
        let transformed = transformed_products(half[column]);
        for (var row = 0u; row < 4u; row++) {
            if y + row < parameters.height && x + column < parameters.width {
                let plane = image * parameters.outputs + output;
                let at = (plane * parameters.height + y + row) * parameters.width + x + column;
                convolved[at] = transformed[row] + bias[output] + residual_at(at);
            }
        }
    }
}
