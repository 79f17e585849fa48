//! What must survive the way through a file.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::Device;
use fdgr::picture::{Metadata, Picture, Writing, endings, formats};
use image::{ImageDecoder, ImageReader, metadata::Orientation};

use crate::support::skip;

fn data(name: &str) -> PathBuf {
    Path::new("tests/data").join(name)
}

fn written(picture: &Picture, name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    picture.write(&path).unwrap();
    (folder, path)
}

#[test]
fn a_turned_photo_stands_upright_once() {
    let photo = Picture::read(&data("turned.jpg")).unwrap();
    assert_eq!((photo.width(), photo.height()), (16, 24), "the file is 24x16, to be turned by a quarter");
    for name in ["out.png", "out.jpg", "out.webp"] {
        let (_folder, path) = written(&photo, name);
        let mut decoder = ImageReader::open(&path).unwrap().into_decoder().unwrap();
        assert_eq!(decoder.orientation().unwrap(), Orientation::NoTransforms, "{name}");
        let exif = decoder.exif_metadata().unwrap().expect("EXIF survives");
        assert!(exif.windows(6).any(|bytes| bytes == b"Camera"), "{name}: the camera's name survives");
        assert!(decoder.icc_profile().unwrap().is_some(), "{name}: the colour profile survives");
        let again = Picture::read(&path).unwrap();
        assert_eq!((again.width(), again.height()), (16, 24), "{name}");
    }
}

#[test]
fn sixteen_bits_and_grey_survive() {
    let photo = Picture::read(&data("gray16.png")).unwrap();
    assert!(photo.extras.gray && photo.extras.deep);
    for name in ["out.png", "out.tiff"] {
        let (_folder, path) = written(&photo, name);
        let again = Picture::read(&path).unwrap();
        assert!(again.extras.gray && again.extras.deep, "{name}");
        for (a, b) in photo.pixels().pixels().zip(again.pixels().pixels()) {
            assert!((a[0] - b[0]).abs() < 1.0 / 65_000.0, "{name}");
        }
    }
}

