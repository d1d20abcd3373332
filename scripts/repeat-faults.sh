#!/usr/bin/env bash
# Runs the tests of faults again and again, and tells how often all of them passed and, in medians of
# the runs, how long the bystanders of each row waited. A run in which the host stole a tenth of the
# cores' time from a row is left out of that row's medians. Ends with a status other than 0 where a run
# failed.
#
# usage: repeat-faults.sh RUNS
set -euo pipefail
cd "$(dirname "$0")/.."
runs=$1
logs=${CARGO_TARGET_DIR:-target}/faults
rm -rf "$logs"
mkdir -p "$logs"

passed=0
for ((run = 1; run <= runs; run++)); do
    if make test-faults >"$logs/$run.log" 2>&1; then
        passed=$((passed + 1))
        echo "    run $run: passed"
    else
        echo "    run $run: FAILED, see $logs/$run.log" >&2
    fi
done
echo "    $passed of $runs runs passed"


# What a row prints, somewhere in a line, as: row, quiet p99, p99 in trouble, longest, and what was
# stolen in quiet and in trouble.
any='[0-9.]+'
figure="($any)"
line="(r[0-9][0-9a-z-]*): bystanders quiet p50 $any p99 $figure ms, in trouble p50 $any p99 $figure ms"
line+=", $any times, at most $figure ms, $any events; stolen $figure and $figure %"
echo
echo 'row             runs   quiet p99, ms   p99 in trouble, ms   times   longest, ms'
sed -nE "s/.*$line.*/\1 \2 \3 \4 \5 \6/p" "$logs"/*.log | awk '
    function median(what, row, count,    list, at, other, value) {
        for (at = 1; at <= count; at++) {
            value = values[what, row, at]
            for (other = at - 1; other && list[other] > value; other--)
                list[other + 1] = list[other]
            list[other + 1] = value
        }
        return (list[int((count + 1) / 2)] + list[int(count / 2) + 1]) / 2
    }
    { runs[$1] += 0 }
    $5 < 10 && $6 < 10 {
        run = ++runs[$1]
        for (what = 2; what <= 4; what++)
            values[what, $1, run] = $what + 0
    }
    END {
        for (row in runs) {
            if (!runs[row]) {
                printf "%-14s %5d\n", row, 0
                continue
            }
            for (what = 2; what <= 4; what++)
                of[what] = median(what, row, runs[row])
            printf "%-14s %5d %15.1f %20.1f %7.1f %13.1f\n", row, runs[row], of[2], of[3], \
                of[3] / of[2], of[4]
        }
    }' | sort -k1,1
((passed == runs))
