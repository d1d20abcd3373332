#!/usr/bin/env bash
# Checks the programs that this repository needs and installs what is missing from Debian's packages
# (as root, or with sudo). Quick and silent when everything is there.
#
# usage: setup-system.sh [build|test|package]     build: to build the server; test (default): for the
#                                                 tests too; package: for those of the package
set -euo pipefail

purpose=${1:-test}
missing=()
want() { # want PACKAGE COMMAND...: the package is missing when the command fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

node_is_recent() { node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'; }

install_missing() {
    echo "    installing with apt: ${missing[*]}"
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || {
            echo "error: not root and no sudo; install by hand: ${missing[*]}" >&2
            exit 1
        }
        as_root=(sudo)
    fi
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

cargo --version >/dev/null 2>&1 || {
    echo "error: the Rust toolchain is missing; see https://rustup.rs" >&2
    exit 1
}

want gcc cc --version
want libc6-dev test -e /usr/include/stdlib.h
want make make --version
# taskset: keeps servers and load tester apart in measurements.
want util-linux taskset --version
# The build script of glommio calls git, and fails without it even where it has nothing to do.
want git git --version
want ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
if [[ $purpose == test ]]; then
    want nodejs node_is_recent
    want npm npm --version
    want python3 python3 --version
    want valgrind valgrind --version
    # libFuzzer is C++.
    want g++ c++ --version
    # The web builds of the clients run in it, without a window.
    want chromium test -x /usr/bin/chromium
    # Lines that are cut, and clocks that are wrong, in the tests of faults.
    want iproute2 ip -V
    want nftables nft --version
    want faketime faketime --version
    # systemd-analyze judges the unit of deploy/.
    want systemd systemd-analyze --version
    want python3-venv python3 -c 'import ensurepip, venv'
fi
if [[ $purpose == package ]]; then
    want debootstrap test -x /usr/sbin/debootstrap
    want runc runc --version
    want systemd systemd-analyze --version
    want python3-venv python3 -c 'import ensurepip, venv'
    want libc-bin ldd --version
fi

if ((${#missing[@]})); then
    install_missing
fi

if [[ $purpose == test ]]; then
    node_is_recent || {
        echo "error: Node 18 or later is needed, found $(node --version 2>&1 || true)" >&2
        exit 1
    }
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
fi
