#!/usr/bin/env bash
# Installs the cargo tools that the tests use into the target folder, each at a pinned version.
#
# usage: setup-cargo-tools.sh [package]     package: what makes the Debian package, and nothing else
# Built without optimisation: that takes a quarter of the time, and a check of a second does not care.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo_deny_version=0.20.2
cargo_deb_version=3.8.0

target=${CARGO_TARGET_DIR:-target}
tools=$PWD/$target/tools
[[ $target == /* ]] && tools=$target/tools

# The build folder is removed afterwards: it is of no use once the program is there.
install() { # install CRATE VERSION
    [[ -x $tools/bin/$1 && $("$tools/bin/$1" --version) == "$1 $2" ]] && return
    echo "    cargo install $1 $2 into $target/tools"
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_STRIP=true \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
        cargo install --quiet --locked --force "$1@$2" --root "$tools" --target-dir "$tools/build"
    rm -rf "$tools/build"
}

case ${1:-} in
    package) install cargo-deb "$cargo_deb_version" ;;
    *) install cargo-deny "$cargo_deny_version" ;;
esac
