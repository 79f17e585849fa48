#!/usr/bin/env python3
"""Writes seeds below fuzz/seeds: small valid files of each kind. Needs numpy and Pillow.

Those of recipes and measurements are files that `fdgr restore` and `fdgr degrade --task cs` wrote for a picture of 32x24.
"""

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy
from PIL import Image, ImageCms, PngImagePlugin

ROOT = Path(__file__).resolve().parent / "seeds"


def write(target, name, content):
    folder = ROOT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pictures():
    y, x = numpy.mgrid[0:9, 0:12]
    rgb = Image.fromarray(numpy.stack([20 * x, 25 * y, 10 * (x + y)], axis=-1).astype("uint8"))
    alpha = Image.fromarray(numpy.where(x > 3, 255, 8 * y).astype("uint8"))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    deep = Image.fromarray((2000 * (x + y)).astype("uint16"))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "a seed", 72.0
    exif.get_ifd(0x8769)[0xA002] = 12
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "a seed")
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    texts.add(b"gAMA", struct.pack(">I", 45455))
    write("picture", "colour.png", saved(rgb, "PNG", pnginfo=texts, exif=exif, icc_profile=profile, dpi=(72, 72)))
    write("picture", "transparent.png", saved(rgba, "PNG"))
    write("picture", "palette.png", saved(rgb.quantize(7), "PNG", transparency=3))
    write("picture", "deep.png", saved(deep, "PNG"))
    write("picture", "moving.png", saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)]))
    for subsampling in (0, 2):
        options = {"quality": 40, "subsampling": subsampling, "exif": exif, "comment": "a seed"}
        write("picture", f"chroma{subsampling}.jpg", saved(rgb, "JPEG", icc_profile=profile, **options))
    write("picture", "gray.jpg", saved(rgb.convert("L"), "JPEG", progressive=True))
    write("picture", "cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG"))
    for name in ("inks.jpg", "inks_luma.jpg", "inks.tiff"):
        write("picture", name, (ROOT.parents[1] / "tests" / "data" / name).read_bytes())
    write("picture", "still.webp", saved(rgba, "WEBP", lossless=True, exif=exif))
    write("picture", "lossy.webp", saved(rgba, "WEBP", quality=30))
    write("picture", "moving.webp", saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)]))
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        write("picture", f"{compression}.tif", saved(rgba if compression else rgb, "TIFF", compression=compression))
    write("picture", "pages.tif", saved(rgb, "TIFF", save_all=True, append_images=[rgb.convert("L")]))
    write("picture", "float.tif", saved(Image.fromarray((x / 12).astype("float32")), "TIFF"))
    write("picture", "a.bmp", saved(rgb, "BMP"))
    write("picture", "a.gif", saved(rgb, "GIF", save_all=True, append_images=[rgb.rotate(180)]))
    write("picture", "a.ppm", saved(rgb, "PPM"))


class Reference:
    """A tensor as PyTorch's pickles hold it: by a persistent identity of its storage."""

    def __init__(self, key, shape):
        self.key, self.shape = key, shape


class Named(type):
    """A class of that module and name, which the pickle only names."""


def named(module, name):
    made = Named(name, (), {})
    made.__module__ = module
    return made


class TorchPickler(pickle._Pickler):
    """Writes references as calls of torch._utils._rebuild_tensor_v2."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_reference(self, reference):
        count = int(numpy.prod(reference.shape))
        strides = tuple(int(numpy.prod(reference.shape[i + 1 :])) for i in range(len(reference.shape)))
        self.write(b"ctorch._utils\n_rebuild_tensor_v2\n")
        self.write(pickle.MARK)
        self.write(pickle.MARK)
        self.save("storage")
        self.write(b"ctorch\nFloatStorage\n")
        for value in (reference.key, "cpu", count):
            self.save(value)
        self.write(pickle.TUPLE + pickle.BINPERSID)
        for value in (0, reference.shape, strides, False, OrderedDict()):
            self.save(value)
        self.write(pickle.TUPLE + pickle.REDUCE)

    dispatch[Reference] = save_reference


def checkpoints():
    shapes = {"conv_in.weight": (4, 3, 3, 3), "conv_in.bias": (4,), "temb.dense.0.weight": (8, 4)}
    description = io.BytesIO()
    TorchPickler(description, 2).dump({name: Reference(str(i), s) for i, (name, s) in enumerate(shapes.items())})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", description.getvalue())
        archive.writestr("archive/version", "3\n")
        for i, shape in enumerate(shapes.values()):
            archive.writestr(f"archive/data/{i}", numpy.linspace(-1, 1, int(numpy.prod(shape))).astype("<f4").tobytes())
    write("checkpoint", "zip.pt", buffer.getvalue())
    legacy = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001}):
        pickle.dump(value, legacy, 2)
    legacy.write(description.getvalue())
    pickle.dump([str(i) for i in range(len(shapes))], legacy, 2)
    for shape in shapes.values():
        count = int(numpy.prod(shape))
        legacy.write(struct.pack("<q", count) + numpy.linspace(-1, 1, count).astype("<f4").tobytes())
    write("checkpoint", "legacy.pt", legacy.getvalue())
    for number, kind in (("F32", "<f4"), ("F16", "<f2")):
        write("checkpoint", f"{number}.safetensors", safetensors({n: numpy.ones(s, kind) for n, s in shapes.items()}, number))


def safetensors(arrays, number, **metadata):
    header, start = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in arrays.items():
        header[name] = {"dtype": number, "shape": array.shape, "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in arrays.values())


def arrays():
    for i, array in enumerate([numpy.eye(5), numpy.asfortranarray(numpy.eye(4, 6) > 0), numpy.ones((1, 3, 4), "<u2")]):
        buffer = io.BytesIO()
        numpy.save(buffer, array)
        write("array", f"{i}.npy", buffer.getvalue())


def texts():
    configs = ROOT.parents[1] / "assets" / "configs"
    for path in configs.glob("*.yml"):
        write("configuration", path.name, path.read_bytes())
    tasks = [
        "denoise",
        "sr\nscale=2",
        "sr\nscale=4\nreduction=average",
        "deblur\nkernel=gauss:1.6",
        "deblur\nkernel=motion:15,30",
        "deblur\nkernel=uniform:9\nform=svd",
        "deblur\nkernel=random:7,0.5,1",
        "deblur\nkernel=disc:2.5",
        "deblur,sr\nkernel=gauss:1\nscale=2",
        "colorize",
        "cs\nratio=0.25",
        "jpeg\njpeg_quality=30",
        "deblur,denoise,jpeg\nkernel=gauss:1\njpeg_quality=30",
    ]
    for i, task in enumerate(tasks):
        write("degradation", f"{i}.txt", task)


if __name__ == "__main__":
    pictures()
    checkpoints()
    arrays()
    texts()
