#!/bin/sh
# check_cleanup.sh - TRY() returns at once, so a function with a cleanup label must not use it.
cd "$(dirname "$0")/.." || exit 2
find src -name '*.c' | xargs awk '
FNR == 1 || /^{/ { tries = label = 0 }
/[^A-Z_]TRY\(/   { if (!tries) tries = FNR }
/^[a-z_]+:$/     { label = 1 }
/^}/ && tries && label { printf "%s:%d: TRY() in a function with a cleanup label leaks\n", FILENAME, tries; bad = 1 }
END { exit bad }'
