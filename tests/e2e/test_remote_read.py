"""A real Prometheus, empty itself, answers queries from what Gnomon gives it by remote read.

Both forms of the answer: the stream of chunks, which Prometheus asks for first, and samples, for which a
small proxy takes the stream out of its request.  PROMETHEUS chooses the program.
"""
import http.server
import json
import math
import os
import random
import socket
import struct
import tempfile
import threading
import time
import urllib.parse

from harness import Gnomon, Process, field, free_port, request, run, since, snappy, varint, wait_for

START = 1_700_000_000
STEP = 15
SAMPLES = 700


def unsnappy(data):
    """The bytes of a snappy block."""
    at, shift, size = 0, 0, 0
    while True:
        size |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            break
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            n = tag >> 2
            if n >= 60:
                extra = n - 59
                n = int.from_bytes(data[at:at + extra], "little")
                at += extra
            out += data[at:at + n + 1]
            at += n + 1
            continue
        if tag & 3 == 1:
            n, back = (tag >> 2 & 7) + 4, tag >> 5 << 8 | data[at]
            at += 1
        else:
            width = 2 if tag & 3 == 2 else 4
            n, back = (tag >> 2) + 1, int.from_bytes(data[at:at + width], "little")
            at += width
        for _ in range(n):
            out.append(out[-back])
    assert len(out) == size, (len(out), size)
    return bytes(out)


def fields(message):
    """[(number, wire type, value)] of a protobuf message."""
    at, found = 0, []

    def number():
        nonlocal at
        shift = v = 0
        while True:
            byte = message[at]
            at += 1
            v |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return v
    while at < len(message):
        tag = number()
        if tag & 7 == 0:
            found.append((tag >> 3, 0, number()))
        else:
            size = 8 if tag & 7 == 1 else number()
            found.append((tag >> 3, tag & 7, message[at:at + size]))
            at += size
    return found


def read_request(matchers, start_ms, end_ms, types=()):
    kinds = {"=": 0, "!=": 1, "=~": 2, "!~": 3}
    query = b"\x08" + varint(start_ms) + b"\x10" + varint(end_ms)
    for name, op, value in matchers:
        query += field(3, b"\x08" + varint(kinds[op]) + field(2, name.encode()) + field(3, value.encode()))
    return field(1, query) + b"".join(b"\x10" + varint(t) for t in types)


class SamplesOnly(http.server.BaseHTTPRequestHandler):
    """Passes remote reads on without the list of accepted types, so that the answer is SAMPLES."""
    upstream = 0
    types = []

    def do_POST(self):
        raw = unsnappy(self.rfile.read(int(self.headers["Content-Length"])))
        queries = b"".join(field(1, value) for number, _, value in fields(raw) if number == 1)
        status, headers, body = request("POST", self.upstream, self.path, snappy(queries))
        self.types.append(headers["Content-Type"])
        self.send_response(status)
        for name in ("Content-Type", "Content-Encoding"):
            if headers[name]:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def float_series():
    kinds = {
        "counter": lambda i, s: float(i * 7 + s),
        "gauge": lambda i, s: math.sin(i / 9 + s) * 1e6,
        "constant": lambda i, s: 42.0,
        "noise": lambda i, s: random.random() * 10 ** random.randrange(-9, 9),
        "special": lambda i, s: [math.inf, -math.inf, math.nan, -0.0, 0.0, 5e-324, 1.7e308][i % 7],
    }
    series = []
    for kind, value in kinds.items():
        for s in range(4):
            times = [(START + i * STEP) * 1000 + (random.randrange(-40, 40) if s % 2 else 0) for i in range(SAMPLES)]
            if s == 3:
                times = [t for t in times if random.random() > 0.2]
            series.append(({"__name__": kind, "job": f"j{s % 2}", "instance": str(s), "unicode é": "ü\"\\\n"},
                           [(t, value(i, s)) for i, t in enumerate(times)]))
    return series


