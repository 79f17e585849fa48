//! Sizes of results beside those that a degradation asks for.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Setting};
use crate::parameter::Values;

/// The size that a result is resampled to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetSize {
    /// This many times that of the photo.
    Scale(f64),
    /// So many pixels wide.
    Width(usize),
    /// So many pixels high.
    Height(usize),
}

/// Largest factor of a photo's sides.
const LARGEST: f64 = 64.0;

impl TargetSize {
    /// Takes a factor that is no whole number out of the values of super-resolution: the next whole one takes its place, and the
    /// result is reduced.
    ///
    /// # Errors
    /// Factors below 1, which would reduce.
    pub fn take(values: &mut Values) -> Result<Option<Self>> {
        let name = Setting::SCALE.0;
        let given = values.get(&name).and_then(|text| text.trim().parse::<f64>().ok());
        let Some(scale) = given.filter(|scale| scale.fract() != 0.0 || *scale < 1.0) else {
            return Ok(None);
        };
        if !(1.0..=LARGEST).contains(&scale) {
            return Err(Error::parameter(Setting::SCALE, scale, format!("it must be between 1 and {LARGEST}")));
        }
        values.insert(name, scale.ceil().to_string());
        Ok(Some(Self::Scale(scale)))
    }

    /// Height and width of the result of a photo of that size.
    ///
    /// # Errors
    /// Results that are empty, or far from the size of the photo.
    pub fn of(&self, [height, width]: [usize; 2]) -> Result<[usize; 2]> {
        let factor = self.factor([height, width]);
        let (name, value) = match self {
            Self::Scale(scale) => ("the scale", scale.to_string()),
            Self::Width(width) => ("the width", width.to_string()),
            Self::Height(height) => ("the height", height.to_string()),
        };
        let size = [height, width].map(|side| (side as f64 * factor).round().max(1.0) as usize);
        if !(factor > 0.0 && factor <= LARGEST) {
            let fact = format!("for {width}x{height} pixels it must be above 0 and at most {LARGEST} times as much");
            return Err(Error::parameter(name, value, fact));
        }
        Ok(match *self {
            Self::Scale(_) => size,
            Self::Width(width) => [size[0], width],
            Self::Height(height) => [height, size[1]],
        })
    }

    /// The whole factor of super-resolution that reaches it.
    pub fn whole_scale(&self, size: [usize; 2]) -> usize {
        self.factor(size).ceil().clamp(1.0, LARGEST) as usize
    }

    fn factor(&self, [height, width]: [usize; 2]) -> f64 {
        match *self {
            Self::Scale(scale) => scale,
            Self::Width(wanted) => wanted as f64 / width as f64,
            Self::Height(wanted) => wanted as f64 / height as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_from_one_number() {
        assert_eq!(TargetSize::Width(3000).of([480, 640]).unwrap(), [2250, 3000]);
        assert_eq!(TargetSize::Height(100).of([480, 641]).unwrap(), [100, 134]);
        assert_eq!(TargetSize::Scale(1.5).of([480, 641]).unwrap(), [720, 962]);
        assert_eq!(TargetSize::Width(3000).whole_scale([480, 640]), 5);
        assert!(TargetSize::Width(0).of([480, 640]).is_err());
        assert!(TargetSize::Height(480 * 65).of([480, 640]).is_err());
    }

    #[test]
    fn fractions_are_taken_and_whole_scales_are_left() {
        let mut values = Values::default().with("scale", 2.5);
        assert_eq!(TargetSize::take(&mut values).unwrap(), Some(TargetSize::Scale(2.5)));
        assert_eq!(values.get("scale"), Some("3"));
        for left in ["3", "three"] {
            let mut values = Values::default().with("scale", left);
            assert_eq!(TargetSize::take(&mut values).unwrap(), None);
            assert_eq!(values.get("scale"), Some(left));
        }
        assert!(TargetSize::take(&mut Values::default().with("scale", 0.5)).is_err());
    }
}
