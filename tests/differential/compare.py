"""Whether two answers of the query API are the same, and where Prometheus' own answer is one of many.

Prometheus rebuilds the result of many nodes from a hash map: order, and with it the last bits of later sums, then differ from
one time to the next.  So an answer that differs is asked for again; only what Prometheus always answers alike must be ours.
"""
import json
import re

MANY = re.compile(r"^\d+ more (warning|info) annotations omitted$")
FINE = ("equal", "random", "random peak", "panic", "chunk borders")


def parse(status, body):
    try:
        answer = json.loads(body.decode(errors="surrogateescape"), parse_float=str)
    except ValueError:
        return {"status": status, "body": body.decode(errors="replace")}
    data = answer.get("data") or {}
    stats = (data.get("stats") or {}).get("samples") or {}
    return {"status": status, "error": (answer.get("errorType"), answer.get("error")), "type": data.get("resultType"),
            "result": data.get("result"), "warnings": texts(answer.get("warnings")), "infos": texts(answer.get("infos")),
            "stats": {k: stats.get(k) for k in ("totalQueryableSamples", "samplesRead", "totalQueryableSamplesPerStep", "samplesReadPerStep")}, "peak": stats.get("peakSamples")}


def texts(found):
    """Annotations come in random order, and only ten of them: what is comparable of many is how many."""
    found = found or []
    more = [t for t in found if MANY.match(t)]
    return [len(found), *more] if more else sorted(found)


def canonical(value):
    return json.dumps(value, sort_keys=True)


def unordered(answer):
    """The answer with an instant vector sorted: for answers whose order is a hash map's."""
    if answer.get("type") == "vector" and answer.get("result"):
        return {**answer, "result": sorted(answer["result"], key=canonical)}
    return answer


def without(answer, *names):
    return {k: v for k, v in answer.items() if k not in names}


def parts(a, b):
    """Names of what differs."""
    return [k for k in a if canonical(a[k]) != canonical(b.get(k))]


def judge(theirs, ours, again):
    """One of "equal", "panic" (Prometheus fell over something that is refused here), "random" (one of Prometheus' answers), "unseen" (it has many, ours came not up), or what differs.

    again() asks Prometheus once more.  The peak of a range function over a subquery of a node that is rebuilt from a hash map
    depends on that map's order, too: "random peak"."""
    differing = [p for p in parts(theirs, ours) if p != "peak"]
    if "runtime error" in str((theirs.get("error") or ("", ""))[1]) and ours["status"] != 200:
        return "panic"
    if not differing:
        if theirs.get("peak") == ours.get("peak"):
            return "equal"
        return "random peak" if any(again().get("peak") != theirs.get("peak") for _ in range(60)) else "peak"
    want = canonical(without(ours, "peak"))
    seen = {canonical(without(theirs, "peak"))}
    for i in range(60):
        if i == 40 and len(seen) == 1:
            break
        answer = canonical(without(again(), "peak"))
        if answer == want:
            return "random"
        seen.add(answer)
    if len(seen) > 1:
        return "unseen"
    return "+".join(differing)
