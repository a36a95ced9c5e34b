#!/bin/sh
# senders.sh - builds the programs that tests/e2e runs beside Gnomon, from their Go modules; what is there stays.
#
# usage: senders.sh [prometheus|alertmanager|node_exporter|thanos|k6|otelcol|telegraf|traefik|blackbox_exporter|shop|flask]...   (default: all)
# Into ~/.cache/gnomon-senders/bin (SENDERS=DIR), where the tests look before PATH.  All of it takes half an hour
# on two cores and 10 GB; Go 1.24 or later.  The versions are those that the tests were written against.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
dir=${SENDERS:-$HOME/.cache/gnomon-senders}
mkdir -p "$dir/bin"
dir=$(cd "$dir" && pwd)
[ $# -gt 0 ] || set -- prometheus alertmanager node_exporter thanos k6 otelcol telegraf traefik blackbox_exporter shop flask

prometheus=v0.315.0        # 3.15
alertmanager=v0.31.1       # later modules lack the built web page
node_exporter=v1.12.1
thanos=v0.42.2
k6=v1.8.1
otelcol=v0.164.0
telegraf=v1.37.2
traefik=v3.6.12
flask=3.1.2
flask_exporter=0.23.2

# `go install` refuses modules with replace directives: each program is built from a scratch module.
build() { # build NAME VERSION PACKAGE...: packages of one module
    name=$1 version=$2; shift 2
    [ ! -x "$dir/bin/$name" ] || return 0
    mkdir -p "$dir/module-$name"; cd "$dir/module-$name"
    [ -f go.mod ] || go mod init senders >/dev/null 2>&1
    for r in ${REPLACE-}; do go mod edit -replace "$r"; done
    for p in "$@"; do go get ${TAGS:+-tags="$TAGS"} "$p@$version"; done
    go build -mod=mod ${TAGS:+-tags="$TAGS"} -o "$dir/bin/" "$@"
}

# The collector with what the test needs of it, by the collector's own builder.
build_otelcol() {
    [ ! -x "$dir/bin/otelcol" ] || return 0
    build builder "$otelcol" go.opentelemetry.io/collector/cmd/builder
    mkdir -p "$dir/module-otelcol"; cd "$dir/module-otelcol"
    cat >builder.yml <<END
dist: {name: otelcol, output_path: $dir/module-otelcol/dist}
receivers:
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver $otelcol
exporters:
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter $otelcol
END
    "$dir/bin/builder" --config builder.yml
    cp dist/otelcol "$dir/bin/otelcol"
}

# No module of it can be had: Debian's package, unpacked and not installed.
unpack_blackbox_exporter() {
    [ ! -x "$dir/bin/blackbox_exporter" ] || return 0
    mkdir -p "$dir/deb"; cd "$dir/deb"
    apt-get download prometheus-blackbox-exporter
    dpkg -x prometheus-blackbox-exporter_*.deb .
    cp usr/bin/prometheus-blackbox-exporter "$dir/bin/blackbox_exporter"
}

for program in "$@"; do
    case $program in
    prometheus) build prometheus $prometheus github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool ;;
    alertmanager) build alertmanager $alertmanager github.com/prometheus/alertmanager/cmd/alertmanager ;;
    node_exporter) build node_exporter $node_exporter github.com/prometheus/node_exporter ;;
    # Replacements of modules that moved, as in Thanos' own go.mod.
    thanos) REPLACE='github.com/sercand/kuberesolver/v4=github.com/sercand/kuberesolver/v5@v5.1.1
        capnproto.org/go/capnp/v3=capnproto.org/go/capnp/v3@v3.0.0-alpha.30
        gopkg.in/alecthomas/kingpin.v2=github.com/alecthomas/kingpin@v1.3.8-0.20210301060133-17f40c25f497
        zenhack.net/go/util=github.com/zenhack/go-util@v0.0.0-20231005031245-66f5419c2aea
        github.com/bradfitz/gomemcache=github.com/themihai/gomemcache@v0.0.0-20180902122335-24332e2d58ab
        github.com/vimeo/galaxycache=github.com/thanos-community/galaxycache@v0.0.0-20211122094458-3a32041a1f1e' \
        build thanos $thanos github.com/thanos-io/thanos/cmd/thanos ;;
    k6) build k6 $k6 go.k6.io/k6 ;;
    otelcol) build_otelcol ;;
    # Telegraf's own tags for a build with chosen plugins.
    telegraf) TAGS=custom,inputs.file,parsers.influx,outputs.http,serializers.prometheusremotewrite \
        build telegraf $telegraf github.com/influxdata/telegraf/cmd/telegraf ;;
    # Replacements of modules that moved, as in Traefik's own go.mod.
    traefik) REPLACE='github.com/abbot/go-http-auth=github.com/containous/go-http-auth@v0.4.1-0.20200324110947-a37a7636d23e
        github.com/gorilla/mux=github.com/containous/mux@v0.0.0-20250523120546-41b6ec3aed59
        github.com/mailgun/minheap=github.com/containous/minheap@v0.0.0-20190809180810-6e71eb837595' \
        build traefik $traefik github.com/traefik/traefik/v3/cmd/traefik ;;
    blackbox_exporter) unpack_blackbox_exporter ;;
    # A Python with Flask and its exporter.
    flask) [ -x "$dir/flask/bin/python" ] || { python3 -m venv "$dir/flask" && "$dir/flask/bin/pip" install -q flask==$flask prometheus_flask_exporter==$flask_exporter; }
        printf '#!/bin/sh\nexec "%s" "$@"\n' "$dir/flask/bin/python" >"$dir/bin/flask_python"; chmod +x "$dir/bin/flask_python" ;;
    shop) (cd "$root/tests/e2e/scenarios/shop" && go build -o "$dir/bin/shop" .) ;;
    *) echo "senders.sh: unknown program $program" >&2; exit 2 ;;
    esac
done
ls "$dir/bin"
