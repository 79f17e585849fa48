//! `fdgr models`: installing, examining, comparing, and fetching from a server that breaks off or sends the wrong thing.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use fdgr::files::sha256;
use fdgr::picture::Picture;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Golden, golden_dir, photo_prior};

/// An empty folder of models.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fdgr"));
        command
            .args(arguments)
            .env("FDGR_MODELS", self.path("models"))
            .env("FDGR_CATALOG", self.catalog_or_default())
            .env("RUST_BACKTRACE", "0");
        command
    }

    fn catalog_or_default(&self) -> PathBuf {
        let own = self.path("catalog.json");
        if own.exists() { own } else { std::path::absolute("assets/models.json").unwrap() }
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "fdgr {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// One sentence that holds all of `words`, and nothing installed that was not before.
    fn fails(&self, arguments: &[&str], words: &[&str]) {
        let before = self.installed();
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "fdgr {arguments:?}: {errors}");
        for word in words {
            assert!(errors.contains(word), "fdgr {arguments:?} does not say {word:?}: {errors}");
        }
        assert!(!errors.contains("internal error"), "{errors}");
        assert_eq!(self.installed(), before);
    }

    fn installed(&self) -> Vec<String> {
        self.all().into_iter().filter(|name| !name.starts_with('.')).collect()
    }

    /// Everything in the folder of models, sorted.
    fn all(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path("models")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn golden(name: &str) -> String {
    std::path::absolute(golden_dir().join(name)).unwrap().display().to_string()
}

#[test]
fn a_model_is_added_examined_verified_and_removed() {
    let shelf = Shelf::new();
    shelf.succeeds(&["models", "add", &golden("simple_unet_32.pt"), "--name", "small"]);
    shelf.succeeds(&["models", "add", &golden("diffusers_unet_32"), "--name", "folder"]);
    let list = shelf.succeeds(&["models", "list"]);
    assert!(list.contains("small") && list.contains("folder") && list.contains("imagenet-256"), "{list}");
    let info = shelf.succeeds(&["models", "info", "small"]);
    assert!(info.contains("DDPM UNet") && info.contains("complete"), "{info}");
    shelf.succeeds(&["models", "verify"]);
    shelf.fails(&["models", "add", &golden("simple_unet_32.pt"), "--name", "small"], &["small", "already"]);
    for name in ["../up", "NUL", "end."] {
        shelf.fails(&["models", "add", &golden("simple_unet_32.pt"), "--name", name], &["--name", name]);
    }
    shelf.fails(&["models", "add", &golden("schedule.safetensors"), "--name", "other"], &["no architecture known"]);

    let weights = shelf.path("models/small/simple_unet_32.pt");
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    shelf.fails(&["models", "verify", "small"], &["changed", "remove small"]);
    shelf.succeeds(&["models", "remove", "small"]);
    assert_eq!(shelf.installed(), ["folder"]);
    shelf.fails(&["models", "remove", "small"], &["small", "models list"]);
    shelf.fails(&["models", "info", "imagenet-256"], &["imagenet-256", "models pull"]);
}

#[test]
fn inspection_names_what_every_file_is() {
    let shelf = Shelf::new();
    for (file, words) in [
        ("adm_unet_32.pt", ["guided-diffusion UNet", "learned variance"]),
        ("adm_unet_32_plain.pt", ["guided-diffusion UNet", "fixed variance"]),
        ("adm_unet_32_class.pt", ["10 classes", "complete"]),
        ("classifier_32.pt", ["classifier of 10 classes at 32x32", "guiding a class-conditional prior"]),
        ("simple_unet_32_legacy.pt", ["DDPM UNet", "float32"]),
    ] {
        let info = shelf.succeeds(&["models", "info", &golden(file)]);
        for word in words {
            assert!(info.contains(word), "{file} does not say {word:?}: {info}");
        }
    }
}

#[test]
fn inspection_names_what_is_missing_and_what_is_too_much() {
    let shelf = Shelf::new();
    let whole = photo_prior();
    let whole = safetensors::SafeTensors::deserialize(&whole).unwrap();
    let (_, spare) = whole.iter().next().unwrap();
    let lost = "up.1.block.0.conv1.weight";
    let rest = whole.iter().filter(|(name, _)| *name != lost).chain([("spare", spare)]);
    let path = shelf.path("lacking.safetensors");
    std::fs::write(&path, safetensors::serialize(rest, None).unwrap()).unwrap();
    let output = shelf.run(&["models", "info", path.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(&format!("missing       {lost}")) && said.contains("not needed    spare"), "{said}");
}

#[test]
fn devices_agree_with_each_other_and_with_the_reference() {
    let shelf = Shelf::new();
    let output = shelf.path("eps.safetensors");
    let checked = shelf.succeeds(&[
        "models",
        "check",
        &golden("simple_unet_32.pt"),
        "--input",
        &golden("simple_unet_32.safetensors"),
        "--output",
        output.to_str().unwrap(),
        "--t",
        "37",
    ]);
    assert!(checked.contains("off the file's expected values"), "{checked}");
    let bytes = std::fs::read(output).unwrap();
    assert!(safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor("eps").is_ok());
    shelf.fails(&["models", "check", "photo", "--t", "1000"], &["--t", "999"]);
    // Another network's input and expected values.
    shelf.fails(
        &[
            "models",
            "check",
            &golden("diffusers_unet_32"),
            "--input",
            &golden("simple_unet_32.safetensors"),
            "--t",
            "37",
        ],
        &["differ"],
    );
}

#[test]
fn choices_of_priors_that_contradict_themselves_get_a_sentence() {
    let shelf = Shelf::new();
    let photo = std::path::absolute("assets/samples/07_blue_flowers.png").unwrap().display().to_string();
    let restore = |more: &[&str], words: &[&str]| {
        let out = shelf.path("out.png").display().to_string();
        let start = ["restore", &photo, "-o", &out, "--task", "denoise", "--device", "cpu"];
        shelf.fails(&[&start[..], more].concat(), words);
        assert!(!shelf.path("out.png").exists());
    };
    restore(&["--class", "207"], &["--class", "no classes"]);
    restore(&["--guidance-scale", "2"], &["--guidance-scale", "classifier"]);
    restore(&["--model", &golden("adm_unet_32_class.pt")], &["conditional on a class"]);
    restore(&["--model", &golden("adm_unet_32_class.pt"), "--class", "10"], &["from 0 to 9"]);
    restore(&["--model", &golden("classifier_32.pt")], &["classifier"]);
    restore(&["--class", "7", "--classifier", &golden("simple_unet_32.pt")], &["--class"]);
    restore(&["--class", "7", "--classifier", &golden("classifier_32.pt")], &["32x32"]);
    restore(&["--model", "no-such-model"], &["no-such-model", "models list"]);
}

#[test]
fn a_classifier_guides_towards_a_class() {
    let shelf = Shelf::new();
    for file in ["adm_unet_32_class.pt", "classifier_32.pt"] {
        std::fs::copy(golden(file), shelf.path(file)).unwrap();
    }
    // What the shapes of these small networks do not show, in guided-diffusion's words.
    let heads = golden_config("classifier_32")["num_head_channels"].clone();
    std::fs::write(shelf.path("config.json"), json!({ "num_head_channels": heads }).to_string()).unwrap();
    let photo = shelf.path("photo.png").display().to_string();
    let pixels = image::Rgb32FImage::from_fn(32, 32, |x, y| image::Rgb([x as f32 / 32.0, y as f32 / 32.0, 0.4]));
    Picture::new(pixels).write(Path::new(&photo)).unwrap();
    let path = |name: &str| shelf.path(name).display().to_string();
    let (model, classifier) = (path("adm_unet_32_class.pt"), path("classifier_32.pt"));
    let restored = |name: &str, more: &[&str]| {
        let out = path(name);
        let start = ["restore", &photo, "-o", &out, "--task", "denoise", "--sigma", "0.1", "--steps", "10"];
        shelf.succeeds(&[&start[..], &["--device", "cpu", "--model", &model], more].concat());
        std::fs::read(out).unwrap()
    };
    let plain = restored("plain.png", &["--class", "7"]);
    assert_ne!(plain, restored("other.png", &["--class", "3"]), "the class matters");
    let guided =
        |name, scale| restored(name, &["--class", "7", "--classifier", &classifier, "--guidance-scale", scale]);
    assert_eq!(plain, guided("zero.png", "0"), "no weight, no guidance");
    let strong = guided("strong.png", "50");
    assert_ne!(plain, strong, "the classifier matters");
    let again = path("again.png");
    shelf.succeeds(&["restore", "--recipe", &path("strong.png.recipe.json"), "-o", &again]);
    assert_eq!(strong, std::fs::read(again).unwrap(), "the recipe repeats it");
}

/// Configuration of a small reference network.
fn golden_config(name: &str) -> serde_json::Value {
    serde_json::from_str(&Golden::named(name).metadata["config"]).unwrap()
}

/// What a server does to a request.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// Closes the connection after that many bytes.
    BreakOff(usize),
    /// Changes a byte at that place.
    Corrupt(usize),
    /// Answers that there is no such file.
    Missing,
}

/// Serves one file, with byte ranges; faults are used up in turn, and then there are none. Returns the address and what
/// ranges were asked for.
fn serve(file: Vec<u8>, faults: Vec<Fault>) -> (String, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/weights.pt", listener.local_addr().unwrap());
    let starts = Arc::new(Mutex::new(Vec::new()));
    let seen = starts.clone();
    std::thread::spawn(move || {
        let mut faults = faults.into_iter();
        for stream in listener.incoming() {
            let fault = faults.next().unwrap_or(Fault::None);
            // A client that went away is not this server's concern.
            _ = answer(stream.unwrap(), &file, fault, &seen);
        }
    });
    (address, starts)
}

fn answer(mut stream: TcpStream, file: &[u8], fault: Fault, starts: &Mutex<Vec<usize>>) -> std::io::Result<()> {
    let mut start = 0;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    starts.lock().unwrap().push(start);
    if matches!(fault, Fault::Missing) {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    let mut body = file[start..].to_vec();
    let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    match fault {
        Fault::BreakOff(after) => body.truncate(after),
        Fault::Corrupt(at) => body[at] ^= 0x10,
        Fault::None | Fault::Missing => {}
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

fn catalog(shelf: &Shelf, urls: &[&str], sha256: Option<&str>) {
    let mut known = json!({
        "name": "served", "title": "a test", "file": "weights.pt", "urls": urls, "megabytes": 3,
        "licence": "none", "subject": "photos", "side": 32,
    });
    if let Some(sha256) = sha256 {
        known["sha256"] = json!(sha256);
    }
    std::fs::write(shelf.path("catalog.json"), json!([known]).to_string()).unwrap();
}

#[test]
fn added_files_are_known_by_name_and_by_a_file_of_one_model_only() {
    let shelf = Shelf::new();
    let known = |name: &str| {
        json!({
            "name": name, "title": "a test", "file": "simple_unet_32.pt", "urls": ["https://localhost/x"], "megabytes": 3,
            "licence": format!("that of {name}"), "subject": "photos", "side": 32,
        })
    };
    let licence = |listed: &[&str], name: &str| {
        let all: Vec<_> = listed.iter().map(|name| known(name)).collect();
        std::fs::write(shelf.path("catalog.json"), json!(all).to_string()).unwrap();
        shelf.succeeds(&["models", "add", &golden("simple_unet_32.pt"), "--name", name]);
        let record = std::fs::read(shelf.path("models").join(name).join("model.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        record["licence"].as_str().map(str::to_owned)
    };
    assert_eq!(licence(&["one", "two"], "two").as_deref(), Some("that of two"));
    assert_eq!(licence(&["one", "two"], "mine"), None, "either may be meant");
    assert_eq!(licence(&["one"], "yours").as_deref(), Some("that of one"));
}

#[test]
fn a_transfer_that_breaks_off_is_resumed() {
    let shelf = Shelf::new();
    let file = std::fs::read(golden("simple_unet_32.pt")).unwrap();
    let (url, starts) = serve(file.clone(), vec![Fault::BreakOff(100_000), Fault::BreakOff(200_000)]);
    catalog(&shelf, &[&url], None);
    shelf.fails(&["models", "pull", "served"], &["100000", "try again"]);
    shelf.fails(&["models", "pull", "served"], &["300000", "try again"]);
    let said = shelf.succeeds(&["models", "pull", "served"]);
    assert_eq!(*starts.lock().unwrap(), [0, 100_000, 300_000]);
    assert_eq!(std::fs::read(shelf.path("models/served/weights.pt")).unwrap(), file);
    let record = std::fs::read_to_string(shelf.path("models/served/model.json")).unwrap();
    assert!(record.contains(&sha256(&file)) && said.contains("--model served"), "{record}");
    shelf.succeeds(&["models", "verify", "served"]);
    assert_eq!(shelf.all(), [".hashes.json", ".lock", ".served.lock", "served"], "no part is left");
}

#[test]
fn mirrors_come_first_and_other_addresses_are_https() {
    let shelf = Shelf::new();
    let file = std::fs::read(golden("simple_unet_32.pt")).unwrap();
    let (own, asked) = serve(file.clone(), Vec::new());
    let (mirror, mirrored) = serve(file, Vec::new());
    catalog(&shelf, &[&own], None);
    let base = mirror.strip_suffix("/weights.pt").unwrap();
    let output = shelf.command(&["models", "pull", "served"]).env("FDGR_MIRROR", base).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(asked.lock().unwrap().is_empty() && mirrored.lock().unwrap().len() == 1, "the mirror is asked");
    let record = std::fs::read_to_string(shelf.path("models/served/model.json")).unwrap();
    assert!(record.contains(&format!("{base}/served/weights.pt")), "{record}");
    shelf.succeeds(&["models", "remove", "served"]);
    catalog(&shelf, &["http://example.org/weights.pt"], None);
    shelf.fails(&["models", "pull", "served"], &["is not HTTPS", "FDGR_ALLOW_HTTP"]);
}

#[test]
fn files_without_a_published_hash_are_the_same_each_time() {
    let shelf = Shelf::new();
    let file = std::fs::read(golden("simple_unet_32.pt")).unwrap();
    let (url, _) = serve(file.clone(), Vec::new());
    catalog(&shelf, &[&url], None);
    let output = shelf.run(&["models", "pull", "served"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("unverified"), "{said}");
    shelf.succeeds(&["models", "remove", "served"]);
    shelf.succeeds(&["models", "pull", "served"]);
    shelf.succeeds(&["models", "remove", "served"]);

    // Another usable checkpoint at the same address.
    let (url, _) = serve(std::fs::read(golden("simple_unet_32_legacy.pt")).unwrap(), Vec::new());
    catalog(&shelf, &[&url], None);
    shelf.fails(&["models", "pull", "served"], &["first download", &sha256(&file), ".hashes.json"]);
    std::fs::remove_file(shelf.path("models/.hashes.json")).unwrap();
    shelf.succeeds(&["models", "pull", "served"]);
    shelf.succeeds(&["models", "remove", "served"]);

    // A few digits are compared, and said to be few.
    let (url, _) = serve(file.clone(), Vec::new());
    std::fs::remove_file(shelf.path("models/.hashes.json")).unwrap();
    catalog(&shelf, &[&url], Some(&sha256(&file)[..8]));
    let said = String::from_utf8(shelf.run(&["models", "pull", "served"]).stderr).unwrap();
    assert!(said.contains("first 8 digits"), "{said}");
    shelf.succeeds(&["models", "remove", "served"]);
    catalog(&shelf, &[&url], Some(&sha256(&file)));
    let said = String::from_utf8(shelf.run(&["models", "pull", "served"]).stderr).unwrap();
    assert!(!said.contains("unverified") && !said.contains("digits"), "{said}");
}

#[test]
fn a_name_is_installed_by_one_process_at_a_time() {
    let shelf = Shelf::new();
    std::fs::create_dir(shelf.path("models")).unwrap();
    let lock = std::fs::File::create(shelf.path("models/.served.lock")).unwrap();
    lock.lock().unwrap();
    let (url, starts) = serve(std::fs::read(golden("simple_unet_32.pt")).unwrap(), Vec::new());
    catalog(&shelf, &[&url], None);
    shelf.fails(&["models", "pull", "served"], &["served", "another process"]);
    shelf.fails(&["models", "add", &golden("simple_unet_32.pt"), "--name", "served"], &["another process"]);
    assert!(starts.lock().unwrap().is_empty(), "nothing was asked of the server");
    drop(lock);
    shelf.succeeds(&["models", "pull", "served"]);
}

#[test]
fn a_folder_of_models_that_cannot_be_written_is_told() {
    let shelf = Shelf::new();
    std::fs::write(shelf.path("models"), "a file").unwrap();
    let output = shelf.run(&["models", "add", &golden("simple_unet_32.pt"), "--name", "small"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written") && !said.contains("-o"), "no flag chooses another place: {said}");
    assert!(String::from_utf8(shelf.run(&["models", "list"]).stderr).unwrap().contains("cannot be read"));
}

#[test]
fn names_of_models_are_not_captured_by_files() {
    let shelf = Shelf::new();
    shelf.succeeds(&["models", "add", &golden("simple_unet_32.pt"), "--name", "small"]);
    let desk = shelf.path("desk");
    std::fs::create_dir_all(desk.join("photo")).unwrap();
    std::fs::write(desk.join("small"), "a note").unwrap();
    let pixels = image::Rgb32FImage::from_fn(32, 32, |x, y| image::Rgb([x as f32 / 32.0, y as f32 / 32.0, 0.4]));
    Picture::new(pixels).write(&desk.join("in.png")).unwrap();
    let run = |arguments: &[&str]| {
        let output = shelf.command(arguments).current_dir(&desk).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "fdgr {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["models", "info", "photo"]).contains("DDPM UNet"));
    for model in ["photo", "small"] {
        let (out, again) = (format!("{model}.png"), format!("{model}-again.png"));
        let restore = ["restore", "in.png", "-o", &out, "--task", "denoise", "--sigma", "0.1", "--steps", "3"];
        run(&[&restore[..], &["--device", "cpu", "--model", model]].concat());
        let recipe = format!("{out}.recipe.json");
        let text: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(desk.join(&recipe)).unwrap()).unwrap();
        assert_eq!(text["prior"]["model"], model, "the name lasts");
        run(&["restore", "--recipe", &recipe, "-o", &again]);
        assert_eq!(std::fs::read(desk.join(&out)).unwrap(), std::fs::read(desk.join(&again)).unwrap());
    }
    // With a separator it is the file.
    let output = shelf.command(&["models", "info", "./small"]).current_dir(&desk).output().unwrap();
    assert!(!output.status.success(), "a note holds no weights");
}

#[test]
fn damaged_and_foreign_downloads_are_thrown_away() {
    let file = std::fs::read(golden("simple_unet_32.pt")).unwrap();
    let hash = sha256(&file);
    // Damage in the weights shows in the archive's own sums, or in a published hash.
    for (published, word) in [(None, "damaged"), (Some(hash.as_str()), "SHA-256")] {
        let shelf = Shelf::new();
        let (url, _) = serve(file.clone(), vec![Fault::Corrupt(file.len() / 2)]);
        catalog(&shelf, &[&url], published);
        shelf.fails(&["models", "pull", "served"], &[word]);
        shelf.succeeds(&["models", "pull", "served"]);
    }
    let shelf = Shelf::new();
    let (url, _) = serve(b"<html>Not what was asked for</html>".to_vec(), Vec::new());
    catalog(&shelf, &[&url], None);
    shelf.fails(&["models", "pull", "served"], &["neither a PyTorch checkpoint"]);

    // The next place is tried where one has lost the file.
    let (lost, _) = serve(file.clone(), vec![Fault::Missing; 3]);
    let (url, _) = serve(file, Vec::new());
    catalog(&shelf, &[&lost, &url], None);
    shelf.succeeds(&["models", "pull", "served"]);
    shelf.fails(&["models", "pull", "unknown"], &["unknown", "served"]);
    assert!(Path::new(&shelf.path("models/served")).is_dir());
}

#[test]
fn damaged_records_and_files_are_survived() {
    let shelf = Shelf::new();
    shelf.succeeds(&["models", "add", &golden("simple_unet_32.pt"), "--name", "good"]);
    shelf.succeeds(&["models", "add", &golden("simple_unet_32.pt"), "--name", "torn"]);
    std::fs::write(shelf.path("models/torn/model.json"), "{").unwrap();
    assert!(shelf.succeeds(&["models", "list"]).contains("good"), "one damaged record does not hide the others");
    shelf.succeeds(&["models", "remove", "torn"]);
    assert!(!Path::new(&shelf.path("models/torn")).exists());
    // One bit of the weights.
    let mut bytes = std::fs::read(golden("simple_unet_32.pt")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(shelf.path("rotten.pt"), bytes).unwrap();
    shelf.fails(&["models", "add", &shelf.path("rotten.pt").display().to_string()], &["rotten.pt", "damaged"]);
    shelf.fails(&["models", "check", "photo", "--size", "4096", "--class", "3"], &["--class", "no classes"]);
}
