//! What hostile bytes reach: each entry takes any bytes, and must neither panic nor use much time or memory.
//!
//! The fuzzer calls the entries by `targets/`, and the tests call them with what the fuzzer found (`tests/regressions`).

use std::path::Path;

use fdgr::degradation::{self, Context};
use fdgr::experiment::config::Config;
use fdgr::experiment::degradation::known_of_array;
use fdgr::model::Checkpoint;
use fdgr::parameter::Values;
use fdgr::picture::{Picture, Writing};
use fdgr::prior::PriorFile;
use fdgr::recipe::Recipe;
use fdgr::restore::Source;

/// An entry.
pub type Entry = fn(&[u8]);

/// Every entry, by the name of its target.
pub const ENTRIES: [(&str, Entry); 7] = [
    ("array", array),
    ("checkpoint", checkpoint),
    ("configuration", configuration),
    ("degradation", degradation),
    ("measurements", measurements),
    ("picture", picture),
    ("recipe", recipe),
];

/// Pixels of a picture that is written again: larger ones would only take longer.
const MOST_WRITTEN: usize = 1 << 16;

/// Headers, pixels and metadata of pictures, and the quantisation tables of JPEGs; what is read is written again.
pub fn picture(bytes: &[u8]) {
    // The fuzzer's hook ends the program, but a decoder's panic is caught.
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !fdgr::picture::is_decoding() {
                hook(panic);
            }
        }));
    });
    let Ok(picture) = Picture::decode(bytes, Path::new("photo")) else { return };
    if picture.width() * picture.height() > MOST_WRITTEN {
        return;
    }
    let bare = Writing { metadata: false, quality: 50 };
    let names = ["again.png", "again.jpg", "again.webp", "again.tif"];
    for (name, writing) in names.into_iter().flat_map(|name| [(name, Writing::default()), (name, bare)]) {
        let Ok(written) = picture.encode(Path::new(name), &writing) else { continue };
        let again = Picture::decode(&written, Path::new(name)).expect("what was written can be read");
        assert_eq!([again.width(), again.height()], [picture.width(), picture.height()], "{name}");
    }
}

/// Checkpoints: zip files and pickles of PyTorch, safetensors; and the networks that they are taken for.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(checkpoint) = Checkpoint::decode("checkpoint", bytes.to_vec()) else { return };
    for name in checkpoint.names() {
        _ = checkpoint.values(name);
    }
    _ = PriorFile::recognise("checkpoint", checkpoint);
}

/// Files of measurements.
pub fn measurements(bytes: &[u8]) {
    _ = Source::decode(bytes, Path::new("y.safetensors"), 0);
}

/// Masks of NumPy.
pub fn array(bytes: &[u8]) {
    if let Ok((height, width, known)) = known_of_array(bytes, Path::new("mask.npy")) {
        assert_eq!(height * width, known.len());
    }
}

/// Configurations of experiments, in YAML.
pub fn configuration(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        _ = Config::parse(text, Path::new("config.yml"));
    }
}

/// Recipes, in JSON.
pub fn recipe(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(recipe) = Recipe::parse(text, Path::new("a.recipe.json"))
    {
        _ = recipe.config.check();
        _ = recipe.config.check_for([64, 48]);
    }
}

/// Tasks and their parameters as they are typed: `task,task` in the first line, `name=value` in the others.
pub fn degradation(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let tasks: Vec<String> = lines.next().unwrap_or_default().split(',').map(str::to_owned).collect();
    let mut values = Values::default();
    // Files are not opened: a kernel may be one, too.
    let is_file = |value: &str| value.contains(['/', '\\']) || Path::new(value).exists();
    for (name, value) in lines.filter_map(|line| line.split_once('=')).filter(|(_, value)| !is_file(value)) {
        values.insert(name, value);
    }
    let size = [64, 48];
    let context = Context { size, seed: 0, photo: None, shows_damage: false };
    if let Ok(degradation) = degradation::of_tasks(&tasks, &values, &context) {
        _ = degradation.name();
        _ = degradation.check(size);
    }
}
