//! Flags made from tables of parameters.

use clap::{Arg, builder::PossibleValuesParser};

use crate::parameter::{Kind, Parameter};

/// The flag of a parameter: its name with dashes, its own name and its aliases beside it.
pub(super) fn of(parameter: &'static Parameter, help: impl Into<String>) -> Arg {
    let dashed = parameter.name.replace('_', "-");
    let mut arg = Arg::new(parameter.name).help(help.into()).allow_negative_numbers(true);
    // Clap keeps names for the whole run; there are as many as parameters.
    arg = match dashed == parameter.name {
        true => arg.long(parameter.name),
        false => arg.long(&*dashed.leak()).visible_alias(parameter.name),
    };
    arg = arg.visible_aliases(parameter.aliases.iter().copied());
    match parameter.kind {
        Kind::Choice(words) => arg.value_parser(PossibleValuesParser::new(words.iter().copied())).ignore_case(true),
        Kind::Switch => arg.value_name("0|1"),
        Kind::Text(name) => arg.value_name(name),
        Kind::File => arg.value_name("FILE"),
        Kind::Whole { .. } => arg.value_name("N"),
        Kind::Number { .. } | Kind::Above { .. } => arg.value_name("NUMBER"),
    }
}