#[test]
fn transparency_survives_or_is_refused() {
    let photo = Picture::read(&data("transparent.png")).unwrap();
    for name in ["out.png", "out.webp", "out.tiff"] {
        let (_folder, path) = written(&photo, name);
        let again = Picture::read(&path).unwrap();
        let (a, b) = (photo.extras.alpha.as_ref().unwrap(), again.extras.alpha.as_ref().expect(name));
        assert!(a.pixels().zip(b.pixels()).all(|(a, b)| (a[0] - b[0]).abs() < 1.0 / 250.0), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jpg");
    let message = photo.write(&path).unwrap_err().to_string();
    assert!(message.contains("transparency") && !path.exists(), "{message}");
}

/// Opacity that is full everywhere is no transparency, which a JPEG could not hold.
#[test]
fn opaque_pictures_are_not_transparent() {
    let folder = tempfile::tempdir().unwrap();
    let opaque = image::RgbaImage::from_fn(12, 8, |x, y| image::Rgba([x as u8 * 20, y as u8 * 30, 90, 255]));
    for name in ["a.png", "a.gif", "a.webp", "a.tiff"] {
        let path = folder.path().join(name);
        opaque.save(&path).unwrap();
        let picture = Picture::read(&path).unwrap();
        assert!(picture.extras.alpha.is_none(), "{name}");
        picture.write(&folder.path().join("out.jpg")).unwrap();
    }
}

#[test]
fn names_and_places_that_do_not_do_are_told_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str| Picture::check_output(&folder.path().join(name)).unwrap_err().to_string();
    assert!(message("out.gif").contains(".png, .jpg, .webp or .tiff"), "{}", message("out.gif"));
    assert!(message("nowhere/out.png").contains("no folder"), "{}", message("nowhere/out.png"));
    for format in formats() {
        for ending in format.endings {
            let path = folder.path().join(format!("out.{ending}"));
            Picture::check_output(&path).unwrap();
            assert!(Picture::has_picture_ending(&path) && endings().contains(ending) && !path.exists());
        }
    }
}

/// Every format keeps what its row of the table says, and nothing that it cannot hold.
#[test]
fn formats_hold_what_they_say() {
    let deep = Picture::read(&data("gray16.png")).unwrap();
    let clear = Picture::read(&data("transparent.png")).unwrap();
    let profiled = Picture::read(&data("turned.jpg")).unwrap();
    for format in formats() {
        let name = format!("out.{}", format.endings[0]);
        let (_folder, path) = written(&deep, &name);
        assert_eq!(Picture::read(&path).unwrap().extras.deep, format.deep, "{name}: 16 bits");
        let (_folder, path) = written(&profiled, &name);
        let extras = Picture::read(&path).unwrap().extras;
        assert_eq!(extras.icc, profiled.extras.icc.clone().filter(|_| format.icc), "{name}: ICC");
        assert_eq!(extras.exif.is_some(), format.exif > 0, "{name}: EXIF");
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(clear.write(&folder.path().join(&name)).is_ok(), format.transparency, "{name}: transparency");
    }
}

/// What says where and when a photo was taken is left out where that is wished, and what its colours mean is not.
#[test]
fn metadata_and_quality_are_a_choice() {
    let mut photo = Picture::read(&data("turned.jpg")).unwrap();
    assert!(photo.extras.exif.is_some());
    photo.extras.metadata.chunks =
        vec![(*b"gAMA", 100_000u32.to_be_bytes().to_vec()), (*b"tEXt", b"Title\0a title".to_vec())];
    photo.extras.metadata.xmp = Some(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>place</x:xmpmeta>".to_vec());
    let bare = Writing { metadata: false, ..Writing::default() };
    for format in formats() {
        let name = format!("out.{}", format.ending());
        let bytes = photo.encode(name.as_ref(), &bare).unwrap();
        let again = Picture::decode(&bytes, name.as_ref()).expect(&name);
        assert!(again.extras.exif.is_none() && again.extras.metadata.xmp.is_none(), "{name}");
        let light = if format.chunks { &photo.extras.metadata.chunks[..1] } else { &[] };
        assert_eq!(again.extras.metadata.chunks, light, "{name}");
    }
    let size = |quality| {
        let writing = Writing { quality, ..Writing::default() };
        photo.encode("out.jpg".as_ref(), &writing).unwrap().len()
    };
    assert!(size(20) < size(60) && size(60) < size(95), "{} {} {}", size(20), size(60), size(95));
}

/// XMP, IPTC, resolution, gamma and texts come back from every format that says it holds them, and what is lost is said.
#[test]
fn what_files_say_of_pictures_survives() {
    let mut photo = Picture::read(&data("transparent.png")).unwrap();
    photo.extras.alpha = None;
    let metadata = Metadata {
        xmp: Some(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>title</x:xmpmeta>".to_vec()),
        iptc: Some(b"\x1c\x02\x05\0\x05title".to_vec()),
        resolution: Some([300.0, 150.0]),
        comment: Some("a comment".into()),
        chunks: vec![(*b"gAMA", 100_000u32.to_be_bytes().to_vec()), (*b"tEXt", b"Title\0a title".to_vec())],
    };
    *photo.extras.metadata = metadata.clone();
    for format in formats() {
        let name = format!("out.{}", format.endings[0]);
        let (_folder, path) = written(&photo, &name);
        let again = Picture::read(&path).expect(&name);
        let found = &again.extras.metadata;
        assert_eq!(found.xmp, metadata.xmp.clone().filter(|xmp| xmp.len() <= format.xmp), "{name}");
        assert_eq!(found.iptc, metadata.iptc.clone().filter(|iptc| iptc.len() <= format.iptc), "{name}");
        assert_eq!(found.resolution.is_some(), format.resolution, "{name}");
        let off = |(found, said): (&f64, &f64)| (found - said).abs();
        let resolution = found.resolution.iter().flatten().zip(metadata.resolution.iter().flatten());
        assert!(resolution.map(off).all(|off| off < 0.02), "{name}: {:?}", found.resolution);
        // PNG's comments are texts.
        let is_comment = |(_, body): &([u8; 4], Vec<u8>)| body.starts_with(b"Comment");
        let has_comment = found.chunks.iter().any(is_comment) || found.comment == metadata.comment;
        assert_eq!(has_comment, format.comment > 0, "{name}");
        let chunks: Vec<_> = found.chunks.iter().filter(|chunk| !is_comment(chunk)).cloned().collect();
        assert_eq!(chunks, if format.chunks { metadata.chunks.clone() } else { Vec::new() }, "{name}");
        let lost = photo.losses(&path, [8, 8], &Writing::default()).unwrap().join(", ");
        for (what, kept) in [
            ("its IPTC", format.iptc > 0),
            ("its resolution", format.resolution),
            ("its comment", format.comment > 0),
            ("its gamma and primaries", format.chunks),
            ("its texts", format.chunks),
        ] {
            assert_ne!(lost.contains(what), kept, "{name}: {lost}");
        }
        // Other programs read it, too.
        let read = image::open(&path).expect(&name).into_rgb8();
        assert_eq!((read.width() as usize, read.height() as usize), (photo.width(), photo.height()), "{name}");
    }
}

#[test]
fn tiffs_of_all_numbers_and_pages_are_read() {
    use tiff::encoder::{TiffEncoder, colortype};
    let levels = [0.0f32, 0.25, 0.5, 0.75, 1.0, 0.125];
    let gray = |bytes: &[u8]| {
        let picture = Picture::decode(bytes, Path::new("a.tif")).unwrap();
        assert!(picture.extras.gray && picture.extras.deep);
        picture.pixels().pixels().map(|pixel| pixel[0]).collect::<Vec<_>>()
    };
    let close = |found: Vec<f32>| found.iter().zip(levels).all(|(found, level)| (found - level).abs() < 1e-4);
    let mut file = Cursor::new(Vec::new());
    TiffEncoder::new(&mut file).unwrap().write_image::<colortype::Gray32Float>(3, 2, &levels).unwrap();
    assert!(close(gray(file.get_ref())), "floating point");
    let mut file = Cursor::new(Vec::new());
    let whole = levels.map(|level| (f64::from(level) * f64::from(u32::MAX)) as u32);
    TiffEncoder::new_big(&mut file).unwrap().write_image::<colortype::Gray32>(3, 2, &whole).unwrap();
    assert!(close(gray(file.get_ref())), "BigTIFF of 32 bits");
    // Two pages.
    let mut file = Cursor::new(Vec::new());
    let mut pages = TiffEncoder::new(&mut file).unwrap();
    pages.write_image::<colortype::Gray8>(2, 1, &[0, 255]).unwrap();
    pages.write_image::<colortype::RGB8>(1, 1, &[255, 0, 51]).unwrap();
    let page = |page| Picture::decode_page(file.get_ref(), Path::new("a.tif"), page);
    assert!(page(0).unwrap().remarks[0].contains("only the first"));
    let second = page(1).unwrap();
    assert!(second.remarks.is_empty() && !second.extras.gray, "{:?}", second.remarks);
    assert!((second.pixels().get_pixel(0, 0)[2] - 0.2).abs() < 1e-6);
    assert!(page(2).unwrap_err().to_string().contains("it has 2 pages"));
    let png = std::fs::read(data("transparent.png")).unwrap();
    assert!(Picture::decode_page(&png, Path::new("a.png"), 1).unwrap_err().to_string().contains("no page 2"));
}

/// What a JPEG's EXIF says of the photo comes back from a TIFF, and from what was a TIFF; its resolution as well.
#[test]
fn exif_survives_tiffs() {
    let mut photo = Picture::read(&data("turned.jpg")).unwrap();
    // A name, a resolution, a directory within, and in it a size.
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x05".to_vec();
    let mut entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        exif.extend(tag.to_be_bytes().into_iter().chain(kind.to_be_bytes()).chain(count.to_be_bytes()).chain(value));
    };
    entry(0x10f, 2, 6, 74u32.to_be_bytes());
    entry(0x110, 2, 4, *b"two\0");
    entry(0x11a, 5, 1, 80u32.to_be_bytes());
    entry(0x11b, 5, 1, 80u32.to_be_bytes());
    entry(0x8769, 4, 1, 88u32.to_be_bytes());
    exif.extend([0, 0, 0, 0]);
    exif.extend(b"maker\0\0\0\x01\x2c\0\0\0\x01");
    exif.extend(b"\0\x01\x90\x03\0\x02\0\0\0\x0b\0\0\0\x6a\0\0\0\x002026:01:02\0");
    photo.extras.exif = Some(exif);
    // A WebP holds the resolution nowhere else.
    let (_folder, path) = written(&photo, "first.webp");
    let photo = Picture::read(&path).unwrap();
    for names in [["a.tiff", "b.tiff"], ["a.tiff", "b.jpg"], ["a.tiff", "b.png"], ["a.jpg", "b.tiff"]] {
        let (_folder, first) = written(&photo, names[0]);
        let (_folder, second) = written(&Picture::read(&first).unwrap(), names[1]);
        let again = Picture::read(&second).unwrap();
        assert!(again.remarks.is_empty(), "{names:?}: {:?}", again.remarks);
        let exif = again.extras.exif.expect(names[1]);
        for word in [&b"maker"[..], b"two", b"2026:01:02"] {
            assert!(exif.windows(word.len()).any(|bytes| bytes == word), "{names:?}: {word:?} in {exif:?}");
        }
        let resolution = again.extras.metadata.resolution.expect("a resolution");
        assert!(resolution.iter().all(|dots| (dots - 300.0).abs() < 0.02), "{names:?}: {resolution:?}");
    }
    // Damage costs EXIF, and is said.
    let (_folder, path) = written(&photo, "whole.tiff");
    let whole = std::fs::read(&path).unwrap();
    let at = whole.windows(4).position(|bytes| bytes == [0x69, 0x87, 4, 0]).expect("a directory within");
    let mut damaged = whole.clone();
    damaged[at + 8..at + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let remarks = Picture::decode(&damaged, &path).unwrap().remarks;
    assert!(remarks.iter().any(|remark| remark.contains("some of its EXIF")), "{remarks:?}");
}

#[test]
fn jpeg_xl_is_read() {
    let picture = Picture::read(&data("slopes.jxl")).unwrap();
    assert_eq!((picture.width(), picture.height()), (24, 16));
    let expected = |x: u32, y: u32| [10.0 * x as f32, 15.0 * y as f32, 128.0];
    for (x, y, pixel) in picture.pixels().enumerate_pixels() {
        let worst = (0..3).map(|c| (pixel[c] * 255.0 - expected(x, y)[c]).abs()).fold(0.0, f32::max);
        assert!(worst < 0.51, "{x}, {y}: {pixel:?}");
    }
}

#[test]
fn tensors_give_the_pixels_back() {
    let photo = Picture::read(&data("transparent.png")).unwrap();
    let again = Picture::from_tensor(photo.to_tensor(&Device::flex())).unwrap();
    // Of colours under transparency, those that were spread into it.
    let worst = photo
        .spread()
        .pixels()
        .zip(again.pixels().pixels())
        .fold(0f32, |worst, (a, b)| (0..3).fold(worst, |worst, c| worst.max((a[c] - b[c]).abs())));
    assert!(worst < 1e-6, "{worst}");
}

/// EXIF with a thumbnail of `bytes` bytes.
fn exif_with_thumbnail(bytes: usize) -> Vec<u8> {
    let mut exif = b"II\x2a\0\x08\0\0\0\0\0\x0e\0\0\0".to_vec();
    for (tag, value) in [(0x201u16, 44u32), (0x202, bytes as u32)] {
        exif.extend(if tag == 0x201 { vec![2, 0] } else { Vec::new() });
        exif.extend(tag.to_le_bytes().into_iter().chain([4, 0, 1, 0, 0, 0]).chain(value.to_le_bytes()));
    }
    exif.extend([0; 4]);
    exif.extend(std::iter::repeat_n(7, bytes));
    exif
}

#[test]
fn thumbnails_are_of_the_new_picture_and_fit_the_file() {
    let mut photo = Picture::read(&data("turned.jpg")).unwrap();
    // As large as the preview of a camera: more than a JPEG takes.
    photo.extras.exif = Some(exif_with_thumbnail(100_000));
    for name in ["out.jpg", "out.png", "out.webp"] {
        let (_folder, path) = written(&photo, name);
        let exif = Picture::read(&path).expect(name).extras.exif.expect(name);
        assert!(exif.len() < 60_000 && !exif.windows(8).any(|bytes| bytes == [7; 8]), "{name}: the old thumbnail");
        let start = exif.windows(2).position(|bytes| bytes == [0xff, 0xd8]).expect("a thumbnail");
        let thumbnail = image::load_from_memory(&exif[start..]).expect(name);
        assert_eq!((thumbnail.width(), thumbnail.height()), (107, 160), "{name}: as the picture stands");
    }
    // What no file of that kind holds is left out, and said.
    photo.extras.exif = Some([exif_with_thumbnail(0), vec![1; 70_000]].concat());
    assert!(
        photo.losses("x.jpg".as_ref(), [24, 16], &Writing::default()).unwrap().iter().any(|lost| lost.contains("EXIF"))
    );
    assert!(photo.losses("x.png".as_ref(), [24, 16], &Writing::default()).unwrap().is_empty());
    let (_folder, path) = written(&photo, "out.jpg");
    assert!(Picture::read(&path).unwrap().extras.exif.is_none());
}

#[test]
fn what_a_format_cannot_hold_is_known_before() {
    let photo = Picture::read(&data("gray16.png")).unwrap();
    for format in formats().filter(|format| format.max_side < u32::MAX) {
        let path = PathBuf::from(format!("x.{}", format.endings[0]));
        let most = format.max_side as usize;
        photo.losses(&path, [8, most], &Writing::default()).unwrap();
        let message = photo.losses(&path, [8, most + 1], &Writing::default()).unwrap_err().to_string();
        assert!(message.contains(&most.to_string()) && message.contains("write a "), "{message}");
    }
    assert!(
        photo
            .losses("x.jpg".as_ref(), [8, 8], &Writing::default())
            .unwrap()
            .iter()
            .any(|lost| lost.contains("16 bits"))
    );
}

#[test]
fn files_say_what_of_them_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let remarks = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Picture::read(&path).map(|picture| picture.remarks.join(", "))
    };
    let whole = std::fs::read(data("turned.jpg")).unwrap();
    assert_eq!(remarks("whole.jpg", &whole).unwrap(), "");
    assert!(remarks("cut.jpg", &whole[..whole.len() - 40]).unwrap().contains("its end is missing"));
    let float = image::Rgb32FImage::from_pixel(4, 4, image::Rgb([0.5, 1.5, 0.2]));
    let mut bytes = Vec::new();
    image::DynamicImage::from(float).write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Tiff).unwrap();
    assert!(remarks("float.tif", &bytes).unwrap().contains("cut off"));
    assert!(Picture::read(&folder.path().join("float.tif")).unwrap().extras.deep, "float is more than 8 bits");
    let frame = || image::Frame::new(image::RgbaImage::from_pixel(4, 4, image::Rgba([9, 9, 9, 255])));
    let mut bytes = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut bytes).encode_frames([frame(), frame()]).unwrap();
    assert!(remarks("two.gif", &bytes).unwrap().contains("only the first"));
    for (name, bytes) in [("a.heic", &b"\0\0\0\x18ftypheic\0\0\0\0"[..]), ("a.psd", b"8BPS\0\x01")] {
        let message = remarks(name, bytes).unwrap_err().to_string();
        assert!(message.contains("which is not read; convert it"), "{message}");
    }
}

