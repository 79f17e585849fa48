//! Every text of the window, to be translated in one place.

use std::path::Path;

use eframe::egui::os::OperatingSystem;

use super::board::Doing;
use crate::error::{Listing, Setting, Words};

/// The name of the program, and of its window.
pub const TITLE: &str = "fdgr";
pub const ADD_PHOTOS: &str = "Add photos…";
pub const ADD_FOLDER: &str = "Add a folder…";
pub const PASTE: &str = "Paste";
pub const EMPTY: &str = "Drop photos here, paste one, or add them with the buttons at the left.";
pub const EMPTY_WAYLAND: &str = "Paste a photo, or add them with the buttons at the left.";
pub const REMOVE: &str = "Remove";
pub const UP: &str = "Move up";
pub const DOWN: &str = "Move down";
pub const RETRY: &str = "Try again";
pub const WRONG: &str = "What is wrong with it?";
pub const LOOKING: &str = "Looking for what is wrong…";
pub const USE: &str = "Undo this";
pub const PREFER: &str = "The result should be";
pub const FIDELITY: &str = "close to the truth";
pub const NATURALNESS: &str = "rich in texture";
pub const SIZE: &str = "Size";
pub const OWN_SIZE: &str = "as the task makes it";
pub const MORE: &str = "More";
pub const HOLES: &str = "Paint over what is to be filled in";
pub const BRUSH: &str = "Brush";
pub const ERASER: &str = "Eraser";
pub const BRUSH_SIZE: &str = "Size of the brush";
pub const BRUSH_EDGE: &str = "Soft edge";
pub const UNDO: &str = "Undo";
pub const REDO: &str = "Redo";
pub const CLEAR: &str = "Clear";
pub const FROM_TRANSPARENCY: &str = "From transparency";
pub const LOAD_MASK: &str = "Load…";
pub const SAVE_MASK: &str = "Save…";
pub const RESTORE: &str = "Restore";
pub const RESTORE_ALL: &str = "Restore all";
pub const STOP: &str = "Stop";
pub const PAUSE: &str = "Pause";
pub const RESUME: &str = "Go on";
pub const SAVE: &str = "Save";
pub const SAVE_AS: &str = "Save as…";
pub const COPY: &str = "Copy the result";
pub const OPEN_FOLDER: &str = "Open its folder";
pub const SAVING: &str = "Saving";
pub const FORMAT: &str = "Save as a";
pub const OUTPUT_QUALITY: &str = "Quality of JPEG";
pub const KEEP_METADATA: &str = "Keep date, place and other metadata";
pub const ANYWAY: &str = "Denoise it anyway";
pub const SLIDER: [&str; 2] = ["Slider", "before left of a line, after right of it"];
pub const SIDE_BY_SIDE: [&str; 2] = ["Side by side", "both at the same place"];
pub const BEFORE: &str = "Before";
pub const AFTER: &str = "After";
pub const ONLY_BEFORE: [&str; 2] = [BEFORE, "the photo"];
pub const ONLY_AFTER: [&str; 2] = [AFTER, "the result"];
pub const DIFFERENCE: [&str; 2] = ["Difference", "how the result differs from the photo: grey where it does not"];
pub const RESIDUAL: [&str; 2] =
    ["Residual", "what of the photo the result does not explain: noise if it is right, structure if it is not"];
