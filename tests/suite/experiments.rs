//! Experiments through the binary: what papers' command lines give, and what must survive.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fdgr::Error;
use fdgr::control::{self, Control};
use fdgr::experiment::config::Config;
use fdgr::experiment::results::{Existing, Results};
use fdgr::experiment::{Driver, Event, Listener, Plan, dataset};
use fdgr::metrics::{Network, psnr};
use fdgr::picture::Picture;
use fdgr::restore::{Method, PriorChoice};
use image::{Rgb, Rgb32FImage};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{aloud, skip, unit};

/// The reference's configuration, for small pictures and few steps.
const SMALL: &str = "data:\n  dataset: Small\n  image_size: 64\n  channels: 3\n  rescaled: true\nmodel:\n  type: simple\ndiffusion:\n  \
    beta_schedule: linear\n  beta_start: 0.0001\n  beta_end: 0.02\n  num_diffusion_timesteps: 1000\nsampling:\n  batch_size: 1\n  \
    T_sampling: 3\n";

/// A folder with a set of small pictures and a configuration.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(lab.path("photos")).unwrap();
        for (i, (width, height)) in [(96, 80), (64, 64), (70, 130)].into_iter().enumerate() {
            lab.picture(&format!("photos/{i}.png"), width, height, i as f32);
        }
        std::fs::write(lab.path("small.yml"), SMALL).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn results(&self, name: &str) -> PathBuf {
        self.path("exp/image_samples").join(name)
    }

    fn picture(&self, name: &str, width: u32, height: u32, phase: f32) {
        let pixels = Rgb32FImage::from_fn(width, height, |x, y| {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            let wave = (9.0 * u + 5.0 * v + phase).sin() / 5.0;
            Rgb([0.5 + wave, 0.3 + 0.4 * v, 0.6 - 0.4 * u * v - wave])
        });
        Picture::new(pixels).write(&self.path(name)).unwrap();
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fdgr"));
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env("FDGR_MODELS", self.path("models"))
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    fn succeeds(&self, words: &str) -> String {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "fdgr {words}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, words: &str, expected: &[&str]) {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "fdgr {words}: succeeded");
        for word in expected {
            assert!(errors.contains(word), "fdgr {words}: no {word:?} in {errors}");
        }
        assert!(!errors.contains("internal error"), "fdgr {words}: {errors}");
        let sentences = errors.lines().filter(|line| line.starts_with("fdgr: ") || line.starts_with("error: ")).count();
        assert!(sentences >= 1, "fdgr {words}: no sentence in {errors}");
    }

    /// Runs a small experiment with the built-in prior.
    fn experiment(&self, flags: &str) -> String {
        self.succeeds(&format!("experiment {} {flags}", Self::flags()))
    }

    /// The same experiment must fail.
    fn refuses(&self, flags: &str, expected: &[&str]) {
        self.fails(&format!("experiment {} {flags}", Self::flags()), expected);
    }

    /// A mask with eight unknown columns, `mask.npy`.
    fn mask(&self) {
        let mask: Vec<u8> = (0..64 * 64).map(|i| u8::from(i % 64 / 8 != 3)).collect();
        write_npy(&self.path("mask.npy"), &[64, 64], &mask);
    }

    fn flags() -> &'static str {
        "--config small.yml --path_y photos --model photo --device cpu --ni"
    }

    /// The restored pictures of a run, by name.
    fn pixels(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.results(name)).unwrap().map(|entry| entry.unwrap());
        let named = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
        let restored = named.filter(|(name, _)| name.ends_with("_0.png"));
        let mut pixels: Vec<_> = restored.map(|(name, path)| (name, std::fs::read(path).unwrap())).collect();
        pixels.sort();
        assert!(!pixels.is_empty(), "{name}: nothing was restored");
        pixels
    }

    fn summary(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.results(name).join("results.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn every_degradation_by_the_references_name() {
    let lab = Lab::new();
    lab.mask();
    let tasks = [
        ("cs_walshhadamard", "--deg_scale 0.25 --operator_imp SVD"),
        ("cs_blockbased", "--deg_scale 0.25 --operator_imp SVD"),
        ("inpainting", "--mask mask.npy"),
        ("denoising", ""),
        ("colorization", ""),
        ("sr_averagepooling", "--deg_scale 4 --operator_imp SVD"),
        ("sr_bicubic", "--deg_scale 4 --operator_imp SVD"),
        ("sr_bicubic", "--deg_scale 2"),
        ("deblur_uni", "--operator_imp svd"),
        ("deblur_gauss", ""),
        ("deblur_aniso", "--operator_imp FFT"),
        ("motion_deblur", ""),
        ("sr4", "--sigma_0 0.05"),
        ("deno", "--method ddrm --timesteps 2 --doc celeba"),
    ];
    for (i, (deg, flags)) in tasks.iter().enumerate() {
        lab.experiment(&format!("--deg {deg} {flags} -i {i} --subset_end 1"));
        let results = lab.results(&i.to_string());
        for file in ["0_0.png", "Apy/orig_0.png", "Apy/Apy_0.png", "results.json", "results.csv", "report.html"] {
            assert!(results.join(file).is_file(), "{deg}: no {file}");
        }
        assert_eq!(results.join("Apy/y_0.png").is_file(), !deg.starts_with("cs"), "{deg}");
        let summary = lab.summary(&i.to_string());
        for metric in ["psnr", "ssim", "gmsd", "haarpsi", "consistency"] {
            assert!(summary["metrics"][metric]["mean"].is_f64(), "{deg}: no {metric} in {summary}");
        }
        assert_eq!(summary["settings"]["config"]["steps"], if *deg == "deno" { 2 } else { 3 }, "{deg}");
    }
}

/// What a draft must reach, in dB of PSNR.
enum Bound {
    /// More than the regularised inverse of the same measurement.
    Gain(f64),
    /// This much.
    AtLeast(f64),
}

#[test]
fn drafts_are_better_than_classical_inverses() {
    use Bound::{AtLeast, Gain};
    let lab = Lab::new();
    lab.mask();
    for (deg, flags, bound) in [
        ("denoising", "", Gain(2.0)),
        ("inpainting", "--mask mask.npy", Gain(1.0)),
        ("sr_bicubic", "--deg_scale 4 --operator_imp SVD", Gain(0.5)),
        ("sr_averagepooling", "--deg_scale 4 --operator_imp SVD", Gain(0.5)),
        ("deblur_gauss", "", Gain(1.0)),
        ("deblur_uni", "--operator_imp SVD", Gain(1.0)),
        ("deblur_aniso", "", Gain(1.0)),
        ("motion_deblur", "", Gain(0.5)),
        ("cs_walshhadamard", "--deg_scale 0.25 --operator_imp SVD", Gain(0.0)),
        ("cs_blockbased", "--deg_scale 0.25 --operator_imp SVD", Gain(0.0)),
        // No measurement says which colours there were.
        ("colorization", "", AtLeast(14.0)),
    ] {
        let task = format!("--deg {deg} {flags} --sigma_y 0.05 --defaults restore --quality draft");
        lab.experiment(&format!("{task} -i {deg} --subset_end 1"));
        let results = Results::open(&lab.results(deg)).unwrap();
        let read = |path: PathBuf| Picture::read(&path).unwrap();
        let original = read(results.original(0));
        let quality = |picture: &Picture| psnr(picture.pixels(), original.pixels());
        let (restored, inverse) = (quality(&read(results.restored(0))), quality(&read(results.inverse(0))));
        if std::env::var_os("FDGR_SHOW_ERRORS").is_some() {
            aloud(&format!("{deg}: {restored:.2} dB, regularised inverse {inverse:.2} dB"));
        }
        let least = match bound {
            Gain(gain) => inverse + gain,
            AtLeast(least) => least,
        };
        assert!(restored >= least, "{deg}: {restored:.2} dB, less than {least:.2}; regularised inverse {inverse:.2}");
    }
}

/// Noise in holes would spread through the classical estimate of a run that starts late. Full runs keep the reference's.
#[test]
fn holes_are_noisy_in_full_runs_only() {
    let lab = Lab::new();
    lab.mask();
    let task = "--deg inpainting --mask mask.npy --sigma_y 0.1 --subset_end 1";
    lab.experiment(&format!("{task} -i full"));
    lab.experiment(&format!("{task} --defaults restore --quality draft -i late"));
    let [full, late] = ["full", "late"].map(|name| {
        let results = Results::open(&lab.results(name)).unwrap();
        Picture::read(&results.measured(0)).unwrap()
    });
    let level = |picture: &Picture, x: u32, y: u32| picture.pixels().get_pixel(x, y).0;
    let mut noisy = 0;
    for (x, y) in (0..64).flat_map(|y| (0..64).map(move |x| (x, y))) {
        if x / 8 == 3 {
            assert_eq!(level(&late, x, y), level(&late, 24, 0), "the hole at {x}, {y}");
            noisy += usize::from(level(&full, x, y) != level(&late, x, y));
        } else {
            assert_eq!(level(&full, x, y), level(&late, x, y), "the known pixel at {x}, {y}");
        }
    }
    assert!(noisy > 400, "{noisy} of 512");
}

#[test]
fn every_method_restores() {
    let lab = Lab::new();
    let methods = Method::NAMES;
    for method in methods {
        let said = lab.experiment(&format!(
            "--method {method} --deg sr_bicubic --deg_scale 4 --operator_imp SVD -i {method} --subset_end 1"
        ));
        assert!(said.contains(&format!("method      {method}")), "{said}");
    }
    // Noisy blur and bicubic reduction by DDNM+, and jumps back to noise.
    lab.experiment("--method ddnm --deg deblur_gauss -i blur --subset_end 1");
    lab.experiment(
        "--method ddnm --deg sr_bicubic --deg_scale 4 --travel_length 2 --travel_repeat 2 -i travel --subset_end 1",
    );
    // All of them, compared with the first.
    let folders: Vec<String> = methods.iter().map(|method| format!("exp/image_samples/{method}")).collect();
    lab.succeeds(&format!("report {} -o methods.html", folders.join(" ")));
    let page = std::fs::read_to_string(lab.path("methods.html")).unwrap();
    assert!(page.contains("Differences from fdgr") && page.contains("data:image/png;base64,"));
}

#[test]
fn a_pasted_command_line_has_the_references_arithmetic() {
    let lab = Lab::new();
    let said = lab.succeeds(
        "experiment --config celeba_hq.yml --path_y photos --deg sr_bicubic --sigma_y 0.05 -i FDG+R/Celeba_4SR_0.05 --inject_noise 0 \
         --gamma 16 --eta_tilde 0.2 --step_size_mode 0 --deg_scale 4 --operator_imp SVD --mode G+ --lam 1.3 --alpha 0.2 \
         --sigma_g 0.8 --model photo --device cpu --steps 2 --subset_start 1 --subset_end 2 --verbose info --save_y",
    );
    assert!(said.contains("task        sr_bicubic 4, noise 0.05, 1 picture of 256x256"), "{said}");
    let summary = lab.summary("FDG+R/Celeba_4SR_0.05");
    let config = &summary["settings"]["config"];
    let expected = [
        ("gamma", 16.0),
        ("eta_tilde", 0.2),
        ("lam", 1.3),
        ("alpha", 0.2),
        ("sigma_g", 0.8),
        ("zeta", 0.5),
        ("xi", 1e-5),
        ("scale_ls", 1.0),
        ("step_size_mode", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(config["method"][name].as_f64(), Some(value), "{name} of {config}");
    }
    assert_eq!(config["method"]["mode"], "G+");
    assert_eq!(
        (&config["method"]["inject_noise"], &config["clip"], &config["start"]),
        (&false.into(), &false.into(), &1.0.into())
    );
    assert!(
        lab.results("FDG+R/Celeba_4SR_0.05").join("1_0.png").is_file(),
        "pictures keep their numbers in the whole set"
    );
    // What no flag says is the reference's.
    lab.experiment("-i defaults --subset_end 1");
    let config = lab.summary("defaults")["settings"]["config"].clone();
    assert_eq!(config["seed"], 1234);
    let method = &config["method"];
    assert_eq!(
        (&method["mode"], &method["step_size_mode"], &method["inject_noise"]),
        (&"G-".into(), &1.into(), &true.into())
    );
    assert_eq!((method["lam"].as_f64(), method["gamma"].as_f64()), (Some(-0.09), Some(8.0)));
}

#[test]
fn recipes_are_command_lines() {
    let lab = Lab::new();
    let listed = lab.succeeds("experiment --list-recipes");
    for name in [
        "fdgr/celeba/sr_bicubic/0.05",
        "ddpg/celeba/deblur_gauss/0.05",
        "idpg/imagenet/motion_deblur/0.1",
        "ddrm/celeba/sr4/0.05",
    ] {
        assert!(listed.contains(name), "{name} in {listed}");
    }
    let flags = "--config small.yml --path_y photos --model photo --device cpu --subset_end 1";
    lab.succeeds(&format!("experiment --recipe ddpg/celeba/deblur_gauss/0.05 {flags} -i recipe --zeta 0.9"));
    let method = lab.summary("recipe")["settings"]["config"]["method"].clone();
    assert_eq!(
        (&method["name"], method["gamma"].as_f64(), method["zeta"].as_f64()),
        (&"ddpg".into(), Some(8.0), Some(0.9))
    );
    lab.fails("experiment --recipe ddpg/celeba/nothing", &["no published command line", "--list-recipes"]);
}

#[test]
fn a_killed_run_goes_on_with_the_same_pixels() {
    let lab = Lab::new();
    let task = "--deg denoising --sigma_y 0.1 --steps 40 --batch 2";
    lab.experiment(&format!("{task} -i whole"));
    let words = format!("experiment {} {task} -i killed", Lab::flags());
    let mut child = lab.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The last record of the first batch.
    let first = lab.results("killed").join("records/1.json");
    for _ in 0..6000 {
        if first.exists() || child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.exists(), "the first batch was done");
    assert!(lab.pixels("killed").len() < 3, "it was killed before its end");
    lab.fails(&words, &["results in it already", "--resume"]);
    let said = lab.run(&format!("{words} --resume"));
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{told}");
    assert!(told.contains("2 pictures are done already"), "{told}");
    assert_eq!(lab.pixels("killed"), lab.pixels("whole"));
    // A kill between the two records of a batch: the batch is made again.
    std::fs::remove_file(&first).unwrap();
    let said = lab.run(&format!("{words} --resume"));
    let told = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && told.contains("1 picture is done already"), "{told}");
    assert_eq!(lab.pixels("killed"), lab.pixels("whole"));
    lab.fails(&format!("{words} --resume --seed 5"), &["other settings", "the method or a parameter"]);
    // Overwriting deletes results, and nothing beside them.
    lab.experiment(&format!("{task} -i killed/inside --steps 2"));
    std::fs::write(lab.results("killed").join("notes.txt"), "mine").unwrap();
    lab.succeeds(&format!("{words} --overwrite --steps 2"));
    assert!(lab.results("killed/inside").join("0_0.png").exists() && lab.results("killed").join("notes.txt").exists());
    lab.fails(
        &format!("experiment {} --path_y exp/image_samples/killed -i killed --overwrite", Lab::flags()),
        &["overwrite an input; pass -i, or pass --path_y"],
    );
    assert!(lab.results("killed").join("0_0.png").exists());
}

#[test]
fn shards_do_not_overlap_and_reports_merge_them() {
    let lab = Lab::new();
    lab.experiment("--deg deblur_gauss -i whole");
    lab.experiment("--deg deblur_gauss -i both --shard 1/2");
    lab.experiment("--deg deblur_gauss -i both --shard 2/2");
    assert_eq!(lab.pixels("both"), lab.pixels("whole"));
    assert_eq!(lab.summary("both")["pictures"], 3);
    // Parts that ran elsewhere.
    for part in ["1/2", "2/2"] {
        lab.experiment(&format!("--deg deblur_gauss -i part{} --shard {part}", &part[..1]));
    }
    assert_eq!(lab.pixels("part1").len() + lab.pixels("part2").len(), 3);
    let said = lab.succeeds("report exp/image_samples/part1 exp/image_samples/part2 -o merged.html");
    assert!(said.contains("part1: 3 pictures"), "{said}");
    lab.fails(&format!("experiment {} --shard 3/2", Lab::flags()), &["--shard", "I/N"]);
    // More parts than pictures: some have nothing to do, which is no failure.
    lab.experiment("--deg deblur_gauss -i sparse --shard 9/9");
}

#[test]
fn a_damaged_picture_is_skipped_and_said() {
    let lab = Lab::new();
    std::fs::write(lab.path("photos/1.png"), b"no picture").unwrap();
    let output = lab.run(&format!("experiment {} -i skips", Lab::flags()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.contains("picture 1 was skipped") && errors.contains("1.png"),
        "{errors}"
    );
    let summary = lab.summary("skips");
    assert_eq!((&summary["pictures"], &summary["skipped"]), (&2.into(), &1.into()));
    assert!(
        std::fs::read_to_string(lab.results("skips").join("report.html")).unwrap().contains("1 picture was skipped")
    );
    // Mended, it is tried again.
    lab.picture("photos/1.png", 64, 64, 1.0);
    lab.experiment("-i skips --resume");
    assert_eq!(lab.summary("skips")["pictures"], 3);
}

#[test]
fn changed_inputs_are_not_mixed_into_old_results() {
    let lab = Lab::new();
    let resume = "--deg denoising -i run --resume";
    lab.experiment(resume);
    let place = lab.results("run").join("experiment.json");
    let mut settings: Value = serde_json::from_str(&std::fs::read_to_string(&place).unwrap()).unwrap();
    assert!(settings["pictures"].as_array().unwrap().iter().all(|picture| picture["sha256"].is_string()));
    lab.experiment(resume);
    lab.picture("photos/1.png", 64, 64, 9.0);
    lab.refuses(resume, &["other pictures", "1.png has changed"]);
    // A classifier that is not the one of the results.
    lab.picture("photos/1.png", 64, 64, 1.0);
    settings["prior"]["classifier_sha256"] = "00".into();
    std::fs::write(&place, settings.to_string()).unwrap();
    lab.refuses(resume, &["other settings", "the classifier"]);
    // Older versions kept neither hash.
    settings["prior"].as_object_mut().unwrap().remove("classifier_sha256");
    for picture in settings["pictures"].as_array_mut().unwrap() {
        picture.as_object_mut().unwrap().remove("sha256");
    }
    std::fs::write(&place, settings.to_string()).unwrap();
    lab.experiment(resume);
}

#[test]
fn damaged_results_are_kept() {
    let lab = Lab::new();
    let resume = "--deg denoising -i run --subset_end 1 --resume";
    lab.experiment(resume);
    let summary = lab.results("run").join("results.json");
    let torn = "{\"sets\": {\"fid\": 1";
    std::fs::write(&summary, torn).unwrap();
    lab.refuses(resume, &["results.json", "damaged"]);
    lab.fails("report exp/image_samples/run", &["results.json", "damaged"]);
    assert_eq!(std::fs::read_to_string(&summary).unwrap(), torn);
    // The record of a picture can be made again.
    std::fs::remove_file(&summary).unwrap();
    std::fs::write(lab.results("run").join("records/0.json"), "{").unwrap();
    lab.fails("report exp/image_samples/run", &["0.json", "damaged"]);
    lab.experiment(resume);
    assert_eq!(lab.summary("run")["pictures"], 1);
}

#[test]
fn reports_name_no_folder_of_the_machine() {
    let lab = Lab::new();
    std::fs::write(lab.path("photos/1.png"), b"no picture").unwrap();
    let photos = lab.path("photos").display().to_string();
    lab.experiment(&format!("--path_y {photos} -i run"));
    let page = std::fs::read_to_string(lab.results("run").join("report.html")).unwrap();
    assert!(page.contains("0: 0.png") && page.contains("1.png: "), "names of files");
    let folder = lab.path("").display().to_string();
    assert!(!page.contains(folder.trim_end_matches(['/', '\\'])), "no path");
    assert!(page.contains("network evaluations (NFE)"));
}

/// Counts steps and pictures, and stops after some steps.
struct Counter {
    steps: AtomicUsize,
    pictures: AtomicUsize,
    most: usize,
}

impl Counter {
    fn new(most: usize) -> Self {
        Self { steps: 0.into(), pictures: 0.into(), most }
    }
}

impl Control for Counter {
    fn cancelled(&self) -> bool {
        self.steps.load(Ordering::SeqCst) >= self.most
    }

    fn emit(&self, event: control::Event) {
        if matches!(event, control::Event::Step { done: 1.., .. }) {
            self.steps.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Listener for Counter {
    fn hear(&self, event: &Event) {
        if matches!(event, Event::Picture(_)) {
            self.pictures.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn experiments_run_without_a_command_line() {
    let lab = Lab::new();
    let mut plan = Plan {
        config: lab.path("small.yml").display().to_string(),
        path_y: lab.path("photos").display().to_string(),
        deg: "denoising".into(),
        exp: lab.path("exp"),
        prior: PriorChoice { model: "photo".into(), ..PriorChoice::default() },
        device: "cpu".into(),
        ..Plan::default()
    };
    let mut driver = Driver::default();
    // Three steps a picture: the first is done, the second is begun.
    let stopped = Counter::new(4);
    assert!(matches!(driver.run(&plan, &stopped), Err(Error::Stopped { .. })));
    assert_eq!((stopped.steps.into_inner(), stopped.pictures.into_inner()), (4, 1));
    assert!(lab.results("demo").join("results.json").is_file(), "what was done is summarised");
    plan.existing = Existing::Resume;
    let resumed = Counter::new(usize::MAX);
    let outcome = driver.run(&plan, &resumed).unwrap();
    assert_eq!((resumed.steps.into_inner(), resumed.pictures.into_inner()), (6, 2));
    assert_eq!((outcome.records.len(), outcome.skipped(), outcome.means()["psnr"].count), (3, 0, 3));
    assert_eq!(outcome.write_report().unwrap(), Some(lab.results("demo").join("report.html")));
}

#[test]
fn batches_are_their_pictures() {
    let lab = Lab::new();
    let task = "--deg denoising --sigma_y 0.1 --defaults restore";
    lab.experiment(&format!("{task} -i one --batch 1"));
    lab.experiment(&format!("{task} -i three --batch 3"));
    let read = |name: &str, i: usize| Picture::read(&Results::open(&lab.results(name)).unwrap().restored(i)).unwrap();
    for i in 0..3 {
        let (one, three) = (read("one", i), read("three", i));
        let gap = one.pixels().iter().zip(three.pixels().iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // The order of sums may differ, which may round a level up or down.
        assert!(gap <= 1.01 / 255.0, "picture {i}: {gap}");
    }
}

#[test]
fn bad_input_gets_a_sentence() {
    let lab = Lab::new();
    let broken = |name: &str, from: &str, to: &str| {
        let text = SMALL.replace(from, to);
        assert_ne!(text, SMALL);
        std::fs::write(lab.path(name), text).unwrap();
    };
    broken("section.yml", "sampling:\n  batch_size: 1\n  T_sampling: 3\n", "");
    broken("type.yml", "image_size: 64", "image_size: large");
    broken("key.yml", "channels: 3", "chanels: 3");
    broken("betas.yml", "beta_end: 0.02", "beta_end: 0.03");
    broken("schedule.yml", "beta_schedule: linear", "beta_schedule: cosine");
    broken("range.yml", "rescaled: true", "rescaled: false");
    std::fs::write(lab.path("noise.yml"), "{[").unwrap();
    std::fs::create_dir(lab.path("empty")).unwrap();
    write_npy(&lab.path("large.npy"), &[32, 64], &[1; 32 * 64]);
    write_npy(&lab.path("nothing.npy"), &[64, 64], &[1; 64 * 64]);
    std::fs::write(lab.path("torn.npy"), b"\x93NUMPY").unwrap();
    let rest = "--path_y photos --model photo --device cpu -i bad";
    for (flags, words) in [
        ("--config section.yml", &["section.yml", "sampling"][..]),
        ("--config type.yml", &["type.yml", "image_size"]),
        ("--config key.yml", &["key.yml", "chanels"]),
        ("--config betas.yml", &["betas.yml", "0.03", "section diffusion"]),
        ("--config schedule.yml", &["schedule.yml", "cosine"]),
        ("--config range.yml", &["range.yml", "data.rescaled"]),
        ("--config noise.yml", &["noise.yml"]),
        ("--config nowhere.yml", &["nowhere.yml", "celeba_hq.yml"]),
        ("--config small.yml --deg sharpen", &["sharpen", "sr_bicubic"]),
        ("--config small.yml --path_y nowhere", &["nowhere", "folder of pictures"]),
        ("--config small.yml --path_y empty", &["empty", "no pictures"]),
        ("--config small.yml --deg inpainting", &["holes", "mask.npy"]),
        ("--config small.yml --deg inpainting --mask large.npy", &["64x32", "64x64"]),
        ("--config small.yml --deg inpainting --mask nothing.npy", &["no pixel unknown"]),
        ("--config small.yml --deg inpainting --mask torn.npy", &["torn.npy"]),
        ("--config small.yml --deg denoising --mask large.npy", &["--mask", "inpainting"]),
        ("--config small.yml --deg sr_bicubic", &["--deg_scale", "whole number"]),
        ("--config small.yml --deg sr_bicubic --deg_scale 3", &["64x64", "scale 3"]),
        ("--config small.yml --deg cs_blockbased --deg_scale 4", &["--deg_scale", "at most 1"]),
        ("--config small.yml --deg motion_deblur --operator_imp SVD", &["--operator_imp", "FFT"]),
        ("--config small.yml --method ddnm --lam 2", &["--lam", "--method fdgr"]),
        ("--config small.yml --method ddpg --inject_noise 0", &["--inject_noise", "idpg"]),
        ("--config small.yml --method ddrm --travel_repeat 2", &["time travel", "ddrm"]),
        ("--config small.yml --method dps --step_scale 0", &["--step_scale", "above 0"]),
        ("--config small.yml --sigma_y -1", &["sigma", "between 0 and 1"]),
        ("--config small.yml --subset_start 2 --subset_end 9", &["--subset_start", "3 pictures", "range"]),
    ] {
        lab.fails(&format!("experiment {rest} {flags}"), words);
        assert!(!lab.results("bad").exists(), "{flags}: something was left behind");
    }
    lab.fails("experiment --path_y photos --device cpu -i bad", &["celeba_hq.ckpt", "fdgr models pull celebahq-256"]);
    std::fs::create_dir_all(lab.results("mine")).unwrap();
    std::fs::write(lab.results("mine").join("thesis.txt"), "do not delete").unwrap();
    lab.fails(&format!("experiment {} -i mine --overwrite", Lab::flags()), &["not empty"]);
    assert!(lab.results("mine").join("thesis.txt").exists());
    lab.fails("report nowhere", &["nowhere", "experiment.json"]);
    lab.fails("eval photos", &["no pairs"]);
    lab.fails(&format!("sweep {} --vary nothing=1", Lab::flags()), &["--nothing", "to vary"]);
    lab.fails(&format!("sweep {} --vary lam=1,2,1 -i late", Lab::flags()), &["--vary", "two runs", "lam=1"]);
    lab.fails(&format!("sweep {} --vary lam=1 --metric sharpness", Lab::flags()), &["sharpness", "psnr"]);
    lab.fails(&format!("sweep {} --vary lam", Lab::flags()), &["--vary lam", "NAME="]);
    lab.fails(&format!("sweep {} --vary gamma=8,-3 -i late", Lab::flags()), &["gamma", "-3"]);
    assert!(!lab.results("late").exists(), "all values are checked before the first run");
    lab.refuses("-i ../outside", &["-i", "../outside", "image_samples"]);
}

#[test]
fn evaluation_agrees_with_the_experiment() {
    let lab = Lab::new();
    lab.experiment("--deg denoising -i run");
    let said = lab.succeeds("eval exp/image_samples/run -o eval.json --device cpu");
    assert!(said.contains("PSNR") && said.contains("fdgr models pull lpips-alex"), "{said}");
    let evaluated: Value = serde_json::from_str(&std::fs::read_to_string(lab.path("eval.json")).unwrap()).unwrap();
    let summary = lab.summary("run");
    for metric in ["psnr", "ssim", "gmsd", "haarpsi"] {
        let (a, b) = (&evaluated["means"][metric]["mean"], &summary["metrics"][metric]["mean"]);
        assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9, "{metric}: {a} and {b}");
    }
    // Two folders; one picture of another size, and one without a counterpart.
    lab.succeeds("eval exp/image_samples/run exp/image_samples/run --device cpu");
    lab.fails("eval photos exp/image_samples/run/Apy --device cpu", &["no picture in it has the name"]);
    std::fs::create_dir(lab.path("others")).unwrap();
    lab.picture("others/0.png", 32, 32, 0.0);
    lab.fails("eval photos others --device cpu", &["32x32"]);
    lab.picture("others/0.jpg", 32, 32, 0.0);
    lab.fails("eval others photos --device cpu", &["0.jpg", "0.png"]);
}

#[test]
fn metrics_with_weights_are_used_once_installed() {
    let lab = Lab::new();
    write_network(&lab.path("squeezenet1_1.safetensors"), Network::SQUEEZE_NET);
    let said = lab.succeeds("models add squeezenet1_1.safetensors");
    assert!(said.contains("installed lpips-squeeze") && said.contains("fdgr eval"), "{said}");
    assert!(lab.succeeds("models info lpips-squeeze").contains("SqueezeNet 1.1"));
    lab.experiment("--deg denoising -i run --subset_end 1");
    let summary = lab.summary("run");
    assert!(summary["metrics"]["lpips_squeeze"]["mean"].as_f64().unwrap() > 0.0, "{summary}");
    let said = lab.succeeds("eval exp/image_samples/run --device cpu");
    assert!(said.contains("LPIPS (SqueezeNet)") && said.contains("fdgr models pull lpips-vgg"), "{said}");
}

#[test]
fn sweeps_find_the_best() {
    let lab = Lab::new();
    // Flags of a published command line, with others beside them.
    lab.succeeds(&format!(
        "sweep --recipe ddpg/celeba/deblur_gauss/0.05 {} --subset_end 1 --vary zeta=0.5,1 -i published",
        Lab::flags()
    ));
    for zeta in [0.5, 1.0] {
        let method = lab.summary(&format!("published/zeta={zeta}"))["settings"]["config"]["method"].clone();
        assert_eq!(method["name"], "ddpg");
        assert_eq!((method["gamma"].as_f64(), method["zeta"].as_f64()), (Some(8.0), Some(zeta)));
    }
    let said = lab.succeeds(&format!(
        "sweep {} --deg sr_bicubic --deg_scale 4 --defaults restore --quality draft --method fdgr --vary lam=0,2 --vary gamma=8:16:2 -i sweep",
        Lab::flags()
    ));
    assert!(said.contains("best by PSNR: lam"), "{said}");
    let table = std::fs::read_to_string(lab.results("sweep").join("sweep.csv")).unwrap();
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.starts_with("lam,gamma,psnr,ssim"), "{table}");
    let page = std::fs::read_to_string(lab.results("sweep").join("sweep.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("best by PSNR"));
    assert!(lab.results("sweep").join("lam=2,gamma=8").join("results.json").is_file());
}

#[test]
fn pictures_are_cropped_as_guided_diffusion_does() {
    // tests/data/crop_SIDE.png were made with Pillow from crop_input.png.
    for side in [128, 64, 32, 20] {
        let cropped = dataset::load(Path::new("tests/data/crop_input.png"), side).unwrap();
        let expected = Picture::read(Path::new(&format!("tests/data/crop_{side}.png"))).unwrap();
        let levels = |picture: &Picture| picture.pixels().iter().map(|v| (v * 255.0).round()).collect::<Vec<f32>>();
        let pairs = levels(&cropped).into_iter().zip(levels(&expected));
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Two passes, each rounded to 8 bits, with coefficients of another precision than Pillow's.
        assert!(worst <= 2.0, "side {side}: {worst} levels off");
    }
}

#[test]
fn configurations_of_the_seeds_are_read_as_they_are() {
    for name in ["celeba_hq.yml", "imagenet_256.yml", "imagenet_256_cc.yml"] {
        let config = Config::find(name).unwrap();
        assert_eq!((config.data.image_size, config.steps()), (256, Some(100)), "{name}");
        assert_eq!(config.classifier.is_some(), name.ends_with("cc.yml"));
    }
    // DDRM says nothing of steps, DDNM in another section.
    let ddrm = SMALL.replace("T_sampling: 3", "last_only: True");
    assert_eq!(Config::parse(&ddrm, Path::new("ddrm.yml")).unwrap().steps(), None);
    let ddnm = SMALL.replace(
        "  T_sampling: 3\n",
        "\ntime_travel:\n    T_sampling: 50\n    travel_length: 2\n    travel_repeat: 3\n",
    );
    let config = Config::parse(&ddnm, Path::new("ddnm.yml")).unwrap();
    assert_eq!((config.steps(), config.travel().length, config.travel().repeat), (Some(50), 2, 3));
}

/// `examples/cluster/ray_shards.py` with Ray of `FDGR_PYTHON`, or of `python3`.
#[test]
fn ray_runs_every_shard() {
    let lab = Lab::new();
    let python = std::env::var("FDGR_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_ray = Command::new(&python).args(["-c", "import ray"]).output().is_ok_and(|output| output.status.success());
    if !has_ray {
        return skip("RAY", &format!("{python} has no ray"));
    }
    lab.experiment("--deg denoising -i whole");
    let script = std::env::current_dir().unwrap().join("examples/cluster/ray_shards.py");
    let output = Command::new(&python)
        .arg(script)
        .args(["--fdgr", env!("CARGO_BIN_EXE_fdgr"), "--shards", "2", "--cpus", "1", "--"])
        .args(Lab::flags().split_whitespace())
        .args(["--deg", "denoising", "-i", "ray"])
        .current_dir(lab.0.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("part 2 of 2 is done"));
    assert_eq!(lab.pixels("ray"), lab.pixels("whole"));
}

/// A browser opens the page, its script runs, and everything it shows is in it.
#[test]
fn reports_open_in_a_browser() {
    let lab = Lab::new();
    lab.experiment("--deg sr_bicubic --deg_scale 4 --operator_imp SVD -i seen --subset_end 2");
    let of_macos = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
    let browsers = ["chromium", "chromium-browser", "google-chrome", of_macos];
    let found = browsers.into_iter().find(|browser| Command::new(browser).arg("--version").output().is_ok());
    let Some(browser) = found else {
        return skip("BROWSER", "there is no browser");
    };
    let page = lab.results("seen").join("report.html");
    let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    let profile = format!("--user-data-dir={}", lab.path("profile").display());
    let shot = lab.path("shot.png");
    let browse = |what: &str| {
        let address = format!("file://{}", page.display());
        let output = Command::new(browser)
            .args(flags)
            .args([&profile, what, "--window-size=1280,1600", &address])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = browse("--dump-dom");
    assert!(text.contains("data-ready=\"true\""), "its script ran");
    assert_eq!(text.matches("class=\"slider\" style=\"--at: 50%;\"").count(), 2, "a slider for each picture");
    let addresses = text.match_indices("src=\"").count();
    assert_eq!(addresses, text.matches("src=\"data:image/png;base64,").count(), "nothing is fetched");
    assert!(text.contains("<svg") && text.contains("PSNR") && text.contains("sr_bicubic"));
    browse(&format!("--screenshot={}", shot.display()));
    let shot = Picture::read(&shot).unwrap();
    let dark = shot.pixels().pixels().filter(|p| p.0.iter().sum::<f32>() < 1.0).count();
    assert!(dark > 1000, "the page shows something");
}

/// An array of bytes in NumPy's format.
fn write_npy(path: &Path, shape: &[u64], values: &[u8]) {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// The weights of a network by the formula.
fn write_network(path: &Path, network: Network) {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = network
        .tensors()
        .into_iter()
        .enumerate()
        .map(|(k, (name, shape))| {
            let fan_in: usize = shape[1..].iter().product();
            let scale = (6.0 / fan_in.max(1) as f64).sqrt().min(1.0);
            let count: usize = shape.iter().product();
            let bytes = (0..count).flat_map(|i| ((unit(i, k) * scale) as f32).to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}
