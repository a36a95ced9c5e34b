"""What a user sees of a query's inside: its plan before it runs, what each operator did, and slow queries in the log."""
import json
import re
import urllib.parse

from harness import RW_HEADERS, Gnomon, run, snappy, wait_for, write_request

T0 = 1_600_000_020
SERIES, SAMPLES, STEPS = 90, 41, 21
QUERY = "sum by (j) (rate(m[5m]))"
PARAMS = {"query": QUERY, "start": T0 + 300, "end": T0 + 600, "step": "15s"}
ENDLESS = "quantile_over_time(0.5, vector(time())[40h:20ms])"


def loaded(g):
    series = [({"__name__": "m", "i": str(k), "j": str(k % 3)}, [((T0 + 15 * s) * 1000, float(s)) for s in range(SAMPLES)]) for k in range(SERIES)]
    status, _, text = g.post("/api/v1/write", snappy(write_request(series)), RW_HEADERS)
    assert status == 204, text


def by_name(plan):
    return {o["operator"]: o for o in plan["operators"]}


def metric(g, name):
    _, _, text = g.get("/metrics")
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.decode().splitlines() if line.startswith(name))


def test_explain_estimates_and_reads_nothing():
    with Gnomon("--storage.retention.time=0") as g:
        loaded(g)
        data = g.api("query_range", **PARAMS, explain="1")
        plan, ops = data["plan"], by_name(data["plan"])
        assert data["result"] == [] and plan["steps"] == STEPS and plan["omitted"] == 0 and "actual" not in plan, data
        assert ops["range function"]["expected"]["series"] == SERIES and ops["range function"]["inputs"] == [], ops
        assert ops["range function"]["expected"]["samples"] == SERIES * (SAMPLES - 1), ops  # the first one is left of the first window
        assert ops["aggregate"]["expected"]["series"] == 3 and ops["aggregate"]["inputs"] == [ops["range function"]["id"]], ops
        assert plan["expected"]["bytes"] > 3 * STEPS * 8, plan
        assert g.api("query", query="nope", explain="1")["plan"]["expected"]["series"] == 0
        status, _, body = g.get("/api/v1/query?" + urllib.parse.urlencode({"query": "sum(", "explain": "1"}))
        assert status == 400 and b"parse error" in body, body


def test_analyze_counts_what_was_seen_beside_the_usual_answer():
    with Gnomon("--storage.retention.time=0") as g:
        loaded(g)
        plain, data = g.api("query_range", **PARAMS), g.api("query_range", **PARAMS, analyze="1", stats="all")
        assert data["result"] == plain["result"] and len(data["result"]) == 3 and "plan" not in plain, data
        plan, ops = data["plan"], by_name(data["plan"])
        assert plan["actual"]["series"] == plan["expected"]["series"] == SERIES, plan
        assert plan["actual"]["samples"] == data["stats"]["samples"]["samplesRead"] == SERIES * (20 + STEPS - 1), data["stats"]
        seen = ops["range function"]["actual"]
        assert seen["series"] == SERIES and seen["points"] == SERIES * STEPS and seen["tiles"] >= 1 and seen["seconds"] >= 0, seen
        assert ops["aggregate"]["actual"]["series"] == 3 and ops["aggregate"]["actual"]["points"] == 3 * STEPS, ops
        assert plan["actual"]["bytes"] > 0 and plan["actual"]["seconds"] >= max(o["actual"]["seconds"] for o in ops.values()) / 64, plan


def test_slow_queries_are_logged_with_their_time_and_why_they_ended():
    with Gnomon("--storage.retention.time=0", "--query.log-slow=200ms") as g:
        loaded(g)
        g.api("query", query="sum(m)", time=T0 + 60)
        status, _, body = g.post("/api/v1/query_range", urllib.parse.urlencode({"query": ENDLESS, "start": T0, "end": T0 + 36000, "step": "15", "timeout": "0.3"}),
                                 {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 503 and json.loads(body)["errorType"] == "timeout", body

        def slow():
            with open(g.process.log, errors="replace") as f:
                return [line for line in f if 'msg="slow query"' in line and ENDLESS in line]
        line, = wait_for("the slow query in the log", slow)
        assert float(re.search(r"duration=([\d.]+)s", line)[1]) >= 0.2, line
        assert f"start_ms={T0 * 1000} end_ms={(T0 + 36000) * 1000} step_ms=15000" in line and "client=127.0.0.1:" in line, line
        assert 'error="query timed out in' in line, line
        assert metric(g, "vm_slow_queries_total") >= 1


run(globals())