/// As LittleCMS does it with the same profile, and without one as their shares of light; a JPEG may hold luma, chroma and black.
#[test]
fn inks_become_colours() {
    let expected = Picture::read(&data("inks_expected.png")).unwrap();
    let mean = |picture: &Picture, expected: &dyn Fn(u32, u32) -> [f32; 3]| {
        let off = picture.pixels().enumerate_pixels().flat_map(|(x, y, pixel)| {
            let expected = expected(x, y);
            [0, 1, 2].map(|c| (pixel[c] - expected[c]).abs())
        });
        off.sum::<f32>() * 255.0 / picture.pixels().len() as f32
    };
    for (name, most) in [("inks.tiff", 1.0), ("inks.jpg", 2.0), ("inks_luma.jpg", 2.0)] {
        let picture = Picture::read(&data(name)).expect(name);
        let off = mean(&picture, &|x, y| expected.pixels().get_pixel(x, y).0);
        assert!(off < most, "{name}: {off} levels");
        assert!(picture.extras.icc.is_none() && picture.remarks.join(", ").contains("profile says"), "{name}");
    }
    let bare = Picture::read(&data("inks_bare.jpg")).unwrap();
    assert!(bare.remarks.join(", ").contains("no colour profile"));
    // The corner without black has the inks 0, 0 and 255.
    let corner = bare.pixels().get_pixel(0, 0).0;
    assert!(corner[0] > 0.95 && corner[1] > 0.95 && corner[2] < 0.05, "{corner:?}");
    // Without Adobe's marker, a segment of 16 bytes, the inks are not reversed.
    let mut unmarked = std::fs::read(data("inks_bare.jpg")).unwrap();
    let marker = unmarked.windows(2).position(|pair| pair == [0xff, 0xee]).expect("a marker");
    unmarked.drain(marker..marker + 16);
    let corner = Picture::decode(&unmarked, Path::new("a.jpg")).unwrap().pixels().get_pixel(0, 0).0;
    assert!(corner.iter().all(|&level| level < 0.05), "all of the black: {corner:?}");
}

