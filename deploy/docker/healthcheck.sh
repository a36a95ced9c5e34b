#!/bin/bash
# healthcheck.sh - exit status 0 when the server in this container answers /-/healthy.
#
# The image has no curl; bash speaks TCP.  The port is that of the server's arguments (it is process 1),
# of the environment, or 8428.
set -u

address=${GNOMON_WEB_LISTEN_ADDRESS:-:8428}
prefix=${GNOMON_WEB_ROUTE_PREFIX:-}
while IFS= read -r -d '' argument; do
    case $argument in
    --web.listen-address=* | -web.listen-address=* | -httpListenAddr=* | --httpListenAddr=*) address=${argument#*=} ;;
    --web.route-prefix=* | -http.pathPrefix=* | --http.pathPrefix=*) prefix=${argument#*=} ;;
    esac
done 2>/dev/null </proc/1/cmdline
address=${address%%,*}
host=${address%:*}
case $host in '' | 0.0.0.0 | '[::]') host=127.0.0.1 ;; esac

exec 3<>"/dev/tcp/$host/${address##*:}" || exit 1
printf 'GET %s/-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${prefix%/}" >&3
IFS= read -r -t 2 -u 3 line || exit 1
case $line in 'HTTP/1.1 200'*) exit 0 ;; esac
echo "$line"
exit 1
