// A `Vector` of one float, for planes whose size is not a multiple of 4.

const LANES: u32 = 1u;

alias Vector = f32;

fn horizontal_sum(v: Vector) -> f32 {
    return v;
}
