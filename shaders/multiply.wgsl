// Batched matrix product: products[p] = left[p]^T right[p]. A thread keeps a block of sums in registers.
//
//   dispatch     one thread per ROWS x COLUMNS sums
//   left         [points, depth, rows]
//   right        [points, depth, pitch], of which `columns` columns from `first` on are used
//   products     [points, rows, columns]
//   constants    ROWS, COLUMNS
//   matches      kernel::convolution::reference, together with the transforms before and after it, and the two products of
//                kernel::attention::reference
//
// `rows` is a multiple of ROWS, `columns` of COLUMNS, and ROWS, COLUMNS, `pitch` and `first` are multiples of four.
//
// The text is a template (src/kernel/wgsl/unroll.rs): a line with $r stands for ROWS lines with the number of a row, a line
// with $c for COLUMNS lines with the number of a column; $q and $d number the vectors of four rows and of four columns; $r.v
// and $c.v are the component of its vector that belongs to a row or column. Arrays would be shorter, but compilers keep them
// in memory.

struct Parameters {
    threads: u32,
    depth: u32,
    rows: u32,
    columns: u32,
    pitch: u32,
    first: u32,
}

@group(0) @binding(0) var<storage, read_write> left: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> right: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> products: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn element(thread: u32) {
    let row_blocks = parameters.rows / ROWS;
    let column_blocks = parameters.columns / COLUMNS;
    let column = thread % column_blocks * COLUMNS;
    let row = thread / column_blocks % row_blocks * ROWS;
    let point = thread / column_blocks / row_blocks;
    let row_step = parameters.rows / 4u;
    let column_step = parameters.pitch / 4u;
    var from_left = point * parameters.depth * row_step + row / 4u;
    var from_right = point * parameters.depth * column_step + (parameters.first + column) / 4u;
    var sum_$r_$c = 0.0;
    for (var k = 0u; k < parameters.depth; k++) {
        let left_$q = left[from_left + $qu];
        let right_$d = right[from_right + $du];
        sum_$r_$c = fma(left_$r.v, right_$c.v, sum_$r_$c);
        from_left += row_step;
        from_right += column_step;
    }
    let at = (point * parameters.rows + row) * parameters.columns + column;
    products[at + $ru * parameters.columns + $cu] = sum_$r_$c;
}
