#!/usr/bin/env python3
"""Says how well `fdgr restore --uncertainty` covers the truth, for several tasks, on photos that the prior has not seen.

    cargo build --release && python3 benches/peer/uncertainty.py PHOTO...

Photos are cut to 144x144 pixels in their middle. For each task: the share of true values within the map's distance of the result, over all photos; its smallest and largest share of a
photo; the factor by which the map would have to be multiplied to cover 90%, 1 if the program's own were right for these photos; and the same from one half of the photos for the other,
as somebody has it whose photos were not calibrated on.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from environment import ROOT, enter

PACKAGES = ["numpy==2.2.6", "pillow==12.0.0"]
SAMPLES = 8
SIDE = 144
COVERED = 0.9
TASKS = {
    "noise 0.1": "--task denoise --sigma 0.1",
    "noise 0.03": "--task denoise --sigma 0.03",
    "2 times fewer pixels": "--task sr --scale 2 --sigma 0",
    "4 times fewer pixels, noise 0.02": "--task sr --scale 4 --sigma 0.02",
    "blur gauss:1.6, noise 0.01": "--task deblur --kernel gauss:1.6 --sigma 0.01",
    "shaken motion:15,30, noise 0.02": "--task deblur --kernel motion:15,30 --sigma 0.02",
    "JPEG of quality 30": "--task jpeg --jpeg-quality 30",
    "JPEG of quality 10": "--task jpeg --jpeg-quality 10",
    "scratches": "--task inpaint --mask {mask}",
}


def fdgr(*words):
    subprocess.run([str(ROOT / "target/release/fdgr"), *map(str, words)], check=True, capture_output=True)


def main():
    enter(PACKAGES)
    import numpy as np
    from PIL import Image

    def read(path):
        values = np.asarray(Image.open(path), float)
        return values / (65535 if values.max() > 255 or Image.open(path).mode.startswith("I") else 255)

    photos = [Path(name) for name in sys.argv[1:]]
    print(f"| task | covered | least, most of a photo | factor for {COVERED:.0%} | of one half for the other |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        mask = folder / "mask.png"
        good, bad, out = folder / "good.png", folder / "bad.png", folder / "out.png"
        for title, flags in TASKS.items():
            ratios = []
            for photo in photos:
                image = Image.open(photo).convert("RGB")
                left, top = (max(side - SIDE, 0) // 2 for side in image.size)
                image = image.crop((left, top, min(left + SIDE, image.width), min(top + SIDE, image.height)))
                image.save(good)
                truth = np.asarray(image, float) / 255
                holes = np.zeros(truth.shape[:2], np.uint8)
                holes[:, 40::60] = holes[:, 41::60] = holes[:, 42::60] = 255
                Image.fromarray(holes).save(mask)
                words = flags.format(mask=mask).split()
                fdgr("degrade", good, "-o", bad, *words)
                fdgr("restore", bad, "-o", out, *words, "--uncertainty", SAMPLES)
                distance = abs(read(out) - truth)
                ratio = distance / read(f"{out}.uncertainty.png")[:, :, None]
                # Nothing is unsure about what is known.
                ratios.append(ratio[holes > 0].ravel() if "mask" in flags else ratio.ravel())
            within = [float((ratio <= 1).mean()) for ratio in ratios]
            factor = np.quantile(np.concatenate(ratios), COVERED)
            halves = [np.concatenate(ratios[start::2]) for start in (0, 1)]
            crossed = [float((halves[1 - i] <= np.quantile(halves[i], COVERED)).mean()) for i in (0, 1)]
            print(
                f"| {title} | {np.mean(within):.1%} | {min(within):.0%}, {max(within):.0%} | {factor:.2f} "
                f"| {crossed[0]:.1%}, {crossed[1]:.1%} |",
                flush=True,
            )


main()
