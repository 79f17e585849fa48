//! `fdgr models add`

use std::path::PathBuf;

use super::say_installed;
use crate::cli::progress::{Terminal, stop_on_ctrl_c};
use crate::model::{Known, ModelFolder, ModelRecord, catalog};
use crate::prior::inspect;

#[derive(clap::Args)]
pub(super) struct Args {
    /// .pt, .pth, .ckpt, .safetensors or a folder
    path: PathBuf,
    /// Name of the installed model [default: the file's name]
    #[arg(long)]
    name: Option<String>,
}

pub(super) fn run(folder: &ModelFolder, args: &Args) -> anyhow::Result<()> {
    stop_on_ctrl_c();
    let path = args.path.as_path();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // Metrics find their networks by name.
    let network = inspect::of_metric(path)?.map(|(_, network)| network.model());
    let name = args.name.as_deref().or(network).unwrap_or(&stem);
    // Several models may have files of one name.
    let catalog = catalog()?;
    let of_file = |known: &&Known| path.file_name().is_some_and(|file| file == known.file.as_str());
    let by_file = match catalog.iter().filter(of_file).collect::<Vec<_>>()[..] {
        [only] => Some(only),
        _ => None,
    };
    let known = catalog.iter().find(|known| known.name == name).or(by_file);
    let record = ModelRecord {
        file: String::new(),
        sha256: String::new(),
        bytes: 0,
        source: std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string(),
        licence: known.map(|known| known.licence.clone()),
        subject: known.map(|known| known.subject),
    };
    let terminal = Terminal::new(name);
    let installed = folder.add(path, name, record, &inspect::installable, &terminal)?;
    drop(terminal);
    say_installed(&installed);
    Ok(())
}