/// Inks of 16 bits do not become steps of 8.
#[test]
fn deep_inks_stay_deep() {
    use tiff::encoder::{TiffEncoder, colortype};
    const STEPS: u16 = 2048;
    let profiled = std::fs::read(data("inks.tiff")).unwrap();
    let icc = tiff::decoder::Decoder::new(Cursor::new(&profiled)).unwrap().get_tag_u8_vec(tiff::tags::Tag::IccProfile);
    let inks: Vec<u16> = (0..STEPS).flat_map(|i| [0, 0, 0, i * (u16::MAX / STEPS)]).collect();
    let mut file = Cursor::new(Vec::new());
    let mut pages = TiffEncoder::new(&mut file).unwrap();
    let mut page = pages.new_image::<colortype::CMYK16>(u32::from(STEPS), 1).unwrap();
    page.encoder().write_tag(tiff::tags::Tag::IccProfile, &icc.unwrap()[..]).unwrap();
    page.write_data(&inks).unwrap();
    let ramp = Picture::decode(file.get_ref(), Path::new("a.tif")).unwrap();
    assert!(ramp.extras.deep);
    let green: Vec<f32> = ramp.pixels().pixels().map(|pixel| pixel[1]).collect();
    assert!(green.windows(2).all(|pair| pair[1] <= pair[0]), "more ink is darker");
    let different = 1 + green.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(different > usize::from(STEPS) * 9 / 10, "{different} levels of {STEPS}");
}

