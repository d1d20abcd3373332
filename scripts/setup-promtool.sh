#!/usr/bin/env bash
# Puts promtool, of Debian's package of Prometheus, into the target folder: nothing is installed, and no
# server started. Does nothing when it is there, or in the path.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target
tools=$target/tools/bin

! command -v promtool >/dev/null || exit 0
[[ ! -x $tools/promtool ]] || exit 0
echo "    promtool into $tools"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -o APT::Sandbox::User=root download -qq prometheus || {
    ((EUID == 0)) && apt-get update -qq && apt-get -o APT::Sandbox::User=root download -qq prometheus
}
dpkg-deb --extract prometheus_*.deb "$folder/package"
install -D "$folder/package/usr/bin/promtool" "$tools/promtool"
