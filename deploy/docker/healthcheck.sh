#!/bin/bash
# healthcheck.sh - exit status 0 when the server in this container answers /-/healthy.
#
# The image has no curl; bash speaks TCP.  Port and path are those of the server's arguments (it is process 1, or that of
# SERVER_PID), of the environment, of the settings' file, or :8428 and none, in this order.
set -u

address= prefix= url= tls= file=${GNOMON_CONFIG_FILE:-}
while IFS= read -r -d '' argument; do
    argument=${argument#-}
    case ${argument#-} in
    web.listen-address=* | httpListenAddr=*) address=${argument#*=} ;;
    web.route-prefix=* | http.pathPrefix=*) prefix=${argument#*=} ;;
    web.external-url=*) url=${argument#*=} ;;
    web.config.file=* | tls | tls=true) tls=1 ;;
    config.file=*) file=${argument#*=} ;;
    esac
done 2>/dev/null </proc/"${SERVER_PID:-1}"/cmdline

setting() { # setting NAME: what the settings' file says, without quotes
    [ -r "$file" ] || return 0
    while IFS= read -r line; do
        case $line in "$1:"*) line=${line#"$1:"} line=${line%% #*} && printf '%s' "${line//[\"\' ]/}" ;; esac
    done <"$file"
}

address=${address:-${GNOMON_WEB_LISTEN_ADDRESS:-$(setting web.listen-address)}}
address=${address:-:8428} address=${address%%,*}
prefix=${prefix:-${GNOMON_WEB_ROUTE_PREFIX:-$(setting web.route-prefix)}}
url=${url:-${GNOMON_WEB_EXTERNAL_URL:-$(setting web.external-url)}}
if [ -z "$prefix" ]; then # the path of the URL stands for it
    prefix=${url#*://}
    case $prefix in */*) prefix=/${prefix#*/} ;; *) prefix= ;; esac
fi
host=${address%:*}
case $host in '' | 0.0.0.0 | '[::]') host=127.0.0.1 ;; esac

exec 3<>"/dev/tcp/$host/${address##*:}" || exit 1
[ -z "$tls" ] || exit 0 # it listens; bash speaks no TLS
printf 'GET %s/-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${prefix%/}" >&3
IFS= read -r -t 2 -u 3 line || exit 1
case $line in 'HTTP/1.1 200'*) exit 0 ;; esac
echo "$line"
exit 1
