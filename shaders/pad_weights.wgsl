// Weight matrix of a direct convolution, the outputs padded with zeros to whole blocks of multiply.wgsl.
//
//   dispatch     one thread per element of the panel
//   weight       [rows, outputs]
//   panel        [rows, padded]
//   matches      kernel::convolution::reference, together with im2col.wgsl, multiply.wgsl and epilogue.wgsl

struct Parameters {
    threads: u32,
    outputs: u32,
    padded: u32,
}

@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> panel: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let output = thread % parameters.padded;
    var value = 0.0;
    if output < parameters.outputs {
        value = weight[thread / parameters.padded * parameters.outputs + output];
    }
    panel[thread] = value;
}
