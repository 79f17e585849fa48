#!/usr/bin/env bash
# Screenshots of the real window for the README, and how fast it starts and how much memory it takes: a program on a virtual
# screen, driven by mouse and keys.
#
#   benches/window.sh [FOLDER]        (needs xvfb, xdotool and imagemagick; pictures go to FOLDER, by default assets)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-assets}
fdgr=${CARGO_TARGET_DIR:-target}/release/fdgr
desk=$(mktemp -d)
export DISPLAY=:97 XDG_DATA_HOME="$desk/data" XDG_RUNTIME_DIR="$desk"
Xvfb "$DISPLAY" -screen 0 1280x800x24 >/dev/null 2>&1 &
screen=$!
trap 'kill $window $screen 2>/dev/null || true; rm -rf "$desk"' EXIT
sleep 1

samples=assets/samples
"$fdgr" degrade $samples/21_citrus.png -o "$desk/fruit.png" --task deblur --kernel motion:15,30 --sigma 0.01 >/dev/null
"$fdgr" degrade $samples/10_otter.png -o "$desk/otter.png" --task denoise --sigma 0.1 >/dev/null
"$fdgr" degrade $samples/07_blue_flowers.png -o "$desk/flowers.png" --task sr --scale 2 >/dev/null

begun=$(date +%s%N)
"$fdgr" window "$desk/fruit.png" "$desk/otter.png" "$desk/flowers.png" 2>"$desk/log" &
window=$!
until id=$(xdotool search --onlyvisible --name fdgr 2>/dev/null | head -1) && [ -n "$id" ] &&
    [ "$(import -window root -depth 8 -format '%k' info: 2>/dev/null)" -gt 50 ]; do
    kill -0 $window || { cat "$desk/log"; exit 1; }
    sleep 0.02
done
echo "first frame after $((($(date +%s%N) - begun) / 1000000)) ms"
xdotool windowmove "$id" 0 0 windowfocus "$id"
sleep 6
echo "memory idle with three photos of 256x256: $(awk '/VmRSS/ { print int($2 / 1000) }' /proc/$window/status) MB"
xdotool mousemove 560 400 key ctrl+r
sleep 8
import -window root "$out/window.png"
xdotool key Next
sleep 5
xdotool key ctrl+r
sleep 8
xdotool key l mousemove 470 330
sleep 1
import -window root "$out/window-lens.png"
echo "$out/window.png, $out/window-lens.png"
