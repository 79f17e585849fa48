//! Checkpoints that are damaged, foreign or hostile get a sentence, never a panic.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use fdgr::prior::{Checkpoint, Precision, PriorFile};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::support::golden_dir;

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn photo_prior() -> Tensors {
    let bytes = std::fs::read("assets/prior/photo.safetensors").unwrap();
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
    PriorFile::open(path)?.load(Precision::F32, None, &Device::flex()).map(drop)
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
        // Damage anywhere in the description of the tensors.
        for at in (0..20_000.min(whole.len())).step_by(97) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x5a;
            std::fs::write(&path, &damaged).unwrap();
            _ = use_file(&path);
        }
    }
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
