#!/usr/bin/env python3
"""What clients feel of work in the background: latency of writes and queries in quiet, and while blocks are rewritten,
the head is flushed and checkpoints are taken all the time.

usage: beside.py [SECONDS]      per phase (30); SERIES (20000), BLOCK_SAMPLES (600 per series) from the environment

The same server, the same clients, one after the other: first nothing else happens, then deletions (a flush and a checkpoint
each) and clean_tombstones (every block written anew) without a pause.  Writers and queries keep to a schedule and count from
when they should have begun, so a stall is not hidden by those who wait for it.  Printed per phase: p50, p99, most; and the load
of the machine, without which the figures mean nothing.
"""
import json
import multiprocessing
import os
import random
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from harness import RW_HEADERS, Gnomon, request, snappy, varint, wait_for, write_request  # noqa: E402

SERIES, PER_SERIES = int(os.environ.get("SERIES", 20000)), int(os.environ.get("BLOCK_SAMPLES", 600))
PER_REQUEST, TARGET, HOUR = 1000, 100, 3600_000
TIME_0 = 1_700_000_000_000  # another time of six bytes is put in its place
QUERIES = {
    "instant": ("/api/v1/query", {"query": "sum by (job) (beside_3)"}),
    "range": ("/api/v1/query_range", {"query": "sum(rate(beside_3[5m]))", "step": 60}),
    "labels": ("/api/v1/label/instance/values", {"match[]": "beside_3"}),
}


def labels(i):
    return {"__name__": f"beside_{i % 20}", "instance": f"host-{i // TARGET}", "job": f"job-{i // TARGET % 7}", "i": str(i % TARGET)}


def write(port, lo, hi, times, value):
    body = write_request([(labels(i), [(t, value(i, t)) for t in times]) for i in range(lo, hi)])
    status, _, text = request("POST", port, "/api/v1/write", snappy(body), RW_HEADERS)
    assert status == 204, (status, text)


def fill(port):
    """Blocks of the last hours, with values that do not compress."""
    rnd = random.Random(1)
    end = int(time.time() * 1000) // HOUR * HOUR - 3 * HOUR
    start = end - PER_SERIES * 60_000
    for lo in range(0, SERIES, PER_REQUEST // 10):
        write(port, lo, min(SERIES, lo + PER_REQUEST // 10), range(start, end, 60_000), lambda i, t: rnd.random())


def writer(port, seconds, out):
    """A request of PER_REQUEST series every 50 ms; made before, so that the client costs little."""
    bodies = [write_request([(labels(i), [(TIME_0, float(i))]) for i in range(lo, min(SERIES, lo + PER_REQUEST))])
              for lo in range(0, SERIES, PER_REQUEST)]
    latencies, begin, n = [], time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        due = begin + n * 0.05
        time.sleep(max(0, due - time.monotonic()))
        body = bodies[n % len(bodies)].replace(b"\x10" + varint(TIME_0), b"\x10" + varint(int(time.time() * 1000)))
        status, _, text = request("POST", port, "/api/v1/write", snappy(body), RW_HEADERS)
        assert status == 204, (status, text)
        latencies.append(time.monotonic() - due)
        n += 1
    out.put(("write", latencies))


def asker(port, kind, seconds, out):
    path, params = QUERIES[kind]
    latencies, begin, n = [], time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        due = begin + n * 0.1
        time.sleep(max(0, due - time.monotonic()))
        now = time.time()
        more = {"start": now - 6 * 3600, "end": now} if kind == "range" else {}
        status, _, text = request("GET", port, path + "?" + urllib.parse.urlencode({**params, **more}))
        assert status == 200, (status, text)
        latencies.append(time.monotonic() - due)
        n += 1
    out.put((kind, latencies))


def disturb(g, stop, counts):
    """Deletes a target after the other, and has the blocks written anew."""
    n = 0
    while not stop.is_set():
        query = urllib.parse.urlencode({"match[]": f'{{instance="host-{n % (SERIES // TARGET)}"}}'})
        assert g.post("/api/v1/admin/tsdb/delete_series?" + query)[0] == 204
        assert g.post("/api/v1/admin/tsdb/clean_tombstones")[0] == 204
        n += 1
    counts.append(n)


def phase(name, g, seconds, busy):
    out, stop, counts = multiprocessing.Queue(), threading.Event(), []
    clients = [multiprocessing.Process(target=writer, args=(g.port, seconds, out))]
    clients += [multiprocessing.Process(target=asker, args=(g.port, kind, seconds, out)) for kind in QUERIES]
    other = threading.Thread(target=disturb, args=(g, stop, counts))
    if busy:
        other.start()
    for c in clients:
        c.start()
    found = dict(out.get() for _ in clients)
    for c in clients:
        c.join()
    stop.set()
    if busy:
        other.join()
    print(f"{name}: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" + (f", {counts[0]} deletions and rewrites" if busy else ""))
    for kind in ("write", *QUERIES):
        took = sorted(found[kind])
        print(f"  {kind:8} {len(took):5} requests: p50 {took[len(took) // 2] * 1e3:7.1f} ms, p99 {took[len(took) * 99 // 100] * 1e3:7.1f} ms, "
              f"most {took[-1] * 1e3:7.1f} ms", flush=True)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    with Gnomon("--web.enable-admin-api") as g:
        fill(g.port)
        for lo in range(0, SERIES, PER_REQUEST):
            write(g.port, lo, min(SERIES, lo + PER_REQUEST), [int(time.time() * 1000)], lambda i, t: 0.0)

        def settled():
            blocks = json.loads(g.get("/api/v1/status/storage")[2])["data"]["blocks"]
            return blocks if blocks["samples"] >= SERIES * PER_SERIES else None
        blocks = wait_for("the blocks", settled, timeout=600)
        time.sleep(5)
        print(f"{SERIES} series, {blocks['count']} blocks of {blocks['bytes'] >> 20} MiB, {PER_REQUEST} samples a request, 20 requests/s")
        phase("quiet", g, seconds, False)
        phase("beside rewrites, flushes, checkpoints", g, seconds, True)
        phase("quiet again", g, seconds, False)


if __name__ == "__main__":
    main()
