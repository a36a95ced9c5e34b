"""Random queries over random data to Gnomon and to a live Prometheus 3.15: `PROMETHEUS=path make differential QUERIES=100000 SEED=7`.

Every round has data of its own, written to both by remote write, one set of feature flags and 2,000 queries.  What is compared:
status, error, every value as printed, order where it is defined, warnings, infos, sample statistics.  A difference is
printed with the seed of its round and appended to build/differential.txt; the exit status is 1 when there was one.
"""
import collections
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

ROUND = 2000
START_S, SPAN_S = data.START_MS // 1000, data.SPAN_S


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
    pair = Pair(features, [data.write_request(data.series(seed))])
    try:
        for number in range(queries):
            path, params = query_of(rnd, gen)
            if only is not None and number != only:
                continue
            form = urllib.parse.urlencode(params)
            try:
                theirs, ours = pair.ask(path, form)
                kind = compare.judge(theirs, ours, lambda: pair.ask(path, form, (0,))[0])
            except (OSError, http.client.HTTPException) as why:
                counts["no answer"] += 1
                print(f"no answer ({why}): round {seed} query {number}\n  {path}?{form}\n  {params['query']}", flush=True)
                pair.close()
                pair = Pair(features, [data.write_request(data.series(seed))])
                continue
            counts[kind] += 1
            counts["/error"] += ours["status"] != 200
            counts["/not empty"] += bool(ours.get("result"))
            if kind in ("equal", "random", "random peak"):
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
    wrong = sum(n for k, n in counts.items() if k[0] != "/" and k not in ("equal", "random", "random peak", "unseen", "peak"))
    print(f"{wrong} differences")
    sys.exit(1 if wrong else 0)


main()
