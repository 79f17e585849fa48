// Transformed inputs of F(4x4, 3x3): a matrix of channels by tiles for each of 36 points.
//
//   dispatch     one thread per channel and column
//   x            [batch, inputs, height, width]
//   gathered     [36, inputs, columns]; tile `first + column` of [batch, down, across]
//   matches      kernel::convolution::specification, together with weigh_tiles.wgsl, multiply.wgsl and scatter_tiles.wgsl

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
    // 1 where every pixel of x counts as 2 x 2, else 0.
    doubled: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> gathered: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

// The pixel above and left of which (y, x_at) lies; zero outside.
fn pixel(plane: u32, y: u32, x_at: u32) -> f32 {
    // Subtractions that would be negative wrap, and are outside then.
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
        let transformed = transformed_inputs(values);
        for (var row = 0u; row < 6u; row++) {
            half[row][column] = transformed[row];
        }
    }
    for (var row = 0u; row < 6u; row++) {
        let transformed = transformed_inputs(half[row]);
        for (var column = 0u; column < 6u; column++) {
            gathered[(row * 6u + column) * parameters.threads + thread] = transformed[column];
        }
    }
}
