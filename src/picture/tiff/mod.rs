//! TIFF: pages, whole numbers of up to 64 bits, floating point, planes, inks, and BigTIFF.

mod exif;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, Rgb, Rgb32FImage, Rgba, Rgba32FImage};
use tiff::decoder::{Decoder, DecodingResult, Limits, ifd::Value};
use tiff::encoder::{Rational, TiffEncoder, TiffValue, colortype};
use tiff::tags::{ByteOrder, ResolutionUnit, Tag};
use tiff::{ColorType, TiffError, TiffResult};

use self::exif::Sayings;
use super::MAX_PIXELS;
use super::codec::{CONVERT, Held};
use super::decoded::{Decoded, ONLY_THE_FIRST, Refusal, check_size};
use super::exif::inches;
use super::inks;
use super::metadata::Metadata;

const XMP: Tag = Tag::Unknown(700);
const IPTC: Tag = Tag::Unknown(33_723);
/// Which inks they are; cyan, magenta, yellow and black if nothing is said.
const INK_SET: Tag = Tag::Unknown(332);
const CMYK: u16 = 1;
/// Kinds of a sample beside the colours: opacity by which they are multiplied, or are not.
const PREMULTIPLIED: u16 = 1;
const STRAIGHT: u16 = 2;
/// Bytes of one sample, at most, times samples of a pixel, at most.
const LARGEST_PIXEL: u64 = 8 * 5;

fn damaged(e: TiffError) -> Refusal {
    match e {
        TiffError::UnsupportedError(e) => (format!("it is a kind of TIFF that is not read ({e})"), CONVERT),
        TiffError::LimitsExceeded => ("it says that it is larger than any picture that is read".into(), CONVERT),
        e => (format!("it cannot be decoded ({e})"), "the file looks damaged; export it again"),
    }
}

