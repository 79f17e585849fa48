//! What a shell hears of an experiment.

use super::results::Record;
use super::settings::Settings;
use super::sweep::{Point, Row};
use crate::control::{Control, Silent};
use crate::device::Selected;
use crate::metrics::About;
use crate::prior::Prior;

/// What happens during an experiment. Progress of loading and of a batch's steps comes as [`crate::control::Event`].
#[non_exhaustive]
pub enum Event<'a> {
    /// The device was opened.
    Device(&'a Selected),
    /// The prior was loaded.
    Prior {
        /// The prior.
        prior: &'a Prior,
        /// Height and width of the pictures it will restore.
        side: usize,
    },
    /// Something that users may not expect.
    Remark(Remark),
    /// The settings are complete.
    Settings(&'a Settings),
    /// The run begins.
    Begun {
        /// Pictures of this shard to do.
        pending: usize,
        /// Pictures of this shard that were done before.
        done: usize,
    },
    /// A batch begins; its steps follow.
    Batch {
        /// Pictures in it.
        pictures: usize,
    },
    /// A picture is done, or was skipped.
    Picture(&'a Record),
    /// Pairs of pictures are compared, or the features of sets computed.
    Sets {
        /// Pairs of pictures and originals.
        pairs: usize,
    },
    /// A pair is done.
    Pair,
    /// A run of a sweep begins.
    Run {
        /// Its number, from 1.
        number: usize,
        /// Runs in all.
        count: usize,
        /// Its parameters.
        point: &'a Point,
    },
    /// A run of a sweep is done.
    Row {
        /// The run.
        row: &'a Row,
        /// The metric that the sweep compares by.
        metric: &'a About,
    },
}

/// Something that users may not expect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// No class was chosen, so that of the reference is used.
    ReferenceClass(&'static str),
    /// Batches of one picture, because each picture has its own degradation.
    OneByOne,
    /// Batches are smaller than asked for, to fit the memory.
    SmallerBatch {
        /// Pictures per batch.
        batch: usize,
        /// Pictures per batch that were asked for.
        wanted: usize,
    },
    /// The run has less than half the steps of the publication.
    FewSteps {
        /// The method.
        method: &'static str,
        /// Steps of the run.
        steps: usize,
        /// Steps of the publication.
        published: usize,
    },
}

/// Hears of an experiment, and may stop it.
pub trait Listener: Control {
    /// Hears of an event.
    fn hear(&self, event: &Event) {
        _ = event;
    }
}

impl Listener for Silent {}
