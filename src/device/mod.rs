//! Which device computes, and why.

mod memory;
mod processor;

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, DeviceKind, wgpu::WgpuBackend};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Hint, Listing, Result, Setting, Subject};

use processor::Limit;

pub use memory::{ASSUMED_MEMORY, Memory, MemorySource, usable_memory};
pub(crate) use processor::arch;

/// An adapter that wgpu offers.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its own name.
    pub name: String,
    /// Driver and its version.
    pub driver: String,
    /// Graphics API.
    pub api: wgpu::Backend,
    /// Hardware or software.
    pub kind: wgpu::DeviceType,
    /// Place among the adapters of the same API and kind.
    nth: usize,
    /// Bytes of the largest buffer a kernel can use.
    pub max_binding: u64,
    /// Memory that a run may use.
    pub memory: Memory,
}

/// What tells adapters apart.
type Key = (wgpu::Backend, wgpu::DeviceType, usize);

/// A device that is ready to compute.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Burn's device.
    pub device: Device,
    /// The name that opens it again.
    pub name: String,
    /// Name and driver, as printed and recorded.
    pub description: String,
    /// Why it was taken.
    pub reason: String,
    /// Bytes of the largest tensor, where there is such a limit.
    pub max_tensor: Option<u64>,
    /// Bytes that a run may use: free memory of the device, which is main memory for the CPU and for adapters that share
    /// it, within the limits of the control group.
    pub memory: u64,
}

/// What a recipe keeps of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// The name that opens it again.
    pub name: String,
    /// Name, API and driver.
    pub description: String,
}

impl Selected {
    /// What a recipe keeps of it.
    pub fn record(&self) -> DeviceRecord {
        DeviceRecord { name: self.name.clone(), description: self.description.clone() }
    }
}

impl Adapter {
    /// Whether it is a graphics processor, and not software on the CPU.
    pub fn is_hardware(&self) -> bool {
        self.rank().is_some()
    }

    /// Order of preference, best first; none for software.
    fn rank(&self) -> Option<usize> {
        match self.kind {
            wgpu::DeviceType::DiscreteGpu => Some(0),
            wgpu::DeviceType::IntegratedGpu => Some(1),
            wgpu::DeviceType::VirtualGpu => Some(2),
            wgpu::DeviceType::Cpu | wgpu::DeviceType::Other => None,
        }
    }

    /// Name, API and driver.
    pub fn description(&self) -> String {
        format!("{} ({:?}, {})", self.name, self.api, self.driver)
    }

    /// Starts the adapter, for that reason.
    ///
    /// # Errors
    /// Adapters that do not start.
    pub fn open(&self, reason: String) -> Result<Selected> {
        let kind = match self.kind {
            wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(self.nth),
            wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(self.nth),
            wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu(self.nth),
            wgpu::DeviceType::Cpu | wgpu::DeviceType::Other => DeviceKind::Cpu,
        };
        let api = match self.api {
            wgpu::Backend::Vulkan => WgpuBackend::Vulkan,
            wgpu::Backend::Metal => WgpuBackend::Metal,
            wgpu::Backend::Dx12 => WgpuBackend::Dx12,
            _ => WgpuBackend::Auto,
        };
        let start = || {
            Device::wgpu_options().device_kind(kind).graphics_api(api).init().map_err(|e| Error::Device {
                device: self.name.clone(),
                fact: format!("it does not start ({e})"),
                hint: Hint::from("update its driver").or(Hint::use_cpu()),
            })
        };
        // Burn starts an adapter once in a process, as others may go on with it.
        static STARTED: Mutex<Vec<(Key, Device)>> = Mutex::new(Vec::new());
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (self.api, self.kind, self.nth);
        let device = match started.iter().find(|(other, _)| *other == key) {
            Some((_, device)) => device.clone(),
            None => {
                let device = start()?;
                started.push((key, device.clone()));
                device
            }
        };
        Ok(Selected {
            device,
            name: self.name.clone(),
            description: self.description(),
            reason,
            max_tensor: Some(self.max_binding),
            memory: self.memory.bytes,
        })
    }
}

