//! The command line, through the binary: what works, and the sentence for what does not.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fdgr::picture::Picture;
use image::{ImageBuffer, Luma, Rgb, Rgb32FImage};
use tempfile::TempDir;

use crate::support::skip;

/// A folder with a small photo in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.picture("photo.png", 32, 24);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A colourful picture of slopes and edges.
    fn picture(&self, name: &str, width: u32, height: u32) {
        let pixels = Rgb32FImage::from_fn(width, height, |x, y| {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            let edge = if (x / 8 + y / 6) % 2 == 0 { 0.25 } else { 0.0 };
            Rgb([0.2 + 0.5 * u + edge, 0.3 + 0.4 * v, 0.6 - 0.4 * u * v + edge])
        });
        Picture::new(pixels).write(&self.path(name)).unwrap();
    }

    /// A black picture with a white bar: holes, or a kernel.
    fn bar(&self, name: &str, width: u32, height: u32, bar: std::ops::Range<u32>) {
        let pixels = Rgb32FImage::from_fn(width, height, |x, _| Rgb([if bar.contains(&x) { 1.0 } else { 0.0 }; 3]));
        Picture::new(pixels).write(&self.path(name)).unwrap();
    }

    fn run(&self, command: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_fdgr"))
            .args(command.split_whitespace())
            .current_dir(self.0.path())
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }

    fn succeeds(&self, command: &str) -> String {
        let output = self.run(command);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "fdgr {command}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with one sentence that holds all of `words`, and leave no file behind.
    fn fails(&self, command: &str, words: &[&str]) {
        let before = self.files();
        let output = self.run(command);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "fdgr {command}: succeeded");
        let sentence = errors.lines().rfind(|line| line.starts_with("fdgr: ") || line.starts_with("error: "));
        let sentence = sentence.unwrap_or_else(|| panic!("fdgr {command}: no sentence in {errors}"));
        for word in words {
            let said = sentence.contains(word) || errors.starts_with("error: ") && errors.contains(word);
            assert!(said, "fdgr {command}: no {word:?} in {sentence}");
        }
        assert!(!errors.contains("internal error") && !errors.contains("panicked"), "fdgr {command}: {errors}");
        assert_eq!(self.files(), before, "fdgr {command}: files changed");
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

fn data(name: &str) -> String {
    std::env::current_dir().unwrap().join("tests/data").join(name).display().to_string()
}

fn size(path: &Path) -> (usize, usize) {
    let picture = Picture::read(path).unwrap();
    (picture.width(), picture.height())
}

#[test]
fn every_task_is_degraded_and_restored() {
    let desk = Desk::new();
    desk.bar("holes.png", 32, 24, 10..14);
    desk.bar("kernel.png", 7, 3, 1..6);
    let tasks = [
        ("sr --scale 4", "png", (32, 24)),
        ("sr --scale 2 --reduction average", "jpg", (32, 24)),
        ("sr --scale 4 --form fft", "webp", (32, 24)),
        ("deblur --kernel gauss:1.2", "png", (32, 24)),
        ("deblur --kernel gauss:1.2 --form svd", "png", (32, 24)),
        ("deblur --kernel gauss:10,5", "png", (32, 24)),
        ("deblur --kernel aniso:1,20,9", "png", (32, 24)),
        ("deblur --kernel motion:5,30", "tiff", (32, 24)),
        ("deblur --kernel uniform:3", "png", (32, 24)),
        ("deblur --kernel random:9,0.5,3", "png", (32, 24)),
        ("deblur --kernel kernel.png", "png", (32, 24)),
        ("denoise", "jpg", (32, 24)),
        ("inpaint --mask holes.png", "png", (32, 24)),
        ("colorize", "png", (32, 24)),
        ("cs --ratio 0.5", "safetensors", (32, 24)),
        ("cs --ratio 0.5 --sensing blocks", "safetensors", (32, 24)),
    ];
    for (task, ending, expected) in tasks {
        desk.succeeds(&format!("degrade photo.png -o bad.{ending} --task {task} --sigma 0.02 --seed 5"));
        let said = desk.succeeds(&format!("restore bad.{ending} -o good.png --task {task} --steps 4 --device cpu"));
        assert!(said.contains("good.png"), "{task}: {said}");
        assert_eq!(size(&desk.path("good.png")), expected, "{task}");
        assert!(desk.path("good.png.recipe.json").exists(), "{task}");
    }
}

/// Under QEMU, on processors without AVX-512, and without any AVX.
#[test]
fn older_processors_restore_the_same_picture() {
    const EMULATOR: &str = "qemu-x86_64";
    if !cfg!(all(target_os = "linux", target_arch = "x86_64"))
        || Command::new(EMULATOR).arg("--version").output().is_err()
    {
        return skip("EMULATOR", "there is no qemu-x86_64 for this processor");
    }
    let desk = Desk::new();
    let command = "restore photo.png --task denoise --sigma 0.1 --steps 6 --device cpu -o";
    desk.succeeds(&format!("{command} here.png"));
    let here = Picture::read(&desk.path("here.png")).unwrap();
    for processor in ["Haswell", "Westmere"] {
        let output = Command::new(EMULATOR)
            .args(["-cpu", processor, env!("CARGO_BIN_EXE_fdgr")])
            .args(format!("{command} there.png").split_whitespace())
            .current_dir(desk.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{processor}: {}", String::from_utf8_lossy(&output.stderr));
        assert_same(&here, &Picture::read(&desk.path("there.png")).unwrap(), processor);
    }
}

/// To a level of 8 bits.
fn assert_same(a: &Picture, b: &Picture, what: &str) {
    let pixels = a.pixels().as_raw().iter().zip(b.pixels().as_raw());
    let worst = pixels.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1.5 / 255.0, "{what}: off by {worst}");
}

/// The instructions of the CPU can be limited to those of others.
#[test]
fn fewer_instructions_restore_the_same_picture() {
    let desk = Desk::new();
    let restore = |limit: &str, name: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_fdgr"))
            .args("restore photo.png --task denoise --sigma 0.1 --steps 6 --device cpu -o".split_whitespace())
            .arg(name)
            .current_dir(desk.0.path())
            .env("FDGR_CPU", limit)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(restore("", "all.png").0);
    let all = Picture::read(&desk.path("all.png")).unwrap();
    let (done, said) = restore("portable", "portable.png");
    assert!(done && said.contains("portable"), "{said}");
    assert_same(&all, &Picture::read(&desk.path("portable.png")).unwrap(), "portable");
    match restore("avx2", "avx2.png") {
        (true, said) => {
            assert!(said.contains("AVX2 at most"), "{said}");
            assert_same(&all, &Picture::read(&desk.path("avx2.png")).unwrap(), "AVX2");
        }
        (false, said) => assert!(said.contains("has no AVX2"), "{said}"),
    }
    let (done, said) = restore("sse9", "no.png");
    assert!(!done && said.contains("FDGR_CPU") && said.contains("portable"), "{said}");
}

#[test]
fn a_recipe_repeats_the_pixels() {
    let desk = Desk::new();
    desk.succeeds(
        "restore photo.png -o first.png --task denoise --prefer naturalness --steps 6 --seed 11 --device cpu",
    );
    desk.succeeds("restore --recipe first.png.recipe.json -o second.png");
    assert_eq!(std::fs::read(desk.path("first.png")).unwrap(), std::fs::read(desk.path("second.png")).unwrap());
    desk.succeeds(
        "restore photo.png -o third.png --task denoise --prefer naturalness --steps 6 --seed 12 --device cpu",
    );
    assert_ne!(std::fs::read(desk.path("first.png")).unwrap(), std::fs::read(desk.path("third.png")).unwrap());

    // A noise level that was estimated, as a recipe holds it.
    desk.succeeds("restore photo.png -o guessed.png --task denoise --steps 4 --device cpu");
    desk.succeeds("restore --recipe guessed.png.recipe.json -o again.png");
    assert_eq!(
        std::fs::read(desk.path("guessed.png.recipe.json")).unwrap(),
        std::fs::read(desk.path("again.png.recipe.json")).unwrap()
    );
    std::fs::remove_file(desk.path("again.png")).unwrap();
    desk.fails("restore --recipe first.png.recipe.json -o again.png --sigma 0.2", &["already says"]);
    desk.fails("restore --recipe first.png.recipe.json -o photo.png", &["overwrite"]);

    desk.fails("restore --recipe first.png.recipe.json -o again.png --lam 2", &["already says"]);
    desk.picture("photo.png", 32, 32);
    desk.fails("restore --recipe first.png.recipe.json -o again.png", &["the input is not the file"]);
    std::fs::write(desk.path("broken.json"), "{}").unwrap();
    desk.fails("restore --recipe broken.json -o again.png", &["broken.json", "not a recipe"]);
}

#[test]
fn any_size_and_several_photos() {
    let desk = Desk::new();
    for (name, width, height) in [("dot.png", 1, 1), ("line.png", 37, 1), ("odd.png", 33, 19)] {
        desk.picture(name, width, height);
    }
    desk.succeeds("restore odd.png photo.png -o out/ --task denoise --steps 3 --device cpu");
    assert_eq!(size(&desk.path("out/odd.png")), (33, 19));
    assert_eq!(size(&desk.path("out/photo.png")), (32, 24));
    desk.succeeds("restore dot.png -o big.png --task sr --scale 3 --steps 3 --device cpu");
    assert_eq!(size(&desk.path("big.png")), (3, 3));
    desk.succeeds("restore line.png -o clean.png --task denoise --steps 3 --device cpu");
    desk.succeeds("restore odd.png -o sharp.png --task deblur --kernel gauss:1 --steps 3 --device cpu");
    assert_eq!(size(&desk.path("sharp.png")), (33, 19));

    std::fs::write(desk.path("bad.png"), b"no picture").unwrap();
    let output = desk.run("restore bad.png photo.png -o both/ --task denoise --steps 3 --device cpu");
    assert!(!output.status.success(), "one of two is bad");
    assert_eq!(size(&desk.path("both/photo.png")), (32, 24), "the other is restored");
}

#[test]
fn every_flag_of_the_methods_is_taken() {
    let desk = Desk::new();
    let runs = [
        "--steps 4 --method fdgr --mode g- --lam -0.09 --alpha 0.5 --sigma-g 1.5 --inject-noise 1 --zeta 0.5",
        "--steps 4 --method fdgr --mode g+ --gamma 16 --eta_tilde 0.2 --step_size_mode 1 --scale_ls 0.9 --sigma_g 0.8",
        "--steps 4 --method ddpg --gamma 8 --eta-tilde -1 --xi 1e-5 --zeta 0.7 --start 0.5 --no-clip",
        "--steps 4 --method idpg --step-size-mode 2 --border periodic",
        "--steps 4 --method diffpir --lambda 2 --zeta 0.9",
        "--method hqs --lambda 0.3 --sigma-1 0.3 --sigma_end 0.01 --calls 3 --symmetries 2",
        "--steps 4 --method ddnm --eta 0.5 --border periodic",
        "--steps 4 --method ddrm --etaA 0.5 --eta-b 0.9 --etaC 0.5 --border periodic",
        "--steps 4 --method dps --step_scale 0.5",
        "--steps 4 --method pigdm --eta 0.5 --grad-term-weight 0.9",
        "--steps 4 --method reddiff --lr 0.2 --obs_weight 0.9 --grad_term_weight 0.3",
        "--steps 4 --prefer naturalness --data intervals",
        "--steps 4 --data intervals",
    ];
    for flags in runs {
        desk.succeeds(&format!("restore photo.png -o x.png --task deblur --kernel gauss:1 --device cpu {flags}"));
    }
}

#[test]
fn quality_decides_the_number_of_steps() {
    let desk = Desk::new();
    let calls = |flags: &str| {
        desk.succeeds(&format!(
            "restore photo.png -o q.png --task deblur --kernel gauss:1 --sigma 0.1 --device cpu {flags}"
        ));
        let recipe = std::fs::read(desk.0.path().join("q.png.recipe.json")).unwrap();
        let recipe: serde_json::Value = serde_json::from_slice(&recipe).unwrap();
        let number = |name: &str| recipe["receipt"][name].as_f64().unwrap();
        number("evaluations")
    };
    let [draft, normal, best] = ["draft", "normal", "best"].map(|quality| calls(&format!("--quality {quality}")));
    assert!(draft < normal && normal < best, "{draft}, {normal}, {best} calls");
    assert_eq!(calls(""), normal);
    desk.fails("restore photo.png -o x.png --task denoise --quality draft --steps 5", &["--quality", "--steps"]);
    desk.fails("restore photo.png -o x.png --task denoise --quality superb", &["superb", "draft"]);
}

#[test]
fn bad_files_get_a_sentence() {
    let desk = Desk::new();
    std::fs::write(desk.path("empty.png"), b"").unwrap();
    std::fs::write(desk.path("text.png"), b"this is no picture at all").unwrap();
    let whole = std::fs::read(desk.path("photo.png")).unwrap();
    std::fs::write(desk.path("cut.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::create_dir(desk.path("folder.png")).unwrap();
    let cases = [
        ("missing.png", vec!["missing.png", "cannot be read"]),
        ("empty.png", vec!["empty.png", "empty"]),
        ("text.png", vec!["text.png", "not a picture"]),
        ("cut.png", vec!["cut.png", "cannot be decoded"]),
    ];
    for (file, words) in &cases {
        desk.fails(&format!("restore {file} -o x.png --task denoise --device cpu"), words);
        desk.fails(&format!("degrade {file} -o x.png --task denoise"), words);
    }
    desk.fails("restore folder.png -o x.png --task denoise --device cpu", &["folder.png", "no picture"]);
    desk.fails("degrade folder.png -o x.png --task denoise", &["folder.png", "cannot be read"]);
    for (file, word) in [("no-pixels.png", "no-pixels.png"), ("100-megapixels.png", "megapixels")] {
        desk.fails(&format!("restore {} -o x.png --task denoise --device cpu", data(file)), &[file, word]);
    }
}

#[test]
fn bad_tasks_get_a_sentence() {
    let desk = Desk::new();
    desk.bar("small.png", 8, 8, 2..4);
    desk.bar("black.png", 32, 24, 0..0);
    desk.bar("white.png", 32, 24, 0..32);
    desk.bar("wide.png", 65, 3, 0..65);
    desk.picture("odd.png", 31, 23);
    desk.bar("kernel.png", 5, 1, 0..5);
    desk.picture("degraded.png", 32, 32);
    std::fs::copy(data("transparent.png"), desk.path("clear.png")).unwrap();
    desk.succeeds("degrade photo.png -o measured.safetensors --task cs");
    let mut hostile = std::fs::read(desk.path("measured.safetensors")).unwrap();
    let header = u64::from_le_bytes(hostile[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(hostile[8..8 + header].to_vec()).unwrap();
    let text = text.replace("[24,32]", "[4611686018427387904,1]");
    let data = hostile.split_off(8 + header);
    let hostile = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &data].concat();
    std::fs::write(desk.path("hostile.safetensors"), hostile).unwrap();
    for (command, words) in [
        ("degrade photo.png -o x.png", vec!["--task", "missing"]),
        ("restore photo.png -o x.png --kernel gauss:1", vec!["--kernel", "no task is given"]),
        ("restore -o x.png --task denoise", vec!["photo", "missing"]),
        ("restore photo.png -o x.png --task deblur", vec!["--kernel"]),
        ("restore photo.png -o x.png --task inpaint", vec!["--mask"]),
        ("restore photo.png -o x.png --task inpaint --mask small.png", vec!["small.png", "8x8", "32x24"]),
        ("restore photo.png -o x.png --task inpaint --mask black.png", vec!["black.png", "nothing"]),
        ("restore photo.png -o x.png --task inpaint --mask white.png", vec!["white.png", "no pixel"]),
        ("restore photo.png -o x.png --task inpaint --mask none.png", vec!["none.png", "cannot be read"]),
        ("restore photo.png -o x.png --task deblur --kernel black.png", vec!["kernel", "above 0"]),
        ("restore photo.png -o x.png --task deblur --kernel none.png", vec!["none.png", "neither a file"]),
        ("restore photo.png -o x.png --task deblur --kernel gauss:-1", vec!["-1", "above 0"]),
        ("restore photo.png -o x.png --task deblur --kernel gauss:x", vec!["gauss:SIGMA"]),
        ("restore photo.png -o x.png --task deblur --kernel motion:5", vec!["motion:LENGTH,ANGLE"]),
        ("restore photo.png -o x.png --task deblur --kernel motion:1e9,0", vec!["length between"]),
        ("restore photo.png -o x.png --task deblur --kernel uniform:0", vec!["between 1"]),
        ("restore photo.png -o x.png --task deblur --kernel random:9,7,1", vec!["intensity", "7"]),
        ("restore photo.png -o x.png --task deblur --kernel motion:5,0 --form svd", vec!["separable"]),
        ("degrade photo.png -o x.png --task deblur --kernel wide.png", vec!["65x3", "smaller kernel"]),
        ("restore photo.png -o x.png --task deblur --kernel motion:200,30", vec!["32x24", "smaller kernel"]),
        ("restore photo.png -o x.png --task deblur --kernel gauss:1,6", vec!["odd"]),
        ("restore photo.png odd.png -o x.png --task denoise", vec!["several photos"]),
        ("degrade odd.png -o x.png --task sr --scale 4", vec!["31x23", "4", "28x20"]),
        ("restore photo.png -o x.png --task sr --scale 0", vec!["scale", "0"]),
        ("restore photo.png -o x.png --task sr --scale 999", vec!["scale", "999"]),
        ("restore photo.png -o x.png --task denoise --scale 4", vec!["--scale", "--task sr"]),
        ("restore photo.png -o x.png --task cs", vec!["measurements"]),
        ("restore measured.safetensors -o x.png --task cs --ratio 0.9", vec!["--task", "says how"]),
        ("restore hostile.safetensors -o x.png --task cs", vec!["hostile.safetensors", "4611686018427387904"]),
        ("restore photo.png -o x.png --task denoise --border extend", vec!["--border", "blurs"]),
        ("restore measured.safetensors -o x.png --task cs --data intervals", vec!["--data", "compressed sensing"]),
        ("restore photo.png -o x.png --task denoise --steps 3 --calls 4", vec!["--steps", "calls"]),
        ("restore photo.png -o x.png --task denoise --travel-length 3", vec!["--travel-length", "hqs"]),
        ("restore photo.png -o x.png --task sr --reduction average --form fft", vec!["--form", "reduction average"]),
        ("restore clear.png -o x.jpg --task denoise", vec!["transparency"]),
        ("restore photo.png -o white.png --task inpaint --mask white.png", vec!["white.png", "overwrite"]),
        ("degrade photo.png -o kernel.png --task deblur --kernel kernel.png", vec!["kernel.png", "overwrite"]),
        ("demo --photo degraded.png --output .", vec!["degraded.png", "overwrite"]),
        ("restore measured.safetensors -o x.png --task denoise", vec!["the file says how it was made"]),
        ("degrade photo.png -o x.png --task cs", vec![".safetensors"]),
        ("degrade photo.png -o x.safetensors --task cs --ratio 2", vec!["ratio", "2"]),
        ("degrade photo.png -o x.png", vec!["--task"]),
    ] {
        desk.fails(&format!("{command}{}", if command.starts_with("restore") { " --device cpu" } else { "" }), &words);
    }
}

#[test]
fn bad_parameters_get_a_sentence() {
    let desk = Desk::new();
    for (flags, words) in [
        ("--sigma -0.1", vec!["sigma", "-0.1"]),
        ("--sigma 7", vec!["sigma", "7"]),
        ("--sigma nan", vec!["sigma"]),
        ("--method fdgr --gamma -1", vec!["gamma", "-1"]),
        ("--method fdgr --zeta 2", vec!["zeta", "2"]),
        ("--method fdgr --alpha 0", vec!["alpha", "0"]),
        ("--method fdgr --sigma-g -3", vec!["--sigma-g", "-3"]),
        ("--method fdgr --lam inf", vec!["lam"]),
        ("--method fdgr --scale-ls -1", vec!["--scale-ls"]),
        ("--method fdgr --step-size-mode 3", vec!["--step-size-mode", "3"]),
        ("--method fdgr --inject-noise 2", vec!["--inject-noise", "2"]),
        ("--method ddpg --lam 1", vec!["--lam", "fdgr", "ddpg"]),
        ("--method diffpir --gamma 1", vec!["--gamma", "diffpir"]),
        ("--method diffpir --lambda 0", vec!["lambda"]),
        ("--method ddpg --steps 0", vec!["steps", "0"]),
        ("--method ddpg --steps 5000", vec!["steps", "5000"]),
        ("--steps 0", vec!["calls", "0"]),
        ("--method ddpg --start 0", vec!["--start", "above 0"]),
        ("--method ddpg --start 1.5", vec!["--start", "1.5"]),
        ("--start 0.5", vec!["--start", "hqs"]),
        ("--method magic", vec!["magic", "fdgr"]),
        ("--frobnicate", vec!["--frobnicate"]),
        ("--model nowhere.pt", vec!["nowhere.pt", "no such file"]),
        ("--model photo.png", vec!["photo.png", "neither"]),
    ] {
        desk.fails(&format!("restore photo.png -o x.png --task denoise --device cpu {flags}"), &words);
    }
    for (device, words) in [("quantum", vec!["quantum", "no device has that name"]), ("", vec!["--device"])] {
        desk.fails(&format!("restore photo.png -o x.png --task denoise --device {device}"), &words);
    }
}

/// Only there do all adapters come through the Vulkan loader.
#[cfg(target_os = "linux")]
#[test]
fn no_adapter_is_a_sentence() {
    let desk = Desk::new();
    for device in ["gpu", "software"] {
        let output = Command::new(env!("CARGO_BIN_EXE_fdgr"))
            .args(["restore", "photo.png", "-o", "x.png", "--task", "denoise", "--device", device])
            .current_dir(desk.0.path())
            .env("VK_ICD_FILENAMES", "/nonexistent.json")
            .env("VK_DRIVER_FILES", "/nonexistent.json")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains("--device cpu"), "{errors}");
        assert!(!errors.contains("internal error"), "{errors}");
    }
}

#[test]
fn folders_are_restored_with_what_is_in_them_and_gone_on_with() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("album/2023/deep")).unwrap();
    desk.picture("album/a.png", 16, 16);
    desk.picture("album/2023/b.png", 16, 16);
    desk.picture("album/2023/deep/b.png", 16, 16);
    std::fs::write(desk.path("album/notes.txt"), b"no picture").unwrap();
    let command = "restore album -o album/out --task denoise --sigma 0.1 --quality draft --device cpu";
    desk.succeeds(command);
    let outputs = ["a.png", "2023/b.png", "2023/deep/b.png"].map(|name| desk.path(&format!("album/out/{name}")));
    assert!(outputs.iter().all(|output| output.exists()));
    // What is complete stays; a picture without its recipe is not.
    std::fs::remove_file(&outputs[0]).unwrap();
    std::fs::remove_file(desk.path("album/out/2023/b.png.recipe.json")).unwrap();
    let said = desk.succeeds(&format!("{command} --skip-existing"));
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(desk.succeeds(&format!("{command} --skip-existing")), "");
    // However the folders are called.
    for spelling in ["./album", "album/../album"] {
        let command = command.replacen("album", spelling, 1);
        assert_eq!(desk.succeeds(&format!("{command} --skip-existing")), "", "{spelling}");
    }
    desk.fails("restore album -o x.png --task denoise --device cpu", &["x.png", "one picture"]);
    // Links to pictures are pictures.
    #[cfg(unix)]
    {
        std::fs::create_dir(desk.path("links")).unwrap();
        std::os::unix::fs::symlink(desk.path("album/a.png"), desk.path("links/c.png")).unwrap();
        std::os::unix::fs::symlink(desk.path("links"), desk.path("links/circle")).unwrap();
        desk.succeeds("restore links -o linked --task denoise --sigma 0.1 --quality draft --device cpu");
        assert!(desk.path("linked/c.png").exists() && !desk.path("linked/circle").exists());
    }
}

#[test]
fn compressed_photos_are_restored_by_their_quality() {
    let desk = Desk::new();
    let sample = Picture::read(Path::new("assets/samples/10_otter.png")).unwrap();
    // Sides that are no multiples of a block's.
    sample.cropped(40, 60, 93, 70).write(&desk.path("photo.png")).unwrap();
    let said = desk.succeeds("degrade photo.png -o low.png --task jpeg --jpeg-quality 20");
    assert!(said.contains("low.png"), "{said}");
    desk.succeeds("restore low.png -o better.png --task jpeg --jpeg-quality 20 --device cpu");
    let read = |name: &str| Picture::read(&desk.path(name)).unwrap();
    let [original, low, better] = ["photo.png", "low.png", "better.png"].map(read);
    let distance = |a: &Picture| fdgr::metrics::psnr(a.pixels(), original.pixels());
    assert!(distance(&better) > distance(&low), "{:.2} dB become {:.2} dB", distance(&low), distance(&better));
    desk.fails("restore low.png -o x.png --task jpeg --device cpu", &["--jpeg-quality", "does not say it"]);
    desk.fails("restore low.png -o x.png --task jpeg,sr --jpeg-quality 20 --device cpu", &["put it last"]);
    let several = desk.run("restore photo.png low.png -o out --task jpeg --device cpu");
    let said = String::from_utf8_lossy(&several.stderr);
    assert!(!several.status.success() && said.contains("photo.png: --jpeg-quality"), "{said}");
    let blurred = "restore low.png -o x.png --task deblur,jpeg --kernel gauss:1 --jpeg-quality 20 --device cpu";
    desk.fails(blurred, &["--task", "leave jpeg out"]);
    desk.fails("restore low.png -o x.png --task jpeg --jpeg-quality 20 --method ddrm --device cpu", &["ddrm", "cells"]);
    desk.fails("restore low.png -o x.png --task jpeg --jpeg-quality 0 --device cpu", &["--jpeg-quality", "1"]);
}

impl Desk {
    /// A sample that some command degraded, as `name`.
    fn degraded(&self, name: &str, flags: &str) {
        self.degraded_of("21_citrus", name, flags);
    }

    fn degraded_of(&self, sample: &str, name: &str, flags: &str) {
        let sample = Picture::read(Path::new(&format!("assets/samples/{sample}.png"))).unwrap();
        sample.write(&self.path("sample.png")).unwrap();
        self.succeeds(&format!("degrade sample.png -o {name} {flags}"));
    }

    /// Decibels of a picture against the sample.
    fn quality(&self, name: &str) -> f64 {
        let read = |name: &str| Picture::read(&self.path(name)).unwrap();
        fdgr::metrics::psnr(read(name).pixels(), read("sample.png").pixels())
    }
}

#[test]
fn photos_are_restored_by_what_they_show() {
    let desk = Desk::new();
    for (flags, word) in [
        ("--task denoise --sigma 0.08", "denoising"),
        ("--task deblur --kernel gauss:2 --sigma 0.01", "deblur"),
        ("--task deblur --kernel motion:14,40 --sigma 0.01", "deblur"),
    ] {
        desk.degraded("bad.png", flags);
        desk.succeeds("restore bad.png -o good.png --device cpu");
        let (before, after) = (desk.quality("bad.png"), desk.quality("good.png"));
        assert!(after > before + 2.0, "{flags}: {before:.2} dB became {after:.2} dB");
        let recipe = std::fs::read_to_string(desk.path("good.png.recipe.json")).unwrap();
        assert!(recipe.contains(word), "{flags}: {recipe}");
        // What was found is in the recipe, which finds the same without looking.
        desk.succeeds("restore --recipe good.png.recipe.json -o again.png");
        assert_eq!(std::fs::read(desk.path("good.png")).unwrap(), std::fs::read(desk.path("again.png")).unwrap());
    }
    // Nothing is wrong: nothing is written, and nothing failed.
    let clean = desk.run("restore sample.png -o clean.png --device cpu");
    let said = String::from_utf8_lossy(&clean.stderr);
    assert!(clean.status.success() && said.contains("sample.png: already clean"), "{said}");
    assert!(!desk.path("clean.png").exists() && !desk.path("clean.png.recipe.json").exists());
    desk.succeeds("restore sample.png -o clean.png --force --device cpu");
    assert!(desk.quality("clean.png") > 40.0);
    desk.fails("restore photo.png -o x.png --task denoise --force", &["--force", "--task"]);
}

/// Lamps that are cut off at white make no rings: their surroundings are at least as good as without them.
#[test]
fn lights_make_no_rings() {
    let desk = Desk::new();
    desk.degraded_of("07_blue_flowers", "blurred.png", "--task deblur --kernel gauss:1.6 --sigma 0.01");
    let centers = [(60i32, 70i32), (150, 60), (120, 190)];
    let from_light = |x: u32, y: u32| {
        let distance = |&(cx, cy): &(i32, i32)| f64::from((x as i32 - cx).pow(2) + (y as i32 - cy).pow(2)).sqrt();
        centers.iter().map(distance).fold(f64::INFINITY, f64::min)
    };
    let with_lights = |name: &str, to: &str| {
        let mut pixels = Picture::read(&desk.path(name)).unwrap().pixels().clone();
        for (x, y, pixel) in pixels.enumerate_pixels_mut() {
            if from_light(x, y) <= 5.0 {
                *pixel = Rgb([1.0; 3]);
            }
        }
        Picture::new(pixels).write(&desk.path(to)).unwrap();
    };
    with_lights("blurred.png", "lit.png");
    desk.succeeds("restore lit.png -o sharp.png --task deblur --kernel gauss:1.6 --device cpu");
    let [lit, sharp, sample] =
        ["lit.png", "sharp.png", "sample.png"].map(|name| Picture::read(&desk.path(name)).unwrap());
    let error = |picture: &Picture| {
        let around = picture.pixels().enumerate_pixels().filter(|(x, y, _)| (6.0..16.0).contains(&from_light(*x, *y)));
        around.map(|(x, y, pixel)| f64::from((pixel[1] - sample.pixels().get_pixel(x, y)[1]).powi(2))).sum::<f64>()
    };
    assert!(error(&sharp) < error(&lit), "{:.3} became {:.3}", error(&lit), error(&sharp));
    assert!(sharp.pixels().enumerate_pixels().all(|(x, y, pixel)| from_light(x, y) > 4.0 || pixel[1] > 0.99), "white");
}

/// Of a large photo only what is around a date is restored anew.
#[test]
fn a_date_in_a_corner_changes_nothing_far_from_it() {
    let desk = Desk::new();
    let sample = Picture::read(Path::new("assets/samples/07_blue_flowers.png")).unwrap();
    let (width, height) = (2 * sample.width() as u32, 2 * sample.height() as u32);
    let mirrored = |i: u32, side: u32| if i < side / 2 { i } else { side - 1 - i };
    let tiled =
        Rgb32FImage::from_fn(width, height, |x, y| *sample.pixels().get_pixel(mirrored(x, width), mirrored(y, height)));
    Picture::new(tiled).write(&desk.path("large.png")).unwrap();
    desk.succeeds("degrade large.png -o blurred.png --task deblur --kernel gauss:1.6 --sigma 0.005");
    let is_date =
        |x: u32, y: u32| (width - 70..width - 20).contains(&x) && (height - 30..height - 18).contains(&y) && x % 8 < 3;
    let dated = |name: &str, to: &str| {
        let mut pixels = Picture::read(&desk.path(name)).unwrap().pixels().clone();
        pixels
            .enumerate_pixels_mut()
            .filter(|(x, y, _)| is_date(*x, *y))
            .for_each(|(_, _, pixel)| *pixel = Rgb([1.0, 0.6, 0.1]));
        Picture::new(pixels).write(&desk.path(to)).unwrap();
    };
    dated("blurred.png", "dated.png");
    dated("large.png", "large.png");
    let flags = "--task deblur --kernel gauss:1.6 --quality draft --device cpu";
    desk.succeeds(&format!("restore dated.png -o robust.png {flags}"));
    desk.succeeds(&format!("restore dated.png -o exact.png {flags} --data exact"));
    let [large, robust, exact] =
        ["large.png", "robust.png", "exact.png"].map(|name| Picture::read(&desk.path(name)).unwrap());
    let far = |x: u32, y: u32| x < width / 2 || y < height / 2;
    for (x, y, pixel) in robust.pixels().enumerate_pixels().filter(|(x, y, _)| far(*x, *y)) {
        assert_eq!(pixel, exact.pixels().get_pixel(x, y), "({x}, {y})");
    }
    let error = |picture: &Picture| {
        let corner = picture.pixels().enumerate_pixels().filter(|(x, y, _)| *x > width - 100 && *y > height - 60);
        corner.map(|(x, y, pixel)| f64::from((pixel[1] - large.pixels().get_pixel(x, y)[1]).powi(2))).sum::<f64>()
    };
    assert!(error(&robust) < 0.3 * error(&exact), "{:.3} instead of {:.3}", error(&robust), error(&exact));
}

/// Dates, captions and dust that no blur made stay as they are, and make no rings, as they do where the photo is taken at its word.
#[test]
fn captions_and_dust_make_no_rings() {
    let desk = Desk::new();
    desk.degraded_of("07_blue_flowers", "blurred.png", "--task deblur --kernel gauss:1.6 --sigma 0.005");
    let is_caption = |x: u32, y: u32| {
        let letters = (150..230).contains(&x) && (225..240).contains(&y) && x % 8 < 3;
        letters || [(40, 50), (90, 200), (180, 100), (60, 150)].contains(&(x, y))
    };
    let with_caption = |name: &str, to: &str| {
        let mut pixels = Picture::read(&desk.path(name)).unwrap().pixels().clone();
        for (_, y, pixel) in pixels.enumerate_pixels_mut().filter(|(x, y, _)| is_caption(*x, *y)) {
            *pixel = if y % 50 == 0 { Rgb([0.0; 3]) } else { Rgb([1.0, 0.6, 0.1]) };
        }
        Picture::new(pixels).write(&desk.path(to)).unwrap();
    };
    with_caption("blurred.png", "dated.png");
    with_caption("sample.png", "sample.png");
    let flags = "--task deblur --kernel gauss:1.6 --device cpu";
    desk.succeeds(&format!("restore blurred.png -o plain.png {flags}"));
    let said = desk.run(&format!("restore dated.png -o robust.png {flags}"));
    assert!(String::from_utf8_lossy(&said.stderr).contains("captions"), "{said:?}");
    desk.succeeds(&format!("restore dated.png -o exact.png {flags} --data exact"));
    let quality = |name: &str| desk.quality(name);
    assert!(quality("robust.png") > quality("dated.png") + 3.0, "{}", quality("robust.png"));
    assert!(quality("robust.png") > quality("exact.png") + 3.0, "{}", quality("exact.png"));
    let [dated, robust] = ["dated.png", "robust.png"].map(|name| Picture::read(&desk.path(name)).unwrap());
    for (x, y, pixel) in dated.pixels().enumerate_pixels().filter(|(x, y, _)| is_caption(*x, *y)) {
        let found = robust.pixels().get_pixel(x, y);
        assert!((0..3).all(|c| (pixel[c] - found[c]).abs() < 0.01), "{x}, {y}: {pixel:?} became {found:?}");
    }
    // Elsewhere a photo is restored as if there were no caption.
    let plain = Picture::read(&desk.path("plain.png")).unwrap();
    let far =
        |x: u32, y: u32| (0..9).all(|i| !is_caption((x + i % 3).saturating_sub(1), (y + i / 3).saturating_sub(1)));
    let elsewhere = robust.pixels().enumerate_pixels().filter(|(x, y, _)| far(*x, *y));
    let errors: Vec<f64> =
        elsewhere.map(|(x, y, pixel)| f64::from((pixel[1] - plain.pixels().get_pixel(x, y)[1]).powi(2))).collect();
    let apart = -10.0 * (errors.iter().sum::<f64>() / errors.len() as f64).log10();
    assert!(apart > 40.0, "{apart:.1} dB between a photo with a caption and one without");
    let words = ["--data", "a single blur", "pass --data exact"];
    desk.fails("restore photo.png -o x.png --task denoise --data robust --device cpu", &words);
    desk.fails(&format!("restore dated.png -o x.png {flags} --data robust --border periodic"), &words);
}

#[test]
fn kernels_are_found_or_asked_for() {
    let desk = Desk::new();
    desk.degraded("shaken.png", "--task deblur --kernel motion:14,40 --sigma 0.01");
    desk.succeeds("restore shaken.png -o sharp.png --task deblur --kernel auto --device cpu");
    assert!(desk.quality("sharp.png") > desk.quality("shaken.png") + 3.0);
    desk.fails("restore sample.png -o x.png --task deblur --kernel auto --device cpu", &["--kernel auto", "gauss:1.6"]);
    desk.fails("restore photo.png -o x.png --task deblur --kernel auto --device cpu", &["--kernel auto", "too small"]);
    // JPEG: what compression left out is not magnified.
    let shaken = Picture::read(&desk.path("shaken.png")).unwrap();
    shaken.write(&desk.path("shaken.jpg")).unwrap();
    desk.succeeds("restore shaken.jpg -o sharp.png --task deblur --kernel motion:14,40 --device cpu");
    assert!(desk.quality("sharp.png") > desk.quality("shaken.jpg") + 3.0);
}

#[test]
fn standard_streams_are_a_photo_and_its_result() {
    use std::io::Write as _;
    use std::process::Stdio;
    let desk = Desk::new();
    let piped = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fdgr"));
        command.args(words.split_whitespace()).current_dir(desk.0.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let bytes = std::fs::read(desk.path("photo.png")).unwrap();
        // A program that refuses its arguments does not read.
        _ = child.stdin.take().unwrap().write_all(&bytes);
        child.wait_with_output().unwrap()
    };
    let flags = "--task denoise --sigma 0.05 --quality draft --device cpu";
    let before = desk.files();
    let streamed = piped(&format!("restore - -o - {flags}"));
    let picture = Picture::decode(&streamed.stdout, Path::new("streamed.png")).unwrap();
    assert!(streamed.status.success() && (picture.width(), picture.height()) == (32, 24));
    assert!(String::from_utf8_lossy(&streamed.stderr).contains("consistent with the photo"));
    assert_eq!(desk.files(), before, "no file, no recipe");
    assert!(piped(&format!("restore - -o named.png {flags}")).status.success());
    assert_eq!(std::fs::read(desk.path("named.png")).unwrap(), streamed.stdout);
    desk.succeeds("restore photo.png --recipe named.png.recipe.json -o again.png");
    for (words, sentence) in [
        ("restore - --task denoise", "no name for the result"),
        ("restore - photo.png -o out --task denoise", "standard input is one photo"),
        ("restore photo.png named.png -o - --task denoise", "standard output is for one picture"),
    ] {
        let refused = piped(words);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(sentence), "{words}: {said}");
    }
    desk.fails("restore photo.png -o x.png --task denoise --page 2 --device cpu", &["photo.png", "no page 2"]);
    desk.fails("restore photo.png -o x.png --task denoise --page 0 --device cpu", &["--page"]);
}

