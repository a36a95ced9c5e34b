"""Scenario 5: a shop with objectives and injected failures (docs/scenarios/slo-shop.md).

python3 tests/e2e/scenarios/slo_shop.py     needs a Prometheus 3, the shop, blackbox exporter: scripts/senders.sh prometheus shop blackbox_exporter
"""
import contextlib
import json
import random
import shutil
import tempfile
import threading

from common import Gnomon, Prometheus, compare, free_port, get, program, run, running, scrape, since, wait_for

SERVICES = ["gateway", "catalog", "payment"]
ERRORS = 'sum by (job) (rate(wolt_http_requests_total{code=~"5.."}[1m]))'
ALL = "sum by (job) (rate(wolt_http_requests_total[1m]))"
QUESTIONS = [
    ("rate by service", ALL),
    ("errors by service, 0 where there are none", f"{ERRORS} or 0 * {ALL}"),
    ("duration, p95 by service, classic", "histogram_quantile(0.95, sum by (job, le) (rate(wolt_http_response_time_seconds_bucket[1m])))"),
    ("duration, p95 by service, native", "histogram_quantile(0.95, sum by (job) (rate(wolt_http_response_time_seconds[1m])))"),
    ("error budget of 99.9 % over 30 days that is left", '1 - (sum by (job) (increase(wolt_http_requests_total{code=~"5.."}[30d])) / sum by (job) (increase(wolt_http_requests_total[30d]))) / (1 - 0.999)'),
    ("burn rate, 5 m and 1 h", f'({ERRORS.replace("1m", "5m")} / {ALL.replace("1m", "5m")} / 0.001) > 14.4 and ({ERRORS.replace("1m", "1h")} / {ALL.replace("1m", "1h")} / 0.001) > 14.4'),
    ("latency objective, below 0.25 s, classic", 'sum by (job) (rate(wolt_http_response_time_seconds_bucket{le="0.25"}[1m])) / sum by (job) (rate(wolt_http_response_time_seconds_count[1m]))'),
    ("latency objective, below 0.25 s, native", "histogram_fraction(0, 0.25, sum by (job) (rate(wolt_http_response_time_seconds[1m])))"),
    ("refunds, which nobody counts, are 0", "sum(rate(shop_refunds_total[5m])) or vector(0)"),
    ("probes that fail", "probe_success == 0 or vector(0) unless on () probe_success == 0"),
    ("probed statuses", "probe_http_status_code"),
    ("services that are gone", "up == 0"),
    ("share of failed connects", 'sum by (job) (rate(wolt_db_connect_success{status="failure"}[1m])) / sum by (job) (rate(wolt_db_connect_success[1m]))'),
]


