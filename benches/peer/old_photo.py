#!/usr/bin/env python3
"""Says how well `fdgr restore --task old-photo` undoes fading, blur, noise and scratches, beside the best classical answer.

    cargo build --release && python3 benches/peer/old_photo.py PHOTO...

Each photo is cut to 256x256 in its middle; each channel is faded by other amounts, every fourth photo stays sharp and the others are
blurred by a Gaussian of 0.8, 1.2 or 1.6 pixels, noise of 0.02 is added, and six scratches of one to three pixels are drawn. The classical answer
fills the scratches (Telea), stretches every channel from its 0.5% to its 99.5% value, and denoises by BM3D, which is told the noise.

Two means of PSNR: as it is, and after each channel of the result is fitted to the truth by a factor and an offset, since nobody can know how
bright black and white were.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from environment import ROOT, enter

PACKAGES = ["numpy==2.2.6", "pillow==12.0.0", "scipy==1.16.3", "opencv-python-headless==4.12.0.88", "bm3d==4.0.3"]
SIDE = 256
NOISE = 0.02


def main():
    enter(PACKAGES)
    import bm3d
    import cv2
    import numpy as np
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    def read(path):
        return np.asarray(Image.open(path).convert("RGB"), float) / 255

    def write(values, path):
        Image.fromarray(np.uint8(np.clip(values, 0, 1) * 255 + 0.5)).save(path)

    def psnr(a, b):
        return -10 * np.log10(np.mean((np.clip(a, 0, 1) - b) ** 2))

    def fitted(values, truth):
        out = np.empty_like(values)
        for c in range(3):
            basis = np.stack([values[..., c].ravel(), np.ones(values[..., c].size)], 1)
            factor, offset = np.linalg.lstsq(basis, truth[..., c].ravel(), rcond=None)[0]
            out[..., c] = factor * values[..., c] + offset
        return out

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        old, new, mask = (Path(folder) / name for name in ("old.png", "new.png", "mask.png"))
        for n, name in enumerate(sys.argv[1:]):
            image = Image.open(name).convert("RGB")
            left, top = (max(side - SIDE, 0) // 2 for side in image.size)
            truth = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)), float) / 255
            random = np.random.default_rng(n)
            black = np.array([0.18, 0.14, 0.10]) + 0.05 * random.random(3)
            white = np.array([0.85, 0.78, 0.66]) + 0.05 * random.random(3)
            y = black + (white - black) * truth
            width = [0, 0.8, 1.2, 1.6][n % 4]
            y = gaussian_filter(y, (width, width, 0), mode="mirror") if width else y
            holes = np.zeros(truth.shape[:2], bool)
            for k in range(6):
                at, thick = random.integers(10, SIDE - 10), random.integers(1, 4)
                place = (slice(None), slice(at, at + thick)) if k % 2 else (slice(at, at + thick), slice(None))
                holes[place] = True
            y = y + NOISE * random.standard_normal(y.shape)
            y[holes] = 0.95
            write(y, old)
            write(holes[..., None] * np.ones(3), mask)
            command = [ROOT / "target/release/fdgr", "restore", old, "-o", new, "--task", "old-photo", "--mask", mask]
            subprocess.run([*map(str, command), "--device", "cpu"], check=True, capture_output=True)
            filled = cv2.inpaint(np.uint8(read(old) * 255 + 0.5), np.uint8(holes) * 255, 3, cv2.INPAINT_TELEA) / 255.0
            low, high = (np.percentile(filled, share, (0, 1)) for share in (0.5, 99.5))
            stretched = np.clip((filled - low) / (high - low), 0, 1)
            classical, restored = bm3d.bm3d_rgb(stretched, NOISE / np.mean(high - low)), read(new)
            shown = [read(old), classical, restored, fitted(classical, truth), fitted(restored, truth)]
            rows.append([psnr(values, truth) for values in shown])
    print("| photo | old | classical | restored | classical, fitted | restored, fitted |\n| --- | --- | --- | --- | --- | --- |")
    for name, row in [*zip(sys.argv[1:], rows), ("mean", np.mean(rows, 0))]:
        print(f"| {Path(name).stem} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


main()
