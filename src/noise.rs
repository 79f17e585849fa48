//! The only randomness: seed -> normals on the host -> tensor.
//!
//! Device generators differ between backends, so all noise is drawn on the host from ChaCha20 and uploaded; the same seed
//! gives the same numbers everywhere.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rand_distr::{Distribution, StandardNormal};

/// A source of standard normal tensors.
pub trait Noise {
    /// The next tensor of independent standard normals.
    fn draw(&mut self, shape: [usize; 4], device: &Device) -> Tensor<4>;
}

/// What random numbers are for; those of one seed are independent for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The noise of a sampler.
    Sampling,
    /// The noise of a measurement.
    Measurement,
    /// A random motion kernel.
    MotionKernel,
    /// Which coefficients are measured.
    SensingPattern,
    /// The measurement matrix of a region of blocks.
    SensingMatrix(usize),
    /// Which points of a grid a sweep visits.
    Sweep,
    /// Which pictures of a large set KID compares.
    KidSubsets,
}

/// Normals from a seed.
#[derive(Debug)]
pub struct Seeded(ChaCha20Rng);

impl Seeded {
    /// The numbers of `seed` for one purpose.
    pub fn new(seed: u64, stream: Stream) -> Self {
        Self(generator(seed, stream))
    }
}

impl Noise for Seeded {
    fn draw(&mut self, shape: [usize; 4], device: &Device) -> Tensor<4> {
        let values: Vec<f32> = StandardNormal.sample_iter(&mut self.0).take(shape.iter().product()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// The numbers of several pictures, each its own, so that a picture's do not depend on the others beside it.
#[derive(Debug)]
pub struct PerPicture(Vec<Seeded>);

impl PerPicture {
    /// The numbers of a batch whose pictures have these seeds.
    pub fn new(seeds: &[u64], stream: Stream) -> Self {
        Self(seeds.iter().map(|&seed| Seeded::new(seed, stream)).collect())
    }
}

impl Noise for PerPicture {
    /// # Panics
    /// If the shape is of another number of pictures.
    fn draw(&mut self, [batch, c, h, w]: [usize; 4], device: &Device) -> Tensor<4> {
        assert_eq!(batch, self.0.len(), "noise for as many pictures as there are");
        Tensor::cat(self.0.iter_mut().map(|noise| noise.draw([1, c, h, w], device)).collect(), 0)
    }
}

/// The seed of a picture of a set, by its index (mixed with the seed of the set, so that neighbouring seeds share no noise).
pub fn picture_seed(seed: u64, index: usize) -> u64 {
    mixed(seed ^ (index as u64).wrapping_add(1).wrapping_mul(GOLDEN))
}

/// The first output of the generator splitmix64 (G. Steele et al., 2014) with the state `x`.
pub fn splitmix64(x: u64) -> u64 {
    mixed(x.wrapping_add(GOLDEN))
}

/// Increment of splitmix64: the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of splitmix64.
fn mixed(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// Recorded noise, for comparison with another implementation: each draw takes the next entry, cut to the size needed.
#[derive(Debug)]
pub struct Tape {
    entries: std::vec::IntoIter<Vec<f32>>,
}

impl Tape {
    /// A tape of flattened entries in call order.
    pub fn new(entries: Vec<Vec<f32>>) -> Self {
        Self { entries: entries.into_iter() }
    }
}

impl Noise for Tape {
    /// # Panics
    /// If the tape is at its end, or the entry is too short.
    fn draw(&mut self, shape: [usize; 4], device: &Device) -> Tensor<4> {
        let mut values = self.entries.next().expect("a noise tape longer than the run");
        values.truncate(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// The generator of everything random: noise, sampling patterns, motion kernels.
pub(crate) fn generator(seed: u64, stream: Stream) -> ChaCha20Rng {
    let mut generator = ChaCha20Rng::seed_from_u64(seed);
    generator.set_stream(match stream {
        Stream::Sampling => 0,
        Stream::Measurement => 1,
        Stream::MotionKernel => 2,
        Stream::SensingPattern => 3,
        Stream::SensingMatrix(region) => 4 + region as u64,
        Stream::Sweep => u64::MAX,
        Stream::KidSubsets => u64::MAX - 1,
    });
    generator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_is_the_published_generator() {
        // The first outputs of the reference with the seed 1234567, whose state grows by GOLDEN each time.
        let outputs = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        for (i, output) in outputs.into_iter().enumerate() {
            assert_eq!(splitmix64(1_234_567u64.wrapping_add(GOLDEN.wrapping_mul(i as u64))), output);
        }
    }
}