class Shop:
    """Three services, customers, probes, a Prometheus that writes to Gnomon."""

    def __init__(self, stack, server):
        self.stack, self.dir = stack, tempfile.mkdtemp(prefix="gnomon-shop-")
        stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        binary, blackbox, prometheus = program("shop"), program("blackbox_exporter", "prometheus-blackbox-exporter"), since((3, 0), "prometheus")
        self.ports = {name: free_port() for name in SERVICES}
        self.processes = {n: stack.enter_context(running([binary, f"--listen=127.0.0.1:{p}"], f"{self.dir}/{n}.log",
                                                         lambda p=p: get(p, "/health")[0] == 200)) for n, p in self.ports.items()}
        probe = free_port()
        with open(self.dir + "/blackbox.yml", "w") as f:
            f.write("modules: {http_2xx: {prober: http, timeout: 1s}}\n")
        stack.enter_context(running([blackbox, f"--config.file={self.dir}/blackbox.yml", f"--web.listen-address=127.0.0.1:{probe}"],
                                    self.dir + "/blackbox.log", lambda: get(probe, "/-/healthy")[0] == 200))
        jobs = "".join(scrape(n, p, more="scrape_native_histograms: true, always_scrape_classic_histograms: true, ") for n, p in self.ports.items())
        targets = ", ".join(f"'http://127.0.0.1:{p}/health'" for p in self.ports.values())
        jobs += (f"- job_name: probe\n  metrics_path: /probe\n  params: {{module: [http_2xx]}}\n  static_configs: [{{targets: [{targets}]}}]\n"
                 "  relabel_configs:\n  - {source_labels: [__address__], target_label: __param_target}\n"
                 f"  - {{source_labels: [__param_target], target_label: instance}}\n  - {{target_label: __address__, replacement: '127.0.0.1:{probe}'}}\n")
        self.prometheus = stack.enter_context(Prometheus(prometheus, server, jobs, "send_native_histograms: true\nsend_exemplars: true",
                                                         args=["--enable-feature=exemplar-storage"]))
        self.stop = threading.Event()
        self.customers = threading.Thread(target=self.visit, daemon=True)
        self.customers.start()
        stack.callback(self.leave)

    def visit(self):
        while not self.stop.wait(0.02):
            for name, port in self.ports.items():
                with contextlib.suppress(OSError):  # a gateway that was killed
                    get(port, "/do", endpoint="/" + name, seconds=random.choice([0.02, 0.1, 0.2, 0.4]))
                    get(port, "/db", ok=int(not getattr(self, "exhausted", False)))

    def leave(self):
        self.stop.set()
        self.customers.join()


def value(server, expr):
    rows = server.query(expr)
    return float(rows[0]["value"][1]) if rows else None


def test_injected_failures_move_the_numbers_and_equal_prometheus():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Gnomon())
        shop = Shop(stack, server)
        wait_for("rates of all", lambda: len(server.query(ALL)) == 3 and len(server.query("probe_success == 1")) == 3)
        payment = f'{ERRORS} / {ALL} and on (job) up{{job="payment"}}'
        print(" calm")
        compare(shop.prometheus, server, QUESTIONS, seconds=4, quiet=True)
        assert not value(server, payment)

        print(" payment errors: every second request")
        get(shop.ports["payment"], "/inject", errors=0.5)
        wait_for("errors of payment", lambda: (value(server, payment) or 0) > 0.02)
        compare(shop.prometheus, server, QUESTIONS, seconds=4, quiet=True)
        get(shop.ports["payment"], "/inject", errors=0)

        print(" connections exhausted")
        shop.exhausted = True
        wait_for("failed connects", lambda: (value(server, QUESTIONS[-1][1]) or 0) > 0.02)
        compare(shop.prometheus, server, QUESTIONS, seconds=4, quiet=True)

        print(" catalog answers its probe with 503, the gateway is killed")
        get(shop.ports["catalog"], "/inject", down=1)
        shop.processes["gateway"].kill()
        wait_for("the probe", lambda: len(server.query("probe_success == 0")) == 2)
        wait_for("up", lambda: value(server, 'up{job="gateway"}') == 0)
        assert value(server, 'probe_http_status_code{instance=~".*:%d/.*"}' % shop.ports["catalog"]) == 503
        at = compare(shop.prometheus, server, QUESTIONS, seconds=4)

        ask = {"query": 'wolt_http_response_time_seconds_bucket{job="payment"}', "start": at - 60, "end": at}
        by = lambda data: {json.dumps(e["seriesLabels"], sort_keys=True): e["exemplars"] for e in data}
        theirs, ours = by(shop.prometheus.api("query_exemplars", **ask)), by(server.api("query_exemplars", **ask))
        assert theirs and theirs == ours, f"{str(theirs)[:600]}\n{str(ours)[:600]}"
        traces = {e["labels"]["trace_id"] for list in ours.values() for e in list}
        assert not shop.prometheus.losses(), shop.prometheus.losses()
        print(f"  {len(traces)} exemplars lead to traces; {len(QUESTIONS)} questions in four states, each at one instant and as a range, equal to Prometheus")


if __name__ == "__main__":
    run(globals())
