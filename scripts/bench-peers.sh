#!/usr/bin/env bash
# Measures the optimised server beside the floor, and beside whatever else it is told of, through
# the loads of `shardcast-loadtest suite`. What follows the first argument goes to that program.
#
# usage: bench-peers.sh RELEASE_DIRECTORY [ARGUMENT...]
set -euo pipefail
release=$1
shift
cargo build --release --locked --package shardcast --package shardcast-floor \
    --package shardcast-loadtest
# The floor has no signatures, no limits, no presence and no events of clients.
exec "$release/shardcast-loadtest" suite \
    --server "floor=$release/shardcast-floor {port}" \
    --skip floor:publish,client-events,presence \
    --server "shardcast=$release/shardcast start --config benches/peers.toml --port {port} --shards 1 --cores {core}" \
    "$@"
