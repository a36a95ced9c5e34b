"""The requests that Grafana's Prometheus datasource sends, answered by the real binary in the shapes that it reads."""
import gzip
import json
import time
import urllib.parse

from harness import Gnomon, run

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "gzip"}
NOW = int(time.time()) // 15 * 15
SERVER = Gnomon("--log.level=warn")


def setup():
    SERVER.start()
    series = []
    for job in ("a", "b"):
        for le in ("0.1", "1", "+Inf"):
            series.append(({"__name__": "req_seconds_bucket", "job": job, "le": le},
                           [((NOW - 600 + t) * 1000, float(t) * (3 if le == "+Inf" else 2)) for t in range(0, 600, 15)]))
        series.append(({"__name__": "up", "job": job, "instance": "i:1"},
                       [((NOW - 600 + t) * 1000, 1.0) for t in range(0, 600, 15)]))
    series.append(({"__name__": "utf8.metric", "label with space": "x"}, [((NOW - 60) * 1000, 5.0)]))
    status, _, body = SERVER.write(series, metadata=[("req_seconds", 3, "Time of requests.", "seconds")])
    assert status == 204, (status, body)


def decode(answer):
    status, headers, body = answer
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return status, headers, json.loads(body)


def post(path, **form):
    return decode(SERVER.post(path, urllib.parse.urlencode(form, doseq=True), FORM))


def get(path, **params):
    return decode(SERVER.get(path + "?" + urllib.parse.urlencode(params, doseq=True), {"Accept-Encoding": "gzip"}))


def data_of(answer):
    status, headers, body = answer
    assert status == 200 and body["status"] == "success", answer
    assert headers["Content-Type"] == "application/json", headers["Content-Type"]
    return body["data"]


def test_save_and_test():
    data = data_of(post("/api/v1/query", query="1+1", time="4"))
    assert data == {"resultType": "scalar", "result": [4, "2"]}, data
    info = data_of(get("/api/v1/status/buildinfo"))
    assert "features" not in info and info["version"].split(".")[0].isdigit(), info
    assert tuple(int(x) for x in info["version"].split(".")[:2]) >= (2, 24), "Grafana decides by the version"


def test_range_query_with_stats():
    data = data_of(post("/api/v1/query_range", query="sum by (job) (rate(req_seconds_bucket[1m]))", start=f"{NOW - 300}",
                        end=f"{NOW}", step="15", stats="all"))
    assert data["resultType"] == "matrix" and len(data["result"]) == 2, data
    assert data["stats"]["samples"]["totalQueryableSamples"] > 0
    t, v = data["result"][0]["values"][0]
    assert isinstance(t, (int, float)) and isinstance(v, str)


def test_instant_query_kinds():
    for query, kind in (("up", "vector"), ("up[1m]", "matrix"), ("1", "scalar"), ('"x"', "string")):
        data = data_of(post("/api/v1/query", query=query, time=str(NOW - 20)))
        assert data["resultType"] == kind, data


def test_errors_have_bodies_that_grafana_reads():
    for form, want in (({"query": "up{"}, (400, "bad_data")), ({"query": "label_replace(up,\"a\",\"b\",\"c\",\"(\")"}, (422, "execution"))):
        status, _, body = post("/api/v1/query", time=str(NOW), **form)
        assert (status, body["status"], body["errorType"]) == (want[0], "error", want[1]), (status, body)
        assert body["error"]


def test_exemplars_asked_in_milliseconds():
    data = data_of(post("/api/v1/query_exemplars", query="test", start=str((NOW - 1800) * 1000), end=str(NOW * 1000)))
    assert data == [], data


def test_editor_start():
    assert data_of(get("/api/v1/rules"))["groups"] == []
    assert data_of(get("/api/v1/alerts"))["alerts"] == []
    metadata = data_of(get("/api/v1/metadata", limit=40000))
    assert metadata.get("req_seconds") == [{"type": "histogram", "help": "Time of requests.", "unit": "seconds"}], metadata


def test_labels_and_values():
    window = {"start": str(NOW - 3600), "end": str(NOW), "limit": "40000"}
    names = data_of(post("/api/v1/labels", **window, **{"match[]": 'up{job="a"}'}))
    assert names == ["__name__", "instance", "job"], names
    assert data_of(get("/api/v1/label/__name__/values", **window)) == ["req_seconds_bucket", "up", "utf8.metric"]
    assert data_of(get("/api/v1/label/job/values", **window, **{"match[]": ["up", "nope"]})) == ["a", "b"]
    assert data_of(get("/api/v1/label/U__label_20_with_20_space/values", **window)) == ["x"]
    assert data_of(get("/api/v1/label/job/values", start=window["start"], end=window["end"], limit="1")) == ["a"]


def test_series():
    data = data_of(post("/api/v1/series", **{"match[]": '{__name__!=""}', "start": str(NOW - 3600), "end": str(NOW), "limit": "40000"}))
    assert len(data) == 9 and {"__name__": "up", "job": "a", "instance": "i:1"} in data, data


def test_variables_and_forwarded_headers():
    status, _, body = decode(SERVER.get("/api/v1/query?query=count(up)&time=" + str(NOW - 20), {
        "X-Dashboard-UID": "abc", "X-Panel-Id": "3", "X-Grafana-Org-Id": "1", "Accept-Encoding": "gzip", "FromAlert": "true"}))
    assert status == 200 and body["data"]["result"][0]["value"][1] == "2", body


def test_prefix_of_victoriametrics():
    assert len(data_of(get("/prometheus/api/v1/query", query="up", time=str(NOW - 20)))["result"]) == 2


def test_unknown_paths_are_404():
    for path in ("/api/v1/nothing", "/api/prom/api/v1/rules", "/ruler"):
        assert SERVER.get(path)[0] == 404, path


setup()
try:
    run(globals())
finally:
    SERVER.__exit__()
