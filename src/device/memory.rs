//! How much memory a run may use.

use std::path::{Path, PathBuf};

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// Bytes that a graphics processor with memory of its own is taken to have free where nothing tells.
pub const ASSUMED_MEMORY: u64 = 4 << 30;

/// Memory that a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes.
    pub bytes: u64,
    /// Where the number is from.
    pub source: MemorySource,
}

/// Where a number of bytes is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemorySource {
    /// Free main memory, within the limits of the control group.
    Host,
    /// Free memory of the device itself, by its driver.
    Driver,
    /// Nothing tells: [`ASSUMED_MEMORY`], or free main memory where that is less.
    Assumed,
}

/// What a run may use on an adapter of a kind, from `host` free bytes of main memory and the free bytes of the adapter's
/// `own` memory where its driver tells. Integrated and software adapters share main memory; a discrete or virtual one has
/// its own.
pub fn usable_memory(kind: wgpu::DeviceType, host: u64, own: Option<u64>) -> Memory {
    match (kind, own) {
        (wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu, Some(bytes)) => {
            Memory { bytes, source: MemorySource::Driver }
        }
        (wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu, None) => {
            Memory { bytes: ASSUMED_MEMORY.min(host), source: MemorySource::Assumed }
        }
        _ => Memory { bytes: host, source: MemorySource::Host },
    }
}

/// Free bytes of main memory within a control group of `limit` bytes of which its processes hold `held`. Cached files count
/// as free, as they do for the system.
fn within_group(available: u64, limit: u64, held: u64) -> u64 {
    available.min(limit.saturating_sub(held))
}

/// Free bytes of main memory. What macOS calls available is what other programs hold as well.
fn available(system: &System) -> u64 {
    let available = system.available_memory();
    match cfg!(target_os = "macos") {
        true => available.min(system.total_memory().saturating_sub(system.used_memory())),
        false => available,
    }
}

/// Free bytes of main memory, within the limits of the system's and of this process' control group.
pub(super) fn of_host() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let pid = sysinfo::get_current_pid().ok();
    if let Some(pid) = pid {
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[pid]),
            false,
            ProcessRefreshKind::nothing().with_memory(),
        );
    }
    let process = pid.and_then(|pid| system.process(pid));
    let own = process.and_then(sysinfo::Process::cgroup_limits);
    let free = [system.cgroup_limits(), own]
        .into_iter()
        .flatten()
        .fold(available(&system), |free, group| within_group(free, group.total_memory, group.rss));
    let held = process.map_or(0, sysinfo::Process::virtual_memory);
    address_space().map_or(free, |limit| within_group(free, limit, held))
}

/// Bytes of the address space that this process is limited to (`ulimit -v`), where Linux says so.
fn address_space() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What a run may use on an adapter.
pub(super) fn of_adapter(info: &wgpu::AdapterInfo) -> Memory {
    let has_own = matches!(info.device_type, wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu);
    let own = has_own.then(|| of_card(info).or_else(|| of_nvidia(&info.device_pci_bus_id))).flatten();
    usable_memory(info.device_type, of_host(), own)
}

/// Free bytes of a card by Linux' sysfs, which the amdgpu driver fills: the card at the adapter's place on the bus, else the
/// only one with its vendor and device.
fn of_card(info: &wgpu::AdapterInfo) -> Option<u64> {
    let at_place = Path::new("/sys/bus/pci/devices").join(&info.device_pci_bus_id);
    if !info.device_pci_bus_id.is_empty() && at_place.is_dir() {
        return free_of(&at_place);
    }
    let cards = std::fs::read_dir("/sys/class/drm").ok()?.flatten().filter(|entry| is_card(&entry.file_name()));
    let same: Vec<PathBuf> = cards
        .map(|entry| entry.path().join("device"))
        .filter(|device| {
            hexadecimal(&device.join("vendor")) == Some(info.vendor)
                && hexadecimal(&device.join("device")) == Some(info.device)
        })
        .collect();
    match &same[..] {
        [device] => free_of(device),
        _ => None,
    }
}

/// Whether a name in `/sys/class/drm` is that of a card, and not of one of its connectors.
fn is_card(name: &std::ffi::OsStr) -> bool {
    let number = name.to_str().and_then(|name| name.strip_prefix("card"));
    number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

/// Total less used bytes of a device of sysfs.
fn free_of(device: &Path) -> Option<u64> {
    let number = |name: &str| std::fs::read_to_string(device.join(name)).ok()?.trim().parse::<u64>().ok();
    Some(number("mem_info_vram_total")?.saturating_sub(number("mem_info_vram_used").unwrap_or(0)))
}

/// The number in a file of sysfs such as `0x1002`.
fn hexadecimal(path: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(path).ok()?;
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

/// Free bytes of an NVIDIA card by its driver's management library, which is looked for when the program runs.
#[cfg(any(target_os = "linux", target_os = "windows"))]
fn of_nvidia(pci_bus_id: &str) -> Option<u64> {
    if pci_bus_id.is_empty() {
        return None;
    }
    let library = nvml_wrapper::Nvml::init().ok()?;
    let card = library.device_by_pci_bus_id(pci_bus_id).ok()?;
    card.memory_info().ok().map(|memory| memory.free)
}

#[cfg(not(any(target_os = "linux", target_os = "windows")))]
fn of_nvidia(_: &str) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_card_is_not_measured_by_the_memory_of_its_host() {
        use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};
        let usable = |kind, own| usable_memory(kind, 64 * GIB, own);
        for kind in [DiscreteGpu, VirtualGpu] {
            assert_eq!(usable(kind, Some(3 * GIB)), Memory { bytes: 3 * GIB, source: MemorySource::Driver });
            assert_eq!(usable(kind, Some(80 * GIB)).bytes, 80 * GIB, "a card may have more than its host");
            assert_eq!(usable(kind, None), Memory { bytes: ASSUMED_MEMORY, source: MemorySource::Assumed });
            assert_eq!(usable_memory(kind, GIB, None).bytes, GIB, "weights pass through main memory");
        }
        for kind in [IntegratedGpu, Cpu, Other] {
            assert_eq!(usable(kind, Some(3 * GIB)), Memory { bytes: 64 * GIB, source: MemorySource::Host });
        }
    }

    #[test]
    fn control_groups_limit_main_memory() {
        assert_eq!(within_group(64 * GIB, 8 * GIB, GIB), 7 * GIB);
        assert_eq!(within_group(2 * GIB, 8 * GIB, GIB), 2 * GIB, "other processes need memory too");
        assert_eq!(within_group(64 * GIB, GIB, 2 * GIB), 0);
        let free = of_host();
        assert!(free > 0);
    }

    #[test]
    fn cards_of_sysfs_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(free_of(folder.path()), None, "a driver that does not tell");
        write("mem_info_vram_total", "8573157376\n");
        write("mem_info_vram_used", "573157376\n");
        assert_eq!(free_of(folder.path()), Some(8_000_000_000));
        write("vendor", "0x1002\n");
        assert_eq!(hexadecimal(&folder.path().join("vendor")), Some(0x1002));
        for (name, card) in [("card0", true), ("card12", true), ("card0-DP-1", false), ("renderD128", false)] {
            assert_eq!(is_card(name.as_ref()), card, "{name}");
        }
    }
}
