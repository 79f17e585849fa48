#!/usr/bin/env python3
"""Puts classical answers beside those of fdgr, on the same inputs.

    cargo bench --bench quality -- --write target/cases --task denoise --noise 0.1 photo.png
    python3 benches/peer/quality.py target/cases

Each cell has the mean PSNR in dB and SSIM over the pictures. Methods marked "best" have the parameter that is best for each
picture, which only somebody with the original can choose. All are told the level of the noise and the kernel of the blur.
Blurs and BM3D deblurring see the picture continued at its border by reflection. The first run makes a virtual environment
under target/peer and installs the packages there.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from environment import enter

PACKAGES = ["bm3d==4.0.3", "scikit-image==0.26.0", "opencv-python-headless==5.0.0.93", "numpy==2.2.6"]
# Grids of the parameters that are chosen with the original at hand.
TV_WEIGHTS = [0.02, 0.04, 0.06, 0.08, 0.1, 0.14, 0.2, 0.3]
WIENER_RATIOS = [10.0 ** (exponent / 4) for exponent in range(-24, 1)]
# BM3D needs some noise: that of values stored in 8 bits.
ROUNDING = 1 / (255 * 12**0.5)


def denoised(y, sigma):
    import bm3d

    return bm3d.bm3d_rgb(y, max(sigma, ROUNDING))


def best(original, candidates):
    return max(candidates, key=lambda picture: compared(picture, original)[0])


def denoise(y, original, case):
    from skimage.restoration import denoise_tv_chambolle

    if case["sigma"] == 0:
        return {}
    smooth = (denoise_tv_chambolle(y, weight=weight, channel_axis=2) for weight in TV_WEIGHTS)
    return {"BM3D": denoised(y, case["sigma"]), "TV, best": best(original, smooth)}


def enlarge(y, original, case):
    import cv2

    size = original.shape[1::-1]
    answers = {
        "bicubic": cv2.resize(y, size, interpolation=cv2.INTER_CUBIC),
        "Lanczos": cv2.resize(y, size, interpolation=cv2.INTER_LANCZOS4),
    }
    if case["sigma"] > 0:
        answers["BM3D, bicubic"] = cv2.resize(denoised(y, case["sigma"]), size, interpolation=cv2.INTER_CUBIC)
    return answers


def deblur(y, original, case):
    import bm3d
    import numpy as np

    kernel = np.array(case["kernel"])
    margin = 2 * max(kernel.shape)
    height, width, _ = y.shape
    extended = np.pad(y, ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    inner = np.s_[margin : margin + height, margin : margin + width]
    placed = np.zeros(extended.shape[:2])
    placed[: kernel.shape[0], : kernel.shape[1]] = kernel
    placed = np.roll(placed, [-(side // 2) for side in kernel.shape], (0, 1))
    transfer, spectrum = np.fft.fft2(placed)[..., None], np.fft.fft2(extended, axes=(0, 1))

    def wiener(ratio):
        filtered = transfer.conj() * spectrum / (abs(transfer) ** 2 + ratio)
        return np.fft.ifft2(filtered, axes=(0, 1)).real[inner]

    answers = {"Wiener, best": best(original, map(wiener, WIENER_RATIOS))}
    if not case["quick"]:
        # Of a plane without a third axis bm3d 4.0.3 makes a volume.
        planes = (extended[..., [channel]] for channel in range(3))
        restored = [bm3d.bm3d_deblurring(plane, max(case["sigma"], ROUNDING), kernel).squeeze() for plane in planes]
        answers["BM3D"] = np.stack(restored, 2)[inner]
    return answers


def fill(y, original, case):
    import cv2
    import numpy as np
    from skimage.restoration import inpaint_biharmonic

    holes = case["mask"] == 0
    eight_bits = (y.clip(0, 1) * 255).round().astype(np.uint8)
    return {
        "Telea": cv2.inpaint(eight_bits, holes.astype(np.uint8), 3, cv2.INPAINT_TELEA) / 255,
        "biharmonic": inpaint_biharmonic(np.where(holes[..., None], 0, y), holes, channel_axis=2),
    }


CLASSICAL = {"denoise": denoise, "sr": enlarge, "deblur": deblur, "inpaint": fill}


def compared(picture, original):
    """PSNR and SSIM (a Gaussian window of sigma 1.5, where it fits) of pictures clipped to [0, 1], as fdgr compares them."""
    import numpy as np
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    picture = picture.clip(0, 1)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity = structural_similarity(original, picture, data_range=1, channel_axis=2, **window)
    return np.array([peak_signal_noise_ratio(original, picture, data_range=1), similarity])


def read(folder):
    import cv2
    import numpy as np

    case = json.loads((folder / "case.json").read_text())
    original = cv2.imread(str(folder / "original.png"))[..., ::-1] / 255
    if (folder / "mask.png").exists():
        case["mask"] = cv2.imread(str(folder / "mask.png"), cv2.IMREAD_GRAYSCALE)
    return case, np.load(folder / "input.npy").astype(float), original


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what `cargo bench --bench quality -- --write FOLDER` wrote")
    parser.add_argument("--quick", action="store_true", help="leave out BM3D deblurring, several seconds a picture")
    arguments = parser.parse_args()
    cases = sorted(arguments.folder.glob("*/*/case.json"))
    if not cases:
        parser.error(f"{arguments.folder} has no cases; `cargo bench --bench quality -- --write FOLDER` writes them")
    enter(PACKAGES)
    qualities = defaultdict(lambda: defaultdict(list))
    for path in cases:
        case, y, original = read(path.parent)
        case["quick"] = arguments.quick
        row = qualities[case["case"], case["sigma"]]
        for name, picture in CLASSICAL.get(case["task"], lambda *_: {})(y, original, case).items():
            row[name].append(compared(picture, original))
        for name, quality in case["result"].items():
            row[f"fdgr, {name}"].append(quality)
    print("; ".join(package.replace("==", " ") for package in PACKAGES))
    print("| case | sigma | classical | fdgr |\n| --- | --- | --- | --- |")
    for (name, sigma), row in qualities.items():
        means = {method: [sum(values) / len(values) for values in zip(*all)] for method, all in row.items()}
        cells = {method: f"{method} {psnr:.2f} / {ssim:.3f}" for method, (psnr, ssim) in means.items()}
        own = [cell for method, cell in cells.items() if method.startswith("fdgr, ")]
        others = [cell for method, cell in cells.items() if not method.startswith("fdgr, ")]
        print(f"| {name} | {sigma} | {'; '.join(others)} | {'; '.join(cell.removeprefix('fdgr, ') for cell in own)} |")


if __name__ == "__main__":
    main()
