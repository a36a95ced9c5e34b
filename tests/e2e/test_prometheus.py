"""A real Prometheus scrapes itself, node_exporter and Gnomon, and remote-writes everything to Gnomon.

Afterwards every series and sample in Prometheus' own storage is in Gnomon, and answers are the same.
MINUTES=10 for the long form; PROMETHEUS and NODE_EXPORTER choose the programs.
"""
import json
import operator
import os
import shutil
import signal
import tempfile
import time
import urllib.parse

from harness import Gnomon, Process, free_port, program, request, run, wait_for

EXPRESSIONS = [
    "sum by (job) (rate(prometheus_http_requests_total[1m]))",
    "histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[1m])))",
    "avg_over_time(up[1m])",
    "count by (__name__) ({job=~\".+\"})",
    "max by (job) (max_over_time(scrape_duration_seconds[1m]))",
    "scrape_samples_scraped - on (instance, job) scrape_samples_post_metric_relabeling",
    "topk(3, process_resident_memory_bytes)",
    "sort_desc(increase(prometheus_tsdb_head_samples_appended_total[1m]))",
    "quantile_over_time(0.5, scrape_duration_seconds[1m])",
    "label_replace(up, \"host\", \"$1\", \"instance\", \"(.*):.*\")",
    "deriv(process_resident_memory_bytes[1m])",
    "absent(nonexistent_metric)",
]


def api(port, path, **params):
    status, _, body = request("GET", port, f"/api/v1/{path}?" + urllib.parse.urlencode(params, doseq=True))
    answer = json.loads(body)
    assert status == 200, (status, body[:300])
    return answer["data"]


def samples_of(port, end_s, seconds):
    """{labels: [[t, v]...]} of everything, as each server prints it."""
    result = api(port, "query", query=f'{{__name__!=""}}[{seconds}s]', time=f"{end_s:.3f}")["result"]
    return {json.dumps(s["metric"], sort_keys=True): s["values"] for s in result if "values" in s}


def sorted_result(data):
    return sorted((json.dumps(s, sort_keys=True) for s in data["result"]))


def test_everything_that_prometheus_has_is_in_gnomon():
    prometheus = program("prometheus")
    try:
        node_exporter = program("node_exporter", "prometheus-node-exporter")
    except Exception:
        node_exporter = None
    minutes = float(os.environ.get("MINUTES", 0.5))
    tmp = tempfile.mkdtemp(prefix="gnomon-prometheus-")
    children = []
    try:
        with Gnomon() as server:
            prom_port, node_port = free_port(), free_port()
            targets = [("prometheus", prom_port), ("gnomon", server.port)]
            if node_exporter:
                children.append(Process([node_exporter, f"--web.listen-address=127.0.0.1:{node_port}"], tmp + "/node.log"))
                targets.append(("node", node_port))
            with open(tmp + "/prometheus.yml", "w") as f:
                f.write("global: {scrape_interval: 1s}\n"
                        f"remote_write: [{{url: '{server.url}/api/v1/write', queue_config: {{batch_send_deadline: 1s}}}}]\n"
                        "scrape_configs:\n" + "".join(
                            f"  - {{job_name: {j}, static_configs: [{{targets: ['127.0.0.1:{p}']}}]}}\n" for j, p in targets))
            prom = Process([prometheus, f"--config.file={tmp}/prometheus.yml", f"--storage.tsdb.path={tmp}/data",
                            f"--web.listen-address=127.0.0.1:{prom_port}", "--log.level=warn",
                            "--query.max-samples=500000000"], tmp + "/prometheus.log")
            children.append(prom)
            wait_for("Prometheus", lambda: ready(prom_port))
            begin = time.time()
            time.sleep(minutes * 60)
            # Stop scraping by taking the targets away, so that both sides hold the same and the queue drains.
            end = time.time()
            with open(tmp + "/prometheus.yml", "r+") as f:
                text = f.read().split("scrape_configs:")[0]
                f.seek(0), f.truncate(), f.write(text)
            prom.p.send_signal(signal.SIGHUP)
            wait_for("the targets to go", lambda: not api(prom_port, "targets")["activeTargets"])
            wait_for("the queue to drain", lambda: drained(prom_port))
            stopped = time.time()
            seconds = int(stopped - begin) + 60
            both = lambda: [samples_of(port, stopped, seconds) for port in (prom_port, server.port)]
            wait_for("the last samples", lambda: operator.eq(*both()), every=2, complain=False)
            theirs, ours = both()
            assert len(theirs) > 300, f"only {len(theirs)} series were scraped"
            missing = set(theirs) - set(ours)
            assert not missing, f"{len(missing)} of {len(theirs)} series are missing, such as {sorted(missing)[:3]}"
            count = 0
            for labels, values in theirs.items():
                assert ours[labels] == values, f"{labels}: {difference(values, ours[labels])}"
                count += len(values)
            extra = set(ours) - set(theirs)
            assert not extra, f"series that Prometheus does not have: {sorted(extra)[:3]}"
            at = begin + minutes * 30
            # Built from its Go module it has no version and is a recent one; before 3.0 ranges held their left end, too.
            version = api(prom_port, "status/buildinfo")["version"] or "3 (unversioned build)"
            same_rules = int(version[0]) >= 3
            for expr in EXPRESSIONS if same_rules else []:
                a, b = (api(p, "query", query=expr, time=f"{at:.3f}") for p in (prom_port, server.port))
                assert sorted_result(a) == sorted_result(b), f"{expr}\n prometheus {a}\n gnomon {b}"
                a, b = (api(p, "query_range", query=expr, start=f"{at - 20:.3f}", end=f"{at:.3f}", step="1")
                        for p in (prom_port, server.port))
                assert a == b, f"{expr} as range\n prometheus {str(a)[:2000]}\n gnomon {str(b)[:2000]}"
            failed = {m: value(prom_port, m) for m in (
                "prometheus_remote_storage_samples_failed_total", "prometheus_remote_storage_samples_retried_total",
                "prometheus_remote_storage_samples_dropped_total")}
            assert all(v == 0 for v in failed.values()), failed
            print(f"{len(theirs)} series, {count} samples equal to Prometheus {version}; "
                  f"{len(EXPRESSIONS) * 2 if same_rules else 0} answers equal; {failed}")
    finally:
        for child in children:
            child.kill(signal.SIGTERM)
        shutil.rmtree(tmp, ignore_errors=True)


def difference(theirs, ours):
    a, b = {t: v for t, v in theirs}, {t: v for t, v in ours}
    rows = [(t, a.get(t), b.get(t)) for t in sorted(set(a) | set(b)) if a.get(t) != b.get(t)]
    return f"{len(theirs)} samples, {len(ours)} in Gnomon, first differences {rows[:4]}"


def ready(port):
    try:
        return request("GET", port, "/-/ready")[0] == 200
    except OSError:
        return False


def value(port, name):
    """A metric of Prometheus about itself, straight from /metrics."""
    text = request("GET", port, "/metrics")[2].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def drained(port):
    highest = value(port, "prometheus_remote_storage_highest_timestamp_in_seconds")
    sent = value(port, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds")
    pending = value(port, "prometheus_remote_storage_samples_pending")
    return pending == 0 and sent >= highest - 0.001


run(globals())
