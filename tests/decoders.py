"""Restores a picture of every kind into every format, and has other programs read what was written.

    pip install numpy==2.2.6 pillow==13.0.0 pillow-jxl-plugin==1.3.8 && python3 tests/decoders.py target/release/fdgr assets/samples/10_otter.png --read png,jpg --write png,jpg

Pillow, ImageMagick (`convert`) and ExifTool (`exiftool`) write the files that go in, and read those that come out: pixels, size, direction,
transparency, depth, and what is said of the picture. What a format does not keep has to be said. The test run calls it with the endings of all formats.
"""

import argparse
import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pillow_jxl  # noqa: F401, Pillow then writes JPEG XL
from PIL import Image, ImageCms, PngImagePlugin

SIZE = (52, 36)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
rdf:about='' xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/' photoshop:Headline='a headline'/></rdf:RDF></x:xmpmeta>"
# What is said of a picture, by ExifTool's names, and the words for its loss.
SAYINGS = {
    "EXIF:Make": ("a maker", "its EXIF"),
    "EXIF:ImageDescription": ("a description", "its EXIF"),
    "EXIF:DateTimeOriginal": ("2026:01:02 03:04:05", "its EXIF"),
    "EXIF:GPSLatitude": (48.5, "its EXIF"),
    "File:Comment": ("a comment", "its comment"),
    "ICC_Profile:ProfileDescription": ("sRGB built-in", "its colour profile"),
    "XMP:Headline": ("a headline", "its XMP"),
    "IPTC:Headline": ("another headline", "its IPTC"),
}


def exif(turn):
    tags = Image.Exif()
    tags[0x010F] = "a maker"
    tags[0x0112] = turn
    return tags


