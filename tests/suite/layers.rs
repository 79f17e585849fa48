//! The modules of the library stand in layers: each uses those below it only.

use std::collections::BTreeSet;
use std::path::Path;

/// From the lowest to the highest; `main` is the program.
const LAYERS: [&str; 28] = [
    "error",
    "cosine",
    "files",
    "mirror",
    "noise",
    "parameter",
    "psf",
    "picture",
    "control",
    "device",
    "bm3d",
    "estimate",
    "model",
    "kernel",
    "regularizer",
    "degradation",
    "metrics",
    "prior",
    "sampler",
    "restore",
    "recipe",
    "job",
    "experiment",
    "gui",
    "cli",
    "memory",
    "main",
    "lib",
];

fn layer(name: &str) -> usize {
    LAYERS.iter().position(|other| *other == name).unwrap_or_else(|| panic!("{name} has no place among the layers"))
}

/// The module that a source file belongs to.
fn module(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    Path::new(first.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned()
}

/// The modules that a line of code names.
fn named(code: &str) -> BTreeSet<String> {
    let of_name = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_';
    code.split("crate::").skip(1).map(|rest| rest.chars().take_while(of_name).collect()).collect()
}

#[test]
fn modules_use_what_is_below_them() {
    let mut upward = Vec::new();
    let sources = walkdir::WalkDir::new("src").into_iter().map(Result::unwrap);
    for entry in sources.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "rs")) {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let own = module(entry.path());
        // Tests come last in a file, and comments may point anywhere.
        let code = text.split("#[cfg(test)]").next().unwrap();
        assert!(!text.contains("crate::{"), "{}: one `use` for each module", entry.path().display());
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for name in code.flat_map(named).filter(|name| !name.is_empty() && *name != own) {
            if layer(&name) >= layer(&own) {
                upward.push(format!("{} uses {name}", entry.path().display()));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}
