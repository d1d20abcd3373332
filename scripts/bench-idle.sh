#!/usr/bin/env bash
# Builds and starts the optimised server, opens 20,000 idle subscribed connections, or as many as
# the limit on open files allows, and prints what each costs it in memory of its own. Ends with a
# status other than 0 when that is more than 2,048 bytes.
set -euo pipefail
release=$1
cargo build --release --locked --package shardcast --package shardcast-loadtest
# Files that are no connections, in the server and in the load tester.
other_files=200
connections=20000
limit=$(ulimit -Hn)
ulimit -n "$limit"
if [[ $limit != unlimited ]] && ((connections > limit - other_files)); then
    connections=$((limit - other_files))
    echo "a process may have $limit files open: $connections connections instead of 20000"
fi
output=$(mktemp)
"$release/shardcast" start --port 0 --shards 2 >"$output" &
server=$!
trap 'kill "$server"; rm -f "$output"' EXIT
until grep -q 'ws://' "$output"; do
    kill -0 "$server"
    read -rt 0.05 <> <(:) || true
done
url=$(grep -o 'ws://[^/]*' "$output" | head -n 1)
"$release/shardcast-loadtest" idle --url "$url" --server-pid "$server" \
    --connections "$connections" --limit-bytes 2048
