"""Answers that must not change: each case of tests/golden is asked again, and status, headers and body must be those on file.

tests/golden/prometheus.txt was recorded from a Prometheus 3.15 that had the same samples, tests/golden/gnomon.txt from Gnomon (what only it
has, or does otherwise on purpose).  To record again after adding cases here, and read the difference before keeping it:

    RECORD=1 PROMETHEUS=path python3 tests/e2e/test_api_golden.py

A file is a list of cases:  `> METHOD target`, `> form` when there is one, `< status`, `< Header: value` ..., `| ` before each line of the body.
"""
import json
import os
import re
import shutil
import tempfile

import test_api_differential as differential
from harness import (RW_HEADERS, Gnomon, Process, free_port, request, run, since, snappy, wait_for, write_request)

NOW = differential.NOW = 1700000040
GOLDEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden")
BODY_MAX = 1500
q, form = differential.q, differential.form


def evil_queries():
    """The catalogue of bad queries: nesting, lengths, numbers, regexes, names."""
    t = {"time": NOW}
    for e in ("", ")", "foo{", "foo[5m", '"abc', "(" * 60 + "1" + ")" * 60, "r>booL(A>booL(1))", "-" * 50 + "1", "nofunc(up)", "rate()",
              "rate(1)", "sum by", 'foo{bar=~"("}', 'foo{bar=~"a{0,1000}"}', 'foo{bar=~"(a|aa)+$"}', "{}", '{a=""}', '{a=~".*"}',
              "foo offset 300y", "foo @ 1e300", "foo @ NaN", "foo[0s]", "foo[-5m]", "vector(1)[1d:0s]", "topk(NaN, temperature)",
              "topk(1e18, temperature)", "quantile(2, temperature)", "quantile(-1, temperature)",
              'label_replace(temperature, "x", "$999", "job", "(.*)")', 'label_replace(temperature, "x", "$1", "job", "(?P<x")',
              'label_replace(temperature, "~", "$1", "job", "(.*)")', 'label_join(temperature, "job", "", "missing")',
              "temperature * on(job) temperature", "temperature * on(job) group_left temperature", "temperature / 0", "-temperature ^ 1e9",
              "histogram_quantile(0.9, temperature)", "histogram_quantile(1.5, latency_seconds_bucket)", 'absent({job=~"x.*"})',
              "vector(time())", '"a string"', "count_values(\"1x\", temperature)", "count_values(\"\", temperature)", "1 unless 1",
              "temperature and 1", "1 == 1", "1 == bool 1", "sum(temperature, 1)", "topk(temperature)", "temperature bool 1",
              "round(temperature, 0)", "clamp(temperature, 5, 1)", "sort(1)", "time", "offset 5m", "temperature offset", "temperature[5m:]",
              "temperature[5m] offset -1h", "temperature[5m:1m][1m:1s]", "sum(temperature[5m])", "\x00", "up{job='\\xff'}", "up # comment",
              "# only a comment", "0x1F + 1e-3 + Inf", "1_000", "08", "9" * 400, "{__name__=\"a\",__name__=\"b\"}", "a{__name__=\"b\"}",
              "{\"a b\"}", "{\"a\",\"b\"}", "{\"a\"=\"b\"}", "{a='b',}", "{,}", "{a}", "a{b!c}", "sum by (\"a b\") (temperature)",
              "holt_winters(temperature[5m], 0.5, 0.5)", "limitk(2, temperature)", "info(temperature)", "start()", "temperature @ start()"):
        yield q("/api/v1/query", query=e, **t)
    for e in ("temperature[5m]", "\"s\"", "1", "sum(", "temperature @ end()"):
        yield q("/api/v1/query_range", query=e, start=NOW - 120, end=NOW, step=60)


def bad_parameters():
    bad = ("", "x", "-1", "1e300x", "99999999999999999999", "1.5", "5m", "1h30m", "2015-07-01T20:10:51Z", "2015-07-01", "now", " 1", "0x10",
           "%00", "1;2", "1,2", "true", "null", "[]", "1e9", "-0")
    for b in bad:
        yield q("/api/v1/query_range", query="vector(1)", start=b, end=NOW, step=600)
        yield q("/api/v1/query_range", query="vector(1)", start=NOW - 60, end=b, step=600) if b != "1e9" else q("/api/v1/rules")
        yield q("/api/v1/query_range", query="vector(1)", start=NOW - 60, end=NOW, step=b)
        for name in ("limit", "lookback_delta", "stats"):
            yield q("/api/v1/query", query="vector(1)", time=NOW, **{name: b})
        yield q("/api/v1/series", **{"match[]": "temperature", "limit": b})
        yield q("/api/v1/series", **{"match[]": "temperature", "start": b, "end": b})
        yield q("/api/v1/labels", limit=b)
        yield q("/api/v1/query_exemplars", query="temperature", start=b)
    yield form("/api/v1/query", time=NOW)
    yield "POST", "/api/v1/query", "query=1&time=" + str(NOW) + "&time=5"
    yield "POST", "/api/v1/query?query=2&time=" + str(NOW), "query=1"
    yield "POST", "/api/v1/query", "query=%zz"
    yield "POST", "/api/v1/series", "match[]=%zz"
    yield "GET", "/api/v1/query?query=1;time=5", None


