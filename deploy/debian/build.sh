#!/bin/sh
# build.sh - makes build/gnomon_VERSION_ARCH.deb with `make install` and dpkg-deb; no debhelper needed.
# usage: deploy/debian/build.sh VERSION
set -eu
cd "$(dirname "$0")/../.."
version=${1:?usage: build.sh VERSION}
for tool in dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || { echo "build.sh: needs $tool (apt-get install dpkg-dev)" >&2; exit 1; }
done
arch=$(dpkg --print-architecture)
work=build/deb
root=$work/gnomon
rm -rf "$work"
mkdir -p "$root/DEBIAN" "$work/debian"

${MAKE:-make} --no-print-directory install DESTDIR="$PWD/$root" PREFIX=/usr UNITDIR=/lib/systemd/system >/dev/null
gzip -9n "$root/usr/share/man/man1/gnomon.1"
mkdir -p "$root/usr/share/zsh/vendor-completions" "$root/usr/share/doc/gnomon"
mv "$root/usr/share/zsh/site-functions/_gnomon" "$root/usr/share/zsh/vendor-completions/"
rmdir "$root/usr/share/zsh/site-functions"
strip --strip-unneeded "$root/usr/bin/gnomon"
gzip -9nc CHANGELOG.md >"$root/usr/share/doc/gnomon/changelog.gz"
[ ! -e LICENSE ] || cp LICENSE "$root/usr/share/doc/gnomon/copyright"
cp configs/gnomon.yml "$root/usr/share/doc/gnomon/gnomon.yml.example"
mkdir -p "$root/usr/share/doc/gnomon/prometheus" "$root/usr/share/doc/gnomon/grafana"
cp configs/prometheus/*.yml "$root/usr/share/doc/gnomon/prometheus/"
cp -r configs/grafana/dashboards configs/grafana/provisioning "$root/usr/share/doc/gnomon/grafana/"

# What the binary is linked against decides the dependencies.
printf 'Source: gnomon\n\nPackage: gnomon\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O gnomon/usr/bin/gnomon 2>/dev/null | sed 's/^shlibs:Depends=//')
size=$(du -sk --exclude=DEBIAN "$root" | cut -f1)
cat >"$root/DEBIAN/control" <<CONTROL
Package: gnomon
Version: $version
Architecture: $arch
Section: database
Priority: optional
Maintainer: Gnomon <gnomon@localhost>
Installed-Size: $size
Depends: $depends, passwd
Suggests: prometheus, grafana
Description: time-series database that speaks Prometheus' remote write and PromQL
 Takes samples by remote write, keeps every bit of them on disk and answers
 PromQL and Prometheus' HTTP API exactly. Understands the arguments of
 single-node VictoriaMetrics.
CONTROL
printf '/etc/gnomon/gnomon.yml\n/etc/default/gnomon\n' >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m755 "deploy/debian/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -print | sed 's|^\./||' | LC_ALL=C sort | xargs md5sum) >"$root/DEBIAN/md5sums"
chmod -R g-w "$root"
dpkg-deb --root-owner-group --build "$root" "build/gnomon_${version}_$arch.deb" >/dev/null
echo "build/gnomon_${version}_$arch.deb"
