//! The window, through its accessible names: what a user sees, clicks and types. Nothing here knows how it is built.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, SnapshotResults};
use fdgr::degradation::denoising::Denoising;
use fdgr::gui::Window;
use fdgr::picture::{Picture, Writing};
use fdgr::recipe::Recipe;
use fdgr::restore::{Border, Source};
use image::{Rgb, Rgb32FImage};

use crate::support::{aloud, skip};

/// Longer than anything here takes on a slow machine; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(300);

/// A window of 1200x760 points that computes on the CPU.
fn window(photos: &[PathBuf]) -> Harness<'static, Window> {
    let photos = photos.to_vec();
    Harness::builder()
        .with_size(vec2(1200.0, 760.0))
        .with_theme(egui::Theme::Dark)
        .build_eframe(move |context| Window::fresh(&context.egui_ctx, "cpu", &photos))
}

/// Draws frames until something is seen.
fn until(window: &mut Harness<'_, Window>, what: &str, is_seen: impl Fn(&Harness<'_, Window>) -> bool) {
    let begun = Instant::now();
    while !is_seen(window) {
        assert!(begun.elapsed() < PATIENCE, "not seen: {what}");
        window.step();
        std::thread::sleep(Duration::from_millis(10));
    }
    window.step();
}

fn until_text(window: &mut Harness<'_, Window>, text: &str) {
    until(window, text, |window| window.query_all_by_label_contains(text).next().is_some());
}

/// Text that is on the screen, if it is.
fn has(window: &Harness<'_, Window>, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

fn is_enabled(window: &Harness<'_, Window>, name: &str) -> bool {
    !window.get_by_label(name).accesskit_node().is_disabled()
}

fn press(window: &mut Harness<'_, Window>, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.step();
}

/// The otter, cut to 128x128.
fn otter() -> Picture {
    Picture::read(Path::new("assets/samples/10_otter.png")).unwrap().cropped(20, 40, 128, 128)
}

/// A photo with noise of 0.1.
fn noisy(folder: &Path, name: &str, seed: u64) -> PathBuf {
    let place = folder.join(name);
    let made = Source::degraded(&otter(), &Denoising {}.into(), Border::Extend, 0.1, seed).unwrap();
    made.write(&place, &Writing::default()).unwrap();
    place
}

fn distance(a: &Picture, b: &Picture) -> f64 {
    let squares = a.pixels().iter().zip(b.pixels().iter()).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / a.pixels().len() as f64).sqrt()
}

/// A file that is dropped on the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

fn drop_file(window: &mut Harness<'_, Window>, path: &Path) {
    window.input_mut().dropped_files.push(Arc::new(Dropped(path.into())));
    window.step();
}

#[test]
fn a_photo_is_dropped_diagnosed_restored_compared_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    let photo = noisy(folder.path(), "noisy.png", 1);
    let mut window = window(&[]);
    window.step();
    assert!(has(&window, "Drop photos here"));
    drop_file(&mut window, &photo);
    until_text(&mut window, "noise of about");
    until_text(&mut window, "128x128 becomes 128x128");
    assert!(!is_enabled(&window, "Save") && !is_enabled(&window, "After"));
    window.get_by_label("Restore").click();
    until_text(&mut window, "consistent with the photo");
    until(&mut window, "Difference", |window| is_enabled(window, "Difference"));
    assert!(is_enabled(&window, "Residual"));
    for key in [Key::D, Key::A, Key::X, Key::R, Key::B, Key::S] {
        press(&mut window, Modifiers::NONE, key);
    }
    press(&mut window, Modifiers::COMMAND, Key::S);
    until(&mut window, "saved", |window| window.query_by_label("saved").is_some());
    let saved = folder.path().join("noisy-restored.png");
    let restored = Picture::read(&saved).unwrap();
    let photo = Picture::read(&photo).unwrap();
    assert!(distance(&restored, &otter()) < 0.5 * distance(&photo, &otter()), "it is not restored");
    assert_eq!(Recipe::read(&Recipe::path_for(&saved)).unwrap().input.path.file_name().unwrap(), "noisy.png");
    press(&mut window, Modifiers::NONE, Key::U);
    until(&mut window, "Uncertainty", |window| is_enabled(window, "Uncertainty"));
    assert!(window.query_by_label("saved").is_some(), "a look changes nothing");
    assert!(is_enabled(&window, "Difference"), "the result is shown as before");
    // A second result goes beside the first.
    window.get_by_label("Restore").click();
    window.step();
    until_text(&mut window, "consistent with the photo");
    until(&mut window, "Save", |window| is_enabled(window, "Save"));
    window.get_by_label("Save").click();
    until(&mut window, "saved", |window| window.query_by_label("saved").is_some());
    assert!(folder.path().join("noisy-restored-2.png").exists());
    assert_eq!(distance(&restored, &Picture::read(&saved).unwrap()), 0.0);
}

