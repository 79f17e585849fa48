//! What a shader is: a file, its variants, its bindings and its uniform, declared in one place beside the code that
//! launches it.

use std::fmt::Debug;
use std::hash::Hash;

use bytemuck::Pod;

use super::assembly::{Constant, WORKGROUP, assembled};

/// A compute shader; a value of the type is one of its variants.
pub(super) trait Shader: Copy + Debug + Eq + Hash + Send + Sync + 'static {
    /// The uniform `parameters`, bound after the buffers.
    type Uniform: Uniform;

    /// The file, by [`wgsl_file`].
    const FILE: File;
    /// Path of the function in tensor operations that the shader must agree with, by [`reference`].
    const REFERENCE: &'static str;

    /// Every variant that is launched.
    fn variants() -> Vec<Self>;

    /// The constants that tell this variant from the others.
    fn constants(self) -> Vec<Constant> {
        Vec::new()
    }

    /// The shared texts that it is put together with.
    fn includes(self) -> Vec<&'static str>;

    /// Its own text.
    fn text(self) -> String {
        Self::FILE.text.to_owned()
    }

    /// Names of its storage buffers in the order of their bindings, from 0 on; the last one is written.
    fn buffers(self) -> &'static [&'static str];

    /// The complete WGSL text.
    fn wgsl(self) -> String {
        assembled(&self.constants(), &self.includes(), &self.text())
    }
}

/// A file of `shaders/`.
pub(super) struct File {
    /// Its name without the ending.
    pub name: &'static str,
    pub text: &'static str,
}

/// The [`File`] of that name.
macro_rules! wgsl_file {
    ($name:literal) => {
        $crate::kernel::wgsl::shader::File {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
        }
    };
}
pub(super) use wgsl_file;

/// The path of an item of this crate as a string; a path that does not exist does not compile.
macro_rules! reference {
    ($first:ident $(:: $rest:ident)*) => {{
        let _ = $crate::$first $(:: $rest)*;
        concat!(stringify!($first) $(, "::", stringify!($rest))*)
    }};
}
pub(super) use reference;

/// A uniform: a struct with the fields of the WGSL struct `Parameters`, in the same order and of the same types.
pub(super) trait Uniform: Pod {
    /// Name and WGSL type of each field.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// Workgroups that the shader is dispatched with.
    fn workgroups(&self) -> u32;
}

/// What the first field of a uniform counts.
#[derive(Clone, Copy)]
pub(super) enum Dispatch {
    /// Threads, as many as fit in a workgroup at a time.
    Threads,
    /// Workgroups.
    Groups,
}

impl Dispatch {
    /// Workgroups for `count` of them.
    pub const fn workgroups(self, count: u32) -> u32 {
        match self {
            Self::Threads => count.div_ceil(WORKGROUP),
            Self::Groups => count,
        }
    }
}

/// Declares the struct of a [`Uniform`]. The first field is `threads` or `groups`, and says how many are dispatched.
macro_rules! uniform {
    ($(#[$doc:meta])* struct $name:ident { threads: u32 $($rest:tt)* }) => {
        $crate::kernel::wgsl::shader::uniform!(@Threads $(#[$doc])* $name { threads: u32 $($rest)* });
    };
    ($(#[$doc:meta])* struct $name:ident { groups: u32 $($rest:tt)* }) => {
        $crate::kernel::wgsl::shader::uniform!(@Groups $(#[$doc])* $name { groups: u32 $($rest)* });
    };
    (@$unit:ident $(#[$doc:meta])* $name:ident { $count:ident: u32 $(, $field:ident: $kind:ident)* $(,)? }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        struct $name {
            $count: u32,
            $($field: $kind,)*
        }

        impl $crate::kernel::wgsl::shader::Uniform for $name {
            const FIELDS: &'static [(&'static str, &'static str)] =
                &[(stringify!($count), "u32") $(, (stringify!($field), stringify!($kind)))*];

            fn workgroups(&self) -> u32 {
                $crate::kernel::wgsl::shader::Dispatch::$unit.workgroups(self.$count)
            }
        }
    };
}
pub(super) use uniform;

/// Declares a [`Shader`] and its [`Uniform`]: its file, the function that it must agree with, and either what it is put
/// together of and its buffers, or, after `impl`, the methods of a type that is declared already.
macro_rules! shader {
    (impl $name:ident = $file:literal like $($reference:ident)::+;
     $uniform:ident { $($fields:tt)* } $($methods:tt)*) => {
        $crate::kernel::wgsl::shader::uniform! { struct $uniform { $($fields)* } }

        impl $crate::kernel::wgsl::shader::Shader for $name {
            type Uniform = $uniform;

            const FILE: $crate::kernel::wgsl::shader::File = $crate::kernel::wgsl::shader::wgsl_file!($file);
            const REFERENCE: &'static str = $crate::kernel::wgsl::shader::reference!($($reference)::+);

            $($methods)*
        }
    };
    ($name:ident = $file:literal like $($reference:ident)::+;
     parts [$($part:expr),* $(,)?];
     buffers [$($buffer:literal),* $(,)?];
     $uniform:ident { $($fields:tt)* }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        struct $name;

        $crate::kernel::wgsl::shader::shader! {
            impl $name = $file like $($reference)::+;
            $uniform { $($fields)* }

            fn variants() -> Vec<Self> {
                vec![Self]
            }

            fn includes(self) -> Vec<&'static str> {
                vec![$($part),*]
            }

            fn buffers(self) -> &'static [&'static str] {
                &[$($buffer),*]
            }
        }
    };
}
pub(super) use shader;

/// A variant of a shader, as the tests see it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name of the file in `shaders/`, without its ending.
    pub name: &'static str,
    /// The variant, for messages.
    pub variant: String,
    /// The complete WGSL text.
    pub wgsl: String,
    /// Names of the constants that tell the variants apart.
    pub constants: Vec<&'static str>,
    /// Names of the storage buffers in the order of their bindings.
    pub buffers: &'static [&'static str],
    /// Name and WGSL type of each field of the uniform, which is bound after the buffers.
    pub uniform: &'static [(&'static str, &'static str)],
    /// Size of the uniform in bytes.
    pub uniform_bytes: usize,
    /// Path of the function in tensor operations that the shader must agree with.
    pub reference: &'static str,
}

impl Entry {
    fn of<S: Shader>(shader: S) -> Self {
        Self {
            name: S::FILE.name,
            variant: format!("{shader:?}"),
            wgsl: shader.wgsl(),
            constants: shader.constants().into_iter().map(Constant::name).collect(),
            buffers: shader.buffers(),
            uniform: S::Uniform::FIELDS,
            uniform_bytes: size_of::<S::Uniform>(),
            reference: S::REFERENCE,
        }
    }
}

/// The variants of a shader for the table.
pub(super) fn entries<S: Shader>() -> Vec<Entry> {
    S::variants().into_iter().map(Entry::of).collect()
}