#[test]
fn results_have_the_size_that_is_asked_for() {
    let desk = Desk::new();
    for (flags, expected) in [
        ("--task sr --scale 1.5", (48, 36)),
        ("--task sr --width 100", (100, 75)),
        ("--task sr --height 30", (40, 30)),
        ("--task sr --scale 2 --enlarged 2", (32, 24)),
        ("--task denoise --sigma 0.05 --width 20", (20, 15)),
    ] {
        desk.succeeds(&format!("restore photo.png -o sized.png {flags} --quality draft --device cpu"));
        assert_eq!(size(&desk.path("sized.png")), expected, "{flags}");
        desk.succeeds("restore --recipe sized.png.recipe.json -o again.png");
        assert_eq!(std::fs::read(desk.path("sized.png")).unwrap(), std::fs::read(desk.path("again.png")).unwrap());
    }
    for (flags, words) in [
        ("--task sr --scale 0.5", vec!["--scale", "0.5"]),
        ("--task sr --scale 1.5 --form circle", vec!["--form"]),
        ("--task sr --width 0", vec!["width", "0"]),
        ("--task sr --width 9000", vec!["width", "64"]),
        ("--task sr --width 90 --height 90", vec!["--height"]),
        ("--task sr --scale 2 --enlarged 0", vec!["enlargement", "16"]),
        ("--task sr --scale 2 --enlarged nan", vec!["enlargement", "16"]),
        ("--task sr --scale 2 --enlarged 99", vec!["enlargement", "16"]),
    ] {
        desk.fails(&format!("restore photo.png -o x.png {flags} --device cpu"), &words);
    }
}

