//! What a sampler is asked: an operator, data and their noise.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::degradation::{ChannelMix, ConvexSet, LinearOperator};

/// Standard deviation of noise in units of a `[-1, 1]` image, from `sigma` in units of a `[0, 1]` image.
pub fn signed_sigma(sigma: f64) -> f64 {
    2.0 * sigma
}

/// Values this close to an interval lie in it, of a `[-1, 1]` image.
const SLACK: f64 = 1e-3;

/// What is known of the measurement without its noise: a point, or a set.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Data {
    /// A point.
    Exact(Tensor<4>),
    /// A point but for pixels that nothing is known of.
    Partial {
        /// The measured values; what the unknown pixels have is only where runs begin.
        y: Tensor<4>,
        /// 1 where a pixel is known, else 0, `[1, 1, h, w]`.
        known: Tensor<4>,
    },
    /// A product of intervals around `y`; bounds may be infinite.
    Interval {
        /// The measured values.
        y: Tensor<4>,
        /// Lower bounds.
        low: Tensor<4>,
        /// Upper bounds.
        high: Tensor<4>,
    },
    /// Another convex set around `y`.
    Set {
        /// The recorded values.
        y: Tensor<4>,
        /// What the true ones lie in.
        set: Arc<dyn ConvexSet>,
    },
}

impl Data {
    /// The measured values.
    pub fn y(&self) -> &Tensor<4> {
        match self {
            Self::Exact(y) | Self::Partial { y, .. } | Self::Interval { y, .. } | Self::Set { y, .. } => y,
        }
    }

    /// The member of the set that is closest to `ax`.
    pub fn nearest(&self, ax: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Exact(y) => y.clone(),
            Self::Partial { y, known } => ax.clone() + (y.clone() - ax) * known.clone(),
            Self::Interval { low, high, .. } => ax.max_pair(low.clone()).min_pair(high.clone()),
            Self::Set { set, .. } => set.nearest(ax),
        }
    }

    /// The share of the values of `ax` that lie outside of what is known of them, where that is no point.
    pub fn outside(&self, ax: Tensor<4>) -> Option<Tensor<1>> {
        match self {
            Self::Exact(_) | Self::Partial { .. } => None,
            Self::Interval { .. } => {
                let moved = self.nearest(ax.clone()) - ax;
                Some(moved.abs().greater_elem(SLACK).float().mean())
            }
            Self::Set { set, .. } => Some(set.outside(ax)),
        }
    }

    /// Whether bounds and masks have the shape of the values.
    pub(super) fn is_of_one_shape(&self) -> bool {
        match self {
            Self::Exact(_) | Self::Set { .. } => true,
            Self::Partial { y, known } => known.dims() == [1, 1, y.dims()[2], y.dims()[3]],
            Self::Interval { y, low, high } => [low.dims(), high.dims()] == [y.dims(); 2],
        }
    }

    /// Whether the set is a point.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }
}

/// `y = A x + n` with `n` of standard deviation `sigma_y`, in units of a `[-1, 1]` image.
pub struct Problem<'a> {
    /// `A`.
    pub operator: &'a dyn LinearOperator,
    /// The measurement.
    pub data: &'a Data,
    /// Standard deviation of the noise.
    pub sigma_y: f64,
    /// What white noise has beyond the noise of the photo whose channels were mixed for `A`, where that is not white.
    pub beyond: Option<&'a ChannelMix>,
}

impl Problem<'_> {
    /// What FDGR, DDPG and IDPG return: the last estimate of the image where the measurement is noisy, else the last state.
    pub(super) fn final_image(&self, x_t: Tensor<4>, x0: Tensor<4>) -> Tensor<4> {
        if self.sigma_y > 0.0 { x0 } else { x_t }
    }

    /// `A x - nearest(A x)`; of exact data `A x - y`.
    pub fn residual(&self, x: Tensor<4>) -> Tensor<4> {
        let ax = self.operator.apply(x);
        ax.clone() - self.data.nearest(ax)
    }
}
