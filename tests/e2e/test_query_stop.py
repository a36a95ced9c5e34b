"""A query that is over - its time has passed, or its client has left - stops whatever it is doing.

Every family of operators gets an input that would keep it busy for seconds or minutes, and a third of a second.  How long after
that the answer came is printed; SERIES=4000 LIMIT_MS=100 makes more than that a failure (a quiet machine is needed).
"""
import os
import socket
import struct
import time
import urllib.parse

from harness import PATIENCE, RW_HEADERS, Gnomon, field, run, snappy, varint, wait_for, write_request

SERIES = int(os.environ.get("SERIES", 400))
TIMEOUT = 0.3
T0 = 1_600_000_000
SERVER = Gnomon("--log.level=error", "--storage.retention.time=0", "--query.max-samples=1000000000000", "--query.max-memory=90%",
                "--enable-feature=all", "--wal.sync=os", "--web.write-timeout=5s")

QUERIES = {
    "selector": "m",
    "rate": "rate(m[30m])",
    "sum_over_time": "sum_over_time(m[2h])",
    "quantile_over_time": "quantile_over_time(0.4, m[2h])",
    "mad_over_time": "mad_over_time(m[2h])",
    "deriv": "deriv(m[2h])",
    "smoothed": "m smoothed",
    "anchored": "increase(m[1h] anchored)",
    "double exponential": "double_exponential_smoothing(m[2h], 0.5, 0.5)",
    "sum": "sum by (i) (m)",
    "stddev": "stddev by (j) (m)",
    "topk": "topk by (j) (100, m)",
    "quantile": "quantile by (j) (0.5, m)",
    "count_values": "count_values(\"v\", m)",
    "limitk": "limitk(1000, m)",
    "limit_ratio": "limit_ratio(0.5, m)",
    "binary": "m + m * 2",
    "matching": "m + on (i) m",
    "matching with groups": "m * on (i) group_left (j) n",
    "and": "m and on (i) n",
    "or": "n or on (j) m",
    "unless": "m unless on (i) n",
    "math": "exp(m) ^ 1.7",
    "label_replace": "label_replace(m, \"k\", \"$1-$2-$3\", \"i\", \"(.*)(.*)(.*)\")",
    "label_join": "label_join(m, \"k\", \"-\", \"i\", \"j\", \"i\")",
    "sort": "sort(m + on (i) m)",
    "sort_by_label": "sort_by_label(m, \"i\", \"j\")",
    "info": "info(m, {__name__=\"n\"})",
    "absent": "absent(m)",
    "scalar": "scalar(m) + vector(1)",
    "histogram_quantile": "histogram_quantile(0.9, b)",
    "subquery": "max_over_time(sum by (j) (m)[2h:1s])",
    "long windows": "quantile_over_time(0.4, (m)[2h:100ms])",
    "subquery of a subquery": "sum_over_time(max_over_time(m[1h:10s])[1h:10s])",
    "fixed": "m @ 1600000000 + m",
    "smallest step": "sum_over_time(vector(1)[4h:1ms])",
    "min_over_time": "min_over_time(m[2h]) + max_over_time(m[2h])",
    "stddev_over_time": "stddev_over_time(m[2h])",
    "changes": "changes(m[2h]) + resets(m[2h])",
    "predict_linear": "predict_linear(m[2h], time())",
    "times of extremes": "ts_of_max_over_time(m[2h])",
    "absent_over_time": "absent_over_time(m[2h])",
    "smoothed rate": "rate(m[1h] smoothed)",
    "timestamp": "timestamp(m)",
    "calendar": "days_in_month(m * 1e6)",
    "clamp": "clamp(round(m, 0.3), time() % 7, 1e9)",
    "bottomk": "bottomk(time() % 100, m)",
    "fill": "m + on (i) fill(0) n",
    "comparison": "m > bool on (i) group_left () (n * 2)",
    "repeated expression": "(m ^ 1.1) + (m ^ 1.1)",
    "unary minus": "-(m or n)",
    "label_replace to one name": "label_replace(m, \"__name__\", \"$1\", \"i\", \"(.*)\")",
    # Answers are a few rows: where a machine is fast enough, millions of histograms would be written.
    "rate of histograms": "count(rate(h[30m]))",
    "sum_over_time of histograms": "count(sum_over_time(h[2h]))",
    "sum of histograms": "count(sum by (i) (h))",
    "arithmetic of histograms": "count(h * 2 + h)",
    "comparison of histograms": "count(h == h offset 1m)",
    "trimmed": "count(h </ 2)",
    "quantile of histograms": "histogram_quantile(0.9, h)",
    "quantiles of histograms": "histogram_quantiles(h, \"q\", 0.1, 0.5, 0.9)",
    "fraction of histograms": "histogram_fraction(0, 1, rate(h[30m]))",
    "deviation of histograms": "histogram_stddev(h)",
    "only counts of histograms": "histogram_count(rate(h[30m]))",
    "values of histograms": "count_values(\"v\", h)",
    "subquery of histograms": "count(avg_over_time((h + h)[1h:30s]))",
    "histograms and floats": "count(sum by (i) ({__name__=~\"h|m\"}))",
}