/// The distance of the map covers most of the truth, and is not so large that it says nothing.
#[test]
fn results_say_how_far_from_the_truth_they_may_be() {
    let desk = Desk::new();
    desk.degraded("bad.png", "--task denoise --sigma 0.1");
    let said = desk.succeeds("restore bad.png -o good.png --task denoise --sigma 0.1 --uncertainty 4");
    assert!(said.contains("good.png.uncertainty.png") && said.contains("good.png.samples.png"), "{said}");
    let read = |name: &str| Picture::read(&desk.path(name)).unwrap();
    let (truth, good, map) = (read("sample.png"), read("good.png"), read("good.png.uncertainty.png"));
    assert!(map.extras.gray && map.extras.deep);
    let far = good.pixels().iter().zip(truth.pixels().iter()).map(|(a, b)| (a - b).abs());
    let covered = far.zip(map.pixels().iter()).filter(|(far, most)| far <= most).count();
    let share = covered as f64 / good.pixels().len() as f64;
    let mean = map.luminance().iter().map(|&v| f64::from(v)).sum::<f64>() / map.luminance().len() as f64;
    assert!((0.8..0.98).contains(&share) && mean < 0.1, "{share} of the truth is covered, by {mean} on average");
    desk.fails("restore bad.png -o x.png --task denoise --uncertainty 1", &["--uncertainty", "between 2 and 64"]);
    desk.succeeds("restore bad.png -o x.png --task colorize --uncertainty 2");
    assert!(desk.path("x.png.samples.png").exists() && !desk.path("x.png.uncertainty.png").exists());
    desk.fails("restore bad.png -o - --task denoise --uncertainty 4", &["standard output", "-o"]);
}

