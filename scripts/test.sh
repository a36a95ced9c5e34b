#!/bin/sh
# test.sh - installs what is missing, runs every test, ends with one line: N passed, N failed.
#
# usage: test.sh [all|asan]     (asan: unit tests and saved fuzz inputs under AddressSanitizer and UBSan)
#   T='suite/*'  only these unit tests
#   E2E=0        without the end-to-end tests
# Each part ends its output with "N passed, N failed"; a part that breaks off counts as one failure.
set -u
cd "$(dirname "$0")/.." || exit 2
mode=${1:-all}
make="make --no-print-directory"
passed=0 failed=0 failures=
logs=build/test-logs
mkdir -p "$logs"

scripts/deps.sh build test || { echo "0 passed, 1 failed"; exit 1; }

count() { # count NAME P F
    passed=$((passed + $2)) failed=$((failed + $3))
    printf '%-28s %5s passed %5s failed\n' "$1" "$2" "$3"
    [ "$3" = 0 ] || failures="$failures $1"
}

part() { # part NAME COMMAND...: runs it, adds up its last "N passed, N failed"
    name=$1; shift
    log=$logs/$(echo "$name" | tr ' /' '__').log
    "$@" >"$log" 2>&1; status=$?
    line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p'); f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
    [ "$status" = 0 ] || [ "${f:-0}" != 0 ] || f=1
    if [ -z "$line" ] && [ "$status" = 0 ]; then f=1; echo "no result line" >>"$log"; fi
    count "$name" "${p:-0}" "${f:-0}"
    [ "${f:-0}" = 0 ] || { echo "--- $name ($log):"; grep -av 'level=' "$log" | grep -aE 'FAIL|CRASH|Error|error:|assertion|Assertion|ERROR|runtime error' -B 4 -A 6 | tail -n 60; tail -n 8 "$log"; echo "---"; }
    grep -aiE '^SKIP' "$log" | sort -u | head -n 20
}

unit() { # Criterion's summary in the common form
    for attempt in 1 2 3; do
        "$1" --jobs 2 ${T:+--filter="$T"} >"$logs/unit-output" 2>&1; status=$?
        # Criterion itself gives up now and then on a machine under load, before a test of ours has begun.
        grep -q '^criterion: Could not spawn test instance' "$logs/unit-output" || break
        echo "attempt $attempt: Criterion could not start a test"
    done
    cat "$logs/unit-output"
    sed -nE 's/.*Tested: .*Passing: ([0-9]+) \| Failing: ([0-9]+) \| Crashing: ([0-9]+).*/\1 \2 \3/p' "$logs/unit-output" |
        tail -n 1 | { read -r p f c && echo "$p passed, $((f + c)) failed"; }
    return $status
}

build() { # build WHAT...: failing to build ends the run
    if ! $make -j"$(nproc 2>/dev/null || echo 2)" "$@" >"$logs/build.log" 2>&1; then
        tail -n 40 "$logs/build.log"; echo "build failed: $*"; echo "$passed passed, $((failed + 1)) failed"; exit 1
    fi
}

variant=debug
[ "$mode" != asan ] || variant=asan
fuzzers=$(ls tests/fuzz/fuzz_*.c 2>/dev/null | sed 's/.*fuzz_\(.*\)\.c/\1/')
build VARIANT=$variant "build/$variant/unit" $(for f in $fuzzers; do echo "build/$variant/replay_$f"; done)

if [ "$mode" = asan ]; then
    rm -f build/asan/report.*
    ASAN_OPTIONS=log_path=build/asan/report:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
    LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0
    export ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
fi
part unit unit "build/$variant/unit"
if [ -z "${T-}" ]; then
    for f in $fuzzers; do part "saved fuzz inputs $f" "build/$variant/replay_$f" "tests/fuzz/corpus/$f"; done
fi
if [ "$mode" = asan ]; then
    # Criterion's child has passed before LeakSanitizer speaks: the reports are the verdict.
    for report in build/asan/report.*; do
        [ ! -e "$report" ] || { head -n 40 "$report"; count "sanitizer report" 0 1; }
    done
fi
if [ "$mode" = all ] && [ -z "${T-}" ] && [ "${E2E:-1}" != 0 ]; then
    $make release >"$logs/release.log" 2>&1 || { tail -n 20 "$logs/release.log"; count release 0 1; }
    for t in tests/sim/run_*.sh tests/e2e/test_*.py; do
        [ -e "$t" ] || continue
        case $t in *.py) part "$t" python3 "$t" ;; *) part "$t" sh "$t" ;; esac
    done
fi

[ -z "$failures" ] || echo "failed:$failures"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
