//! Checkpoints that are damaged, foreign or hostile get a sentence, never a panic.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Mutex;

use burn::tensor::Device;
use fdgr::control::{Control, Event, Silent};
use fdgr::error::Error;
use fdgr::model::Checkpoint;
use fdgr::prior::{Precision, PriorFile};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::support::{self, golden_dir};

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn photo_prior() -> Tensors {
    let bytes = support::photo_prior();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let entry = |(name, view): (&str, TensorView)| {
        (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    tensors.iter().map(entry).collect()
}

fn load(tensors: &Tensors) -> Result<(), String> {
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).expect("data of that shape"))
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    open(bytes).map_err(|e| e.to_string())
}

fn open(bytes: Vec<u8>) -> fdgr::Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    std::fs::write(&path, bytes).unwrap();
    use_file(&path)
}

/// Goes the whole way that a prior goes.
fn use_file(path: &Path) -> fdgr::Result<()> {
    PriorFile::open(path)?.load(Precision::F32, None, &Device::flex(), &Silent).map(drop)
}

#[test]
fn every_tensor_is_needed_in_its_shape() {
    let whole = photo_prior();
    assert_eq!(load(&whole), Ok(()));
    for name in whole.keys() {
        let mut halved = whole.clone();
        let (_, shape, data) = halved.get_mut(name).unwrap();
        shape[0] /= 2;
        data.truncate(data.len() / 2);
        let message = load(&halved).expect_err(name);
        assert!(message.contains("changed.safetensors") && message.contains("does not fit"), "{name}: {message}");
    }
    for name in whole.keys().filter(|name| !name.contains(".attn.")).step_by(7) {
        let mut without = whole.clone();
        without.remove(name);
        assert!(load(&without).is_err(), "{name} is needed");
    }
}

#[test]
fn cut_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["simple_unet_32.pt", "simple_unet_32_legacy.pt"] {
        let whole = std::fs::read(golden_dir().join(name)).unwrap();
        let path = folder.path().join(name);
        for part in [0, 1, 10, 100, 1000, 9000, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..part]).unwrap();
            let message = Checkpoint::open(&path).err().unwrap_or_else(|| panic!("{part} bytes of {name}")).to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}

/// Damage anywhere in the description of the tensors either leaves a network that loads, or is an error about the file.
#[test]
fn damaged_files_load_or_are_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["simple_unet_32.pt", "simple_unet_32_legacy.pt"] {
        let whole = std::fs::read(golden_dir().join(name)).unwrap();
        let path = folder.path().join(name);
        let mut refused = 0;
        for at in (0..20_000.min(whole.len())).step_by(97) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x5a;
            std::fs::write(&path, &damaged).unwrap();
            match use_file(&path) {
                Ok(()) => {}
                Err(Error::Checkpoint { path: about, .. } | Error::Unreadable { path: about, .. }) => {
                    assert_eq!(about, path, "byte {at}");
                    refused += 1;
                }
                Err(error) => panic!("byte {at} of {name}: {error}"),
            }
        }
        assert!(refused > 0, "{name}: damage to names and shapes is noticed");
    }
}

/// Listens to the parameters that are read, and stops after some.
struct Loading {
    done: Mutex<Vec<(u64, u64)>>,
    stop_after: u64,
}

impl Control for Loading {
    fn cancelled(&self) -> bool {
        self.done.lock().unwrap().last().is_some_and(|(done, _)| *done >= self.stop_after)
    }

    fn emit(&self, event: Event) {
        if let Event::Loading { done, all } = event {
            self.done.lock().unwrap().push((done, all));
        }
    }
}

#[test]
fn loading_is_heard_of_and_stopped() {
    let load = |stop_after| {
        let control = Loading { done: Mutex::default(), stop_after };
        let file = PriorFile::open(&golden_dir().join("simple_unet_32.pt")).unwrap();
        let parameters = file.architecture().parameters() as u64;
        let loaded = file.load(Precision::F32, None, &Device::flex(), &control).map(drop);
        (loaded, control.done.into_inner().unwrap(), parameters)
    };
    let (loaded, heard, parameters) = load(u64::MAX);
    loaded.unwrap();
    assert!(heard.is_sorted() && heard.iter().all(|(_, all)| *all == parameters));
    assert_eq!(heard.last(), Some(&(parameters, parameters)));
    let (loaded, part, _) = load(parameters / 2);
    assert!(matches!(loaded, Err(Error::Stopped { .. })));
    assert!(part.len() < heard.len() && part.last().unwrap().0 >= parameters / 2, "it stops at the next tensor");
}

