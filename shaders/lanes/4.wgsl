// A `Vector` of four floats.

const LANES: u32 = 4u;

alias Vector = vec4<f32>;

fn horizontal_sum(v: Vector) -> f32 {
    return dot(v, vec4(1.0));
}
