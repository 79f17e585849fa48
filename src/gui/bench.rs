//! The thread that restores: it owns the device and the prior.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::board::{Board, Clock, Listener, Look, locked};
use super::levels::{Levels, color_image};
use super::photo::input_of_part;
use super::reader::{open, with_holes};
use super::saving::Saving;
use super::words;
use super::worker::{Engine, Holes, Id, News, Order, Outcome, Photo, Refusal, Teller, guarded};
use crate::control::Control;
use crate::device;
use crate::error::{Error, Result};
use crate::job::{Done, Job, Opened};
use crate::model::{ModelFolder, catalog};
use crate::picture::Picture;
use crate::prior::inspect;
use crate::restore::{Quality, Restorer, Wish};

/// Samples that say how sure a result is.
const SAMPLES: usize = 8;

/// The thread that restores.
pub(super) struct Bench {
    engine: Engine,
    loaded: Option<(Engine, Restorer)>,
    tell: Teller,
    board: Arc<Board>,
}

impl Bench {
    /// Nothing is loaded before it is needed.
    pub fn new(engine: Engine, tell: Teller, board: Arc<Board>) -> Self {
        Self { engine, loaded: None, tell, board }
    }

    /// Obeys until nobody orders any more.
    pub fn work(&mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            let mut waiting = vec![order];
            waiting.extend(orders.try_iter());
            let last_try = waiting.iter().rposition(|order| matches!(order, Order::Try { .. }));
            for (i, order) in waiting.into_iter().enumerate() {
                if matches!(order, Order::Try { .. }) && Some(i) != last_try {
                    continue;
                }
                self.obey(order);
                self.board.end();
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Change(engine) => self.engine = engine,
            Order::Fetch(name) => {
                self.board.begin();
                let listener = Listener::new(&self.board, &self.tell.ctx);
                let fetched = guarded(|| fetch(&name, &listener)).map(|()| name);
                self.tell.tell(News::Fetched(fetched.map_err(|error| Refusal::of(&error))));
            }
            Order::Doubt { id, opened, holes, done } => {
                self.board.begin();
                let map = guarded(|| self.doubt(&with_holes(&opened, holes.as_ref()), &done));
                let map = map.map_err(|error| Refusal::of(&error)).and_then(|map| map.map_err(Refusal::Fault));
                self.tell.tell(News::Doubted { id, map });
            }
            Order::Try { id, number, part, wishes } => self.try_part(id, number, &part, &wishes),
            Order::Restore { id, photo, wish, holes, save } => {
                self.board.begin();
                self.tell.tell(News::Began { id });
                let mut done = guarded(|| self.restore(&photo, &wish, holes.as_ref(), save.as_ref()));
                if let Err(error @ (Error::Device { .. } | Error::TooLarge { .. })) = &done
                    && !self.is_on_cpu()
                {
                    self.fall_back(error);
                    done = guarded(|| self.restore(&photo, &wish, holes.as_ref(), save.as_ref()));
                }
                self.tell.tell(match done {
                    Ok(outcome) => News::Restored { id, outcome },
                    Err(error) => News::Failed { id, why: Refusal::of(&error) },
                });
            }
        }
    }

    fn is_on_cpu(&self) -> bool {
        let is_asked = self.engine.device.as_deref() == Some("cpu");
        is_asked || self.loaded.as_ref().is_some_and(|(_, restorer)| restorer.device().name == "cpu")
    }

    /// Takes the CPU in place of a device that failed.
    fn fall_back(&mut self, error: &Error) {
        self.tell.tell(News::OnCpu(error.sentence(&words::Labels)));
        self.engine.device = Some("cpu".into());
    }

    /// The restorer of the engine that is wanted.
    fn loaded(&mut self, control: &dyn Control) -> Result<&Restorer> {
        if self.loaded.as_ref().is_none_or(|(engine, _)| *engine != self.engine) {
            // The memory of the other one first.
            self.loaded = None;
            let selected = match device::open(self.engine.device.as_deref().unwrap_or("auto")) {
                Err(error) if !self.is_on_cpu() => {
                    self.fall_back(&error);
                    device::open("cpu")?
                }
                opened => opened?,
            };
            let restorer = Restorer::load(&self.engine.prior, selected, control)?;
            let line = words::engine(&restorer.device().description, restorer.prior().name());
            self.tell.tell(News::Ready { line });
            self.loaded = Some((self.engine.clone(), restorer));
        }
        match &self.loaded {
            Some((_, restorer)) => Ok(restorer),
            None => Err(Error::Stopped { during: "before a prior was loaded".into() }),
        }
    }

