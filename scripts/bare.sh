#!/bin/sh
# bare.sh - proves that `make run` and `make test` work on a bare Debian with only git, make and a shell.
#
# Makes a minimal Debian in a temporary chroot with debootstrap, clones the committed HEAD into it, runs
# both commands there as root, asks the running server a question, and removes the chroot again.
# usage: bare.sh [SUITE]         (default bookworm; MIRROR=url, KEEP=1 leaves the chroot behind)
set -eu
[ "$(id -u)" = 0 ] || { echo "bare.sh: must be root (chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare.sh: needs debootstrap" >&2; exit 1; }
cd "$(dirname "$0")/.."
suite=${1:-bookworm}
mirror=${MIRROR:-$(sed -nE 's/^(deb|URIs:) *(\[[^]]*\] *)?(https?:[^ ]*).*/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v security | head -n 1)}
root=$(mktemp -d /tmp/gnomon-bare-XXXXXX)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    for m in dev/pts dev proc; do umount "$root/$m" 2>/dev/null || umount -l "$root/$m" 2>/dev/null || true; done
    [ -n "${KEEP-}" ] && echo "left behind: $root" || rm -rf --one-file-system "$root"
}
trap finish EXIT INT TERM

echo "bare.sh: debootstrap $suite from $mirror"
debootstrap --variant=minbase --include=git,make,ca-certificates "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log"; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"
# The chroot reaches packages and names in the way this machine does.
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts" # an installer writes it, debootstrap does not
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
chroot "$root" update-ca-certificates >/dev/null 2>&1 || true
git clone -q . "$root/gnomon"
clean="PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C" # nothing of this machine's settings

echo "bare.sh: make run"
# A plain command, so that $! is make itself, which passes a signal on to the server.
# shellcheck disable=SC2086
chroot "$root" env -i $clean sh -c 'cd /gnomon && exec make run' >"$root/run.log" 2>&1 &
server=$!
i=0
until grep -q 'datasource' "$root/run.log" 2>/dev/null; do
    i=$((i + 1))
    kill -0 "$server" 2>/dev/null && [ "$i" -lt 900 ] || { cat "$root/run.log"; echo "bare.sh: make run failed"; exit 1; }
    sleep 1
done
sleep 12
cat "$root/run.log"
curl -fsS 'http://127.0.0.1:8428/api/v1/query?query=up' | tee "$root/answer.json"; echo
grep -q '"status":"success"' "$root/answer.json" && grep -q '"value"' "$root/answer.json" ||
    { echo "bare.sh: the server does not know itself"; exit 1; }
kill "$server"; wait "$server" 2>/dev/null || true
server=
! curl -fs -o /dev/null 'http://127.0.0.1:8428/-/healthy' || { echo "bare.sh: the server did not stop with make"; exit 1; }

echo "bare.sh: make test"
# shellcheck disable=SC2086
chroot "$root" env -i $clean sh -c 'cd /gnomon && make test' >"$root/test.log" 2>&1 || true
cat "$root/test.log"
tail -n 1 "$root/test.log" | grep -qE '^[0-9]+ passed, 0 failed$' || { echo "bare.sh: make test failed"; exit 1; }
echo "bare.sh: both commands work on a bare $suite"
