#!/bin/sh
# peer.sh ENGINE WORKLOAD FILE [options]: one measurement, pinned to core $CPU (0), killed
# after $KILL seconds (400), with a heap of $HEAP (6g); see peers.Main for the options. Prints one JSON line.
cd "$(dirname "$0")" || exit 1
OPENS="--add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED"
PIN=
command -v taskset >/dev/null && PIN="taskset -c ${CPU:-0}"
# shellcheck disable=SC2086 # lists of words
exec timeout "${KILL:-400}" $PIN "${JAVA:-java}" "-Xms${HEAP:-6g}" "-Xmx${HEAP:-6g}" -XX:+UseSerialGC -XX:MarkSweepAlwaysCompactCount=1 $OPENS \
    -cp 'target/classes:target/lib/*' peers.Main "$@" 2>>"${LOG:-/dev/null}"
