//! `fdgr models verify`

use crate::cli::progress::{Terminal, stop_on_ctrl_c};
use crate::cli::words::Flags;
use crate::cli::{note, say};
use crate::error::{Error, Result};
use crate::model::ModelFolder;

#[derive(clap::Args)]
pub(super) struct Args {
    /// One name [default: all]
    name: Option<String>,
}

pub(super) fn run(folder: &ModelFolder, args: &Args) -> anyhow::Result<()> {
    stop_on_ctrl_c();
    let names = match &args.name {
        Some(name) => vec![name.clone()],
        None => {
            let found = folder.installed().into_iter().map(|model| model.map(|model| model.name));
            found.collect::<Result<Vec<String>>>()?
        }
    };
    let mut changed = 0;
    for name in &names {
        let terminal = Terminal::new(name);
        let verified = folder.verify(name, &terminal);
        drop(terminal);
        match verified {
            Ok(model) => say(format!("{name}: unchanged, SHA-256 {}", model.record.sha256)),
            Err(error) if names.len() > 1 && !matches!(error, Error::Stopped { .. }) => {
                note(error.sentence(&Flags::Common));
                changed += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::ensure!(changed == 0, "{changed} of {} models changed", names.len());
    Ok(())
}
