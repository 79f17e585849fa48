//! `fdgr models add`

use std::path::PathBuf;

use super::say_installed;
use crate::cli::progress::{Terminal, stop_on_ctrl_c};
use crate::model::{ModelFolder, ModelRecord, catalog};
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
    let known = catalog()?
        .into_iter()
        .find(|known| known.name == name || path.file_name().is_some_and(|f| f == known.file.as_str()));
    let record = ModelRecord {
        file: String::new(),
        sha256: String::new(),
        bytes: 0,
        source: std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string(),
        licence: known.as_ref().map(|known| known.licence.clone()),
        subject: known.as_ref().map(|known| known.subject),
    };
    let terminal = Terminal::new(name);
    let installed = folder.add(path, name, record, &inspect::installable, &terminal)?;
    drop(terminal);
    say_installed(&installed);
    Ok(())
}
