//! The two threads behind the window: one reads photos and finds out what is wrong with them, one restores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use eframe::egui::{ColorImage, Context};

use super::levels::{Levels, color_image};
use super::saving::Saving;
use super::words::{self, Plain};
use crate::control::{Control, Event, Silent};
use crate::device;
use crate::error::{Error, PathContext, Result};
use crate::estimate::Diagnosis;
use crate::job::{Done, Job, Opened};
use crate::model::{ModelFolder, catalog};
use crate::picture::Picture;
use crate::prior::inspect;
use crate::restore::{PriorChoice, Quality, Restorer, Source, Wish};

/// Names a photo of the queue.
pub type Id = u64;
/// Samples that say how sure a result is.
const SAMPLES: usize = 8;
/// Longest side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 160;
/// Longest side of a preview while a photo is restored.
const PREVIEW: u32 = 1024;
/// Shortest time between two redraws for progress alone.
const REDRAWS: Duration = Duration::from_millis(100);
/// Shortest time between two previews.
const PREVIEWS: Duration = Duration::from_millis(300);

/// Where the bytes of a photo are.
#[derive(Clone)]
pub enum Origin {
    /// In a file.
    File(PathBuf),
    /// In memory, such as those of a picture that was pasted, under a name.
    Memory(PathBuf, Arc<Vec<u8>>),
}

/// Pixels that are to be filled in, row by row.
pub type Holes = Arc<Vec<bool>>;

/// What the reader is asked.
pub enum Question {
    /// Read a photo, and say what is wrong with it; its levels if it is looked at.
    Read { id: Id, origin: Origin, page: usize, look: bool },
    /// Say what a wish means for a photo.
    Plan { id: Id, opened: Arc<Opened>, wish: Box<Wish>, holes: Option<Holes> },
    /// Write a result to a place, with or without metadata.
    Save { id: Id, done: Arc<Done>, saving: Saving },
    /// Show a result that is in memory, or in a file.
    Show { id: Id, before: Option<Arc<Opened>>, result: Shown },
}

/// A result to show.
pub enum Shown {
    /// In memory.
    Done(Arc<Done>),
    /// In the file it was saved to.
    File(PathBuf),
}

/// What the restorer is told.
pub enum Order {
    /// Restore a photo.
    Restore { id: Id, photo: Photo, wish: Box<Wish>, holes: Option<Holes>, save: Option<Saving> },
    /// Restore a part of a photo in several ways, for a look.
    Try { id: Id, number: u64, part: Box<Picture>, wishes: Vec<Wish> },
    /// Say how sure a result is.
    Doubt { id: Id, opened: Arc<Opened>, holes: Option<Holes>, done: Arc<Done> },
    /// Compute elsewhere, or with another prior.
    Change(Engine),
    /// Fetch a published prior.
    Fetch(String),
}

/// A photo to restore.
pub enum Photo {
    /// It is in memory.
    Opened(Arc<Opened>),
    /// It has to be read.
    At(Origin),
}

/// Where and with what is computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Engine {
    /// A name that [`device::open`] knows; none for the best.
    pub device: Option<String>,
    /// The prior.
    pub prior: PriorChoice,
}

/// What a wish means for a photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Width and height of the result.
    pub size: [usize; 2],
    /// What is undone, and how, in one line.
    pub line: String,
    /// Network evaluations, times pixels: what the time goes with.
    pub work: f64,
}

/// What the threads tell the window.
pub enum News {
    /// A photo was read.
    Read { id: Id, read: Box<std::result::Result<Read, String>> },
    /// What a wish means, or why it cannot be had.
    Planned { id: Id, plan: std::result::Result<Plan, Refusal> },
    /// A result to look at, and how it differs from the photo.
    Shown { id: Id, levels: Arc<Levels>, difference: Option<Arc<Levels>> },
    /// The work on a photo began.
    Began { id: Id },
    /// A photo was restored, and saved where that was asked for.
    Restored { id: Id, done: Arc<Done>, saved: Option<PathBuf>, line: String, rate: f64 },
    /// It was not.
    Failed { id: Id, why: Refusal },
    /// A result was written, or why not.
    Saved { id: Id, done: Arc<Done>, saved: std::result::Result<PathBuf, String> },
    /// Parts that were tried; `None` where a wish cannot be had.
    Tried { id: Id, number: u64, parts: Vec<std::result::Result<ColorImage, String>>, rate: Option<f64> },
    /// How sure a result is, or why that is not known.
    Doubted { id: Id, map: std::result::Result<Arc<Levels>, Refusal> },
    /// Device and prior are ready.
    Ready { line: String },
    /// The CPU is used in place of another device, for a reason.
    OnCpu(String),
    /// Something the user should read.
    Remark(String),
    /// A prior was fetched, or why not.
    Fetched(std::result::Result<String, Refusal>),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// Nothing is wrong with the photo, in a sentence.
    NotNeeded(String),
    /// It was stopped.
    Stopped,
    /// Something is wrong, in a sentence.
    Fault(String),
}

