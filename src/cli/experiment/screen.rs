//! What an experiment prints, and its progress bar.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use super::super::{note, prior, progress, say};
use crate::control::{self, Control};
use crate::experiment::results::Record;
use crate::experiment::{Event, Listener, Remark, Settings, report, sweep};
use crate::metrics;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Verbose {
    /// A line for each picture, with its time
    Debug,
    /// A line for each picture
    Info,
    /// Remarks and the result
    Warning,
    /// The result
    Critical,
}

/// Positions of the bar per picture.
const PARTS: u64 = 1000;

/// Prints the events of an experiment. The bar moves with every step, and is hidden where standard error is no terminal.
pub struct Screen {
    verbose: Verbose,
    bar: ProgressBar,
    /// Pictures, or pairs of them, that are done.
    done: AtomicU64,
    /// Pictures of the current batch.
    batch: AtomicU64,
}

impl Screen {
    /// An empty screen.
    pub fn new(verbose: Verbose) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {msg}, {eta} left, {prefix}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { verbose, bar, done: 0.into(), batch: 1.into() }
    }

    /// Prints a line of a result if at least this much is wanted.
    fn say(&self, level: Verbose, line: impl std::fmt::Display) {
        if self.verbose <= level {
            self.bar.suspend(|| say(line));
        }
    }

    /// Prints a remark if at least this much is wanted.
    fn note(&self, level: Verbose, line: impl std::fmt::Display) {
        if self.verbose <= level {
            self.bar.suspend(|| note(line));
        }
    }

    /// Starts the bar for so many pictures.
    fn begin(&self, pictures: usize) {
        self.done.store(0, Ordering::Relaxed);
        self.bar.reset();
        self.bar.set_length(pictures as u64 * PARTS);
        self.show(0, "");
    }

    /// One more picture is done.
    fn advance(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.show(0, "");
    }

    /// Moves the bar to the pictures that are done and `parts` of the next.
    fn show(&self, parts: u64, step: &str) {
        let (done, all) = (self.done.load(Ordering::Relaxed), self.bar.length().unwrap_or(0) / PARTS);
        self.bar.set_position(done * PARTS + parts);
        self.bar.set_message(format!("{done} of {all} pictures{step}"));
    }

    fn picture(&self, record: &Record) {
        self.advance();
        match &record.error {
            Some(error) => {
                self.note(Verbose::Critical, format!("picture {} was skipped: {error}", record.index));
            }
            None => self.say(Verbose::Info, line(record, self.verbose)),
        }
    }
}

impl Control for Screen {
    fn cancelled(&self) -> bool {
        progress::stopped()
    }

    fn emit(&self, event: control::Event) {
        match event {
            control::Event::Loading { done, all } => {
                self.bar.set_length(all);
                self.bar.set_position(done);
                self.bar.set_message("loading the prior");
            }
            control::Event::Step { done, all } => {
                let parts = PARTS * self.batch.load(Ordering::Relaxed) * done as u64 / all.max(1) as u64;
                self.show(parts, &format!(", step {done} of {all}"));
            }
            _ => {}
        }
    }
}

impl Listener for Screen {
    fn hear(&self, event: &Event) {
        match event {
            Event::Device(device) => {
                self.bar.set_prefix(device.description.clone());
                self.say(Verbose::Info, format!("device      {} ({})", device.description, device.reason));
            }
            Event::Prior { prior, side } => {
                self.bar.finish_and_clear();
                self.say(Verbose::Info, format!("prior       {}", prior::describe(prior)));
                if self.verbose <= Verbose::Warning {
                    prior::hint(prior, [*side; 2]);
                }
            }
            Event::Remark(remark) => self.note(Verbose::Warning, sentence(remark)),
            Event::Settings(settings) => self.say(Verbose::Info, describe(settings)),
            Event::Begun { pending, done } => {
                if *done > 0 {
                    let done = if *done == 1 { "1 picture is".to_owned() } else { format!("{done} pictures are") };
                    self.note(Verbose::Warning, format!("{done} done already"));
                }
                self.begin(*pending);
            }
            Event::Batch { pictures } => self.batch.store(*pictures as u64, Ordering::Relaxed),
            Event::Picture(record) => self.picture(record),
            Event::Sets { pairs } => self.begin(*pairs),
            Event::Pair => self.advance(),
            Event::Run { number, count, point } => {
                self.note(Verbose::Critical, format!("run {number} of {count}: {}", sweep::described(point)));
            }
            Event::Row { row, metric } => {
                self.bar.finish_and_clear();
                let mean = row.means.get(metric.name);
                let value = mean.map_or_else(String::new, |mean| report::shown_mean(metric, mean));
                self.say(Verbose::Critical, format!("{}: {} {value}", sweep::described(&row.point), metric.title));
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A remark with the flags that change it.
fn sentence(remark: &Remark) -> String {
    match remark {
        Remark::ReferenceClass(class) => format!("class {class}, as in the reference; --class chooses another"),
        Remark::OneByOne => "batches of one picture, because each picture has its own kernel".into(),
        Remark::SmallerBatch { batch, wanted } => {
            format!("batches of {batch}, because {wanted} pictures do not fit the memory")
        }
        Remark::FewSteps { method, steps, published } => format!(
            "{method} was published with {published} steps (NFE), but {steps} will be run; --steps {published} changes it"
        ),
    }
}

fn describe(settings: &Settings) -> String {
    let Settings { measurement, config, side, pictures, .. } = settings;
    let scale = if measurement.deg_scale > 0.0 { format!(" {}", measurement.deg_scale) } else { String::new() };
    let parameters = match serde_json::to_value(&config.method) {
        Ok(serde_json::Value::Object(fields)) => {
            let others = fields.into_iter().filter(|(name, _)| name != "name");
            others
                .map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"')))
                .collect::<Vec<_>>()
                .join(", ")
        }
        _ => String::new(),
    };
    let count = pictures.len();
    let evaluations = match config.evaluations() {
        Ok(1) => "1 network evaluation".into(),
        Ok(count) => format!("{count} network evaluations"),
        Err(_) => String::new(),
    };
    format!(
        "task        {}{scale}, noise {}, {count} {} of {side}x{side}\nmethod      {}, {}, {parameters}",
        measurement.deg,
        config.sigma,
        if count == 1 { "picture" } else { "pictures" },
        config.method.name(),
        evaluations,
    )
}

/// A line about a picture, as the reference logs it.
fn line(record: &Record, verbose: Verbose) -> String {
    let value =
        |about: &metrics::About| Some(format!("{} {}", about.title, about.shown(*record.metrics.get(about.name)?)));
    let values: Vec<String> = metrics::ALL.iter().filter_map(value).collect();
    let seconds = if verbose == Verbose::Debug { format!(", {:.2} s", record.seconds) } else { String::new() };
    format!("{}: {}{seconds}", record.index, values.join(", "))
}
