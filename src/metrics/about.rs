//! What metrics are called.

use serde::Serialize;

/// What a metric is called, and how its values read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct About {
    /// Its name in tables and files.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Unit of its values, or nothing.
    pub unit: &'static str,
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// Decimals that are worth showing.
    pub decimals: usize,
}

impl About {
    /// A value as people read it.
    pub fn shown(&self, value: f64) -> String {
        let space = if self.unit.is_empty() { "" } else { " " };
        format!("{value:.*}{space}{}", self.decimals, self.unit)
    }
}

/// A metric whose values have no unit.
pub(super) const fn about(name: &'static str, title: &'static str, higher_is_better: bool, decimals: usize) -> About {
    About { name, title, unit: "", higher_is_better, decimals }
}
