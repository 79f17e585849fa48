//! Parameters as tables: what shells show, parse and check without knowing whose they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result, Setting};

/// A parameter of a method or a degradation, by the papers' name.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name, in recipes too.
    pub name: &'static str,
    /// Other names that command lines know it by.
    pub aliases: &'static [&'static str],
    /// What it does, in one phrase.
    pub help: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// The fields it sets, where these are not the one of its name.
    pub sets: &'static [&'static str],
}

/// Values that a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A number from `low` to `high`.
    Number {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// A number above `low` and up to `high`.
    Above {
        /// Bound below every value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// A whole number from `low` to `high`.
    Whole {
        /// Smallest value.
        low: u64,
        /// Largest value.
        high: u64,
    },
    /// 0 or 1.
    Switch,
    /// One of several words.
    Choice(&'static [&'static str]),
    /// Text that the owner understands, and what shells call it.
    Text(&'static str),
    /// The path of a file.
    File,
}

impl Parameter {
    /// A parameter without other names.
    pub const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Self { name, aliases: &[], help, kind, sets: &[] }
    }

    /// The same with other names.
    pub const fn or_called(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// The same, setting other fields.
    pub const fn setting(self, sets: &'static [&'static str]) -> Self {
        Self { sets, ..self }
    }

    /// The value of a text, if it is in range.
    ///
    /// # Errors
    /// Values of another kind, or out of range.
    pub fn parse(&self, text: &str) -> Result<Value> {
        let bad = |fact: String| Error::parameter(Setting(self.name.into()), text, fact);
        let range = self.range();
        Ok(match self.kind {
            Kind::Number { .. } | Kind::Above { .. } => {
                let value: f64 = text.trim().parse().map_err(|_| bad("it must be a number".into()))?;
                self.check(value)?;
                Value::from(value)
            }
            Kind::Whole { low, high } => match text.trim().parse::<u64>() {
                Ok(value) if (low..=high).contains(&value) => Value::from(value),
                _ => return Err(bad(range)),
            },
            Kind::Switch => match text.trim() {
                "0" => Value::from(false),
                "1" => Value::from(true),
                _ => return Err(bad(range)),
            },
            Kind::Choice(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(text.trim())) {
                Some(word) => Value::from(*word),
                None => return Err(bad(range)),
            },
            Kind::Text(_) | Kind::File => Value::from(text),
        })
    }

    /// # Errors
    /// Numbers out of range; words always pass.
    pub fn check(&self, value: f64) -> Result<()> {
        let inside = match self.kind {
            Kind::Number { low, high } => (low..=high).contains(&value),
            Kind::Above { low, high } => value > low && value <= high,
            Kind::Whole { low, high } => value.fract() == 0.0 && (low as f64..=high as f64).contains(&value),
            _ => true,
        };
        if inside { Ok(()) } else { Err(Error::parameter(Setting(self.name.into()), value, self.range())) }
    }

    /// The range as a clause: "it must be between 0 and 1".
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Number { low, high } => format!("it must be between {low} and {high}"),
            Kind::Above { low, high } => format!("it must be above {low} and at most {high}"),
            Kind::Whole { low, high } => format!("it must be a whole number between {low} and {high}"),
            Kind::Switch => "it must be 0 or 1".into(),
            Kind::Choice(words) => format!("it must be one of {}", words.join(", ")),
            Kind::Text(_) | Kind::File => "it must be a text".into(),
        }
    }
}

/// Values of parameters as they were typed, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text given for a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Gives a parameter a text.
    pub fn insert(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.0.insert(name.into(), text.into());
    }

    /// Takes the text of a parameter away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, name: &str, text: impl ToString) -> Self {
        self.insert(name, text.to_string());
        self
    }

    /// Names and texts, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// Puts values into the fields of a JSON object, in the order of the table; names that the table lacks are left alone.
///
/// # Errors
/// Values out of range.
pub fn patch(object: &mut Value, table: &[Parameter], values: &Values) -> Result<()> {
    for parameter in table {
        let Some(text) = values.get(parameter.name) else { continue };
        let value = parameter.parse(text)?;
        let fields: &[&str] = if parameter.sets.is_empty() { &[parameter.name] } else { parameter.sets };
        for field in fields {
            object[*field] = value.clone();
        }
    }
    Ok(())
}

/// # Errors
/// Numbers in the fields of a JSON object that are out of the table's ranges.
pub fn check(object: &Value, table: &[Parameter]) -> Result<()> {
    for parameter in table {
        match object.get(parameter.name) {
            // JSON has no infinity, and nothing that is no number.
            Some(Value::Null) => parameter.check(f64::NAN)?,
            Some(value) => value.as_f64().map_or(Ok(()), |value| parameter.check(value))?,
            None => {}
        }
    }
    Ok(())
}
