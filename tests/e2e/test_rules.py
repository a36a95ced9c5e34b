#!/usr/bin/env python3
"""Retention and drop rules: from flags and file, read again by SIGHUP and /-/reload, dry runs, errors that change nothing."""
import json
import os
import re
import signal
import tempfile
import time
import urllib.parse

from harness import Gnomon, run, wait_for

MINUTE = 60_000


def write(g, name, job, at, count=1):
    assert g.write([({"__name__": name, "job": job}, [(at - i * MINUTE, float(i)) for i in reversed(range(count))])])[0] == 204


def get(g, path, **params):
    status, _, body = g.get(path + "?" + urllib.parse.urlencode(params, doseq=True))
    assert status == 200, body
    return json.loads(body)["data"]


def metric(g, name):
    text = g.get("/metrics")[2].decode()
    return {m[1]: float(m[2]) for m in re.finditer(rf"^{name}(\{{.*\}})? (\S+)$", text, re.M)}


def counts(g):
    now = time.time()
    rows = g.query('count_over_time(m[2d])', at=now)
    return {(r["metric"]["job"]): int(r["value"][1]) for r in rows}


def within(count, minutes, begin_ms):
    """Whether as many samples of one a minute up to begin count as a rule of so many minutes leaves: the cut moves on meanwhile."""
    passed = (time.time() * 1000 - begin_ms) // MINUTE
    return minutes - 2 - passed <= count <= minutes


def reload(g, want=200):
    status, _, body = g.post("/-/reload")
    assert status == want, (status, body)
    return body.decode()


def test_a_flag_as_victoriametrics_has_it():
    with Gnomon("-retentionFilter={job=\"dev\"}:1h", "-retentionFilter={job=~\"tmp,x|tmp\"}:30m") as g:
        now = int(time.time() * 1000)
        for job in ("dev", "tmp", "prod"):
            write(g, "m", job, now, count=90)
        assert counts(g)["prod"] == 90
        found = counts(g)
        assert within(found["dev"], 60, now) and within(found["tmp"], 30, now), found
        rules = get(g, "/api/v1/status/retention")["rules"]
        assert [(r["match"], r["keep"]) for r in rules] == [('{job="dev"}', "1h"), ('{job=~"tmp,x|tmp"}', "30m")], rules


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


def test_reload_changes_rules_and_mistakes_change_nothing():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "g.yml")
        put(path, "storage.retention.rules:\n  - match: '{job=\"dev\"}'\n    keep: 1h\n")
        with Gnomon("--web.enable-lifecycle", f"--config.file={path}") as g:
            check_reload(g, path)


def check_reload(g, path):
    now = int(time.time() * 1000)
    for job in ("dev", "prod"):
        write(g, "m", job, now, count=90)
    assert within(counts(g)["dev"], 60, now) and counts(g)["prod"] == 90
    first = metric(g, "prometheus_config_last_reload_success_timestamp_seconds")
    for text, said in [("storage.retention.rules: ['{job=\"dev\":1h']\n", r"g.yml:1:27: storage.retention.rules: \{job"),
                       ("storage.retention.rules: ['{job=\"dev\"}']\n", "a rule is a selector, a colon and a time"),
                       ("storage.retention.rules: ['{job=\"dev\"}:7q']\n", "\"7q\" is no time"),
                       ("storage.retention.rules: ['{}:7d']\n", "matches everything"),
                       ("storage.retention.rules:\n  - match: x\n", "needs \"match\" and \"keep\""),
                       ("storage.retention.rules:\n  - {match: x, keep: 1d, why: y}\n", "once each"),
                       ("ingest.drop: ['a', 'rate(x[1m])']\n", "g.yml:1:20: ingest.drop: rate"), ("nonsense: [\n", "g.yml:")]:
        put(path, text)
        body = reload(g, 500)
        assert body.startswith("failed to reload config: ") and re.search(said, body), (text, body)
        assert metric(g, "prometheus_config_last_reload_successful") == {None: 0}
        assert not get(g, "/api/v1/status/runtimeinfo")["reloadConfigSuccess"]
        assert within(counts(g)["dev"], 60, now), "the old rules stay"
    put(path, "storage.retention.rules: ['m{job=\"prod\"}:10m', '{job=~\"pro.\"}:20m']\n")
    g.process.p.send_signal(signal.SIGHUP)
    wait_for("SIGHUP", lambda: metric(g, "prometheus_config_last_reload_successful") == {None: 1})
    assert metric(g, "prometheus_config_last_reload_success_timestamp_seconds") != first
    found = counts(g)
    flushed = get(g, "/api/v1/status/tsdb/blocks")["blocks"]  # at some hours: without what is past its rule at that moment
    assert (found["dev"] == 90 or flushed) and found["dev"] > 0 and within(found.get("prod", 0), 10, now), found
    put(path, "")
    reload(g)
    if not get(g, "/api/v1/status/tsdb/blocks")["blocks"]:
        assert counts(g) == {"dev": 90, "prod": 90}, "nothing was removed yet"


