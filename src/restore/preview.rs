//! Previews of the size of the result, made from a sampler's estimates.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use super::Measurement;
use crate::control::{Control, Event};
use crate::picture::Picture;

/// Passes events on, and turns estimates into previews no more often than the listener wants them.
pub(super) struct Previews<'a> {
    listener: &'a dyn Control,
    measurement: &'a Measurement,
    last: Mutex<Option<Instant>>,
}

impl<'a> Previews<'a> {
    pub fn new(listener: &'a dyn Control, measurement: &'a Measurement) -> Self {
        Self { listener, measurement, last: Mutex::new(None) }
    }

    fn is_due(&self, interval: Duration) -> bool {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= interval);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    fn preview(&self, x0: &Tensor<4>) {
        let Some(interval) = self.listener.preview_interval() else { return };
        if !self.is_due(interval) {
            return;
        }
        let first = self.measurement.crop(x0.clone().narrow(0, 0, 1));
        // A device that gives nothing back ends the run by itself.
        if let Ok(picture) = Picture::from_tensor(first) {
            self.listener.emit(Event::Preview(&picture));
        }
    }
}

impl Control for Previews<'_> {
    fn cancelled(&self) -> bool {
        self.listener.cancelled()
    }

    fn emit(&self, event: Event) {
        match event {
            Event::Estimate(x0) => self.preview(x0),
            event => self.listener.emit(event),
        }
    }
}

/// Passes everything on, and wants no previews, which cost a read from the device.
pub(super) struct WithoutPreviews<'a>(pub &'a dyn Control);

impl Control for WithoutPreviews<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }

    fn emit(&self, event: Event) {
        self.0.emit(event);
    }
}
