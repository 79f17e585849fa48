//! Inception v3 as FID has it: the graph and weights of TensorFlow's 2015 release in the form of pytorch-fid.

use burn::tensor::{
    Device, Tensor, TensorData,
    module::{avg_pool2d, max_pool2d},
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use image::Rgb32FImage;

use super::layers::{Conv, Tensors, maximum, take};
use super::network::Network;
use crate::error::{Error, Result};
use crate::model::Checkpoint;

/// Side that pictures are resized to.
const SIDE: usize = 299;
/// Added to the variance of batch normalisation.
const EPSILON: f32 = 1e-3;

/// The network up to its last average.
pub struct Inception {
    stem: Vec<Stem>,
    blocks: Vec<Block>,
    device: Device,
}

enum Stem {
    Conv(Box<Conv>),
    Pool,
}

impl Network {
    /// Inception v3 with the weights of TensorFlow, as FID has it.
    pub const INCEPTION: Self = Self {
        model: "fid-inception",
        title: "Inception v3, for FID and KID",
        recognise: |checkpoint| checkpoint.contains("Mixed_7c.branch_pool.conv.weight"),
        ask: |tensors| Inception::new(tensors, &Device::flex()).map(drop),
    };
}

/// Branches side by side; their channels are put one after the other.
struct Block(Vec<Branch>);

/// Where a branch begins.
enum Pool {
    None,
    /// Mean of 3 x 3 pixels, those outside not counted.
    Mean,
    /// Maximum of 3 x 3 pixels.
    Maximum,
    /// Maximum of 3 x 3 pixels, every other pixel.
    Halving,
}

struct Branch {
    pool: Pool,
    convs: Vec<Conv>,
    /// Convolutions of the last result, side by side.
    fork: Vec<Conv>,
}

impl Branch {
    fn forward(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let x = match self.pool {
            Pool::None => x,
            Pool::Mean => {
                let mut options = AvgPoolOptions::new([3; 2]).with_stride([1; 2]);
                options.padding = [(1, 1); 2];
                options.count_include_pad = false;
                avg_pool2d(x, options)
            }
            Pool::Maximum => {
                let mut options = MaxPoolOptions::new([3; 2]).with_stride([1; 2]);
                options.padding = [(1, 1); 2];
                max_pool2d(x, options)
            }
            Pool::Halving => maximum(x, 3, false),
        };
        let x = self.convs.iter().fold(x, |x, conv| conv.forward(x));
        if self.fork.is_empty() { vec![x] } else { self.fork.iter().map(|conv| conv.forward(x.clone())).collect() }
    }
}

/// Name, outputs, taps and stride of a convolution of a branch.
type Part<'a> = (&'a str, usize, [usize; 2], usize);

/// Reads convolutions, each with the batch normalisation after it folded into its weights.
struct Builder<'a, 'b> {
    tensors: &'a mut Tensors<'b>,
    device: &'a Device,
}

impl Builder<'_, '_> {
    /// `taps` are rows and columns; there is no padding where `stride` is 2 or `valid`.
    fn conv(
        &mut self,
        name: &str,
        inputs: usize,
        outputs: usize,
        taps: [usize; 2],
        stride: usize,
        valid: bool,
    ) -> Result<Conv> {
        let shape = [outputs, inputs, taps[0], taps[1]];
        let mut weight = take(self.tensors, &format!("{name}.conv.weight"), &shape)?;
        let mut normal = |part: &str| take(self.tensors, &format!("{name}.bn.{part}"), &[outputs]);
        let (scale, shift) = (normal("weight")?, normal("bias")?);
        let (mean, variance) = (normal("running_mean")?, normal("running_var")?);
        let gain = |o: usize| scale[o] / (variance[o] + EPSILON).sqrt();
        let per_output = weight.len() / outputs;
        for (o, row) in weight.chunks_mut(per_output).enumerate() {
            row.iter_mut().for_each(|w| *w *= gain(o));
        }
        let bias = (0..outputs).map(|o| shift[o] - mean[o] * gain(o)).collect();
        let padding = if valid || stride == 2 { [0, 0] } else { taps.map(|t| t / 2) };
        Ok(Conv::new(weight, bias, shape, stride, padding, self.device))
    }