/// All adapters, best first.
pub fn adapters() -> Vec<Adapter> {
    // Vulkan is an addition to Metal there.
    let apis = match cfg!(target_os = "macos") {
        true => wgpu::Backends::METAL,
        false => wgpu::Backends::VULKAN | wgpu::Backends::DX12,
    };
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: apis,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters: Vec<Adapter> = Vec::new();
    for adapter in pollster::block_on(instance.enumerate_adapters(apis)) {
        let info = adapter.get_info();
        // Burn could not be told which one is meant.
        if info.device_type == wgpu::DeviceType::Other {
            continue;
        }
        let memory = memory::of_adapter(&info);
        let nth = adapters.iter().filter(|a| a.api == info.backend && a.kind == info.device_type).count();
        let driver = [info.driver, info.driver_info].join(" ").trim().to_owned();
        adapters.push(Adapter {
            name: info.name,
            driver,
            api: info.backend,
            kind: info.device_type,
            nth,
            max_binding: adapter.limits().max_storage_buffer_binding_size,
            memory,
        });
    }
    adapters.sort_by_key(|adapter| adapter.rank().unwrap_or(usize::MAX));
    let mut names: Vec<String> = Vec::new();
    for adapter in &mut adapters {
        adapter.name = distinct(&adapter.name, adapter.api, &names);
        names.push(adapter.name.clone());
    }
    adapters
}

/// A name that none of the others has: a card that can be used by two APIs is two adapters of one name, and so are two cards of one kind.
fn distinct(name: &str, api: wgpu::Backend, others: &[String]) -> String {
    let more = (2..).map(|n| format!("{name} ({api:?}, {n})"));
    let mut names = [name.to_owned(), format!("{name} ({api:?})")].into_iter().chain(more);
    names.find(|name| !others.contains(name)).unwrap_or_default()
}

/// Starts the best of the graphics processors that start.
///
/// # Errors
/// That of the best one, where none starts.
fn open_best(adapters: &[Adapter], reason: &str) -> Option<Result<Selected>> {
    let mut hardware = adapters.iter().filter(|adapter| adapter.is_hardware());
    let best = hardware.next()?;
    let failed = match best.open(reason.into()) {
        Ok(opened) => return Some(Ok(opened)),
        Err(failed) => failed,
    };
    let reason = format!("{} does not start", best.name);
    Some(hardware.map(|adapter| adapter.open(reason.clone())).find(Result::is_ok).unwrap_or(Err(failed)))
}

/// Opens the device called `name`: `auto`, `cpu`, `gpu`, `software`, or part of an adapter's name, API or driver.
///
/// `auto` takes the best graphics processor, else the CPU; software adapters only count when asked for.
///
/// # Errors
/// Names of no device, and [`Error::Device`] where it does not start.
pub fn open(name: &str) -> Result<Selected> {
    if name == "cpu" {
        Limit::of_environment()?;
        return Ok(cpu("asked for".into()));
    }
    let adapters = adapters();
    let missing = |fact: &str, hint: Hint| Error::mismatch(Subject::given(Setting::DEVICE, name), fact, hint);
    match name {
        "auto" => open_best(&adapters, "the best graphics processor")
            .unwrap_or_else(|| Limit::of_environment().map(|_| cpu("there is no graphics processor".into()))),
        "gpu" => open_best(&adapters, "asked for").unwrap_or_else(|| {
            Err(missing("there is no graphics processor here", Hint::from("install its driver").or(Hint::use_cpu())))
        }),
        "software" => match adapters.iter().find(|adapter| adapter.kind == wgpu::DeviceType::Cpu) {
            Some(adapter) => adapter.open("asked for".into()),
            None => Err(missing(
                "there is no software adapter here",
                Hint::from("install one (on Debian and Ubuntu the package mesa-vulkan-drivers)").or(Hint::use_cpu()),
            )),
        },
        _ => {
            let wanted = name.to_lowercase();
            let exact = adapters.iter().find(|adapter| adapter.name == name);
            let part =
                |adapter: &&Adapter| !wanted.is_empty() && adapter.description().to_lowercase().contains(&wanted);
            match exact.or_else(|| adapters.iter().find(part)) {
                Some(adapter) => adapter.open("asked for".into()),
                None => Err(missing(
                    "no device has that name",
                    Hint::set(Setting::DEVICE, "auto, cpu, gpu, software or part of a name")
                        .or(Hint::List(Listing::Devices)),
                )),
            }
        }
    }
}

/// The CPU through Burn's flex backend.
pub fn cpu(reason: String) -> Selected {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = Limit::of_environment().map_or("", Limit::describe);
    Selected {
        device: Device::flex(),
        name: "cpu".into(),
        description: format!("CPU (flex, {threads} threads{limit})"),
        reason,
        max_tensor: None,
        memory: memory::of_host(),
    }
}
