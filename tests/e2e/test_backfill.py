"""Days of old samples: in order and out of order, overwritten, flushed, merged, restarted, killed; every answer exact.

DAYS=14 SERIES=200 for the long form.  What is in blocks must answer as what is in memory.
"""
import json
import os
import random
import struct
import time

from harness import Gnomon, RW_HEADERS, field, run, snappy, varint, wait_for

DAYS, SERIES, STEP = int(os.environ.get("DAYS", 2)), int(os.environ.get("SERIES", 12)), 15000
HOUR = 3600_000
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def value_of(series, ms, version=0):
    """Counters, gauges with few and many digits, constants, special values: a kind per series."""
    i, kind = ms // STEP, series % 6
    if kind == 0:
        return float(i * (series + 1) + version)
    if kind == 1:
        return (i * 7919 % 100003) / 3 + version
    if kind == 2:
        return 42.5 + version
    if kind == 3:
        return round((i % 977) * 0.01 + version, 2)
    if kind == 4:
        return (float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, 0.1)[i % 6] + version
    return float(i % 2)


def body(series, times, version=0):
    out = bytearray()
    for s in series:
        ts = b"".join(field(1, field(1, k) + field(2, v)) for k, v in
                      ((b"__name__", b"backfill"), (b"kind", b"%d" % (s % 6)), (b"series", b"%d" % s)))
        rest = [b"\x12" + varint(10 + len(varint(t))) + b"\x09" + struct.pack("<d", value_of(s, t, version)) + b"\x10" + varint(t)
                for t in times]
        out += field(1, ts + b"".join(rest))
    return snappy(bytes(out))


def send(server, data):
    status, _, text = server.post("/api/v1/write", data, RW_HEADERS)
    assert status == 204, (status, text)


def hours(start, end):
    return [[t for t in range(h, min(h + HOUR, end), STEP)] for h in range(start, end, HOUR)]


def written(ms):
    """As the API prints it, read back: bits of -0 and inf included."""
    return struct.pack("<d", ms)


def check(server, start, end, version_at=lambda s, t: 0, have=lambda s, t: True):
    """Every sample of every series, nothing else."""
    n = 0
    for day in range(start, end, 24 * HOUR):
        until = min(day + 24 * HOUR, end)
        got = server.query(f"backfill[{(until - day) // 1000}s]", at=(until - 1) / 1000)
        by = {int(r["metric"]["series"]): r["values"] for r in got}
        for s in range(SERIES):
            want = [(t, value_of(s, t, version_at(s, t))) for t in range(day, until, STEP) if have(s, t)]
            values = by.get(s, [])
            assert len(values) == len(want), (s, day, len(values), len(want))
            for (ts, text), (t, v) in zip(values, want):
                assert round(ts * 1000) == t and written(float(text)) == written(v), (s, t, v, ts, text)
            n += len(want)
    return n


def blocks(server):
    return server.api("status/tsdb/blocks")["blocks"]


def metric(server, name):
    page = server.get("/metrics")[2].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.split("{")[0].split(" ")[0] == name)


def settled(server):
    """Nothing flushed or merged for some seconds."""
    last, since = None, time.monotonic()
    def quiet():
        nonlocal last, since
        now = sorted(json.dumps(b, sort_keys=True) for b in blocks(server))
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 2 and now
    return wait_for("quiet blocks", quiet, every=0.5)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def flush(server):
    """What waits in memory goes into blocks: to a server whose manifest knows of no flush, one is due."""
    server.stop()
    path = os.path.join(server.dir, "MANIFEST")
    with open(path) as f:
        lines = "".join(line for line in f if not line.startswith(("flushed", "end ")))
    with open(path, "w") as f:
        f.write(f"{lines}end {crc32c(lines.encode()):08x}\n")
    server.start()
    # Samples end up to 2 h ago, half a range is left to late senders, and ranges of 2 h are aligned.
    old = int(time.time() * 1000) - 6 * HOUR
    wait_for("old samples to leave memory", lambda: server.api("status/tsdb")["headStats"]["minTime"] > old)
    return settled(server)


