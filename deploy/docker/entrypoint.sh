#!/bin/sh
# entrypoint.sh - starts gnomon in a container, with its own arguments or those of VictoriaMetrics' image.
#
#   docker run gnomon -retentionPeriod=3 -storageDataPath=/victoria-metrics-data     as before
#   docker run gnomon --storage.retention.time=90d                                   own names
#   docker run gnomon verify /data                                                   a tool
#
# Data goes to the path that was asked for; else to what is mounted at /victoria-metrics-data or /storage, where
# VictoriaMetrics' users have it; else to /data.
set -eu

case ${1-} in
-*) ;;
check | inspect | verify | backup | restore | version) exec gnomon "$@" ;;
serve | gnomon | *victoria-metrics*) shift ;;
sh | bash | /bin/*) exec "$@" ;;
esac

dir=${GNOMON_STORAGE_PATH-}
file=${GNOMON_CONFIG_FILE-}
before=
for a in "$@"; do
    case $before in -storageDataPath | --storageDataPath | --storage.path | --storage.tsdb.path) dir=$a ;; esac
    case $a in
    -storageDataPath=* | --storageDataPath=* | -storage.path=* | --storage.path=* | --storage.tsdb.path=*) dir=${a#*=} ;;
    --config.file | -config.file | --config.file=* | -config.file=*) file=$a ;;
    --help | -help | -h | --help-config | --version | -version) exec gnomon "$@" ;;
    esac
    before=$a
done

if [ -z "$dir" ] && [ -z "$file" ]; then
    dir=/data
    for mounted in /victoria-metrics-data /storage; do
        if mountpoint -q "$mounted"; then dir=$mounted; fi
    done
    export GNOMON_STORAGE_PATH="$dir"
fi

if [ -d "${dir:-/nowhere}" ]; then
    if [ ! -w "$dir" ]; then
        echo "gnomon: $dir belongs to user $(stat -c %u "$dir"), this is user $(id -u): chown -R $(id -u) the volume," \
            "or run with --user $(stat -c %u:%g "$dir") (Kubernetes: fsGroup)" >&2
        exit 1
    fi
    if [ -e "$dir/indexdb" ]; then
        echo "gnomon: $dir holds data of VictoriaMetrics, which is neither read nor touched" >&2
    fi
fi
exec gnomon serve "$@"
