"""Makes hqs.safetensors: half-quadratic splitting (DPIR, arXiv:2008.13751) with a toy denoiser, by dense matrices in float64.

    pip install numpy safetensors && python3 tests/data/hqs.py

For every case: CASE.y, CASE.estimate (the first z), CASE.out, CASE.low and CASE.high where measured values are intervals, and
CASE.noise, the noise of each call, where some is added: zeta s (n - A' (A A' + (sigma_y / s)^2)^-1 A n). The
metadata has the parameters of each case and the times (of 1000, linear betas) at which the denoiser is evaluated.

After the last denoising, of level s, the result is the closest image that agrees with the measurement, by rho = (sigma_y / (0.2 s))².

The denoiser of level s mixes an image u with its circular correlation by TAPS: D(u, s) = u + w (TAPS u - u), w = s / (s + 0.1).
Neither flips nor the transposition leave TAPS as they are, so that an image turned wrongly gives another result.
"""

import json

import numpy
from safetensors.numpy import save_file

HEIGHT, WIDTH = 16, 12
TAPS = numpy.array([[1, 2, 0], [3, 6, 4], [1, 2, 1]]) / 20
BLUR = numpy.array([[0, 1, 2], [1, 8, 1], [2, 1, 0]]) / 16
ALPHA_BAR = numpy.cumprod(1 - numpy.linspace(1e-4, 0.02, 1000))
LEVELS = numpy.sqrt((1 - ALPHA_BAR) / ALPHA_BAR)

CASES = {
    "denoise": dict(operator="denoising", sigma_y=0.2, clip=False, calls=1, symmetries=1),
    "denoise_mean": dict(operator="denoising", sigma_y=0.2, clip=False, calls=1, symmetries=8),
    "average": dict(operator="averaging", sigma_y=0.1, clip=False, calls=8, symmetries=1),
    "average_mean": dict(operator="averaging", sigma_y=0.1, clip=False, calls=3, symmetries=4),
    "average_intervals": dict(operator="averaging", sigma_y=0.02, clip=False, calls=8, symmetries=1, intervals=True),
    "blur": dict(operator="blur", sigma_y=0.05, clip=True, calls=8, symmetries=1),
    "blur_mean": dict(operator="blur", sigma_y=0.05, clip=True, calls=4, symmetries=3),
    "blur_without_noise": dict(operator="blur", sigma_y=0.0, clip=False, calls=5, symmetries=2),
    "average_noise": dict(operator="averaging", sigma_y=0.1, clip=False, calls=4, symmetries=2, zeta=0.85),
    "blur_noise": dict(operator="blur", sigma_y=0.1, clip=True, calls=3, symmetries=1, zeta=0.5),
}
LAMBDA, SIGMA_1, SIGMA_END, LEAST_NOISE, LEFT = 0.15, 0.2, 0.02, 0.002, 0.2


