#!/usr/bin/env python3
"""Damages the photos of a folder, and counts how often `fdgr inspect` finds out what was done.

    cargo build --release && python3 benches/peer/diagnosis.py FOLDER [--count 30]

Photos are halved first, so that their own compression and softness do not count, and cut to 384x384. Counted is what is found with high
confidence. Right is the width of a Gaussian to 20%, the length of a motion to 12% and its angle to 8 degrees, a factor to 3%.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import tempfile

from environment import ROOT, enter

PACKAGES = ["numpy==2.2.6", "pillow==12.0.0", "scipy==1.17.1"]
SIDE = 384


def line(length, angle):
    """A line of light, shared bilinearly between pixels; the angle counter-clockwise in degrees."""
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel, center, samples = np.zeros((side + 1, side + 1)), (side - 1) / 2, int(8 * length)
    for i in range(samples):
        along = ((i + 0.5) / samples - 0.5) * (length - 1)
        x, y = center + along * np.cos(np.radians(angle)), center - along * np.sin(np.radians(angle))
        left, top = int(x), int(y)
        for row, wy in ((top, 1 - (y - top)), (top + 1, y - top)):
            for column, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
                kernel[row, column] += wx * wy
    kernel = kernel[:side, :side]
    return kernel / kernel.sum()


def gaussian(sigma):
    return lambda photo, _: ndimage.gaussian_filter(photo, (sigma, sigma, 0), mode="reflect")


def motion(length):
    def blur(photo, angle):
        kernel = line(length, angle)
        reach = kernel.shape[0] // 2
        padded = np.pad(photo, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
        return np.stack([signal.fftconvolve(padded[..., c], kernel, mode="valid") for c in range(3)], -1)

    return blur


def enlarged(factor):
    def resize(photo, _):
        image = Image.fromarray(np.uint8(np.round(255 * photo))).crop((0, 0, 320, 300))
        return np.asarray(image.resize((int(320 * factor), int(300 * factor)), Image.BICUBIC)) / 255

    return resize


def cases():
    """Name, damage, noise in 255ths, quality of JPEG, and whether a finding is right."""
    sharp = lambda photo, _: photo
    right_width = lambda sigma: lambda kind, found, _: kind == "gauss" and abs(found[0] / sigma - 1) <= 0.2

    def right_path(length):
        def is_right(kind, found, angle):
            return (
                kind == "motion"
                and abs(found[0] / length - 1) <= 0.12
                and abs((found[1] - angle + 90) % 180 - 90) <= 8
            )

        return is_right

    never = lambda *_: False
    for noise, quality in ((0, 0), (2, 0), (5, 0), (10, 0), (0, 85), (0, 60)):
        yield "nothing", sharp, noise, quality, never
        for sigma in (1.0, 1.6, 2.5, 4.0):
            yield f"gauss:{sigma:g}", gaussian(sigma), noise, quality, right_width(sigma)
        for length in (7, 12, 20, 33):
            yield f"motion:{length}", motion(length), noise, quality, right_path(length)
    for factor in (1.5, 2.0, 3.0):
        is_right = lambda kind, found, _, factor=factor: kind == "enlarged" and abs(found[0] / factor - 1) <= 0.03
        yield f"enlarged x{factor:g}", enlarged(factor), 0, 0, is_right


def finding(text):
    """What inspect is sure of: its kind and its numbers."""
    for kind, pattern in (
        ("gauss", r"Gaussian of ([\d.]+) pixels, high"),
        ("motion", r"about ([\d.]+) pixels at ([\d.]+) degrees, high"),
        ("enlarged", r"by a factor of ([\d.]+)"),
    ):
        found = re.search(pattern, text)
        if found:
            return kind, [float(number) for number in found.groups()]
    return None, []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=30)
    args = parser.parse_args()
    random = np.random.default_rng(7)
    photos = []
    paths = sorted(path for path in args.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for index in random.permutation(len(paths)):
        image = Image.open(paths[index]).convert("RGB")
        image = image.resize((image.width // 2, image.height // 2), Image.LANCZOS)
        if min(image.size) >= SIDE and len(photos) < args.count:
            left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
            photos.append(np.asarray(image.crop((left, top, left + SIDE, top + SIDE))) / 255)
    print(f"{len(photos)} photos of {args.folder}")
    print("| damage | noise | JPEG | found | right | wrong |\n| --- | --- | --- | --- | --- | --- |")
    for name, damage, noise, quality, is_right in cases():
        with tempfile.TemporaryDirectory() as folder:
            files, angles = [], []
            for i, photo in enumerate(photos):
                angle = random.uniform(0, 180)
                damaged = damage(photo, angle)
                damaged = damaged + random.normal(size=damaged.shape) * noise / 255
                image = Image.fromarray(np.uint8(np.round(np.clip(damaged, 0, 1) * 255)))
                path = pathlib.Path(folder, f"{i}.jpg" if quality else f"{i}.png")
                image.save(path, **({"quality": quality} if quality else {}))
                files.append(path)
                angles.append(angle)
            said = subprocess.run([ROOT / "target/release/fdgr", "inspect", *files], capture_output=True, text=True, check=True).stdout
            parts = re.split(r"^\S+: \d+x\d+ pixels$", said, flags=re.M)[1:]
            count = collections.Counter()
            for part, angle in zip(parts, angles, strict=True):
                kind, numbers = finding(part)
                if kind:
                    count["right" if is_right(kind, numbers, angle) else "wrong"] += 1
        found = count["right"] + count["wrong"]
        print(f"| {name} | {noise} | {quality or ''} | {found} | {count['right']} | {count['wrong']} |", flush=True)


if __name__ == "__main__":
    enter(PACKAGES)
    import numpy as np
    from PIL import Image
    from scipy import ndimage, signal

    main()
