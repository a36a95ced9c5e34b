"""Hostile remote writes and queries: each is answered with the status of the catalogue, in bounded time and memory.

Broken HTTP has its own file (test_http.py), broken directories too (test_bad_disk.py).
"""
import http.client
import json
import shutil
import struct
import subprocess
import tempfile
import time
import urllib.parse

from harness import BINARY, PATIENCE, Gnomon, RW_HEADERS, Skip, field, run, snappy, varint, write_request

NOW = int(time.time() * 1000)
NAME = (b"__name__", b"m")


def sample(value, ms):
    bits = struct.pack("<d", value) if isinstance(value, float) else struct.pack("<Q", value)
    return field(2, b"\x09" + bits + b"\x10" + varint(ms))


def series(labels, *samples):
    return field(1, b"".join(field(1, field(1, k) + field(2, v)) for k, v in labels) + b"".join(sample(*s) for s in samples))


def one(*labels, value=1.0, ms=NOW):
    return snappy(series([NAME, *labels], (value, ms)))


def rss_mb(server):
    with open(f"/proc/{server.process.p.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) >> 10


def write(server, body, headers=RW_HEADERS):
    begin = time.monotonic()
    status, _, text = server.post("/api/v1/write", body, headers)
    assert time.monotonic() - begin < 5 and len(text) < 1500, (status, text)
    return status, text.decode()


# (what, body, status, word of the reason)
WRITES = [
    ("empty body", b"", 400, "empty request"),
    ("one byte", snappy(b"\x07"), 400, "protobuf"),
    ("no series", snappy(b""), 204, ""),
    ("snappy that claims 2.7 GB", varint(2704094487) + b"x" * 42, 400, "2704094487"),
    ("snappy length of 11 bytes", b"\xff" * 10 + b"\x01abc", 400, "length"),
    ("snappy length past 2^32", varint(1 << 33) + b"abc", 400, "length"),
    ("snappy too short", varint(100) + b"\xf0\x62" + b"a" * 99, 400, "snappy"),
    ("snappy too long", varint(100) + b"\xf0\x64" + b"a" * 101, 400, "snappy"),
    ("snappy copy at 0", varint(8) + b"\x00a\x0d\x00", 400, "snappy"),
    ("snappy copy before the start", varint(8) + b"\x00a\x0d\x09", 400, "snappy"),
    ("snappy frames", b"\xff\x06\x00\x00sNaPpY\x01\x05\x00\x00\0\0\0\0a", 400, "framed"),
    ("2.0 announced as 1.0", snappy(b"\x22\x00\x22\x01m\x2a\x00"), 400, "2.0"),
    ("field 0", snappy(b"\x02\x00"), 400, "tag"),
    ("wire type 6", snappy(b"\x0e\x00"), 400, "wire type"),
    ("an open group", snappy(b"\x0b\x08\x01"), 400, "protobuf"),
    ("a length past the end", snappy(b"\x0a\x7f\x00"), 400, "past the end|passes the end"),
    ("a length of 2^63", snappy(b"\x0a" + varint(1 << 63)), 400, "passes the end"),
    ("groups 200 deep", snappy(b"\x9b\x06" * 200 + b"\x9c\x06" * 200), 400, "protobuf"),
    ("1 MiB of an unknown field", snappy(field(99, b"x" * (1 << 20)) + series([NAME], (1.0, NOW))), 204, ""),
    ("a group beside", snappy(b"\x9b\x06\x08\x01\x9c\x06" + series([NAME], (1.0, NOW))), 204, ""),
    ("no labels", snappy(series([], (1.0, NOW))), 400, "missing metric name"),
    ("no name", snappy(series([(b"a", b"b")], (1.0, NOW))), 400, "missing metric name"),
    ("an empty name", snappy(series([(b"__name__", b"")], (1.0, NOW))), 400, "missing metric name"),
    ("a label twice", one((b"a", b"1"), (b"a", b"2")), 400, "duplicate label"),
    ("labels in another order", one((b"z", b"1"), (b"a", b"2")), 204, ""),
    ("an empty value is no label", one((b"e", b"")), 204, ""),
    ("an empty label name", one((b"", b"x")), 400, "invalid label name"),
    ("a label name of 257 bytes", one((b"n" * 257, b"x")), 400, "label limit"),
    ("a label value of 4097 bytes", one((b"v", b"x" * 4097)), 400, "label limit"),
    ("a label value of 65535 bytes", one((b"v", b"x" * 65535)), 400, "label limit"),
    ("a label value of 10 MB", one((b"v", b"x" * 10_000_000)), 400, "label limit"),
    ("66 labels", one(*[(b"l%d" % i, b"x") for i in range(65)]), 400, "label limit"),
    ("a name that is not UTF-8", one((b"\xff", b"x")), 400, "invalid label name"),
    ("a value that is not UTF-8", one((b"b", b"\xff")), 400, "not UTF-8"),
    ("a lone surrogate", one((b"b", b"\xed\xa0\x80")), 400, "not UTF-8"),
    ("NUL in a value", one((b"b", b"a\0b")), 204, ""),
    ("a name in UTF-8", one(("größe".encode(), "🦀".encode())), 204, ""),
    ("markup", one((b"x", b"<img src=x onerror=alert(1)>\"\\\n} 1")), 204, ""),
    ("time 0", one(ms=0), 400, "too old"),
    ("time -1", one(ms=-1), 400, "too old"),
    ("the least time", one(ms=-(1 << 63)), 400, "too old"),
    ("the largest time", one(ms=(1 << 63) - 1), 400, "future"),
    ("seconds for milliseconds", one(ms=NOW // 1000), 400, "too old"),
    ("microseconds", one(ms=NOW * 1000), 400, "future"),
    ("nanoseconds", one(ms=NOW * 1_000_000), 400, "future"),
    ("a series without samples", snappy(series([NAME])), 204, ""),
    ("a sample of another wire type", snappy(field(1, field(1, field(1, b"__name__") + field(2, b"m")) + b"\x10\x01")), 400, "wire type"),
    ("a million empty series", snappy(b"\x0a\x00" * 1_000_000), 400, "missing metric name|series"),
    ("a long time ago, backwards", snappy(series([(b"__name__", b"backwards")], *[(float(k), NOW - k) for k in range(50_000)])), 204, ""),
]


def test_remote_writes_are_answered_as_the_catalogue_says():
    with Gnomon() as server:
        assert write(server, one())[0] == 204
        before = rss_mb(server)
        wrong = []
        for what, body, expected, words in WRITES:
            status, text = write(server, body)
            if what == "a million empty series" and status == 204:
                continue  # nothing in them is as good as refused
            if status != expected or not any(w in text for w in words.split("|")):
                wrong.append((what, status, text))
        assert not wrong, wrong
        assert rss_mb(server) - before < 300, (before, rss_mb(server))
        values = server.query("backwards[5m]", at=NOW / 1000)[0]["values"]
        assert len(values) == 50_000 and values == sorted(values) and values[-1][1] == "0"
        assert server.get("/-/healthy")[0] == 200


def test_a_bad_series_does_not_take_good_ones_with_it():
    with Gnomon() as server:
        good = [series([(b"__name__", b"good"), (b"i", b"%d" % i)], (float(i), NOW)) for i in range(100)]
        bad = [series([(b"a", b"b")], (1.0, NOW)), series([NAME], (1.0, 0)), series([NAME, (b"\xff", b"")], (1.0, NOW)),
               series([NAME, (b"far", b"1")], (1.0, NOW + 10**9))]
        status, text = write(server, snappy(b"".join(good[:50] + bad + good[50:])))
        assert status == 400 and "4 of 104" in text, (status, text)
        assert server.query("count(good)", at=NOW / 1000)[0]["value"][1] == "100"
        page = server.get("/metrics")[2].decode()
        rejected = sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
                       if line.startswith("gnomon_ingest_rejected_samples_total{"))
        assert rejected == 4, rejected


def test_encodings_and_content_types():
    with Gnomon() as server:
        proto = "application/x-protobuf"
        for headers, expected in [
            ({"Content-Encoding": "gzip"}, 415), ({"Content-Encoding": "br"}, 415),
            ({"Content-Encoding": "snappy, gzip"}, 415), ({"Content-Type": "application/json"}, 415),
            ({"Content-Type": proto + ";proto=io.prometheus.write.v3.Request", "Content-Encoding": "snappy"}, 415),
            # The body is one of 1.0: nothing in it could be read as 2.0.
            ({"Content-Type": proto + ";proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy"}, 400),
            ({"Content-Type": proto + ";proto=prometheus.WriteRequest", "Content-Encoding": "snappy"}, 204),
            ({}, 204),
        ]:
            assert write(server, one(), headers)[0] == expected, headers


def test_zstd_as_vmagent_sends_it():
    if not shutil.which("zstd"):
        raise Skip("no zstd")
    with Gnomon() as server, tempfile.NamedTemporaryFile() as f:
        assert server.post("/api/v1/write?get_vm_proto_version=1", b"", {"Content-Encoding": "snappy"})[::2] == (200, b"1")
        f.write(write_request([({"__name__": "m", "i": str(i)}, [(NOW, float(i))]) for i in range(2000)]))
        f.flush()
        packed = subprocess.run(["zstd", "-qc", f.name], capture_output=True, check=True).stdout
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd", "X-VictoriaMetrics-Remote-Write-Version": "1"}
        assert write(server, packed, headers)[0] == 204
        assert server.query("sum(m)", at=NOW / 1000)[0]["value"][1] == "1999000"
        for broken in (packed[:-1], packed[:20], packed[:4], b""):
            assert write(server, broken, headers)[0] == 400
        flipped = bytearray(packed)
        flipped[len(packed) // 2] ^= 0x10
        assert write(server, bytes(flipped), headers)[0] == 400


def test_special_values_keep_their_bits():
    values = {0x7FF0000000000000: "+Inf", 0xFFF0000000000000: "-Inf", 0x8000000000000000: "-0", 1: "5e-324",
              0x7FF8000000000001: "NaN", 0x7FEFFFFFFFFFFFFF: "1.7976931348623157e+308"}
    with Gnomon() as server:
        for n, bits in enumerate([*values, 0x7FF0000000000002]):
            assert write(server, one((b"n", b"%d" % n), value=bits))[0] == 204
        for again in range(2):
            got = {int(s["metric"]["n"]): s["values"][0][1] for s in server.query("m[1m]", at=NOW / 1000)}
            assert got == dict(enumerate(values.values())), got  # the last one is a stale marker: not shown
            server.kill9()
            server.process.out.close()
            server.start()


# (expression, status, word)
QUERIES = [
    ("", 400, "no expression"), ("sum(", 400, "1:5"), (")", 400, "1:2"), ("m{", 400, "1:3"), ("m[5m", 400, "1:5"), ('"abc', 400, "1:1"),
    ("(" * 10_000 + "1" + ")" * 10_000, 400, "nested"), ("-" * 30_000 + "1", 400, "nested"),
    ("r>bool(A>bool(" * 2_000, 400, "parse error"), ("1" + "+1" * 5_000, 400, "nested"), ("m" + "+m" * 300, 200, ""),
    ("foo()", 400, "unknown function"), ("rate(m)", 400, "range vector"), ("rate(m[5m],1)", 400, "expected 1"),
    ('m{i=~"("}', 400, "missing closing"), ('m{i=~"a{0,1000}"}', 200, ""), ('m{i=~"(a{1000}){1000}"}', 400, "invalid repeat"),
    ('long{v=~"(a|aa)+$"}', 200, ""), ('long{v=~"(.*)*x"}', 200, ""), ('long{v=~"(a*)*(a*)*b"}', 200, "aaaa"),
    ('m{i=~"' + "|".join(str(i) for i in range(8_000)) + '"}', 200, ""),
    ("{}", 400, "non-empty matcher"), ('{a=""}', 400, "non-empty matcher"), ('{__name__=~".*"}', 400, "non-empty matcher"),
    ("m offset 300y", 400, "out of range"), ("m @ 1e300", 400, "out of bounds"), ("m @ NaN", 400, "out of bounds"),
    ("m[0s]", 400, "greater than 0"), ("m[-5m]", 400, "greater than 0"), ("m[1000y]", 400, "out of range"),
    ("m[1d:0s]", 400, "greater than 0"), ("m @ m", 400, "expected timestamp"),
    ("topk(1e18,m)", 200, ""), ("topk(NaN,m)", 422, "NaN"), ("topk(-1,m)", 200, "[]"), ("quantile(2,m)", 200, "between 0 and 1"),
    ('label_replace(m,"a","$999","i","(.*)")', 200, ""), ('label_replace(m,"a","$1","i","(?P<x")', 422, "regular expression"),
    ('label_replace(m,"i","x","i",".*")', 422, "same labelset"), ("m * on(job) m", 422, "duplicate series"),
    ("1/0", 200, "+Inf"), ("-0", 200, "-0"), ("2^1e9", 200, "+Inf"), ("vector(time())", 200, ""), ("bool", 400, "unexpected"),
    ("m[5m] offset", 400, "parse error"), ("sum(m) by (", 400, "parse error"), ("\x00", 400, "parse error"), ('m{i="\\xff"}', 200, "[]"),
    ("predict_linear(m[1h],1e308)", 200, ""), ("clamp(m,5,1)", 200, "[]"), ("round(m,0)", 200, ""), ("max_over_time(m[3h:1s])", 200, ""),
]


def form(server, path, **params):
    begin = time.monotonic()
    status, _, body = server.post(path, urllib.parse.urlencode(params, doseq=True).encode(),
                                  {"Content-Type": "application/x-www-form-urlencoded"})
    return status, body.decode(errors="replace"), time.monotonic() - begin


def data(server):
    assert server.write([({"__name__": "m", "job": "j%d" % (i % 7), "i": str(i)},
                          [(NOW - k * 60_000, float(k * i)) for k in range(60, -1, -1)]) for i in range(200)]
                        + [({"__name__": "long", "v": "a" * 4000 + "b"}, [(NOW, 1.0)])])[0] == 204


def test_queries_are_answered_as_the_catalogue_says():
    with Gnomon("--memory.limit=2GB") as server:
        data(server)
        wrong = []
        for expr, expected, word in QUERIES:
            status, body, took = form(server, "/api/v1/query", query=expr, time=NOW / 1000)
            if status != expected or word not in body or took > PATIENCE / 5 or (status != 200 and json.loads(body)["status"] != "error"):
                wrong.append((expr[:60], status, body[:200], took))
        assert not wrong, wrong
        status, body, _ = form(server, "/api/v1/query", query="x" * 65537)
        assert status == 400 and "65536" in body, (status, body[:200])


# (changed parameters, status, word)
RANGES = [
    ({"step": 0}, 400, "zero or negative"), ({"step": -1}, 400, "zero or negative"), ({"step": "1e-9"}, 400, "maximum resolution"),
    ({"step": "abc"}, 400, "step"), ({"step": "NaN"}, 400, "step"), ({"step": "1e300"}, 400, "overflows"), ({"step": "0.01"}, 400, "11,000"),
    ({"start": NOW / 1000 + 100}, 400, "end timestamp must not be before start"), ({"start": "1e20"}, 400, "start"),
    ({"end": "3000-01-01T00:00:00Z"}, 400, "11,000"), ({"start": "now-1h"}, 400, "start"), ({"start": "-1e300"}, 400, "start"),
    ({"timeout": "100y"}, 200, ""), ({"timeout": "x"}, 400, "timeout"), ({"timeout": "1ns"}, 400, "timeout"),
    ({"limit": "-1"}, 400, "limit"), ({"limit": "1e18"}, 400, "limit"), ({"limit": "999999999999999999999"}, 400, "limit"),
    ({"limit": "9223372036854775807"}, 200, ""), ({"lookback_delta": "x"}, 400, "lookback"), ({"stats": "all"}, 200, "stats"),
]


def test_parameters_are_answered_as_the_catalogue_says():
    with Gnomon() as server:
        data(server)
        wrong = []
        for changed, expected, word in RANGES:
            params = {"query": 'm{i="1"}', "start": NOW / 1000 - 600, "end": NOW / 1000, "step": 60, **changed}
            status, body, _ = form(server, "/api/v1/query_range", **params)
            if status != expected or word not in body:
                wrong.append((changed, status, body[:200]))
        for path, expected in [
            ("/api/v1/query?query=1&time=NaN", 400), ("/api/v1/query?query=1&time=Inf", 400), ("/api/v1/query?query=%zz", 400),
            ("/api/v1/query?query=1&time=2026-01-01T00:00:00%2b02:00", 200), ("/api/v1/series", 400), ("/api/v1/series?match[]={}", 400),
            ("/api/v1/series?match[]=m[5m]", 400), ("/api/v1/series?" + "&".join(["match[]=m"] * 1001), 400),
            ("/api/v1/label/%00/values", 400), ("/api/v1/label/%ff/values", 400), ("/api/v1/label/U__http_2e_status/values", 200),
            ("/api/v1/labels?limit=-1", 400), ("/api/v1/labels?start=x", 400), ("/api/v1/status/tsdb?limit=999999999999", 400),
            ("/api/v1/metadata?limit=x", 400), ("/api/v1/rules?type=x", 400), ("/api/v1/query_exemplars?query=sum(", 400),
            ("/api/v1/%2e%2e/%2e%2e/etc/passwd", 404), ("/api/v1/admin/tsdb/delete_series", 405), ("/api/v1/query?query=" + "1" * 70_000, 414),
        ]:
            status = server.get(path)[0]
            if status != expected:
                wrong.append((path[:80], status))
        assert not wrong, wrong


def test_a_query_without_end_keeps_to_its_timeout_and_does_not_hold_up_the_stop():
    with Gnomon("--memory.limit=2GB") as server:
        data(server)
        for expr in ("sum_over_time(m[1y:1s])", "max_over_time(sum_over_time(m[1h:1s])[6h:1s])"):
            status, body, took = form(server, "/api/v1/query", query=expr, timeout="1s", time=NOW / 1000)
            assert (status in (422, 503) or expr.startswith("max")) and took < PATIENCE / 5, (expr, status, body[:200], took)
        c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=1)
        try:
            c.request("GET", "/api/v1/query?query=sum_over_time(m[1y:1s])")
            c.getresponse()
        except OSError:
            pass
        server.stop()


def test_little_memory_is_an_error_and_no_end():
    with Gnomon("--memory.limit=24MB") as server:
        statuses = set()
        for n in range(40):
            statuses.add(server.write([({"__name__": "big", "i": str(n * 1000 + i)}, [(NOW - k * 1000, float(k)) for k in range(20)])
                                       for i in range(1000)])[0])
        assert statuses <= {204, 429, 503}, statuses
        for expr in ("big", "sum(rate(big[5m]))", "count(big) by (i)", "big + on(i) big", "sort(big)", 'count_values("v", big)'):
            status, body, _ = form(server, "/api/v1/query", query=expr, time=NOW / 1000)
            assert status in (200, 422, 503), (expr, status, body[:200])
        assert server.get("/-/healthy")[0] == 200 and rss_mb(server) < 400, rss_mb(server)


def test_settings_that_cannot_be_are_refused_in_one_line():
    for args in (["--nope"], ["--query.timeout=-1s"], ["--query.lookback-delta=0"], ["--query.default-step=0"], ["--memory.limit=0"],
                 ["--memory.limit=200%"], ["--storage.retention.time=1x"], ["-retentionPeriod=0"], ["--storage.retention.size=9e99"],
                 ["--config.file=/nonexistent"], ["--config.file=/tmp"], ["--config.file=/dev/zero"], ["--wal.sync=never"], ["extra"],
                 ["--web.loops=99999"], ["--log.level=loud"], ["--enable-feature=foo"], ["--query.max-samples=0"], ["--web.max-header-size=0"]):
        p = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=PATIENCE, cwd="/tmp")
        assert p.returncode == 2 and p.stderr.startswith("gnomon: ") and p.stderr.count("\n") == 1, (args, p)


run(globals())