#[test]
fn enlarged_photos_get_the_detail_that_interpolation_lacks() {
    let desk = Desk::new();
    desk.degraded("small.png", "--task sr --scale 2");
    let small = Picture::read(&desk.path("small.png")).unwrap();
    small.enlarged(2).write(&desk.path("large.png")).unwrap();
    assert!(desk.succeeds("inspect large.png").contains("--task sr --scale 2 --enlarged 2"));
    desk.succeeds("restore large.png -o better.png --device cpu");
    let (before, after) = (desk.quality("large.png"), desk.quality("better.png"));
    assert!(after > before + 0.5, "{before:.2} dB became {after:.2} dB");
}

#[test]
fn inspection_says_what_would_help() {
    let desk = Desk::new();
    desk.picture("photo.png", 96, 80);
    let image = image::open(desk.path("photo.png")).unwrap().into_rgb8();
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 30);
    image.write_with_encoder(encoder).unwrap();
    std::fs::write(desk.path("low.jpg"), bytes).unwrap();
    let said = desk.succeeds("inspect low.jpg photo.png");
    assert!(said.contains("quality of about 30") && said.contains("fdgr restore low.jpg --task jpeg"), "{said}");
    assert!(said.contains("photo.png: 96x80 pixels") && !said.contains("restore photo.png --task jpeg"), "{said}");
    desk.fails("inspect nothing.jpg", &["nothing.jpg", "cannot be read"]);
    desk.degraded("shaken.png", "--task deblur --kernel motion:14,40 --sigma 0.01");
    let said = desk.succeeds("inspect shaken.png --picture evidence.png");
    assert!(said.contains("--task deblur --kernel motion:1") && said.contains("evidence.png"), "{said}");
    let (width, height) = size(&desk.path("evidence.png"));
    assert!(width > 4 * 512 && height > 512, "photo, detail, spectrum and kernel");
    desk.fails("inspect shaken.png --picture shaken.png", &["overwrite"]);
    desk.fails("inspect shaken.png photo.png --picture x.png", &["one by one"]);
    // Folders, and pages that are not there.
    std::fs::create_dir_all(desk.path("album/deep")).unwrap();
    std::fs::copy(desk.path("low.jpg"), desk.path("album/deep/low.jpg")).unwrap();
    assert!(desk.succeeds("inspect album").contains("deep/low.jpg: 96x80 pixels"));
    std::fs::create_dir(desk.path("empty")).unwrap();
    desk.fails("inspect empty", &["empty", "no picture in it"]);
    desk.fails("inspect photo.png --page 2", &["photo.png", "no page 2"]);
}

