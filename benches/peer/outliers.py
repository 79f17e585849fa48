#!/usr/bin/env python3
"""What deblurring gives for photos that hold what their blur did not make, beside Wiener's filter.

    cargo build --release && python3 benches/peer/outliers.py [--noise 1] [--picture FILE] PICTURE...

Each picture is blurred by a kernel that everybody is told, gets noise of the given level of 255, which nobody is told, and then a date and a title, or specks of
dust; or there are coloured lights up to four times as bright as white before it is blurred. A row has the mean PSNR in dB over the pictures, of what is
sharp under the same captions, specks and lights: as they are, Wiener's filter with the parameter that is best for each picture, fdgr with
`--data exact`, fdgr, and how many came out worse than they went in. `--picture` shows the first picture under a disc instead: as it is, with
`--data exact`, and by default. FDGR_PROGRAM names another program than target/release/fdgr.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from environment import ROOT, enter
from quality import PACKAGES, compared, deblur

FDGR = Path(os.environ.get("FDGR_PROGRAM", ROOT / "target" / "release" / "fdgr"))
KERNELS = ["gauss:1.6", "disc:3", "motion:11,30"]
# How much darker a photo of lights is than one in which they are white at most.
DARK = 4
LIGHTS = [((60, 70), 5, (1, 0.5, 0.1)), ((150, 190), 4, (0.2, 0.6, 1)), ((200, 60), 6, (1, 1, 0.9)), ((100, 140), 3, (0.15, 0.9, 0.2))]


def run(*words):
    done = subprocess.run([FDGR, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)


def read(path):
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
    return picture / (65535 if picture.itemsize == 2 else 255)


def write(path, picture, deep=False):
    import cv2
    import numpy as np

    levels = 65535 if deep else 255
    cv2.imwrite(str(path), (picture.clip(0, 1) * levels).round().astype(np.uint16 if deep else np.uint8)[..., ::-1])


def captioned(picture):
    import cv2
    import numpy as np

    levels = np.ascontiguousarray((picture.clip(0, 1) * 255).round().astype(np.uint8))
    height, width = levels.shape[:2]
    font, smooth = cv2.FONT_HERSHEY_SIMPLEX, cv2.LINE_AA
    cv2.putText(levels, "12.05.2019", (width - 100, height - 10), font, 0.5, (255, 150, 30), 1, smooth)
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(levels, "Holiday", (10, 26), font, 0.7, color, thickness, smooth)
    return levels / 255


def dusty(picture):
    import numpy as np

    draw, picture = np.random.default_rng(5), picture.copy()
    height, width = picture.shape[:2]
    for _ in range(25):
        y, x, size = draw.integers(3, height - 3), draw.integers(3, width - 3), draw.integers(1, 3)
        picture[y : y + size, x : x + size] = draw.choice([0.0, 1.0])
    return picture


def lit(picture):
    import numpy as np

    dark, (height, width) = picture / DARK, picture.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    for (y, x), radius, color in LIGHTS:
        dark[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = color
    return dark


def restored(folder, original, kernel, noise, kind):
    """What is sharp, a damaged photo of it, results with `--data exact` and by default, and the file of the kernel."""
    before, after, damaged, exact, robust, true = (folder / f"{name}.png" for name in ("a", "b", "c", "d", "e", "k"))
    brighter = DARK if kind == "lights" else 1
    sharp = lit(original) if kind == "lights" else original
    write(before, sharp, deep=True)
    run("degrade", before, "-o", after, "--task", "deblur", "--kernel", kernel, "--sigma", noise / 255 / brighter, "--seed", 1)
    change = {"captions": captioned, "dust": dusty, "lights": lambda picture: picture * brighter}[kind]
    truth = change(sharp).clip(0, 1)
    write(damaged, change(read(after)))
    run("restore", damaged, "-o", exact, "--task", "deblur", "--kernel", kernel, "--data", "exact", "--save-kernel", true)
    run("restore", damaged, "-o", robust, "--task", "deblur", "--kernel", kernel)
    return truth, *map(read, (damaged, exact, robust)), true


def case(folder, original, kernel, noise, kind):
    """PSNR as it is, of Wiener, with `--data exact`, and by default."""
    import cv2

    truth, y, exact, robust, true = restored(folder, original, kernel, noise, kind)
    weights = cv2.imread(str(true), cv2.IMREAD_GRAYSCALE).astype(float)
    facts = {"kernel": weights / weights.sum(), "quick": True, "sigma": noise / 255}
    wiener = deblur(y, truth, facts)["Wiener, best"]
    return [compared(x, truth)[0] for x in (y, wiener, exact, robust)]


def sheet(folder, original, noise):
    """Rows of what the blur did not make: as it is, with `--data exact`, by default."""
    import numpy as np

    rows = [np.hstack(restored(folder, original, "disc:3", noise, kind)[1:4]) for kind in ("captions", "lights")]
    return np.vstack(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--noise", type=float, default=1, help="standard deviation in levels of 255")
    parser.add_argument("--picture", type=Path, help="show the first picture instead")
    arguments = parser.parse_args()
    enter(PACKAGES)
    if arguments.picture:
        with tempfile.TemporaryDirectory() as folder:
            write(arguments.picture, sheet(Path(folder), read(arguments.pictures[0]), arguments.noise))
        return
    print("| what the blur did not make | kernel | as it is | Wiener, best | `--data exact` | fdgr | worse |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("captions", "dust", "lights"):
            for kernel in KERNELS:
                rows = [case(Path(folder), read(picture), kernel, arguments.noise, kind) for picture in arguments.pictures]
                worse = sum(row[3] < row[0] for row in rows)
                cells = [f"{sum(column) / len(rows):.2f}" for column in zip(*rows)]
                print(f"| {kind} | `{kernel}` | {' | '.join(cells)} | {worse} |", flush=True)


if __name__ == "__main__":
    main()
