//! Files: written whole or not at all, under names that every system takes.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::error::{Error, Hint, PathContext, Result, Setting};

/// Beginning of the names of files that are being written.
const TEMPORARY: &str = ".fdgr-";

/// Writes `bytes` to a temporary file beside `path` and renames it, so that no reader sees half a file.
///
/// Where the target cannot be replaced, because another program holds it open, the bytes stay beside it under another name,
/// which the error says.
///
/// # Errors
/// Places that cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes).writing(path)?;
    file.as_file().sync_all().writing(path)?;
    replace(file, path)
}

/// Renames a finished temporary file to `path`, or keeps it beside it.
fn replace(file: NamedTempFile, path: &Path) -> Result<()> {
    // It is locked until the end. It is renamed by std, whose names may be long on Windows.
    let (_locked, mut temporary) = file.into_parts();
    let mut moved_to = |place: &Path| renamed(&temporary, place).map(|()| temporary.disable_cleanup(true));
    let Err(failed) = moved_to(path) else { return Ok(()) };
    for kept in (1..100).map(|n| numbered(path, n)) {
        match File::create_new(&kept) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
            Err(_) => break,
            // The name is taken, and may be replaced.
            Ok(_) => match moved_to(&kept) {
                Ok(()) => return Err(Error::unwritable(path, failed).kept_at(kept)),
                Err(_) => _ = std::fs::remove_file(&kept),
            },
        }
    }
    Err(Error::unwritable(path, failed))
}

/// Renames a file or a folder, in place of a file that has the name. Windows refuses that while a scanner of viruses or an indexer reads
/// what is new: it is tried again for about two seconds.
///
/// # Errors
/// As `std::fs::rename`.
pub fn renamed(from: &Path, to: &Path) -> std::io::Result<()> {
    /// Access denied, sharing violation, lock violation.
    const BUSY: [i32; 3] = [5, 32, 33];
    let mut pause = Duration::from_millis(10);
    loop {
        match std::fs::rename(from, to) {
            Err(e)
                if cfg!(windows)
                    && pause < Duration::from_secs(2)
                    && e.raw_os_error().is_some_and(|e| BUSY.contains(&e)) =>
            {
                thread::sleep(pause);
                pause *= 2;
            }
            done => return done,
        }
    }
}

/// `picture-1.png` for `picture.png`.
fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{n}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// Checks that [`write_atomically`] could write there, without leaving anything; left-overs of killed runs are removed.
///
/// # Errors
/// Folders, names that are too long, and places that cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    // The system would open a device there, or a part of another file.
    if let (true, Some(why)) = (cfg!(windows), path.file_name().and_then(|name| unportable(&name.to_string_lossy()))) {
        return Err(Error::unwritable(path, why));
    }
    remove_leftovers(folder);
    temporary_beside(path)?;
    // Whether the system takes the name, tried where no result can be.
    let trial = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder).writing(path)?;
    File::create_new(trial.path().join(path.file_name().unwrap_or_default())).writing(path).map(drop)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    if path.is_dir() {
        return Err(Error::unwritable(path, "it is a folder"));
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(Error::unwritable(path, format!("there is no folder {}", folder.display())));
    }
    locked_temporary(TEMPORARY, folder).writing(path)
}

