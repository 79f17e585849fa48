#!/usr/bin/env bash
# Installs a package in a fresh, minimal Debian or Ubuntu, and runs it there. Needs root, debootstrap and APT's own sources.
# Usage: check-deb.sh PACKAGE [SUITE]; without SUITE it is the stable one of Debian, or the release of this Ubuntu.
set -euo pipefail

package="$(realpath "$1")"
# shellcheck source=/dev/null
. /etc/os-release
if [ "$ID" = debian ]; then suite=stable; else suite="$VERSION_CODENAME"; fi
suite="${2:-$suite}"

# The archive that this computer's packages come from, whichever form its list of sources has.
# shellcheck disable=SC2016
mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Origin: ${ID^}" "Label: ${ID^}" | sort -u | sed -n 1p)"
case "$mirror" in
    mirror+file:*) mirror="$(grep -om1 'https\?://[^[:space:]]*' "${mirror#mirror+file:}")" ;;
esac
[ -n "$mirror" ] || { echo "check-deb.sh: APT has no source of ${ID^}" >&2; exit 1; }

root="$(mktemp --directory)"
chmod 755 "$root"
cleanup() {
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap cleanup EXIT
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail "$root.log" >&2; exit 1; }
rm "$root.log"
mount -t proc proc "$root/proc"

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
# Proxies and the like; whatever names a file of this computer is left out.
apt-config dump Acquire | grep -v '"/' >"$root/etc/apt/apt.conf.d/99host" || true
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$package" "$root/tmp/fdgr.deb"

apt() { inside apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }
apt update
apt install --no-install-recommends /tmp/fdgr.deb >/dev/null
inside fdgr --version
# What serves the window is installed by default: it must exist in this release, too.
for recommended in $(dpkg-deb --field "$package" Recommends | sed 's/ *|[^,]*//g; s/,/ /g'); do
    inside apt-cache show "$recommended" >/dev/null || { echo "check-deb.sh: $suite has no $recommended" >&2; exit 1; }
done
[ -n "${FDGR_SKIP_DEMO:-}" ] || inside sh -c 'cd /tmp && fdgr demo --device cpu --output demo && ls -l demo'
apt remove fdgr >/dev/null
[ ! -e "$root/usr/bin/fdgr" ]
echo "check-deb.sh: $(basename "$package") works on $suite"