    /// A branch of `block`: convolutions of a name, outputs and taps, each from the one before.
    fn branch(&mut self, block: &str, pool: Pool, inputs: usize, parts: &[Part]) -> Result<Branch> {
        let mut width = inputs;
        let mut convs = Vec::new();
        for &(name, outputs, taps, stride) in parts {
            convs.push(self.conv(&format!("{block}.{name}"), width, outputs, taps, stride, false)?);
            width = outputs;
        }
        Ok(Branch { pool, convs, fork: Vec::new() })
    }
}

impl Inception {
    /// With the weights of a checkpoint.
    ///
    /// # Errors
    /// Checkpoints that lack tensors.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        Network::INCEPTION.read(checkpoint, |tensors| Self::new(tensors, device))
    }

    /// With tensors from elsewhere, by pytorch-fid's names.
    ///
    /// # Errors
    /// What `tensors` says, and tensors of another size.
    pub fn new(tensors: &mut Tensors, device: &Device) -> Result<Self> {
        const ONE: [usize; 2] = [1, 1];
        const THREE: [usize; 2] = [3, 3];
        const FIVE: [usize; 2] = [5, 5];
        const ROW: [usize; 2] = [1, 7];
        const COLUMN: [usize; 2] = [7, 1];
        let mut build = Builder { tensors, device };
        let mut stem = Vec::new();
        for (name, inputs, outputs, taps, stride, valid) in [
            ("Conv2d_1a_3x3", 3, 32, THREE, 2, true),
            ("Conv2d_2a_3x3", 32, 32, THREE, 1, true),
            ("Conv2d_2b_3x3", 32, 64, THREE, 1, false),
            ("Conv2d_3b_1x1", 64, 80, ONE, 1, true),
            ("Conv2d_4a_3x3", 80, 192, THREE, 1, true),
        ] {
            stem.push(Stem::Conv(Box::new(build.conv(name, inputs, outputs, taps, stride, valid)?)));
            if matches!(name, "Conv2d_2b_3x3" | "Conv2d_4a_3x3") {
                stem.push(Stem::Pool);
            }
        }
        let mut blocks = Vec::new();
        for (name, inputs, pooled) in [("Mixed_5b", 192, 32), ("Mixed_5c", 256, 64), ("Mixed_5d", 288, 64)] {
            blocks.push(Block(vec![
                build.branch(name, Pool::None, inputs, &[("branch1x1", 64, ONE, 1)])?,
                build.branch(name, Pool::None, inputs, &[("branch5x5_1", 48, ONE, 1), ("branch5x5_2", 64, FIVE, 1)])?,
                build.branch(
                    name,
                    Pool::None,
                    inputs,
                    &[
                        ("branch3x3dbl_1", 64, ONE, 1),
                        ("branch3x3dbl_2", 96, THREE, 1),
                        ("branch3x3dbl_3", 96, THREE, 1),
                    ],
                )?,
                build.branch(name, Pool::Mean, inputs, &[("branch_pool", pooled, ONE, 1)])?,
            ]));
        }
        blocks.push(Block(vec![
            build.branch("Mixed_6a", Pool::None, 288, &[("branch3x3", 384, THREE, 2)])?,
            build.branch(
                "Mixed_6a",
                Pool::None,
                288,
                &[("branch3x3dbl_1", 64, ONE, 1), ("branch3x3dbl_2", 96, THREE, 1), ("branch3x3dbl_3", 96, THREE, 2)],
            )?,
            build.branch("Mixed_6a", Pool::Halving, 288, &[])?,
        ]));
        for (name, n) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
            blocks.push(Block(vec![
                build.branch(name, Pool::None, 768, &[("branch1x1", 192, ONE, 1)])?,
                build.branch(
                    name,
                    Pool::None,
                    768,
                    &[("branch7x7_1", n, ONE, 1), ("branch7x7_2", n, ROW, 1), ("branch7x7_3", 192, COLUMN, 1)],
                )?,
                build.branch(
                    name,
                    Pool::None,
                    768,
                    &[
                        ("branch7x7dbl_1", n, ONE, 1),
                        ("branch7x7dbl_2", n, COLUMN, 1),
                        ("branch7x7dbl_3", n, ROW, 1),
                        ("branch7x7dbl_4", n, COLUMN, 1),
                        ("branch7x7dbl_5", 192, ROW, 1),
                    ],
                )?,
                build.branch(name, Pool::Mean, 768, &[("branch_pool", 192, ONE, 1)])?,
            ]));
        }
        blocks.push(Block(vec![
            build.branch(
                "Mixed_7a",
                Pool::None,
                768,
                &[("branch3x3_1", 192, ONE, 1), ("branch3x3_2", 320, THREE, 2)],
            )?,
            build.branch(
                "Mixed_7a",
                Pool::None,
                768,
                &[
                    ("branch7x7x3_1", 192, ONE, 1),
                    ("branch7x7x3_2", 192, ROW, 1),
                    ("branch7x7x3_3", 192, COLUMN, 1),
                    ("branch7x7x3_4", 192, THREE, 2),
                ],
            )?,
            build.branch("Mixed_7a", Pool::Halving, 768, &[])?,
        ]));
        // The last block pools by the maximum in this release.
        for (name, inputs, pool) in [("Mixed_7b", 1280, Pool::Mean), ("Mixed_7c", 2048, Pool::Maximum)] {
            let mut branches = vec![build.branch(name, Pool::None, inputs, &[("branch1x1", 320, ONE, 1)])?];
            let parts: [(&[Part], &str); 2] = [
                (&[("branch3x3_1", 384, ONE, 1)], "branch3x3_2"),
                (&[("branch3x3dbl_1", 448, ONE, 1), ("branch3x3dbl_2", 384, THREE, 1)], "branch3x3dbl_3"),
            ];
            for (convs, start) in parts {
                let mut branch = build.branch(name, Pool::None, inputs, convs)?;
                for (side, taps) in [("a", [1, 3]), ("b", [3, 1])] {
                    branch.fork.push(build.conv(&format!("{name}.{start}{side}"), 384, 384, taps, 1, false)?);
                }
                branches.push(branch);
            }
            branches.push(build.branch(name, pool, inputs, &[("branch_pool", 192, ONE, 1)])?);
            blocks.push(Block(branches));
        }
        Ok(Self { stem, blocks, device: device.clone() })
    }

    /// The 2048 features of a picture.
    ///
    /// # Errors
    /// A picture without pixels, and a device that does not give its results back.
    pub fn features(&self, picture: &Rgb32FImage) -> Result<Vec<f32>> {
        if picture.width() == 0 || picture.height() == 0 {
            return Err(Error::mismatch("the picture", "it has no pixels", "pass one that has some"));
        }
        let shape = [1, 3, SIDE, SIDE];
        let x = Tensor::<4>::from_data(TensorData::new(resized(picture), shape), &self.device);
        let x = self.stem.iter().fold(x, |x, part| match part {
            Stem::Conv(conv) => conv.forward(x),
            Stem::Pool => maximum(x, 3, false),
        });
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| Tensor::cat(block.0.iter().flat_map(|branch| branch.forward(x.clone())).collect(), 1));
        x.mean_dim(3).mean_dim(2).try_into_vec_as::<f32>().map_err(|e| Error::no_result(&self.device, e))
    }
}

/// Planes of 299 x 299 pixels in `[-1, 1]` by bilinear interpolation between pixel centres, without smoothing, as PyTorch's
/// `interpolate` with `align_corners` false.
fn resized(picture: &Rgb32FImage) -> Vec<f32> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let place = |i: usize, n: usize| {
        let at = ((i as f32 + 0.5) * (n as f32 / SIDE as f32) - 0.5).max(0.0);
        let low = (at as usize).min(n - 1);
        (low, (low + 1).min(n - 1), at - low as f32)
    };
    let pixel = |y: usize, x: usize, c: usize| picture.get_pixel(x as u32, y as u32)[c];
    let mut values = Vec::with_capacity(3 * SIDE * SIDE);
    for c in 0..3 {
        for y in 0..SIDE {
            let (top, bottom, down) = place(y, height);
            for x in 0..SIDE {
                let (left, right, across) = place(x, width);
                let between = |y| pixel(y, left, c) * (1.0 - across) + pixel(y, right, c) * across;
                values.push(2.0 * (between(top) * (1.0 - down) + between(bottom) * down) - 1.0);
            }
        }
    }
    values
}
