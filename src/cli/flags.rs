//! Flags made from tables of parameters.

use clap::{Arg, ArgMatches, builder::PossibleValuesParser, parser::ValueSource};

use crate::parameter::{Kind, Parameter, Values};

/// Every parameter of some tables once.
pub(super) fn once(tables: impl Iterator<Item = &'static Parameter>) -> Vec<&'static Parameter> {
    let mut all: Vec<&Parameter> = Vec::new();
    for parameter in tables {
        if !all.iter().any(|other| other.name == parameter.name) {
            all.push(parameter);
        }
    }
    all
}

/// The flag of a parameter: its name with dashes, its own name and its aliases beside it.
pub(super) fn of(parameter: &'static Parameter, help: impl Into<String>) -> Arg {
    let dashed = parameter.name.replace('_', "-");
    let mut arg = Arg::new(parameter.name).help(help.into()).allow_negative_numbers(true);
    if dashed != parameter.name {
        arg = arg.visible_alias(parameter.name);
    }
    arg = arg.long(dashed).visible_aliases(parameter.aliases.iter().copied());
    match parameter.kind {
        Kind::Choice(words) => arg.value_parser(PossibleValuesParser::new(words.iter().copied())).ignore_case(true),
        Kind::Switch => arg.value_name("0|1"),
        Kind::Text(name) => arg.value_name(name),
        Kind::File => arg.value_name("FILE"),
        Kind::Whole { .. } => arg.value_name("N"),
        Kind::Number { .. } | Kind::Above { .. } => arg.value_name("NUMBER"),
    }
}

/// What was typed for the parameters of a table.
pub(super) fn values(matches: &ArgMatches, table: &[&'static Parameter]) -> Values {
    let mut values = Values::default();
    for parameter in table {
        if matches.value_source(parameter.name) == Some(ValueSource::CommandLine)
            && let Some(text) = matches.get_one::<String>(parameter.name)
        {
            values.insert(parameter.name, text);
        }
    }
    values
}
