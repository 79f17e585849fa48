#!/usr/bin/env bash
# Makes all icons from fdgr.svg. Needs rsvg-convert (librsvg2-bin) and Python with Pillow.
set -euo pipefail
cd "$(dirname "$0")"
for size in 16 24 32 48 64 128 256 512; do
    rsvg-convert --width "$size" --height "$size" fdgr.svg --output "$size.png"
done
# Icons of macOS keep a margin of about a tenth on each side.
margin="$(mktemp --suffix .png)"
rsvg-convert --width 824 --height 824 --page-width 1024 --page-height 1024 --left 100 --top 100 fdgr.svg --output "$margin"
python3 - "$margin" <<'PY'
import sys
from PIL import Image

sizes = [16, 24, 32, 48, 64, 128, 256]
small = [Image.open(f"{size}.png").convert("RGBA") for size in sizes]
small[-1].save("fdgr.ico", sizes=[(size, size) for size in sizes], append_images=small[:-1])
Image.open(sys.argv[1]).convert("RGBA").save("fdgr.icns")
PY
rm "$margin"
