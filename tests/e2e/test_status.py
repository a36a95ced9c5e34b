"""Pages about the server itself: queries that run, ran and can be ended, metric names nobody uses, what is kept."""
import json
import os
import threading
import time
import urllib.parse

from harness import PATIENCE, Gnomon, request, run, wait_for

NOW = int(time.time()) // 60 * 60 - 60
SLOW = "quantile_over_time(0.5, vector(time())[2d:1s])"


def series(n=3):
    return [({"__name__": f"m{k}", "i": str(i)}, [((NOW - 60 + 15 * s) * 1000, float(s)) for s in range(5)])
            for k in range(4) for i in range(n)]


def page(server, path, status=200):
    got, _, body = server.get(path)
    assert got == status, (path, got, body)
    return json.loads(body) if body else None


def test_active_queries_are_listed_and_can_be_ended():
    with Gnomon() as g:
        answer = {}

        def ask():
            answer["it"] = g.get("/api/v1/query_range?" + urllib.parse.urlencode(
                {"query": SLOW, "start": NOW - 600000, "end": NOW, "step": 60}))
        asking = threading.Thread(target=ask)
        asking.start()
        q = wait_for("the query", lambda: next((q for q in page(g, "/api/v1/status/active_queries")["data"]
                                                if q["state"] == "computing"), None), every=0.01)
        assert q["query"] == SLOW and (q["start"], q["end"], q["step"]) == ((NOW - 600000) * 1000, NOW * 1000, 60000), q
        assert len(q["id"]) == 16 and q["duration"].endswith("s") and q["remote_addr"].startswith("127.0.0.1:"), q
        assert g.get(f"/api/v1/status/active_queries/cancel?id={q['id']}")[0] == 405
        assert g.post("/api/v1/status/active_queries/cancel?id=nope")[0] == 400
        assert g.post("/api/v1/status/active_queries/cancel?id=1")[0] == 404
        status, _, body = g.post(f"/api/v1/status/active_queries/cancel?id={q['id']}")
        assert (status, body) == (204, b""), (status, body)
        asking.join(PATIENCE)
        status, _, body = answer["it"]
        assert status == 499 and json.loads(body)["errorType"] == "canceled", (status, body)
        wait_for("its end", lambda: page(g, "/api/v1/status/active_queries") == {"status": "ok", "data": []})


def test_top_queries_are_grouped_and_ranked():
    with Gnomon() as g:
        slow = "sum_over_time(vector(1)[20d:1s])"  # pages show what took a millisecond or more
        for _ in range(3):
            g.api("query_range", query=slow, start=NOW - 60, end=NOW, step=60)
        g.api("query", query=slow, time=NOW)
        top = page(g, "/api/v1/status/top_queries?topN=1&maxLifetime=5m")
        assert top["topN"] == "1" and top["maxLifetime"] == "300s", top
        first = {k: top[k][0] for k in ("topByCount", "topByAvgDuration", "topBySumDuration", "topByAvgMemoryUsage")}
        assert first["topByCount"] == {"query": slow, "timeRangeSeconds": 60, "count": 3}, first
        assert first["topBySumDuration"]["sumDurationSeconds"] > 0 and first["topByAvgDuration"]["avgDurationSeconds"] > 0, first
        assert first["topByAvgMemoryUsage"]["avgMemoryBytes"] > 0, first
        assert all(len(top[k]) == 1 for k in first)
        for bad in ("topN=0", "topN=x", "maxLifetime=x", "maxLifetime=-1"):
            assert page(g, "/api/v1/status/top_queries?" + bad, 400)["errorType"] == "bad_data"


def test_metric_names_nobody_asks_for_come_first():
    with Gnomon() as g:
        assert g.write(series())[0] == 204
        for e in ("m1", "rate(m1[5m]) + m2", '{__name__="m2"}', '{__name__=~"m3"}', "nope"):
            g.query(e, NOW)
        stats = page(g, "/api/v1/status/metric_names_stats")
        assert [(r["metricName"], r["queryRequestsCount"]) for r in stats["records"]] == \
            [("m0", 0), ("m3", 0), ("m1", 2), ("m2", 2)], stats
        assert stats["status"] == "success" and stats["statsCollectedRecordsTotal"] == 3, stats
        assert stats["records"][2]["lastQueryRequestTimestamp"] > NOW - 600
        unused = page(g, "/api/v1/status/metric_names_stats?le=0&limit=1")
        assert [r["metricName"] for r in unused["records"]] == ["m0"], unused
        assert [r["metricName"] for r in page(g, "/api/v1/status/metric_names_stats?match_pattern=3")["records"]] == ["m3"]
        assert g.post("/api/v1/admin/status/metric_names_stats/reset")[0] == 204
        assert {r["queryRequestsCount"] for r in page(g, "/api/v1/status/metric_names_stats")["records"]} == {0}


def test_a_request_of_victoriametrics_gets_its_stats_and_trace():
    with Gnomon() as g:
        assert g.write(series())[0] == 204
        ask = lambda **p: page(g, "/api/v1/query?" + urllib.parse.urlencode({"query": "m0 + m1", "time": NOW, **p}))
        assert set(ask()) == {"status", "data"}
        assert ask(step="15")["stats"]["seriesFetched"] == "6"
        assert ask(query="count(m0)", nocache="1")["stats"]["seriesFetched"] == "3"
        assert ask(query="nope", nocache="1")["stats"]["seriesFetched"] == "0"
        traced = ask(trace="1")
        assert traced["trace"]["duration_msec"] >= 0 and "m0 + m1" in traced["trace"]["message"], traced
        assert len(traced["trace"]["children"]) == 3
        assert "trace" not in ask(trace="0")