def test_a_dry_run_tells_what_would_go():
    with Gnomon("--web.enable-admin-api") as g:
        old = int(time.time() * 1000) - 30 * 3_600_000
        for job in ("dev", "prod"):
            write(g, "m", job, old, count=60)
        write(g, "live", "prod", int(time.time() * 1000))
        assert g.post('/api/v1/admin/tsdb/delete_series?match[]=none')[0] == 204
        g.stop()
        g.start()
        flushed = lambda: get(g, "/api/v1/status/tsdb/blocks")["blocks"]
        if not flushed():
            assert g.post("/api/v1/admin/tsdb/delete_series?match[]=live")[0] == 204  # flushes what is older, too
        told = get(g, "/api/v1/status/retention", rule=['{job="dev"}:1d', '{job="prod"}:2d'])
        assert told["dryRun"] and [r["samples"] for r in told["rules"]] == [60, 0], told
        assert told["rules"][0]["bytes"] > 0 and told["others"]["samples"] == 0
        assert counts(g)["dev"] == 60
        assert g.get("/api/v1/status/retention?rule=x")[0] == 400


def test_drop_rules_at_the_door_and_for_known_series():
    with Gnomon("--web.enable-lifecycle", "--ingest.drop={__name__=~\"debug_.*\",job!=\"keep\"}") as g:
        now = int(time.time() * 1000) - 10 * MINUTE
        for i in range(3):
            write(g, "debug_a", "x", now + i * MINUTE)
            write(g, "debug_a", "keep", now + i * MINUTE)
            write(g, "m", "x", now + i * MINUTE)
        assert g.query("debug_a[1h]") and {r["metric"]["job"] for r in g.query("debug_a[1h]")} == {"keep"}
        assert list(metric(g, "gnomon_ingest_dropped_samples_total").values()) == [3]
        assert metric(g, "gnomon_ingest_rejected_samples_total")['{reason="dropped_by_rule"}'] == 3
        drop = get(g, "/api/v1/status/retention")["drop"]
        assert drop == [{"match": '{__name__=~"debug_.*",job!="keep"}', "droppedSamples": 3}], drop
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "g.yml")
        put(path, "")
        with Gnomon("--web.enable-lifecycle", f"--config.file={path}") as g:
            check_expelled(g, path)


def check_expelled(g, path):
    now = int(time.time() * 1000) - 10 * MINUTE
    for i in range(3):
        write(g, "noisy", "x", now + i * MINUTE)
    put(path, "ingest.drop: [noisy]\n")
    reload(g)
    known = lambda: metric(g, "prometheus_tsdb_head_series")[None]
    wait_for("the series leaves the head", lambda: known() == 0)
    write(g, "noisy", "x", now + 5 * MINUTE)
    assert known() == 0 and len(g.query("noisy[1h]")[0]["values"]) == 3, "what was taken stays"
    put(path, "\n")
    reload(g)
    write(g, "noisy", "x", now + 6 * MINUTE)
    assert len(g.query("noisy[1h]")[0]["values"]) == 4


run(globals())