def methods():
    for path in ("query", "query_range", "query_exemplars", "format_query", "parse_query", "labels", "label/job/values", "series", "metadata",
                 "targets", "rules", "alerts", "alertmanagers", "scrape_pools", "status/buildinfo", "status/flags", "status/tsdb",
                 "status/walreplay", "write", "read", "admin/tsdb/delete_series", "admin/tsdb/snapshot", "admin/tsdb/clean_tombstones",
                 "nope", "query/"):
        for method in ("DELETE", "PUT", "PATCH", "POST", "GET"):
            if (method, path) not in (("GET", "status/buildinfo"), ("GET", "status/flags"), ("GET", "status/tsdb"),
                                      ("GET", "status/walreplay"), ("POST", "write"), ("POST", "read"), ("GET", "query"), ("POST", "query")):
                yield method, "/api/v1/" + path, None
    for method, path in (("POST", "/-/quit"), ("POST", "/-/reload"), ("GET", "/-/quit"), ("GET", "/nope"), ("POST", "/federate")):
        yield method, path, None


def shared_cases():
    """What both must answer alike, each once, without those whose answer depends on the hour."""
    seen, searches = set(), list(differential.search_requests())
    searches = searches[:-100:6] + searches[-100:]
    for case in (*evil_queries(), *bad_parameters(), *methods(), *differential.query_requests(), *differential.label_requests(),
                 *differential.other_requests(), *differential.exemplar_requests(), *searches):
        method, path, body = case
        asked = path + (body or "")
        timeless = "/query" in path and "time=" not in asked and "start=" not in asked and "/query_exemplars" not in path
        if case in seen or differential.meant(asked) or differential.meant(path) or timeless and method in ("GET", "POST") or \
                "timeout" in asked or "/federate" in path or "%40+1" in asked or "time=now" in asked:
            continue
        seen.add(case)
        yield case


def own_cases():
    """What only Gnomon has, or answers otherwise on purpose (docs/api.md)."""
    for path in ("export", "export/csv", "export/native", "series/count", "status/active_queries", "status/top_queries?maxLifetime=x",
                 "status/top_queries?topN=0", "status/metric_names_stats?limit=x", "status/metric_names_stats?le=y",
                 "export?match[]=nope", "export?match[]={", "export?match[]=special&start=x", f"export?match[]=special&start=0&end={NOW}",
                 f"export?match=special&start=0&end={NOW}&max_rows_per_line=2", f"export?match[]=special&format=prometheus&end={NOW}",
                 f"export?match[]=special&format=promapi&end={NOW}", f"export/csv?match[]=special&end={NOW}",
                 f"export/csv?format=__name__,__value__,__timestamp__&match[]=special&end={NOW}", "export/csv?format=__timestamp__:x&match[]=special",
                 f"query?query=special&time={NOW}&round_digits=1", f"query?query=temperature&time={NOW}&extra_label=job=a&round_digits=2",
                 f"query?query=temperature&time={NOW}&extra_label=job", f"query?query=temperature&time={NOW}&extra_filters[]={{",
                 "labels?extra_label=job=a", "label/job/values?extra_filters[]={job=\"a\"}", "series?match[]=temperature&extra_label=instance=i:1",
                 "query?query=up&time=NaN", f"query_range?query=up&start={NOW}&end={NOW}&step=0.0001", "status/active_queries/cancel",
                 "status/tsdb?limit=1&match[]={", "admin/status/metric_names_stats/reset"):
        yield "GET", "/api/v1/" + path, None
    for path in ("status/active_queries/cancel", "status/active_queries/cancel?id=zz", "status/active_queries/cancel?id=1",
                 "status/active_queries/cancel?id=11111111111111111", "admin/tsdb/snapshot?skip_head=x", "write", "read"):
        yield "POST", "/api/v1/" + path, None
    for method, path in (("GET", "/ping"), ("GET", "/ping?verbose=true"), ("GET", "/health"), ("GET", "/-/healthy"), ("GET", "/-/ready"),
                         ("HEAD", "/-/ready"), ("GET", "/internal/force_flush"), ("GET", "/internal/resetRollupResultCache"),
                         ("GET", f"/prometheus/api/v1/query?query=1&time={NOW}"), ("GET", f"/select/0/prometheus/api/v1/query?query=1&time={NOW}"),
                         ("GET", "/federate"), ("GET", "/federate?match[]={"), ("GET", "/api/v1/label//values"), ("OPTIONS", "/api/v1/query"), ("OPTIONS", "/metrics")):
        yield method, path, None


