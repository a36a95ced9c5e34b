"""The same requests to Gnomon and to a real Prometheus 3.15 that got the same samples: status, type and body must agree.

Where they differ on purpose docs/api.md says so, and DIFFERENT below says which request it is.
"""
import atexit
import itertools
import json
import os
import random
import re
import shutil
import struct
import tempfile
import time
import urllib.parse

import dashboards
from harness import (RW_HEADERS, Gnomon, Process, Skip, field, free_port, request, run, since, snappy, varint, wait_for,
                     write_request)

NOW = int(time.time()) // 60 * 60 - 60
SPAN = 1800
DASHBOARD = dashboards.data(NOW)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# Every request that may differ, and why (docs/api.md, "What differs").
DIFFERENT = [
    (r"(time|start|end)=(NaN|1e300|9{20})", "no arbitrary dates"),
    (r"step=0\.000", "a step below a millisecond is a bad parameter, not a crash"),
    (r"timeout=(0|-1|NaN)(&|$)", "no time at all is a timeout; there it depends on a race"),
    (r"/label/%FF/values", "a path must be UTF-8"),
    (r"search%5B%5D=&.*sort_by=score", "nothing to score by: in order of names here, of creation there"),
]


def series():
    """In label order, so that both answer in that order (Prometheus' head answers in order of creation)."""
    rnd = random.Random(7)
    out = []
    for code, path in itertools.product(("200", "404", "500"), ("/", "/<a>&b", "/é")):
        total = 0.0
        samples = []
        for t in range(0, SPAN + 1, 15):
            total = 0.0 if rnd.random() < 0.01 else total + rnd.randrange(20)
            samples.append(((NOW - SPAN + t) * 1000, total))
        out.append(({"__name__": "http_requests_total", "code": code, "job": "web", "path": path}, samples))
    for job, instance in itertools.product(("a", "b"), ("i:1", "i:2")):
        for le in ("0.1", "0.5", "1", "+Inf"):
            scale = {"0.1": 1, "0.5": 3, "1": 4, "+Inf": 5}[le]
            out.append(({"__name__": "latency_seconds_bucket", "instance": instance, "job": job, "le": le},
                        [((NOW - SPAN + t) * 1000, float(t // 15 * scale)) for t in range(0, SPAN + 1, 15)]))
        out.append(({"__name__": "temperature", "instance": instance, "job": job},
                    [((NOW - SPAN + t) * 1000, rnd.uniform(-40, 120)) for t in range(0, SPAN + 1, 15)]))
    out.append(({"__name__": "special"}, [((NOW - 60 + 15 * i) * 1000, v) for i, v in
                                          enumerate((float("nan"), float("inf"), float("-inf"), -0.0, 1e-9))]))
    out.append(({"__name__": "utf8.metric", "label with space": "x"}, [((NOW - 30) * 1000, 5.0)]))
    return sorted(out, key=lambda s: sorted(s[0].items()))


def native_histogram(ms, counts, zero, total):
    """Schema 0, buckets (0.5,1] (1,2] ..., integer counts; remote write 1.0 bytes."""
    zigzag = [(d << 1) ^ (d >> 63) for d in (c - p for c, p in zip(counts, [0] + counts))]
    span = b"\x08" + varint(0) + b"\x10" + varint(len(counts))
    return (b"\x08" + varint(sum(counts) + zero) + b"\x19" + struct.pack("<d", total) + b"\x20" + varint(0) +
            b"\x29" + struct.pack("<d", 0.001) + b"\x30" + varint(zero) + field(11, span) +
            field(12, b"".join(map(varint, zigzag))) + b"\x78" + varint(ms))


def histogram_request():
    out = b""
    for job in ("a", "b"):
        labels = b"".join(field(1, field(1, k) + field(2, v)) for k, v in ((b"__name__", b"request_size"), (b"job", job.encode())))
        points = b"".join(field(4, native_histogram((NOW - SPAN + t) * 1000, [t // 15 * k for k in (1, 2, 0, 3)], t // 30, t * 1.5))
                          for t in range(0, SPAN + 1, 15))
        out += field(1, labels + points)
    return out


def exemplar_request():
    """Two rounds on six series: UTF-8, nothing but labels, values that print in exponent form, equal times."""
    out = b""
    for i, (labels, _) in enumerate(s for s in series() if s[0].get("__name__") in ("latency_seconds_bucket", "temperature")):
        body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        for k in range(3):
            ids = {"trace_id": f"{i:02x}{k}", "spän": "<&>"} if k < 2 else {}
            body += field(3, b"".join(field(1, field(1, a.encode()) + field(2, b.encode())) for a, b in sorted(ids.items())) +
                          b"\x11" + struct.pack("<d", (0.5, 1e-7, 1e21)[k] * (i + 1)) +
                          b"\x18" + varint((NOW - 600 + 60 * k + i) * 1000 + 250 * k))
        out += field(1, body)
    return out


def exemplar_requests():
    for e in ["temperature", "latency_seconds_bucket", 'rate(latency_seconds_bucket{job="a"}[5m])', "up", "1", "vector(1)",
              "temperature offset 1h", "temperature @ 5", "temperature + temperature", '{job="b"}', '{job=~".+"}', "sum(", "",
              'histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket{le!="0.1"}[5m]))) / ignoring(job) temperature',
              'temperature{job="nope"}', '"text"', "max_over_time(temperature[5m:1m])", '{__name__="temperature",instance="i:1"}']:
        yield q("/api/v1/query_exemplars", query=e)
        yield form("/api/v1/query_exemplars", query=e, start=NOW - 590, end=NOW - 500)
        yield q("/api/v1/query_exemplars", query=e, start=NOW - 599.75, end=f"{NOW - 540}.5")
        yield q("/api/v1/query_exemplars", query=e, start=NOW, end=NOW - 1)
        yield q("/api/v1/query_exemplars", query=e, start="x", end="y")
    yield q("/api/v1/query_exemplars")
    yield "DELETE", "/api/v1/query_exemplars", None


def q(path, **params):
    return "GET", path + ("?" + urllib.parse.urlencode(params, doseq=True) if params else ""), None


def form(path, **params):
    return "POST", path, urllib.parse.urlencode(params, doseq=True)


EXPRESSIONS = """
http_requests_total | http_requests_total{code!="200"} | rate(http_requests_total[5m]) | increase(http_requests_total[5m])
irate(http_requests_total[1m]) | delta(temperature[5m]) | sum(rate(http_requests_total[5m])) | temperature > 20
sum by (code) (rate(http_requests_total[5m])) | avg without (path) (http_requests_total) | count(temperature) by (job)
topk(3, http_requests_total) | bottomk(2, temperature) | quantile(0.9, temperature) | stddev(temperature) | absent(nope)
histogram_quantile(0.9, sum by (le, job) (rate(latency_seconds_bucket[5m]))) | histogram_quantile(0.5, latency_seconds_bucket)
temperature * on(job, instance) group_left temperature | temperature + temperature | -temperature | 1 + 2 * 3 ^ 2
max_over_time(temperature[10m]) | avg_over_time(temperature[10m:1m]) | temperature offset 5m | temperature @ %d
label_replace(temperature, "x", "$1-y", "instance", "i:(.*)") | label_join(temperature, "y", "-", "job", "instance")
sort_desc(temperature) | round(temperature, 0.5) | clamp(temperature, 0, 50) | time() | vector(1) | scalar(count(temperature))
special | special == special | {"utf8.metric"} | {"utf8.metric", "label with space"="x"} | "a string" | 1e-7 | NaN | -Inf
http_requests_total{path=~"/.+"} | count_values("v", http_requests_total > bool 100) | temperature and http_requests_total
temperature unless on(job) temperature{job="a"} | predict_linear(temperature[10m], 3600) | deriv(temperature[10m])
changes(temperature[5m]) | resets(http_requests_total[30m]) | day_of_week() | minute(vector(1700000000)) | rate(temperature[5m])
sum(nope) | temperature[1m] | http_requests_total{code="200"}[1m] | group by (job) (temperature) | sum(up) or vector(0)
""" % (NOW - 600)
HISTOGRAM_EXPRESSIONS = """
request_size | rate(request_size[5m]) | sum(request_size) | histogram_quantile(0.9, rate(request_size[5m])) | request_size[1m]
histogram_count(request_size) | histogram_sum(increase(request_size[5m])) | histogram_fraction(0, 2, request_size) | -request_size
histogram_avg(rate(request_size[5m])) | request_size * 2 | request_size + request_size | avg by (job) (request_size) | {job="a"}
"""
BROKEN = ["sum(", "up{", "1 +", "rate(up)", "up[5m", "foo(up)", "up{a=~\"(\"}", "sum by (a,) up", "\"", "up offset x", ")",
          "topk(up)", "temperature + on(job) temperature", "temperature * on(job) group_left temperature", "a b",
          "http_requests_total[5m] + 1", "up @ nope", "{}", "{a=\"\"}", "1[5m]", "sum(a, b)", "'\\q'", "0x", "1..2",
          "label_replace(temperature, \"job\", \"x\", \"\", \"\")", "up{a=\"b\",a!=\"c\"", "!= 1", "sum(sum)", "le", "by"]


def expressions(text):
    return [e.strip() for line in text.strip().splitlines() for e in line.split("|") if e.strip()]


def evaluations(list_of_expressions):
    for e in list_of_expressions:
        yield q("/api/v1/query", query=e, time=NOW)
        yield form("/api/v1/query", query=e, time=f"{NOW - 90}.123")
        yield q("/api/v1/query_range", query=e, start=NOW - 600, end=NOW, step=60)
        yield q("/api/v1/format_query", query=e)
        yield q("/api/v1/parse_query", query=e)


def query_requests():
    yield from evaluations(expressions(EXPRESSIONS) + BROKEN)
    for bad in ("", "x", "NaN", "-1", "1e300", "0", "99999999999999999999", "1.5", "5m", "1h30m", "2015-07-01T20:10:51Z",
                "2015-07-01", "now", " 1", "0x10", "1_000", "+5", "١"):
        for name in ("time", "timeout", "limit", "lookback_delta"):
            if (name, bad) != ("time", ""):
                yield q("/api/v1/query", **{"query": "temperature", "time": NOW, name: bad})
        for name in ("start", "end", "step", "timeout", "limit"):
            yield q("/api/v1/query_range", **{"query": "temperature", "start": NOW - 60, "end": NOW, "step": 15, name: bad})
        for name in ("start", "end", "limit"):
            yield q("/api/v1/series", **{"match[]": "temperature", name: bad})
            yield q("/api/v1/labels", **{name: bad})
            yield q("/api/v1/label/job/values", **{name: bad})
            if name != "limit":
                yield q("/api/v1/query_exemplars", **{"query": "temperature", name: bad})
        yield q("/api/v1/metadata", limit=bad)
        yield q("/api/v1/targets/metadata", limit=bad)
    for points in (11000, 11001, 10999):
        yield q("/api/v1/query_range", query="vector(1)", start=NOW - points, end=NOW, step=1)


def label_requests():
    matches = [["temperature"], ["{job=\"a\"}", "http_requests_total"], ["{__name__=~\"t.*|l.*\"}"], ["nope"], ["{}"], ["{a=\"\"}"],
               ["temperature["], ["sum(temperature)"], ["{job=~\".*\"}"], ["temperature[5m]"], [""], ["{\"utf8.metric\"}"],
               ["temperature", "temperature"], ["temperature offset 5m"]]
    for m in matches:
        for extra in ({}, {"limit": 1}, {"limit": 2}, {"start": NOW - 60, "end": NOW}, {"start": 5, "end": 1}):
            yield q("/api/v1/series", **{"match[]": m, **extra})
            yield form("/api/v1/series", **{"match[]": m, **extra})
            yield q("/api/v1/labels", **{"match[]": m, **extra})
            yield q("/api/v1/label/instance/values", **{"match[]": m, **extra})
        yield q("/federate", **{"match[]": m})
    for name in ("job", "__name__", "nope", "le", "label%20with%20space", "U__label_20_with_20_space", "U__job", "x-y", "%FF",
                 "U__", "U__zz_zz"):
        yield q(f"/api/v1/label/{name}/values")
    yield q("/api/v1/series")
    yield q("/api/v1/labels")
    yield "GET", "/api/v1/series?match[]=%zz", None
    yield "POST", "/api/v1/labels", "match[]=%zz"


def search_requests():
    at = {"start": NOW - 600, "end": NOW}
    terms = ([], ["temp"], ["t"], ["rat"], ["requests"], ["lsb"], ["http", "special"], ["TEMP"], ["tempratur"], ["ö"], [""], ["utf8.metric"],
             ["e", "a"], ["job"], ["i:1"], ["xyz"], ["_"], ["temperature"])
    extras = ({}, {"include_score": "true"}, {"include_score": "1", "sort_by": "score"}, {"fuzz_threshold": 40, "include_score": "t"},
              {"fuzz_alg": "jarowinkler", "include_score": "true"}, {"fuzz_alg": "jarowinkler", "fuzz_threshold": 60, "include_score": "true"},
              {"case_sensitive": "false", "include_score": "true"}, {"sort_by": "alpha", "sort_dir": "dsc"}, {"limit": 2}, {"batch_size": 2},
              {"limit": 3, "batch_size": 1, "sort_by": "score"})
    for term, extra in itertools.product(terms, extras):
        yield q("/api/v1/search/metric_names", **{"search[]": term, **at, **extra})
        yield q("/api/v1/search/label_names", **{"search[]": term, **at, **extra})
        yield form("/api/v1/search/label_values", **{"label": "__name__", "search[]": term, **at, **extra})
    for match in (["temperature"], ["temperature", '{job="web"}'], ["nope"], ["{"], ["{}"]):
        yield q("/api/v1/search/label_values", **{"label": "job", "match[]": match, **at})
        yield q("/api/v1/search/label_names", **{"match[]": match, "search[]": "o", **at})
        yield q("/api/v1/search/metric_names", **{"match[]": match, **at})
    for name in ("start", "end", "fuzz_threshold", "fuzz_alg", "case_sensitive", "include_score", "include_metadata", "sort_by", "sort_dir",
                 "limit", "batch_size"):
        for bad in ("x", "-1", "0", "101", "10001", "1.5", " "):
            yield q("/api/v1/search/metric_names", **{**at, "search[]": "t", name: bad})
    yield q("/api/v1/search/metric_names", **at, sort_by="score")
    yield q("/api/v1/search/metric_names", **at, sort_dir="asc")
    yield q("/api/v1/search/metric_names", **{**at, "sort_by": "score", "sort_dir": "asc", "search[]": "t"})
    yield q("/api/v1/search/label_values", **at)
    yield q("/api/v1/search/metric_names", **{**at, "search[]": ["t"] * 33})
    yield q("/api/v1/search/metric_names", start=NOW, end=NOW - 1)
    yield "GET", "/api/v1/search/metric_names?search[]=%zz", None
    yield "DELETE", "/api/v1/search/metric_names", None
    yield "GET", "/api/v1/search/nope", None


def other_requests():
    for path in ("rules", "alerts", "alertmanagers", "scrape_pools", "notifications", "targets"):
        yield q(f"/api/v1/{path}")
    yield q("/api/v1/rules", type="x")
    yield q("/api/v1/rules", type="alert")
    for limit in (0, "x", 10001, -1):
        yield q("/api/v1/status/tsdb", limit=limit)
    for method, path in (("DELETE", "/api/v1/query"), ("PUT", "/api/v1/query"), ("POST", "/api/v1/rules"), ("GET", "/api/v1/nope"),
                         ("GET", "/nope"), ("POST", "/api/v1/admin/tsdb/snapshot"), ("GET", "/api/v1/admin/tsdb/snapshot"),
                         ("POST", "/-/quit"), ("POST", "/-/reload"), ("OPTIONS", "/api/v1/query"), ("GET", "/api/v1/write"),
                         ("GET", "/federate"), ("POST", "/api/v1/label/job/values")):
        yield method, path, None


class Pairs(tuple):
    """A JSON object with its members in their order: key order counts."""

    def of(self, key):
        return next((v for k, v in self if k == key), None)


def normal(path, body):
    """A JSON body with what has no order sorted, numbers and the order of members as written; others as they are."""
    try:
        answer = json.loads(body, object_pairs_hook=Pairs, parse_float=str, parse_int=str)
    except ValueError:
        return body.decode(errors="replace").strip()
    data = answer.of("data") if isinstance(answer, Pairs) else None
    if isinstance(data, Pairs) and data.of("resultType") == "vector" and "sort" not in path and "topk" not in path:
        data.of("result").sort(key=lambda s: sorted(s.of("metric")))
    if path.startswith("/api/v1/series") and isinstance(data, list) and all(isinstance(s, Pairs) for s in data):
        data.sort(key=sorted)
    return answer


HEADERS = ("Content-Type", "Vary", "Allow", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
           "Access-Control-Expose-Headers")


def facts(path, status, headers, body):
    """What has to agree.  CORS and Vary only where there is something to read: paths and methods that are not there have none of
    it in Prometheus, which adds them route by route."""
    names = HEADERS if status not in (204, 403, 404, 405) else HEADERS[:1] + HEADERS[2:3]
    told = {name: headers.get_all(name) for name in names if headers.get_all(name)}
    if "Vary" in told: # one field or several
        told["Vary"] = sorted(v.strip() for line in told["Vary"] for v in line.split(","))
        if "/notifications" in path: # which is never compressed there
            del told["Vary"]
    return status, told, normal(path, body)


def meant(path):
    return any(re.search(pattern, path) for pattern, _ in DIFFERENT)


class Pair:
    def __enter__(self):
        prometheus = since((3, 15), "prometheus")
        self.tmp = tempfile.mkdtemp(prefix="gnomon-differential-")
        with open(self.tmp + "/p.yml", "w") as f:
            f.write("global: {scrape_interval: 1m}\n")
        self.port = free_port()
        self.prometheus = Process([prometheus, f"--config.file={self.tmp}/p.yml", f"--storage.tsdb.path={self.tmp}/data",
                                   f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
                                   "--enable-feature=exemplar-storage,search-api"],
                                  self.tmp + "/prometheus.log")
        self.gnomon = Gnomon("--log.level=warn")
        self.gnomon.start()
        wait_for("Prometheus", self.ready)
        for port in (self.port, self.gnomon.port):
            self.write(port, write_request(series()))
        return self

    def write(self, port, body):
        status, _, text = request("POST", port, "/api/v1/write", snappy(body), RW_HEADERS)
        assert status == 204, (port, status, text)

    def ready(self):
        try:
            return request("GET", self.port, "/-/ready")[0] == 200
        except OSError:
            return False

    def __exit__(self, *_):
        self.gnomon.stop()
        self.prometheus.kill()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def ask(self, method, path, body):
        headers = {**(FORM if body is not None else {}), "Origin": "http://grafana.example"}
        return [request(method, port, path, body, headers) for port in (self.port, self.gnomon.port)]


def compare(pair, requests):
    total, same, wrong, skipped = 0, 0, [], 0
    for method, path, body in requests:
        (s1, h1, b1), (s2, h2, b2) = pair.ask(method, path, body)
        total += 1
        if meant(path + (body or "")):
            skipped += 1
            assert s2 < 500 or s2 == 503, (method, path, s2, b2)
            continue
        there, here = facts(path + (body or ""), s1, h1, b1), facts(path + (body or ""), s2, h2, b2)
        same += there == here and b1 == b2
        if there != here:
            wrong.append(f"{method} {path} {body or ''}\n  prometheus {there[:2] if there[:2] != here[:2] else ''} {b1[:600]}\n  gnomon     {here[:2] if there[:2] != here[:2] else ''} {b2[:600]}")
    print(f"  {total} requests: {same} the same to the byte, {total - same - len(wrong) - skipped} in another order, "
          f"{len(wrong)} differ, {skipped} meant to differ")
    assert not wrong, f"{len(wrong)} of {total} differ:\n" + "\n".join(wrong[:int(os.environ.get("SHOW", 10))])


PAIR = Pair()


def asked(requests):
    if not hasattr(PAIR, "tmp"):
        PAIR.__enter__()
        atexit.register(PAIR.__exit__)
    compare(PAIR, requests)


def test_queries_answer_as_prometheus_does():
    asked(query_requests())


def test_native_histograms_answer_as_in_prometheus():
    asked(())
    PAIR.write(PAIR.gnomon.port, histogram_request())
    if not PAIR.gnomon.query("request_size", NOW):
        raise Skip("native histograms are not readable yet")
    PAIR.write(PAIR.port, histogram_request())
    asked(evaluations(expressions(HISTOGRAM_EXPRESSIONS)))


def test_exemplars_answer_as_in_prometheus():
    asked(())
    for port in (PAIR.port, PAIR.gnomon.port):
        PAIR.write(port, exemplar_request())
    asked(exemplar_requests())


def test_label_endpoints_answer_as_prometheus_does():
    asked(label_requests())


def test_searches_answer_as_in_prometheus():
    asked(search_requests())


def test_other_endpoints_answer_as_prometheus_does():
    asked(other_requests())


def test_what_dashboards_and_alerts_ask_answers_as_in_prometheus():
    asked(())
    for port in (PAIR.port, PAIR.gnomon.port):
        for part in range(0, len(DASHBOARD), 20):
            PAIR.write(port, write_request(DASHBOARD[part:part + 20]))
    asked(request for e in dashboards.expressions() for request in (
        q("/api/v1/query", query=e, time=NOW), form("/api/v1/query_range", query=e, start=NOW - 1800, end=NOW, step=120)))


if __name__ == "__main__":
    run(globals())
