#!/usr/bin/env python3
"""What `--kernel auto` gives for blurs that it is not told, beside the true kernel, and beside Wiener's filter with it.

    cargo build --release && python3 benches/peer/kernel.py [--noise 1,3] [--kernel disc:3]... PICTURE...

Each picture is blurred, gets noise of the given levels of 255, and is stored in 8 bits. A row has the mean PSNR in dB over the pictures: as they are, Wiener's
filter with the true kernel and the parameter that is best for each picture, fdgr with the true kernel, fdgr with `--kernel auto`, for which a refused
picture counts as it is, and how many were refused or came out worse than they went in. Noise is told to nobody.
FDGR_PROGRAM names another program than target/release/fdgr.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from environment import ROOT, enter
from quality import PACKAGES, compared, deblur

FDGR = Path(os.environ.get("FDGR_PROGRAM", ROOT / "target" / "release" / "fdgr"))
KERNELS = [
    "gauss:1.6", "gauss:2.5", "disc:2.5", "disc:4", "motion:11,30", "motion:21,100", "random:17,0.5,3", "random:25,0.5,4", "random:25,0.5,7",
]


def run(*words):
    return subprocess.run([FDGR, *map(str, words)], capture_output=True, text=True)


def read(path):
    import cv2

    return cv2.imread(str(path))[..., ::-1] / 255


def case(folder, picture, kernel, noise):
    """PSNR as it is, of Wiener, of the true kernel and of the one that is found; none where fdgr refused."""
    import cv2

    blurred, told, found, true = (folder / f"{name}.png" for name in ("blurred", "told", "found", "kernel"))
    for path in (told, found):
        path.unlink(missing_ok=True)
    done = run("degrade", picture, "-o", blurred, "--task", "deblur", "--kernel", kernel, "--sigma", noise / 255, "--seed", 1)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    done = run("restore", blurred, "-o", told, "--task", "deblur", "--kernel", kernel, "--save-kernel", true)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    done = run("restore", blurred, "-o", found, "--task", "deblur", "--kernel", "auto")
    if done.returncode not in (0, 1) or found.exists() != (done.returncode == 0):
        raise SystemExit(done.stderr)
    original, y = read(picture), read(blurred)
    weights = cv2.imread(str(true), cv2.IMREAD_GRAYSCALE).astype(float)
    facts = {"kernel": weights / weights.sum(), "quick": True, "sigma": noise / 255}
    wiener = deblur(y, original, facts)["Wiener, best"]
    quality = [compared(x, original)[0] for x in (y, wiener, read(told))]
    return [*quality, compared(read(found), original)[0] if found.exists() else None]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--noise", default="1,3", help="standard deviations in levels of 255")
    parser.add_argument("--kernel", action="append", help="kernels of this sort instead of all")
    arguments = parser.parse_args()
    enter(PACKAGES)
    print("| kernel | noise | as it is | Wiener, best, true kernel | fdgr, true kernel | `--kernel auto` | refused | worse |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for kernel in arguments.kernel or KERNELS:
            for noise in map(float, arguments.noise.split(",")):
                rows = [case(Path(folder), picture, kernel, noise) for picture in arguments.pictures]
                refused = sum(row[3] is None for row in rows)
                rows = [[*row[:3], row[0] if row[3] is None else row[3]] for row in rows]
                worse = sum(row[3] < row[0] for row in rows)
                cells = [f"{sum(column) / len(rows):.2f}" for column in zip(*rows)]
                print(f"| `{kernel}` | {noise:g}/255 | {' | '.join(cells)} | {refused} | {worse} |", flush=True)


if __name__ == "__main__":
    main()
