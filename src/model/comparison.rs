//! Whether a file has the tensors that a network wants.

use std::collections::BTreeMap;
use std::path::Path;

use super::checkpoint::Checkpoint;
use crate::error::Result;

/// Differences between a network and a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Tensors that the file lacks.
    pub missing: Vec<String>,
    /// Tensors that the network does not have.
    pub extra: Vec<String>,
    /// Tensors of another shape, with both.
    pub misshaped: Vec<String>,
}

impl Comparison {
    /// What does not agree between the tensors that a network wants, by name and shape, and those of a file.
    pub fn new(wanted: &BTreeMap<String, Vec<usize>>, checkpoint: &Checkpoint) -> Self {
        let mut comparison = Self::default();
        for (name, shape) in wanted {
            match checkpoint.find(name) {
                None => comparison.missing.push(name.clone()),
                Some(found) if !same_shape(found, shape) => {
                    comparison.misshaped.push(format!("{name} is of shape {found:?} and should be {shape:?}"));
                }
                Some(_) => {}
            }
        }
        comparison.extra = checkpoint.names().filter(|name| !wanted.contains_key(*name)).map(str::to_owned).collect();
        comparison
    }

    /// Refuses the file at `path` if it cannot fill the network; additional tensors do no harm.
    ///
    /// # Errors
    /// The first of what is missing or mis-shaped, and how many more.
    pub fn check(&self, path: &Path) -> Result<()> {
        let more = |count: usize| if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        let fact = match (self.misshaped.first(), self.missing.first()) {
            (Some(first), _) => format!("{first}{}, which does not fit", more(self.misshaped.len())),
            (None, Some(first)) => format!("it has no tensor {first}{}", more(self.missing.len())),
            (None, None) => return Ok(()),
        };
        Err(Checkpoint::refusal(path, fact))
    }
}

/// Whether shapes are equal but for axes of length 1 at their ends.
pub(crate) fn same_shape(a: &[usize], b: &[usize]) -> bool {
    let significant = |shape: &[usize]| shape.iter().rposition(|&n| n != 1).map_or(0, |last| last + 1);
    a[..significant(a)] == b[..significant(b)]
}
