// Winograd weight transform of F(4x4, 3x3): a matrix of inputs by outputs for each of the 36 points, the outputs counted from
// `first` and padded with zeros to whole blocks of multiply.wgsl.
//
//   dispatch     one thread per input and padded output
//   weight       [3, 3, inputs, outputs]
//   panel        [36, inputs, padded]
//   matches      kernel::convolution::reference, together with input_transform.wgsl, multiply.wgsl and output_transform.wgsl

struct Parameters {
    threads: u32,
    inputs: u32,
    first: u32,
    outputs: u32,
    padded: u32,
}

@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> panel: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let output = parameters.first + thread % parameters.padded;
    let input = thread / parameters.padded;
    let inside = output < parameters.outputs;
    var half: array<array<f32, 3>, 6>;
    for (var column = 0u; column < 3u; column++) {
        var taps: array<f32, 3>;
        for (var row = 0u; row < 3u; row++) {
            if inside {
                taps[row] = weight[((row * 3u + column) * parameters.inputs + input) * parameters.outputs + output];
            }
        }
        let values_at_points = transformed_weights(taps);
        for (var row = 0u; row < 6u; row++) {
            half[row][column] = values_at_points[row];
        }
    }
    for (var row = 0u; row < 6u; row++) {
        let values_at_points = transformed_weights(half[row]);
        for (var column = 0u; column < 6u; column++) {
            panel[(row * 6u + column) * parameters.threads + thread] = values_at_points[column];
        }
    }
}