impl Refusal {
    fn of(error: &Error) -> Self {
        match error {
            Error::NotNeeded { .. } => Self::NotNeeded(error.sentence(&Plain)),
            Error::Stopped { .. } => Self::Stopped,
            _ => Self::Fault(error.sentence(&Plain)),
        }
    }
}

/// A photo that was read.
pub struct Read {
    /// The photo, where it is looked at.
    pub opened: Option<Arc<Opened>>,
    /// Its pixels as they are painted, where it is looked at.
    pub levels: Option<Arc<Levels>>,
    /// A small picture of it.
    pub thumbnail: ColorImage,
    /// Width and height.
    pub size: [usize; 2],
    /// Its fully transparent pixels, where it is looked at and has any.
    pub transparent: Option<Vec<bool>>,
    /// What is wrong with it.
    pub diagnosis: Diagnosis,
    /// What of its file was not read, in sentences.
    pub remarks: Vec<String>,
}

/// How far the work is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What is being done, in words.
    pub doing: String,
    /// Share that is done, where it is known.
    pub share: Option<f32>,
    /// Seconds that are left, where they are known.
    pub left: Option<f32>,
}

/// What the window and the restorer share: the newest only.
#[derive(Default)]
pub struct Board {
    progress: Mutex<Progress>,
    preview: Mutex<Option<ColorImage>>,
    stopped: AtomicBool,
    /// Whether something waits that is more than a look.
    hurries: AtomicBool,
    paused: Mutex<bool>,
    resumed: Condvar,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// How far the work is.
    pub fn progress(&self) -> Progress {
        locked(&self.progress).clone()
    }

    /// The newest preview, once.
    pub fn take_preview(&self) -> Option<ColorImage> {
        locked(&self.preview).take()
    }

    /// Lets the next work go on, whatever was stopped before. To be called before it is ordered.
    pub fn allow(&self) {
        self.stopped.store(false, Ordering::SeqCst);
        self.hurries.store(true, Ordering::SeqCst);
        self.set_paused(false);
    }

    /// Makes the work stop at the next place that asks.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.set_paused(false);
    }

    /// Makes the work wait, or go on.
    pub fn set_paused(&self, paused: bool) {
        *locked(&self.paused) = paused;
        self.resumed.notify_all();
    }

    /// Whether the work waits.
    pub fn is_paused(&self) -> bool {
        *locked(&self.paused)
    }

    fn begin(&self) {
        self.hurries.store(false, Ordering::SeqCst);
        *locked(&self.progress) = Progress::default();
        *locked(&self.preview) = None;
    }
}

/// Listens to one restoration.
struct Listener<'a> {
    board: &'a Board,
    ctx: &'a Context,
    clock: Mutex<Clock>,
}

/// Where a run is, and when its first step began.
#[derive(Default)]
struct Clock {
    begun: Option<Instant>,
    step: usize,
    steps: usize,
    /// Time that the work waited.
    paused: Duration,
}

impl<'a> Listener<'a> {
    fn new(board: &'a Board, ctx: &'a Context) -> Self {
        Self { board, ctx, clock: Mutex::default() }
    }

    fn say(&self, doing: &str, share: Option<f32>, left: Option<f32>) {
        *locked(&self.board.progress) = Progress { doing: doing.into(), share, left };
        // What draws may be the processor that works.
        self.ctx.request_repaint_after(REDRAWS);
    }

    /// Steps with a share of the one that runs.
    fn advance(&self, clock: &mut Clock, within: f32) {
        let begun = *clock.begun.get_or_insert_with(Instant::now);
        let share = (clock.step as f32 + within) / clock.steps.max(1) as f32;
        let worked = begun.elapsed().saturating_sub(clock.paused).as_secs_f32();
        let left = (share > 0.02).then(|| worked * (1.0 - share) / share);
        self.say("", Some(share), left);
    }
}

