//! Flags that say what happened to a picture, made from the table of degradations.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValue};

use super::flags;
use crate::degradation;
use crate::parameter::{Kind, Parameter, Values};
use crate::restore::{OLD_PHOTO, OLD_PHOTO_HELP};

const HEADING: &str = "What happened to the picture";

/// The flags of one command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Args {
    /// Tasks in the order in which the damage happened.
    pub tasks: Vec<String>,
    /// Their parameters.
    pub values: Values,
    /// Standard deviation of the noise, of a `[0, 1]` image.
    pub sigma: Option<f64>,
}

impl Args {
    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        !self.tasks.is_empty() || self.sigma.is_some() || !self.values.is_empty()
    }

    /// Files that the flags name, beside the photos.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        // Texts, such as a kernel, may name files, too.
        let is_file = |parameter: &&Parameter| matches!(parameter.kind, Kind::File | Kind::Text(_));
        let may_be_files = parameters().into_iter().filter(is_file);
        may_be_files.filter_map(|parameter| self.values.get(parameter.name)).map(Path::new)
    }
}

/// The parameters of all stages.
fn parameters() -> Vec<&'static Parameter> {
    flags::once(degradation::kinds().iter().flat_map(|kind| kind.parameters))
}

impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        let tasks = degradation::tasks().chain([(OLD_PHOTO, OLD_PHOTO_HELP)]);
        let tasks = tasks.map(|(task, title)| PossibleValue::new(task).help(title));
        let command = command.next_help_heading(HEADING).arg(
            Arg::new("task")
                .long("task")
                .value_parser(clap::builder::PossibleValuesParser::new(tasks))
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("Kind of degradation; several are joined by commas, in the order in which they happened"),
        );
        let command = parameters().into_iter().fold(command, |command, parameter| {
            let arg = flags::of(parameter, parameter.help);
            command.arg(match parameter.kind {
                // A switch needs no value.
                Kind::Switch => arg
                    .action(ArgAction::Set)
                    .value_parser(["0", "1"])
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("1"),
                _ => arg,
            })
        });
        command.arg(
            Arg::new("sigma").long("sigma").value_parser(clap::value_parser!(f64)).allow_negative_numbers(true).help(
                "Noise: standard deviation for pixels from 0 to 1 [default when restoring: estimated from the picture]",
            ),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let tasks = matches.get_many::<String>("task").into_iter().flatten().cloned().collect();
        Ok(Self {
            tasks,
            values: flags::values(matches, &parameters()),
            sigma: matches.get_one::<f64>("sigma").copied(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