#[test]
fn bad_outputs_get_a_sentence() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("folder.png")).unwrap();
    for (output, words) in [
        ("photo.png", vec!["photo.png", "overwrite"]),
        ("./photo.png", vec!["overwrite"]),
        ("nowhere/x.png", vec!["nowhere", "cannot be written"]),
        ("x.bmp", vec!["x.bmp", ".png"]),
        ("x", vec![".png"]),
    ] {
        desk.fails(&format!("restore photo.png -o {output} --task denoise --device cpu --steps 2"), &words);
        desk.fails(&format!("degrade photo.png -o {output} --task denoise"), &words);
    }
    desk.fails("restore photo.png photo.png -o out --task denoise --device cpu", &["two photos"]);
}

#[test]
fn a_picture_too_large_for_the_device_is_a_sentence() {
    let desk = Desk::new();
    desk.picture("large.png", 2000, 2000);
    desk.fails("restore large.png -o x.png --task sr --scale 16 --device cpu", &["MiB", "crop or shrink"]);
}

#[test]
fn help_shows_examples() {
    let desk = Desk::new();
    for command in ["--help", "restore --help", "degrade --help", "demo --help"] {
        assert!(desk.succeeds(command).contains("Examples:"), "{command}");
    }
    assert!(desk.succeeds("devices").contains("CPU"));
}

