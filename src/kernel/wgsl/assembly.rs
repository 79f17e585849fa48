//! How the text of a shader is put together: constants, the texts that several shaders share, and the shader's own.

use std::fmt;

/// Threads of a workgroup.
pub(super) const WORKGROUP: u32 = 64;

/// A constant that is declared in front of a shader's text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Constant {
    /// A `u32`.
    Count(&'static str, usize),
    /// A `bool`.
    Flag(&'static str, bool),
}

impl Constant {
    /// The name in WGSL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count(name, _) | Self::Flag(name, _) => name,
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Count(name, value) => writeln!(f, "const {name}: u32 = {value}u;"),
            Self::Flag(name, value) => writeln!(f, "const {name}: bool = {value};"),
        }
    }
}

/// The complete WGSL text: `WORKGROUP`, the other constants, shared texts and the shader's own. WGSL allows
/// declarations in any order.
pub(super) fn assembled(constants: &[Constant], includes: &[&str], text: &str) -> String {
    let workgroup = Constant::Count("WORKGROUP", WORKGROUP as usize);
    let constants: String = [workgroup].iter().chain(constants).map(Constant::to_string).collect();
    constants + &includes.concat() + text
}

/// The texts that several shaders share, by folder of `shaders/`.
pub(super) mod part {
    pub const ADDRESS: &str = include_str!("../../../shaders/common/address.wgsl");
    pub const COMPLEX: &str = include_str!("../../../shaders/common/complex.wgsl");
    pub const ELEMENTWISE: &str = include_str!("../../../shaders/common/elementwise.wgsl");
    pub const NORMALIZED_GRADIENT: &str = include_str!("../../../shaders/common/normalized_gradient.wgsl");
    pub const PENALTY: &str = include_str!("../../../shaders/common/penalty.wgsl");
    pub const WINOGRAD: &str = include_str!("../../../shaders/common/winograd.wgsl");
    pub const WORKGROUP_SUM: &str = include_str!("../../../shaders/common/workgroup_sum.wgsl");

    /// The DFT of `radix` values.
    pub fn butterfly(radix: usize) -> &'static str {
        match radix {
            2 => include_str!("../../../shaders/butterfly/2.wgsl"),
            4 => include_str!("../../../shaders/butterfly/4.wgsl"),
            8 => include_str!("../../../shaders/butterfly/8.wgsl"),
            16 => include_str!("../../../shaders/butterfly/16.wgsl"),
            _ => include_str!("../../../shaders/butterfly/any.wgsl"),
        }
    }

    /// The type `Vector` of one float, or of four.
    pub fn lanes(lanes: usize) -> &'static str {
        match lanes {
            4 => include_str!("../../../shaders/lanes/4.wgsl"),
            _ => include_str!("../../../shaders/lanes/1.wgsl"),
        }
    }

    /// The bindings of a shader that writes the pixels of a convolution, with a residual to add or without one.
    pub fn residual(added: bool) -> &'static str {
        match added {
            true => include_str!("../../../shaders/residual/added.wgsl"),
            false => include_str!("../../../shaders/residual/absent.wgsl"),
        }
    }
}
