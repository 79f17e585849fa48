//! The two threads behind the window, and what is said between them and it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use eframe::egui::{ColorImage, Context};

use super::bench::Bench;
use super::board::Board;
use super::levels::Levels;
use super::reader::read_all;
use super::saving::Saving;
use super::words;
use crate::error::{Error, Hint, Result};
use crate::estimate::Diagnosis;
use crate::job::{Done, Opened};
use crate::picture::{Picture, Writing};
use crate::restore::{PriorChoice, Wish};

/// Names a photo of the queue.
pub type Id = u64;

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
    /// Read a photo, its levels as well if it is looked at, and say what is wrong with it unless that is known.
    Read { id: Id, origin: Origin, look: bool, is_known: bool },
    /// Say what a wish means for a photo, and what a file of a name would not hold of the result.
    Plan { id: Id, opened: Arc<Opened>, wish: Box<Wish>, holes: Option<Holes>, output: PathBuf, writing: Writing },
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
    /// A name that [`crate::device::open`] knows; none for the best.
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
    /// The wish with what only the whole photo tells: for a part of it.
    pub settled: Wish,
    /// What the file that it is saved to will lack, in sentences.
    pub lacks: Vec<String>,
}

/// What the threads tell the window.
pub enum News {
    /// A photo was read.
    Read { id: Id, read: Box<std::result::Result<Read, String>> },
    /// What a wish means, or why it cannot be had.
    Planned { id: Id, plan: Box<std::result::Result<Plan, Refusal>> },
    /// A result to look at, how it differs from the photo, and what of the photo it does not explain.
    Shown { id: Id, levels: Arc<Levels>, difference: Option<Arc<Levels>>, residual: Option<Arc<Levels>> },
    /// The work on a photo began.
    Began { id: Id },
    /// A photo was restored.
    Restored { id: Id, outcome: Outcome },
    /// It was not.
    Failed { id: Id, why: Refusal },
    /// A result was written, or why not.
    Saved { id: Id, done: Arc<Done>, saved: std::result::Result<PathBuf, String> },
    /// Parts that were tried, or why a wish cannot be had, and seconds for an evaluation of a pixel.
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

/// What became of a photo.
pub struct Outcome {
    /// The result.
    pub done: Arc<Done>,
    /// Where it was saved, if that was asked for and could be done.
    pub saved: Option<PathBuf>,
    /// What is known of it, in a line.
    pub line: String,
    /// Seconds for an evaluation of a pixel.
    pub rate: f64,
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
    /// What an error means.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::NotNeeded { .. } => Self::NotNeeded(error.sentence(&words::Labels)),
            Error::Stopped { .. } => Self::Stopped,
            _ => Self::Fault(error.sentence(&words::Labels)),
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
    /// What is wrong with it, unless that was known.
    pub diagnosis: Option<Diagnosis>,
    /// What of its file was not read, in sentences.
    pub remarks: Vec<String>,
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
        thread::spawn(move || Bench::new(engine, restorer, shared).work(&ordered));
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

/// Tells the window, and wakes it.
pub(super) struct Teller {
    news: Sender<News>,
    /// Where it is shown.
    pub ctx: Context,
}

impl Teller {
    pub fn tell(&self, news: News) {
        _ = self.news.send(news);
        self.ctx.request_repaint();
    }
}

/// What a fault of the program or of a driver is called.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Error::Device {
            device: "the device".into(),
            fact: format!("the work on it broke off ({})", message.unwrap_or_else(|| "no message".into())),
            hint: Hint::use_cpu(),
        })
    })
}
