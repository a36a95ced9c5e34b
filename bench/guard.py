#!/usr/bin/env python3
"""Instruction counts of the hot paths (bench_micro --guard, under callgrind) against bench/guard.json.

Times of a shared machine say nothing in CI; instructions repeat.  A path that needs more than TOLERANCE more of them
than the baseline fails.  Counts depend on the compiler and on what the CPU can do, so a baseline of other ones, or no
valgrind, is a message and no failure.  WRITE=1 makes a new baseline: say in the commit why.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOLERANCE = float(os.environ.get("TOLERANCE", "0.08"))
HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "guard.json")
PROGRAM = os.path.join(HERE, "../build/release/bench_micro")


def surroundings():
    compiler = subprocess.run([os.environ.get("REAL_CC", "gcc"), "-dumpfullversion"], capture_output=True, text=True)
    with open("/proc/cpuinfo") as f:
        flags = set(re.search(r"^(?:flags|Features)\s*:(.*)$", f.read(), re.M).group(1).split())
    return {"gcc": compiler.stdout.strip(), "machine": os.uname().machine, "avx2": "avx2" in flags}


def count():
    """Instructions per op of each path."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
                               "--toggle-collect=micro_measured", "--dump-after=micro_measured", PROGRAM, "--guard"],
                              capture_output=True, text=True, timeout=600)
        if done.returncode:
            sys.exit(f"bench_micro under valgrind ended with {done.returncode}: {done.stderr[-500:]}")
        paths = [line.split("\t") for line in done.stdout.splitlines()]
        dumps = sorted(glob.glob(out + ".*"), key=lambda name: int(name.rsplit(".", 1)[1]))
        totals = [int(re.search(r"^totals: (\d+)", open(name).read(), re.M).group(1)) for name in dumps]
    if len(totals) < len(paths) or not paths:
        sys.exit(f"{len(paths)} paths, but {len(totals)} counts")
    return {name: round(total / int(ops), 2) for (name, ops), total in zip(paths, totals)}


def main():
    if not shutil.which("valgrind"):
        print("guard: no valgrind here, instruction counts are not compared")
        return 0
    here, counts = surroundings(), count()
    if os.environ.get("WRITE"):
        with open(BASELINE, "w") as f:
            json.dump({"made with": here, "instructions per op": counts}, f, indent=1)
            f.write("\n")
        print(f"guard: wrote {BASELINE}")
        return 0
    with open(BASELINE) as f:
        stored = json.load(f)
    if stored["made with"] != here:
        print(f"guard: the baseline was made with {stored['made with']}, here is {here}: not compared")
        return 0
    worse = 0
    for name, now in counts.items():
        before = stored["instructions per op"].get(name)
        change = now / before - 1 if before else 0
        verdict = "new: WRITE=1 stores it" if not before else ""
        if change > TOLERANCE:
            verdict, worse = "MORE than the baseline", worse + 1
        elif change < -TOLERANCE:
            verdict = "less: WRITE=1 keeps it so"
        print(f"{name:34} {now:12.2f} instructions/op {change:+7.1%}  {verdict}")
    print(f"guard: {len(counts)} paths, {worse} need more instructions than {TOLERANCE:.0%} over the baseline")
    return 1 if worse else 0


sys.exit(main())
