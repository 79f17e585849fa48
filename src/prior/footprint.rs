//! Memory of an evaluation of a network.

use crate::kernel::attention::SCORES;

/// What the memory of an evaluation depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Pixels a side of the input for each position of the finest feature maps.
    pub patch: usize,
    /// Channels of the finest feature maps.
    pub channels: usize,
    /// Channels of the widest concatenation at that level.
    pub widest: usize,
    /// Heads of the finest attention, and pixels a side of the input for each of its tokens.
    pub attention: Option<(usize, usize)>,
    /// Bytes of the weights on the device.
    pub weights: u64,
}

impl Footprint {
    /// Of a network whose needs are not known: it is taken to need nothing, so that no picture is refused.
    pub const UNKNOWN: Self = Self { patch: 1, channels: 0, widest: 0, attention: None, weights: 0 };

    /// Feature maps of the finest level that are alive at once in the widest part of a step, with the workspace of a
    /// convolution: measured on the CPU and rounded up.
    const LIVE_MAPS: u64 = 16;

    /// Bytes of [`SCORES`].
    const SCORES: u64 = (SCORES * size_of::<f32>()) as u64;

    /// How many times more maps are alive where every one is kept for the derivative: measured, and rounded up.
    const DIFFERENTIATED: u64 = 3;

    /// Bytes of a step for `batch` pictures of that many pixels, the weights included.
    pub fn step(&self, pixels: usize, batch: usize, differentiates: bool) -> u64 {
        let maps = Self::LIVE_MAPS.saturating_mul(self.maps(pixels, batch, self.channels));
        let scores = self.scores(pixels, batch).saturating_mul(2);
        let all = if differentiates {
            Self::DIFFERENTIATED.saturating_mul(maps.saturating_add(scores))
        } else {
            maps.saturating_add(scores.min(2 * Self::SCORES))
        };
        all.saturating_add(self.weights)
    }

    /// Bytes of the largest single tensor.
    pub fn largest_tensor(&self, pixels: usize, batch: usize) -> u64 {
        self.maps(pixels, batch, self.widest).max(self.scores(pixels, batch).min(Self::SCORES))
    }

    /// Bytes of feature maps of the finest level.
    fn maps(&self, pixels: usize, batch: usize, channels: usize) -> u64 {
        let picture = (pixels / (self.patch * self.patch)) as u64;
        picture.saturating_mul((batch * channels * size_of::<f32>()) as u64)
    }

    /// Bytes of the scores of the finest attention.
    fn scores(&self, pixels: usize, batch: usize) -> u64 {
        let (heads, side) = self.attention.unwrap_or((0, 1));
        let tokens = (pixels / (side * side)) as u64;
        tokens.saturating_mul(tokens).saturating_mul((batch * heads * size_of::<f32>()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_network_refuses_no_picture() {
        for (pixels, batch, differentiates) in [(1, 1, false), (usize::MAX / 4096, 8, true)] {
            assert_eq!(Footprint::UNKNOWN.step(pixels, batch, differentiates), 0);
            assert_eq!(Footprint::UNKNOWN.largest_tensor(pixels, batch), 0);
        }
    }
}
