#!/bin/bash
# race.sh - Gnomon, VictoriaMetrics and Prometheus, one after the other, on the same machine and the same bytes.
#
# usage: race.sh WORKDIR REPLICAS STEPS CONTESTANT...      CONTESTANT: gnomon | victoriametrics | prometheus
#   310 24   about a million series, 24 samples each;   32 100   about 100,000 series, 100 samples each
# env: GNOMON, VICTORIAMETRICS, PROMETHEUS  programs (build/release/gnomon; from PATH)
#      CORPUS   file of real series (bench/README.md); without it 3,260 synthetic ones
#      STEP_MS (15000), CONNECTIONS (8), QUERIES (bench/queries.txt; 0 = none)
# Prints per contestant: ingest of new and of known series, memory, queries (median of 5, ms), restart after
# kill -9 and after a clean stop, bytes on disk.  Server CPU is what the operating system counted.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
[ $# -ge 4 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2; }
work=$1 replicas=$2 steps=$3; shift 3
: "${STEP_MS:=15000}" "${CONNECTIONS:=8}" "${QUERIES:=$here/queries.txt}" "${CORPUS:=synthetic:3260}"
: "${GNOMON:=$root/build/release/gnomon}" "${VICTORIAMETRICS:=victoria-metrics}" "${PROMETHEUS:=prometheus}"
make -s -C "$root" VARIANT=release build/release/tool_rwgen build/release/tool_rwreplay build/release/gnomon >/dev/null || exit 2
gen=$root/build/release/tool_rwgen replay=$root/build/release/tool_rwreplay
mkdir -p "$work"; cd "$work" || exit 2

end_ms=$(($(date +%s) * 1000)); begin_ms=$((end_ms - steps * STEP_MS))
"$gen" "$CORPUS" new.bin "$replicas" 1 2000 $begin_ms "$STEP_MS" 2>/dev/null || exit 2
"$gen" "$CORPUS" known.bin "$replicas" $((steps - 1)) 2000 $((begin_ms + STEP_MS)) "$STEP_MS" 2>gen.log || exit 2
cat gen.log
series=$(sed -nE 's/^series=([0-9]+).*/\1/p' gen.log)
per_step=$(((series + 1999) / 2000))

now_ms() { echo $(($(date +%s%N) / 1000000)); }

start() { # start NAME: sets pid and port, prints the time to ready
    case $1 in
    gnomon) port=18427 ready=/-/ready
        "$GNOMON" --storage.path="$data" --web.listen-address=127.0.0.1:$port --storage.retention.time=0 >>"$data.log" 2>&1 & ;;
    victoriametrics) port=18428 ready=/health
        "$VICTORIAMETRICS" -storageDataPath="$data" -httpListenAddr=127.0.0.1:$port -retentionPeriod=100y -search.latencyOffset=0s \
            -search.maxUniqueTimeseries=5000000 -search.maxSeries=5000000 >>"$data.log" 2>&1 & ;;
    prometheus) port=18430 ready=/-/ready
        echo 'global: {scrape_interval: 1h}' >"$data.yml"
        "$PROMETHEUS" --config.file="$data.yml" --storage.tsdb.path="$data" --web.listen-address=127.0.0.1:$port \
            --web.enable-remote-write-receiver --query.max-samples=500000000 --log.level=error >>"$data.log" 2>&1 & ;;
    *) echo "race.sh: unknown contestant $1" >&2; return 1 ;;
    esac
    pid=$!; local begin; begin=$(now_ms)
    while ! curl -sf -o /dev/null "http://127.0.0.1:$port$ready"; do
        sleep 0.02; kill -0 $pid 2>/dev/null || { tail -n 5 "$data.log"; return 1; }
    done
    echo "ready_ms=$(($(now_ms) - begin))"
}

memory() { awk '/VmRSS|VmHWM/ {printf "%s %.0f MiB  ", $1, $2 / 1024} END {print ""}' /proc/$pid/status; }

for name in "$@"; do
    data=$work/data-$name; rm -rf "$data" "$data".*; mkdir -p "$data"
    echo "== $name"
    start "$name" || continue
    printf '  new series   '; "$replay" new.bin 127.0.0.1 $port /api/v1/write "$CONNECTIONS" $pid $per_step
    printf '  known series '; "$replay" known.bin 127.0.0.1 $port /api/v1/write "$CONNECTIONS" $pid $per_step
    [ "$name" != victoriametrics ] || curl -s "http://127.0.0.1:$port/internal/force_flush"
    sleep 5
    rss=$(awk '/VmRSS/ {print $2 * 1024}' /proc/$pid/status)
    printf '  memory       '; memory | tr -d '\n'; echo "bytes_per_series=$((rss / series))"
    if [ "$QUERIES" != 0 ]; then
        python3 "$here/time_queries.py" $port $end_ms "$QUERIES"
        printf '  after queries '; memory
    fi
    kill -9 $pid; wait $pid 2>/dev/null
    printf '  after kill -9 '; start "$name" || continue
    curl -s "http://127.0.0.1:$port/api/v1/query" --data-urlencode 'query=count({__name__!=""})' -d "time=$((end_ms / 1000))" |
        head -c 300; echo
    kill $pid; wait $pid 2>/dev/null
    printf '  after a clean stop '; start "$name" || continue
    kill $pid; wait $pid 2>/dev/null
    echo "  disk_bytes=$(du -sb "$data" | cut -f1)"
done
