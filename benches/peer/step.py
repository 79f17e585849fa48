#!/usr/bin/env python3
"""Times one step of a DDPM UNet in PyTorch and in fdgr, on the same weights, in turns, and checks that their outputs agree.

    python3 benches/peer/step.py                            the embedded prior at 256x256 and 512x512
    python3 benches/peer/step.py --model celeba_hq.ckpt     another DDPM checkpoint, at 256x256
    python3 benches/peer/step.py --celebahq                 the CelebA-HQ architecture with synthetic weights

PyTorch runs in f32, channels-last (oneDNN), on as many threads as there are processors. The first run makes a virtual
environment under target/peer and installs PyTorch there. Both sides report the median of several steps; the table has the
median over the rounds.
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

from environment import PLACE, ROOT, enter

TORCH = "2.15.0"
OPENVINO = "2026.4.1"
# What each library is told, so that one processor stands in for older ones. In fdgr the matrix product of 1x1 convolutions and the
# transforms are not limited; PyTorch's own loops are, by ATEN_CPU_CAPABILITY.
ISAS = {
    "avx2": {"FDGR_CPU": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "portable": {"FDGR_CPU": "portable", "ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
}


def built_in():
    """The file of the built-in prior, of its parts."""
    whole = PLACE / "photo.safetensors"
    whole.write_bytes(b"".join(part.read_bytes() for part in sorted((ROOT / "assets" / "prior").glob("*/part"))))
    return whole


def load_weights(path):
    """The tensors of a checkpoint, in f32; of a list the last dictionary of tensors, where EMA weights are."""
    import torch
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        tensors = load_file(path)
    else:
        root = torch.load(path, map_location="cpu", weights_only=True)
        candidates = root if isinstance(root, list) else [root]
        tensors = [c for c in candidates if isinstance(c, dict) and any(k.endswith("conv_in.weight") for k in c)][-1]
    return {name.removeprefix("module."): value.float() for name, value in tensors.items()}


class Unet:
    """The UNet of DDPM from the names and shapes of its tensors."""

    def __init__(self, weights):
        import torch

        self.torch, self.f = torch, torch.nn.functional
        self.w = {
            name: value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
            for name, value in weights.items()
        }
        outputs, inputs, _, _ = self.w["conv_in.weight"].shape
        self.channels, self.patch = outputs, int((inputs // 3) ** 0.5)
        self.levels = 1 + max(int(n.split(".")[1]) for n in self.w if n.startswith("down."))

    def conv(self, name, x, **options):
        weight = self.w[name + ".weight"]
        options.setdefault("padding", weight.shape[-1] // 2)
        return self.f.conv2d(x, weight, self.w[name + ".bias"], **options)

    def linear(self, name, x):
        return self.f.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return self.f.group_norm(x, 32, self.w[name + ".weight"], self.w[name + ".bias"], 1e-6)

    def residual(self, name, x, time):
        h = self.conv(f"{name}.conv1", self.f.silu(self.norm(f"{name}.norm1", x)))
        h = h + self.linear(f"{name}.temb_proj", time)[:, :, None, None]
        h = self.conv(f"{name}.conv2", self.f.silu(self.norm(f"{name}.norm2", h)))
        shortcut = [f"{name}.{kind}" for kind in ("nin_shortcut", "conv_shortcut") if f"{name}.{kind}.weight" in self.w]
        return (self.conv(shortcut[0], x) if shortcut else x) + h

    def attention(self, name, x):
        b, c, h, w = x.shape
        normed = self.norm(f"{name}.norm", x)
        q, k, v = (self.conv(f"{name}.{part}", normed).reshape(b, c, h * w).transpose(1, 2) for part in "qkv")
        attended = self.f.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.conv(f"{name}.proj_out", attended.transpose(1, 2).reshape(b, c, h, w))

    def block(self, side, level, index, h, time):
        h = self.residual(f"{side}.{level}.block.{index}", h, time)
        attention = f"{side}.{level}.attn.{index}"
        return self.attention(attention, h) if f"{attention}.norm.weight" in self.w else h

    def blocks(self, side, level):
        return range(sum(f"{side}.{level}.block.{i}.conv1.weight" in self.w for i in range(16)))

    def __call__(self, x, t):
        torch = self.torch
        half = self.channels // 2
        angles = t * torch.exp(torch.arange(half) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
        time = torch.cat([angles.sin(), angles.cos()])[None]
        time = self.linear("temb.dense.1", self.f.silu(self.linear("temb.dense.0", time)))
        time = self.f.silu(time)
        x = self.f.pixel_unshuffle(x, self.patch).contiguous(memory_format=torch.channels_last)
        h = self.conv("conv_in", x)
        skips = [h]
        for level in range(self.levels):
            for index in self.blocks("down", level):
                h = self.block("down", level, index, h, time)
                skips.append(h)
            if level + 1 < self.levels:
                padded = self.f.pad(h, (0, 1, 0, 1))
                h = self.conv(f"down.{level}.downsample.conv", padded, stride=2, padding=0)
                skips.append(h)
        h = self.residual("mid.block_1", h, time)
        h = self.attention("mid.attn_1", h)
        h = self.residual("mid.block_2", h, time)
        for level in reversed(range(self.levels)):
            for index in self.blocks("up", level):
                h = self.block("up", level, index, torch.cat([h, skips.pop()], 1), time)
            if level:
                h = self.conv(f"up.{level}.upsample.conv", self.f.interpolate(h, scale_factor=2.0, mode="nearest"))
        h = self.conv("conv_out", self.f.silu(self.norm("norm_out", h)))
        return self.f.pixel_shuffle(h, self.patch)


def median_time(run, count):
    """Seconds of a call, after one that is not counted."""
    run()
    seconds = []
    for _ in range(count):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def openvino_peers(unet, x, is_limited):
    """The same network by OpenVINO, at every precision that this processor computes in; its outputs are compared with PyTorch's."""
    import numpy
    import openvino
    import torch

    class Module(torch.nn.Module):
        def forward(self, x):
            return unet(x, 500)

    graph = openvino.convert_model(Module(), example_input=x, input=[list(x.shape)])
    core, right = openvino.Core(), unet(x, 500).numpy()
    # What it says it can do is not limited.
    has_bf16 = not is_limited and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    peers = {}
    for precision in ["f32", *(["bf16"] if has_bf16 else [])]:
        options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": os.cpu_count(), "PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(graph, "CPU", options)
        inputs = x.numpy()
        off = numpy.abs(compiled(inputs)[0] - right).max() / numpy.abs(right).max()
        print(f"OpenVINO {openvino.__version__}, {precision}: off by {off:.1e} of the largest magnitude")
        peers[f"OpenVINO {precision}"] = lambda compiled=compiled: compiled(inputs)
    return peers


