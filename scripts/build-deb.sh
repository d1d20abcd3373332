#!/usr/bin/env bash
# Builds the Debian package into target/debian.
#
# usage: build-deb.sh [PROFILE]     PROFILE: release (default), or dev, which is built sooner
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-release}
target=${CARGO_TARGET_DIR:-$PWD/target}
[[ $target == /* ]] || target=$PWD/$target
folder=$profile
[[ $profile == dev ]] && folder=debug

echo "    the server ($profile)"
cargo build --quiet --locked --package shardcast --profile "$profile"
binary=$target/$folder/shardcast

# Beside the program, which is where cargo-deb looks for what was built.
echo "    man pages and completions"
made=$target/$folder/package
rm -rf "$made"
mkdir -p "$made/man"
"$binary" man --dir "$made/man"
for shell in bash zsh fish; do
    "$binary" completions "$shell" >"$made/shardcast.$shell"
done

echo "    the package"
mkdir -p "$target/debian"
PATH=$target/tools/bin:$PATH cargo-deb --quiet --no-build --locked --profile "$profile" \
    --output "$target/debian/"
ls "$target"/debian/*.deb