TIMINGS = re.compile(r'("(?:eval|inner|exec|result|query)[A-Za-z]+Time":)[0-9.e-]+')
HEADERS = ("Content-Type", "Allow", "Access-Control-Allow-Origin", "X-Content-Type-Options", "Retry-After")


def in_order(path, body):
    """The body with a result that has no order sorted; as it is when there is none."""
    normal = differential.normal(path, body)
    if isinstance(normal, str) or b'"vector"' not in body and "/series" not in path:
        return body.decode(errors="replace")
    data = json.loads(body)
    if isinstance(data.get("data"), dict) and data["data"].get("resultType") == "vector" and "sort" not in path and "topk" not in path:
        data["data"]["result"].sort(key=lambda s: sorted(s["metric"].items()))
    elif isinstance(data.get("data"), list) and path.startswith(("/api/v1/series?", "/api/v1/seriesmatch")):
        data["data"].sort(key=lambda s: sorted(s.items()))
    else:
        return body.decode(errors="replace")
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def ask(port, case):
    method, path, body = case
    headers = {"Origin": "http://g"} if method == "GET" else {}
    status, got, answer = request(method, port, path.replace(" ", "%20").replace('"', "%22"), body,
                                  {**headers, **(differential.FORM if body is not None else {})})
    names = HEADERS if status not in (204, 403, 404, 405) else HEADERS[:1] if path.startswith("/-/") else HEADERS[:2]
    told = [f"{n}: {got[n]}" for n in names if got[n] is not None]
    return status, told, TIMINGS.sub(r"\g<1>0", in_order(path + (body or ""), answer))


def block(case, answer):
    status, headers, body = answer
    lines = [f"> {case[0]} {case[1]}"] + ([f"> {case[2]}"] if case[2] is not None else []) + [f"< {status}"] + [f"< {h}" for h in headers]
    return "\n".join(lines + [f"| {line}" for line in body.split("\n")]) + "\n\n"


def read(name):
    """[(case, answer)] of a file."""
    out, asked, told, body = [], [], [], []
    with open(os.path.join(GOLDEN, name), newline="\n", encoding="utf-8") as f:
        for line in f.read().split("\n"):
            mark, text = line[:2], line[2:]
            if mark == "> ":
                asked.append(text)
            elif mark == "< ":
                told.append(text)
            elif mark == "| ":
                body.append(text)
            elif asked:
                method, _, path = asked[0].partition(" ")
                out.append(((method, path, asked[1] if len(asked) > 1 else None), (int(told[0]), told[1:], "\n".join(body))))
                asked, told, body = [], [], []
    return out


def fill(port):
    for body in (write_request(differential.series()), differential.exemplar_request()):
        status, _, text = request("POST", port, "/api/v1/write", snappy(body), RW_HEADERS)
        assert status == 204, (status, text)


def gnomon():
    return Gnomon("--log.level=warn", "--storage.retention.time=0")


def record(name, port, cases):
    kept = 0
    with open(os.path.join(GOLDEN, name), "w", newline="\n", encoding="utf-8") as f:
        for case in cases:
            answer = ask(port, case)
            if len(answer[2]) <= BODY_MAX and "\r" not in answer[2]:
                f.write(block(case, answer))
                kept += 1
    print(f"  {kept} cases into {name}")


def record_all():
    os.makedirs(GOLDEN, exist_ok=True)
    tmp = tempfile.mkdtemp(prefix="gnomon-golden-")
    with open(tmp + "/p.yml", "w") as f:
        f.write("global: {scrape_interval: 1m}\n")
    port = free_port()
    p = Process([since((3, 15), "prometheus"), f"--config.file={tmp}/p.yml", f"--storage.tsdb.path={tmp}/data",
                 f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage,search-api",
                 "--storage.tsdb.retention.time=100y"], tmp + "/log")

    def ready():
        try:
            return request("GET", port, "/-/ready")[0] == 200
        except OSError:
            return False
    try:
        wait_for("Prometheus", ready)
        fill(port)
        record("prometheus.txt", port, shared_cases())
    finally:
        p.kill()
        shutil.rmtree(tmp, ignore_errors=True)
    with gnomon() as g:
        fill(g.port)
        record("gnomon.txt", g.port, own_cases())


def check(name, least):
    cases, wrong = read(name), []
    assert len(cases) >= least, f"only {len(cases)} cases in {name}"
    with gnomon() as g:
        fill(g.port)
        for case, want in cases:
            got = ask(g.port, case)
            if got != want:
                wrong.append(f"{case}\n  want {want}\n  got  {got}")
    print(f"  {len(cases)} cases, {len(wrong)} differ")
    assert not wrong, f"{len(wrong)} of {len(cases)} differ:\n" + "\n".join(wrong[:int(os.environ.get("SHOW", 10))])


def test_what_prometheus_answered_is_answered():
    check("prometheus.txt", 800)


def test_what_gnomon_answered_is_answered():
    check("gnomon.txt", 40)


if os.environ.get("RECORD"):
    record_all()
run(globals())
