//! `fdgr devices`

use super::say;
use crate::device;

pub(super) fn run() -> anyhow::Result<()> {
    let adapters = device::adapters();
    let auto = adapters.first().filter(|adapter| adapter.is_hardware());
    let mark = |taken: bool| if taken { "*" } else { " " };
    let cpu = device::cpu(String::new());
    for (i, adapter) in adapters.iter().enumerate() {
        let kind = if adapter.is_hardware() { "graphics processor" } else { "software, only when asked for" };
        // They are sorted, best first.
        let taken = i == 0 && auto.is_some();
        let limit = adapter.max_binding >> 20;
        say(format!("{} {}: {kind}, tensors up to {limit} MiB", mark(taken), adapter.description()));
    }
    say(format!("{} {}: {} MiB of memory free", mark(auto.is_none()), cpu.description, cpu.memory >> 20));
    say(match auto {
        Some(adapter) => format!("\n* --device auto takes {}, the best graphics processor.", adapter.name),
        None => "\n* --device auto takes the CPU, because there is no graphics processor.".into(),
    });
    Ok(())
}