/// Ctrl-C during a run ends it within a step, and leaves nothing behind.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    use std::time::Duration;
    let desk = Desk::new();
    desk.picture("wide.png", 128, 128);
    let before = desk.files();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fdgr"))
        .args(
            "restore wide.png -o x.png --task denoise --method ddpg --steps 1000 --start 1 --device cpu"
                .split_whitespace(),
        )
        .current_dir(desk.0.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "a thousand steps take longer");
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stopped at step"));
    assert_eq!(desk.files(), before);
}

#[test]
fn a_model_is_not_taken_for_a_folder_of_the_same_name() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("photo")).unwrap();
    desk.succeeds("restore photo.png -o x.png --task denoise --device cpu");
    let recipe = std::fs::read_to_string(desk.path("x.png.recipe.json")).unwrap();
    assert!(recipe.contains(r#""model": "photo""#), "{recipe}");
    desk.succeeds("restore --recipe x.png.recipe.json -o y.png");
}

#[test]
fn masks_may_be_inverted() {
    let desk = Desk::new();
    desk.bar("holes.png", 32, 24, 10..14);
    desk.bar("known.png", 32, 24, 0..10);
    desk.succeeds("degrade photo.png -o torn.png --task inpaint --mask holes.png");
    desk.succeeds("restore torn.png -o whole.png --task inpaint --mask holes.png --steps 2 --device cpu");
    desk.succeeds("restore torn.png -o most.png --task inpaint --mask known.png --invert-mask --steps 2 --device cpu");
    let holes = |name: &str| {
        let recipe: serde_json::Value = serde_json::from_slice(&std::fs::read(desk.path(name)).unwrap()).unwrap();
        recipe["config"]["degradation"][0]["mask"]["runs"].clone()
    };
    // Known first: the bar's ten columns are all that is known.
    assert_eq!(holes("most.png.recipe.json")[0], 10);
    assert_eq!(holes("whole.png.recipe.json")[0], 10);
    assert_ne!(holes("most.png.recipe.json"), holes("whole.png.recipe.json"));
}

#[test]
fn methods_by_name_are_those_tuned_for_the_task() {
    let desk = Desk::new();
    let method = |flags: &str| {
        desk.succeeds(&format!("restore photo.png -o m.png --device cpu --sigma 0.05 {flags}"));
        let recipe: serde_json::Value =
            serde_json::from_slice(&std::fs::read(desk.path("m.png.recipe.json")).unwrap()).unwrap();
        recipe["config"]["method"].clone()
    };
    for (task, name) in [("sr --scale 2", "diffpir"), ("denoise", "diffpir"), ("colorize", "ddpg")] {
        let named = method(&format!("--task {task} --method {name} --steps 3"));
        assert_eq!(named, method(&format!("--task {task} --prefer naturalness --steps 3")), "{task}");
    }
    assert_ne!(method("--task sr --scale 2 --method fdgr --steps 3"), method("--task denoise --method fdgr --steps 3"));
    assert_eq!(method("--task denoise --method hqs --lambda 0.7 --quality best")["lambda"], 0.7);
}

#[test]
fn damage_may_have_several_stages() {
    let desk = Desk::new();
    let task = "--task deblur,sr --kernel gauss:0.8 --scale 2";
    desk.succeeds(&format!("degrade photo.png -o bad.png {task} --sigma 0.01"));
    assert_eq!(size(&desk.path("bad.png")), (16, 12));
    desk.succeeds(&format!("restore bad.png -o good.png {task} --sigma 0.01 --device cpu"));
    assert_eq!(size(&desk.path("good.png")), (32, 24));
    desk.fails(
        "restore bad.png -o x.png --task sr,deblur --kernel gauss:0.8 --device cpu",
        &["--border", "blur first"],
    );
}

#[test]
fn bad_input_is_found_before_a_prior_is_loaded() {
    let desk = Desk::new();
    let output = desk.run("restore missing.png -o x.png --task denoise --model nowhere.pt --device quantum");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("missing.png") && !errors.contains("quantum"), "{errors}");
    // What does not fit the photo: a device of that name is never looked for.
    desk.bar("mask.png", 16, 16, 0..4);
    let small = |task: &str, said: &[&str]| {
        desk.fails(&format!("restore photo.png -o x.png --device quantum {task}"), said);
    };
    small("--task deblur --kernel gauss:9", &["--kernel", "larger than the 32x24 picture"]);
    small("--task deblur --kernel gauss:9 --border periodic", &["--kernel", "larger than the 32x24 picture"]);
    small("--task colorize,colorize", &["--task", "the colours are lost already"]);
    small("--task sr,deblur --scale 2 --kernel gauss:1", &["--border", "put the blur first"]);
    small("--task denoise,sr --scale 2 --method ddrm", &["--method ddrm", "singular values"]);
    small("--task deblur --kernel gauss:1 --method ddrm", &["--method ddrm", "--border periodic"]);
    small("--task denoise --method ddrm --data intervals", &["--method ddrm", "points, not intervals"]);
    small("--task inpaint --mask mask.png", &["mask.png", "resize the mask"]);
}

