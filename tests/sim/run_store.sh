#!/bin/sh
# The store under power loss at every change of the disk, and under failing calls and allocations.
# SIM_CASES, SIM_SEED, SIM_CASE, FAULT_*: see sim_store.c and sim_faults.c.
set -u
cd "$(dirname "$0")/../.." || exit 2
make --no-print-directory VARIANT=release build/release/sim_store build/release/sim_faults >/dev/null || { echo "0 passed, 1 failed"; exit 1; }
build/release/sim_store; crashes=$?
FAULT_STEP=${FAULT_STEP-3} build/release/sim_faults; faults=$?
failed=$(((crashes != 0) + (faults != 0)))
echo "$((2 - failed)) passed, $failed failed"
[ "$failed" = 0 ]
