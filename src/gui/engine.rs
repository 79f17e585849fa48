//! Where and with what is computed: devices and priors.

use std::sync::{Arc, OnceLock};
use std::thread;

use eframe::egui::{Button, ComboBox, Ui};

use super::Window;
use super::words;
use crate::device;
use crate::model::{EMBEDDED, Known, ModelFolder, Subject, catalog};

/// What can be chosen.
pub(super) struct Offers {
    /// Names of devices, and their free memory in words.
    devices: Vec<(String, String)>,
    /// Installed priors.
    installed: Vec<String>,
    /// Published priors that are not installed.
    known: Vec<Known>,
}

impl Offers {
    /// Drivers and disks may take a while to answer.
    fn find() -> Self {
        let restores = |subject: Option<Subject>| !matches!(subject, Some(Subject::Classifier | Subject::Metric));
        let installed = ModelFolder::open().map(|folder| folder.installed()).unwrap_or_default();
        let usable = installed.into_iter().flatten().filter(|model| restores(model.record.subject));
        let installed: Vec<String> = usable.map(|model| model.name).collect();
        let mut known = catalog().unwrap_or_default();
        known.retain(|known| restores(Some(known.subject)) && !installed.contains(&known.name));
        let adapters = device::adapters().into_iter().map(|adapter| (adapter.name, adapter.memory.bytes));
        let devices = adapters.chain([("cpu".to_owned(), device::cpu(String::new()).memory)]);
        let devices = devices.map(|(name, bytes)| (name, words::free_memory(bytes))).collect();
        Self { devices, installed, known }
    }
}

impl Window {
    /// What can be chosen, once it is known.
    fn offers(&mut self) -> Arc<OnceLock<Offers>> {
        let ctx = self.ctx.clone();
        let offers = self.offers.get_or_insert_with(|| {
            let offers = Arc::new(OnceLock::new());
            let sought = Arc::clone(&offers);
            thread::spawn(move || {
                // It is asked for once.
                _ = sought.set(Offers::find());
                ctx.request_repaint();
            });
            offers
        });
        Arc::clone(offers)
    }

    pub(super) fn engine(&mut self, ui: &mut Ui) {
        if !self.engine_line.is_empty() {
            ui.weak(&self.engine_line);
        }
        let offers = self.offers();
        let Some(offers) = offers.get() else {
            ui.spinner();
            return;
        };
        let mut device = self.memory.device_now();
        let before = (device.clone(), self.memory.model.clone());
        let label = ui.label(words::DEVICE);
        ComboBox::from_id_salt("device")
            .selected_text(device.clone().unwrap_or_else(|| words::BEST_DEVICE.into()))
            .show_ui(ui, |ui| {
                ui.selectable_value(&mut device, None, words::BEST_DEVICE);
                for (name, memory) in &offers.devices {
                    ui.selectable_value(&mut device, Some(name.clone()), format!("{name}, {memory}"));
                }
            })
            .response
            .labelled_by(label.id);
        let label = ui.label(words::PRIOR);
        ComboBox::from_id_salt("prior")
            .selected_text(self.memory.model.as_deref().unwrap_or(EMBEDDED))
            .show_ui(ui, |ui| {
                ui.selectable_value(&mut self.memory.model, None, EMBEDDED);
                for name in &offers.installed {
                    ui.selectable_value(&mut self.memory.model, Some(name.clone()), name);
                }
            })
            .response
            .labelled_by(label.id);
        if before.0 != device {
            (self.memory.device, self.memory.for_now) = (device.clone(), None);
        }
        if before != (device, self.memory.model.clone()) {
            self.change_engine();
        }
        for Known { name, title, megabytes, licence, .. } in &offers.known {
            ui.horizontal_wrapped(|ui| {
                let fetch = Button::new(format!("{} {name}", words::FETCH)).small();
                if ui.add_enabled(!self.is_busy(), fetch).clicked() {
                    self.fetch(name);
                }
                ui.weak(format!("{title}; {megabytes} MB; licence: {licence}"));
            });
        }
    }
}