#[test]
fn old_photos_are_repeated_by_their_recipes_and_refused_where_that_means_nothing() {
    let desk = Desk::new();
    desk.degraded("old.png", "--task denoise --sigma 0.1");
    desk.succeeds("restore old.png -o new.png --task old-photo --device cpu");
    desk.succeeds("restore old.png -o bright.png --unfade --task denoise --device cpu");
    for name in ["new.png", "bright.png"] {
        desk.succeeds(&format!("restore --recipe {name}.recipe.json -o again.png"));
        assert_eq!(std::fs::read(desk.path(name)).unwrap(), std::fs::read(desk.path("again.png")).unwrap());
    }
    desk.succeeds("degrade photo.png -o y.safetensors --task cs --ratio 0.5");
    for (command, words) in [
        ("restore y.safetensors -o x.png --unfade", ["measurements do not fade", "--unfade"]),
        ("restore photo.png -o x.png --task old-photo,jpeg --jpeg-quality 50", ["compressed", "jpeg alone"]),
        ("restore photo.png -o x.png --task jpeg --jpeg-quality 50 --unfade", ["compressed", "jpeg alone"]),
        ("degrade photo.png -o x.png --task old-photo", ["old-photo", "deblur,denoise"]),
    ] {
        desk.fails(command, &words);
    }
}

