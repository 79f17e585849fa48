//! What must survive the way through a file.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fdgr::picture::{Picture, endings, formats};
use image::{ImageDecoder, ImageReader, metadata::Orientation};

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
        assert_eq!(extras.exif.is_some(), format.exif, "{name}: EXIF");
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(clear.write(&folder.path().join(&name)).is_ok(), format.transparency, "{name}: transparency");
    }
}

#[test]
fn tensors_give_the_pixels_back() {
    let photo = Picture::read(&data("transparent.png")).unwrap();
    let again = Picture::from_tensor(photo.to_tensor(&Device::flex())).unwrap();
    let worst = photo
        .pixels()
        .pixels()
        .zip(again.pixels().pixels())
        .fold(0f32, |worst, (a, b)| (0..3).fold(worst, |worst, c| worst.max((a[c] - b[c]).abs())));
    assert!(worst < 1e-6, "{worst}");
}
