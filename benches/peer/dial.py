#!/usr/bin/env python3
"""Makes assets/dial.jpg: what `--prefer fidelity` and `--prefer naturalness` make of one photo, for several tasks, and says how much of
the original's power at high frequencies each has.

    cargo build --release && python3 benches/peer/dial.py [PHOTO...]

Powers are means over the photos, of frequencies from a quarter of a cycle a pixel upwards. The first photo is shown.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from environment import ROOT, enter

PACKAGES = ["numpy==2.2.6", "pillow==12.0.0"]
TASKS = {
    "noise 0.1": "--task denoise --sigma 0.1",
    "4 times fewer pixels, noise 0.02": "--task sr --scale 4 --sigma 0.02",
    "blur gauss:1.6, noise 0.02": "--task deblur --kernel gauss:1.6 --sigma 0.02",
    "shaken motion:15,30, noise 0.02": "--task deblur --kernel motion:15,30 --sigma 0.02",
}
PREFERENCES = ["fidelity", "naturalness"]
SIDE, GAP, LABEL = 200, 6, 22


def fdgr(*words):
    subprocess.run([str(ROOT / "target/release/fdgr"), *map(str, words)], check=True, capture_output=True)


def power(picture):
    """Of luma at high frequencies."""
    import numpy as np

    luma = np.asarray(picture.convert("RGB"), float).mean(2)
    window = np.hanning(luma.shape[0])[:, None] * np.hanning(luma.shape[1])
    spectrum = abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(luma.shape[0])[:, None], np.fft.fftfreq(luma.shape[1]))
    return spectrum[(radius >= 0.25) & (radius < 0.5)].sum()


def main():
    enter(PACKAGES)
    from PIL import Image, ImageDraw

    photos = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "assets/samples").glob("*.png"))
    columns = ["input", *PREFERENCES, "original"]
    size = (len(columns) * (SIDE + GAP) + GAP, LABEL + len(TASKS) * (SIDE + LABEL + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(columns):
        draw.text((GAP + column * (SIDE + GAP), 6), title, fill="black")
    with tempfile.TemporaryDirectory() as folder:
        bad, out = Path(folder) / "bad.png", Path(folder) / "out.png"
        for row, (title, flags) in enumerate(TASKS.items()):
            words, shares = flags.split(), {preference: [] for preference in PREFERENCES}
            top = LABEL + row * (SIDE + LABEL + GAP)
            draw.text((GAP, top + 5), title, fill="black")
            for number, photo in enumerate(photos):
                original = Image.open(photo).convert("RGB")
                fdgr("degrade", photo, "-o", bad, *words)
                shown = [Image.open(bad).convert("RGB").resize(original.size, Image.Resampling.NEAREST)]
                for preference in PREFERENCES:
                    fdgr("restore", bad, "-o", out, *words, "--prefer", preference, "--device", "cpu")
                    restored = Image.open(out).convert("RGB")
                    shares[preference].append(power(restored) / power(original))
                    shown.append(restored)
                if number == 0:
                    for column, picture in enumerate([*shown, original]):
                        left = (picture.width - SIDE) // 2
                        upper = (picture.height - SIDE) // 2
                        crop = picture.crop((left, upper, left + SIDE, upper + SIDE))
                        sheet.paste(crop, (GAP + column * (SIDE + GAP), top + LABEL))
            means = {preference: sum(values) / len(values) for preference, values in shares.items()}
            print(title, *(f"{preference} {mean:.0%}" for preference, mean in means.items()), sep=", ", flush=True)
    sheet.save(ROOT / "assets/dial.jpg", quality=90, optimize=True)


if __name__ == "__main__":
    main()