def data():
    out = []
    for k in range(SERIES):
        labels = {"i": f"{k:06}" + "x" * 20, "j": str(k % 50), "instance": f"{k:06}", "job": "q"}
        samples = [((T0 + 60 * t) * 1000, float(k * t % 977) + 0.5) for t in range(0, 120)]
        out.append(({"__name__": "m", **labels}, samples))
        out.append(({"__name__": "n", **labels, "version": str(k % 7)}, samples[:3]))
        out.append(({"__name__": "b", "i": f"{k // 20:06}", "le": str(k % 20) if k % 20 < 19 else "+Inf"}, samples[:60]))
    return out


def histograms():
    """Float histograms of 30 buckets, every minute; a request."""
    out = bytearray()
    for k in range(SERIES // 4):
        labels = sorted({"__name__": "h", "i": f"{k:06}", "j": str(k % 50)}.items())
        names = b"".join(field(1, field(1, a.encode()) + field(2, b.encode())) for a, b in labels)
        for t in range(120):
            counts = [float(1 + t + (b * k) % 7) for b in range(30)]
            span = field(11, b"\x08" + varint(0) + b"\x10" + varint(len(counts)))
            names += field(4, b"\x11" + struct.pack("<d", sum(counts)) + b"\x19" + struct.pack("<d", t * 3.5) + b"\x20\x02" + span +
                           field(13, struct.pack(f"<{len(counts)}d", *counts)) + b"\x78" + varint((T0 + 60 * t) * 1000))
        out += field(1, names)
    return bytes(out)


def started():
    if SERVER.process:
        return
    SERVER.start()
    series = data()
    for body in (*(write_request(series[at:at + 1000]) for at in range(0, len(series), 1000)), histograms()):
        status, _, text = SERVER.post("/api/v1/write", snappy(body), RW_HEADERS)
        assert status == 204, text


def form(expr, timeout=TIMEOUT):
    return urllib.parse.urlencode({"query": expr, "start": T0, "end": T0 + 7200, "step": "0.8", "timeout": timeout})


def test_deadlines_are_kept_by_every_operator():
    started()
    worst, limit = [], float(os.environ.get("LIMIT_MS", PATIENCE * 200)) / 1000
    for name, expr in QUERIES.items():
        began = time.monotonic()
        status, _, body = SERVER.post("/api/v1/query_range", form(expr), {"Content-Type": "application/x-www-form-urlencoded"})
        took = time.monotonic() - began
        late = took - TIMEOUT
        done = status == 200
        assert done or status == 503 or (status == 422 and b"too many samples" in body), (name, status, body[:300])
        worst.append((late, name, status))
        print(f"  {name:28} {status} {'answered in' if done else 'late by'} {1000 * (took if done else late):6.0f} ms", flush=True)
    late = [w for w in worst if w[0] > limit and w[2] != 200]
    assert not late, late


def test_a_client_that_leaves_stops_its_query():
    started()
    for name in ("quantile_over_time", "long windows", "subquery of a subquery", "sum_over_time of histograms", "label_replace to one name"):
        body = form(QUERIES[name], 120).encode()
        with socket.create_connection(("127.0.0.1", SERVER.port)) as s:
            s.sendall(b"POST /api/v1/query_range HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_for(f"{name} to run", lambda: running() == 1, every=0.02)
        left = time.monotonic()
        wait_for(f"{name} to stop", lambda: running() == 0, every=0.005)
        print(f"  {name:28} stopped after {1000 * (time.monotonic() - left):.0f} ms", flush=True)


def running():
    _, _, text = SERVER.get("/metrics")
    return float(next(line.split()[1] for line in text.decode().splitlines() if line.startswith("prometheus_engine_queries ")))


try:
    run(globals())
finally:
    if SERVER.process:
        SERVER.process.kill()
