//! Valid files of every kind, and what the fuzzer found: none of it does harm.

use std::path::Path;

#[path = "../../fuzz/entries.rs"]
mod entries;

/// Says which file it is when one panics.
struct Naming(String);

impl Drop for Naming {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::support::aloud(&format!("it was {}", self.0));
        }
    }
}

/// Seeds that are refused at once lead the fuzzer nowhere.
#[test]
fn recipes_among_the_seeds_are_read() {
    for file in std::fs::read_dir("fuzz/seeds/recipe").unwrap() {
        let path = file.unwrap().path();
        fdgr::recipe::Recipe::read(&path).unwrap();
    }
}

#[test]
fn files_that_did_harm_do_none() {
    for (name, entry) in entries::ENTRIES {
        let mut count = 0;
        for folder in ["fuzz/seeds", "tests/regressions"] {
            for file in std::fs::read_dir(Path::new(folder).join(name)).into_iter().flatten() {
                let path = file.unwrap().path();
                let _naming = Naming(path.display().to_string());
                entry(&std::fs::read(&path).unwrap());
                count += 1;
            }
        }
        assert!(count > 0, "{name} has no seeds");
    }
}