impl Control for Listener<'_> {
    fn cancelled(&self) -> bool {
        let mut paused = locked(&self.board.paused);
        if *paused {
            let begun = Instant::now();
            while *paused {
                paused = self.board.resumed.wait(paused).unwrap_or_else(PoisonError::into_inner);
            }
            locked(&self.clock).paused += begun.elapsed();
        }
        drop(paused);
        self.board.stopped.load(Ordering::SeqCst)
    }

    fn emit(&self, event: Event) {
        match event {
            Event::Loading { done, all } => self.say("prior", Some(done as f32 / all.max(1) as f32), None),
            Event::Bytes { done, all } => self.say("fetching", all.map(|all| done as f32 / all.max(1) as f32), None),
            Event::Estimating(what) => {
                // The clock of the steps begins after what comes before them.
                let mut clock = locked(&self.clock);
                (clock.begun, clock.paused) = (Some(Instant::now()), Duration::ZERO);
                drop(clock);
                self.say(what, None, None);
            }
            Event::Step { done, all } => {
                let mut clock = locked(&self.clock);
                (clock.step, clock.steps) = (done, all);
                self.advance(&mut clock, 0.0);
            }
            Event::Window { done, all } => {
                let mut clock = locked(&self.clock);
                if clock.steps > 0 {
                    self.advance(&mut clock, done as f32 / all.max(1) as f32);
                }
            }
            Event::Preview(picture) => {
                let (width, height) = picture.pixels().dimensions();
                let longest = width.max(height);
                let shown = match longest > PREVIEW {
                    true => {
                        let size = [height, width].map(|side| (side * PREVIEW / longest).max(1) as usize);
                        color_image(&picture.resampled(size))
                    }
                    false => color_image(picture),
                };
                *locked(&self.board.preview) = Some(shown);
                self.ctx.request_repaint();
            }
            Event::Found(_) | Event::Estimate(_) => {}
        }
    }

    fn preview_interval(&self) -> Option<Duration> {
        Some(PREVIEWS)
    }
}

/// Listens to a look: it says nothing, and makes way for more.
struct Look<'a>(&'a Board);

impl Control for Look<'_> {
    fn cancelled(&self) -> bool {
        self.0.hurries.load(Ordering::SeqCst)
    }
}

/// The threads; they end when it is dropped and their work is done.
pub struct Workers {
    questions: Sender<Question>,
    orders: Sender<Order>,
    news: Receiver<News>,
    /// What is shared with the restorer.
    pub board: Arc<Board>,
}

impl Workers {
    /// Starts both.
    pub fn start(ctx: &Context, engine: Engine) -> Self {
        let (questions, asked) = mpsc::channel();
        let (orders, ordered) = mpsc::channel();
        let (teller, news) = mpsc::channel();
        let board = Arc::new(Board::default());
        let reader = Teller { news: teller.clone(), ctx: ctx.clone() };
        thread::spawn(move || read_all(&asked, &reader));
        let restorer = Teller { news: teller, ctx: ctx.clone() };
        let shared = Arc::clone(&board);
        thread::spawn(move || Bench { engine, loaded: None, tell: restorer, board: shared }.work(&ordered));
        Self { questions, orders, news, board }
    }

    /// Asks the reader.
    pub fn ask(&self, question: Question) {
        // It ends with the window only.
        _ = self.questions.send(question);
    }

    /// Tells the restorer.
    pub fn order(&self, order: Order) {
        _ = self.orders.send(order);
    }

    /// What happened since.
    pub fn news(&self) -> Vec<News> {
        self.news.try_iter().collect()
    }
}

struct Teller {
    news: Sender<News>,
    ctx: Context,
}

impl Teller {
    fn tell(&self, news: News) {
        _ = self.news.send(news);
        self.ctx.request_repaint();
    }
}

fn open(origin: &Origin, page: usize) -> Result<Opened> {
    match origin {
        Origin::File(path) => Opened::decode(&std::fs::read(path).reading(path)?, path, page),
        Origin::Memory(name, bytes) => Opened::decode(bytes, name, page),
    }
}

/// The photo with its holes transparent, as inpainting takes them.
fn with_holes(opened: &Arc<Opened>, holes: Option<&Holes>) -> Arc<Opened> {
    match (&opened.source, holes) {
        (Source::Photo(photo), Some(holes)) => {
            let photo = photo.clone().transparent_at(holes.iter().copied());
            Arc::new(Opened { source: photo.into(), input: opened.input.clone() })
        }
        _ => Arc::clone(opened),
    }
}

