// Products of matrices, one for each point of a convolution: a thread keeps a block of sums in registers.
//
//   dispatch     one thread per ROWS x COLUMNS sums
//   panel        [points, depth, rows]      weights of `rows` outputs
//   gathered     [points, depth, pitch]     inputs; those of `columns` positions from `first` on count
//   products     [points, rows, columns]    sum over depth of panel times gathered
//   matches      kernel::convolution::specification, together with the kernels that gather, weigh and scatter
//
// `rows` is a multiple of ROWS and `columns` of COLUMNS, both of them multiples of four, as `pitch` and `first` are. A line with $r stands for ROWS lines
// with a row's number, one with $c for COLUMNS lines; $q and $d number the vectors of four rows and of four columns, $r.v and
// $c.v are a row's and a column's element of its vector. Arrays would be shorter, but compilers keep them in memory.

struct Parameters {
    threads: u32,
    depth: u32,
    rows: u32,
    columns: u32,
    pitch: u32,
    first: u32,
}

@group(0) @binding(0) var<storage, read_write> panel: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> gathered: array<vec4<f32>>;
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
    var from_panel = point * parameters.depth * row_step + row / 4u;
    var from_gathered = point * parameters.depth * column_step + (parameters.first + column) / 4u;
    var sum_$r_$c = 0.0;
    for (var k = 0u; k < parameters.depth; k++) {
        let weights_$q = panel[from_panel + $qu];
        let inputs_$d = gathered[from_gathered + $du];
        sum_$r_$c = fma(weights_$r.v, inputs_$c.v, sum_$r_$c);
        from_panel += row_step;
        from_gathered += column_step;
    }
    let at = (point * parameters.rows + row) * parameters.columns + column;
    products[at + $ru * parameters.columns + $cu] = sum_$r_$c;
}
