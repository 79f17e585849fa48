//! Inpainting: `y` is the picture with unknown pixels set to 0.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::operator::filter_flat;
use super::{Context, Family, Kind, LinearOperator, Preconditioner, Preset, Spectral, Stage, StageKind};
use crate::error::{Error, Hint, Result, Setting};
use crate::parameter::{self, Parameter, Values};
use crate::picture::Picture;

/// Which pixels are known, row by row. A recipe stores the runs of known and unknown pixels in turn, known first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mask {
    height: usize,
    width: usize,
    runs: Vec<usize>,
}

impl Mask {
    /// The mask with `known(y, x)`.
    pub fn from_fn(height: usize, width: usize, known: impl Fn(usize, usize) -> bool) -> Self {
        let mut runs = vec![0];
        let mut current = true;
        for i in 0..height * width {
            if known(i / width, i % width) != current {
                current = !current;
                runs.push(0);
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
        }
        Self { height, width, runs }
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Number of known pixels.
    fn known(&self) -> usize {
        self.runs.iter().step_by(2).sum()
    }

    /// Which pixels are unknown, row by row.
    pub fn unknown(&self) -> Vec<bool> {
        let run = |(i, &length): (usize, &usize)| std::iter::repeat_n(i % 2 == 1, length);
        self.runs.iter().enumerate().flat_map(run).collect()
    }

    /// # Errors
    /// Another size than `height` x `width`, and no known pixel.
    fn check(&self, [height, width]: [usize; 2]) -> Result<()> {
        // Before the runs are written out: a recipe may say anything.
        let covered = self.runs.iter().try_fold(0usize, |sum, &run| sum.checked_add(run));
        if self.size() != [height, width] || covered != height.checked_mul(width) {
            let fact = format!("it is {}x{}, but the picture is {width}x{height}", self.width, self.height);
            return Err(Error::mismatch(Setting::MASK, fact, "resize the mask to the picture"));
        }
        if self.known() == 0 {
            let hint = Hint::from("mark only what is to be filled in").or(Hint::Give(Setting::INVERT_MASK));
            return Err(Error::mismatch(Setting::MASK, "it leaves no pixel of the picture", hint));
        }
        Ok(())
    }

    /// Known pixels as 1, unknown ones as 0.
    pub fn values(&self) -> Vec<f32> {
        self.unknown().into_iter().map(|unknown| if unknown { 0.0 } else { 1.0 }).collect()
    }
}

/// Some pixels are unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inpainting {
    /// Which pixels are known.
    pub mask: Mask,
}

/// The kind.
pub static KIND: Kind = Kind {
    name: "inpainting",
    task: "inpaint",
    title: "With holes",
    chosen_by: None,
    parameters: &[
        Parameter::new("mask", "picture of the holes: white is filled in, black is kept", parameter::Kind::File),
        Parameter::new("invert_mask", "1 where black is filled in and white is kept", parameter::Kind::Switch),
    ],
    presets: &[Preset::new("inpainting", "Unknown pixels")],
    usual_sigma: Some(0.0),
    parse,
    examples: |[height, width]| {
        let mask = Mask::from_fn(height, width, |y, x| (y * 7 + x * 3) % 5 != 0);
        vec![("inpainting", Inpainting { mask }.into())]
    },
};

fn parse(values: &Values, context: &Context<'_>) -> Result<Stage> {
    if let Some(path) = values.get("mask") {
        let inverted = values.get("invert_mask") == Some("1");
        return Ok(Inpainting { mask: read_mask(Path::new(path), context.size, inverted)? }.into());
    }
    if values.get("invert_mask").is_some() {
        let hint = Hint::Give(Setting::MASK).or(Hint::Omit(Setting::INVERT_MASK));
        return Err(Error::mismatch(Setting::INVERT_MASK, "there is no mask to invert", hint));
    }
    match context.photo.and_then(holes) {
        Some(mask) => Ok(Inpainting { mask }.into()),
        None => {
            let hint = Hint::set(Setting::MASK, "FILE")
                .or("the file is a picture that is white where to fill in")
                .or("make the holes of the photo transparent");
            Err(Error::mismatch(Setting::MASK, "inpainting needs to know the holes", hint))
        }
    }
}

/// The fully transparent pixels of a photo as holes, if there are any.
fn holes(photo: &Picture) -> Option<Mask> {
    let transparent = photo.transparent()?;
    Some(Mask::from_fn(photo.height(), photo.width(), |y, x| !transparent[y * photo.width() + x]))
}

/// Marks that are stronger than this share of the strongest one are holes: soft edges belong to them.
const MARKED: f32 = 0.1;
/// The noise of a compressed file marks nothing.
const FAINTEST: f32 = 8.0 / 255.0;

/// Reads a mask from a picture of the same size: holes are bright, or dark if `inverted`.
fn read_mask(path: &Path, [height, width]: [usize; 2], inverted: bool) -> Result<Mask> {
    let refuse = |fact: String, hint: Hint| Err(Error::mismatch(path, fact, hint));
    let picture = Picture::read(path)?;
    if [picture.height(), picture.width()] != [height, width] {
        let size = format!("{}x{}", picture.width(), picture.height());
        return refuse(
            format!("the mask is {size}, but the picture is {width}x{height}"),
            "resize the mask to the picture".into(),
        );
    }
    let marks: Vec<f32> = picture.marks().into_iter().map(|mark| if inverted { 1.0 - mark } else { mark }).collect();
    let strongest = marks.iter().copied().fold(0.0, f32::max);
    let known = |i: usize| marks[i] <= (MARKED * strongest).max(FAINTEST);
    let invert = Hint::Give(Setting::INVERT_MASK);
    if (0..marks.len()).all(known) {
        return refuse("the mask marks nothing to fill in".into(), Hint::from("paint the holes white").or(invert));
    }
    if !(0..marks.len()).any(known) {
        let fact = "the mask leaves no pixel of the picture";
        return refuse(fact.into(), Hint::from("paint only the holes white").or(invert));
    }
    Ok(Mask::from_fn(height, width, |y, x| known(y * width + x)))
}

impl StageKind for Inpainting {
    fn family(&self) -> Family {
        Family::Holes
    }

