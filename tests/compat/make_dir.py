#!/usr/bin/env python3
"""make_dir.py BINARY OUT - a small data directory as that Gnomon leaves it after kill -9: blocks, checkpoint, log.

One is kept in tests/compat/dirs for every version of the formats since 1; tests/e2e/test_compat.py opens each.
"""
import os
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
os.environ["GNOMON"] = os.path.abspath(sys.argv[1])
from harness import Gnomon, wait_for  # noqa: E402

START_MS, STEP_MS, SERIES, HOUR = 1_700_006_400_000, 60_000, 20, 3_600_000


def value(series, t):
    return (series * 1000 + (t - START_MS) // STEP_MS % 97) / 8


def batch(first, last):
    return [({"__name__": "m", "i": str(i), "host": f"h{i % 3}"}, [(t, value(i, t)) for t in range(first, last, STEP_MS)])
            for i in range(SERIES)]


def checkpoints(server):
    page = server.get("/metrics")[2].decode()
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith("gnomon_tsdb_checkpoints_total "))


def chain(server):
    """Checkpoints after 16 KiB of log each; the last ones hold changes only."""
    rnd = random.Random(1)
    for link in range(4):
        before, start = checkpoints(server), START_MS + 8 * HOUR + link * 100_000
        times = range(start, start + 100_000, 1000)
        fill = [({"__name__": "fill", "i": str(i)}, [(t, rnd.random()) for t in times]) for i in range(25)]
        assert server.write(fill)[0] == 204
        wait_for("a checkpoint", lambda: checkpoints(server) > before)


def trim(path):
    """Log segments without the zeros behind their frames: readers stop at the end of the file."""
    with open(path, "r+b") as f:
        data = f.read()
        f.truncate((len(data.rstrip(b"\0")) + 511) // 512 * 512)


def main():
    out = sys.argv[2]
    with tempfile.TemporaryDirectory() as tmp:
        server = Gnomon("--storage.retention.time=0", "--storage.checkpoint.log=16KiB", dir=os.path.join(tmp, "data"))
        server.start()
        for hour in range(0, 8, 2):  # what is older than a block range and a half is flushed
            assert server.write(batch(START_MS + hour * HOUR, START_MS + (hour + 2) * HOUR))[0] == 204
            time.sleep(1.5)
        chain(server)
        server.kill9()
        wal = os.path.join(server.dir, "wal")
        for name in sorted(os.listdir(wal)):
            if name.endswith(".wal"):
                trim(os.path.join(wal, name))
            elif name.endswith((".spare", ".tmp")):
                os.unlink(os.path.join(wal, name))
        for name in ("reserve", "lock"):
            os.unlink(os.path.join(server.dir, name))
        for name in os.listdir(os.path.join(server.dir, "blocks")):
            if name.endswith(".tmp"):
                shutil.rmtree(os.path.join(server.dir, "blocks", name))
        shutil.copytree(server.dir, out)


if __name__ == "__main__":
    main()