def span():
    end = int(time.time() * 1000) // HOUR * HOUR - HOUR
    return end - DAYS * 24 * HOUR, end


QUERIES = ["sum by (kind) (rate(backfill{kind!='4'}[10m]))", "max_over_time(backfill{kind='1'}[1h])",
           "count(backfill)", "avg_over_time(backfill{kind='3'}[30m])", "quantile_over_time(0.9, backfill{kind='1'}[1h])",
           "changes(backfill[1h])", "topk(3, backfill{kind='0'})", "increase(backfill{kind='0'}[6h])"]


def answers(server, start, end):
    return [server.api("query_range", query=q, start=start / 1000, end=end / 1000, step=max(60, (end - start) // 1000 // 500))
            for q in QUERIES]


def test_in_order_out_of_order_and_memory_only_answer_the_same():
    start, end = span()
    end = min(end, start + 24 * HOUR * DAYS)
    pieces = hours(start, end)
    with Gnomon() as a, Gnomon() as b:
        for p in pieces:
            send(a, body(range(SERIES), p))
        mixed = [(random.sample(range(SERIES), SERIES // 2), p) for p in pieces]
        mixed += [([s for s in range(SERIES) if s not in had], p) for had, p in mixed]
        random.shuffle(mixed)
        for n, (series, p) in enumerate(mixed):
            backwards = p[::-1] if n % 3 == 0 else random.sample(p, len(p)) if n % 3 == 1 else p
            send(b, body(series, backwards))
            if n % 40 == 0:
                send(b, body(series, backwards))  # again: counts once
        first = answers(a, start, end)
        for server in (a, b):
            n = check(server, start, end)
            assert answers(server, start, end) == first
        print(f"{n} samples, blocks {len(blocks(a))} and {len(blocks(b))}", end="")
        print(f", later {len(flush(a))} and {len(flush(b))}")
        for server in (a, b):
            assert check(server, start, end) == n and answers(server, start, end) == first
            server.stop()
            server.start()
            assert check(server, start, end) == n and answers(server, start, end) == first
            server.kill9()
            server.process.out.close()
            server.start()
            assert check(server, start, end) == n and answers(server, start, end) == first


def test_the_value_written_last_wins_wherever_the_first_one_lies():
    start, end = span()
    start = max(start, end - 48 * HOUR)
    with Gnomon() as server:
        for p in hours(start, end):
            send(server, body(range(SERIES), p))
        flush(server)
        again = {(s, t) for s in range(SERIES) if s % 6 != 4 for h in hours(start, end) if random.random() < 0.2 for t in h[::7]}
        order = sorted(again, key=lambda _: random.random())
        for i in range(0, len(order), 2000):
            part = {}
            for s, t in order[i:i + 2000]:
                part.setdefault(s, []).append(t)
            for s, ts in part.items():
                send(server, body([s], ts, version=1))
        version = lambda s, t: int((s, t) in again)
        check(server, start, end, version)
        server.kill9()
        server.process.out.close()
        server.start()
        check(server, start, end, version)
        flush(server)
        check(server, start, end, version)
        server.stop()
        server.start()
        check(server, start, end, version)


def test_retention_drops_what_is_old_and_nothing_else():
    start, end = span()
    with Gnomon() as server:
        for p in hours(start, end):
            send(server, body(range(SERIES), p))
        flush(server)
        server.stop()
        server.args.append("--storage.retention.time=36h")
        server.start()
        cut = int(time.time() * 1000) - 36 * HOUR
        wait_for("old blocks to go", lambda: all(blk["maxTime"] >= cut - HOUR for blk in blocks(server)) if blocks(server) and "maxTime" in blocks(server)[0] else True)
        kept = (cut // STEP + 240) * STEP  # the cut moves while this runs
        check(server, kept, end)
        old = server.query("count_over_time(backfill[12h])", at=(cut - 600_000) / 1000)
        assert not old, old[:2]
        status, _, text = server.post("/api/v1/write", body([0], [cut - HOUR]), RW_HEADERS)
        assert status == 400, (status, text)
        check(server, kept, end)


run(globals())
