//! The library's settings and hints as flags of the command line.

use crate::error::{Listing, Setting, Words};

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
            (Self::Experiment, "degradation" | "kernel" | "reduction" | "sensing") => "--deg",
            (Self::Experiment, "sigma") => "--sigma_y",
            (Self::Experiment, "form") => "--operator_imp",
            (Self::Experiment, "scale" | "ratio" | "jpeg_quality") => "--deg_scale",
            (Self::Experiment, "pictures") => "--path_y",
            (Self::Experiment, "results") => "-i",
            (Self::Experiment, "subset") => "--subset_start and --subset_end",
            (Self::Experiment, "guidance_scale" | "invert_mask") => return format!("--{}", name.replace('_', "-")),
            (Self::Experiment, _) => return format!("--{name}"),
            _ => return format!("--{}", name.replace('_', "-")),
        };
        own.into()
    }

    fn set(&self, setting: &Setting, value: &str) -> String {
        format!("pass {} {value}", self.setting(setting))
    }

    fn give(&self, setting: &Setting) -> String {
        if *setting == Setting::DEGRADATION {
            let tasks: Vec<&str> = crate::degradation::tasks().map(|(task, _)| task).collect();
            return format!("pass --task with one of {}", tasks.join(", "));
        }
        if *setting == Setting::OUTPUT {
            return "choose another place with -o".into();
        }
        format!("pass {}", self.setting(setting))
    }

    fn install(&self, model: &str) -> String {
        format!("`fdgr models pull {model}` fetches it, `fdgr models add FILE --name {model}` takes a file you have")
    }

    fn reinstall(&self, model: &str) -> String {
        format!("`fdgr models remove {model}`, and install it again")
    }

    fn list(&self, listing: Listing) -> String {
        match listing {
            Listing::Models => "`fdgr models list` shows what there is".into(),
            Listing::Devices => "`fdgr devices` lists them".into(),
            Listing::Recipes => "`fdgr experiment --list-recipes` shows them".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Command, CommandFactory as _};

    use super::*;
    use crate::cli::Cli;
    use crate::degradation;
    use crate::sampler::Method;

    /// What no flag of an experiment or a sweep sets: settings of other commands.
    const NOT_OF_EXPERIMENTS: [Setting; 6] =
        [Setting::MODEL_NAME, Setting::OUTPUT, Setting::SIDE, Setting::TIME, Setting::UNCERTAINTY, Setting::UNFADE];
    /// What no flag of the other commands sets.
    const OF_EXPERIMENTS: [Setting; 13] = [
        Setting::CONFIG,
        Setting::DEG,
        Setting::DEG_SCALE,
        Setting::METRIC,
        Setting::OPERATOR_IMP,
        Setting::OVERWRITE,
        Setting::PICTURES,
        Setting::RANDOM,
        Setting::RESULTS,
        Setting::RESUME,
        Setting::SHARD,
        Setting::SUBSET,
        Setting::VARY,
    ];

    fn flags(command: &Command, all: &mut BTreeSet<String>) {
        for argument in command.get_arguments() {
            all.extend(argument.get_short().map(|short| format!("-{short}")));
            all.extend(argument.get_long_and_visible_aliases().into_iter().flatten().map(|long| format!("--{long}")));
        }
        command.get_subcommands().for_each(|command| flags(command, all));
    }

    #[test]
    fn settings_are_flags_that_exist() {
        let (mut common, mut experiments) = (BTreeSet::new(), BTreeSet::new());
        for command in Cli::command().get_subcommands() {
            let is_experiment = ["experiment", "sweep"].contains(&command.get_name());
            flags(command, if is_experiment { &mut experiments } else { &mut common });
        }
        let of_degradations = degradation::kinds().iter().flat_map(|kind| kind.parameters);
        let of_methods = Method::TABLES.iter().copied().flatten();
        let named = of_degradations.chain(of_methods).map(|parameter| Setting(parameter.name.into()));
        let mut unknown = Vec::new();
        for setting in Setting::ALL.iter().cloned().chain(named) {
            let families = [
                (Flags::Common, &common, OF_EXPERIMENTS.contains(&setting)),
                (Flags::Experiment, &experiments, NOT_OF_EXPERIMENTS.contains(&setting)),
            ];
            for (words, flags, elsewhere) in families {
                let said = words.setting(&setting);
                let exist = said.split(" and ").all(|flag| flags.contains(flag));
                if !exist && !elsewhere {
                    unknown.push(format!("{words:?} calls {} {said}", setting.0));
                }
            }
        }
        assert!(unknown.is_empty(), "no flags: {unknown:#?}");
    }
}