/// A file of PyTorch before 1.6 around a pickle.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    [&magic[..], b"\x80\x02M\xe9\x03.", b"\x80\x02}.", pickle, b"\x80\x02]."].concat()
}

#[test]
fn pickles_that_do_more_than_hold_tensors_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.pt");
    let nested = [b"\x80\x02".as_slice(), b")\x85".as_slice(), &b"\x85".repeat(200_000)[..], b"."].concat();
    for (pickle, word) in [
        (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.".to_vec(), "os.system"),
        (b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.".to_vec(), "builtins.eval"),
        (b"\x80\x02X\xff\xff\xff\x7fa.".to_vec(), "truncated"),
        (b"\x80\x02i.".to_vec(), "opcode"),
        (b"\x80\x02R.".to_vec(), "damaged"),
        (b"\x80\x02}q\x00h\x00h\x00s.".to_vec(), "no dictionary of tensors"),
        (nested, "no dictionary of tensors"),
    ] {
        std::fs::write(&path, legacy(&pickle)).unwrap();
        let message = Checkpoint::open(&path).err().expect(word).to_string();
        assert!(message.contains(word), "{message}");
    }
}

/// A PyTorch archive with the same storages and another pickle.
fn repickled(archive: &Path, target: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut source = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()).unwrap();
    let mut changed = zip::ZipWriter::new(std::fs::File::create(target).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for i in 0..source.len() {
        let mut entry = source.by_index(i).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let bytes = if name.ends_with("data.pkl") { change(bytes) } else { bytes };
        changed.start_file(name, stored).unwrap();
        changed.write_all(&bytes).unwrap();
    }
    changed.finish().unwrap();
}

fn text(name: &str) -> Vec<u8> {
    [b"X", &(name.len() as u32).to_le_bytes()[..], name.as_bytes()].concat()
}

#[test]
fn state_dictionaries_are_found_where_trainers_put_them() {
    let plain = golden_dir().join("simple_unet_32.pt");
    let names: Vec<String> = Checkpoint::open(&plain).unwrap().names().map(str::to_owned).collect();
    // What stands between the pickle's header and its end.
    let body = |pickle: &[u8]| pickle[2..pickle.len() - 1].to_vec();
    let wrap = |start: &[u8], pickle: Vec<u8>, end: &[u8]| [b"\x80\x02", start, &body(&pickle), end, b"."].concat();
    let in_dictionary = |key: &str, pickle: Vec<u8>| {
        let start = [b"}(".as_slice(), &text("epoch"), b"K\x05", &text(key)].concat();
        wrap(&start, pickle, b"u")
    };
    let prefixed = |prefix: &str, mut pickle: Vec<u8>| {
        for name in &names {
            let (old, new) = (text(name), text(&format!("{prefix}{name}")));
            let at = pickle.windows(old.len()).position(|window| window == old).expect("every name is in the pickle");
            pickle.splice(at..at + old.len(), new);
        }
        pickle
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrapped.ckpt");
    type Change<'a> = (&'a str, Box<dyn Fn(Vec<u8>) -> Vec<u8> + 'a>, Option<&'a str>);
    let changes: [Change; 7] = [
        ("module. prefixes twice", Box::new(|pickle| prefixed("module.module.", pickle)), None),
        ("averages beside the model", Box::new(|p| in_dictionary("model_ema", p)), Some("moving averages")),
        ("module. prefixes", Box::new(|pickle| prefixed("module.", pickle)), None),
        ("state_dict", Box::new(|pickle| in_dictionary("state_dict", pickle)), Some("state_dict")),
        ("ema in a dictionary", Box::new(|pickle| in_dictionary("ema", pickle)), Some("moving averages")),
        (
            "model in a dictionary in a dictionary",
            Box::new(|p| in_dictionary("state_dict", in_dictionary("model", p))),
            Some("model"),
        ),
        (
            "a list, averages last",
            Box::new(|pickle| wrap(b"](}K\x07K\x05", pickle, b"e")),
            Some("entry 4 of its list of 4"),
        ),
    ];
    for (what, change, origin) in changes {
        repickled(&plain, &path, change);
        let checkpoint = Checkpoint::open(&path).expect(what);
        assert!(checkpoint.names().eq(names.iter().map(String::as_str)), "{what}");
        let said = checkpoint.origin().unwrap_or_default();
        assert!(origin.map_or(said.is_empty(), |origin| said.contains(origin)), "{what}: {said}");
        use_file(&path).expect(what);
    }
}

#[test]
fn networks_that_are_none_for_pictures_are_refused() {
    // More levels than a picture can be halved.
    let mut deep = photo_prior();
    let block = deep["down.0.block.0.conv1.weight"].clone();
    for level in 4..20 {
        deep.insert(format!("down.{level}.block.0.conv1.weight"), block.clone());
    }
    assert!(load(&deep).unwrap_err().contains("20 levels"));
    // A guided-diffusion network of pictures of one channel.
    let mut gray = photo_prior();
    gray.clear();
    let golden = Checkpoint::open(&golden_dir().join("adm_unet_32.pt")).unwrap();
    for name in golden.names() {
        let mut shape = golden.find(name).unwrap().to_vec();
        let mut values = golden.values(name).unwrap();
        if name == "input_blocks.0.0.weight" {
            shape[1] = 1;
            values.truncate(shape.iter().product());
        }
        gray.insert(name.into(), (Dtype::F32, shape, bytemuck::cast_slice(&values).to_vec()));
    }
    assert!(load(&gray).unwrap_err().contains("does not fit"));
}

#[test]
fn every_number_type_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.safetensors");
    let values = [1.5f32, -0.25, 3.0, 65280.0];
    let bytes = |of: &dyn Fn(f32) -> Vec<u8>| values.iter().flat_map(|&v| of(v)).collect::<Vec<u8>>();
    for (dtype, data) in [
        (Dtype::F32, bytes(&|v| v.to_le_bytes().into())),
        (Dtype::F64, bytes(&|v| f64::from(v).to_le_bytes().into())),
        (Dtype::F16, bytes(&|v| half::f16::from_f32(v).to_le_bytes().into())),
        (Dtype::BF16, bytes(&|v| half::bf16::from_f32(v).to_le_bytes().into())),
    ] {
        let view = TensorView::new(dtype, vec![2, 2], &data).unwrap();
        std::fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
        assert_eq!(Checkpoint::open(&path).unwrap().values("x").unwrap(), values, "{dtype:?}");
    }
}