/// The format and its quality are chosen, and a result that is on disk already is copied from there.
#[test]
fn results_are_saved_as_is_wished() {
    let folder = tempfile::tempdir().unwrap();
    let photos = [noisy(folder.path(), "one.png", 1), noisy(folder.path(), "two.png", 2)];
    let mut window = window(&photos);
    until_text(&mut window, "128x128 becomes 128x128");
    window.get_by_label("Saving").click();
    window.step();
    window.get_by_role_and_label(Role::ComboBox, "Save as a").click();
    window.run_steps(3);
    // There is a preset of that name, too.
    window.get_all_by_label("JPEG").last().unwrap().click();
    window.step();
    window.get_by_label("Restore").click();
    until_text(&mut window, "consistent with the photo");
    window.get_by_label("Save").click();
    until(&mut window, "saved", |window| window.query_by_label("saved").is_some());
    let saved = std::fs::read(folder.path().join("one-restored.jpg")).unwrap();
    assert!(saved.starts_with(b"\xff\xd8"), "it is a JPEG");
    // Another photo is looked at, and this one again: its result is on disk only.
    press(&mut window, Modifiers::NONE, Key::PageDown);
    until_text(&mut window, "128x128 becomes 128x128");
    press(&mut window, Modifiers::NONE, Key::PageUp);
    until(&mut window, "After", |window| is_enabled(window, "After"));
    assert!(is_enabled(&window, "Save as…") && is_enabled(&window, "Copy the result"));
    assert!(!is_enabled(&window, "Save"), "it is saved");
}

/// A photo in which nothing is wrong.
fn clean_photo(folder: &Path) -> PathBuf {
    let place = folder.join("clean.png");
    let pixel = |x, y| Rgb([0.2 + 0.004 * x as f32, 0.3 + 0.003 * y as f32, 0.4]);
    Picture::new(Rgb32FImage::from_fn(96, 96, pixel)).in_eight_bits().write(&place).unwrap();
    place
}

#[test]
fn nothing_is_done_to_a_clean_photo_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(&[clean_photo(folder.path())]);
    until_text(&mut window, "already clean");
    window.get_by_label("Restore").click();
    until(&mut window, "the state", |window| window.query_by_label("already clean").is_some());
    assert!(!is_enabled(&window, "Save"));
    window.get_by_label("Denoise it anyway").click();
    until_text(&mut window, "96x96 becomes 96x96");
}

#[test]
fn a_stop_stops_and_the_photo_can_be_restored_again() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("large.png");
    noisy_picture(700, 500).write(&photo).unwrap();
    let mut window = window(&[photo]);
    until_text(&mut window, "700x500 becomes");
    press(&mut window, Modifiers::COMMAND, Key::R);
    until(&mut window, "Stop", |window| window.query_by_label("Stop").is_some());
    press(&mut window, Modifiers::NONE, Key::P);
    assert!(window.query_by_label("Go on").is_some(), "it does not pause");
    press(&mut window, Modifiers::NONE, Key::Escape);
    until(&mut window, "the end", |window| window.query_by_label("Stop").is_none());
    assert!(window.query_by_label("ready").is_some() && !is_enabled(&window, "Save"));
    assert!(is_enabled(&window, "Restore"));
}