/// Decodes a page, the first is 0.
pub(super) fn decode(bytes: &[u8], page: usize) -> Result<Decoded, Refusal> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = usize::try_from(MAX_PIXELS * LARGEST_PIXEL).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    let mut file = Decoder::new(Cursor::new(bytes)).map_err(damaged)?.with_limits(limits);
    for before in 0..page {
        if !file.more_images() {
            return Err((format!("it has {} pages", before + 1), "choose one of them"));
        }
        file.next_image().map_err(damaged)?;
    }
    let (width, height) = file.dimensions().map_err(damaged)?;
    check_size(width, height)?;
    let interpretation: Option<u16> = file.find_tag_unsigned(Tag::PhotometricInterpretation).ok().flatten();
    let unread = |what: &str| (format!("it is a TIFF {what}, which is not read"), CONVERT);
    match interpretation {
        Some(3) => return Err(unread("with a palette of colours")),
        Some(6) => return Err(unread("in YCbCr, mostly with a JPEG inside")),
        Some(8 | 9) => return Err(unread("in Lab")),
        _ => {}
    }
    let color = file.colortype().map_err(damaged)?;
    let is_of_inks = matches!(color, ColorType::CMYK(_));
    if is_of_inks && file.find_tag_unsigned::<u16>(INK_SET).ok().flatten().is_some_and(|inks| inks != CMYK) {
        return Err(unread("of inks other than CMYK"));
    }
    let extra = file.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    let is_opacity = extra.first().is_some_and(|kind| [PREMULTIPLIED, STRAIGHT].contains(kind));
    let (gray, alpha) = match color {
        ColorType::Gray(_) => (true, false),
        ColorType::GrayA(_) => (true, true),
        ColorType::Multiband { num_samples: 2, .. } => (true, is_opacity),
        ColorType::RGB(_) | ColorType::CMYK(_) => (false, false),
        ColorType::RGBA(_) => (false, true),
        ColorType::CMYKA(_) => return Err(unread("in CMYK with transparency")),
        ColorType::Multiband { num_samples, .. } => return Err(unread(&format!("of {num_samples} bands"))),
        _ => return Err(unread("of rare colours")),
    };
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = file.read_image_to_buffer(&mut samples).map_err(damaged)?;
    let bits = color.bit_depth();
    if bits < 8 && ![1, 2, 4].contains(&bits) {
        return Err(unread(&format!("of {bits} bits")));
    }
    let float = matches!(samples, DecodingResult::F16(_) | DecodingResult::F32(_) | DecodingResult::F64(_));
    let deep = bits > 8;
    let (pixels, count) = (width as usize * height as usize, usize::from(color.num_samples()));
    let in_row = if layout.planes > 1 { width as usize } else { width as usize * count };
    let values = numbers(samples, bits, in_row).ok_or_else(|| unread("of numbers with a sign"))?;
    if values.len() < pixels * count {
        return Err((
            "it cannot be decoded (its pixels are cut off)".into(),
            "the file looks damaged; export it again",
        ));
    }
    let at = |x: u32, y: u32, c: usize| {
        let i = y as usize * width as usize + x as usize;
        if layout.planes > 1 { values[c * (values.len() / count) + i] } else { values[i * count + c] }
    };
    let rgb = |x: u32, y: u32| if gray { [at(x, y, 0); 3] } else { [0, 1, 2].map(|c| at(x, y, c)) };
    let is_little = file.byte_order() == ByteOrder::LittleEndian;
    let mut blob = |tag: Tag| match file.find_tag(tag).ok().flatten()? {
        // Some writers call bytes words.
        Value::List(words) if matches!(words.first(), Some(Value::Unsigned(_))) => {
            let bytes = |word: Value| {
                word.into_u32().map(|word| if is_little { word.to_le_bytes() } else { word.to_be_bytes() })
            };
            words.into_iter().map(bytes).collect::<TiffResult<Vec<_>>>().ok().map(|words| words.concat())
        }
        value => value.into_u8_vec().ok(),
    };
    let (mut icc, xmp, iptc) = (blob(Tag::IccProfile), blob(XMP), blob(IPTC));
    let mut remarks = Vec::new();
    let image = if is_of_inks {
        let (picture, remark) =
            inks::picture(|x, y| [0, 1, 2, 3].map(|c| at(x, y, c)), [width, height], icc.as_deref());
        (icc, remarks) = (None, vec![remark]);
        if !extra.is_empty() {
            remarks.push("what it holds beside CMYK is left out");
        }
        picture.into()
    } else if alpha {
        Rgba32FImage::from_fn(width, height, |x, y| {
            let opacity = at(x, y, count - 1);
            let share = if extra.first() == Some(&PREMULTIPLIED) { opacity.max(1.0 / 65_535.0) } else { 1.0 };
            let [r, g, b] = rgb(x, y).map(|value| value / share);
            Rgba([r, g, b, opacity])
        })
        .into()
    } else {
        DynamicImage::from(Rgb32FImage::from_fn(width, height, |x, y| Rgb(rgb(x, y))))
    };
    let mut number = |tag: Tag| match file.find_tag(tag).ok().flatten()? {
        Value::Rational(n, d) if d > 0 => Some(f64::from(n) / f64::from(d)),
        Value::Short(value) => Some(value.into()),
        _ => None,
    };
    let unit = inches(number(Tag::ResolutionUnit).map(|unit| unit as u16));
    let resolution = number(Tag::XResolution).zip(number(Tag::YResolution)).zip(unit);
    let resolution = resolution.map(|((x, y), unit)| [x * unit, y * unit]);
    let orientation = file.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten().and_then(Orientation::from_exif);
    let sayings = Sayings::of_page(&mut file, bytes.len());
    if sayings.is_damaged() {
        remarks.push("some of its EXIF cannot be read, and is left out");
    }
    if page == 0 && file.more_images() {
        remarks.push(ONLY_THE_FIRST);
    }
    Ok(Decoded {
        image,
        gray,
        deep,
        float,
        icc,
        exif: sayings.to_block(),
        metadata: Metadata { xmp, iptc, resolution, ..Metadata::default() },
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        compression: None,
        remarks,
    })
}