def correlated(x, taps):
    """Circular correlation along the last two axes."""
    shifted = [taps[i + 1, j + 1] * numpy.roll(x, (-i, -j), (-2, -1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return sum(shifted)


def measured(operator, x):
    if operator == "denoising":
        return x
    if operator == "blur":
        return correlated(x, BLUR)
    *rest, h, w = x.shape
    return x.reshape(*rest, h // 4, 4, w // 4, 4).mean((-3, -1))


def matrix(operator):
    """A as a matrix on the pixels of one channel."""
    basis = numpy.eye(HEIGHT * WIDTH).reshape(-1, HEIGHT, WIDTH)
    return measured(operator, basis).reshape(HEIGHT * WIDTH, -1).T


def turned(x, k):
    x = x[..., ::-1] if k & 1 else x
    x = x[..., ::-1, :] if k & 2 else x
    return x.swapaxes(-2, -1) if k & 4 else x


def turned_back(x, k):
    x = x.swapaxes(-2, -1) if k & 4 else x
    x = x[..., ::-1, :] if k & 2 else x
    return x[..., ::-1] if k & 1 else x


def denoised(u, s):
    return u + s / (s + 0.1) * (correlated(u, TAPS) - u)


def nearest(z, a, rho, low, high):
    """The image that is closest to z and agrees with the measurement."""
    x = numpy.empty_like(z)
    for channel in range(3):
        az = a @ z[0, channel].ravel()
        residual = az - numpy.clip(az, low[0, channel].ravel(), high[0, channel].ravel())
        inverse = a.T @ numpy.linalg.solve(a @ a.T + rho * numpy.eye(len(a)), residual)
        x[0, channel] = z[0, channel] - inverse.reshape(HEIGHT, WIDTH)
    return x


def open_directions(n, a, rho):
    """What is left of noise where the measurement says little."""
    inverse = a.T @ numpy.linalg.solve(a @ a.T + rho * numpy.eye(len(a)), a @ n.reshape(3, -1).T)
    return n - inverse.T.reshape(n.shape)


def run(case, y, estimate, low, high, noise):
    a, sigma_y = matrix(case["operator"]), case["sigma_y"]
    last = max(sigma_y, SIGMA_END)
    levels = numpy.geomspace(max(SIGMA_1, last), last, case["calls"]) if case["calls"] > 1 else [last]
    z, times = estimate, []
    for call, level in enumerate(levels):
        t = int(numpy.abs(numpy.log(LEVELS / level)).argmin())
        rho = LAMBDA * (max(sigma_y, LEAST_NOISE) / LEVELS[t]) ** 2
        x = nearest(z, a, rho, low, high)
        if "zeta" in case:
            x = x + case["zeta"] * LEVELS[t] * open_directions(noise[call], a, (sigma_y / LEVELS[t]) ** 2)
        symmetries = case["symmetries"] if call + 1 == case["calls"] else 1
        turns = [(call + n) % 8 for n in range(symmetries)]
        z = numpy.mean([turned_back(denoised(turned(x, k), LEVELS[t]), k) for k in turns], 0)
        z = numpy.clip(z, -1, 1) if case["clip"] else z
        times.append(t)
    rho = (max(sigma_y, LEAST_NOISE) / (LEFT * last)) ** 2
    return nearest(z, a, rho, low, high), times


def main():
    generator = numpy.random.default_rng(7)
    tensors, metadata = {}, {}
    for name, case in CASES.items():
        # Smoothed noise, some of it beyond the range of pixels.
        x = generator.standard_normal((1, 3, HEIGHT, WIDTH))
        x = 1.5 * correlated(correlated(x, TAPS), TAPS)
        y = measured(case["operator"], x)
        y = (y + case["sigma_y"] * generator.standard_normal(y.shape)).astype(numpy.float32)
        estimate = y.repeat(4, -2).repeat(4, -1) if case["operator"] == "averaging" else y
        low = high = y
        if case.get("intervals"):
            # White pixels say that they are at least white.
            low, high = y - numpy.float32(0.05), numpy.where(y > 0.2, numpy.float32(numpy.inf), y + numpy.float32(0.05))
            tensors[f"{name}.low"], tensors[f"{name}.high"] = low, high
        noise = generator.standard_normal((case["calls"], 1, 3, HEIGHT, WIDTH)) if "zeta" in case else numpy.zeros(0)
        noise = noise.astype(numpy.float32)
        if "zeta" in case:
            tensors[f"{name}.noise"] = noise.reshape(-1, 3, HEIGHT, WIDTH)
        out, times = run(case, *(array.astype(numpy.float64) for array in (y, estimate, low, high, noise)))
        tensors |= {f"{name}.y": y, f"{name}.estimate": estimate, f"{name}.out": out.astype(numpy.float32)}
        parameters = {"lambda": LAMBDA, "sigma_1": SIGMA_1, "sigma_end": SIGMA_END, "calls": case["calls"], "symmetries": case["symmetries"]}
        parameters |= {"zeta": case.get("zeta", 0.0)}
        about = {key: case[key] for key in ("operator", "sigma_y", "clip")}
        metadata[name] = json.dumps(about | {"parameters": parameters, "times": times})
        print(name, times, f"changed by {numpy.abs(out - estimate).max():.2f}")
    tensors = {name: numpy.ascontiguousarray(array) for name, array in tensors.items()}
    save_file(tensors, "tests/data/hqs.safetensors", metadata)


if __name__ == "__main__":
    main()
