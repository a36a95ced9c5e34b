#!/bin/sh
# deb_in_chroot.sh - the package's whole life in a bare Debian: install, start, upgrade, remove, purge.
#
# The package is built on this machine, which should run the Debian it is for.  There is no systemd in a chroot:
# the unit's own ExecStart line is started as the unit's user instead, and systemd itself reads the unit in
# tests/e2e/test_deploy.py.
# usage: deb_in_chroot.sh [SUITE]    (default bookworm; MIRROR=url, BASE=DIR a finished minbase to copy, PORT=8428)
set -eu
[ "$(id -u)" = 0 ] || { echo "deb_in_chroot.sh: must be root (chroot)" >&2; exit 1; }
cd "$(dirname "$0")/.."
suite=${1:-bookworm}
port=${PORT:-8428}
url=http://127.0.0.1:$port
root=$(mktemp -d /tmp/gnomon-deb-XXXXXX)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    for m in dev proc; do umount "$root/$m" 2>/dev/null || umount -l "$root/$m" 2>/dev/null || true; done
    rm -rf --one-file-system "$root"
}
trap finish EXIT INT TERM

fail() { echo "deb_in_chroot.sh: $*" >&2; exit 1; }
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"; }

old=0.1.0 new=0.1.1
for v in $old $new; do make --no-print-directory deb VERSION=$v; done
arch=$(dpkg --print-architecture)
[ -n "${BASE-}" ] && cp -a --reflink=auto "$BASE/." "$root/" ||
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "${MIRROR:-http://deb.debian.org/debian}" >/dev/null
chmod 755 "$root" # mktemp's is 700, and so would be / for the service's user
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
[ ! -d /usr/local/share/ca-certificates ] || { cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
    in_root update-ca-certificates >/dev/null 2>&1 || true; }
cp "build/gnomon_${old}_$arch.deb" "build/gnomon_${new}_$arch.deb" "$root/"
in_root apt-get update -qq

start() { # start: the unit's ExecStart, as the unit's user, in its WorkingDirectory
    unit=$root/lib/systemd/system/gnomon.service
    line=$(sed -n 's/^ExecStart=//p' "$unit" | sed 's/ \$ARGS//')
    user=$(sed -n 's/^User=//p' "$unit")
    ids=$(in_root id -u "$user"):$(in_root id -g "$user")
    chroot --userspec="$ids" "$root" sh -c "cd /var/lib/gnomon && exec $line --web.listen-address=127.0.0.1:$port" >"$root/log" 2>&1 &
    server=$!
    i=0
    until curl -fs "$url/-/ready" >/dev/null; do
        i=$((i + 1)); [ $i -lt 100 ] && kill -0 $server 2>/dev/null || { cat "$root/log"; fail "it does not start"; }
        sleep 0.1
    done
}
stop() { kill -TERM $server; wait $server || fail "exit status $? after SIGTERM"; server=; }
sample() { curl -fs "$url/api/v1/query?query=count(last_over_time(up\[1h\]))"; }

echo "== install $old"
in_root apt-get install -y -qq --no-install-recommends "/gnomon_${old}_$arch.deb" >/dev/null 2>"$root/apt.log" ||
    { cat "$root/apt.log"; fail install; }
in_root dpkg -s gnomon | grep -E '^(Status|Version|Depends)'
in_root gnomon version
start
# A sample, by the server itself: started again with self-scrape, then without.
stop
echo 'self-scrape-interval: 1s' >>"$root/etc/gnomon/gnomon.yml"
start; sleep 2.5
sample | grep -q '"value"' || { cat "$root/log"; sample; fail "no sample of its own"; }

echo "== upgrade to $new, with changed settings"
stop
in_root dpkg -i --force-confold "/gnomon_${new}_$arch.deb" >/dev/null
in_root dpkg -s gnomon | grep '^Version'
grep -q 'self-scrape-interval: 1s' "$root/etc/gnomon/gnomon.yml" || fail "settings were lost"
start
sample | grep -q '"value"' || fail "samples were lost"
stop

echo "== remove keeps settings and data"
in_root apt-get remove -y -qq gnomon >/dev/null 2>&1
[ ! -e "$root/usr/bin/gnomon" ] && [ -e "$root/etc/gnomon/gnomon.yml" ] && [ -d "$root/var/lib/gnomon/" ] ||
    fail "remove took too much or too little"

echo "== install again, then purge"
in_root dpkg -i "/gnomon_${new}_$arch.deb" >/dev/null
start
sample | grep -q '"value"' || fail "data of before is not there"
stop
in_root apt-get purge -y -qq gnomon >/dev/null 2>&1
in_root dpkg -s gnomon >/dev/null 2>&1 && fail "still there"
left=$(cd "$root" && find . -path ./proc -prune -o -path ./dev -prune -o -iname '*gnomon*' ! -name '*.deb' -print)
[ -z "$left" ] || fail "left behind: $left"
! grep -q gnomon "$root/etc/passwd" "$root/etc/group" || fail "the user is left behind"
echo "the package installs, starts, upgrades, is removed and purged on a bare $suite"