pub const UNCERTAINTY: [&str; 2] = ["Uncertainty", "the brighter, the farther the truth may be"];
pub const HOW_SURE: &str = "How sure is it?";
pub const LENS: &str = "Lens";
pub const FIT: &str = "Fit";
pub const PIXELS: &str = "1:1";
pub const ZOOM_IN: &str = "Zoom in";
pub const ZOOM_OUT: &str = "Zoom out";
pub const DIVIDER: &str = "Divider between before and after";
pub const KERNEL: &str = "Path of the shake: drag its end";
pub const ENGINE: &str = "Device and prior";
pub const DEVICE: &str = "Device";
pub const PRIOR: &str = "Prior";
pub const BEST_DEVICE: &str = "The best there is";
pub const FETCH: &str = "Fetch";
pub const KEYS: &str = "Keys";
pub const CLOSE: &str = "Close";
pub const COPY_DETAILS: &str = "Copy details";
pub const TAKE_UP: &str = "Go on with them";
pub const FORGET: &str = "Start anew";
pub const NOTHING_TO_PASTE: &str = "There is no picture on the clipboard.";
pub const QUIT_SAVED: &str = "Save them and close";
pub const QUIT_UNSAVED: &str = "Close without saving";
pub const UNSAVED: &str = "Its result is not saved.";
pub const REMOVE_ANYWAY: &str = "Remove it without saving";
pub const KEEP: &str = "Keep it";
pub const STAY: &str = "Do not close";
pub const NO_DIALOGS: &str = "The system shows no file dialogs: install xdg-desktop-portal or zenity. Until then drop photos on the window, or name them on the command line; Save puts results beside them.";
pub const FILTER: &str = "Pictures";
pub const DONE: &str = "restored";
pub const SAVED: &str = "saved";
pub const WAITING: &str = "waiting";
pub const READING: &str = "reading";
pub const RUNNING: &str = "being restored";
pub const FAILED: &str = "failed";
pub const CLEAN: &str = "already clean";
pub const READY: &str = "ready";
pub const BY_HAND: &str = "Set it by hand";
pub const AUTOMATIC: &str = "automatic";
pub const PICTURE: &str = "Picture";
pub const WIDTH: &str = "width";
pub const HEIGHT: &str = "height";
pub const PIXELS_UNIT: &str = " px";
pub const BLUR_WIDTH: &str = "width of the blur";
pub const LENGTH: &str = "length";
pub const ANGLE: &str = "angle";
pub const NOISE: &str = "noise (of 0 to 1)";
pub const ENLARGED: &str = "enlarged before";
pub const QUALITY: &str = "quality";
pub const METHOD: &str = "method";
pub const STEPS: &str = "steps";
pub const BORDER: &str = "border";
pub const DATA: &str = "data";
pub const SEED: &str = "seed";

/// What presets are called, and what choosing them does.
pub const FIND_OUT: [&str; 2] = ["Find out", "does what is found above"];
pub const NOISY: [&str; 2] = ["Noisy", "grainy, from little light"];
pub const BLURRED: [&str; 2] = ["Blurred", "out of focus"];
pub const SHAKEN: [&str; 2] = ["Shaken", "moved while it was taken"];
pub const TOO_SMALL: [&str; 2] = ["Too small", "twice the pixels each way"];
pub const SCRATCHED: [&str; 2] = ["Scratched", "paint over what is to be filled in"];
pub const GRAY: [&str; 2] = ["Grey", "invents colours"];
pub const JPEG: [&str; 2] = ["JPEG", "blocks and ringing of strong compression"];
pub const OLD_PHOTO: [&str; 2] = ["Old photo", "faded, soft and grainy; what you paint over is filled in"];

/// What an empty window says. Where the system drops no files on windows, it does not ask for that.
pub fn empty() -> &'static str {
    let is_wayland = std::env::var_os("WAYLAND_DISPLAY").is_some();
    if is_wayland { EMPTY_WAYLAND } else { EMPTY }
}

/// What is said of a list of the last time that cannot be read.
pub fn forgotten(place: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: the list of the last time cannot be read ({error}), and a new one is begun", place.display())
}

/// What is lost when the window closes.
pub fn unsaved(count: usize) -> String {
    match count {
        0 => "There is still work going on.".into(),
        1 => "One result is not saved.".into(),
        _ => format!("{count} results are not saved."),
    }
}

/// How many photos were on the list when the window was closed.
pub fn last_time(count: usize) -> String {
    match count {
        1 => "Last time there was one photo on the list.".into(),
        _ => format!("Last time there were {count} photos on the list."),
    }
}

/// What is said of a folder without pictures.
pub fn no_pictures(folder: &Path) -> String {
    format!("{}: there is no picture in it or below; choose another folder", folder.display())
}

/// What is said of a mask of another size than its photo.
pub fn other_size(path: &Path, [width, height]: [usize; 2], [wide, high]: [usize; 2]) -> String {
    let path = path.display();
    format!("{path}: it is {width}x{height}, but the photo is {wide}x{high}; resize the mask to the photo")
}

/// What is added when files hover over the window.
pub fn dropping(count: usize) -> String {
    match count {
        0 | 1 => "Let go to add it".into(),
        _ => format!("Let go to add {count} files"),
    }
}

/// Size before and after, and the time it will take.
pub fn plan([width, height]: [usize; 2], [wide, high]: [usize; 2], seconds: Option<f64>) -> String {
    let time = seconds.map_or_else(String::new, |seconds| format!(", about {}", duration(seconds)));
    format!("{width}x{height} becomes {wide}x{high}{time}")
}

