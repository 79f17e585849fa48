//! Networks that metrics use, and their weights.

use std::collections::BTreeMap;

use super::layers::Tensors;
use crate::error::Result;
use crate::model::{Checkpoint, Comparison, ModelFolder};

/// A network that metrics use. Each is a constant in the file of its metric: [`Network::ALEX_NET`] and so on.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Name of the model whose weights it takes.
    pub(super) model: &'static str,
    /// What it is, in words.
    pub(super) title: &'static str,
    /// Whether a checkpoint holds it.
    pub(super) recognise: fn(&Checkpoint) -> bool,
    /// Asks for all its tensors.
    pub(super) ask: fn(&mut Tensors) -> Result<()>,
}

impl Network {
    /// Name of the model whose weights it takes.
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// What it is, in words.
    pub fn describe(&self) -> &'static str {
        self.title
    }

    /// Names and shapes of its tensors.
    pub fn tensors(&self) -> BTreeMap<String, Vec<usize>> {
        let mut wanted = BTreeMap::new();
        let mut record = |name: &str, shape: &[usize]| {
            wanted.insert(name.to_owned(), shape.to_vec());
            Ok(vec![0.0; shape.iter().product()])
        };
        // Placeholders never fail.
        _ = (self.ask)(&mut record);
        wanted
    }

    /// What does not agree between the network and a file.
    pub fn compare(&self, checkpoint: &Checkpoint) -> Comparison {
        Comparison::new(&self.tensors(), checkpoint)
    }

    /// The installed weights, if there are any.
    ///
    /// # Errors
    /// Installed weights that cannot be used.
    pub(super) fn installed(&self) -> Result<Option<Checkpoint>> {
        let installed = ModelFolder::open()?.find(self.model)?;
        installed.map(|model| Checkpoint::open(&model.path())).transpose()
    }

    /// Calls `build` with the tensors of a checkpoint that holds all of them.
    ///
    /// # Errors
    /// Checkpoints that lack tensors.
    pub(super) fn read<T>(&self, checkpoint: &Checkpoint, build: impl FnOnce(&mut Tensors) -> Result<T>) -> Result<T> {
        self.compare(checkpoint).check(checkpoint.path())?;
        build(&mut |name: &str, _: &[usize]| checkpoint.values(name))
    }
}