def histogram(t_ms, i, s):
    """A float histogram as remote write sends it; spans change now and then, counts reset once."""
    run_ = i % 300
    buckets = 3 + (i // 100) % 3
    counts = [float(run_ * (b + 1) + s) for b in range(buckets)]
    out = b"\x11" + struct.pack("<d", sum(counts) + run_) + b"\x19" + struct.pack("<d", run_ * 1.5)
    out += b"\x20" + varint(2 * 2) + b"\x29" + struct.pack("<d", 2.0 ** -128) + b"\x39" + struct.pack("<d", float(run_))
    out += field(11, b"\x08" + varint(2 * (s - 1) & 0xffffffff if s else 1) + b"\x10" + varint(buckets))
    out += field(13, b"".join(struct.pack("<d", c) for c in counts))
    return out + b"\x78" + varint(t_ms)


def histogram_request():
    out = b""
    for s in range(3):
        labels = {"__name__": "native", "instance": str(s)}
        ts = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        ts += b"".join(field(4, histogram((START + i * STEP) * 1000, i, s)) for i in range(SAMPLES))
        out += field(1, ts)
    return out


EXPRESSIONS = [
    'counter', 'rate(counter[1m])', 'sum by (job) (gauge)', 'special', 'noise{instance=~"[12]"}',
    '{__name__=~"counter|constant", job!="j1"}', 'max_over_time(gauge[5m])', 'gauge{instance!~"1|2"}',
    'last_over_time({__name__=~".+"}[10m])', 'nothing', 'counter offset 5m', 'quantile_over_time(0.9, noise[7m])',
]
HISTOGRAM_EXPRESSIONS = [
    'native', 'histogram_quantile(0.9, rate(native[5m]))', 'histogram_count(native)', 'sum(rate(native[2m]))',
    'histogram_sum(increase(native[10m]))',
]


def answer(port, path, **params):
    status, _, body = request("GET", port, f"/api/v1/{path}?" + urllib.parse.urlencode(params))
    assert status == 200, (status, body[:500])
    parsed = json.loads(body)
    assert "warnings" not in parsed, parsed["warnings"]
    return sorted(json.dumps(s, sort_keys=True) for s in parsed["data"]["result"])


def compare(gnomon, prometheus, expressions):
    end = START + SAMPLES * STEP
    compared = 0
    for expression in expressions:
        for params in ({"time": START + 5000}, {"time": end - 60},
                       {"start": START - 600, "end": end + 600, "step": 47}, {"start": START, "end": end, "step": 15}):
            path = "query_range" if "step" in params else "query"
            ours, theirs = (answer(p, path, query=expression, **params) for p in (gnomon, prometheus))
            assert ours == theirs, f"{expression} {params}: {len(ours)} and {len(theirs)} series\n" + next(
                (f"{a[:600]}\n{b[:600]}" for a, b in zip(ours, theirs) if a != b), "")
            compared += sum(len(json.loads(s).get("values", [1])) for s in ours)
    for expression in ("counter", "special", "gauge") + (("native",) if "native" in expressions else ()):
        ours, theirs = (answer(p, "query", query=f"{expression}[6h]", time=end) for p in (gnomon, prometheus))
        assert ours == theirs and ours, f"{expression}[6h]"
    assert compared > 10000, compared


def prometheus_over(url, tmp):
    port = free_port()
    with open(f"{tmp}/{port}.yml", "w") as f:
        f.write(f"remote_read: [{{url: '{url}/api/v1/read', read_recent: true}}]\n")
    p = Process([since((3, 0), "prometheus"), f"--config.file={tmp}/{port}.yml", f"--storage.tsdb.path={tmp}/{port}",
                 f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], f"{tmp}/{port}.log")
    wait_for("Prometheus", lambda: ready(port))
    return port, p


def ready(port):
    try:
        return request("GET", port, "/-/ready")[0] == 200
    except OSError:
        return False


def fill(server):
    status, _, body = server.write(float_series())
    assert status == 204, (status, body)
    raw = histogram_request()
    status, _, body = server.post("/api/v1/write", snappy(raw), {"Content-Encoding": "snappy"})
    assert status == 204, (status, body)
    return bool(server.query("native", at=START + 5000))


def test_prometheus_reads_from_gnomon_in_both_forms():
    since((3, 0), "prometheus")
    tmp = tempfile.mkdtemp(prefix="gnomon-read-")
    with Gnomon("--storage.retention.time=100y") as server:
        expressions = EXPRESSIONS + (HISTOGRAM_EXPRESSIONS if fill(server) else [])
        SamplesOnly.upstream = server.port
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SamplesOnly)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        for url in (server.url, f"http://127.0.0.1:{proxy.server_port}"):
            port, child = prometheus_over(url, tmp)
            try:
                compare(server.port, port, expressions)
            finally:
                child.kill()
        assert set(SamplesOnly.types) == {"application/x-protobuf"}, set(SamplesOnly.types)
        proxy.shutdown()
        metrics = server.get("/metrics")[2].decode()
        assert 'handler="/api/v1/read"' in metrics


