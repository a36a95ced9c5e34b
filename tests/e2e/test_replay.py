"""A server that reads its log after kill -9 answers queries and takes writes meanwhile, and loses nothing of either."""
import json
import os
import signal
import time
import urllib.parse

from harness import PATIENCE, Gnomon, Skip, request, run

NOW = int(time.time() * 1000)
SERIES = int(os.environ.get("SERIES", 150_000))


def fill(server):
    """Many series: what a replay spends its time on."""
    for first in range(0, SERIES, 2000):
        assert server.write([({"__name__": "m", "i": str(i), "job": f"j{i % 97}"}, [(NOW - 60_000, float(i)), (NOW - 45_000, i + 0.5)])
                             for i in range(first, first + 2000)])[0] == 204


def ask(server, expr):
    status, _, body = server.get("/api/v1/query?" + urllib.parse.urlencode({"query": expr, "time": NOW / 1000}))
    answer = json.loads(body) if status == 200 else {}
    result = answer.get("data", {}).get("result", [])
    return status, int(result[0]["value"][1]) if result else 0, answer.get("warnings", [])


def during_replay(server, tag):
    """Asks and writes until the server is ready; what was seen."""
    early_queries = early_writes = n = 0
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            ready = server.get("/-/ready")
            status, count, warnings = ask(server, "count(m)")
            written = server.write([({"__name__": "late", "tag": tag, "n": str(n)}, [(NOW - 1000, float(n))])])[0]
        except OSError:
            continue
        assert written in (204, 503), written
        n += written == 204
        if ready[0] == 200:
            return early_queries, early_writes, n
        assert b"Gnomon is starting" in ready[2] or b"Ready" in ready[2], ready
        assert status == 200 and count <= SERIES, (status, count)
        if warnings:
            assert any("log" in w or "applied" in w for w in warnings), warnings
            early_queries += 1
            early_writes += written == 204
        elif count < SERIES:
            raise AssertionError(f"{count} series without a warning")
    raise AssertionError("never ready")


def check(server, late):
    assert ask(server, "count(m)") == (200, SERIES, [])
    assert ask(server, "sum(count_over_time(m[5m]))")[1] == 2 * SERIES
    for tag, n in late.items():
        assert ask(server, f'count(late{{tag="{tag}"}})')[1] == n, (tag, n)


def test_queries_and_writes_during_the_replay():
    late, queries, writes = {}, 0, 0
    with Gnomon() as server:
        fill(server)
        for round in range(20):
            if round >= 3 and queries and writes:
                break
            server.kill9()
            server.process.out.close()
            server.start(ready=False)
            q, w, n = during_replay(server, f"r{round}")
            late[f"r{round}"], queries, writes = n, queries + q, writes + w
            check(server, late)
        print(f"{queries} queries were answered and {writes} writes taken before the server was ready")
        if not queries or not writes:
            raise Skip("this machine reads the log faster than a query comes: SERIES=1000000")


def test_a_kill_during_the_replay_keeps_what_was_taken_in_it():
    with Gnomon() as server:
        fill(server)
        taken = 0
        for round in range(4):
            server.kill9()
            server.process.out.close()
            server.start(ready=False)
            end = time.monotonic() + (0.15 + 0.1 * round)
            while time.monotonic() < end:
                try:
                    if server.write([({"__name__": "late", "tag": "k", "n": str(taken)}, [(NOW - 1000, 1.0)])])[0] == 204:
                        taken += 1
                except OSError:
                    pass
        server.kill9()
        server.process.out.close()
        server.start()
        check(server, {"k": taken})
        server.stop()
        server.start()
        check(server, {"k": taken})
        print(f"{taken} writes were taken by servers that were killed soon after their start")


def test_stopping_during_the_replay_is_clean():
    with Gnomon() as server:
        fill(server)
        server.kill9()
        server.process.out.close()
        server.start(ready=False)
        while True:
            try:
                if request("GET", server.port, "/-/healthy")[0] == 200:
                    break
            except OSError:
                time.sleep(0.01)
        assert server.process.kill(signal.SIGTERM) == 0, server.process.tail()
        server.start()
        check(server, {})


run(globals())