    fn check(&self, image: [usize; 3]) -> Result<[usize; 3]> {
        self.mask.check([image[1], image[2]])?;
        Ok(image)
    }

    fn build(&self, image: [usize; 3], device: &Device) -> Result<Box<dyn LinearOperator>> {
        Ok(Box::new(Masking::new(&self.mask, image, device)?))
    }

    fn masks_noise(&self) -> bool {
        true
    }

    fn is_uniform(&self) -> bool {
        false
    }

    fn holes(&self) -> Option<&Mask> {
        Some(&self.mask)
    }

    fn classical_estimate(&self, operator: &dyn LinearOperator, y: Tensor<4>, _: f64) -> Result<Tensor<4>> {
        Ok(filled(operator, &y))
    }
}

/// Product with a mask.
pub struct Masking {
    mask: Tensor<4>,
    known: usize,
    shape: [usize; 3],
}

impl Masking {
    /// The operator of `mask` for images `[channels, height, width]`.
    ///
    /// # Errors
    /// A mask of another size, or one that knows no pixel.
    pub fn new(mask: &Mask, shape: [usize; 3], device: &Device) -> Result<Self> {
        let [_, height, width] = shape;
        mask.check([height, width])?;
        let (values, known) = (mask.values(), mask.known());
        let mask = Tensor::from_data(TensorData::new(values, [1, 1, height, width]), device);
        Ok(Self { mask, known, shape })
    }
}

impl LinearOperator for Masking {
    fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn measured_shape(&self) -> [usize; 3] {
        self.shape
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        x * self.mask.clone()
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        y * self.mask.clone()
    }

    /// Where nothing is known `A Aᵀ` is 0.
    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        let unknown = if p.eta > 0.0 { p.gain(0.0) } else { p.identity };
        y.clone() * unknown + y * self.mask.clone() * (p.gain(1.0) - unknown)
    }

    fn preconditioned_adjoint(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        self.adjoint(y * p.gain(1.0))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Masking {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0; self.known]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        filter_flat(self, 1.0, x, f)
    }
}

/// Steps of the diffusion that fills holes.
const FILL_STEPS: usize = 64;

/// Fills unknown pixels by normalised convolution over growing windows.
fn filled(operator: &dyn LinearOperator, y: &Tensor<4>) -> Tensor<4> {
    let known = operator.apply(y.ones_like());
    let mut sum = y.clone();
    let mut weight = known.clone();
    let mut filled = y.clone();
    let mut empty = known.ones_like() - known;
    let mut reach = 1;
    for _ in 0..FILL_STEPS {
        sum = blurred(sum, reach);
        weight = blurred(weight, reach);
        let reached = weight.clone().greater_elem(1e-6).float() * empty.clone();
        filled = filled + reached.clone() * sum.clone() / weight.clone().clamp_min(1e-6);
        empty = empty - reached;
        reach = (reach * 2).min(y.dims()[2].min(y.dims()[3]) / 2).max(1);
    }
    filled
}

/// Mean with the neighbours at distance `reach` on both axes, the border repeated periodically.
fn blurred(x: Tensor<4>, reach: usize) -> Tensor<4> {
    let along = |x: Tensor<4>, axis: usize| {
        let n = x.dims()[axis];
        let by = reach % n;
        if by == 0 {
            return x;
        }
        let shifted =
            |by: usize| Tensor::cat(vec![x.clone().narrow(axis, n - by, by), x.clone().narrow(axis, 0, n - by)], axis);
        (x.clone() * 2.0 + shifted(by) + shifted(n - by)) / 4.0
    };
    along(along(x, 2), 3)
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn runs_give_the_values_back() {
        let known = |y: usize, x: usize| (y + 2 * x) % 3 == 1;
        let mask = Mask::from_fn(4, 5, known);
        let expected: Vec<f32> = (0..20).map(|i| if known(i / 5, i % 5) { 1.0 } else { 0.0 }).collect();
        assert_eq!(mask.values(), expected);
    }
}