    fn restore(&mut self, photo: &Photo, wish: &Wish, holes: Option<&Holes>, save: Option<&Saving>) -> Result<Outcome> {
        let opened = match photo {
            Photo::Opened(opened) => Arc::clone(opened),
            Photo::At(origin) => Arc::new(open(origin)?),
        };
        let (board, ctx) = (Arc::clone(&self.board), self.tell.ctx.clone());
        let listener = Listener::new(&board, &ctx);
        let choice = self.engine.prior.clone();
        let job = Job::new(with_holes(&opened, holes), wish, &choice, &listener)?;
        let restorer = self.loaded(&listener)?;
        *locked(&listener.clock) = Clock::default();
        let begun = Instant::now();
        let done = Arc::new(job.restore(restorer, &choice, &listener)?);
        let seconds = begun.elapsed().saturating_sub(locked(&listener.clock).waited()).as_secs_f64();
        // A result that cannot be saved there can be saved elsewhere.
        let saved = save.and_then(|saving| match saving.save(&done) {
            Ok(place) => Some(place),
            Err(error) => {
                self.tell.tell(News::Remark(error.sentence(&words::Labels)));
                None
            }
        });
        let [rows, columns] = job.config.image_size(&job.opened.source);
        let receipt = &done.restored.receipt;
        let rate = seconds / (receipt.evaluations.max(1) * rows * columns) as f64;
        let words = receipt.describe(job.config.sigma);
        let line = words::result(job.config.method.name(), seconds, receipt.evaluations, &words);
        Ok(Outcome { done, saved, line, rate })
    }

    /// The map of a result's uncertainty, four times as bright, so that it is seen.
    fn doubt(&mut self, opened: &Opened, done: &Done) -> Result<std::result::Result<Arc<Levels>, String>> {
        let (board, ctx) = (Arc::clone(&self.board), self.tell.ctx.clone());
        let listener = Listener::new(&board, &ctx).unseen();
        let restorer = self.loaded(&listener)?;
        let map = restorer.uncertainty(&opened.source, &done.restored, SAMPLES, &listener)?.map;
        Ok(map.map(|map| Arc::new(Levels::of_map(&map, 4.0))).map_err(words::no_map))
    }

    fn try_part(&mut self, id: Id, number: u64, part: &Picture, wishes: &[Wish]) {
        let board = Arc::clone(&self.board);
        let look = Look(&board);
        let mut rate = None;
        let mut tried = |wish: &Wish| {
            let opened = Opened { source: part.clone().into(), input: input_of_part() };
            let mut wish = wish.clone();
            let quality = Some(Quality::Draft).filter(|_| wish.overrides.steps.is_none());
            wish.overrides.quality = wish.overrides.quality.or(quality);
            let choice = self.engine.prior.clone();
            let job = Job::new(opened, &wish, &choice, &look)?.of_part();
            let restorer = self.loaded(&look)?;
            let begun = Instant::now();
            let done = job.restore(restorer, &choice, &look)?;
            let [rows, columns] = job.config.image_size(&job.opened.source);
            let work = done.restored.receipt.evaluations.max(1) * rows * columns;
            rate = Some(begun.elapsed().as_secs_f64() / work as f64);
            Ok(color_image(&done.restored.picture))
        };
        let mut parts = Vec::new();
        for wish in wishes {
            match guarded(|| tried(wish)) {
                // What made it stop comes first; the window asks again.
                Err(Error::Stopped { .. }) => return,
                part => parts.push(part.map_err(|error| error.sentence(&words::Labels))),
            }
        }
        self.tell.tell(News::Tried { id, number, parts, rate });
    }
}

fn fetch(name: &str, control: &dyn Control) -> Result<()> {
    let known = catalog()?.into_iter().find(|known| known.name == name);
    let known =
        known.ok_or_else(|| Error::mismatch(name.to_owned(), "it is not in the catalogue", "choose another"))?;
    ModelFolder::open()?.pull(&known, &inspect::installable, control).map(drop)
}
