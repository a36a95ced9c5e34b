"""Random queries over random data to Gnomon and to a live Prometheus 3.15: `PROMETHEUS=path make differential QUERIES=100000 SEED=7`.

Every round has data of its own, written to both by remote write, one set of feature flags and 2,000 queries.  What is compared:
status, error, every value as printed, order where it is defined, warnings, infos, sample statistics.  A difference is
printed with the seed of its round and appended to build/differential.txt; the exit status is 1 when there was one.
"""
import collections
import datetime
import http.client
import os
import random
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import compare  # noqa: E402
import data  # noqa: E402
from expressions import FEATURES, Generator  # noqa: E402
from pair import Pair  # noqa: E402
from rare import Rare  # noqa: E402
from wide import Wide  # noqa: E402

ROUND = 2000
START_S = data.START_MS // 1000
GRAMMARS = (Generator, Rare, Wide)


def features_of(rnd):
    """None, all, or any."""
    k = rnd.randrange(4)
    if k == 0:
        return ["promql-experimental-functions", "promql-extended-range-selectors", "promql-binop-fill-modifiers"]
    return [] if k == 1 else [f for f in FEATURES if rnd.random() < 0.7]


def written(rnd, at):
    """The same second as somebody may write it, or another time that is odd.  None more than 292 years from 1970 or
    from data: there Prometheus' nanoseconds go round; and no NaN: what Go makes of it depends on the processor."""
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    east = moment.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    return rnd.choice((moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%dT%H:%M:%S.5Z"), east.strftime("%Y-%m-%dT%H:%M:%S+05:30"), f"{at}e0", f"{at}.9999",
                       f"{at}.0005", f"{at - at % 15}", f"{at - at % 300 + 180}", "-5", "0", "9e9", "-1e9", "-7e9", "+1600000620", "", " 1", "0x5f5e1194", "now",
                       "2020-09-13T12:27:00", "2020-09-13 12:27:00Z", "-7123372036.8"))


def odd(rnd, path, params, at):
    """Parameters that a client seldom sends."""
    for name in ("time", "start", "end"):
        if name in params and rnd.random() < 0.5:
            params[name] = written(rnd, at if name != "end" else at + 300)
    if "step" in params and rnd.random() < 0.4:
        params["step"] = rnd.choice(("15s", "0", "-1", "1h30m", "1m30", "0.0001", "1e-9", "NaN", "Inf", "1e18", "0x10", "1_5", "", "5", "86400", "1w"))
    if rnd.random() < 0.3:
        params["lookback_delta"] = rnd.choice(("0", "-1", "1h", "0.001", "1e9", "NaN", "x", "", "14.999", "15", "15.001"))
    if rnd.random() < 0.3:
        params["limit"] = rnd.choice(("0", "-1", "2", "1e3", "x", "", "99999999999999999999"))
    if rnd.random() < 0.2:
        params["timeout"] = rnd.choice(("1m", "30", "x", "-1s", "1h", "", "NaN"))
    if rnd.random() < 0.1:
        params.pop(rnd.choice(sorted(params)))
    if rnd.random() < 0.05:
        params["stats"] = rnd.choice(("true", "x", "", "ALL"))


def query_of(rnd, gen, span):
    """Path and parameters: an instant query anywhere in the data, or a range of up to 40 steps."""
    params = {"query": gen.expression(), "stats": "all"}
    at = START_S + rnd.randrange(-60, span + 400)
    if rnd.random() < 0.5:
        path, params["time"] = "/api/v1/query", rnd.choice((str(at), f"{at}.{rnd.randrange(1000):03}", str(START_S + rnd.randrange(40) * 60)))
    else:
        step = rnd.choice((15, 30, 60, 7, 1, 113, 0.5, 1.234, 15, 60, 30, 3600, 0.001, "1m", "2m30s", "7.5", 1e9))
        end = min(at + (step if isinstance(step, (int, float)) else 45) * rnd.randrange(0, 40), START_S + span + 600)
        path, params["start"], params["end"], params["step"] = "/api/v1/query_range", at, max(at, end), step
    if rnd.random() < 0.05:
        params["lookback_delta"] = rnd.choice(("1m", "15s", "1ms", "10m", "7"))
    if rnd.random() < 0.4:  # who counts samples forbids some shortcuts
        del params["stats"]
    if rnd.random() < 0.02:
        params["limit"] = rnd.choice((1, 3))
    if isinstance(gen, Wide) and rnd.random() < 0.1:
        odd(rnd, path, params, at)
    return path, params


def report(out, seed, features, number, path, params, kind, theirs, ours):
    text = f"{kind}: round {seed} features {','.join(features) or 'none'} query {number}\n  {path}?{urllib.parse.urlencode(params)}\n  {params.get('query')}\n"
    for part in compare.parts(theirs, ours):
        text += f"    {part}\n      prometheus {compare.canonical(theirs[part])[:1500]}\n      gnomon     {compare.canonical(ours.get(part))[:1500]}\n"
    out.write(text)
    out.flush()
    return text


CONFLICT = "conflicting counter resets during histogram aggregation"


class Borders:
    """Prometheus once more, with each sample in a chunk of its own: under histogram_count, _sum and _avg the hint of a window's first
    sample is that of its chunk, and decides whether a conflict is warned of."""

    def __init__(self, seed, features):
        self.seed, self.features, self.pair = seed, features, None

    def explain(self, path, form, theirs, ours):
        """Whether only that warning differs, and ours is what Prometheus says with its chunks ending elsewhere."""
        odd = set(theirs["warnings"]) ^ set(ours["warnings"]) if compare.parts(theirs, ours) == ["warnings"] else {""}
        if not all(CONFLICT in str(text) for text in odd):
            return False
        self.pair = self.pair or Pair(self.features, map(data.write_request, data.histograms_by_time(data.series(self.seed))), block="1s")
        return self.pair.ask(path, form, (0,))[0]["warnings"] == ours["warnings"]

    def close(self):
        if self.pair:
            self.pair.close()


def play(seed, queries, counts, out, only=None):
    rnd = random.Random(seed)
    features = features_of(rnd)
    span = data.SPAN_S * data.spread_of(seed)
    gen = GRAMMARS[seed % 3](rnd, features, START_S, span)
    pair, borders = Pair(features, [data.write_request(data.series(seed))]), Borders(seed, features)
    try:
        for number in range(queries):
            path, params = query_of(rnd, gen, span)
            if only is not None and number != only:
                continue
            form = urllib.parse.urlencode(params)
            try:
                theirs, ours = pair.ask(path, form)
                kind = compare.judge(theirs, ours, lambda: pair.ask(path, form, (0,))[0])
                if kind == "warnings" and borders.explain(path, form, theirs, ours):
                    kind = "chunk borders"
            except (OSError, http.client.HTTPException) as why:
                counts["no answer"] += 1
                print(f"no answer ({why}): round {seed} query {number}\n  {path}?{form}\n  {params.get('query')}", flush=True)
                pair.close()
                pair = Pair(features, [data.write_request(data.series(seed))])
                continue
            counts[kind] += 1
            counts["/error"] += ours["status"] != 200
            counts["/not empty"] += bool(ours.get("result"))
            if kind in compare.FINE:
                continue
            text = report(out, seed, features, number, path, params, kind, theirs, ours)
            if kind not in ("unseen", "peak"):
                print(text, flush=True)
    finally:
        pair.close()
        borders.close()


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
    wrong = sum(n for k, n in counts.items() if k[0] != "/" and k not in (*compare.FINE, "unseen", "peak"))
    print(f"{wrong} differences")
    sys.exit(1 if wrong else 0)


main()
