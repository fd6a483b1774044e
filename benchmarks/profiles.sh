#!/bin/sh
# profiles.sh BINARY OUT: runs W1 to W10 on one core under the profiler, engine-only and
# from JSON text, and writes what takes CPU time and what allocates, a page a workload,
# into the folder OUT. With PROFILES set, the profiles there are summarized and nothing is
# run.
set -e
binary=$1 out=$2
top() { # profile, sample, lines
    go tool pprof -top -nodecount="$3" -sample_index="$2" "$1" 2>/dev/null | grep -v -e '^File:' -e '^Build ID:' -e '^Time:' -e '^Showing' -e '^Dropped'
}
mkdir -p "$out"
if [ -z "$PROFILES" ]; then
    PROFILES=$(mktemp -d)
    trap 'rm -rf "$PROFILES"' EXIT
    "$binary" bench --cores 1 --mode engine --mode json --no-latency --seconds 4 --profile "$PROFILES" | tee "$out/rates.txt"
fi
for engine in "$PROFILES"/*-engine-1.cpu.pprof; do
    name=$(basename "$engine" -engine-1.cpu.pprof)
    for mode in engine json; do
        echo "== $name, $mode, CPU"
        top "$PROFILES/$name-$mode-1.cpu.pprof" cpu 25
        echo
        echo "== $name, $mode, bytes allocated"
        top "$PROFILES/$name-$mode-1.allocs.pprof" alloc_space 12
        echo
    done >"$out/$name.txt"
done
