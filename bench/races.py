"""The races.  Each is given the run (settings, report), a server that holds the data set, and the set's last second."""
import json
import os
import signal
import statistics
import threading
import time

from contestants import ROOT, Client

MIB = 2**20


def expressions(name):
    with open(os.path.join(ROOT, "bench", name)) as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


# ---- Queries ----

def request_of(line, end):
    """A line of a file of queries as path and parameters."""
    expr, *window = line.split("@@")
    if line.startswith("/"):
        return "/api/v1" + line, {"start": end - 900, "end": end}
    if window:
        return "/api/v1/query_range", {"query": expr, "start": end - int(window[0]), "end": end, "step": window[1]}
    return "/api/v1/query", {"query": expr, "time": end}


def ask(run, server, race, path, params, repeat):
    """Milliseconds of each run and CPU milliseconds of one; None when it does not answer.  Long ones run less often."""
    took, cpu, begun = [], server.cpu(), time.monotonic()
    while len(took) < repeat and (not took or time.monotonic() - begun < run.query_seconds / 6):
        begin = time.monotonic()
        try:
            status, body = server.get(path, params, run.query_seconds)
        except OSError as e:
            run.report.failed(race, server.name, f"{params.get('query', path)}: {e or 'no answer'}")
            return None, 0
        took.append((time.monotonic() - begin) * 1e3)
        if status != 200:
            run.report.failed(race, server.name, f"{params.get('query', path)}: {status} {body[:120]!r}")
            return None, 0
    return took, (server.cpu() - cpu) * 1e3 / len(took)


def queries(run, server, race, lines, end, memory=False):
    for line in lines:
        path, params = request_of(line, end)
        resets = memory and server.forget_peak()
        took, cpu = ask(run, server, race, path, dict(params, nocache=1), run.repeat)
        run.report.note(race, line, "ms", server.name, statistics.median(took) if took else float("nan"))
        if took and (cpu >= 10 or memory):  # the system counts in hundredths of a second
            run.report.note(race, line + " (CPU)", "ms", server.name, cpu)
        if took and resets:
            run.report.note(race, line + " (peak memory meanwhile)", "MiB", server.name, server.memory("VmHWM") / MIB)


def cardinality(run, server, end, tag):
    lines = expressions("queries-cardinality.txt")
    queries(run, server, "cardinality" + tag, [x for x in lines if not x.startswith("/")], end)


def labels(run, server, end, tag):
    lines = expressions("queries-cardinality.txt")
    queries(run, server, "labels" + tag, [x for x in lines if x.startswith("/")], end)


def heavy(run, server, end, tag):
    status, body = server.get("/api/v1/query", {"query": 'count({__name__=~".+_bucket"})', "time": end, "nocache": 1})
    if status == 200 and json.loads(body)["data"]["result"]:
        run.report.note("heavy" + tag, "buckets in histogram_quantile", "", server.name,
                        float(json.loads(body)["data"]["result"][0]["value"][1]))
    queries(run, server, "heavy" + tag, expressions("queries-heavy.txt"), end, memory=True)


def values(run, server, end, tag):
    queries(run, server, "values" + tag, expressions("queries-values.txt"), end, memory=True)


