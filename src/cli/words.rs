//! The library's settings and hints as flags of the command line.

use crate::error::{Hint, Listing, Setting, Words, alternatives};

/// The words of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flags {
    /// `restore`, `degrade`, `demo` and most others.
    Common,
    /// `experiment` and `sweep`, whose flags have the reference's names.
    Experiment,
}

impl Words for Flags {
    fn setting(&self, setting: &Setting) -> String {
        let name = setting.0.as_ref();
        let own = match (self, name) {
            (_, "output") => "-o",
            (_, "degradation") if *self == Self::Common => "--task",
            (Self::Experiment, "degradation") => "--deg",
            (Self::Experiment, "sigma") => "--sigma_y",
            (Self::Experiment, "form") => "--operator_imp",
            (Self::Experiment, "scale" | "ratio") => "--deg_scale",
            (Self::Experiment, "pictures") => "--path_y",
            (Self::Experiment, "results") => "-i",
            (Self::Experiment, "subset") => "--subset_start and --subset_end",
            (Self::Experiment, "guidance_scale" | "invert_mask") => return format!("--{}", name.replace('_', "-")),
            (Self::Experiment, _) => return format!("--{name}"),
            _ => return format!("--{}", name.replace('_', "-")),
        };
        own.into()
    }

    fn hint(&self, hint: &Hint) -> String {
        let flag = |setting| self.setting(setting);
        match hint {
            Hint::Advice(advice) => advice.to_string(),
            Hint::Set(setting, value) => format!("pass {} {value}", flag(setting)),
            Hint::Give(setting) if *setting == Setting::DEGRADATION => {
                let tasks: Vec<&str> = crate::degradation::tasks().map(|(task, _)| task).collect();
                format!("pass --task with one of {}", tasks.join(", "))
            }
            Hint::Give(setting) if *setting == Setting::OUTPUT => "choose another place with -o".into(),
            Hint::Give(setting) => format!("pass {}", flag(setting)),
            Hint::Omit(setting) => format!("leave {} out", flag(setting)),
            Hint::Install(model) => {
                format!(
                    "`fdgr models pull {model}` fetches it, `fdgr models add FILE --name {model}` takes a file you have"
                )
            }
            Hint::Reinstall(model) => format!("`fdgr models remove {model}`, and install it again"),
            Hint::List(Listing::Models) => "`fdgr models list` shows what there is".into(),
            Hint::List(Listing::Devices) => "`fdgr devices` lists them".into(),
            Hint::List(Listing::Recipes) => "`fdgr experiment --list-recipes` shows them".into(),
            Hint::Any(hints) => alternatives(hints, self),
        }
    }
}
