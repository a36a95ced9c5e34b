"""The command line: help, version, aliases of VictoriaMetrics, clear errors, graceful stop."""
import json
import os
import tempfile
import signal
import subprocess
import threading
import time
import urllib.parse

from harness import BINARY, PATIENCE, Gnomon, run, wait_for


def call(*args, env=None):
    p = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **(env or {})})
    return p.returncode, p.stdout, p.stderr


def test_version_and_help():
    code, out, _ = call("version")
    assert code == 0 and out.startswith("gnomon"), out
    code, out, _ = call("--help")
    assert code == 0 and "--storage.path" in out and "--web.listen-address" in out and "--storage.retention.time" in out


def test_an_unknown_flag_names_the_nearest():
    code, _, err = call("--storage.pth=x")
    assert code == 2 and "--storage.path" in err, (code, err)
    code, _, err = call("-retentionPeriood=1")
    assert code == 2 and "retentionPeriod" in err, (code, err)


def test_a_bad_value_names_option_and_value():
    code, _, err = call("--storage.retention.time=soon")
    assert code == 2 and "soon" in err and "storage.retention.time" in err, (code, err)


def test_check_rules_and_expressions():
    with tempfile.TemporaryDirectory(prefix="gnomon-check-") as tmp:
        good, bad, dashboard = (os.path.join(tmp, name) for name in ("good.yml", "bad.yml", "dashboard.json"))
        with open(good, "w") as f:
            f.write("groups:\n- name: a\n  rules:\n  - record: x:y\n    expr: sum(rate(x_total[5m]))\n")
        with open(bad, "w") as f:
            f.write("groups:\n- name: a\n  rules:\n  - record: x:y\n    expr: sum(x\n")
        with open(dashboard, "w") as f:
            f.write('{"panels":[{"targets":[{"expr":"sum by ($by) (rate(x_total{job=~\\"$job\\"}[$__rate_interval]))"}]}]}')
        code, out, err = call("check", "rules", good)
        assert code == 0 and "SUCCESS: 1 rules found" in out, (code, out, err)
        code, out, err = call("check", "rules", good, bad)
        assert code == 1 and "unclosed left parenthesis" in err and "5:11" in err, (code, out, err)
        code, out, err = call("check", "expressions", good, dashboard)
        assert code == 0 and "2 expressions: 2 parsed" in out, (code, out, err)
        code, out, err = call("check", "rules")
        assert code == 2 and "usage" in err, (code, out, err)


def test_inspect_and_check_retention_read_any_directory():
    now = int(time.time() * 1000)
    with Gnomon() as g:
        rows = [({"__name__": "m", "job": job, "i": str(i)}, [(now - day * 86400_000, float(i)) for day in (20, 10, 0)])
                for job in ("dev", "prod") for i in range(5)]
        assert g.write(rows)[0] == 204
        wait_for("a block", lambda: json.loads(g.get("/api/v1/status/storage")[2])["data"]["blocks"]["count"])
        lines = call("inspect", "series", "--match={job=\"dev\"}", g.dir)[1].splitlines()
        assert sum(l.startswith("series:") and "samples=3" in l for l in lines) == 5, lines  # beside the server
        retention = call("check", "retention", f"--storage.path={g.dir}", "--storage.retention.rules={job=\"dev\"}:7d",
                         "--ingest.drop={i=\"1\"}", "--json")
        assert retention[0] == 0, retention
        got = json.loads(retention[1])
        dev, others = got["retention"]
        assert (dev["match"], dev["keep"], dev["samples"]) == ('{job="dev"}', "1w", 10) and others["samples"] == 0, got
        assert got["drop"] == [{"match": '{i="1"}', "series": 2, "samples": 6}], got
        live = json.loads(g.get("/api/v1/status/retention?rule=" + urllib.parse.quote('{job="dev"}:7d'))[2])["data"]["rules"][0]
        assert all(live[k] == dev[k] for k in ("series", "samples", "bytes", "blocks")), (live, dev)
        g.stop()
        data = json.loads(call("inspect", "series", "--json", "--limit=3", g.dir)[1])
        assert len(data["series"]) == 3 and data["total"] == [{"series": 10, "shown": 3}] and data["problems"] == [], data
        assert data["series"][0] == {"series": 'm{i="0", job="dev"}', "samples": 3, "mint_ms": now - 20 * 86400_000,
                                     "maxt_ms": now}, data
        symbols = json.loads(call("inspect", "symbols", "--json", g.dir)[1])["symbols"]
        assert symbols == [{"name": "__name__", "values": 1, "bytes": 1}, {"name": "i", "values": 5, "bytes": 5},
                           {"name": "job", "values": 2, "bytes": 7}], symbols
        values = json.loads(call("inspect", "symbols", "--name=job", "--json", g.dir)[1])["values"]
        assert values == [{"value": "dev", "series": 5}, {"value": "prod", "series": 5}], values
        index = json.loads(call("inspect", "index", "--json", g.dir)[1])["index"]
        assert index and all(b["label_pairs"] == 8 and b["dictionary_pages"] == 1 for b in index), index
        wal = json.loads(call("inspect", "wal", "--json", g.dir)[1])
        assert wal["total"][0]["damaged_places"] == 0, wal
        os.unlink(os.path.join(g.dir, "MANIFEST"))
        os.unlink(os.path.join(g.dir, "format"))
        index = next(os.path.join(d, "index") for d, _, files in os.walk(os.path.join(g.dir, "blocks")) if "index" in files)
        with open(index, "wb") as f:
            f.write(b"nothing")
        before = sorted((d, f, os.path.getsize(os.path.join(d, f))) for d, _, files in os.walk(g.dir) for f in files)
        for part in ("series", "symbols", "index", "wal"):
            code, out, err = call("inspect", part, "--json", g.dir)
            assert code == 0 and len(json.loads(out)["problems"]) >= 3, (part, out, err)
        assert before == sorted((d, f, os.path.getsize(os.path.join(d, f))) for d, _, files in os.walk(g.dir) for f in files)
        assert call("inspect", "series", "--match={", g.dir)[0] == 1
        assert call("inspect", "series", "--wrong", g.dir)[0] == 2


