#!/usr/bin/env bash
# Starts the optimised server, opens 10,000 idle subscribed connections and prints what each costs
# it in memory of its own. Ends with a status other than 0 when that is more than 6 KiB.
set -euo pipefail
release=$1
cargo build --release --locked --quiet --package shardcast-loadtest
ulimit -n "$(ulimit -Hn)"
output=$(mktemp)
"$release/shardcast" start --port 0 --shards 2 >"$output" &
server=$!
trap 'kill "$server"; rm -f "$output"' EXIT
until grep -q 'ws://' "$output"; do
    kill -0 "$server"
    read -rt 0.05 <> <(:) || true
done
url=$(grep -o 'ws://[^/]*' "$output" | head -n 1)
"$release/shardcast-loadtest" idle --url "$url" --server-pid "$server" --connections 10000