def dashboards(run, server, end, tag, hours):
    """Each expression over each range; VictoriaMetrics again with its cache of results."""
    passes = [("", {"nocache": 1})] + ([("+cache", {})] if server.name == "victoriametrics" else [])
    for hour in hours:
        span, race = int(hour * 3600), f"dashboards {hour:g}h{tag}"
        for suffix, extra in passes:
            name, every, cpu_sum = server.name + suffix, [], 0
            for expr in expressions("queries-dashboards.txt"):
                params = {"query": expr, "start": end - span, "end": end, "step": max(15, span // 240)}
                took, cpu = ask(run, server, race, "/api/v1/query_range", dict(params, **extra), run.repeat)
                run.report.note(race, expr, "ms", name, statistics.median(took) if took else float("nan"))
                every += took or [run.query_seconds * 1e3]
                cpu_sum += cpu
            run.report.note(race, "all of them: median", "ms", name, percentile(every, 0.5))
            run.report.note(race, "all of them: p99", "ms", name, percentile(every, 0.99))
            run.report.note(race, "all of them: CPU of one round", "ms", name, cpu_sum)
    run.report.note("memory" + tag, "dashboards: peak", "MiB", server.name, server.memory("VmHWM") / MIB)


# ---- Writes, memory, restart ----

def ingest_note(run, race, server, said, what, new=False):
    unit = "us/series" if new else "us/sample"
    run.report.note(race, f"{what}: CPU", unit, server.name, said["cpu_us_per_sample"])
    run.report.note(race, f"{what}: rate", "samples/s", server.name, said["samples_per_s"])
    run.report.note(race, f"{what}: request p99", "ms", server.name, said["lat_ms_p99"])
    run.report.note(race, f"{what}: generator's own CPU", "us/sample", server.name, said["generator_us_per_sample"])


def memory(run, server, series, what, tag):
    rss = server.memory("VmRSS")
    run.report.note("memory" + tag, what, "MiB", server.name, rss / MIB)
    run.report.note("memory" + tag, what, "B/series", server.name, rss / series)


def count_all(server, end):
    status, body = server.get("/api/v1/query", {"query": 'count({__name__!=""})', "time": end, "nocache": 1})
    rows = json.loads(body)["data"]["result"] if status == 200 else []
    return int(float(rows[0]["value"][1])) if rows else 0


def restart(run, server, end, tag):
    cheap = ("/api/v1/query", {"query": "count(up)", "time": end, "nocache": 1})
    race = "restart" + tag
    run.report.note(race, "before: memory", "MiB", server.name, server.memory("VmRSS") / MIB)
    run.report.note(race, "before: series found", "series", server.name, count_all(server, end))
    for how, label in ((signal.SIGKILL, "kill -9"), (signal.SIGTERM, "a clean stop")):
        server.stop(how)
        begin = time.monotonic()
        ready, answered = server.start(cheap)
        found = count_all(server, end)
        run.report.note(race, f"after {label}: first answer", "s", server.name, answered)
        run.report.note(race, f"after {label}: ready", "s", server.name, ready)
        run.report.note(race, f"after {label}: all series counted", "s", server.name, time.monotonic() - begin)
        run.report.note(race, f"after {label}: series found", "series", server.name, found)
        run.report.note(race, f"after {label}: peak memory", "MiB", server.name, server.memory("VmHWM") / MIB)


# ---- Disk ----

def disk(run, server, sent, what):
    data, index, samples = server.blocks()
    samples = samples or sent
    if samples == 0:
        run.report.failed("disk", server.name, f"{what}: nothing is in a block yet")
        return
    run.report.note("disk", f"{what}: samples", "B/sample", server.name, data / samples)
    run.report.note("disk", f"{what}: index", "B/sample", server.name, index / samples)
    run.report.note("disk", f"{what}: all", "B/sample", server.name, (data + index) / samples)
    run.report.note("disk", f"{what}: samples in blocks", "", server.name, samples)


def compaction(run, server, said, tag):
    """After everything is merged: what it took from the first sample on."""
    race, samples = "compaction" + tag, said["samples"]
    cpu, written = server.cpu(), server.written()
    run.report.note(race, "CPU, from the first sample to the last merge", "us/sample", server.name, cpu * 1e6 / samples)
    run.report.note(race, "CPU of it after the last sample", "us/sample", server.name,
                    (cpu - said["cpu_at_end"]) * 1e6 / samples)
    run.report.note(race, "written in total", "B/sample", server.name, written / samples)
    run.report.note(race, "peak memory", "MiB", server.name, server.memory("VmHWM") / MIB)
    run.report.note(race, "request p99 beside flushes and merges", "ms", server.name, said["lat_ms_p99"])


# ---- Deletion ----

HALF = '{replica_host=~"host-[0-9]*[13579]"}'  # of an even number of copies of the corpus
ADMIN = "/api/v1/admin/tsdb/"


def deletion(run, server, end, tag):
    """Half of the series are deleted, then each gives the space back in the way that it has."""
    race, note, name = "deletion" + tag, run.report.note, server.name
    data, index, _ = server.blocks()
    had, cpu, written, begin = count_all(server, end), server.cpu(), server.written(), time.monotonic()
    server.forget_peak()
    status, body = server.get(ADMIN + "delete_series", {"match[]": HALF}, method="POST")
    if status // 100 != 2:
        raise ValueError(f"delete_series: {status} {body[:200]}")
    note(race, "half of the series: answered", "s", name, time.monotonic() - begin)
    note(race, "series no longer found", "%", name, 100 * (had - count_all(server, end)) / max(1, had))
    if name == "victoriametrics":
        server.get("/internal/force_merge")
    else:
        server.get(ADMIN + "clean_tombstones", method="POST")
    server.settle(quiet=2, most=300)
    note(race, "the space is back, with the wait to be sure", "s", name, time.monotonic() - begin)
    after, index_after, _ = server.blocks()
    note(race, "samples left on the disk", "%", name, 100 * after / max(1, data))
    note(race, "index left on the disk", "%", name, 100 * index_after / max(1, index))
    note(race, "CPU", "s", name, server.cpu() - cpu)
    note(race, "written", "MiB", name, (server.written() - written) / MIB)
    note(race, "peak memory", "MiB", name, server.memory("VmHWM") / MIB)


# ---- Mixed ----

USERS, REFRESH_S, PANELS = 50, 10, 10


class Users(threading.Thread):
    """Ten of the users.  Each asks the ten panels of a dashboard every ten seconds; late answers count from when they were due."""

    def __init__(self, port, number, now, took):
        super().__init__()
        self.client, self.number, self.now, self.took, self.stop = Client(port), number, now, took, threading.Event()

    def run(self):
        lines, i = expressions("queries-dashboards.txt"), self.number * 7
        gap, due = REFRESH_S / PANELS / 10, time.monotonic() + self.number * 0.02
        while not self.stop.wait(max(0, due - time.monotonic())):
            end = int(self.now())
            try:
                status, _ = self.client.get("/api/v1/query_range", {"query": lines[i % len(lines)], "start": end - 3600,
                                                                    "end": end, "step": 15}, 60)
            except OSError:
                status = 0
            self.took.append((time.monotonic(), (time.monotonic() - due) * 1e3, status))
            i += 1
            due += gap
        self.client.close()


def stretches(took, begin, end, count):
    """p99 of each stretch of a run."""
    out = []
    for k in range(count):
        low, high = begin + (end - begin) * k / count, begin + (end - begin) * (k + 1) / count
        part = [ms for at, ms, _ in took if low <= at < high]
        if part:
            out.append(percentile(part, 0.99))
    return out


def mixed(run, server, maximum, make_stream, tag):
    """Half of the server's own maximum for a while, data of 15 s steps, so that hours of data pass in a minute."""
    race, rate = "mixed" + tag, max(1000.0, maximum / 2)
    stream = make_stream(rate)
    begin, took = time.monotonic(), []
    span_s = stream.step_ms / 1000 * stream.steps

    def now():
        share = min(1, (time.monotonic() - begin) / (stream.samples / rate))
        return stream.begin_ms / 1000 + span_s * share

    threads = [Users(server.port, k, now, took) for k in range(USERS // 10)]
    stream.piece(*stream.pieces[0])
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        said = stream.send(server, run.load_seconds, rate)
    finally:
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join()
        stream.remove()
    note, name = run.report.note, server.name
    note(race, "asked for", "samples/s", name, rate)
    note(race, "ingested", "samples/s", name, said["samples_per_s"])
    note(race, "hours of data that passed", "", name, span_s / 3600)
    for what, key in (("p99", "lat_ms_p99"), ("p99 of the median stretch", "lat_ms_p99_median"),
                      ("p99 of the worst stretch", "lat_ms_p99_worst")):
        note(race, "write " + what, "ms", name, said.get(key, float("nan")))
    every = [ms for _, ms, _ in took] or [float("nan")]
    note(race, "queries answered", "", name, sum(status == 200 for _, _, status in took))
    note(race, "query median", "ms", name, percentile(every, 0.5))
    note(race, "query p99", "ms", name, percentile(every, 0.99))
    parts = stretches(took, begin, time.monotonic(), 6) or [float("nan")]
    note(race, "query p99 of the median stretch", "ms", name, statistics.median(parts))
    note(race, "query p99 of the worst stretch", "ms", name, max(parts))
    note(race, "CPU of it all", "us/sample", name, said["cpu_us_per_sample"])