fn read_all(questions: &Receiver<Question>, tell: &Teller) {
    let mut waiting: Vec<Question> = Vec::new();
    loop {
        if waiting.is_empty() {
            let Ok(question) = questions.recv() else { return };
            waiting.push(question);
        }
        waiting.extend(questions.try_iter());
        // Of plans and of looks the last is wanted, and what is looked at comes first.
        let last_plan = waiting.iter().rposition(|question| matches!(question, Question::Plan { .. }));
        let mut at = 0;
        waiting.retain(|question| {
            at += 1;
            !matches!(question, Question::Plan { .. }) || Some(at - 1) == last_plan
        });
        let last_look = waiting.iter().rposition(|question| matches!(question, Question::Read { look: true, .. }));
        for question in waiting.iter_mut().take(last_look.unwrap_or(0)) {
            if let Question::Read { look, .. } = question {
                *look = false;
            }
        }
        let is_looked = |question: &Question| !matches!(question, Question::Read { look: false, .. });
        let first = waiting.iter().position(is_looked).unwrap_or(0);
        tell.tell(answer(waiting.remove(first)));
    }
}

fn answer(question: Question) -> News {
    match question {
        Question::Read { id, origin, page, look } => {
            let read = guarded(|| read(&origin, page, look)).map_err(|error| error.sentence(&Plain));
            News::Read { id, read: Box::new(read) }
        }
        Question::Plan { id, opened, wish, holes } => {
            let plan = guarded(|| plan(&with_holes(&opened, holes.as_ref()), &wish));
            News::Planned { id, plan: plan.map_err(|error| Refusal::of(&error)) }
        }
        Question::Save { id, done, saving } => {
            let saved = guarded(|| saving.save(&done)).map_err(|error| error.sentence(&Plain));
            News::Saved { id, done, saved }
        }
        Question::Show { id, before, result } => {
            let shown = guarded(|| {
                let kept;
                let picture = match &result {
                    Shown::Done(done) => &done.restored.picture,
                    Shown::File(path) => {
                        kept = Picture::read(path)?;
                        &kept
                    }
                };
                let before = before.as_ref().and_then(|opened| opened.source.photo());
                let difference = before.and_then(|before| Levels::of_difference(before, picture)).map(Arc::new);
                Ok(News::Shown { id, levels: Arc::new(Levels::of(picture)), difference })
            });
            shown.unwrap_or_else(|error| News::Remark(error.sentence(&Plain)))
        }
    }
}

fn read(origin: &Origin, page: usize, look: bool) -> Result<Read> {
    let opened = Arc::new(open(origin, page)?);
    let Some(photo) = opened.source.photo() else {
        let (Origin::File(path) | Origin::Memory(path, _)) = origin;
        let fact = "it holds measurements, and the window restores photos";
        return Err(Error::picture(path, fact, "restore it with `fdgr restore`"));
    };
    let levels = look.then(|| Arc::new(Levels::of(photo)));
    let (width, height) = photo.pixels().dimensions();
    let longest = width.max(height).max(THUMBNAIL);
    let size = [height, width].map(|side| (side * THUMBNAIL / longest).max(1) as usize);
    let thumbnail = color_image(&photo.resampled(size));
    let transparent = photo.transparent().filter(|_| look);
    let (remarks, diagnosis) = (photo.remarks.clone(), Diagnosis::of(photo));
    let size = [photo.width(), photo.height()];
    Ok(Read { opened: look.then_some(opened), levels, thumbnail, size, transparent, diagnosis, remarks })
}

fn plan(opened: &Arc<Opened>, wish: &Wish) -> Result<Plan> {
    let job = Job::new(Arc::clone(opened), wish, &Silent)?;
    let [height, width] = job.result_size();
    let [rows, columns] = job.config.image_size(&job.opened.source);
    let evaluations = job.config.evaluations()?;
    Ok(Plan {
        size: [width, height],
        line: words::method(
            &job.config.degradation.name(),
            job.config.method.name(),
            255.0 * job.config.sigma,
            evaluations,
        ),
        work: (evaluations * rows * columns) as f64,
    })
}

/// What a fault of the program or of a driver is called.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Error::Device {
            device: "the device".into(),
            fact: format!("the work on it broke off ({})", message.unwrap_or_else(|| "no message".into())),
            hint: crate::error::Hint::use_cpu(),
        })
    })
}

