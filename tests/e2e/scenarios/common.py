"""What the scenarios share: programs beside Gnomon, and questions whose answers must be Prometheus' own."""
import contextlib
import http.server
import json
import os
import signal
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import BINARY, Gnomon, Process, Skip, free_port, program, programs, request, run, since, wait_for  # noqa: E402,F401
from senders import Prometheus  # noqa: E402,F401


class Pages:
    """Exposition pages at paths, as text that a function returns; with-able."""

    def __init__(self, **pages):
        self.pages = pages

    def __enter__(self):
        pages = self.pages

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = pages[self.path.strip("/")]().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
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


@contextlib.contextmanager
def running(args, log, ready):
    """A program until the block ends; ready() says when it may begin."""
    process = Process(args, log)
    try:
        wait_for(args[0], lambda: answers(process, ready))
        yield process
    finally:
        process.kill(signal.SIGTERM)


def answers(process, ready):
    assert process.p.poll() is None, process.tail()
    try:
        return ready()
    except OSError:
        return False


def get(port, path, **params):
    return request("GET", port, path + ("?" + urllib.parse.urlencode(params) if params else ""))


def scrape(name, *ports, more=""):
    targets = ", ".join(f"'127.0.0.1:{p}'" for p in ports)
    return f"- {{job_name: {name}, {more}static_configs: [{{targets: [{targets}]}}]}}\n"


def sorted_result(data):
    if data["resultType"] in ("scalar", "string"):
        return data
    return sorted((json.dumps(s, sort_keys=True) for s in data["result"]))


def short(result):
    """The values of an instant answer, for the table."""
    if result["resultType"] != "vector":
        return str(result["result"])[:70]
    rows = sorted(result["result"], key=lambda r: json.dumps(r["metric"], sort_keys=True))
    shown = []
    for r in rows[:3]:
        labels = ",".join(f"{k}={v}" for k, v in sorted(r["metric"].items()) if k not in ("job", "instance"))
        shown.append(f"{{{labels}}} {r['value'][1] if 'value' in r else 'histogram'}")
    return "; ".join(shown) + (f"; {len(rows)} in all" if len(rows) > 3 else "") or "(empty)"


def compare(prometheus, server, questions, seconds=20, quiet=False):
    """Each question at one instant and over the last `seconds`: both servers answer the same.

    They hold the same samples up to a moment ago, so that is where the time ends.  A question is (what, expression), or
    (what, expression, the expression for Prometheus) where that holds more."""
    at = newest_common(prometheus, server)
    for what, expr, *other in questions:
        ask, ask_prometheus = ({"query": e, "time": f"{at:.3f}"} for e in (expr, *other, expr)[:2])
        theirs, ours = prometheus.api("query", **ask_prometheus), server.api("query", **ask)
        assert sorted_result(theirs) == sorted_result(ours), f"{what}: {expr}\n prometheus {str(theirs)[:1500]}\n gnomon {str(ours)[:1500]}"
        span = {"start": f"{at - seconds:.3f}", "end": f"{at:.3f}", "step": "0.5"}
        a, b = prometheus.api("query_range", query=ask_prometheus["query"], **span), server.api("query_range", query=expr, **span)
        assert sorted_result(a) == sorted_result(b), f"{what} as range: {expr}\n prometheus {str(a)[:1500]}\n gnomon {str(b)[:1500]}"
        if not quiet:
            print(f"  {what}: {short(ours)}")
    return at


def newest_common(prometheus, server):
    """A time up to which everything that Prometheus has is in Gnomon, too."""
    at = time.time()
    wait_for("the queue to pass now", lambda: prometheus.metric("prometheus_remote_storage_queue_highest_sent_timestamp_seconds") > at)
    return at
