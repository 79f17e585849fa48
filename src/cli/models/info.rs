//! `fdgr models info`

use crate::cli::say;
use crate::prior::inspect::inspect;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A name, a file or a folder
    model: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let found = inspect(&args.model)?;
    say(format!("file          {}", found.file.display()));
    if let Some(origin) = &found.origin {
        say(format!("weights from  {origin}"));
    }
    say(format!("network       {}", found.network));
    if let Some(assumption) = found.assumption {
        say(format!("              {assumption}"));
    }
    say(format!("parameters    {:.1} M in {}", found.parameters as f64 / 1e6, found.precision));
    let comparison = &found.comparison;
    for (what, names) in
        [("missing", &comparison.missing), ("mis-shaped", &comparison.misshaped), ("not needed", &comparison.extra)]
    {
        let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
        if !names.is_empty() {
            say(format!("{what:<13} {}{more}", names[..names.len().min(5)].join(", ")));
        }
    }
    say(format!("licence       {}", found.licence.as_deref().unwrap_or("not known")));
    say(format!("suits         {}", found.suits));
    comparison.check(&found.file)?;
    say("complete      every tensor of the network is there, in its shape");
    Ok(())
}