/// The thread that restores.
struct Bench {
    engine: Engine,
    loaded: Option<(Engine, Restorer)>,
    tell: Teller,
    board: Arc<Board>,
}

impl Bench {
    fn work(&mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            let mut waiting = vec![order];
            waiting.extend(orders.try_iter());
            let last_try = waiting.iter().rposition(|order| matches!(order, Order::Try { .. }));
            for (i, order) in waiting.into_iter().enumerate() {
                if matches!(order, Order::Try { .. }) && Some(i) != last_try {
                    continue;
                }
                self.obey(order);
                *locked(&self.board.progress) = Progress::default();
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
                self.tell.tell(News::Doubted { id, map: map.map_err(|error| Refusal::of(&error)) });
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
                    Ok((done, saved, line, rate)) => News::Restored { id, done, saved, line, rate },
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
        self.tell.tell(News::OnCpu(error.sentence(&Plain)));
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

    fn restore(
        &mut self,
        photo: &Photo,
        wish: &Wish,
        holes: Option<&Holes>,
        save: Option<&Saving>,
    ) -> Result<(Arc<Done>, Option<PathBuf>, String, f64)> {
        let opened = match photo {
            Photo::Opened(opened) => Arc::clone(opened),
            Photo::At(origin) => Arc::new(open(origin, 0)?),
        };
        let (board, ctx) = (Arc::clone(&self.board), self.tell.ctx.clone());
        let listener = Listener::new(&board, &ctx);
        let job = Job::new(with_holes(&opened, holes), wish, &listener)?;
        let choice = self.engine.prior.clone();
        let restorer = self.loaded(&listener)?;
        *locked(&listener.clock) = Clock::default();
        let begun = Instant::now();
        let done = Arc::new(job.restore(restorer, &choice, &listener)?);
        let seconds = begun.elapsed().saturating_sub(locked(&listener.clock).paused).as_secs_f64();
        // A result that cannot be saved there can be saved elsewhere.
        let saved = save.and_then(|saving| match saving.save(&done) {
            Ok(place) => Some(place),
            Err(error) => {
                self.tell.tell(News::Remark(error.sentence(&Plain)));
                None
            }
        });
        let [rows, columns] = job.config.image_size(&job.opened.source);
        let receipt = &done.restored.receipt;
        let rate = seconds / (receipt.evaluations.max(1) * rows * columns) as f64;
        let words = receipt.describe(job.config.sigma);
        let line = words::result(job.config.method.name(), seconds, receipt.evaluations, &words);
        Ok((done, saved, line, rate))
    }

    /// The map of a result's uncertainty, four times as bright, so that it is seen.
    fn doubt(&mut self, opened: &Opened, done: &Done) -> Result<Arc<Levels>> {
        let (board, ctx) = (Arc::clone(&self.board), self.tell.ctx.clone());
        let listener = Listener::new(&board, &ctx);
        let restorer = self.loaded(&listener)?;
        let map = restorer.uncertainty(&opened.source, &done.restored, SAMPLES, &listener)?.map;
        Ok(Arc::new(Levels::of_map(&map, 4.0)))
    }

    fn try_part(&mut self, id: Id, number: u64, part: &Picture, wishes: &[Wish]) {
        let board = Arc::clone(&self.board);
        let look = Look(&board);
        let mut rate = None;
        let mut tried = |wish: &Wish| {
            let opened = Opened { source: part.clone().into(), input: super::photo::input_of_part() };
            let mut wish = wish.clone();
            let quality = Some(Quality::Draft).filter(|_| wish.overrides.steps.is_none());
            wish.overrides.quality = wish.overrides.quality.or(quality);
            // What was found is that of the whole photo.
            let job = Job { is_found: false, ..Job::new(opened, &wish, &look)? };
            let choice = self.engine.prior.clone();
            let restorer = self.loaded(&look)?;
            let begun = Instant::now();
            let done = job.restore(restorer, &choice, &look)?;
            let work = done.restored.receipt.evaluations.max(1) * part.width() * part.height();
            rate = Some(begun.elapsed().as_secs_f64() / work as f64);
            Ok(color_image(&done.restored.picture))
        };
        let mut parts = Vec::new();
        for wish in wishes {
            match guarded(|| tried(wish)) {
                // What made it stop comes first; the window asks again.
                Err(Error::Stopped { .. }) => return,
                part => parts.push(part.map_err(|error| error.sentence(&Plain))),
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
