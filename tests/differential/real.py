"""Expressions of real rules and dashboards beside a live Prometheus 3.15: `PROMETHEUS=path make differential-real FILES="folder file ..."`.

The files (rules in YAML, dashboards in JSON) are given by whoever runs it; none is part of this repository.  Variables of dashboards get values, and from what
the expressions select - metrics, matchers, labels that they group and match by - series are made that they find: counters, gauges, classic histograms over an
hour.  Every expression is asked at one instant and as a range.  Needs PyYAML.
"""
import collections
import http.client
import json
import os
import random
import re
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import compare  # noqa: E402
import data  # noqa: E402
from harness import Skip  # noqa: E402
from pair import Pair  # noqa: E402

END_S = 1_600_000_020 + 3600
STEP_S, SAMPLES = 30, 120
DURATION = re.compile(r"interval|resolution|window|range|step|period|rate|offset|duration", re.I)
VARIABLE = re.compile(r"\$\{(\w+)(?::[^}]*)?\}|\$(\w+)|\[\[(\w+)(?::[^\]]*)?\]\]")
PLAIN = re.compile(r"^[\w ./:@%-]+$")


# ---- What is in the files ----

def walk(node):
    """Texts under "expr" of rules and panels, wherever they are."""
    if isinstance(node, dict):
        for k, v in node.items():
            if k in ("expr", "query") and isinstance(v, str) and (k == "expr" or "alert" in node or "name" in node):
                yield v
            else:
                yield from walk(v)
    elif isinstance(node, list):
        for v in node:
            yield from walk(v)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    try:
        if path.endswith(".json"):
            return list(walk(json.loads(text)))
        import yaml
        return [e for document in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) for e in walk(document)]
    except ImportError:
        raise Skip("PyYAML is needed to read rules (python3-yaml)")
    except Exception:  # templates, manifests of something else
        return []


def expressions(names):
    found = {}
    for name in names:
        files = [name] if os.path.isfile(name) else [os.path.join(d, f) for d, _, fs in os.walk(name) for f in fs]
        for path in sorted(files):
            if path.endswith((".json", ".yml", ".yaml")):
                for e in read(path):
                    found.setdefault(e.strip(), path)
    return found


def filled(text, number):
    """The expression with values for a dashboard's variables: v1 in quotes, 5m where a length is meant, else `number`."""
    out, at, quote, bracket = [], 0, "", False
    for m in VARIABLE.finditer(text):
        for c in text[at:m.start()]:
            if quote:
                quote = "" if c == quote else quote
            elif c in "\"'`":
                quote = c
            else:
                bracket = c == "[" or bracket and c != "]"
            out.append(c)
        name = next(g for g in m.groups() if g)
        out.append("v1" if quote else "5m" if bracket or DURATION.search(name) else number)
        at = m.end()
    return "".join(out) + text[at:]


# ---- What they select ----

def selectors(node, labels, out):
    """Adds (name, matchers) of the tree's selectors, and to `labels` what it groups and matches by."""
    if isinstance(node, dict):
        if node.get("type") in ("vectorSelector", "matrixSelector"):
            out.append(node["matchers"])
        for key in ("grouping", "labels", "include"):
            labels.update(node.get(key) or ())
        if node.get("type") == "call" and node["func"]["name"] == "label_replace":
            labels.add(node["args"][3].get("val", ""))
        for v in node.values():
            selectors(v, labels, out)
    elif isinstance(node, list):
        for v in node:
            selectors(v, labels, out)


def values_of(matcher):
    """Values that pass it, as far as that is plain to see."""
    if matcher["type"] == "=":
        return [matcher["value"]] if matcher["value"] else []
    if matcher["type"] != "=~":
        return []
    text = re.sub(r"^\(\??:?(.*)\)$", r"\1", matcher["value"])
    parts = [re.sub(r"\.[*+]\??", "x", p).replace("\\.", ".").replace("\\\\", "").strip("^$") for p in text.split("|")]
    return [p for p in parts if PLAIN.match(p)]


class Schema:
    """Of one metric: its labels and their values."""

    def __init__(self):
        self.labels = collections.defaultdict(dict)  # values in the order in which they came up

    def add(self, matchers, grouping):
        for m in matchers:
            if m["name"] != "__name__":
                self.labels[m["name"]].update(dict.fromkeys(values_of(m)))
        for name in grouping:
            if name not in ("__name__", "") and name != "le":
                self.labels[name]


def schemas(trees):
    out = collections.defaultdict(Schema)
    for tree in trees:
        grouping, found = set(), []
        selectors(tree, grouping, found)
        for matchers in found:
            names = [v for m in matchers if m["name"] == "__name__" for v in values_of(m)]
            for name in names:
                out[name].add(matchers, grouping)
    return out


# ---- Series ----

