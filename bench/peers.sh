#!/bin/sh
# peers.sh - builds what Gnomon is raced beside, into a cache outside the tree.  The one place of versions.
#
# Prometheus comes from its Go module; PROMETHEUS=path uses that program instead.  VictoriaMetrics is no module to be
# had this way: VICTORIAMETRICS=path, or Debian's package victoria-metrics.
set -eu
PROMETHEUS_VERSION=v0.315.0 # of the module; the program calls itself 3.15.0

cache=${XDG_CACHE_HOME:-$HOME/.cache}/gnomon-peers
if [ -z "${PROMETHEUS-}" ] && [ ! -x "$cache/prometheus-$PROMETHEUS_VERSION" ]; then
    if ! command -v go >/dev/null; then
        echo "peers.sh: no Go here, so no Prometheus is built; PROMETHEUS=path names one" >&2
        exit 0
    fi
    # `go install` refuses modules with replace directives: built from a module of its own.
    echo "building Prometheus $PROMETHEUS_VERSION into $cache (some minutes, once)"
    mkdir -p "$cache/module"
    cd "$cache/module"
    [ -f go.mod ] || go mod init peers >/dev/null 2>&1
    go get "github.com/prometheus/prometheus/cmd/prometheus@$PROMETHEUS_VERSION"
    go build -mod=mod -o "$cache/prometheus-$PROMETHEUS_VERSION" github.com/prometheus/prometheus/cmd/prometheus
fi
command -v "${VICTORIAMETRICS:-victoria-metrics}" >/dev/null ||
    echo "peers.sh: no VictoriaMetrics; install Debian's victoria-metrics or name one with VICTORIAMETRICS=path" >&2
