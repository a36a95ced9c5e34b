"""Own metrics of the real binary: docs/metrics.md lists them all, promtool's linter accepts them, OpenMetrics is whole.

WRITE=1 rewrites docs/metrics.md.
"""
import os
import re
import subprocess
import time

from harness import ROOT, Gnomon, program, run, wait_for

PAGE = os.path.join(ROOT, "docs/metrics.md")
SERVER = Gnomon("--self-scrape-interval=200ms", "--log.level=warn")

INTRO = """# Own metrics

What `/metrics` shows (and, with `--self-scrape-interval`, what the server writes into itself as `job="gnomon"`). Made from a
running server by `WRITE=1 python3 tests/e2e/test_metrics.py`; the same test fails when this page is behind.

Names: `gnomon_` is ours; `prometheus_` and `vm_` are names that dashboards and alerts of the peers rely on, with the figure that means
the same here, or a constant that keeps alerts silent where there is no such thing; `process_` is what both have. Boards of VictoriaMetrics find an instance by
`vm_app_version{version=~"victoria-metrics-.*"}`. A figure that the kernel does not tell is absent.

| name | type | labels | |
|---|---|---|---|
"""


def setup():
    SERVER.start()
    assert SERVER.write([({"__name__": "x"}, [(int(time.time() * 1000), 1.0)])])[0] == 204
    SERVER.get("/api/v1/query?query=x")
    SERVER.get("/nope")


def families():
    """{name: (type, help, label names)} of the text form."""
    out, name = {}, None
    for line in SERVER.get("/metrics")[2].decode().splitlines():
        if m := re.match(r"# HELP (\S+) (.*)", line):
            name = m[1]
            out[name] = [None, m[2], set()]
        elif m := re.match(r"# TYPE (\S+) (\S+)", line):
            assert m[1] == name, line
            out[name][0] = m[2]
        else:
            m = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
            assert m and m[1].startswith(name), line
            out[name][2] |= set(re.findall(r'(\w+)="', re.sub(r'"(\\.|[^"\\])*"', '""', m[2] or ""))) - {"le"}
    return out


def page(found):
    rows = (f"| `{n}` | {k} | {', '.join(sorted(labels))} | {text} |" for n, (k, text, labels) in sorted(found.items()))
    return INTRO + "\n".join(rows) + "\n"


def test_the_page_lists_every_metric():
    # What this kernel may lack is taken from the page as it is.
    made = page(families())
    if os.environ.get("WRITE"):
        with open(PAGE, "w") as f:
            f.write(made)
    listed = {line for line in open(PAGE) if line.startswith("| `") and "process_pressure" not in line}
    shown = {line for line in made.splitlines(True) if line.startswith("| `") and "process_pressure" not in line}
    assert listed == shown, f"not in docs/metrics.md: {sorted(shown - listed)}\nno longer there: {sorted(listed - shown)}"


def test_promtool_has_nothing_to_say():
    promtool = program("promtool")
    text = SERVER.get("/metrics")[2]
    ours = b"".join(block for block in re.split(rb"(?=# HELP )", text) if not re.match(rb"# HELP (prometheus|vm)_", block))
    for what in (text, ours):
        done = subprocess.run([promtool, "check", "metrics"], input=what, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


def test_openmetrics_is_whole():
    status, headers, body = SERVER.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.1"})
    assert status == 200 and headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith(b"\n# EOF\n")
    for line in body.decode().splitlines():
        if line.startswith("# TYPE") and line.endswith("counter"):
            assert not line.split()[2].endswith("_total"), line


def test_the_server_scrapes_itself():
    wait_for("two scrapes", lambda: SERVER.query("count_over_time(up[5m]) > 1"))
    up = SERVER.query("up")
    assert up[0]["metric"] == {"__name__": "up", "instance": f"127.0.0.1:{SERVER.port}", "job": "gnomon"}, up
    assert float(SERVER.query("scrape_samples_scraped")[0]["value"][1]) > 100
    SERVER.get("/nowhere")
    wait_for("its own requests", lambda: SERVER.query('prometheus_http_requests_total{code="404",handler="other"}'))


setup()
try:
    run(globals())
finally:
    SERVER.__exit__()
