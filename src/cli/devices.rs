//! `fdgr devices`

use super::say;
use crate::device::{self, MemorySource};

pub(super) fn run() -> anyhow::Result<()> {
    let adapters = device::adapters();
    let auto = adapters.first().filter(|adapter| adapter.is_hardware());
    let mark = |taken: bool| if taken { "*" } else { " " };
    let cpu = device::cpu(String::new());
    for (i, adapter) in adapters.iter().enumerate() {
        let kind = if adapter.is_hardware() { "graphics processor" } else { "software, only when asked for" };
        // They are sorted, best first.
        let taken = i == 0 && auto.is_some();
        let memory = match adapter.memory.source {
            MemorySource::Host => "of main memory free",
            MemorySource::Driver => "of its memory free",
            MemorySource::Assumed => "of memory assumed, because its driver does not tell",
        };
        let (free, limit) = (adapter.memory.bytes >> 20, adapter.max_binding >> 20);
        let description = adapter.description();
        say(format!("{} {description}: {kind}, {free} MiB {memory}, tensors up to {limit} MiB", mark(taken)));
    }
    say(format!("{} {}: {} MiB of memory free", mark(auto.is_none()), cpu.description, cpu.memory >> 20));
    say(match auto {
        Some(adapter) => format!("\n* --device auto takes {}, the best graphics processor.", adapter.name),
        None => "\n* --device auto takes the CPU, because there is no graphics processor.".into(),
    });
    Ok(())
}
