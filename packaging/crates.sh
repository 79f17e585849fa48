#!/usr/bin/env bash
# Packages the crates as crates.io would get them, into target/package, and fails where one is too large. With --try it also builds the
# published form, without the repository around it, and runs its demo.
set -euo pipefail
cd "$(dirname "$0")/.."

# crates.io refuses more than 10 MiB; a tenth of it is for growth.
LIMIT=$((9 * 1024 * 1024))

rm -rf target/package
log="$(mktemp)"
cargo package --target-dir target --workspace --no-verify --locked --allow-dirty 2>"$log" || { cat "$log" >&2; exit 1; }
rm "$log"
for crate in target/package/*.crate; do
    size="$(wc -c <"$crate")"
    printf '%9d bytes  %s\n' "$size" "$(basename "$crate")"
    [ "$size" -le "$LIMIT" ] || { echo "crates.sh: $crate is larger than $LIMIT bytes" >&2; exit 1; }
done
[ "$(find target/package -maxdepth 1 -name '*.crate' | wc -l)" -eq 4 ] || { echo "crates.sh: there should be four crates" >&2; exit 1; }

[ "${1:-}" = --try ] || exit 0
place="$(mktemp --directory)"
trap 'rm -rf "$place"' EXIT
for crate in target/package/*.crate; do tar -C "$place" -xzf "$crate"; done
patches=()
for part in 1 2 3; do
    patches+=(--config "patch.crates-io.fdgr-prior-photo-$part.path='$(echo "$place/fdgr-prior-photo-$part-"*)'")
done
program="$(echo "$place"/fdgr-[0-9]*)"
CARGO_TARGET_DIR="$PWD/target" cargo build --release --manifest-path "$program/Cargo.toml" "${patches[@]}"
(cd "$place" && "$OLDPWD/target/release/fdgr" demo --device cpu)