def test_check_config():
    path = "/tmp/gnomon-check-%d.yml" % os.getpid()
    with open(path, "w") as f:
        f.write("storage:\n  path: /var/lib/gnomon\n")
    try:
        code, out, err = call("check", "config", path)
        assert code == 0, (out, err)
        with open(path, "w") as f:
            f.write("storage:\n  pathh: x\n")
        code, out, err = call("check", "config", path)
        assert code == 1 and "pathh" in out + err and "2" in out + err, (code, out, err)
    finally:
        os.unlink(path)


def test_names_of_victoriametrics_and_the_environment():
    with Gnomon() as server:
        server.stop()
        env = {"GNOMON_QUERY_LOOKBACK_DELTA": "7m"}
        server.args, server.env = ["-retentionPeriod=3", "-search.maxConcurrentRequests=5"], env
        server.start()
        flags = server.api("status/flags")
        assert flags["storage.retention.time"] in ("93d", "3M", "13w2d"), flags["storage.retention.time"]
        assert flags["query.lookback-delta"] == "7m", flags


def test_a_second_server_on_the_same_directory_says_who_has_it():
    with Gnomon() as server:
        code, _, err = call(f"--storage.path={server.dir}", "--web.listen-address=127.0.0.1:0")
        assert code == 1 and str(server.process.p.pid) in err, (code, err)


def test_inspect_and_verify():
    with Gnomon() as server:
        assert server.write([({"__name__": "m"}, [(int(time.time() * 1000), 1.0)])])[0] == 204
        server.stop()
        code, out, err = call("verify", server.dir)
        assert code == 0, (out, err)
        code, out, err = call("inspect", server.dir)
        assert code == 0 and "log: segment" in out, (out, err)
        server.start()


def test_stop_finishes_writes_in_flight():
    with Gnomon() as server:
        results, stop = [], threading.Event()

        def writer(n):
            t = int(time.time() * 1000)
            while not stop.is_set():
                try:
                    results.append(server.write([({"__name__": "s", "w": str(n)}, [(t, 1.0)])])[0])
                except OSError:
                    return
                t += 1
        threads = [threading.Thread(target=writer, args=(n,), daemon=True) for n in range(4)]
        for t in threads:
            t.start()
        wait_for("some writes", lambda: results.count(204) > 20, every=0.01)
        assert server.process.kill(signal.SIGTERM) == 0
        stop.set()
        for t in threads:
            t.join(PATIENCE)
        assert set(results) <= {204, 503}, set(results)
        acked = results.count(204)
        server.start()
        have = sum(int(s["value"][1]) for s in server.query("count_over_time(s[1h])", at=time.time() + 60))
        assert have >= acked > 0, (have, acked)


run(globals())
