//! The vector instructions of the CPU kernels: all that the processor has, or fewer, so that one machine can stand in for older ones.
//!
//! Transforms and the matrix product of 1x1 convolutions are of other libraries, and not limited.

use std::sync::LazyLock;

use pulp::Arch;

use crate::error::{Error, Result};

/// Names the most that is used: `avx2`, or `portable` for no vector instructions of the processor's own.
pub(crate) const VARIABLE: &str = "FDGR_CPU";

/// The most that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// What there is.
    None,
    /// Vectors of 8 numbers.
    Avx2,
    /// What the compiler makes for every processor of the kind.
    Portable,
}

impl Limit {
    /// What the environment says.
    ///
    /// # Errors
    /// Other words, and instructions that the processor does not have.
    pub fn of_environment() -> Result<Self> {
        Self::named(std::env::var(VARIABLE).unwrap_or_default().as_str())
    }

    fn named(name: &str) -> Result<Self> {
        let limit = match name {
            "" => Self::None,
            "avx2" => Self::Avx2,
            "portable" => Self::Portable,
            _ => {
                let fact = format!("{name:?} is no limit of the CPU's instructions");
                return Err(Error::mismatch(VARIABLE, fact, "set it to avx2 or portable, or unset it"));
            }
        };
        match limit.arch() {
            Some(_) => Ok(limit),
            None => Err(Error::mismatch(VARIABLE, "this processor has no AVX2", "set it to portable, or unset it")),
        }
    }

    fn arch(self) -> Option<Arch> {
        match self {
            Self::None => Some(Arch::new()),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => None,
            Self::Portable => Some(Arch::Scalar),
        }
    }

    /// What a description of the device adds.
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Avx2 => ", AVX2 at most",
            Self::Portable => ", portable",
        }
    }
}

/// What kernels are dispatched by.
pub(crate) fn arch() -> Arch {
    static ARCH: LazyLock<Arch> =
        LazyLock::new(|| Limit::of_environment().ok().and_then(Limit::arch).unwrap_or_default());
    *ARCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_names() {
        assert_eq!(Limit::named("").unwrap(), Limit::None);
        assert_eq!(Limit::named("portable").unwrap(), Limit::Portable);
        let error = Limit::named("avx9").unwrap_err().to_string();
        assert!(error.contains(VARIABLE) && error.contains("avx2 or portable"), "{error}");
    }
}
