#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some seconds, as many at once as there are cores, from the
# inputs in fuzz/corpus and what earlier runs have found out. Ends with a status other than 0 where one
# found something, and says which input that was.
#
# usage: fuzz.sh SECONDS [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target
build=$target/fuzz
export PATH=$target/tools/bin:$PATH
# Another RUSTFLAGS would be taken for all of it; a build of the rest of the project has no part in it.
unset CARGO_TARGET_DIR RUSTFLAGS

# Sanitizers are not stable. Where there is no nightly, the stable toolchain is told to take them.
nightly=(cargo +nightly)
"${nightly[@]}" --version >/dev/null 2>&1 || nightly=(env RUSTC_BOOTSTRAP=1 cargo)

# The build below has no such flag.
"${nightly[@]}" metadata --locked --manifest-path fuzz/Cargo.toml --format-version 1 >/dev/null || {
    echo "error: fuzz/Cargo.lock is behind; cargo +nightly update --workspace --manifest-path" \
        "fuzz/Cargo.toml mends it" >&2
    exit 1
}
"${nightly[@]}" fuzz build --fuzz-dir fuzz --target-dir "$build" 2>"$build.log" || {
    cat "$build.log" >&2
    exit 1
}
mapfile -t targets < <((($#)) && printf '%s\n' "$@" || "${nightly[@]}" fuzz list --fuzz-dir fuzz)

run() { # run TARGET: its output stands in a log, of which the end is shown where it fails
    local name=$1 found=$build/corpus/$1 finds=$build/finds/$1
    local program=$build/x86_64-unknown-linux-gnu/release/$1
    local dictionary=()
    [[ -f fuzz/dictionaries/$name.dict ]] && dictionary=("-dict=fuzz/dictionaries/$name.dict")
    mkdir -p "$found" "$finds"
    if "$program" "$found" "fuzz/corpus/$name" "${dictionary[@]}" -max_total_time="$seconds" \
        -timeout=10 -rss_limit_mb=2048 -max_len=4096 -artifact_prefix="$finds/" \
        -print_final_stats=1 >"$build/$name.log" 2>&1; then
        awk -v name="$name" '/number_of_executed_units/ { print "    " name ": " $2 " runs" }' \
            "$build/$name.log"
    else
        tail -n 60 "$build/$name.log" >&2
        echo "error: $name found an input: see above" >&2
        return 1
    fi
}

failed=0
running=0
for name in "${targets[@]}"; do
    if ((running == $(nproc))); then
        wait -n || failed=1
        running=$((running - 1))
    fi
    run "$name" &
    running=$((running + 1))
done
while ((running)); do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
