//! `fdgr models list`

use crate::cli::words::Flags;
use crate::cli::{note, say};
use crate::model::{EMBEDDED, Installed, ModelFolder, Subject, catalog};

pub(super) fn run(folder: &ModelFolder) -> anyhow::Result<()> {
    if cfg!(feature = "embedded-prior") {
        say("built in:");
        say(format!("  {EMBEDDED:<26} {}", Subject::Photos.suits()));
    }
    let (installed, damaged): (Vec<_>, Vec<_>) = folder.installed().into_iter().partition(Result::is_ok);
    let installed: Vec<Installed> = installed.into_iter().flatten().collect();
    damaged.into_iter().filter_map(Result::err).for_each(|error| note(error.sentence(&Flags::Common)));
    say(format!("installed in {}:", folder.root().display()));
    for model in &installed {
        let suits = model.record.subject.map_or("not known what it suits", Subject::suits);
        say(format!("  {:<26} {:>5} MB  {suits}", model.name, model.record.bytes / 1_000_000));
    }
    if installed.is_empty() {
        say("  none yet");
    }
    say("known (`fdgr models pull NAME` downloads one):");
    for known in catalog()?.iter().filter(|known| installed.iter().all(|model| model.name != known.name)) {
        say(format!("  {:<26} {:>5} MB  {}", known.name, known.megabytes, known.title));
        say(format!("  {:<26}           licence: {}", "", known.licence));
    }
    Ok(())
}
