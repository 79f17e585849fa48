// Complex numbers as vec2(real, imaginary).

fn multiply(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn conjugate_if(condition: bool, a: vec2<f32>) -> vec2<f32> {
    return select(a, vec2(a.x, -a.y), condition);
}
