"""What the tests of senders share: a Prometheus with a configuration, what a target told beside what Gnomon holds."""
import json
import math
import shutil
import signal
import tempfile
import time
import urllib.parse

from harness import Process, Skip, free_port, request, wait_for


class Disturbed(Exception):
    """A scrape took too long on this busy machine, so what was told is not what the sender has."""


INTERVALS = ["400ms", "3s", "12s"]  # of scrapes, and their timeout: a machine under load gets more time


def scraping():
    """The two keys of a configuration."""
    return f"scrape_interval: {INTERVALS[0]}, scrape_timeout: {INTERVALS[0]}"


def undisturbed(test):
    """The test, again with more time for each scrape when it was disturbed."""
    def again():
        while True:
            try:
                return test()
            except Disturbed as why:
                if len(INTERVALS) == 1:
                    raise Skip(f"scrapes within {INTERVALS[0]} fail on this machine: {why}") from why
                print(f"once more, slower: {why}", flush=True)
                INTERVALS.pop(0)
    return again


class Prometheus:
    """One that scrapes, and writes to `server`; with-able.  scrape: YAML of scrape_configs, write: more keys of remote_write."""

    def __init__(self, binary, server, scrape, write="", more="", args=(), agent=()):
        self.binary, self.server, self.port = binary, server, free_port()
        self.dir = tempfile.mkdtemp(prefix="gnomon-sender-")
        self.head = (f"global: {{{scraping()}}}\n{more}"
                     f"remote_write:\n- url: '{server.url}/api/v1/write'\n"
                     "  queue_config: {batch_send_deadline: 200ms, min_backoff: 50ms, max_backoff: 300ms}\n"
                     "  metadata_config: {send_interval: 1s}\n" + "".join(f"  {line}\n" for line in write.splitlines()) +
                     "scrape_configs:\n")
        self.config(scrape)
        data = [f"--storage.agent.path={self.dir}/data", *agent] if agent else [f"--storage.tsdb.path={self.dir}/data"]
        self.args = [binary, f"--config.file={self.dir}/prometheus.yml", *data,
                     f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn", *args]

    def config(self, scrape):
        with open(self.dir + "/prometheus.yml", "w") as f:
            f.write(self.head + scrape)

    def __enter__(self):
        self.process = Process(self.args, self.dir + "/log")
        try:
            wait_for("Prometheus", self.ready)
        except AssertionError:
            tail = self.process.tail()
            self.__exit__()
            raise AssertionError(f"{self.binary} does not become ready:\n{tail}")
        return self

    def __exit__(self, *_):
        self.process.kill(signal.SIGTERM)
        shutil.rmtree(self.dir, ignore_errors=True)

    def ready(self):
        assert self.process.p.poll() is None, self.process.tail()
        try:
            return request("GET", self.port, "/-/ready")[0] == 200
        except OSError:
            return False

    def api(self, path, **params):
        status, _, body = request("GET", self.port, f"/api/v1/{path}?" + urllib.parse.urlencode(params, doseq=True))
        assert status == 200, (status, body[:300])
        return json.loads(body)["data"]

    def metric(self, name):
        """The sum of one of its own metrics; 0 when it has none of this name."""
        text = request("GET", self.port, "/metrics")[2].decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((name + " ", name + "{")))

    def stop_scraping(self):
        """Takes the targets away, then waits until everything is sent."""
        self.config(" []\n")
        self.process.p.send_signal(signal.SIGHUP)
        wait_for("the targets to go", lambda: not self.api("targets")["activeTargets"])
        wait_for("the queue to drain", self.drained)

    def drained(self):
        name = "prometheus_remote_storage_"
        behind = (self.metric(name + "queue_highest_timestamp_seconds") or self.metric(name + "highest_timestamp_in_seconds")) - \
            self.metric(name + "queue_highest_sent_timestamp_seconds")
        return behind <= 0.001 and not any(
            self.metric(name + what + "_pending") for what in ("samples", "exemplars", "histograms"))

    def losses(self):
        """What it gave up or dropped, by name; empty when nothing."""
        found = {}
        for kind in ("samples", "exemplars", "histograms", "metadata"):
            for what in ("failed", "dropped"):
                name = f"prometheus_remote_storage_{kind}_{what}_total"
                if self.metric(name):
                    found[name] = self.metric(name)
        return found


def number(text):
    return float(text) if text is not None else None


def same(a, b):
    return a == b and math.copysign(1, a) == math.copysign(1, b) or (a != a and b != b)


def stored(server, job):
    """{(name, labels): [(ms, value or None for NaN and stale)]} of floats of a job, straight from the export."""
    out = {}
    path = "/api/v1/export?" + urllib.parse.urlencode({"match[]": f'{{job="{job}"}}', "start": int(time.time()) - 3600})
    status, _, body = server.get(path)
    assert status == 200, body
    for line in body.decode().splitlines():
        row = json.loads(line)
        metric = row["metric"]
        own = [(k, v) for k, v in metric.items() if k not in ("job", "instance") and not k.startswith("otel_scope_")]
        key = metric.pop("__name__"), tuple(sorted(p for p in own if p[0] != "__name__"))
        out.setdefault(key, []).extend(zip(row["timestamps"], (number(v) for v in row["values"])))
    return out


def expected(told):
    """{(name, labels): [value or None]}: what each series must hold, a stale marker where an answer lacked it.

    -0 leaves every Go sender as 0: fields that equal 0 are not written."""
    keys = {k for answer in told for k in answer}
    out = {}
    for k in keys:
        values, there = [], False
        for answer in told:
            if k in answer:
                values.append(None if answer[k] != answer[k] else answer[k] + 0.0)
            elif there:
                values.append(None)
            there = k in answer
        out[k] = values
    return out


def compare(server, job, told):
    """Every series that a target told is in Gnomon with every value, in order; returns (series, samples)."""
    failed = server.query(f'count_over_time((up{{job="{job}"}} == 0)[10m:100ms])')
    if failed:
        raise Disturbed(f"{failed[0]['value'][1]} moments with a scrape that failed")
    got = {k: v for k, v in stored(server, job).items() if k[0].startswith("page")}
    try:
        return compare_answers(expected(told), got)
    except AssertionError:  # the end of scraping may have come between the last answer and its scraper
        return compare_answers(expected(told[:-1]), got)


def compare_answers(want, got):
    assert set(want) == set(got), f"missing {sorted(set(want) - set(got))[:3]}, too many {sorted(set(got) - set(want))[:3]}"
    count = 0
    for key, values in want.items():
        times = [t for t, _ in got[key]]
        assert times == sorted(set(times)), f"{key}: times {times}"
        have = [v for _, v in got[key]]
        if len(have) == len(values) + 1 and have[-1] is None:
            have.pop()  # the marker of the end of scraping, which not every Prometheus writes
        fine = len(have) == len(values) and all((a is None and b is None) or (a is not None and b is not None and same(a, b))
                                                for a, b in zip(values, have))
        assert fine, f"{key}: told {values[:12]}... ({len(values)}), here {have[:12]}... ({len(have)})"
        count += len(values)
    return len(want), count


def everything(api, end_s, seconds, job):
    """{labels: (floats, histograms)} as a server of the API prints them, -0 as it is sent."""
    result = api("query", query=f'{{job="{job}"}}[{seconds}s]', time=f"{end_s:.3f}")["result"]
    return {json.dumps(s["metric"], sort_keys=True): ([[t, "0" if v == "-0" else v] for t, v in s.get("values", [])], s.get("histograms"))
            for s in result}
