//! A device that is lost in the middle of a run. In a program of its own: nothing else could use that device.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, DeviceKind};
use fdgr::control::{Control, Event, Silent};
use fdgr::degradation::denoising::Denoising;
use fdgr::device::Selected;
use fdgr::error::Error;
use fdgr::picture::Picture;
use fdgr::restore::{Method, PriorChoice, RestoreConfig, Restorer};
use image::{Rgb, Rgb32FImage};

/// Destroys the device in the third step.
struct Destroying {
    device: wgpu::Device,
    steps: AtomicUsize,
}

impl Control for Destroying {
    fn emit(&self, event: Event<'_>) {
        if matches!(event, Event::Step { done: 1.., .. }) && self.steps.fetch_add(1, Ordering::SeqCst) == 2 {
            self.device.destroy();
        }
    }
}

#[test]
fn a_device_that_is_lost_is_a_sentence() {
    let kinds = [DeviceKind::DiscreteGpu(0), DeviceKind::IntegratedGpu(0), DeviceKind::VirtualGpu(0), DeviceKind::Cpu];
    let opened = kinds.into_iter().find_map(|kind| Device::wgpu_options().device_kind(kind).init_with_setup().ok());
    let Some((device, setup)) = opened else {
        let required = std::env::var("FDGR_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "FDGR_REQUIRE_GPU=1, but there is no adapter");
        _ = writeln!(std::io::stderr(), "SKIPPED on an adapter: there is none on this machine");
        return;
    };
    let selected = Selected {
        device,
        name: "lost".into(),
        description: "an adapter".into(),
        reason: "asked for".into(),
        max_tensor: None,
        memory: 1 << 32,
    };
    let restorer = Restorer::load(&PriorChoice::default(), selected, &Silent).unwrap();
    let photo = Picture::new(Rgb32FImage::from_fn(64, 48, |x, y| Rgb([x as f32 / 64.0, y as f32 / 48.0, 0.5])));
    let config =
        RestoreConfig { method: Method::named("ddpg").unwrap(), steps: 20, ..RestoreConfig::new(Denoising {}, 0.1) };
    let control = Destroying { device: setup.device, steps: AtomicUsize::new(0) };
    let restored = catch_unwind(AssertUnwindSafe(|| restorer.restore(&photo.into(), &config, &control)));
    let error = restored.expect("no panic").expect_err("no picture comes of it");
    assert!(control.steps.load(Ordering::SeqCst) > 2, "{error}");
    assert!(matches!(error, Error::Device { .. }), "{error}");
}
