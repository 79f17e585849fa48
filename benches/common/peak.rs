//! Measured peak of a machine: arithmetic and memory bandwidth.

use std::time::Instant;

use anyhow::{Context, Result};
use fdgr::device::Selected;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use wgpu::util::DeviceExt;

use super::common::RUNS;

/// The peak of a machine.
pub struct Peak {
    /// Floating-point operations a second.
    pub operations: f64,
    /// Bytes a second, read and written.
    pub bytes: f64,
}

impl Peak {
    /// Measures the peak of a device.
    ///
    /// # Errors
    /// An adapter that is gone or fails.
    pub fn measure(selected: &Selected) -> Result<Self> {
        if selected.name == "cpu" { Ok(Self::of_cpu()) } else { Self::of_adapter(&selected.name) }
    }

    fn of_cpu() -> Self {
        const ROUNDS: usize = 10_000_000;
        let threads = rayon::current_num_threads();
        let once = || {
            let begun = Instant::now();
            let work = (0..threads).into_par_iter().map(|_| Arch::new().dispatch(Multiplications { rounds: ROUNDS }));
            work.sum::<f64>() / begun.elapsed().as_secs_f64()
        };
        let operations = (0..RUNS).map(|_| once()).fold(0.0, f64::max);

        let source = vec![1.0_f32; 32 << 20];
        let mut target = vec![0.0_f32; source.len()];
        let mut fastest = f64::INFINITY;
        for _ in 0..RUNS {
            let begun = Instant::now();
            target
                .par_chunks_mut(1 << 16)
                .zip(source.par_chunks(1 << 16))
                .for_each(|(to, from)| to.copy_from_slice(from));
            fastest = fastest.min(begun.elapsed().as_secs_f64());
        }
        Self { operations, bytes: 2.0 * size_of_val(&*source) as f64 / fastest }
    }

    /// By a kernel of chains of multiply-adds and one that copies, through wgpu.
    fn of_adapter(name: &str) -> Result<Self> {
        let gpu = Gpu::open(name)?;
        let (threads, rounds) = (64 << 10, 256);
        let chains = gpu.fastest(&chains(rounds), threads, 16 * threads)?;
        // Eight chains of vectors of four.
        let operations = (2 * 8 * 4 * rounds * threads) as f64 / chains;
        let (threads, bytes) = (2 << 20, 16 * (2 << 20));
        let copy = gpu.fastest(COPY, threads, bytes)?;
        Ok(Self { operations, bytes: 2.0 * bytes as f64 / copy })
    }
}

/// Independent chains of multiply-adds in registers; the output is the number of operations.
struct Multiplications {
    rounds: usize,
}

impl WithSimd for Multiplications {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        const CHAINS: usize = 12;
        let (factor, addend) = (simd.splat_f32s(0.999), simd.splat_f32s(0.001));
        let mut chains = [simd.splat_f32s(0.5); CHAINS];
        for _ in 0..self.rounds {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, factor, addend);
            }
        }
        std::hint::black_box(chains);
        (2 * CHAINS * S::F32_LANES * self.rounds) as f64
    }
}

const WORKGROUP: usize = 64;

const COPY: &str = "
@group(0) @binding(0) var<storage, read_write> from_: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> to: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    to[id.x] = from_[id.x];
}
";

fn chains(rounds: usize) -> String {
    let each = |line: &str| (0..8).map(|i| line.replace('$', &i.to_string())).collect::<String>();
    format!(
        "@group(0) @binding(0) var<storage, read_write> from_: array<vec4<f32>>;
         @group(0) @binding(1) var<storage, read_write> to: array<vec4<f32>>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
             let factor = from_[id.x];
             {}
             for (var i = 0u; i < {rounds}u; i++) {{ {} }}
             to[id.x] = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7;
         }}",
        each("var a$ = factor * $.5;"),
        each("a$ = fma(a$, factor, factor);")
    )
}

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

impl Gpu {
    fn open(name: &str) -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let adapter = adapters.into_iter().find(|adapter| adapter.get_info().name == name).context("it is gone")?;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
        Ok(Self { device, queue })
    }

    /// Shortest time of a kernel with `threads` threads between two buffers of `bytes` bytes each.
    fn fastest(&self, text: &str, threads: usize, bytes: usize) -> Result<f64> {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let ones = bytemuck::cast_slice::<f32, u8>(&vec![0.5; bytes / 4]).to_vec();
        let usage = wgpu::BufferUsages::STORAGE;
        let buffer = || {
            let contents = wgpu::util::BufferInitDescriptor { label: None, contents: &ones, usage };
            self.device.create_buffer_init(&contents)
        };
        let (from, to) = (buffer(), buffer());
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[(0, &from), (1, &to)]
                .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() }),
        });
        let groups = threads / WORKGROUP;
        let mut fastest = f64::INFINITY;
        for _ in 0..=RUNS {
            let begun = Instant::now();
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(groups as u32, 1, 1);
            drop(pass);
            self.queue.submit([encoder.finish()]);
            self.device.poll(wgpu::PollType::wait_indefinitely())?;
            fastest = fastest.min(begun.elapsed().as_secs_f64());
        }
        Ok(fastest)
    }
}