def series_of(name, schema, rnd):
    """Label sets of a metric: values that expressions ask for, and two others for each label."""
    values = {k: list(v)[:12] + ["v1", f"{k[:8]}2"] for k, v in sorted(schema.labels.items()) if k != "le"}
    values.setdefault("instance", ["v1", "i2:9100"])
    values.setdefault("job", ["v1", "job2"])
    most = max(len(v) for v in values.values())
    sets = [{k: v[min(i, len(v) - 1)] if i < most else rnd.choice(v) for k, v in values.items()} for i in range(most + 5)]
    if name.endswith("_bucket") or "le" in schema.labels:
        asked = [v for v in schema.labels["le"] if re.match(r"^[\d.e+-]+$|^\+Inf$", v)]
        bounds = sorted({"0.1", "0.5", "1", "5", "+Inf", *asked}, key=float)
        return [({**s, "le": le}, float(le)) for s in sets[:6] for le in bounds]
    return [(s, None) for s in sets]


def samples_of(name, bound, rnd):
    times = [(END_S - 3600 + i * STEP_S) * 1000 for i in range(SAMPLES + 1)]
    out, at = [], 0.0
    if bound is not None:
        share = min(1.0, 0.3 + bound / 8)
        return [(t, float(int(i * 7 * share))) for i, t in enumerate(times)]
    if re.search(r"_(total|count|sum|bucket)$", name):
        step, reset = rnd.choice((0.0, 0.2, 3, 1e5)), rnd.choice((0, 0, 0.02))
        for t in times:
            at = 0.0 if rnd.random() < reset else at + (step if step == 0 else rnd.expovariate(1 / step))
            out.append((t, at if step < 1 else float(int(at))))
        return out
    if name.endswith("_info") or name == "up":
        constant = float(name != "up" or rnd.random() < 0.8)
        return [(t, constant) for t in times]
    if re.search(r"time|timestamp|created|expir|not_after", name):
        constant = END_S - rnd.choice((60, 7200, -86400, 400000))
        return [(t, float(constant)) for t in times]
    low, high = rnd.choice(((0, 1), (0, 2), (0, 100), (1e6, 1e9), (0, 0), (1, 1)))
    whole = rnd.random() < 0.5
    return [(t, float(int(v)) if whole else v) for t, v in ((t, rnd.uniform(low, high)) for t in times)]


def requests(trees):
    """Bodies of remote write: every series whole, all in label order."""
    rnd, every = random.Random(1), {}
    for name, schema in sorted(schemas(trees).items()):
        for labels, bound in series_of(name, schema, rnd):
            every[tuple(sorted({**labels, "__name__": name}.items()))] = (name, bound)
    ordered, at = sorted(every), 0
    print(f"{len(ordered)} series, {len(ordered) * (SAMPLES + 1)} samples", flush=True)
    while at < len(ordered):
        part = ordered[at:at + 1000]
        yield data.write_request([(dict(s), samples_of(*every[s], rnd)) for s in part])
        at += len(part)


# ---- Asking ----

def parsed(pair, texts):
    """{expression: tree}, with the first way to fill its variables that parses; how many have none."""
    out, refused = {}, collections.Counter()
    for text, path in texts.items():
        for number in ("5", "job", "5m", "v1"):
            e = filled(text, number)
            theirs, ours = pair.answers("/api/v1/parse_query", urllib.parse.urlencode({"query": e}))
            assert theirs == ours, (e, theirs, ours)
            if ours[0] == 200:
                out[e] = json.loads(ours[1])["data"]
                break
        else:
            refused[path] += 1
    return out, refused


def main():
    texts = expressions(sys.argv[1:])
    assert texts, "no expressions in these files"
    pair = Pair([], [])
    try:
        trees, refused = parsed(pair, texts)
    finally:
        pair.close()
    print(f"{len(texts)} different texts, {len(trees)} expressions, {sum(refused.values())} that no filling makes PromQL (refused alike)", flush=True)
    counts = collections.Counter()
    os.makedirs("build", exist_ok=True)
    pair = Pair([], requests(trees.values()))
    with open(os.environ.get("OUT", "build/differential-real.txt"), "w") as out:
        for number, e in enumerate(trees):
            for path, more in (("/api/v1/query", {"time": END_S - 600}), ("/api/v1/query_range", {"start": END_S - 1800, "end": END_S, "step": 60})):
                form = urllib.parse.urlencode({"query": e, "stats": "all", **more})
                try:
                    theirs, ours = pair.ask(path, form)
                except (OSError, http.client.HTTPException) as why:
                    raise AssertionError(f"{path} {e}: {why}")
                kind = compare.judge(theirs, ours, lambda: pair.ask(path, form, (0,))[0])
                counts[kind] += 1
                counts["/error"] += ours["status"] != 200
                counts["/not empty"] += bool(ours.get("result"))
                if kind not in compare.FINE:
                    found = f"{kind}: {path}?{form}\n  {e}\n" + "".join(
                        f"    {p}\n      prometheus {compare.canonical(theirs[p])[:1500]}\n      gnomon     {compare.canonical(ours.get(p))[:1500]}\n"
                        for p in compare.parts(theirs, ours))
                    print(found, file=out, flush=True)
            if number % 1000 == 999:
                print(f"{number + 1} expressions: {dict(counts)}", flush=True)
    pair.close()
    wrong = sum(n for k, n in counts.items() if k[0] != "/" and k not in (*compare.FINE, "unseen", "peak"))
    print(f"{len(trees)} expressions, {2 * len(trees)} queries: {dict(counts)}\n{wrong} differences")
    sys.exit(1 if wrong else 0)


main()