/// A temporary file that is locked for as long as it is used, so that it is no left-over.
fn locked_temporary(prefix: &str, folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    loop {
        // With the permissions of a file that any program makes, where temporary files get narrower ones.
        let file = builder.make_in(folder, |path| File::create_new(path))?;
        // File systems without locks only lose the removal of left-overs.
        _ = file.as_file().lock();
        // Another process may have taken it for a left-over before it was locked.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes temporary files that no process is writing: those of runs that were killed.
pub fn remove_leftovers(folder: &Path) {
    /// Folders cannot be locked: younger ones may be in use.
    const OLD: Duration = Duration::from_secs(24 * 60 * 60);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            let age = about.modified().ok().and_then(|made| SystemTime::now().duration_since(made).ok());
            if age.is_some_and(|age| age > OLD) {
                remove_trial(&entry.path());
            }
            continue;
        }
        // The lock is held while the file is removed.
        if let Ok(file) = File::options().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes a folder in which a name was tried: it holds one empty file at most, and others stay.
fn remove_trial(folder: &Path) {
    let files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
    let is_empty = |entry: &std::fs::DirEntry| entry.metadata().is_ok_and(|about| about.is_file() && about.len() == 0);
    if files.len() <= 1 && files.iter().all(is_empty) {
        files.iter().for_each(|file| _ = std::fs::remove_file(file.path()));
        _ = std::fs::remove_dir(folder);
    }
}

/// The first of `paths` that would be the same file as one before it, on the file system it is on.
pub fn collision<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Option<&'a Path> {
    let mut seen = std::collections::HashSet::new();
    let mut ignoring = std::collections::HashMap::new();
    paths.into_iter().find(|path| {
        let folder = folder_of(path);
        let ignores = *ignoring.entry(folder.to_owned()).or_insert_with(|| ignores_case(folder));
        !seen.insert(key(path, ignores))
    })
}

/// What names of one file have in common.
fn key(path: &Path, ignores_case: bool) -> PathBuf {
    match ignores_case {
        true => path.to_string_lossy().to_lowercase().into(),
        false => path.into(),
    }
}

/// Whether a folder takes `A` and `a` for one name; unknown folders are taken to be of the usual kind of this system.
fn ignores_case(folder: &Path) -> bool {
    let usual = cfg!(any(windows, target_os = "macos"));
    let Ok(file) = locked_temporary(".fdgr-Case", folder) else { return usual };
    let name = file.path().file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    folder.join(name).exists()
}

/// Why a name of a file or folder would not do on every system, if it would not.
pub fn unportable(name: &str) -> Option<String> {
    const FORBIDDEN: &str = "<>:\"/\\|?*";
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |start: &str| {
        stem.strip_prefix(start).is_some_and(|n| n.chars().count() == 1 && n.contains(|c| "123456789¹²³".contains(c)))
    };
    if name.is_empty() {
        Some("it must not be empty".into())
    } else if let Some(c) = name.chars().find(|c| FORBIDDEN.contains(*c) || c.is_control()) {
        Some(format!("names with {c:?} do not exist on every system"))
    } else if name.ends_with(['.', ' ']) {
        Some("Windows drops dots and spaces at the end of names".into())
    } else if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
    {
        Some(format!("{stem} is the name of a device on Windows"))
    } else {
        None
    }
}

/// SHA-256 of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses an output that is one of the inputs, by whatever name.
///
/// # Errors
/// [`Error::Overwrites`].
pub fn refuse_overwriting<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let same = |input: &Path| match (output.canonicalize(), input.canonicalize()) {
        (Ok(output), Ok(input)) => output == input,
        _ => false,
    };
    if inputs.into_iter().any(same) {
        return Err(Error::Overwrites { path: output.into(), hint: Hint::Give(Setting::OUTPUT) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_cannot_be_replaced_costs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // A folder that is not empty cannot be replaced by a file on any system.
        let target = folder.path().join("held.png");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("inside"), "").unwrap();
        let mut file = locked_temporary(TEMPORARY, folder.path()).unwrap();
        file.write_all(b"result").unwrap();
        let error = replace(file, &target).unwrap_err().at_output();
        let kept = folder.path().join("held-1.png");
        assert_eq!(std::fs::read(&kept).unwrap(), b"result");
        assert!(error.to_string().contains(&kept.display().to_string()), "{error}");
        let others = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(others, 2, "nothing else is left");
    }

    #[test]
    fn paths_may_be_longer_than_260_characters() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a".repeat(100)).join("b".repeat(100)).join("c".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let target = deep.join("picture.png");
        check_writable(&target).unwrap();
        for content in ["one", "another"] {
            write_atomically(&target, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&target).unwrap(), content);
        }
    }

    #[test]
    fn names_are_one_where_the_system_says_so() {
        let [upper, lower] = ["out/A.png", "out/a.png"].map(Path::new);
        assert_eq!(key(upper, true), key(lower, true));
        assert_ne!(key(upper, false), key(lower, false));
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["x.png", "y.png"].map(|name| folder.path().join(name));
        assert_eq!(collision([one.as_path(), &other, &one]), Some(one.as_path()));
        assert_eq!(collision([one.as_path(), &other]), None);
    }

    #[test]
    fn left_overs_go_and_files_in_use_stay() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".fdgr-left");
        std::fs::write(&left, "half").unwrap();
        let target = folder.path().join("picture.png");
        let used = temporary_beside(&target).unwrap();
        check_writable(&target).unwrap();
        assert!(!left.exists() && used.path().exists() && !target.exists());
    }

    #[test]
    fn trial_folders_go_and_folders_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let [trial, other] = [".fdgr-trial", ".fdgr-mine"].map(|name| folder.path().join(name));
        std::fs::create_dir_all(other.join("sub")).unwrap();
        std::fs::create_dir(&trial).unwrap();
        std::fs::write(trial.join("picture.png"), "").unwrap();
        [&trial, &other].into_iter().for_each(|folder| remove_trial(folder));
        assert!(!trial.exists() && other.join("sub").exists());
        std::fs::write(other.join("sub").join("photo.png"), "x").unwrap();
        remove_trial(&other.join("sub"));
        assert!(other.join("sub").join("photo.png").exists());
    }

    #[test]
    fn names_that_some_systems_refuse_are_told() {
        for name in ["", "CON", "nul.txt", "com1", "COM².txt", "conin$", "a?b", "dot.", "space ", "a/b", "tab\t"] {
            assert!(unportable(name).is_some(), "{name:?}");
        }
        for name in ["photo", "console", "com10", "ñandú.safetensors", ".hidden"] {
            assert_eq!(unportable(name), None, "{name:?}");
        }
    }
}
