//! A part of the photo, restored while its settings are chosen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{Pos2, TextureHandle};

use super::Window;
use super::app::Looked;
use super::brush::Canvas;
use super::photo::Photo;
use super::worker::{Holes, Id, Order};
use crate::estimate::Treatment;
use crate::restore::{Preference, Wish};

/// Side of the part that is tried.
const PART: u32 = 256;
/// How long settings rest before a part is tried with them.
const REST: Duration = Duration::from_millis(300);

/// A part restored in both ways.
#[derive(Default)]
pub(super) struct Tried {
    /// What was tried last.
    pub wanted: Option<(Id, Wish, Option<Holes>, [u32; 2])>,
    since: Option<Instant>,
    /// Of the last try.
    pub number: u64,
    is_sent: bool,
    /// The parts, or why there is none.
    pub parts: Vec<Result<TextureHandle, String>>,
}

impl Window {
    /// What is tried on a part: what was found on the whole photo, where nothing was asked for.
    fn wish_of_part(photo: &Photo) -> Option<Wish> {
        // How it faded, the whole photo tells.
        let mut wish = match &photo.plan {
            Some(Ok(plan)) => plan.settled.clone(),
            _ => photo.wish.clone(),
        };
        if wish.tasks.is_empty() && !wish.force {
            let diagnosis = photo.diagnosis.as_ref()?;
            let (_, Treatment { task, values, enlarged }) = diagnosis.treatment()?;
            wish.tasks = vec![(*task).to_owned()];
            wish.values = values.clone();
            wish.enlarged = wish.enlarged.or(*enlarged);
            if *task == "denoise" {
                wish.sigma = wish.sigma.or(Some(diagnosis.noise.sigma));
            }
        }
        wish.size = None;
        Some(wish)
    }

    /// Tries a part of the photo both ways, once its settings rest.
    pub(super) fn try_parts(&mut self) {
        let Some(Looked { id, opened: Some(opened), centre, .. }) = &self.looked else { return };
        let (id, opened, centre) = (*id, Arc::clone(opened), *centre);
        if self.running.is_some() {
            return;
        }
        let Some(photo) = self.photo_mut(id) else { return };
        let is_possible = matches!(photo.plan, Some(Ok(_)));
        let Some(wish) = Self::wish_of_part(photo).filter(|_| is_possible) else {
            self.tried.parts.clear();
            self.tried.wanted = None;
            return;
        };
        let holes = photo.holes();
        let Some(picture) = opened.source.photo() else { return };
        let (width, height) = picture.pixels().dimensions();
        let size = [PART.min(width), PART.min(height)];
        let at = part_at([width, height], centre, holes.as_ref().zip(photo.canvas.as_ref().and_then(Canvas::middle)));
        let wanted = (id, wish.clone(), holes.clone(), at);
        if self.tried.wanted.as_ref() != Some(&wanted) {
            self.tried.wanted = Some(wanted);
            self.tried.since = Some(Instant::now());
            self.tried.is_sent = false;
        }
        if self.tried.is_sent {
            return;
        }
        let rested = self.tried.since.map_or(REST, |since| since.elapsed());
        if rested < REST {
            self.ctx.request_repaint_after(REST - rested);
            return;
        }
        let part = picture.cropped(at[0], at[1], size[0], size[1]);
        let part = Box::new(match &holes {
            Some(holes) => {
                let row = |y: u32| (at[0]..at[0] + size[0]).map(move |x| (y * width + x) as usize);
                part.transparent_at((at[1]..at[1] + size[1]).flat_map(row).map(|i| holes[i]))
            }
            None => part,
        });
        let preferring = |preference| {
            let mut wish = wish.clone();
            wish.overrides.preference = Some(preference);
            wish
        };
        let wishes = match wish.overrides.method {
            Some(_) => vec![wish],
            None => vec![preferring(Preference::Fidelity), preferring(Preference::Naturalness)],
        };
        self.tried.number += 1;
        self.tried.is_sent = true;
        self.workers.order(Order::Try { id, number: self.tried.number, part, wishes });
    }
}

/// The corner of the part of a photo of that size around a place, in shares of its sides; or around a hole in the middle of its holes,
/// where it would have none otherwise.
fn part_at([width, height]: [u32; 2], centre: Pos2, holes: Option<(&Holes, [usize; 2])>) -> [u32; 2] {
    let corner = |share: f32, side: u32| {
        let part = PART.min(side);
        // In steps of the blocks of JPEG.
        ((share * side as f32 - part as f32 / 2.0).clamp(0.0, (side - part) as f32) as u32) / 16 * 16
    };
    let at = [corner(centre.x, width), corner(centre.y, height)];
    match holes {
        Some((holes, [x, y])) if !has_hole(holes, width, at, [PART.min(width), PART.min(height)]) => {
            [corner(x as f32 / width as f32, width), corner(y as f32 / height as f32, height)]
        }
        _ => at,
    }
}

/// Whether a part of a photo of that width has a hole.
fn has_hole(holes: &[bool], width: u32, [left, top]: [u32; 2], [columns, rows]: [u32; 2]) -> bool {
    (top..top + rows).any(|y| {
        let start = (y * width + left) as usize;
        holes[start..start + columns as usize].contains(&true)
    })
}
