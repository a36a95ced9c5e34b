"""Random queries over random data to Gnomon and to a live Prometheus 3.15: `PROMETHEUS=path make differential QUERIES=100000 SEED=7`.

Every round has data of its own, written to both by remote write, one set of feature flags and 2,000 queries.  What is compared:
status, error, every value as printed, order where it is defined, warnings, infos, sample statistics.  A difference is
printed with the seed of its round and appended to build/differential.txt; the exit status is 1 when there was one.
"""
import collections
import http.client
import os
import random
import re
import shutil
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import compare  # noqa: E402
import data  # noqa: E402
from expressions import FEATURES, Generator  # noqa: E402
from rare import Rare  # noqa: E402
from harness import RW_HEADERS, Gnomon, Process, free_port, request, since, snappy, wait_for  # noqa: E402

ROUND = 2000
START_S, SPAN_S = data.START_MS // 1000, data.SPAN_S
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Pair:
    """Both servers with the data of a round."""

    def __init__(self, seed, features):
        self.features = ",".join(features)
        self.tmp = tempfile.mkdtemp(prefix="gnomon-differential-")
        prometheus = since((3, 15), "prometheus")
        with open(self.tmp + "/p.yml", "w") as f:
            f.write("global: {evaluation_interval: 1m}\n")
        self.port = free_port()
        flags = [f"--enable-feature={self.features}"] if features else []
        self.prometheus = Process(
            [prometheus, f"--config.file={self.tmp}/p.yml", f"--storage.tsdb.path={self.tmp}/data", "--web.enable-remote-write-receiver",
             f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=100y",
             "--storage.tsdb.min-block-duration=24h", "--log.level=error", *flags], self.tmp + "/prometheus.log")
        self.gnomon = Gnomon("--log.level=warn", "--storage.retention.time=100y", "--wal.sync=os", "--storage.min-free-disk=1MiB", *flags)
        self.gnomon.start()
        wait_for("Prometheus", self.ready, every=0.02)
        self.ports = (self.port, self.gnomon.port)
        body = snappy(data.write_request(data.series(seed)))
        for port in self.ports:
            status, _, text = request("POST", port, "/api/v1/write", body, RW_HEADERS)
            assert status == 204, (port, status, text)
        self.connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for port in self.ports]

    def ready(self):
        try:
            return request("GET", self.port, "/-/ready")[0] == 200
        except OSError:
            return False

    def close(self):
        for c in self.connections:
            c.close()
        self.stop_gnomon()
        self.prometheus.kill()
        for tmp in (self.tmp, self.gnomon.tmp):
            shutil.rmtree(tmp, ignore_errors=True)

    def stop_gnomon(self):
        """It must end when told to, whatever it is busy with."""
        try:
            self.gnomon.stop()
        except Exception:
            self.gnomon.process.kill()
            raise

    def ask(self, path, form, which=(0, 1)):
        for i in which:
            self.connections[i].request("POST", path, form, FORM)
        out = []
        for i in which:
            r = self.connections[i].getresponse()
            out.append(compare.parse(r.status, r.read()))
        return out


def features_of(rnd):
    """None, all, or any."""
    k = rnd.randrange(4)
    if k == 0:
        return ["promql-experimental-functions", "promql-extended-range-selectors", "promql-binop-fill-modifiers"]
    return [] if k == 1 else [f for f in FEATURES if rnd.random() < 0.7]


def query_of(rnd, gen):
    """Path and parameters: an instant query anywhere in the data, or a range of up to 40 steps."""
    params = {"query": gen.expression(), "stats": "all"}
    at = START_S + rnd.randrange(-60, SPAN_S + 400)
    if rnd.random() < 0.5:
        path, params["time"] = "/api/v1/query", rnd.choice((str(at), f"{at}.{rnd.randrange(1000):03}", str(START_S + rnd.randrange(40) * 60)))
    else:
        step = rnd.choice((15, 30, 60, 7, 1, 113, 0.5, 1.234, 15, 60, 30, 3600, 0.001, "1m", "2m30s", "7.5", 1e9))
        end = min(at + (step if isinstance(step, (int, float)) else 45) * rnd.randrange(0, 40), START_S + SPAN_S + 600)
        path, params["start"], params["end"], params["step"] = "/api/v1/query_range", at, max(at, end), step
    if rnd.random() < 0.05:
        params["lookback_delta"] = rnd.choice(("1m", "15s", "1ms", "10m", "7"))
    if rnd.random() < 0.02:
        params["limit"] = rnd.choice((1, 3))
    return path, params


def report(out, seed, features, number, path, params, kind, theirs, ours):
    text = f"{kind}: round {seed} features {','.join(features) or 'none'} query {number}\n  {path}?{urllib.parse.urlencode(params)}\n  {params['query']}\n"
    for part in compare.parts(theirs, ours):
        text += f"    {part}\n      prometheus {compare.canonical(theirs[part])[:1500]}\n      gnomon     {compare.canonical(ours.get(part))[:1500]}\n"
    out.write(text)
    out.flush()
    return text


def play(seed, queries, counts, out, only=None):
    rnd = random.Random(seed)
    features = features_of(rnd)
    gen = (Rare if seed % 2 else Generator)(rnd, features, START_S, SPAN_S)
    pair = Pair(seed, features)
    try:
        for number in range(queries):
            path, params = query_of(rnd, gen)
            if only is not None and number != only:
                continue
            form = urllib.parse.urlencode(params)
            try:
                theirs, ours = pair.ask(path, form)
            except (OSError, http.client.HTTPException) as why:
                counts["no answer"] += 1
                print(f"no answer ({why}): round {seed} query {number}\n  {path}?{form}\n  {params['query']}", flush=True)
                pair.close()
                pair = Pair(seed, features)
                continue
            kind = compare.judge(theirs, ours, lambda: pair.ask(path, form, (0,))[0])
            counts[kind] += 1
            counts["/error"] += ours["status"] != 200
            counts["/not empty"] += bool(ours.get("result"))
            if kind in ("equal", "random"):
                continue
            text = report(out, seed, features, number, path, params, kind, theirs, ours)
            if kind not in ("unseen", "peak"):
                print(text, flush=True)
    finally:
        pair.close()


def main():
    total = int(os.environ.get("QUERIES", 10000))
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    only = os.environ.get("ONLY")
    size = int(os.environ.get("ROUND", ROUND))
    print(f"SEED={seed}", flush=True)
    counts = collections.Counter()
    os.makedirs("build", exist_ok=True)
    start = time.monotonic()
    with open(os.environ.get("OUT", "build/differential.txt"), "w") as out:
        for r in range((total + size - 1) // size):
            play(seed + r, min(size, total - r * size), counts, out, int(only) if only else None)
            done = sum(n for k, n in counts.items() if k[0] != "/")
            print(f"{done} queries, {time.monotonic() - start:.0f} s: {dict(counts)}", flush=True)
    wrong = sum(n for k, n in counts.items() if k[0] != "/" and k not in ("equal", "random", "unseen", "peak"))
    print(f"{wrong} differences")
    sys.exit(1 if wrong else 0)


main()