fn noisy_picture(width: u32, height: u32) -> Picture {
    let plain = Picture::new(Rgb32FImage::from_fn(width, height, |x, y| {
        Rgb([0.3 + 0.2 * (x as f32 / 40.0).sin(), 0.5, 0.4 + 0.2 * (y as f32 / 30.0).cos()])
    }));
    match Source::degraded(&plain, &Denoising {}.into(), Border::Extend, 0.1, 3).unwrap() {
        Source::Photo(photo) => photo,
        Source::Sensed(_) => unreachable!("noise makes a photo"),
    }
}

#[test]
fn what_is_painted_over_is_filled_in_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("scratched.png");
    let scratched = |x: u32, y: u32| (60..66).contains(&x) && (20..108).contains(&y);
    let whole = otter();
    let pixel = |x, y| if scratched(x, y) { Rgb([1.0; 3]) } else { *whole.pixels().get_pixel(x, y) };
    Picture::new(Rgb32FImage::from_fn(128, 128, pixel)).write(&photo).unwrap();
    let mut window = window(std::slice::from_ref(&photo));
    until(&mut window, "the photo", |window| window.query_by_label("ready").is_some());
    window.get_by_label("Scratched").click();
    until_text(&mut window, "Paint over");
    until_text(&mut window, "inpainting needs to know the holes");
    let place = photo_on_screen(&window, [128.0, 128.0]);
    let at = |x: f32, y: f32| place.min + vec2(x, y) * place.width() / 128.0;
    for (from, to) in [([63.0, 16.0], [63.0, 112.0]), ([20.0, 20.0], [40.0, 20.0])] {
        window.drag_at(at(from[0], from[1]));
        window.step();
        for share in 1..=8 {
            let share = share as f32 / 8.0;
            let along = |i: usize| from[i] + share * (to[i] - from[i]);
            window.hover_at(at(along(0), along(1)));
            window.step();
        }
        window.drop_at(at(to[0], to[1]));
        window.step();
    }
    // The second stroke was a slip.
    press(&mut window, Modifiers::COMMAND, Key::Z);
    until_text(&mut window, "128x128 becomes 128x128");
    press(&mut window, Modifiers::COMMAND, Key::R);
    until_text(&mut window, "evaluations of the network; ");
    press(&mut window, Modifiers::COMMAND, Key::S);
    until(&mut window, "saved", |window| window.query_by_label("saved").is_some());
    let restored = Picture::read(&folder.path().join("scratched-restored.png")).unwrap();
    let before = Picture::read(&photo).unwrap();
    // Of the scratch, or of what is far from it.
    let error = |picture: &Picture, of_scratch: bool| -> f32 {
        let places = (0..128u32).flat_map(|y| (0..128u32).map(move |x| (x, y)));
        let counts = |&(x, y): &(u32, u32)| if of_scratch { scratched(x, y) } else { x.abs_diff(63) > 20 };
        let square = |(x, y)| (picture.pixels().get_pixel(x, y)[1] - whole.pixels().get_pixel(x, y)[1]).powi(2);
        places.filter(counts).map(square).sum()
    };
    assert!(error(&restored, true) < 0.1 * error(&before, true), "the scratch is there");
    assert!(error(&restored, false) < 0.01, "more was changed: {}", error(&restored, false));
}

/// Where the viewer shows a photo of that size when it is fitted.
fn photo_on_screen(window: &Harness<'_, Window>, size: [f32; 2]) -> egui::Rect {
    let pane = window.get_by_label("Picture").rect();
    let scale = (pane.width() / size[0]).min(pane.height() / size[1]);
    egui::Rect::from_center_size(pane.center(), vec2(size[0], size[1]) * scale)
}

