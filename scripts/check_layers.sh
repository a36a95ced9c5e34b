#!/bin/sh
# check_layers.sh - every include of src/ and include/ is allowed by src/LAYERS.
#
# A folder may include its own headers (contract and private) and the contracts of the folders on its
# line; a library that some line names in <> may be included only by the folders that name it.
cd "$(dirname "$0")/.." || exit 2
find src include -name '*.[ch]' | sort | xargs awk '
function fail(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
FILENAME == "src/LAYERS" {
    if (/^#/ || NF == 0) next
    folder = $1; sub(/:$/, "", folder); layer[folder] = 1; allowed[folder, folder] = 1
    for (i = 2; i <= NF; i++) { allowed[folder, $i] = 1; if ($i ~ /^</) external[$i] = 1
        else if (!($i in layer)) fail(folder " names " $i ", which stands below it") }
    next
}
FNR == 1 {
    split(FILENAME, path, "/"); folder = path[2]
    if (!(folder in layer)) fail("folder " folder " is missing from src/LAYERS")
}
/^[ \t]*#[ \t]*include/ {
    if (!match($0, /[<"][^>"]+[>"]/)) next
    target = substr($0, RSTART, RLENGTH)
    name = substr(target, 2, RLENGTH - 2); to = name; slashed = sub(/\/.*/, "", to)
    if (target ~ /^</) { to = target; checked = (target in external) } else checked = slashed
    if (checked && !((folder, to) in allowed)) fail(folder " may not include " target)
    if (name ~ /\.\./) fail("name the folder instead of climbing: " target)
    if (target ~ /^"/ && !slashed) fail("name the folder: " target)
    if (target ~ /_internal\.h"$/ && to != folder) fail("private to " to ": " target)
}
END { exit bad }
' src/LAYERS
