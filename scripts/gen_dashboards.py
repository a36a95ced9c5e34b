#!/usr/bin/env python3
"""Writes the dashboards of Gnomon's own metrics: configs/grafana/dashboards/*.json.

The JSON that Grafana wants is nine tenths layout, so the panels are a table here: title, unit, expressions
with their legends.  Every expression selects by $job and $instance; tests/e2e/test_deploy.py evaluates
each one on a running server.

usage: gen_dashboards.py [--check]     (--check: exit 1 when a file is not what this writes)
"""
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "configs/grafana/dashboards")
PICK = 'job=~"$job", instance=~"$instance"'
WIDTH, HEIGHT = 24, 8


def pick(expr):
    """m{} and m{a="b"} get the selectors of the dashboard's variables."""
    return expr.replace("{}", "{" + PICK + "}").replace("{&", "{" + PICK + ", ")


def quantiles(name, labels="{}", by="instance"):
    return [(f"histogram_quantile({q}, sum by ({by}, le) (rate({name}_bucket{labels}[$__rate_interval])))",
             f"p{int(q * 100)} {{{{{by}}}}}") for q in (0.5, 0.9, 0.99)]


def rate(name, labels="{}", by="instance"):
    return f"sum by ({by}) (rate({name}{labels}[$__rate_interval]))"


