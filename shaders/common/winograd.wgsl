// The three one-dimensional transforms of F(4x4, 3x3) (A. Lavin and S. Gray, 2016) with points 0, 1, -1, 2, -2 and infinity.

fn transformed_inputs(d: array<f32, 6>) -> array<f32, 6> {
    let even_1 = d[4] - 4.0 * d[2];
    let odd_1 = d[3] - 4.0 * d[1];
    let even_2 = d[4] - d[2];
    let odd_2 = 2.0 * (d[3] - d[1]);
    return array(
        4.0 * d[0] - 5.0 * d[2] + d[4],
        even_1 + odd_1,
        even_1 - odd_1,
        even_2 + odd_2,
        even_2 - odd_2,
        4.0 * d[1] - 5.0 * d[3] + d[5],
    );
}

fn transformed_weights(g: array<f32, 3>) -> array<f32, 6> {
    let even_1 = (g[0] + g[2]) / -6.0;
    let odd_1 = g[1] / 6.0;
    let even_2 = g[0] / 24.0 + g[2] / 6.0;
    let odd_2 = g[1] / 12.0;
    return array(g[0] / 4.0, even_1 - odd_1, even_1 + odd_1, even_2 + odd_2, even_2 - odd_2, g[2]);
}

fn transformed_products(m: array<f32, 6>) -> array<f32, 4> {
    let even_1 = m[1] + m[2];
    let odd_1 = m[1] - m[2];
    let even_2 = m[3] + m[4];
    let odd_2 = m[3] - m[4];
    return array(m[0] + even_1 + even_2, odd_1 + 2.0 * odd_2, even_1 + 4.0 * even_2, odd_1 + 8.0 * odd_2 + m[5]);
}
