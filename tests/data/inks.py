"""Writes pictures of four inks, and what LittleCMS makes of them, for `tests/suite/pictures.rs`.

    pip install pillow==13.0.0 && python3 tests/data/inks.py

ImageMagick (`convert`) writes the JPEG in luma, chroma and black.
"""

import io
import math
import struct
import subprocess
from itertools import product
from pathlib import Path

from PIL import Image, ImageCms

HERE = Path(__file__).parent
# Levels of each ink in the table of the profile.
GRID = 7
# Lab of the overprints of cyan, magenta and yellow, about as on coated paper.
OVERPRINTS = {
    (0, 0, 0): (100, 0, 0),
    (1, 0, 0): (55, -37, -50),
    (0, 1, 0): (48, 74, -3),
    (0, 0, 1): (89, -5, 93),
    (1, 1, 0): (24, 22, -46),
    (1, 0, 1): (50, -68, 27),
    (0, 1, 1): (47, 68, 48),
    (1, 1, 1): (23, 0, 0),
}


def tag(kind, body):
    return kind + bytes(4) + body


def profile():
    """An ICC profile (version 2) of inks with a table."""
    levels = []
    for *colors, k in product([i / (GRID - 1) for i in range(GRID)], repeat=4):
        # Overprints by the share of paper that they cover (Neugebauer).
        shares = {inks: math.prod(c if ink else 1 - c for c, ink in zip(colors, inks)) for inks in OVERPRINTS}
        lightness, a, b = ((1 - 0.7 * k) * sum(shares[inks] * lab[i] for inks, lab in OVERPRINTS.items()) for i in range(3))
        levels += [round(lightness * 652.8), round((a + 128) * 256), round((b + 128) * 256)]
    identity = [65536 if i % 4 == 0 else 0 for i in range(9)]
    curve = (0, 65535)
    table = struct.pack(">4B9i2H", 4, 3, GRID, 0, *identity, 2, 2)
    table += struct.pack(">8H", *curve * 4) + struct.pack(f">{len(levels)}H", *levels) + struct.pack(">6H", *curve * 3)
    name = b"inks of a test\0"
    tags = {
        b"desc": tag(b"desc", struct.pack(">I", len(name)) + name + bytes(78)),
        b"cprt": tag(b"text", b"public domain\0"),
        b"wtpt": tag(b"XYZ ", struct.pack(">3i", 63190, 65536, 54061)),
        b"A2B0": tag(b"mft2", table),
    }
    entries, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for sign, data in tags.items():
        entries += sign + struct.pack(">2I", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(4 * 7) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def main():
    icc = profile()
    inks = Image.new("CMYK", (40, 24))
    inks.putdata([(x * 6, y * 10, 255 - x * 3 - y * 3, y * 4) for y in range(24) for x in range(40)])
    inks = inks.resize((80, 48), Image.Resampling.BICUBIC)
    inks.save(HERE / "inks.tiff", icc_profile=icc, compression="tiff_lzw")
    inks.save(HERE / "inks.jpg", icc_profile=icc, quality=98, subsampling=0)
    inks.save(HERE / "inks_bare.jpg", quality=98, subsampling=0)
    subprocess.run(["convert", HERE / "inks.jpg", "-quality", "98", HERE / "inks_luma.jpg"], check=True)
    adobe = (HERE / "inks_luma.jpg").read_bytes()
    assert adobe[adobe.index(b"Adobe") + 11] == 2, "ImageMagick wrote no luma"
    opened = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    # Black becomes black.
    intent = ImageCms.Intent.PERCEPTUAL
    ImageCms.profileToProfile(inks, opened, ImageCms.createProfile("sRGB"), intent, "RGB").save(HERE / "inks_expected.png")


if __name__ == "__main__":
    main()
