// Softmax of every column of scores, after multiplication with a positive scale.
//
//   dispatch     one thread per column: heads * columns
//   scores       [heads, rows, columns]
//   weights      [heads, rows, columns]: exp(scale (score - largest)), divided by the sum of its column
//   matches      kernel::attention::reference, between its two products

struct Parameters {
    threads: u32,
    rows: u32,
    columns: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read_write> scores: array<f32>;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let columns = parameters.columns;
    let first = (thread / columns) * parameters.rows * columns + thread % columns;
    let end = first + parameters.rows * columns;
    var largest = scores[first];
    for (var at = first; at < end; at += columns) {
        largest = max(largest, scores[at]);
    }
    var sum = 0.0;
    for (var at = first; at < end; at += columns) {
        let weight = exp(parameters.scale * (scores[at] - largest));
        weights[at] = weight;
        sum += weight;
    }
    for (var at = first; at < end; at += columns) {
        weights[at] /= sum;
    }
}
