#!/usr/bin/env bash
# Builds the program, tries it, and makes its packages in dist/: an archive and a bill of materials everywhere, a .deb and an
# AppImage on Linux, a .dmg on macOS, installers on Windows. FDGR_SKIP_BUILD=1 takes target/release/fdgr as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO_ABOUT=0.9.3
CARGO_CYCLONEDX=0.5.9
CARGO_DEB=3.8.0
CARGO_PACKAGER=0.11.8

target="$(rustc -vV | sed -n 's/^host: //p')"
version="$(cargo pkgid --locked | sed 's/.*[#@]//')"
name="fdgr-$version-$target"
work="$PWD/target/packaging"
program="$PWD/target/release/fdgr"
case "$target" in *-windows-*) program="$program.exe" ;; esac
rm -rf dist "$work/stage" "$work/made"
mkdir -p dist "$work/stage/$name" "$work/made"
export PATH="$work/tools/bin:$PATH"

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

# Installs a tool of crates.io that is not there yet.
tool() { command -v "$1" >/dev/null || cargo install --quiet --locked --root "$work/tools" ${3:+--features "$3"} "$1@$2"; }

# Fails unless the program restores its sample.
try() {
    rm -rf "$work/demo"
    "$@" --version
    "$@" demo --device cpu --output "$work/demo" >"$work/demo.txt" || { cat "$work/demo.txt"; return 1; }
    tail -n 3 "$work/demo.txt"
    [ -s "$work/demo/restored.png" ]
}

if [ -z "${FDGR_SKIP_BUILD:-}" ]; then
    step build
    # The oldest macOS with all that Metal needs; no runtime library to be installed on Windows.
    export MACOSX_DEPLOYMENT_TARGET=11.0
    case "$target" in *-windows-msvc) export RUSTFLAGS="-C target-feature=+crt-static" ;; esac
    cargo build --release --locked --bin fdgr
fi
step try
try "$program"

step licences and bill of materials
tool cargo-about "$CARGO_ABOUT" cli
cargo about generate --locked --target "$target" -c packaging/about.toml packaging/about.hbs -o "$work/THIRD-PARTY.txt"
tool cargo-cyclonedx "$CARGO_CYCLONEDX"
cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --override-filename "$name.cdx"
mv "$name.cdx.json" "$work/all.cdx.json"
# It writes one for each crate of the repository.
rm -f assets/prior/*/"$name.cdx.json"
cargo tree --locked --target "$target" --edges normal,build --prefix none --format '{p}' >"$work/tree.txt"
jq --rawfile tree "$work/tree.txt" --from-file packaging/sbom.jq "$work/all.cdx.json" >"dist/$name.cdx.json"

step archive
cp "$program" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE assets/prior/ATTRIBUTION.md "$work/THIRD-PARTY.txt" "$work/stage/$name"
case "$target" in
    *-windows-*) (cd "$work/stage" && 7z a -bd -bso0 "$OLDPWD/dist/$name.zip" "$name") ;;
    *) tar -C "$work/stage" -czf "dist/$name.tar.gz" "$name" ;;
esac

packages() {
    tool cargo-packager "$CARGO_PACKAGER"
    cargo packager --release --formats "$1" --out-dir "$work/made"
}

case "$target" in
    *-linux-*)
        step deb
        tool cargo-deb "$CARGO_DEB"
        cargo deb --no-build --no-strip --locked --output dist/
        deb="$(echo dist/*.deb)"
        step AppImage
        packaging/appimage.sh "$deb" "dist/$name.AppImage"
        try env APPIMAGE_EXTRACT_AND_RUN=1 "dist/$name.AppImage"
        ;;
    *-apple-*)
        step dmg
        packages dmg
        mv "$work"/made/*.dmg "dist/$name.dmg"
        hdiutil attach -quiet -nobrowse -mountpoint "$work/mounted" "dist/$name.dmg"
        codesign --verify --deep --strict "$work/mounted/fdgr.app"
        try "$work/mounted/fdgr.app/Contents/MacOS/fdgr"
        hdiutil detach -quiet "$work/mounted"
        ;;
    *-windows-*)
        step installers
        packages nsis,wix
        mv "$work"/made/*-setup.exe "dist/$name-setup.exe"
        mv "$work"/made/*.msi "dist/$name.msi"
        MSYS_NO_PATHCONV=1 "dist/$name-setup.exe" /S
        try "$(cygpath "$LOCALAPPDATA")/fdgr/fdgr.exe"
        ;;
esac
step "done"
ls -l dist