#[test]
fn bad_files_get_a_sentence_and_the_others_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\nnothing").unwrap();
    let good = ["a.png", "b.png"].map(|name| noisy(folder.path(), name, 5));
    let mut window = window(&[folder.path().to_path_buf(), folder.path().join("missing.jpg")]);
    until(&mut window, "two failures", |window| window.query_all_by_label("failed").count() == 2);
    assert!(has(&window, "broken.png") && has(&window, "missing.jpg"));
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
    until(&mut window, "two results", |window| window.query_all_by_label("saved").count() == 2);
    for photo in good {
        let stem = photo.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(folder.path().join(format!("{stem}-restored.png")).exists());
    }
    window.get_all_by_label("broken.png").next().unwrap().click();
    window.step();
    window.step();
    assert!(has(&window, "broken.png: it cannot be decoded"), "no sentence says what is wrong");
    press(&mut window, Modifiers::NONE, Key::Delete);
    window.step();
    assert!(window.query_all_by_label("broken.png").next().is_none());
}

#[test]
fn results_are_not_lost_by_closing() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(&[noisy(folder.path(), "noisy.png", 2)]);
    until_text(&mut window, "128x128 becomes");
    let close = |window: &mut Harness<'_, Window>| {
        let viewport = window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
        viewport.events.push(egui::ViewportEvent::Close);
        window.step();
        window.step();
    };
    close(&mut window);
    assert!(!has(&window, "is not saved"), "there is nothing to lose");
    press(&mut window, Modifiers::COMMAND, Key::R);
    until_text(&mut window, "consistent with the photo");
    close(&mut window);
    assert!(has(&window, "One result is not saved."));
    window.get_by_label("Save them and close").click();
    until(&mut window, "saved", |window| window.query_by_label("saved").is_some());
    assert!(folder.path().join("noisy-restored.png").exists());
}

#[test]
fn results_of_one_name_do_not_replace_each_other_and_removing_asks() {
    let folder = tempfile::tempdir().unwrap();
    let photos = ["same.png", "same.tiff"].map(|name| noisy(folder.path(), name, 7));
    let mut window = window(&photos);
    until_text(&mut window, "128x128 becomes");
    for key in [Key::PageUp, Key::PageDown] {
        press(&mut window, Modifiers::NONE, key);
        until_text(&mut window, "128x128 becomes");
        window.get_by_label("Restore").click();
        until(&mut window, "a result", |window| is_enabled(window, "Save"));
    }
    press(&mut window, Modifiers::NONE, Key::Delete);
    window.run_steps(3);
    assert!(has(&window, "Its result is not saved."));
    window.get_by_label("Keep it").click();
    window.run_steps(3);
    let viewport = window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
    viewport.events.push(egui::ViewportEvent::Close);
    window.run_steps(3);
    assert!(has(&window, "2 results are not saved."));
    window.get_by_label("Save them and close").click();
    until(&mut window, "both saved", |window| window.query_all_by_label("saved").count() == 2);
    assert!(["same-restored.png", "same-restored-2.png"].iter().all(|name| folder.path().join(name).exists()));
}

#[test]
fn a_result_that_cannot_be_saved_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let mut window = window(&[noisy(&inner, "noisy.png", 8)]);
    until_text(&mut window, "128x128 becomes");
    std::fs::remove_dir_all(&inner).unwrap();
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
    until_text(&mut window, "cannot be written");
    until(&mut window, "the result", |window| is_enabled(window, "Save as…"));
}

#[test]
fn another_device_stands_in_for_one_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let photos = [noisy(folder.path(), "noisy.png", 9)];
    let mut window = Harness::builder()
        .with_size(vec2(1200.0, 760.0))
        .build_eframe(move |context| Window::fresh(&context.egui_ctx, "a card that was sold", &photos));
    until_text(&mut window, "the CPU goes on");
    until_text(&mut window, "128x128 becomes");
    press(&mut window, Modifiers::COMMAND, Key::R);
    until_text(&mut window, "consistent with the photo");
}

