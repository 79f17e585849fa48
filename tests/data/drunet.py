"""Makes drunet.safetensors and drunet_expected.safetensors: a small DRUNet with random weights and what it gives, by an
independent implementation in float64.

    pip install numpy safetensors && python3 tests/data/drunet.py

The network is `UNetRes` of DPIR (K. Zhang et al., arXiv:2008.13751) with 8, 8, 12 and 16 channels and two blocks a level: inputs are a
picture u in [0, 1] and a map of its noise s. The file of outputs has for a state x of [-1, 1] images and each time t of the linear
schedule eps.t{t} = (x - sqrt(a) x0) / sqrt(1 - a), x0 = 2 D(u, s) - 1, u = (x / sqrt(a) + 1) / 2, s = sqrt((1 - a) / a) / 2.
"""

import numpy
from safetensors.numpy import save_file

WIDTHS, BLOCKS, HEIGHT, WIDTH = (8, 8, 12, 16), 2, 16, 24
ALPHA_BAR = numpy.cumprod(1 - numpy.linspace(1e-4, 0.02, 1000))
TIMES = (3, 40, 110)
random = numpy.random.default_rng(5)
weights = {}


def made(name, *shape):
    """Values that float32 holds, so that rounding them in the file changes nothing."""
    fan_in = numpy.prod(shape[1:])
    values = (random.standard_normal(shape) * numpy.sqrt(1.5 / fan_in)).astype(numpy.float32)
    weights[f"{name}.weight"] = values
    return values.astype(numpy.float64)


def convolved(x, w):
    """3x3 taps, zeros beyond the border."""
    height, width = x.shape[1:]
    padded = numpy.pad(x, ((0, 0), (1, 1), (1, 1)))
    parts = (
        numpy.einsum("oi,ihw->ohw", w[:, :, i, j], padded[:, i : i + height, j : j + width])
        for i in range(3)
        for j in range(3)
    )
    return sum(parts)


def halved(x, w):
    """2x2 taps at every second pixel."""
    return sum(numpy.einsum("oi,ihw->ohw", w[:, :, i, j], x[:, i::2, j::2]) for i in range(2) for j in range(2))


def doubled(x, w):
    """The transpose of `halved`; the file has the inputs of this direction first."""
    out = numpy.zeros((w.shape[1], 2 * x.shape[1], 2 * x.shape[2]))
    for i in range(2):
        for j in range(2):
            out[:, i::2, j::2] = numpy.einsum("io,ihw->ohw", w[:, :, i, j], x)
    return out


class Residual:
    def __init__(self, name, width):
        self.first = made(f"{name}.res.0", width, width, 3, 3)
        self.second = made(f"{name}.res.2", width, width, 3, 3)

    def __call__(self, x):
        return x + convolved(numpy.maximum(convolved(x, self.first), 0), self.second)


def residuals(name, first, width):
    return [Residual(f"{name}.{i}", width) for i in range(first, first + BLOCKS)]


head = made("m_head", WIDTHS[0], 4, 3, 3)
down = [
    (residuals(f"m_down{i}", 0, WIDTHS[i - 1]), made(f"m_down{i}.{BLOCKS}", WIDTHS[i], WIDTHS[i - 1], 2, 2))
    for i in (1, 2, 3)
]
body = residuals("m_body", 0, WIDTHS[3])
up = [
    (made(f"m_up{i}.0", WIDTHS[i], WIDTHS[i - 1], 2, 2), residuals(f"m_up{i}", 1, WIDTHS[i - 1])) for i in (3, 2, 1)
]
tail = made("m_tail", 3, WIDTHS[0], 3, 3)


def denoised(u, s):
    h = convolved(numpy.concatenate([u, numpy.full((1, *u.shape[1:]), s)]), head)
    skips = [h]
    for blocks, halving in down:
        for block in blocks:
            h = block(h)
        h = halved(h, halving)
        skips.append(h)
    for block in body:
        h = block(h)
    for doubling, blocks in up:
        h = doubled(h + skips.pop(), doubling)
        for block in blocks:
            h = block(h)
    return convolved(h + skips.pop(), tail)


x = random.standard_normal((3, HEIGHT, WIDTH)).astype(numpy.float32)
outputs = {"x": x[None]}
for t in TIMES:
    a = ALPHA_BAR[t]
    u = (x.astype(numpy.float64) / numpy.sqrt(a) + 1) / 2
    x0 = 2 * denoised(u, numpy.sqrt((1 - a) / a) / 2) - 1
    outputs[f"eps.t{t}"] = ((x - numpy.sqrt(a) * x0) / numpy.sqrt(1 - a)).astype(numpy.float32)[None]
save_file(weights, "tests/data/drunet.safetensors")
save_file(outputs, "tests/data/drunet_expected.safetensors")
