//! The window: it shows photos, hears what is asked for, and calls the library.
//!
//! ```text
//! pointer, keys, files -> Window -> Question, Order -> worker threads -> job, restore
//!                            ^                               |
//!                            +------ News, Board ------------+
//! ```
//!
//! Nothing here knows how a photo is restored: what is asked for is a [`crate::restore::Wish`], a [`crate::job::Job`] makes a
//! result of it, and [`crate::control`] tells how far it is.

mod app;
mod bench;
mod board;
mod brush;
mod dialogs;
mod engine;
mod footer;
mod hearing;
mod keys;
mod levels;
mod list;
mod memory;
mod panel;
mod photo;
mod presets;
mod reader;
mod saving;
mod settings;
mod shelf;
mod surface;
mod tries;
mod viewer;
mod words;
mod work;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, CentralPanel, Frame, Panel, Ui};
use eframe::egui_wgpu::{WgpuConfiguration, WgpuSetup, WgpuSetupCreateNew};
use eframe::{NativeOptions, Storage, icon_data, wgpu};

use crate::error::{Error, Result};
use app::Asked;
use brush::Canvas;
use memory::Keeper;
use viewer::Pictures;

pub use app::Window;

static ICON: &[u8] = include_bytes!("../../packaging/icons/128.png");
/// Seconds between two times that the list is kept.
const KEEPING: u64 = 5;

/// Whether there is a screen to open it on, as far as the environment says.
pub fn has_screen() -> bool {
    let is_named = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let needs_name = cfg!(all(unix, not(target_os = "macos")));
    !needs_name || ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"].into_iter().any(is_named)
}

/// Opens the window with photos, and returns when it is closed.
///
/// # Errors
/// Systems without a screen, or without a driver that draws.
pub fn open(photos: &[PathBuf], device: Option<String>) -> Result<()> {
    let refuse = |fact: String| Error::Device {
        device: "the screen".into(),
        fact,
        hint: "use `fdgr restore` on the command line".into(),
    };
    if !has_screen() {
        return Err(refuse("there is none: neither WAYLAND_DISPLAY nor DISPLAY is set".into()));
    }
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    // Large windows of large screens, whatever the adapter allows.
    setup.device_descriptor = Arc::new(|adapter: &wgpu::Adapter| wgpu::DeviceDescriptor {
        label: Some("window"),
        required_limits: adapter.limits(),
        ..Default::default()
    });
    let options = NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title(words::TITLE)
            .with_app_id(words::TITLE)
            .with_icon(icon_data::from_png_bytes(ICON).unwrap_or_default())
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([760.0, 480.0])
            .with_drag_and_drop(true),
        wgpu_options: WgpuConfiguration { wgpu_setup: WgpuSetup::CreateNew(setup), ..Default::default() },
        ..Default::default()
    };
    dialogs::hear_faults();
    let photos = photos.to_vec();
    let created: eframe::AppCreator<'_> = Box::new(move |context| {
        let (mut memory, keeper, fault) = Keeper::open();
        memory.for_now = device;
        let mut window = Window::new(&context.egui_ctx, memory, &photos);
        window.keeper = keeper;
        fault.into_iter().for_each(|fault| window.say(fault));
        Ok(Box::new(window))
    });
    eframe::run_native(words::TITLE, options, created)
        .map_err(|e| refuse(format!("no window can be opened on it ({e})")))
}

impl Window {
    /// The middle: the photo, or what to do first.
    fn middle(&mut self, ui: &mut Ui) {
        let paints = self.paints().then_some(self.brush.radius);
        let Some(looked) = &mut self.looked else {
            ui.centered_and_justified(|ui| ui.label(words::empty()));
            return;
        };
        let id = looked.id;
        let Some(before) = &mut looked.before else {
            self.viewer.bar(ui, |_| false);
            let failed = self.photos.iter().find(|photo| photo.id == id).map(|photo| photo.state.clone());
            ui.centered_and_justified(|ui| match failed {
                Some(photo::State::Failed(sentence)) => _ = ui.label(sentence),
                _ => _ = ui.spinner(),
            });
            return;
        };
        let pictures = Pictures {
            before,
            after: looked.after.as_mut(),
            difference: looked.difference.as_mut(),
            residual: looked.residual.as_mut(),
            uncertainty: looked.uncertainty.as_mut(),
        };
        self.viewer.bar(ui, |compare| pictures.has(compare));
        let seen = self.viewer.show(ui, pictures, paints);
        looked.centre = seen.centre;
        let brush = self.brush;
        let Some(photo) = self.photos.iter_mut().find(|photo| photo.id == id) else { return };
        if let (Some([from, to]), Some(size)) = (seen.painted, photo.size.filter(|_| paints.is_some())) {
            photo.canvas.get_or_insert_with(|| Canvas::new(size)).paint(from, to, brush);
        }
        if let Some(canvas) = photo.canvas.as_mut().filter(|_| paints.is_some()) {
            canvas.show(ui.ctx(), &ui.painter_at(seen.marked), seen.place);
            if seen.ended {
                canvas.end_stroke();
                self.painted();
            }
        }
    }

    /// Files that are dropped on the window, or about to be.
    fn hear_drops(&mut self, ctx: &egui::Context) {
        let (hovering, dropped) = ctx.input(|input| (input.raw.hovered_files.len(), input.raw.dropped_files.clone()));
        self.add(dropped.into_iter().map(|file| file.path().to_path_buf()));
        if hovering > 0 {
            let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("dropping"));
            let (painter, area) = (ctx.layer_painter(layer), ctx.content_rect());
            painter.rect_filled(area, 0.0, egui::Color32::from_black_alpha(150));
            let font = egui::FontId::proportional(28.0);
            let text = words::dropping(hovering);
            painter.text(area.center(), egui::Align2::CENTER_CENTER, text, font, egui::Color32::WHITE);
        }
    }

    /// Asks before results are lost.
    fn hear_close(&mut self, ctx: &egui::Context) {
        let is_closing = ctx.input(|input| input.viewport().close_requested());
        let would_lose = self.is_busy() || self.photos.iter().any(photo::Photo::is_unsaved);
        if is_closing && !self.may_close && would_lose {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.asked = Some(Asked::Close);
        }
    }
}

impl eframe::App for Window {
    fn logic(&mut self, _ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.hear();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        self.hear_close(&ctx);
        self.hear_keys(&ctx);
        self.hear_drops(&ctx);
        Panel::left("photos").default_size(230.0).size_range(160.0..=400.0).show(ui, |ui| {
            Panel::bottom("photo buttons").show(ui, |ui| self.shelf_buttons(ui));
            self.shelf(ui);
        });
        Panel::right("settings").default_size(340.0).size_range(260.0..=520.0).show(ui, |ui| self.panel(ui));
        Panel::bottom("work").show(ui, |ui| self.footer(ui));
        CentralPanel::default().frame(Frame::central_panel(ui.style()).inner_margin(4)).show(ui, |ui| self.middle(ui));
        self.ask(&ctx);
    }

    /// Its own memory; the place of the window is eframe's.
    fn save(&mut self, _storage: &mut dyn Storage) {
        let memory = self.remembered();
        self.keeper.keep(&memory);
    }

    fn auto_save_interval(&self) -> std::time::Duration {
        std::time::Duration::from_secs(KEEPING)
    }

    fn on_exit(&mut self) {
        self.workers.board.stop();
    }
}
