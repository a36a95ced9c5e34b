"""Scenario 2: a Flask site watched by a small team (docs/scenarios/flask-site.md).

python3 tests/e2e/scenarios/flask_site.py     scripts/senders.sh prometheus alertmanager k6 blackbox_exporter flask
FOR=1m SECONDS=180                            the team's own waiting time and a load of three minutes
"""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

from common import Gnomon, Prometheus, compare, free_port, get, program, request, run, running, scrape, since, wait_for

WAIT, SECONDS = os.environ.get("FOR", "1s"), int(os.environ.get("SECONDS", 10))
PAGE_GONE = 'probe_http_status_code{instance=~".*"} == 0'
BUSY = 'sum by (instance) (rate(flask_http_request_total{job=~".*-web"}[1m])) > 5'
QUESTIONS = [
    ("pages that do not answer", PAGE_GONE), ("instances under load", BUSY),
    ("requests by status", "sum by (status) (rate(flask_http_request_total[1m]))"),
    ("p95 of pages", "histogram_quantile(0.95, sum by (path, le) (rate(flask_http_request_duration_seconds_bucket[1m])))"),
    ("mean duration", "sum(rate(flask_http_request_duration_seconds_sum[1m])) / sum(rate(flask_http_request_duration_seconds_count[1m]))"),
    ("probes, seconds by phase", "sum by (phase) (probe_http_duration_seconds)"),
    ("memory of the site", "process_resident_memory_bytes"),
]

SITE = """
import sys
from flask import Flask
from prometheus_flask_exporter import PrometheusMetrics
app = Flask(__name__)
PrometheusMetrics(app)
@app.route("/")
def index():
    return "hello"
@app.route("/article/<int:n>")
def article(n):
    return ("no such article", 404) if n % 10 == 0 else "article"
app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
"""

LOAD = """
import http from 'k6/http';
import { sleep } from 'k6';
const third = Math.ceil(__ENV.SECONDS / 3) + 's';
export const options = { stages: [{ duration: third, target: 10 }, { duration: third, target: 20 }, { duration: third, target: 0 }], gracefulRampDown: '1s' };
export default function () {
  http.get(__ENV.SITE + '/'); http.get(__ENV.SITE + '/article/' + (__ITER % 25), { responseCallback: http.expectedStatuses(200, 404) }); sleep(0.2);
}
"""

RULES = """groups:
- name: site
  interval: 500ms
  rules:
  - {{alert: PageGone, expr: '{gone}', for: {wait}}}
  - {{alert: Busy, expr: '{busy}', for: {wait}}}
"""


def firing(port):
    """Names of the alerts that Alertmanager has."""
    body = get(port, "/api/v2/alerts", active="true")[2]
    return {a["labels"]["alertname"] for a in json.loads(body)}


class Evaluator:
    """A second Prometheus: it scrapes nothing, reads from Gnomon, evaluates the rules, tells Alertmanager."""

    def __init__(self, stack, dir, server, alertmanager):
        port = free_port()
        with open(dir + "/rules.yml", "w") as f:
            f.write(RULES.format(gone=PAGE_GONE, busy=BUSY, wait=WAIT))
        with open(dir + "/evaluator.yml", "w") as f:
            f.write(f"rule_files: [{dir}/rules.yml]\nremote_read: [{{url: '{server.url}/api/v1/read', read_recent: true}}]\n"
                    f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n")
        stack.enter_context(running([since((3, 0), "prometheus"), f"--config.file={dir}/evaluator.yml", f"--storage.tsdb.path={dir}/evaluator",
                                     f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], dir + "/evaluator.log",
                                    lambda: request("GET", port, "/-/ready")[0] == 200))


def test_alerts_fire_from_what_gnomon_holds():
    names = [program("flask_python"), program("k6"), program("blackbox_exporter", "prometheus-blackbox-exporter"), program("alertmanager", "prometheus-alertmanager")]
    python, k6, blackbox, alertmanager = names
    prometheus_binary, dir = since((3, 0), "prometheus"), tempfile.mkdtemp(prefix="gnomon-flask-")
    site, probe, am, cluster = (free_port() for _ in range(4))
    for name, text in (("site.py", SITE), ("load.js", LOAD), ("blackbox.yml", "modules: {http_2xx: {prober: http, timeout: 1s}}\n"),
                       ("alertmanager.yml", "route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n")):
        with open(f"{dir}/{name}", "w") as f:
            f.write(text)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, dir, ignore_errors=True)
        server = stack.enter_context(Gnomon())
        web = stack.enter_context(running([python, dir + "/site.py", str(site)], dir + "/site.log", lambda: get(site, "/")[0] == 200))
        stack.enter_context(running([blackbox, f"--config.file={dir}/blackbox.yml", f"--web.listen-address=127.0.0.1:{probe}"], dir + "/probe.log",
                                    lambda: get(probe, "/-/healthy")[0] == 200))
        stack.enter_context(running([alertmanager, f"--config.file={dir}/alertmanager.yml", f"--storage.path={dir}/am", f"--web.listen-address=127.0.0.1:{am}",
                                     f"--cluster.listen-address=127.0.0.1:{cluster}"], dir + "/am.log", lambda: get(am, "/-/ready")[0] == 200))
        jobs = scrape("shop-web", site) + scrape("probe", probe, more=f"metrics_path: /probe, params: {{module: [http_2xx], target: ['http://127.0.0.1:{site}/']}}, ")
        prometheus = stack.enter_context(Prometheus(prometheus_binary, server, jobs))
        Evaluator(stack, dir, server, am)
        wait_for("a probe", lambda: server.query("probe_http_status_code == 200"))
        assert not firing(am)
        load = subprocess.Popen([k6, "run", "-q", "--no-usage-report", dir + "/load.js"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env={**os.environ, "SECONDS": str(SECONDS), "SITE": f"http://127.0.0.1:{site}"})
        stack.callback(load.kill)
        wait_for("Alertmanager to have Busy", lambda: "Busy" in firing(am))
        compare(prometheus, server, QUESTIONS, seconds=5)
        load.wait(SECONDS + 60)
        web.kill()
        wait_for("Alertmanager to have PageGone", lambda: "PageGone" in firing(am))
        compare(prometheus, server, QUESTIONS, seconds=5, quiet=True)
        print(f"  k6 went from 10 to 20 to 0 users, the site was killed; Alertmanager was told of {', '.join(sorted(firing(am)))}; "
              f"{len(QUESTIONS)} questions twice, equal to Prometheus")


if __name__ == "__main__":
    run(globals())
