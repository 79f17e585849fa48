// Winograd input transform of F(4x4, 3x3): a matrix of channels by tiles for each of the 36 points.
//
//   dispatch     one thread per channel and column
//   x            [batch, inputs, height, width]
//   transformed  [36, inputs, columns]; column c is tile `first + c` of [batch, down, across], and 0 from `tiles` on
//   matches      kernel::convolution::reference, together with weight_transform.wgsl, multiply.wgsl and output_transform.wgsl

struct Parameters {
    threads: u32,
    columns: u32,
    first: u32,
    tiles: u32,
    inputs: u32,
    height: u32,
    width: u32,
    down: u32,
    across: u32,
    // 1 if x is doubled first by nearest-neighbour upsampling, else 0.
    doubled: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> transformed: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

// Pixel (y - 1, x_at - 1) of a plane, 0 outside of it.
fn pixel(plane: u32, y: u32, x_at: u32) -> f32 {
    // A negative difference wraps to a number that is out of range.
    let source_y = (y - 1u) >> parameters.doubled;
    let source_x = (x_at - 1u) >> parameters.doubled;
    if source_y < parameters.height && source_x < parameters.width {
        return x[(plane * parameters.height + source_y) * parameters.width + source_x];
    }
    return 0.0;
}

fn element(thread: u32) {
    let tile = parameters.first + thread % parameters.columns;
    let channel = thread / parameters.columns;
    let image = tile / (parameters.down * parameters.across);
    let y = tile / parameters.across % parameters.down * 4u;
    let x_at = tile % parameters.across * 4u;
    let plane = image * parameters.inputs + channel;
    let inside = tile < parameters.tiles;
    var half: array<array<f32, 6>, 6>;
    for (var column = 0u; column < 6u; column++) {
        var values: array<f32, 6>;
        for (var row = 0u; row < 6u; row++) {
            if inside {
                values[row] = pixel(plane, y + row, x_at + column);
            }
        }
        let values_at_points = transformed_inputs(values);
        for (var row = 0u; row < 6u; row++) {
            half[row][column] = values_at_points[row];
        }
    }
    for (var row = 0u; row < 6u; row++) {
        let values_at_points = transformed_inputs(half[row]);
        for (var column = 0u; column < 6u; column++) {
            transformed[(row * 6u + column) * parameters.threads + thread] = values_at_points[column];
        }
    }
}