#[test]
fn what_was_found_can_be_changed_in_numbers_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(&[noisy(folder.path(), "noisy.png", 4)]);
    until_text(&mut window, "128x128 becomes");
    window.get_by_label("Shaken").click();
    until_text(&mut window, "deblur: hqs");
    window.get_by_label("Too small").click();
    until_text(&mut window, "128x128 becomes 256x256");
    window.get_by_label("Size").click();
    window.run_steps(5);
    window.get_by_label("4 x").click();
    until_text(&mut window, "128x128 becomes 512x512");
    window.get_by_label("Size").click();
    window.run_steps(5);
    window.get_by_label("as the task makes it").click();
    until_text(&mut window, "128x128 becomes 256x256");
    window.get_by_label("rich in texture").click();
    until_text(&mut window, "sr: diffpir");
    window.get_by_label("More").click();
    window.run_steps(20);
    until_text(&mut window, "75 evaluations");
    window.get_by_label("quality").click();
    window.run_steps(5);
    window.get_by_label("draft").click();
    until_text(&mut window, "30 evaluations");
    window.get_by_label("Find out").click();
    until_text(&mut window, "denoise: ");
}

/// Pictures of the window, drawn by Mesa's software adapter: others draw other edges.
#[test]
fn it_looks_as_it_did() {
    let is_mesa = |adapter: &fdgr::device::Adapter| adapter.driver.contains("llvmpipe");
    if !fdgr::device::adapters().iter().any(is_mesa) {
        let missing = "Mesa's software adapter, of which snapshots of the window are, is not there";
        // Elsewhere there is none.
        return if cfg!(target_os = "linux") { skip("GPU", missing) } else { aloud(&format!("SKIPPED: {missing}")) };
    }
    let mut results = SnapshotResults::new();
    let mut empty = window(&[]);
    empty.run_steps(3);
    results.add(empty.try_snapshot("empty"));
    press(&mut empty, Modifiers::NONE, Key::F1);
    empty.run_steps(20);
    results.add(empty.try_snapshot("keys"));
    let folder = tempfile::tempdir().unwrap();
    let mut clean = window(&[clean_photo(folder.path())]);
    // What was found comes first, and what follows from it later.
    until_text(&mut clean, "Denoise it anyway");
    clean.run_steps(3);
    results.add(clean.try_snapshot("clean"));
}

/// A program that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// The real program, on a virtual screen, by its keys.
#[test]
fn the_program_restores_on_a_screen() {
    use std::process::{Command, Stdio};
    let tool = |name: &str| {
        let mut command = Command::new(name);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let is_there = |name: &str| tool(name).arg("-version").status().is_ok();
    if !is_there("Xvfb") || !is_there("xdotool") {
        return skip("SCREEN", "Xvfb or xdotool is missing");
    }
    let folder = tempfile::tempdir().unwrap();
    let photo = noisy(folder.path(), "noisy.png", 6);
    let screen = format!(":{}", 100 + std::process::id() % 400);
    let _screen = Running(tool("Xvfb").args([&screen, "-screen", "0", "1280x800x24"]).spawn().unwrap());
    let mut program = tool(env!("CARGO_BIN_EXE_fdgr"));
    program.args(["window", "--device", "cpu"]).arg(&photo).env("DISPLAY", &screen).env_remove("WAYLAND_DISPLAY");
    // What it remembers, and what a session would.
    program.env("XDG_DATA_HOME", folder.path()).env("XDG_RUNTIME_DIR", folder.path());
    let begun = Instant::now();
    let wait = || {
        assert!(begun.elapsed() < PATIENCE, "the window does not answer");
        std::thread::sleep(Duration::from_millis(200));
    };
    // The screen may not be there yet.
    std::thread::sleep(Duration::from_secs(1));
    let mut program = Running(program.spawn().unwrap());
    let saved = folder.path().join("noisy-restored.png");
    let press = |key: &str| {
        let typed = ["search", "--onlyvisible", "--name", "fdgr", "windowfocus", "key", key];
        tool("xdotool").args(typed).env("DISPLAY", &screen).status().is_ok_and(|status| status.success())
    };
    // Until the photo is read, and then until the result is there, keys do nothing.
    while !saved.exists() {
        assert!(program.0.try_wait().unwrap().is_none(), "the program ended");
        if press("ctrl+r") {
            std::thread::sleep(Duration::from_secs(4));
            press("ctrl+s");
        }
        wait();
    }
    let distances = [&saved, &photo].map(|path| distance(&Picture::read(path).unwrap(), &otter()));
    assert!(distances[0] < 0.5 * distances[1], "{distances:?}");
}
