//! How long the window's thread is held up by a frame while a large photo is restored, and what a large photo costs in memory.
//!
//! `cargo bench --bench window [-- MEGAPIXELS [SECONDS]]`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use eframe::egui::{Key, Modifiers, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use fdgr::device;
use fdgr::gui::Window;
use fdgr::picture::Picture;
use image::{Rgb, Rgb32FImage};

fn main() {
    let numbers: Vec<f64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let megapixels = numbers.first().copied().unwrap_or(12.0);
    let seconds = numbers.get(1).copied().unwrap_or(20.0);
    let width = (megapixels * 1e6 * 4.0 / 3.0).sqrt() as u32;
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("large.jpg");
    // Waves and grain: nothing of it is flat.
    let pixel = |x: u32, y: u32| {
        let grain = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) % 64;
        let wave = 0.5 + 0.3 * (x as f32 / 90.0).sin() * (y as f32 / 70.0).cos();
        Rgb([wave, 0.8 * wave, 1.0 - wave].map(|v| v + (grain as f32 - 32.0) / 640.0))
    };
    Picture::new(Rgb32FImage::from_fn(width, width * 3 / 4, pixel)).write(&photo).unwrap();
    println!(
        "fdgr {}, {}, {width}x{}",
        env!("CARGO_PKG_VERSION"),
        device::cpu(String::new()).description,
        width * 3 / 4
    );
    println!("memory before: {} MB", memory());
    let begun = Instant::now();
    let photos = [photo];
    let mut window = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .build_eframe(|context| Window::fresh(&context.egui_ctx, "cpu", &photos));
    window.step();
    println!("first frame after {:.2} s", begun.elapsed().as_secs_f64());
    let mut frames = Vec::new();
    let mut frame = |window: &mut Harness<'_, Window>| {
        // The pointer moves, so that everything is drawn.
        let at = frames.len() as f32 % 200.0;
        window.hover_at(pos2(500.0 + at, 300.0 + at));
        let begun = Instant::now();
        window.step();
        frames.push(begun.elapsed());
        std::thread::sleep(Duration::from_millis(16));
    };
    while window.query_all_by_label_contains(" becomes ").next().is_none() {
        frame(&mut window);
    }
    println!("photo read and understood after {:.1} s, memory {} MB", begun.elapsed().as_secs_f64(), memory());
    window.key_press_modifiers(Modifiers::COMMAND, Key::R);
    let restoring = Instant::now();
    while restoring.elapsed().as_secs_f64() < seconds {
        frame(&mut window);
    }
    let is_running = window.query_by_label("Stop").is_some();
    println!("memory while it is {}: {} MB", if is_running { "restored" } else { "shown restored" }, memory());
    frames.sort();
    let at = |share: f64| frames[((frames.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{} frames: median {:.1} ms, 99% {:.1} ms, longest {:.1} ms", frames.len(), at(0.5), at(0.99), at(1.0));
}

/// Main memory of this process, in MB.
fn memory() -> u64 {
    let mut system = sysinfo::System::new();
    let own = sysinfo::get_current_pid().unwrap();
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[own]), true);
    system.process(own).map_or(0, |process| process.memory() / 1_000_000)
}