def test_limits_and_errors():
    with Gnomon("--storage.retention.time=100y", "--storage.remote.read-sample-limit=1000",
                "--storage.remote.read-max-bytes-in-frame=1KiB") as server:
        fill(server)
        ask = lambda raw, **kw: server.post("/api/v1/read", snappy(raw), **kw)
        everything = [("__name__", "!=", "")]
        status, _, body = ask(read_request(everything, 0, 1 << 60))
        assert (status, body) == (400, b"exceeded sample limit (1000)\n"), (status, body)
        status, headers, body = ask(read_request(everything, 0, 1 << 60, types=(7, 1, 0)))
        assert status == 200 and headers["Content-Type"].startswith("application/x-streamed-protobuf"), (status, headers)
        assert frames_of(body) > 50
        status, _, body = ask(read_request(everything, 0, 1 << 60, types=(7,)))
        assert status == 400 and body.startswith(b"server does not support any of the requested response types"), body
        assert ask(read_request([("a", "=~", "(")], 0, 1))[0] == 400
        assert server.post("/api/v1/read", b"\xff\xff\xff")[0] == 400
        assert ask(b"\x0a\xff")[0] == 400
        status, headers, body = ask(b"")
        assert (status, headers["Content-Encoding"], unsnappy(body)) == (200, "snappy", b""), (status, body)
        status, _, body = ask(read_request([("__name__", "=", "nothing")], 0, 1 << 60))
        assert unsnappy(body) == b"\x0a\x00", body
        status, _, body = server.post("/prometheus/api/v1/read", snappy(read_request([("__name__", "=", "constant")], START * 1000, START * 1000 + 1000)))
        assert status == 200 and len(fields(fields(unsnappy(body))[0][2])) >= 2, body
        assert server.get("/api/v1/read")[0] == 405


def test_readers_that_leave_give_their_slot_back():
    with Gnomon("--storage.retention.time=100y", "--storage.remote.read-concurrent-limit=2") as server:
        fill(server)
        body = snappy(read_request([("__name__", "!=", "")], 0, 1 << 60, types=(1,)))
        head = f"POST /api/v1/read HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        gone = []
        for i in range(40):
            s = socket.create_connection(("127.0.0.1", server.port))
            s.sendall(head + body)
            if i % 2:
                s.close()  # before the answer, in the queue or while it is formed
            else:
                gone.append(s)
        for s in gone:
            s.close()
        whole = []
        readers = [threading.Thread(target=lambda: whole.append(frames_of(server.post("/api/v1/read", body)[2]))) for _ in range(8)]
        for t in readers:
            t.start()
        for t in readers:
            t.join()
        assert len(whole) == 8 and len(set(whole)) == 1, whole


def frames_of(body):
    """Checks the frames of a stream: lengths, sums, one series each, sorted; returns how many there are."""
    at = count = 0
    last = None
    while at < len(body):
        size = shift = 0
        while True:
            size |= (body[at] & 127) << shift
            shift += 7
            at += 1
            if body[at - 1] < 128:
                break
        payload = body[at + 4:at + 4 + size]
        assert len(payload) == size and crc32c(payload) == int.from_bytes(body[at:at + 4], "big")
        at += 4 + size
        count += 1
        series = [value for number, _, value in fields(payload) if number == 1]
        assert len(series) == 1
        labels = [tuple(v for _, _, v in fields(value)) for number, _, value in fields(series[0]) if number == 1]
        assert last is None or last <= labels, (last, labels)
        last = labels
    return count


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


run(globals())