class Panel:
    def __init__(self, title, unit, targets, text="", kind="timeseries", width=12, stack=False, red=None, least=None):
        self.title, self.unit, self.targets, self.text = title, unit, targets, text
        self.kind, self.width, self.stack, self.red, self.least = kind, width, stack, red, least

    def json(self, number, x, y, height):
        steps = [{"color": "green", "value": None}]
        if self.red is not None:
            steps.append({"color": "red", "value": self.red})
        if self.least is not None:
            steps = [{"color": "red", "value": None}, {"color": "green", "value": self.least}]
        defaults = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}, "min": 0}
        if self.kind == "timeseries":
            defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if self.stack else 8,
                                  "showPoints": "never", "spanNulls": False,
                                  "stacking": {"mode": "normal" if self.stack else "none"}}
            options = {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
                       "tooltip": {"mode": "multi", "sort": "desc"}}
        else:
            options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                       "colorMode": "value", "graphMode": "area", "textMode": "auto"}
        if self.kind == "stat" and self.unit == "string":
            options["textMode"] = "name"
        targets = [{"datasource": {"type": "prometheus", "uid": "${datasource}"}, "refId": chr(ord("A") + i),
                    "expr": pick(expr), "legendFormat": legend, "range": self.kind == "timeseries",
                    "instant": self.kind != "timeseries"} for i, (expr, legend) in enumerate(self.targets)]
        return {"id": number, "type": self.kind, "title": self.title, "description": self.text,
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "gridPos": {"x": x, "y": y, "w": self.width, "h": height},
                "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options, "targets": targets}


def stat(title, unit, expr, legend="{{instance}}", **more):
    return Panel(title, unit, [(expr, legend)], kind="stat", width=more.pop("width", 4), **more)


MEMORY_PARTS = [("gnomon_head_bytes{}", "{{part}} {{instance}}")]

BOARDS = {
    "overview": ("Gnomon / Overview", "Is it well, how much does it hold, what does it cost.", [
        ("State", [
            stat("Version", "string", "gnomon_build_info{}", "{{version}}"),
            stat("Ready", "none", "prometheus_ready{}", least=1),
            stat("Running for", "s", "vm_app_uptime_seconds{}"),
            stat("Series in memory", "short", "gnomon_head_series{}"),
            stat("Samples a second", "short", rate("gnomon_ingest_samples_total")),
            stat("Free disk", "bytes", "vm_free_disk_space_bytes{}"),
        ]),
        ("Work", [
            Panel("Samples taken", "short", [(rate("gnomon_ingest_samples_total", by="instance, type"),
                                              "{{type}} {{instance}}")], "Samples a second that were acknowledged."),
            Panel("Samples rejected", "short",
                  [(rate("gnomon_ingest_rejected_samples_total", by="instance, reason") + " > 0", "{{reason}} {{instance}}")],
                  "Empty is good. The sender gets the reason in the answer.", red=0.001),
            Panel("Requests", "reqps", [(rate("prometheus_http_requests_total", by="handler, code"), "{{code}} {{handler}}")]),
            Panel("Answers with errors", "reqps",
                  [(rate("prometheus_http_requests_total", '{&code=~"4..|5.."}', "handler, code"), "{{code}} {{handler}}")]),
            Panel("Time of a request, p99", "s",
                  [("histogram_quantile(0.99, sum by (handler, le) "
                    "(rate(prometheus_http_request_duration_seconds_bucket{}[$__rate_interval])))", "{{handler}}")]),
            Panel("Time of a query", "s", quantiles("gnomon_query_duration_seconds")),
        ]),
        ("Cost", [
            Panel("CPU", "short", [(rate("process_cpu_seconds_total"), "used {{instance}}"),
                                   ("process_cpu_cores_available{}", "there {{instance}}")], "Cores."),
            Panel("Memory", "bytes", [("process_resident_memory_bytes{}", "resident {{instance}}"),
                                      ("process_resident_memory_anon_bytes{}", "own {{instance}}"),
                                      ("vm_allowed_memory_bytes{}", "memory.limit {{instance}}"),
                                      ("vm_available_memory_bytes{}", "machine or cgroup {{instance}}")],
                  "Pages of mapped files are given back when the system needs them."),
            Panel("Disk", "bytes", [("vm_free_disk_space_bytes{}", "free {{instance}}"),
                                    ("gnomon_tsdb_block_bytes{}", "blocks {{instance}}"),
                                    ("gnomon_wal_segment_bytes{}", "log {{instance}}"),
                                    ("vm_free_disk_space_limit_bytes{}", "writes stop below {{instance}}")]),
            Panel("Disk traffic", "Bps", [(rate("process_io_storage_read_bytes_total"), "read {{instance}}"),
                                          (rate("process_io_storage_written_bytes_total"), "written {{instance}}")]),
            Panel("Network", "Bps", [(rate("gnomon_http_received_bytes_total"), "in {{instance}}"),
                                     (rate("gnomon_http_sent_bytes_total"), "out {{instance}}")]),
            Panel("Files, threads, connections", "short", [("process_open_fds{}", "files {{instance}}"),
                                                           ("process_num_threads{}", "threads {{instance}}"),
                                                           ("gnomon_http_connections_open{}", "connections {{instance}}")]),
        ]),
    ]),
    "ingest": ("Gnomon / Ingest", "What senders bring, what is refused and why, what it costs to make it durable.", [
        ("Now", [
            stat("Samples a second", "short", rate("gnomon_ingest_samples_total")),
            stat("Requests a second", "reqps", rate("gnomon_ingest_requests_total")),
            stat("Bytes of a sample on the wire", "bytes",
                 "sum by (instance) (rate(gnomon_ingest_bytes_total{}[$__rate_interval])) / "
                 + rate("gnomon_ingest_samples_total")),
            stat("New series in an hour", "short", "sum by (instance) (increase(gnomon_head_series_created_total{}[1h]))"),
            stat("Rejected in an hour", "short",
                 "sum by (instance) (increase(gnomon_ingest_rejected_samples_total{}[1h]))", red=1),
            stat("Sync p99", "s", quantiles("gnomon_wal_sync_duration_seconds")[2][0], red=0.5),
        ]),
        ("Requests", [
            Panel("Samples taken", "short", [(rate("gnomon_ingest_samples_total", by="instance, type"), "{{type}} {{instance}}")]),
            Panel("Samples rejected, by reason", "short",
                  [(rate("gnomon_ingest_rejected_samples_total", by="instance, reason"), "{{reason}} {{instance}}")],
                  "docs/remote-write.md says what each reason means and what the sender is told."),
            Panel("Remote write requests", "reqps", [
                (rate("gnomon_ingest_requests_total"), "all {{instance}}"),
                (rate("gnomon_ingest_requests_refused_total"), "refused whole {{instance}}"),
                (rate("gnomon_remote_write_unsupported_total"), "unsupported {{instance}}"),
                (rate("gnomon_wal_refused_total"), "not durable {{instance}}")]),
            Panel("Time of a write request", "s",
                  quantiles("prometheus_http_request_duration_seconds", '{&handler=~".*/api/v1/(write|push)"}'),
                  "From the first byte to the answer, the sync of the log included."),
            Panel("Bytes", "Bps", [(rate("gnomon_ingest_bytes_total"), "as sent {{instance}}"),
                                   (rate("gnomon_ingest_decoded_bytes_total"), "decompressed {{instance}}"),
                                   (rate("gnomon_wal_bytes_total"), "log {{instance}}")]),
            Panel("Exemplars and metadata", "short", [(rate("gnomon_ingest_exemplars_total"), "exemplars {{instance}}"),
                                                      (rate("gnomon_ingest_metadata_total"), "metadata {{instance}}")]),
        ]),
        ("Series", [
            Panel("Series in memory", "short", [("gnomon_head_series{}", "{{instance}}")]),
            Panel("Series that came and went", "short", [(rate("gnomon_head_series_created_total"), "new {{instance}}"),
                                                         (rate("gnomon_head_series_removed_total"), "gone {{instance}}")],
                  "A second. Many new ones at a steady count are churn."),
            Panel("Order", "short", [(rate("gnomon_head_samples_out_of_order_total"), "out of order {{instance}}"),
                                     (rate("gnomon_head_samples_duplicate_total"), "already there {{instance}}"),
                                     (rate("gnomon_head_samples_replaced_total"), "replaced {{instance}}")],
                  "Samples a second that were older than the newest one of their series."),
            Panel("How series are found", "short", [(rate("gnomon_head_lookups_total", by="instance, kind"),
                                                     "{{kind}} {{instance}}")],
                  "Predicted from the request before is the cheap way."),
        ]),
        ("Log", [
            Panel("Time of a sync", "s", quantiles("gnomon_wal_sync_duration_seconds"),
                  "Every acknowledged write waits for one."),
            Panel("Syncs and requests", "short",
                  [(rate("gnomon_wal_sync_duration_seconds_count"), "syncs {{instance}}"),
                   (rate("gnomon_wal_tickets_total"), "requests made durable {{instance}}"),
                   (rate("gnomon_wal_frames_total"), "frames {{instance}}")]),
            Panel("Waiting to be durable", "bytes", [("gnomon_wal_pending_bytes{}", "{{instance}}")]),
            Panel("Errors of the log", "short", [(rate("gnomon_wal_write_errors_total"), "write {{instance}}"),
                                                 (rate("gnomon_wal_sync_errors_total"), "sync {{instance}}"),
                                                 (rate("gnomon_wal_segments_poisoned_total"), "segments given up {{instance}}")],
                  red=0.001),
        ]),
    ]),
    "queries": ("Gnomon / Queries", "Who asks how much, how long it takes, what waits.", [
        ("Now", [
            stat("Queries a second", "reqps", rate("gnomon_query_duration_seconds_count")),
            stat("Running", "short", "vm_concurrent_select_current{}"),
            stat("Waiting", "short", "gnomon_queries_waiting{}", red=1),
            stat("p50", "s", quantiles("gnomon_query_duration_seconds")[0][0]),
            stat("p99", "s", quantiles("gnomon_query_duration_seconds")[2][0], red=10),
            stat("Slow in an hour", "short", "sum by (instance) (increase(vm_slow_queries_total{}[1h]))"),
        ]),
        ("Queries", [
            Panel("Time of a query", "s", quantiles("gnomon_query_duration_seconds"),
                  "From the request to the end of the evaluation."),
            Panel("Wait for a slot and a worker", "s", quantiles("gnomon_query_queue_seconds")),
            Panel("Slots", "short", [("vm_concurrent_select_current{}", "running {{instance}}"),
                                     ("gnomon_queries_waiting{}", "waiting {{instance}}"),
                                     ("vm_concurrent_select_capacity{}", "query.max-concurrency {{instance}}")]),
            Panel("Samples looked at", "short", [(rate("prometheus_engine_query_samples_total"), "{{instance}}")],
                  "A second, by all queries together."),
            Panel("Samples of a query", "short",
                  [(rate("prometheus_engine_query_samples_total") + " / " + rate("gnomon_query_duration_seconds_count"),
                    "{{instance}}")]),
            Panel("Slow queries, queries that waited", "short",
                  [(rate("vm_slow_queries_total"), "slower than query.log-slow {{instance}}"),
                   (rate("gnomon_queries_waited_total"), "had to wait {{instance}}")], "The log names the slow ones."),
        ]),
        ("HTTP", [
            Panel("Requests", "reqps", [(rate("prometheus_http_requests_total", by="handler"), "{{handler}}")]),
            Panel("Errors", "reqps", [(rate("prometheus_http_requests_total", '{&code=~"4..|5.."}', "handler, code"),
                                       "{{code}} {{handler}}")]),
            Panel("Time of a request, p90", "s",
                  [("histogram_quantile(0.9, sum by (handler, le) "
                    "(rate(prometheus_http_request_duration_seconds_bucket{}[$__rate_interval])))", "{{handler}}")]),
            Panel("Bytes of answers", "Bps", [(rate("gnomon_http_response_bytes_total", by="handler"), "{{handler}}")]),
            Panel("Connections", "short", [("gnomon_http_connections_open{}", "open {{instance}}"),
                                           (rate("gnomon_http_connections_total"), "new a second {{instance}}"),
                                           (rate("gnomon_http_connections_refused_total"), "refused a second {{instance}}")]),
            Panel("Workers", "short", [("gnomon_http_workers_running{}", "running {{instance}}"),
                                       ("gnomon_http_workers_waiting{}", "requests waiting {{instance}}"),
                                       (rate("gnomon_http_workers_refused_total"), "refused a second {{instance}}")]),
            Panel("Bad requests and timeouts", "short",
                  [(rate("gnomon_http_requests_malformed_total"), "malformed {{instance}}"),
                   (rate("gnomon_http_timeouts_total"), "timed out {{instance}}")]),
        ]),
    ]),
    "storage": ("Gnomon / Storage", "Memory of the head, the log, blocks, merges, damage, disk.", [
        ("Now", [
            stat("Blocks", "short", "gnomon_tsdb_blocks{}"),
            stat("Size of blocks", "bytes", "gnomon_tsdb_block_bytes{}"),
            stat("Log to replay", "bytes", "gnomon_wal_replay_bytes{}"),
            stat("Last replay", "s", "gnomon_tsdb_replay_seconds{}"),
            stat("Set aside", "short", "gnomon_tsdb_blocks_quarantined{} + gnomon_tsdb_blocks_missing{} + "
                 "gnomon_tsdb_losses{} + gnomon_wal_quarantined_total{}", red=1),
            stat("Disk is full in", "s", "clamp_min(vm_free_disk_space_bytes{} - vm_free_disk_space_limit_bytes{}, 0) / "
                 "clamp_min(-deriv(vm_free_disk_space_bytes{}[1h]), 1)", least=14400),
        ]),
        ("Head", [
            Panel("Memory of the head", "bytes", MEMORY_PARTS, stack=True),
            Panel("Memory of a series", "bytes", [("sum by (instance) (gnomon_head_bytes{}) / "
                                                   "sum by (instance) (gnomon_head_series{})", "{{instance}}")]),
            Panel("Series, chunks, labels", "short", [("gnomon_head_series{}", "series {{instance}}"),
                                                      ("gnomon_head_chunks{}", "chunks {{instance}}"),
                                                      ("gnomon_head_label_pairs{}", "label pairs {{instance}}"),
                                                      ("gnomon_head_series_aliases{}", "other spellings {{instance}}")]),
            Panel("Time that the head spans", "s", [("gnomon_head_max_time_seconds{} - gnomon_head_min_time_seconds{}",
                                                     "{{instance}}")]),
        ]),
        ("Log", [
            Panel("Log", "bytes", [("gnomon_wal_segment_bytes{}", "on disk {{instance}}"),
                                   ("gnomon_wal_replay_bytes{}", "to replay {{instance}}")]),
            Panel("Time of a sync", "s", quantiles("gnomon_wal_sync_duration_seconds")),
            Panel("Segments", "short", [("gnomon_wal_segments{}", "{{instance}}")]),
            Panel("Checkpoints", "short", [(rate("gnomon_tsdb_checkpoints_total"), "made {{instance}}"),
                                           (rate("gnomon_tsdb_checkpoint_errors_total"), "failed {{instance}}")]),
        ]),
        ("Blocks", [
            Panel("Blocks", "short", [("gnomon_tsdb_blocks{}", "{{instance}}")]),
            Panel("Size of blocks", "bytes", [("gnomon_tsdb_block_bytes{}", "{{instance}}")]),
            Panel("Flushes and merges", "short", [
                ("sum by (instance) (increase(gnomon_tsdb_flushes_total{}[1h]))", "flushes {{instance}}"),
                ("sum by (instance) (increase(gnomon_head_cuts_total{}[1h]))", "cuts of the head {{instance}}"),
                ("sum by (instance) (increase(gnomon_tsdb_compactions_total{}[1h]))", "merges {{instance}}"),
                ("sum by (instance) (increase(gnomon_tsdb_flush_errors_total{}[1h]))", "failed flushes {{instance}}"),
                ("sum by (instance) (increase(gnomon_tsdb_compaction_errors_total{}[1h]))", "failed merges {{instance}}")],
                  "In an hour."),
            Panel("Samples flushed", "short", [(rate("gnomon_tsdb_flushed_samples_total"), "{{instance}}")]),
            Panel("Blocks dropped by retention", "short", [
                ("sum by (instance) (increase(gnomon_tsdb_blocks_dropped_by_time_total{}[1d]))", "by time {{instance}}"),
                ("sum by (instance) (increase(gnomon_tsdb_blocks_dropped_by_size_total{}[1d]))", "by size {{instance}}")],
                  "In a day."),
            Panel("Damage", "short", [("gnomon_tsdb_blocks_quarantined{}", "blocks set aside {{instance}}"),
                                      ("gnomon_tsdb_blocks_missing{}", "blocks missing {{instance}}"),
                                      ("gnomon_tsdb_losses{}", "ranges with lost samples {{instance}}"),
                                      ("gnomon_tsdb_losses_acknowledged{}", "acknowledged {{instance}}"),
                                      ("gnomon_wal_quarantined_total{}", "segments set aside {{instance}}"),
                                      ("gnomon_head_replay_lost_samples{}", "samples lost in replay {{instance}}")],
                  "gnomon verify DIRECTORY lists every damage.", red=1),
        ]),
        ("Disk", [
            Panel("Free space", "bytes", [("vm_free_disk_space_bytes{}", "free {{instance}}"),
                                          ("vm_total_disk_space_bytes{}", "size {{instance}}"),
                                          ("vm_free_disk_space_limit_bytes{}", "writes stop below {{instance}}")]),
            Panel("Page faults", "short", [(rate("process_major_pagefaults_total"), "from disk {{instance}}"),
                                           (rate("process_minor_pagefaults_total"), "from memory {{instance}}")]),
        ]),
    ]),
}


def variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1, "multi": True,
            "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}


def board(name, title, text, rows):
    panels, y, number = [], 0, 1
    for row, items in rows:
        panels.append({"id": number, "type": "row", "title": row, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        number, x, y = number + 1, 0, y + 1
        height = 4 if items[0].kind == "stat" else HEIGHT
        for item in items:
            if x + item.width > WIDTH:
                x, y = 0, y + height
            panels.append(item.json(number, x, y, height))
            number, x = number + 1, x + item.width
        y += height
    links = [{"type": "dashboards", "title": "Gnomon", "tags": ["gnomon"], "asDropdown": False, "includeVars": True,
              "keepTime": True}]
    return {"uid": f"gnomon-{name}", "title": title, "description": text, "tags": ["gnomon"], "schemaVersion": 39,
            "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
            "time": {"from": "now-1h", "to": "now"}, "links": links, "annotations": {"list": []},
            "templating": {"list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
                 "current": {}, "refresh": 1},
                variable("job", "Job", "label_values(gnomon_build_info, job)"),
                variable("instance", "Instance", 'label_values(gnomon_build_info{job=~"$job"}, instance)')]},
            "panels": panels}


def main():
    stale = []
    for name, (title, text, rows) in BOARDS.items():
        path = os.path.join(OUT, f"{name}.json")
        content = json.dumps(board(name, title, text, rows), indent=1, ensure_ascii=False) + "\n"
        old = open(path).read() if os.path.exists(path) else None
        if old == content:
            continue
        stale.append(path)
        if "--check" not in sys.argv:
            with open(path, "w") as f:
                f.write(content)
    if stale and "--check" in sys.argv:
        sys.exit("not what scripts/gen_dashboards.py writes: " + ", ".join(os.path.relpath(p, ROOT) for p in stale))


if __name__ == "__main__":
    main()