#[test]
fn archives_that_trick_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trick.pt");
    let write = |entries: &[(&str, &[u8])]| {
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (name, bytes) in entries {
            archive.start_file(*name, stored).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap();
    };
    let tensor = |shape: &[u8], strides: &[u8]| {
        let start = [b"\x80\x02}".as_slice(), &text("w"), b"ctorch._utils\n_rebuild_tensor_v2\n(("].concat();
        let storage =
            [&text("storage")[..], b"ctorch\nFloatStorage\n", &text("0"), &text("cpu"), b"K\x04tQK\x00"].concat();
        [&start[..], &storage, shape, strides, b"\x89}tRs."].concat()
    };
    type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a str);
    let cases: [Case; 4] = [
        (&[("a/data/0", b"x")], "without data.pkl"),
        (&[("a/data.pkl", b"\x80\x02}."), ("b/data.pkl", b"\x80\x02}.")], "several"),
        // A million elements of four, by a stride of nothing.
        (&[("a/data.pkl", &tensor(b"J\x40\x42\x0f\x00\x85", b"K\x00\x85")), ("a/data/0", &[0; 16])], "past the end"),
        (
            &[
                ("a/data.pkl", &tensor(b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft", b"(K\x01K\x01K\x01t")),
                ("a/data/0", &[0; 16]),
            ],
            "past the end",
        ),
    ];
    for (entries, word) in cases {
        write(entries);
        let message = Checkpoint::open(&path).err().expect(word).to_string();
        assert!(message.contains(word), "{message}");
    }
    // A long text put on the stack again and again costs its size once.
    let bomb =
        [b"\x80\x02]".as_slice(), &text(&"x".repeat(1 << 20)), b"q\x00(", &b"h\x00".repeat(1 << 20), b"e."].concat();
    std::fs::write(&path, legacy(&bomb)).unwrap();
    assert!(Checkpoint::open(&path).is_err());
}