def fdgr(*arguments):
    """Standard output of a cargo command on this package."""
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def check(model, unet, x, folder):
    """Lets fdgr compare its output with PyTorch's; it fails where they differ."""
    from safetensors.torch import save_file

    path = folder / "peer.safetensors"
    save_file({"x": x, "eps.t500": unet(x, 500).contiguous()}, path)
    command = ["run", "--release", "--quiet", "--", "models", "check", str(model), "--input", str(path), "--t", "500"]
    print("\n".join(line for line in fdgr(*command).splitlines() if "CPU" in line or "cpu" in line))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a DDPM checkpoint")
    parser.add_argument("--celebahq", action="store_true", help="the CelebA-HQ architecture, synthetic weights")
    parser.add_argument("--size", type=int, action="append", help="side of the picture; may be given several times")
    parser.add_argument("--isa", choices=ISAS, help="the most instructions that all of them may use")
    parser.add_argument("--openvino", action="store_true", help="OpenVINO as well, in f32 and, where the processor has it, bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="steps of PyTorch a round")
    args = parser.parse_args()
    enter([f"torch=={TORCH}", "safetensors", "numpy", *([f"openvino=={OPENVINO}"] if args.openvino else [])])
    # Before the libraries look at the processor.
    os.environ.update(ISAS.get(args.isa, {}))

    import torch

    torch.set_num_threads(os.cpu_count())
    model, sizes = args.model or built_in(), args.size or ([256] if args.model or args.celebahq else [256, 512])
    if args.celebahq:
        fdgr("run", "--release", "--quiet", "--example", "full_size", "--", "celebahq", "--keep", str(PLACE))
        model = PLACE / "celeba_hq.ckpt"
    model = model.resolve()
    limit = f", {args.isa} at most" if args.isa else ""
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, f32{limit}; {model.name}")
    unet = Unet(load_weights(model))
    fdgr("bench", "--no-run", "--bench", "step")
    rows = []
    with torch.inference_mode():
        for size in sizes:
            x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(size)) * 0.5
            check(model, unet, x, PLACE)
            peers = {"PyTorch": lambda x=x: unet(x, 500)}
            if args.openvino:
                peers |= openvino_peers(unet, x, args.isa is not None)
            times = {name: [] for name in [*peers, "fdgr"]}
            for _ in range(args.rounds):
                for name, run in peers.items():
                    times[name].append(median_time(run, args.steps))
                bench = ["bench", "--bench", "step", "--", "--device", "cpu", "--model", str(model), "--network", str(size)]
                line = next(line for line in fdgr(*bench).splitlines() if line.startswith("network"))
                times["fdgr"].append(float(line.split()[1]))
            middle = {name: statistics.median(seconds) for name, seconds in times.items()}
            own = middle.pop("fdgr")
            others = ", ".join(f"{name} {seconds:.3f} s (ratio {own / seconds:.2f})" for name, seconds in middle.items())
            rows.append(f"{size}x{size}: fdgr {own:.3f} s; {others}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