/// `tests/decoders.py` with Pillow of `FDGR_PYTHON`, or of `python3`, ImageMagick and ExifTool.
#[test]
fn other_programs_read_every_pair_of_formats() {
    let python = std::env::var("FDGR_PYTHON").unwrap_or_else(|_| "python3".into());
    let works = |program: &str, words: &[&str]| {
        Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
    };
    let needed: [(&str, &[&str]); 3] =
        [(&python, &["-c", "import numpy, PIL, pillow_jxl"]), ("convert", &["-version"]), ("exiftool", &["-ver"])];
    for (program, words) in needed {
        if !works(program, words) {
            return skip("DECODERS", &format!("{program} {words:?} fails"));
        }
    }
    let written: Vec<&str> = formats().map(|format| format.ending()).collect();
    let output = Command::new(&python)
        .args(["tests/decoders.py", env!("CARGO_BIN_EXE_fdgr"), "assets/samples/10_otter.png"])
        .args(["--read", &endings().join(","), "--write", &written.join(",")])
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{errors}");
}

#[test]
fn common_formats_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = image::RgbImage::from_fn(5, 4, |x, y| image::Rgb([x as u8 * 50, y as u8 * 60, 128]));
    for name in ["a.bmp", "a.gif", "a.qoi", "a.ppm"] {
        let path = folder.path().join(name);
        pixels.save(&path).unwrap();
        assert!(endings().contains(&name.split_once('.').unwrap().1));
        let picture = Picture::read(&path).expect(name);
        let worst = picture
            .pixels()
            .pixels()
            .zip(pixels.pixels())
            .flat_map(|(a, b)| (0..3).map(|c| (a[c] * 255.0 - f32::from(b[c])).abs()));
        assert!(worst.fold(0.0, f32::max) < if name == "a.gif" { 8.0 } else { 0.01 }, "{name}");
    }
}
