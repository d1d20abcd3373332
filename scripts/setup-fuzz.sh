#!/usr/bin/env bash
# Installs what fuzzing needs and the rest of the tests do not: cargo-fuzz at a pinned version into the
# target folder, and a nightly toolchain if there is none, as sanitizers are not stable. Where none can
# be had, fuzz.sh makes do with the stable one.
# Does nothing when both are there.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.13.2
target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target
tools=$target/tools

cargo +nightly --version >/dev/null 2>&1 || {
    echo "    rustup toolchain install nightly"
    rustup toolchain install nightly --profile minimal --no-self-update >/dev/null 2>&1 ||
        echo "    none to be had: the stable one it is"
}
if [[ ! -x $tools/bin/cargo-fuzz || $("$tools/bin/cargo-fuzz" --version) != "cargo-fuzz $version" ]]; then
    echo "    cargo install cargo-fuzz $version into $target/tools"
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
        cargo install --quiet --locked --force "cargo-fuzz@$version" --root "$tools" \
        --target-dir "$tools/build"
    rm -rf "$tools/build"
fi
