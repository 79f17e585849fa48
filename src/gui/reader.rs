//! The thread that reads photos, finds out what is wrong with them, says what wishes mean, and writes results.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::levels::{Levels, color_image};
use super::words;
use super::worker::{Holes, News, Origin, Plan, Question, Read, Refusal, Shown, Teller, guarded};
use crate::control::Silent;
use crate::error::{Error, PathContext, Result};
use crate::estimate::Diagnosis;
use crate::job::{Job, Opened};
use crate::picture::{Picture, Writing};
use crate::restore::{PriorChoice, Source, Wish};

/// Longest side of a thumbnail, in pixels.
const THUMBNAIL: u32 = 160;

/// Reads a photo, the first page where there are several.
pub(super) fn open(origin: &Origin) -> Result<Opened> {
    match origin {
        Origin::File(path) => Opened::decode(&std::fs::read(path).reading(path)?, path, 0),
        Origin::Memory(name, bytes) => Opened::decode(bytes, name, 0),
    }
}

/// The photo with its holes transparent, as inpainting takes them.
pub(super) fn with_holes(opened: &Arc<Opened>, holes: Option<&Holes>) -> Arc<Opened> {
    match (&opened.source, holes) {
        (Source::Photo(photo), Some(holes)) => {
            let photo = photo.clone().transparent_at(holes.iter().copied());
            Arc::new(Opened { source: photo.into(), input: opened.input.clone() })
        }
        _ => Arc::clone(opened),
    }
}

/// Answers until nobody asks any more.
pub(super) fn read_all(questions: &Receiver<Question>, tell: &Teller) {
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
        Question::Read { id, origin, look, is_known } => {
            let read = guarded(|| read(&origin, look, is_known)).map_err(|error| error.sentence(&words::Labels));
            News::Read { id, read: Box::new(read) }
        }
        Question::Plan { id, opened, wish, holes, output, writing } => {
            let plan = guarded(|| plan(&with_holes(&opened, holes.as_ref()), &wish, &output, &writing));
            News::Planned { id, plan: Box::new(plan.map_err(|error| Refusal::of(&error))) }
        }
        Question::Save { id, done, saving } => {
            let saved = guarded(|| saving.save(&done)).map_err(|error| error.sentence(&words::Labels));
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
                let residual = match &result {
                    Shown::Done(done) => done.restored.residual.as_ref().map(Levels::of_rgb).map(Arc::new),
                    Shown::File(_) => None,
                };
                Ok(News::Shown { id, levels: Arc::new(Levels::of(picture)), difference, residual })
            });
            shown.unwrap_or_else(|error| News::Remark(error.sentence(&words::Labels)))
        }
    }
}

fn read(origin: &Origin, look: bool, is_known: bool) -> Result<Read> {
    let opened = Arc::new(open(origin)?);
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
    let transparent = look.then(|| photo.transparent()).flatten();
    let diagnosis = (!is_known).then(|| Diagnosis::of(photo));
    let remarks = photo.remarks.clone();
    let size = [photo.width(), photo.height()];
    Ok(Read { opened: look.then_some(opened), levels, thumbnail, size, transparent, diagnosis, remarks })
}

/// What the file of a result will lack, or why it cannot hold the result, in sentences.
fn lacks(job: &Job, output: &Path, writing: &Writing) -> Vec<String> {
    let size = job.result_size();
    let losses = match (job.opened.source.photo(), job.config.degradation.holes()) {
        // What is filled in is not transparent any more.
        (Some(photo), Some(holes)) => {
            let source = photo.clone().opaque_at(holes.unknown()).into();
            Opened { source, input: job.opened.input.clone() }.losses(output, size, writing)
        }
        _ => job.opened.losses(output, size, writing),
    };
    losses.unwrap_or_else(|error| vec![error.sentence(&words::Labels)])
}

fn plan(opened: &Arc<Opened>, wish: &Wish, output: &Path, writing: &Writing) -> Result<Plan> {
    let settled = wish.settled(&opened.source)?;
    // Neither the size nor the number of evaluations depends on the prior.
    let job = Job::new(Arc::clone(opened), &settled, &PriorChoice::default(), &Silent)?;
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
        settled,
        lacks: lacks(&job, output, writing),
    })
}
