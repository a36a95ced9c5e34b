#!/usr/bin/env python3
"""What is not taken: --ingest.strict answers as Prometheus' own receiver, --limit.* stop what they name and nothing else,
useless settings are refused before anything is made."""
import os
import random
import subprocess
import tempfile
import time

from harness import BINARY, PATIENCE, Gnomon, Process, RW_HEADERS, Skip, free_port, request, run, since, snappy, wait_for, write_request


def now_ms():
    return int(time.time() * 1000)


def metric(g, name, labels=""):
    line = next((l for l in g.get("/metrics")[2].decode().splitlines() if l.startswith(name + labels + " ")), None)
    return float(line.rsplit(" ", 1)[1]) if line else None


class Prometheus:
    def __init__(self, tmp, window):
        self.port, config = free_port(), os.path.join(tmp, "p.yml")
        with open(config, "w") as f:
            f.write(f"storage: {{tsdb: {{out_of_order_time_window: {window}}}}}\n")
        self.process = Process([since((3, 0), "prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp}/p",
                                "--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{self.port}"], tmp + "/p.log")
        wait_for("Prometheus", self.is_ready)

    def is_ready(self):
        try:
            return request("GET", self.port, "/-/ready")[0] == 200
        except OSError:
            return False


def send(port, series):
    status, _, body = request("POST", port, "/api/v1/write", snappy(write_request(series)), RW_HEADERS)
    return status, body.decode()


def everything(port, at):
    import json
    _, _, body = request("GET", port, "/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D[5h]&time=" + str(at / 1000 + 60))
    return sorted((sorted(s["metric"].items()), s["values"]) for s in json.loads(body)["data"]["result"])


VALUES = [0.0, 1.0, 2.5, -7.0, 1e21, 1e-6, float("inf"), float("-inf"), float("nan"), 123456789.125]


def random_request(base):
    """Series in rising and falling time, known times with the same and other values, bad labels, times out of bounds."""
    series = []
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        labels = {"__name__": random.choice("abcd")}
        if random.random() < 0.05:
            labels = {"x": "1"}
        times = [base + random.choice([0, 0, 0, 1, 2, 5, 1000, 60000, -1, -1000, -1800000, -3600000, -3700000, -7300000, 700000])
                 for _ in range(random.choice([1, 1, 1, 1, 3]))]
        series.append((labels, [(t, random.choice(VALUES)) for t in times]))
    return series


def compare(window, flags, rounds):
    with Gnomon("--ingest.strict", *flags) as g:
        p = Prometheus(g.tmp, window)
        try:
            base = now_ms() - 1800000
            for i in range(rounds):
                series = random_request(base + i * 1000)
                ours, theirs = send(g.port, series), send(p.port, series)
                assert ours == theirs, (i, series, ours, theirs)
            if flags:
                return  # of late samples for one time the first wins there, the last here
            ours, theirs = everything(g.port, base + 1800000), everything(p.port, base + 1800000)
            assert ours == theirs, [x for x in zip(ours, theirs) if x[0] != x[1]][:1]
            assert ours
        finally:
            p.process.kill()


def test_strict_is_prometheus_without_a_window():
    compare("0s", [], int(os.environ.get("ROUNDS", 400)))


def test_strict_with_a_window_gives_the_same_answers():
    compare("90m", ["--ingest.out-of-order-window=90m"], int(os.environ.get("ROUNDS", 300)))


def test_strict_texts():
    at = now_ms() - 600000
    with Gnomon("--ingest.strict") as g:
        a, b = {"__name__": "a"}, {"__name__": "b"}
        assert send(g.port, [(a, [(at, 1.0)])]) == (204, "")
        assert send(g.port, [(a, [(at, 1.0)])]) == (204, "")
        assert send(g.port, [(a, [(at, 2.0)])])[1].startswith(f"duplicate sample for timestamp {at}; overrides not allowed: existing 1, new")
        assert send(g.port, [(b, [(at, 1.0)]), (a, [(at - 1, 1.0)])]) == (400, "out of order sample\n")
        assert send(g.port, [(a, [(at - 3600001, 1.0)])]) == (400, "out of bounds\n")
        assert g.query("b") == [], "nothing of a refused request is stored"
        g.kill9()
        g.start()
        assert send(g.port, [(a, [(at - 1, 1.0)])]) == (400, "out of order sample\n"), "a restart forgets nothing"
        assert metric(g, "gnomon_ingest_rejected_samples_total", '{reason="out_of_order"}') == 1


def test_by_default_any_age_and_order_is_taken():
    at = now_ms()
    with Gnomon("--storage.retention.time=1y") as g:
        a = {"__name__": "a"}
        for t in (at, at - 300 * 86400000, at - 86400000, at - 1, at):
            assert send(g.port, [(a, [(t, 1.0)])]) == (204, ""), t
        assert send(g.port, [(a, [(at - 1, 5.0)])]) == (204, ""), "the last write wins"
        assert g.query("a @ %.3f" % ((at - 1) / 1000))[0]["value"][1] == "5"
        status, text = send(g.port, [(a, [(at - 366 * 86400000, 1.0)]), (a, [(at + 660000, 1.0)]), ({"__name__": "ok"}, [(at, 1.0)])])
        assert status == 400 and "2 of 3 samples rejected" in text and "too old sample" in text and "too far into the future" in text, text
        assert g.query("ok")


def test_a_metric_that_explodes_is_stopped_alone():
    at = now_ms()
    with Gnomon("--limit.series-per-metric=100", "--limit.values-per-label=1000") as g:
        status, text = send(g.port, [({"__name__": "boom", "user": str(i)}, [(at, 1.0)]) for i in range(300)] +
                            [({"__name__": "good", "user": str(i)}, [(at, 1.0)]) for i in range(50)])
        assert status == 400 and "limit.series-per-metric = 100) by metric boom" in text and "200 of 350 samples rejected" in text, text
        assert g.query("count by (__name__) ({__name__=~'boom|good'})") != []
        assert g.query("count(boom)")[0]["value"][1] == "100" and g.query("count(good)")[0]["value"][1] == "50"
        assert send(g.port, [({"__name__": "boom", "user": "1"}, [(at + 1000, 2.0)])]) == (204, ""), "its known series go on"
        assert metric(g, "gnomon_ingest_limit_hits_total", '{reason="metric_limit",offender="boom"}') == 200
        status, text = send(g.port, [({"__name__": f"m{i}", "user": "x" + str(i)}, [(at, 1.0)]) for i in range(2000)])
        assert status == 400 and "limit.values-per-label = 1000) by label user" in text, text
        with open(g.process.log) as f:
            assert "reason=metric_limit count=200" in f.read()


def test_the_bound_of_all_series_is_429_and_known_ones_go_on():
    at = now_ms()
    with Gnomon("-storage.maxHourlySeries=10") as g:
        assert send(g.port, [({"__name__": "a", "i": str(i)}, [(at, 1.0)]) for i in range(10)]) == (204, "")
        status, text = send(g.port, [({"__name__": "a", "i": str(i)}, [(at + 1, 1.0)]) for i in range(11)])
        assert status == 429 and "limit.series = 10" in text, text
        assert g.query("count(a)")[0]["value"][1] == "10"


def test_new_series_are_refused_before_memory_ends():
    """64 MiB in all, 32 of them for the head: new series end, known ones and queries do not."""
    with Gnomon("--memory.limit=64MiB") as g:
        at, status, text, made = now_ms(), 204, "", 0
        while status == 204 and made < 600000:
            status, text = send(g.port, [({"__name__": "m", "i": str(made + i), "pad": "x" * 60 + str(made + i)}, [(at, 1.0)])
                                         for i in range(4000)])
            made += 4000
        assert status == 429 and "memory.limit" in text, (status, text[:300], made)
        assert send(g.port, [({"__name__": "m", "i": "1", "pad": "x" * 60 + "1"}, [(at + 1000, 2.0)])]) == (204, "")
        assert metric(g, "gnomon_head_limit_bytes") == 64 * 1048576 // 100 * 50
        assert g.query("m{i='1'}")


def call(*args, **kw):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=PATIENCE, **kw)
    return done.returncode, done.stderr


def test_useless_settings_are_refused_and_nothing_is_made():
    with tempfile.TemporaryDirectory() as tmp, Gnomon() as g:
        dir = os.path.join(tmp, "data")
        for flag, text in (("--query.timeout=0", "query.timeout"), ("--web.max-body-size=0", "web.max-body-size"),
                           ("--storage.retention.time=1h", "shorter than a block"), ("--web.listen-address=nonsense", "listen address"),
                           (f"--web.listen-address=127.0.0.1:{g.port}", "ddress already in use"),
                           ("--web.listen-address=300.1.2.3:1", "listen address"), ("--limit.labels-per-series=0", "limit.labels-per-series")):
            code, err = call(f"--storage.path={dir}", flag)
            assert code != 0 and text in err, (flag, code, err)
            assert not os.path.exists(dir), flag


def test_one_server_per_directory():
    with Gnomon() as g:
        code, err = call(f"--storage.path={g.dir}", "--web.listen-address=127.0.0.1:0")
        assert code == 1 and f"is used by pid {g.process.p.pid}" in err, (code, err)


run(globals())
