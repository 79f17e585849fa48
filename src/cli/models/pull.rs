//! `fdgr models pull`

use super::say_installed;
use crate::cli::note;
use crate::cli::progress::{Terminal, stop_on_ctrl_c};
use crate::error::Error;
use crate::model::{ModelFolder, Proof, catalog};
use crate::prior::inspect;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A name of `fdgr models list`
    name: String,
}

pub(super) fn run(folder: &ModelFolder, args: &Args) -> anyhow::Result<()> {
    stop_on_ctrl_c();
    let name = &args.name;
    let catalog = catalog()?;
    let Some(known) = catalog.iter().find(|known| known.name == *name) else {
        let names: Vec<&str> = catalog.iter().map(|known| known.name.as_str()).collect();
        let hint = format!("it is one of {}; a file you have is installed with `fdgr models add`", names.join(", "));
        return Err(Error::mismatch(name.clone(), "no published prior of that name is known", hint).into());
    };
    note(format!("{}: {}, {} MB, licence: {}", known.name, known.title, known.megabytes, known.licence));
    let terminal = Terminal::new(name);
    let installed = folder.pull(known, &inspect::installable, &terminal)?;
    drop(terminal);
    say_installed(&installed);
    match known.proof() {
        Proof::Whole => {}
        Proof::Digits(digits) => note(format!(
            "{name}: only the first {digits} digits of its SHA-256 are published; the whole one is recorded, and later \
             downloads are compared with it"
        )),
        Proof::None => note(format!(
            "{name}: unverified, because no SHA-256 is published; that of this download is recorded, and later \
             downloads are compared with it"
        )),
    }
    Ok(())
}