def test_the_storage_page_tells_what_is_kept_day_by_day():
    with Gnomon("--storage.retention.time=60d") as g:
        day = 86400
        old = [({"__name__": "old"}, [((NOW - back * day) * 1000, 1.0)]) for back in (40, 39, 20)]
        for s in old:
            assert g.write([s])[0] == 204
        assert g.write(series())[0] == 204
        data = page(g, "/api/v1/status/storage")["data"]
        assert data["retention"]["time"] == "60d", data
        oldest = time.strftime("%Y-%m-%d", time.gmtime(NOW - 40 * day))
        assert data["minTime"][:10] == data["days"][0]["day"] == oldest, data
        assert all(d["blocks"] or d["head"] for d in data["days"]) or data["gaps"], data
        assert data["head"]["series"] + data["blocks"]["count"] > 0, data
        assert sum(d["samples"] for d in data["days"]) == data["blocks"]["samples"], data
        assert data["days"][-1]["day"] == time.strftime("%Y-%m-%d", time.gmtime(NOW)), data


def test_damage_is_told_with_its_series_and_found_by_a_check():
    with Gnomon("--web.enable-admin-api") as g:
        assert page(g, "/api/v1/admin/tsdb/verify")["data"]["state"] == "never"
        old = (NOW // 86400 - 10) * 86400
        rows = [({"__name__": "old", "i": str(i)}, [((old + 60 * s) * 1000, float(s * 7 % 13)) for s in range(100)])
                for i in range(30)]
        assert g.write(rows)[0] == 204 and g.write(series())[0] == 204
        wait_for("a block", lambda: page(g, "/api/v1/status/storage")["data"]["blocks"]["count"])

        def verified():
            assert g.post("/api/v1/admin/tsdb/verify")[0] == 200
            return wait_for("the check", lambda: (lambda d: d if d["state"] == "done" else None)(
                page(g, "/api/v1/admin/tsdb/verify")["data"]))
        sound = verified()
        assert sound["problems"] == 0 and sound["report"]["problems"] == [] and sound["blocksDone"] >= 1, sound
        assert page(g, "/api/v1/status/storage")["data"]["damage"] == []
        index = next(os.path.join(d, "index") for d, _, files in os.walk(os.path.join(g.dir, "blocks")) if "index" in files)
        with open(index, "r+b") as f:
            f.seek(90)
            byte = f.read(1)[0]
            f.seek(90)
            f.write(bytes([byte ^ 4]))
        bad = verified()
        assert bad["problems"] > 0 and any("30 series may lack samples" in p["problem"] for p in bad["report"]["problems"]), bad
        damage = wait_for("the page", lambda: page(g, "/api/v1/status/storage")["data"]["damage"])
        assert len(damage) == 1 and damage[0]["state"] == "damaged" and damage[0]["seriesCount"] == 30, damage
        assert damage[0]["series"][0] == 'old{i="0"}' and len(damage[0]["series"]) == 10, damage
        assert damage[0]["from"][:10] == time.strftime("%Y-%m-%d", time.gmtime(old)), damage
        assert b"gnomon_tsdb_damaged_series 30" in g.get("/metrics")[2]


def test_the_check_needs_the_admin_api():
    with Gnomon() as g:
        assert b"admin APIs disabled" in g.post("/api/v1/admin/tsdb/verify")[2]
        assert b"admin APIs disabled" in g.get("/api/v1/admin/tsdb/verify")[2]


def test_cardinality_is_that_of_the_index():
    with Gnomon() as g:
        assert g.write(series(5))[0] == 204
        data = g.api("status/tsdb", focusLabel="i", limit=2)
        assert data["headStats"]["numSeries"] == 20 and data["totalSeries"] == 20, data
        assert data["headStats"]["numLabelPairs"] == 9 and data["totalLabelValuePairs"] == 40, data
        assert data["seriesCountByMetricName"] == [{"name": "m0", "value": 5}, {"name": "m1", "value": 5}], data
        assert data["labelValueCountByLabelName"] == [{"name": "i", "value": 5}, {"name": "__name__", "value": 4}], data
        assert data["seriesCountByFocusLabelValue"] == [{"name": "0", "value": 4}, {"name": "1", "value": 4}], data
        some = g.api("status/tsdb", **{"match[]": ["m0", '{i="1"}']})
        assert some["totalSeries"] == 8 and some["headStats"]["numSeries"] == 20, some
        assert some["seriesCountByMetricName"][0] == {"name": "m0", "value": 5}, some
        assert g.api("series/count") == [20]


def test_features_are_told_in_prometheus_words():
    with Gnomon("--web.enable-admin-api=true", "--enable-feature=promql-experimental-functions") as g:
        data = g.api("features")
        assert data["api"]["admin"] and not data["api"]["lifecycle"] and data["tsdb"]["exemplar_storage"], data
        assert data["promql_functions"]["rate"] and data["promql_functions"]["info"], data


run(globals())
