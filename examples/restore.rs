//! The library from the first line to the last: degrades a sample, listens to the restoration, and compares.
//!
//! `cargo run --release --example restore`

#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::path::Path;
use std::time::Duration;

use fdgr::control::{Control, Event, Silent};
use fdgr::degradation::{Form, Psf, deblur::Deblur};
use fdgr::device;
use fdgr::metrics::psnr;
use fdgr::noise::{Noise, Seeded, Stream};
use fdgr::picture::Picture;
use fdgr::restore::{Border, Measurement, PriorChoice, Request, Restorer, Source};
use fdgr::sampler::signed_sigma;

/// Prints what happens.
struct Listener;

impl Control for Listener {
    fn emit(&self, event: Event) {
        match event {
            Event::Estimating(what) => println!("estimating {what}"),
            Event::Step { done, all } => println!("step {done} of {all}"),
            Event::Preview(picture) => println!("a preview of {}x{}", picture.width(), picture.height()),
            _ => {}
        }
    }

    fn preview_interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(500))
    }
}

fn main() -> fdgr::Result<()> {
    let original = Picture::read(Path::new("assets/samples/10_otter.png"))?;
    let restorer = Restorer::load(&PriorChoice::default(), device::open("auto")?, &Silent)?;
    let device = &restorer.device().device;

    // A blurred and noisy photo, as a camera would make it.
    let blur = Deblur { psf: Psf::gaussian(1.6), form: Form::Fft };
    let size = [original.height(), original.width()];
    let camera = Measurement::new(&blur.clone().into(), Border::Extend, size, device)?;
    let y = camera.measure(original.to_tensor(device));
    let noise = Seeded::new(1, Stream::Measurement).draw(y.dims(), device) * signed_sigma(0.02);
    let blurred = Picture::from_tensor(y + noise)?;

    // The noise is estimated.
    let photo = Source::Photo(blurred.clone());
    let config = Request::new(blur).resolve(&photo, &Listener)?;
    let restored = restorer.restore(&photo, &config, &Listener)?;

    let quality = |picture: &Picture| psnr(picture.pixels(), original.pixels());
    println!("noise {:.3}, {} evaluations of the network", config.sigma, restored.receipt.evaluations);
    println!("blurred {:.2} dB, restored {:.2} dB", quality(&blurred), quality(&restored.picture));
    Ok(())
}
