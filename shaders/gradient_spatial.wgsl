// The G+ regulariser in one pass: periodic backward differences, phi' of each, and the adjoint difference.
//
//   dispatch     one thread per pixel
//   image        planes of `height` x `width`
//   gradient     of the same shape: gradient[i] = lam ((p_x[i] - p_x[right(i)]) + (p_y[i] - p_y[below(i)])) with p = phi'(d),
//                d_x[i] = u[i] - u[left(i)] and d_y[i] = u[i] - u[above(i)]
//   matches      kernel::gradient::spatial_reference

struct Parameters {
    threads: u32,
    height: u32,
    width: u32,
    lam: f32,
    alpha: f32,
    rate: f32,
}

@group(0) @binding(0) var<storage, read_write> image: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

const EPSILON: f32 = 1e-6;

fn phi(difference: f32) -> f32 {
    return penalty_weight(difference * difference + EPSILON, parameters.alpha, parameters.rate) * difference;
}

fn element(thread: u32) {
    let width = parameters.width;
    let height = parameters.height;
    let x = thread % width;
    let y = (thread / width) % height;
    let row = thread - x;
    let column = thread - y * width;
    let here = image[thread];
    let left = image[row + select(x - 1u, width - 1u, x == 0u)];
    let right = image[row + select(x + 1u, 0u, x + 1u == width)];
    let above = image[column + select(y - 1u, height - 1u, y == 0u) * width];
    let below = image[column + select(y + 1u, 0u, y + 1u == height) * width];
    gradient[thread] = parameters.lam * (phi(here - left) - phi(right - here) + phi(here - above) - phi(below - here));
}
