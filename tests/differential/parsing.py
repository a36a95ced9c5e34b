"""What a live Prometheus 3.15 and Gnomon say to texts: `PROMETHEUS=path make differential-parse QUERIES=20000 SEED=7`.

/api/v1/format_query and /api/v1/parse_query must answer with the same bytes, /api/v1/query and /api/v1/query_range with the same status and error
(there is no data).  Exit status 1 when something differed; all of it is in build/differential-parse.txt.
"""
import collections
import http.client
import os
import random
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
from compare import parse  # noqa: E402
from expressions import FEATURES  # noqa: E402
from pair import Pair  # noqa: E402
from texts import texts  # noqa: E402

ROUND = 5000


def facts(path, answer):
    """Of a query its status and error; of the others every byte."""
    if "query" != path.rsplit("/", 1)[1].split("_range")[0]:
        return answer
    parsed = parse(*answer)
    return parsed["status"], parsed.get("error"), parsed.get("result")


def play(seed, wanted, counts, out):
    rnd = random.Random(seed)
    features = list(FEATURES) if seed % 2 else [f for f in FEATURES if rnd.random() < 0.5]
    pair = Pair(features, [])
    try:
        for number, text in enumerate(texts(seed, features, wanted)):
            for path, more in (("/api/v1/format_query", {}), ("/api/v1/parse_query", {}),
                               (("/api/v1/query", {"time": 1_600_000_020}), ("/api/v1/query_range", {"start": 1_600_000_020, "end": 1_600_000_140, "step": 60}))[number % 2]):
                form = urllib.parse.urlencode({"query": text, **more}, errors="surrogateescape")
                try:
                    theirs, ours = pair.answers(path, form)
                except (OSError, http.client.HTTPException) as why:
                    raise AssertionError(f"{path} round {seed} text {number} {text!r}: {why}")
                same = facts(path, theirs) == facts(path, ours)
                if not same and b"unsupported value" in theirs[1]:  # a fill of NaN or Inf has no JSON there; here it is a string
                    counts["meant"] += 1
                    continue
                counts["equal" if same else "different"] += 1
                counts["/error" if ours[0] != 200 else "/good"] += 1
                if same and ours[0] != 200:
                    counts["errors"].add(text)
                if not same:
                    found = f"{path}: round {seed} features {','.join(features)} text {number}\n  {text!r}\n  prometheus {theirs}\n  gnomon     {ours}\n"
                    print(found[:3000], file=out, flush=True)
                    print(found[:1500], flush=True)
    finally:
        pair.close()


def main():
    total, seed = int(os.environ.get("QUERIES", 10000)), int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"SEED={seed}", flush=True)
    counts = collections.Counter()
    counts["errors"] = set()
    os.makedirs("build", exist_ok=True)
    with open(os.environ.get("OUT", "build/differential-parse.txt"), "w") as out:
        for r in range((total + ROUND - 1) // ROUND):
            play(seed + r, min(ROUND, total - r * ROUND), counts, out)
            print(f"{min(total, (r + 1) * ROUND)} texts: {counts['equal']} answers equal, {counts['different']} different, {counts['meant']} fills without JSON there; {counts['/error']} of them errors, "
                  f"{len(counts['errors'])} different texts refused alike", flush=True)
    sys.exit(1 if counts["different"] else 0)


main()