/// Samples in `[0, 1]`; none for numbers with a sign. Those of fewer than 8 bits lie packed in rows of whole bytes, `in_row` in each.
fn numbers(samples: DecodingResult, bits: u8, in_row: usize) -> Option<Vec<f32>> {
    Some(match samples {
        DecodingResult::U8(bytes) if bits < 8 => {
            let (bits, row) = (usize::from(bits), (in_row * usize::from(bits)).div_ceil(8));
            let largest = ((1u16 << bits) - 1) as f32;
            let of_row = |row: &[u8]| -> Vec<f32> {
                let value = |i: usize| row[i * bits / 8] >> (8 - bits - i * bits % 8) & ((1u16 << bits) - 1) as u8;
                (0..in_row).map(|i| f32::from(value(i)) / largest).collect()
            };
            bytes.chunks_exact(row).flat_map(of_row).collect()
        }
        DecodingResult::U8(all) => all.into_iter().map(|v| f32::from(v) / 255.0).collect(),
        DecodingResult::U16(all) => all.into_iter().map(|v| f32::from(v) / 65_535.0).collect(),
        DecodingResult::U32(all) => all.into_iter().map(|v| (f64::from(v) / f64::from(u32::MAX)) as f32).collect(),
        DecodingResult::U64(all) => all.into_iter().map(|v| (v as f64 / u64::MAX as f64) as f32).collect(),
        DecodingResult::F16(all) => all.into_iter().map(f32::from).collect(),
        DecodingResult::F32(all) => all,
        DecodingResult::F64(all) => all.into_iter().map(|v| v as f32).collect(),
        _ => return None,
    })
}

/// A file of a picture of 8 or 16 bits in grey, RGB or RGBA.
pub(super) fn encode(held: &Held) -> TiffResult<Vec<u8>> {
    match &held.image {
        DynamicImage::ImageLuma8(pixels) => write::<colortype::Gray8>(held, pixels),
        DynamicImage::ImageLuma16(pixels) => write::<colortype::Gray16>(held, pixels),
        DynamicImage::ImageRgba8(pixels) => write::<colortype::RGBA8>(held, pixels),
        DynamicImage::ImageRgba16(pixels) => write::<colortype::RGBA16>(held, pixels),
        DynamicImage::ImageRgb16(pixels) => write::<colortype::RGB16>(held, pixels),
        other => write::<colortype::RGB8>(held, &other.to_rgb8()),
    }
}

fn write<C: colortype::ColorType>(held: &Held, samples: &[C::Inner]) -> TiffResult<Vec<u8>>
where
    [C::Inner]: TiffValue,
{
    let mut bytes = Vec::new();
    let mut file = TiffEncoder::new(Cursor::new(&mut bytes))?;
    let sayings = held.exif.as_deref().and_then(Sayings::of_block).unwrap_or_default();
    let within = sayings.write_within(&mut file)?;
    let mut page = file.new_image::<C>(held.image.width(), held.image.height())?;
    sayings.write(page.encoder(), &within)?;
    let metadata = &held.metadata;
    let blobs = [(Tag::IccProfile, held.icc), (XMP, metadata.xmp.as_ref()), (IPTC, metadata.iptc.as_ref())];
    for (tag, blob) in blobs {
        if let Some(blob) = blob {
            page.encoder().write_tag(tag, &blob[..])?;
        }
    }
    if C::BITS_PER_SAMPLE.len() == 4 {
        page.encoder().write_tag(Tag::ExtraSamples, &[STRAIGHT][..])?;
    }
    if let Some(resolution) = metadata.resolution {
        let [x, y] = resolution.map(|per_inch| Rational { n: (per_inch * 1000.0).round() as u32, d: 1000 });
        page.resolution_unit(ResolutionUnit::Inch);
        page.x_resolution(x);
        page.y_resolution(y);
    }
    page.write_data(samples)?;
    Ok(bytes)
}