/// What is undone, and how.
pub fn method(task: &str, method: &str, levels: f64, evaluations: usize) -> String {
    format!("{task}: {method}, noise {levels:.1}/255, {evaluations} evaluations of the network")
}

/// What is known of a result.
pub fn result(method: &str, seconds: f64, evaluations: usize, receipt: &str) -> String {
    format!("{method} in {seconds:.1} s with {evaluations} evaluations of the network; {receipt}")
}

/// Device and prior.
pub fn engine(device: &str, prior: &str) -> String {
    format!("{device} · {prior}")
}

/// Why it is not known how sure a result is.
pub fn no_map(why: &str) -> String {
    format!("There is no map of the uncertainty: {why}.")
}

/// What is said when a device failed.
pub fn on_cpu(sentence: &str) -> String {
    format!("{sentence}: the CPU goes on")
}

/// Free memory of a device.
pub fn free_memory(bytes: u64) -> String {
    format!("{:.1} GB free", bytes as f64 / 1e9)
}

/// Seconds as people say them.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.5 => "a second".into(),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// What is being done.
pub fn doing(doing: &Doing) -> String {
    match doing {
        Doing::Restoring => "Restoring".into(),
        Doing::Loading => "Loading the prior".into(),
        Doing::Fetching => "Fetching the prior".into(),
        Doing::Estimating(what) => format!("Estimating {what}"),
    }
}

/// The library's settings and hints in the words of the window.
pub struct Labels;

impl Words for Labels {
    fn set(&self, setting: &Setting, value: &str) -> String {
        if [Setting::DEGRADATION, Setting::MASK].contains(setting) {
            return self.give(setting);
        }
        if *setting == Setting::DEVICE {
            return format!("choose {value} under {ENGINE}");
        }
        format!("set {} to {value} under {MORE}", self.setting(setting))
    }

    fn give(&self, setting: &Setting) -> String {
        let known = [
            (Setting::DEGRADATION, "choose what is wrong with it"),
            (Setting::MASK, "paint over what is to be filled in"),
            (Setting::OUTPUT, "choose another place with Save as"),
        ];
        match known.iter().find(|(other, _)| other == setting) {
            Some((_, advice)) => (*advice).into(),
            None => format!("set {} under {MORE}", self.setting(setting)),
        }
    }

    fn omit(&self, setting: &Setting) -> String {
        format!("leave {} empty under {MORE}", self.setting(setting))
    }

    fn install(&self, model: &str) -> String {
        format!("fetch {model} under {ENGINE}")
    }

    fn reinstall(&self, model: &str) -> String {
        self.install(model)
    }

    fn list(&self, _listing: Listing) -> String {
        format!("see {ENGINE}")
    }
}

/// Keys as they are called on a system.
pub fn keys(keys: &str, os: OperatingSystem) -> String {
    match os {
        OperatingSystem::Mac | OperatingSystem::IOS => keys.replace("Ctrl", "Cmd"),
        _ => keys.into(),
    }
}

/// The keys, and what they do.
pub const KEY_TABLE: &[(&str, &str)] = &[
    ("Ctrl+O", "add photos"),
    ("Ctrl+Shift+O", "add a folder"),
    ("Ctrl+V", "paste a picture, or files"),
    ("Ctrl+R, Ctrl+Enter", "restore the photo"),
    ("Ctrl+Shift+R", "restore all photos"),
    ("Esc", "stop"),
    ("P", "pause, or go on"),
    ("Ctrl+S", "save beside the photo"),
    ("Ctrl+Shift+S", "save as"),
    ("Ctrl+C", "copy the result"),
    ("Page Up, Page Down", "the photo before, the photo after"),
    ("Delete, Backspace", "remove the photo from the list"),
    ("Space (held)", "show the photo as it was"),
    ("S, D, B, A", "slider, side by side, before, after"),
    ("X, R, U", "difference, residual (what of the photo the result does not explain), uncertainty"),
    ("L", "lens"),
    ("F, 1, +, −", "fit, 1:1, zoom in, zoom out"),
    ("arrow keys", "pan, or move the divider when it has the focus"),
    ("[, ]", "a smaller brush, a larger one"),
    ("E", "eraser"),
    ("Ctrl+Z, Ctrl+Y", "undo and redo a stroke"),
    ("Tab", "the next control"),
    ("F1", "this list"),
];
