//! Flags that choose the prior, and remarks about it.

use super::note;
use crate::model::Subject;
use crate::prior::{EMBEDDED, Precision, Prior};
use crate::restore::PriorChoice;

#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Prior")]
pub(super) struct Args {
    /// Prior: photo (built in), a name of `fdgr models list`, or a checkpoint file or folder [default: photo, or what an experiment's configuration asks for]
    #[arg(long, value_name = "NAME|PATH")]
    model: Option<String>,
    /// How its weights are kept [default: f32 where it fits the memory]
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Class of ImageNet to restore towards, by number or name, for class-conditional priors
    #[arg(long, value_name = "NUMBER|NAME")]
    class: Option<String>,
    /// Classifier that guides towards the class
    #[arg(long, value_name = "NAME|PATH", requires = "class")]
    classifier: Option<String>,
    /// Weight of the classifier's gradient [default: 1]
    #[arg(long, value_name = "SCALE", allow_negative_numbers = true)]
    guidance_scale: Option<f64>,
}

impl Args {
    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        self.choice() != PriorChoice::named(EMBEDDED)
    }

    /// Whether a prior was named.
    pub fn chooses_model(&self) -> bool {
        self.model.is_some()
    }

    pub fn choice(&self) -> PriorChoice {
        PriorChoice {
            model: self.model.clone().unwrap_or_else(|| EMBEDDED.into()),
            precision: self.precision,
            class: self.class.clone(),
            classifier: self.classifier.clone(),
            guidance_scale: self.guidance_scale,
        }
    }

    /// Files that the flags may name.
    pub fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        [self.model.as_deref(), self.classifier.as_deref()].into_iter().flatten().map(std::path::Path::new)
    }
}

/// Name, size and precision of a prior, and where in its file the weights were.
pub(super) fn describe(prior: &Prior) -> String {
    let precision = match prior.precision() {
        Precision::F32 => "f32",
        Precision::F16 => "f16, computing in f32",
    };
    let origin = prior.origin().map_or_else(String::new, |origin| format!(", from {origin}"));
    format!("{}, {:.1} M parameters in {precision}{origin}", prior.name(), prior.parameters() as f64 / 1e6)
}

/// Says which pictures a specialised prior suits, where this one may be none of them.
pub(super) fn hint(prior: &Prior, [height, width]: [usize; 2]) {
    const TRAINED: usize = 256;
    let name = prior.name();
    let Some(subject @ (Subject::Faces | Subject::Objects)) = prior.subject() else {
        if let Some(side) = prior.published_side().filter(|&side| [height, width] != [side; 2]) {
            note(format!(
                "{name} has the shape of networks trained on {side}x{side} pictures of one kind; at {width}x{height} \
                 results may be worse"
            ));
        }
        return;
    };
    if height.max(width) * 4 > height.min(width) * 5 {
        let advice = "crop the photo, or leave --model out for the prior of all kinds of photographs";
        note(format!("{name} suits {}, and this picture is {width}x{height}: {advice}", subject.suits()));
    } else if [height, width] == [TRAINED; 2] {
        note(format!("{name} suits {}", subject.suits()));
    } else {
        note(format!("{name} suits {}; at {width}x{height} results may be worse", subject.suits()));
    }
}
