"""A scrape target that remembers each of its answers, so that what arrives can be compared with what was told.

/metrics answers OpenMetrics or text, /native the protobuf format with native histograms, by Accept.
"""
import contextlib
import http.server
import struct
import threading
import time

from harness import field, varint

GAUGE = [0.1, float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, 123456789.125]
BOUNDS = [0.005, 0.1, 1.0, 10.0]


def go(v):
    """A float as exposition formats spell it."""
    return "NaN" if v != v else {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(v, repr(v))


def escaped(s):
    return s.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def gauge_of(n):
    return GAUGE[n % len(GAUGE)] if n % 3 else 20 + n / 7


def samples(n, utf8):
    """{(name, labels): value} of the n-th answer."""
    out = {("page_requests_total", (("code", "200"), ("method", "GET"))): 3.0 * n + 1,
           ("page_requests_total", (("code", "500"), ("method", "GET"))): float(n // 4),
           ("page_temperature_celsius", (("place", "a \\ \" \n ü"),)): gauge_of(n),
           ("page_size_bytes", (("quantile", "0.5"),)): 512.0 + n,
           ("page_size_bytes", (("quantile", "0.99"),)): 2048.5 + n,
           ("page_size_bytes_sum", ()): 700.25 * n,
           ("page_size_bytes_count", ()): float(n)}
    for i, bound in enumerate(BOUNDS + [float("inf")]):
        out[("page_latency_seconds_bucket", (("le", go(bound)),))] = float(n * (i + 1))
    out[("page_latency_seconds_sum", ())] = 1.5 * n
    out[("page_latency_seconds_count", ())] = float(n * 5)
    if n % 5 != 3:  # now and then it is not there: a stale marker follows
        out[("page_comes_and_goes", ())] = float(n)
    if utf8:
        out[("page.utf8 name", (("a.label", "x"),))] = n / 3
    return out


TYPES = {"page_requests": ("counter", "Requests, counted."), "page_temperature_celsius": ("gauge", "Degrees."),
         "page_size_bytes": ("summary", "Sizes."), "page_latency_seconds": ("histogram", "Latencies."),
         "page_comes_and_goes": ("gauge", "Not always there."), "page.utf8 name": ("gauge", "Dots.")}


def family(name):
    for suffix in ("_total", "_bucket", "_sum", "_count"):
        if name.endswith(suffix) and name[:-len(suffix)] in TYPES:
            return name[:-len(suffix)]
    return name


def text(n, openmetrics, utf8):
    lines, last = [], None
    for (name, labels), value in sorted(samples(n, utf8).items(), key=lambda s: (family(s[0][0]), s[0][0].endswith("_count"))):
        of = family(name)
        plain = "." not in name
        if of != last:
            shown = of if plain else f'"{of}"'
            if TYPES[of][0] == "counter" and not openmetrics:
                shown += "_total"
            lines += [f"# HELP {shown} {TYPES[of][1]}", f"# TYPE {shown} {TYPES[of][0]}"]
            last = of
        pairs = ",".join(([] if plain else [f'"{name}"']) + [(k if "." not in k else f'"{k}"') + f'="{escaped(v)}"' for k, v in labels])
        line = f"{name if plain else ''}{{{pairs}}} {go(value)}"
        if openmetrics and name in ("page_requests_total", "page_latency_seconds_bucket"):
            line += f' # {{trace_id="{n:016x}"}} {0.001 * (n + 1)!r} {time.time():.3f}'
        lines.append(line)
    return "\n".join(lines + (["# EOF"] if openmetrics else [])) + "\n"


def double(number, v):
    return varint(number << 3 | 1) + struct.pack("<d", v)


def zigzag(v):
    return varint(v << 1 ^ v >> 63)


def native(n):
    """A MetricFamily in the delimited protobuf form: an integer native histogram that grows, and a float counter beside it."""
    counts = [n + 1, 2 * n, 3]
    deltas = b"".join(zigzag(b - a) for a, b in zip([0] + counts, counts))
    exemplar = field(1, field(1, b"trace_id") + field(2, b"%016x" % n)) + double(2, 0.3)
    now = time.time()
    exemplar += field(3, varint(8) + varint(int(now)) + varint(16) + varint(int(now % 1 * 1e9)))
    histogram = (b"\x08" + varint(sum(counts) + 2) + double(2, 12.5 * n) + b"\x28" + zigzag(3) + double(6, 1e-9) + b"\x38\x02" +
                 field(12, b"\x08" + zigzag(-2) + b"\x10\x02") + field(12, b"\x08" + zigzag(3) + b"\x10\x01") +
                 field(13, deltas) + field(16, exemplar))
    of = lambda name, kind, metric: field(1, name) + field(2, b"Help.") + b"\x18" + varint(kind) + field(4, metric)
    label = field(1, field(1, b"place") + field(2, b"b"))
    return b"".join(varint(len(m)) + m for m in (of(b"page_native_seconds", 4, label + field(7, histogram)),
                                                  of(b"page_native_scrapes_total", 0, label + field(3, double(1, n)))))


PROTO = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


class Target:
    """with Target() as page: ... page.port, page.told: [{(name, labels): value}]"""

    def __enter__(self):
        self.told, self.native_told = [], 0
        page, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                accept = self.headers.get("Accept", "")
                with lock:
                    if self.path == "/native":
                        kind, body = PROTO, native(page.native_told)
                        page.native_told += 1
                    else:
                        om, utf8 = "application/openmetrics-text" in accept, "escaping=allow-utf-8" in accept
                        kind = "application/openmetrics-text; version=1.0.0" if om else "text/plain; version=0.0.4"
                        kind += "; charset=utf-8" + ("; escaping=allow-utf-8" if utf8 else "")
                        body = text(len(page.told), om, utf8).encode()
                        page.told.append(samples(len(page.told), utf8))
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # a scraper that lost patience
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