def said_of(path):
    """The arguments of Pillow's save with which it says all that the format holds."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    everything = {"icc_profile": icc, "dpi": (300, 150), "exif": exif(6)}
    match path.suffix:
        case ".png":
            text = PngImagePlugin.PngInfo()
            text.add_itxt("XML:com.adobe.xmp", XMP.decode())
            return {**everything, "pnginfo": text}
        case ".tiff":
            del everything["exif"]
            return {**everything, "tiffinfo": {0x0112: 6, 700: XMP, 0x010F: "a maker"}}
        case ".jxl":
            # ExifTool adds the rest.
            return {"icc_profile": icc}
        case _:
            return {**everything, "xmp": XMP}


def described(path, photo):
    photo.save(path, quality=95, **said_of(path))
    added = {
        ".jpg": ["-IPTC:Headline=another headline", "-Comment=a comment"],
        ".tiff": ["-IPTC:Headline=another headline"],
        ".jxl": ["-EXIF:Make=a maker", "-XMP-photoshop:Headline=a headline"],
    }
    photo = ["-EXIF:ImageDescription=a description", "-EXIF:DateTimeOriginal=2026:01:02 03:04:05"]
    place = ["-EXIF:GPSLatitude=48.5", "-EXIF:GPSLatitudeRef=N"]
    words = ["exiftool", "-q", "-m", "-overwrite_original", *added.get(path.suffix, []), *photo, *place, path]
    subprocess.run(words, check=True)


def deep(path, photo):
    # Not multiples of 257, which ImageMagick writes in 8 bits.
    levels = np.asarray(photo, np.uint16) * 256 + 100
    size = f"{photo.width}x{photo.height}"
    raw = ["convert", "-size", size, "-depth", "16", "-endian", "MSB", "rgb:-", path]
    subprocess.run(raw, input=levels.astype(">u2").tobytes(), check=True)


def transparent(path, photo):
    clear = photo.copy()
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    clear.save(path, **({"lossless": True} if path.suffix == ".webp" else {}))


def qoi(path, photo):
    pixels = b"".join(b"\xfe" + bytes(pixel) for pixel in photo.get_flattened_data())
    path.write_bytes(b"qoif" + struct.pack(">2I2B", *photo.size, 3, 0) + pixels + bytes(7) + b"\x01")


def saved(mode="RGB", **options):
    return lambda path, photo: photo.convert(mode).save(path, **options)


# Name of a file that goes in, and who writes it.
INPUTS = {
    "plain.png": saved(),
    "palette.png": saved("P"),
    "grey.png": saved("L"),
    "transparent.png": transparent,
    "deep.png": deep,
    "described.png": described,
    "plain.apng": saved(format="PNG"),
    "plain.jpg": saved(quality=90),
    "grey.jpg": saved("L", quality=90),
    "progressive.jpeg": saved(quality=90, progressive=True),
    "inks.jpg": saved("CMYK", quality=95),
    "described.jpg": described,
    "plain.jfif": saved(quality=90, format="JPEG"),
    "plain.webp": saved(quality=90),
    "transparent.webp": transparent,
    "described.webp": described,
    "plain.tiff": saved(),
    "packed.tif": saved(compression="tiff_lzw"),
    "deflated.tif": saved(compression="tiff_adobe_deflate"),
    "transparent.tiff": transparent,
    "deep.tiff": deep,
    "inks.tiff": saved("CMYK"),
    "described.tiff": described,
    "plain.jxl": saved(quality=95),
    "transparent.jxl": transparent,
    "described.jxl": described,
    "plain.bmp": saved(),
    "plain.gif": saved(),
    "plain.qoi": qoi,
    "plain.ppm": saved(),
    "plain.pgm": saved("L"),
    "plain.pbm": saved("1"),
    "plain.pnm": saved(format="PPM"),
}


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def sayings(path):
    if path.suffix == ".qoi":
        # Nothing is said in these, and ExifTool does not know them.
        return {}
    listed = subprocess.run(["exiftool", "-j", "-G", "-c", "%.1f", path], capture_output=True, check=True).stdout
    return json.loads(listed)[0]


def pixels(path):
    """What Pillow sees, upright: colours, and opacity where it is not full everywhere."""
    picture = Image.open(path)
    # Pillow turns TIFFs itself as it loads them.
    picture.load()
    turn = picture.getexif().get(0x0112, 1)
    clear = "A" in picture.getbands() or "transparency" in picture.info
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    picture = picture.convert("RGBA" if clear else "RGB")
    if turn == 6:
        picture = picture.transpose(Image.Transpose.ROTATE_270)
    seen = np.asarray(picture, float)
    opacity = seen[..., 3:]
    return seen[..., :3], opacity if opacity.size and opacity.min() < 255 else opacity[..., :0]


def pixels_of_imagemagick(path, size):
    raw = subprocess.run(["convert", path, "-alpha", "off", "-depth", "8", "rgb:-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).astype(float).reshape(size[0], size[1], 3)


def restore(fdgr, source, target):
    words = ["restore", source, "-o", target, "--device", "cpu", "--task", "denoise", "--sigma", "0.004", "--quality", "draft"]
    return subprocess.run([fdgr, *map(str, words)], capture_output=True, text=True)


def check_output(source, target, messages):
    """That other programs see in `target` what they see in `source`, but for what `messages` say."""
    where = f"{source.name} as {target.name}"
    truth, truth_opacity = pixels(source)
    found, opacity = pixels(target)
    check(found.shape == truth.shape, f"{where}: {found.shape} pixels of {truth.shape}")
    visible = truth_opacity > 0 if truth_opacity.size else np.ones(truth.shape[:2] + (1,), bool)
    off = np.abs(found - truth)[np.broadcast_to(visible, truth.shape)].mean()
    check(off < 4, f"{where}: {off:.1f} levels from what went in")
    check(opacity.shape == truth_opacity.shape, f"{where}: transparency")
    check(not opacity.size or np.abs(opacity - truth_opacity).max() <= 1, f"{where}: other transparency")
    other = pixels_of_imagemagick(target, found.shape)
    # Inverse cosine transforms differ, and 16 bits are rounded to 8.
    bound = 4 if target.suffix == ".jpg" else 1
    off = np.abs(found - other)[np.broadcast_to(visible, truth.shape)].max()
    check(off <= bound, f"{where}: Pillow and ImageMagick differ by {off:.0f} levels")
    before, after = sayings(source), sayings(target)
    for name, (value, loss) in SAYINGS.items():
        if before.get(name) == value:
            kept = name == "File:Comment" and after.get("PNG:Comment") == value
            check(kept or after.get(name) == value or loss in messages, f"{where}: {name} was {value!r}, is {after.get(name)!r}: {messages}")
        elif source.suffix != ".jxl" or "Profile" not in name:
            # JPEG XL may say what its colours mean without a profile.
            check(name not in after, f"{where}: {name} is {after.get(name)!r}, and was not there")
    said = sum(before.get(name) == value for name, (value, _) in SAYINGS.items())
    check("described" not in source.name or said >= 2, f"{where}: only {said} things are said of what went in")
    check(after.get("EXIF:Orientation", "Horizontal (normal)") == "Horizontal (normal)", f"{where}: it is turned again")
    if "deep" in source.name:
        bits = str(after.get("PNG:BitDepth", after.get("EXIF:BitsPerSample", 8)))
        check("16" in bits or "its 16 bits" in messages, f"{where}: {bits} bits")
    if "described" in source.name and source.suffix not in (".webp", ".jxl"):
        # PNG counts dots of a meter.
        names = [(f"{group}:XResolution", f"{group}:YResolution", 1) for group in ("EXIF", "JFIF")]
        names.append(("PNG:PixelsPerUnitX", "PNG:PixelsPerUnitY", 0.0254))
        dots = [[round(after[name] * unit) for name in (x, y)] for x, y, unit in names if x in after]
        # Of the picture that was turned upright.
        check([150, 300] in dots or "its resolution" in messages, f"{where}: resolution {dots}: {messages}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fdgr", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--read", required=True, help="endings that fdgr reads")
    parser.add_argument("--write", required=True, help="endings that fdgr writes, one of each format")
    options = parser.parse_args()
    missing = set(options.read.split(",")) - {name.rsplit(".", 1)[1] for name in INPUTS}
    check(not missing, f"no file of {missing} goes in")
    photo = Image.open(options.photo).convert("RGB").resize((4 * SIZE[0], 4 * SIZE[1])).reduce(4)
    checked, refused = 0, 0
    with tempfile.TemporaryDirectory() as desk:
        for name, write in INPUTS.items():
            source = Path(desk) / name
            write(source, photo)
            for ending in options.write.split(","):
                target = Path(desk) / f"{name}.{ending}"
                done = restore(options.fdgr.resolve(), source, target)
                if "transparent" in name and ending == "jpg":
                    check(done.returncode != 0 and "transparency" in done.stderr and not target.exists(), f"{name} as {ending}")
                    refused += 1
                    continue
                check(done.returncode == 0, f"{name} as {ending}: {done.stderr}")
                check_output(source, target, done.stderr)
                checked += 1
    print(f"{checked} files are read by other programs, {refused} were refused for their transparency")


if __name__ == "__main__":
    main()
