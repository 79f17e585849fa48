//! Pictures of four printing inks, cyan, magenta, yellow and black, as sRGB.

use std::fmt::Display;
use std::io::Cursor;
use std::sync::Arc;

use image::metadata::Orientation;
use image::{ImageBuffer, Rgb, Rgb32FImage};
use moxcms::{
    BarycentricWeightScale, ColorProfile, DataColorSpace, Layout, RenderingIntent, TransferCharacteristics,
    TransformF32Executor, TransformOptions,
};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::{colorspace::ColorSpace, options::DecoderOptions};

use super::decoded::{Decoded, Refusal, check_size};
use super::jpeg::Structure;
use super::metadata::Metadata;

const BY_PROFILE: &str = "its inks (CMYK) become sRGB as its colour profile says";
const BY_RULE: &str =
    "its inks (CMYK) become sRGB by a rule of thumb, since it has no colour profile, so that its colours may be off";
const BY_RULE_AFTER_ALL: &str = "its inks (CMYK) become sRGB by a rule of thumb, since its colour profile cannot be used, so that its colours may be off";

/// Cyan, magenta, yellow and black, from 0 for none to 1.
pub(super) type Inks = [f32; 4];

/// The picture of `width` x `height` pixels with these inks, and how it came about: by the ICC profile where there is one, else each
/// ink takes its share of light, `(1 - c) (1 - k)`.
pub(super) fn picture(
    inks: impl Fn(u32, u32) -> Inks,
    [width, height]: [u32; 2],
    icc: Option<&[u8]>,
) -> (Rgb32FImage, &'static str) {
    let remark = match icc {
        None => BY_RULE,
        Some(icc) => match by_profile(icc).and_then(|transform| through(&*transform, &inks, [width, height])) {
            Some(picture) => return (picture, BY_PROFILE),
            None => BY_RULE_AFTER_ALL,
        },
    };
    let rule = |x, y| {
        let [c, m, y, k] = inks(x, y);
        Rgb([c, m, y].map(|ink| (1.0 - ink) * (1.0 - k)))
    };
    (Rgb32FImage::from_fn(width, height, rule), remark)
}

/// What a profile of inks makes of them.
fn by_profile(icc: &[u8]) -> Option<Arc<TransformF32Executor>> {
    let profile =
        ColorProfile::new_from_slice(icc).ok().filter(|profile| profile.color_space == DataColorSpace::Cmyk)?;
    // Not every profile has tables for all intents.
    let intents = [RenderingIntent::Perceptual, RenderingIntent::RelativeColorimetric];
    intents.into_iter().find_map(|rendering_intent| {
        let options = TransformOptions {
            rendering_intent,
            barycentric_weight_scale: BarycentricWeightScale::High,
            ..TransformOptions::default()
        };
        // Four channels are four channels.
        profile.create_transform_f32(Layout::Rgba, &ColorProfile::new_srgb(), Layout::Rgb, options).ok()
    })
}

/// Row by row, which takes little memory. Black of the inks becomes black.
fn through(
    transform: &TransformF32Executor,
    inks: impl Fn(u32, u32) -> Inks,
    [width, height]: [u32; 2],
) -> Option<Rgb32FImage> {
    let compensated = black_compensation(transform)?;
    let length = 3 * width as usize;
    let mut samples = vec![0f32; length * height as usize];
    for (y, row) in (0..).zip(samples.chunks_exact_mut(length)) {
        let inks: Vec<f32> = (0..width).flat_map(|x| inks(x, y)).collect();
        transform.transform(&inks, row).ok()?;
        for sample in row {
            *sample = compensated[(sample.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as usize];
        }
    }
    ImageBuffer::from_raw(width, height, samples)
}

/// Black point compensation (ISO 18619) of samples of sRGB from 0 to 65535: light `L` becomes `(L - B) / (1 - B)`, where `B` is what the paper
/// reflects under all inks. Profiles of paper say how little that is, and screens can show less.
fn black_compensation(transform: &TransformF32Executor) -> Option<Vec<f32>> {
    // Lighter than L* = 50 is no black.
    const LIGHTEST: f64 = 0.184;
    const LUMINANCE: [f64; 3] = [0.2126, 0.7152, 0.0722];
    let curve = TransferCharacteristics::Srgb;
    let mut all_inks = [0f32; 3];
    transform.transform(&[1.0; 4], &mut all_inks).ok()?;
    let light = all_inks.map(|sample| curve.linearize(f64::from(sample.clamp(0.0, 1.0))));
    let black = light.iter().zip(LUMINANCE).map(|(light, weight)| light * weight).sum::<f64>().min(LIGHTEST);
    let compensated = |sample: u16| {
        let light = curve.linearize(f64::from(sample) / f64::from(u16::MAX));
        curve.gamma(((light - black) / (1.0 - black)).max(0.0)) as f32
    };
    Some((0..=u16::MAX).map(compensated).collect())
}

/// A JPEG of four inks, not turned upright.
pub(super) fn decode_jpeg(bytes: &[u8], structure: &Structure) -> Result<Decoded, Refusal> {
    let damaged = |e: &dyn Display| (format!("it cannot be decoded ({e})"), "the file looks damaged; export it again");
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| damaged(&e))?;
    let info = decoder.info().ok_or_else(|| damaged(&"it has no header"))?;
    let [width, height] = [info.width, info.height].map(u32::from);
    check_size(width, height)?;
    let colors = decoder.input_colorspace().unwrap_or(ColorSpace::CMYK);
    decoder.set_options(options.jpeg_set_out_colorspace(colors));
    let samples = decoder.decode().map_err(|e| damaged(&e))?;
    if samples.len() < 4 * width as usize * height as usize {
        return Err(damaged(&"its pixels are cut off"));
    }
    // Programs that leave Adobe's marker write what is left of the paper.
    let is_reversed = structure.adobe.is_some();
    let inks = |x: u32, y: u32| {
        let pixel = 4 * (y as usize * width as usize + x as usize);
        let stored: Inks = std::array::from_fn(|c| f32::from(samples[pixel + c]) / 255.0);
        let [c, m, y, k] = if colors == ColorSpace::YCCK { from_luma(stored) } else { stored };
        [c, m, y, k].map(|ink| if is_reversed { 1.0 - ink } else { ink })
    };
    let icc = decoder.icc_profile();
    let (picture, remark) = picture(inks, [width, height], icc.as_deref());
    let exif = decoder.exif().cloned();
    Ok(Decoded {
        image: picture.into(),
        gray: false,
        deep: false,
        float: false,
        icc: None,
        orientation: exif.as_deref().and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms),
        exif,
        metadata: Metadata::default(),
        compression: None,
        remarks: vec![remark],
    })
}

/// Stored inks of stored luma, chroma and black: the complement of the colours that JPEG's matrix gives.
fn from_luma([luma, blue, red, black]: Inks) -> Inks {
    let (blue, red) = (blue - 128.0 / 255.0, red - 128.0 / 255.0);
    let colors = [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue];
    let [c, m, y] = colors.map(|color| (1.0 - color).clamp(0.0, 1.0));
    [c, m, y, black]
}