/// Too little memory is a sentence and no abort, wherever it ends.
#[cfg(target_os = "linux")]
#[test]
fn no_memory_is_a_sentence() {
    let desk = Desk::new();
    desk.picture("large.png", 3000, 3000);
    let program = env!("CARGO_BIN_EXE_fdgr");
    for (kilobytes, command) in [
        (300_000, "inspect large.png"),
        (400_000, "restore large.png -o x.png --task denoise --sigma 0.1 --device cpu"),
        (900_000, "restore large.png -o x.png --task denoise --sigma 0.1 --device cpu"),
    ] {
        let limited = format!("ulimit -v {kilobytes}; exec {program} {command}");
        let output = Command::new("sh").args(["-c", &limited]).current_dir(desk.0.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command} in {kilobytes} KB: {said}");
        assert!(said.contains("memory") || said.contains("need about"), "{said}");
        assert!(!said.contains("internal error") && !said.contains("backtrace"), "{said}");
        assert!(!desk.path("x.png").exists());
    }
}

/// Bytes on Linux, halves of pairs of UTF-16 on Windows; macOS has no such names.
#[cfg(not(target_os = "macos"))]
#[test]
fn names_that_are_not_unicode_have_recipes() {
    let desk = Desk::new();
    #[cfg(unix)]
    let name: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"bad\xff.png".to_vec());
    #[cfg(windows)]
    let name: std::ffi::OsString = {
        let [bad, ending] = ["bad", ".png"].map(|text| text.encode_utf16().collect::<Vec<u16>>());
        std::os::windows::ffi::OsStringExt::from_wide(&[bad, vec![0xd800], ending].concat())
    };
    std::fs::copy(desk.path("photo.png"), desk.0.path().join(&name)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fdgr"))
        .arg("restore")
        .arg(&name)
        .args("-o x.png --task denoise --device cpu".split_whitespace())
        .current_dir(desk.0.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(desk.path("x.png.recipe.json").exists());
}

#[test]
fn names_that_are_too_long_are_refused_before_computing() {
    let desk = Desk::new();
    let name = format!("{}.png", "n".repeat(243));
    desk.fails(&format!("restore photo.png -o {name} --task denoise --device cpu"), &["cannot be written"]);
}

/// A photo with a transparent square.
fn with_a_hole(desk: &Desk, name: &str) {
    let mut photo = Picture::read(&desk.path("photo.png")).unwrap();
    let hole = |x: u32, y: u32| (8..16).contains(&x) && (8..16).contains(&y);
    photo.extras.alpha = Some(ImageBuffer::from_fn(32, 24, |x, y| Luma([if hole(x, y) { 0.0 } else { 1.0 }])));
    photo.write(&desk.path(name)).unwrap();
}

#[test]
fn what_is_filled_in_can_be_seen() {
    let desk = Desk::new();
    with_a_hole(&desk, "hole.png");
    desk.bar("mask.png", 32, 24, 8..16);
    // Without a mask, what is transparent is a hole.
    for (flags, ending) in [("", "png"), ("--mask mask.png", "png"), ("", "webp")] {
        let output = format!("whole.{ending}");
        desk.succeeds(&format!("restore hole.png -o {output} --task inpaint {flags} --quality draft --device cpu"));
        let whole = Picture::read(&desk.path(&output)).unwrap();
        let opaque = whole.extras.alpha.is_none_or(|alpha| alpha.pixels().all(|a| a[0] == 1.0));
        assert!(opaque, "{output} {flags}: holes are transparent");
    }
    desk.fails("restore photo.png -o x.png --task inpaint", &["--mask", "transparent"]);
}

#[test]
fn helper_pictures_are_read_as_they_are_drawn() {
    let desk = Desk::new();
    // White, drawn with opacity only.
    let mut mask = Picture::new(Rgb32FImage::from_pixel(32, 24, Rgb([1.0; 3])));
    mask.extras.alpha = Some(ImageBuffer::from_fn(32, 24, |x, _| Luma([if x < 4 { 1.0 } else { 0.0 }])));
    mask.write(&desk.path("opacity.png")).unwrap();
    // Red, with soft edges.
    let red = Rgb32FImage::from_fn(32, 24, |x, _| Rgb([[1.0, 0.5, 0.2, 0.0][(x as usize / 2).min(3)], 0.0, 0.0]));
    Picture::new(red).write(&desk.path("red.png")).unwrap();
    for (mask, columns) in [("opacity.png", 4), ("red.png", 6)] {
        desk.succeeds(&format!("restore photo.png -o x.png --task inpaint --mask {mask} --quality draft --device cpu"));
        let recipe: serde_json::Value =
            serde_json::from_slice(&std::fs::read(desk.path("x.png.recipe.json")).unwrap()).unwrap();
        let runs = recipe["config"]["degradation"][0]["mask"]["runs"].as_array().unwrap();
        assert_eq!(runs[..3], [0, columns, 32 - columns], "{mask}");
    }
    // A kernel that is dark where the light goes.
    let inverted = Rgb32FImage::from_fn(7, 7, |x, y| Rgb([if y == 3 && (2..5).contains(&x) { 0.0 } else { 1.0 }; 3]));
    Picture::new(inverted).write(&desk.path("inverted.png")).unwrap();
    desk.fails(
        "restore photo.png -o y.png --task deblur --kernel inverted.png",
        &["inverted.png", "invert the picture"],
    );
    // A thin line on a large canvas.
    let canvas =
        Rgb32FImage::from_fn(31, 31, |x, y| Rgb([if y == 15 && (11..20).contains(&x) { 0.0 } else { 1.0 }; 3]));
    Picture::new(canvas).write(&desk.path("canvas.png")).unwrap();
    desk.fails("restore photo.png -o y.png --task deblur --kernel canvas.png", &["canvas.png", "invert the picture"]);
    desk.bar("line.png", 5, 1, 0..5);
    desk.bar("box.png", 3, 3, 0..3);
    for kernel in ["line.png", "box.png"] {
        desk.succeeds(&format!(
            "restore photo.png -o z.png --task deblur --kernel {kernel} --sigma 0.01 --quality draft --device cpu"
        ));
    }
}

#[test]
fn bars_around_a_photo_stay_as_they_are() {
    let desk = Desk::new();
    let photo = Picture::read(&desk.path("photo.png")).unwrap();
    let letterboxed = Rgb32FImage::from_fn(32, 44, |x, y| match y.checked_sub(10) {
        Some(y) if y < 24 => *photo.pixels().get_pixel(x, y),
        _ => Rgb([0.0; 3]),
    });
    Picture::new(letterboxed).write(&desk.path("bars.png")).unwrap();
    let flags = "--task deblur --kernel gauss:1 --sigma 0.01 --device cpu";
    desk.succeeds(&format!("restore bars.png -o framed.png {flags}"));
    desk.succeeds(&format!("restore photo.png -o alone.png {flags}"));
    let (framed, alone) =
        (Picture::read(&desk.path("framed.png")).unwrap(), Picture::read(&desk.path("alone.png")).unwrap());
    for (x, y, pixel) in framed.pixels().enumerate_pixels() {
        let expected = match y.checked_sub(10) {
            Some(y) if y < 24 => *alone.pixels().get_pixel(x, y),
            _ => Rgb([0.0; 3]),
        };
        assert_eq!(*pixel, expected, "{x}, {y}");
    }
}

#[test]
fn files_that_no_format_holds_are_refused_before_computing() {
    let desk = Desk::new();
    desk.picture("wide.png", 8200, 1);
    desk.fails(
        "restore wide.png -o x.webp --task sr --scale 2 --device quantum",
        &["x.webp", "16383", ".png, .jpg or .tiff"],
    );
}
