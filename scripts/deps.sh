#!/bin/sh
# deps.sh - installs the packages that a build, the tests or the lint need and that are missing.
#
# usage: deps.sh [build] [test] [lint]...      (default: build test)
# Knows apt (Debian, Ubuntu), dnf (Fedora, RHEL), apk (Alpine) and brew (macOS) names.  Uses sudo when
# not root.  Says what it installs; installs nothing when everything is there.
set -eu

for group in ${*:-build test}; do
    case $group in build) want_build=1 ;; test) want_test=1 ;; lint) want_lint=1 ;;
    *) echo "deps.sh: unknown group $group (build, test, lint)" >&2; exit 2 ;; esac
done

pick() { # pick BUILD TEST LINT: the packages of the groups asked for
    [ -z "${want_build-}" ] || printf '%s ' "$1"
    [ -z "${want_test-}" ] || printf '%s ' "$2"
    [ -z "${want_lint-}" ] || printf '%s ' "$3"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else echo "deps.sh: need root (or sudo) to run: $*" >&2; exit 1; fi
}

if command -v apt-get >/dev/null; then
    packages=$(pick "gcc libc6-dev libuv1-dev libsnappy-dev libzstd-dev zlib1g-dev libxxhash-dev libyaml-dev libssl-dev libcrypt-dev" \
        "libcriterion-dev libprotobuf-c-dev protobuf-c-compiler python3 curl openssl zstd" \
        "clang clang-format libclang-rt-14-dev cppcheck valgrind")
    if ! apt-cache show libclang-rt-14-dev >/dev/null 2>&1; then
        packages=$(echo "$packages" | sed 's/libclang-rt-14-dev/libclang-rt-dev/')
    fi
    installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
    install() {
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    }
elif command -v dnf >/dev/null; then
    packages=$(pick "gcc libuv-devel snappy-devel libzstd-devel zlib-devel xxhash-devel libyaml-devel openssl-devel libxcrypt-devel" \
        "criterion-devel protobuf-c-devel protobuf-c-compiler python3 curl openssl zstd" "clang clang-tools-extra compiler-rt cppcheck valgrind")
    installed() { rpm -q "$1" >/dev/null 2>&1; }
    install() { as_root dnf install -y -q "$@"; }
elif command -v apk >/dev/null; then
    packages=$(pick "gcc musl-dev libuv-dev snappy-dev zstd-dev zlib-dev xxhash-dev yaml-dev openssl-dev linux-headers" \
        "criterion-dev protobuf-c-dev protobuf-c-compiler python3 curl openssl zstd" "clang clang-extra-tools compiler-rt cppcheck valgrind")
    installed() { apk info -e "$1" >/dev/null 2>&1; }
    install() { as_root apk add -q "$@"; }
elif command -v brew >/dev/null; then
    packages=$(pick "libuv snappy zstd zlib xxhash libyaml openssl@3 libxcrypt" "criterion protobuf-c python3 curl" "llvm cppcheck")
    installed() { brew list --versions "$1" >/dev/null 2>&1; }
    install() { brew install -q "$@"; }
else
    echo "deps.sh: no package manager that I know (apt-get, dnf, apk, brew); needed: libuv snappy zstd zlib" \
        "xxhash libyaml openssl libcrypt, for the tests also criterion protobuf-c python3 curl" >&2
    exit 1
fi

missing=
for package in $packages; do installed "$package" || missing="$missing $package"; done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
# shellcheck disable=SC2086
install $missing
