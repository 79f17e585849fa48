"""Makes metrics.json: what piqa 1.3.2 and lpips 0.1.4 say of pairs of sample pictures.

    pip install torch torchvision piqa==1.3.2 lpips==0.1.4 pillow && python3 tests/data/metrics.py

The networks of LPIPS have weights by formula instead of trained ones: weight k unit(i, k) sqrt(6 / fan_in), bias 0.1 unit(i, 1000 + k)
with unit(i, k) = 2 (splitmix64(i + k 2^32) >> 40) / 2^24 - 1, k counting convolutions in the order of the layers.
"""

import json
from pathlib import Path

import lpips
import numpy
import piqa
import torch
from PIL import Image

SAMPLES = "assets/samples"
# The second picture is a mixture: the first one, and the given share of another.
PAIRS = [
    ("07_blue_flowers.png", "10_otter.png", 0.125),
    ("21_citrus.png", "07_blue_flowers.png", 0.375),
    ("10_otter.png", "21_citrus.png", 1.0),
]


def unit(count, k):
    x = numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(k << 32)
    with numpy.errstate(over="ignore"):
        z = x + numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return 2 * (z >> numpy.uint64(40)).astype(numpy.float64) / 2**24 - 1


def filled(network):
    metric = lpips.LPIPS(net=network, pnet_rand=True, verbose=False)
    convs = [m for m in metric.net.modules() if isinstance(m, torch.nn.Conv2d)]
    for k, conv in enumerate(convs):
        shape = conv.weight.shape
        scale = numpy.sqrt(6 / (shape[1] * shape[2] * shape[3]))
        weight = (unit(conv.weight.numel(), k) * scale).astype(numpy.float32)
        conv.weight.data = torch.from_numpy(weight).reshape(shape)
        conv.bias.data = torch.from_numpy((0.1 * unit(shape[0], 1000 + k)).astype(numpy.float32))
    return metric.eval()


def read(name):
    pixels = numpy.asarray(Image.open(Path(SAMPLES) / name).convert("RGB"), dtype=numpy.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


metrics = {"ssim": piqa.SSIM(), "ms_ssim": piqa.MS_SSIM(), "gmsd": piqa.GMSD(), "haarpsi": piqa.HaarPSI()}
networks = {f"lpips_{short}": filled(net) for short, net in [("vgg", "vgg"), ("squeeze", "squeeze")]}
cases = []
with torch.no_grad():
    for a, b, share in PAIRS:
        x, y = read(a), read(b)
        y = x + (y - x) * share
        values = {name: metric(x, y).item() for name, metric in metrics.items()}
        values |= {name: metric(x, y, normalize=True).item() for name, metric in networks.items()}
        cases.append({"pictures": [f"{SAMPLES}/{a}", f"{SAMPLES}/{b}"], "share": share, "values": values})
Path(__file__).with_name("metrics.json").write_text(json.dumps(cases, indent=1) + "\n")
