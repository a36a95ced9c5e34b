#!/usr/bin/env python3
"""Deleting: the same deletes in Prometheus leave the same answers; restarts, space, dry runs."""
import json
import os
import random
import time
import urllib.parse

from harness import Gnomon, Process, free_port, request, run, since, wait_for

ADMIN = "/api/v1/admin/tsdb/"
STEP = 15_000


def delete(port, *matches, **params):
    query = [("match[]", m) for m in matches] + [(k, v) for k, v in params.items()]
    return request("POST", port, ADMIN + "delete_series?" + urllib.parse.urlencode(query))


def series(start, count, steps, **labels):
    return [({"__name__": "m", "i": str(i), "job": "a" if i % 2 else "b", **labels},
             [(start + s * STEP, float(i * 1000 + s)) for s in range(steps)]) for i in range(count)]


def get(port, path, **params):
    status, _, body = request("GET", port, path + "?" + urllib.parse.urlencode(params, doseq=True))
    assert status == 200, body
    return json.loads(body)["data"]


def answers(port, start, end):
    """What a client can see, as far as both sort it alike."""
    rows = get(port, "/api/v1/query", query=f"m[{(end - start) // 1000 + 60}s]", time=end / 1000)["result"]
    window = {"start": start / 1000, "end": end / 1000}
    return {
        "samples": sorted((sorted(r["metric"].items()), r["values"]) for r in rows),
        "series": sorted(sorted(s.items()) for s in get(port, "/api/v1/series", **{"match[]": "m"}, **window)),
        "values": get(port, "/api/v1/label/i/values", **window),
        "names": get(port, "/api/v1/labels", **window),
        "count": get(port, "/api/v1/query", query="count(m)", time=end / 1000)["result"],
    }


def prometheus(g):
    path, port = since((3, 0), "prometheus"), free_port()
    config = os.path.join(g.tmp, "p.yml")
    with open(config, "w") as f:
        f.write("global: {}\n")
    p = Process([path, f"--config.file={config}", f"--storage.tsdb.path={g.tmp}/p", "--web.enable-admin-api",
                 "--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{port}"], g.tmp + "/p.log")
    wait_for("prometheus", lambda: up(port))
    return p, port


def up(port):
    try:
        return request("GET", port, "/-/ready")[0] == 200
    except OSError:
        return False


def test_the_same_deletes_leave_the_same_answers_as_in_prometheus():
    with Gnomon("--web.enable-admin-api") as g:
        p, port = prometheus(g)
        try:
            compare(g, port)
        finally:
            p.kill()


def same(g, port, start, end, context):
    """The samples as in Prometheus; which lists the labels of what is deleted until its head is collected: we do not."""
    ours, theirs = answers(g.port, start, end), answers(port, start, end)
    for what in ("samples", "count"):
        assert ours[what] == theirs[what], (context, what, ours[what], theirs[what])
    left = [labels for labels, values in ours["samples"] if any(start <= v[0] * 1000 <= end for v in values)]
    assert ours["series"] == left, (context, ours["series"], left)
    assert ours["values"] == sorted({dict(labels)["i"] for labels in left}), (context, ours["values"])
    assert ours["names"] == sorted({name for labels in left for name, _ in labels}), (context, ours["names"])


def compare(g, port):
    from harness import snappy, write_request
    start = int(time.time() * 1000) // STEP * STEP - 40 * STEP
    end = start + 40 * STEP
    body = snappy(write_request(series(start, 20, 40)))
    for to in (g.port, port):
        status, _, text = request("POST", to, "/api/v1/write", body, {"Content-Type": "application/x-protobuf",
                                  "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        assert status in (200, 204), text
    same(g, port, start, end, "before")
    deletes = [
        (('m{i="3"}',), {}),
        (('m{i=~"4|5"}', 'm{i="6"}'), {}),
        (('m{i="7"}',), {"start": (start + 10 * STEP) / 1000, "end": (start + 20 * STEP) / 1000}),
        (('m{i="7"}',), {"start": (start + 15 * STEP) / 1000, "end": (start + 25 * STEP) / 1000}),
        (('m{i="8"}',), {"end": (start + 30 * STEP) / 1000}),
        (('m{i="9"}',), {"start": (start + 30 * STEP) / 1000}),
        (('m{i="10"}',), {"start": (start + 1) / 1000, "end": (start + STEP - 1) / 1000}),
        (('{job="a",i!~"1.*"}',), {"start": (start + 35 * STEP) / 1000}),
        (('nothing{a="b"}',), {}),
        (('m{i="11"}',), {"start": end / 1000, "end": start / 1000}),
    ]
    for matches, params in deletes:
        results = [delete(to, *matches, **params) for to in (port, g.port)]
        assert results[0][0] == results[1][0] == 204 and results[1][2] == b"", (matches, results)
        same(g, port, start, end, (matches, params))
    later = [({"__name__": "m", "i": "3", "job": "a"}, [(end, 1.0)]), ({"__name__": "m", "i": "7", "job": "a"}, [(end, 2.0)])]
    body = snappy(write_request(later))
    for to in (g.port, port):
        request("POST", to, "/api/v1/write", body, {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                "X-Prometheus-Remote-Write-Version": "0.1.0"})
    same(g, port, start, end, "written later")
    for _ in range(2):
        for to in (g.port, port):
            status, _, text = request("POST", to, ADMIN + "clean_tombstones")
            assert status == 204 and text == b"", text
        same(g, port, start, end, "cleaned")
        g.kill9()
        g.start()
        same(g, port, start, end, "after kill -9")


def test_errors_as_prometheus():
    calls = [("POST", "delete_series"), ("POST", "delete_series?start=x"), ("GET", "delete_series?match[]=up"),
             ("DELETE", "delete_series?match[]=up"), ("PUT", "delete_series?match[]=up"),
             ("POST", "delete_series?match[]=up&start=x"), ("POST", "delete_series?match[]=up&end=1e400"),
             ("POST", "delete_series?match[]={bad"), ("POST", "delete_series?match[]={bad&start=x"),
             ("POST", "delete_series?match[]=up[5m]"), ("POST", "delete_series?match[]=up&match[]=rate(x[1m])"),
             ("POST", "delete_series?match[]=up&start=10&end=5"), ("POST", "clean_tombstones"), ("PUT", "clean_tombstones"),
             ("GET", "clean_tombstones")]
    with Gnomon("--web.enable-admin-api") as g, Gnomon() as off:
        p, port = prometheus(g)
        try:
            for method, path in calls:
                ours, theirs = (request(method, to, ADMIN + path) for to in (g.port, port))
                assert ours[0] == theirs[0] and ours[2].strip() == theirs[2].strip(), (path, ours, theirs)
        finally:
            p.kill()
        for path in ("delete_series?match[]=up", "delete_series", "clean_tombstones"):
            status, _, body = off.post(ADMIN + path)
            assert status == 500 and json.loads(body)["error"] == "admin APIs disabled", body
        assert g.post("/prometheus" + ADMIN + "delete_series?match[]=up")[0] == 204


def test_a_form_in_the_body_and_a_forced_label():
    with Gnomon("--web.enable-admin-api") as g:
        start = int(time.time() * 1000) - 60_000
        g.write(series(start, 4, 2))
        status, _, body = g.post(ADMIN + "delete_series?extra_label=job=a", b"match[]=m",
                                 {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 204, body
        assert sorted(s["metric"]["i"] for s in g.query("m")) == ["0", "2"]


def test_dry_run_tells_and_deletes_nothing():
    with Gnomon("--web.enable-admin-api") as g:
        start = int(time.time() * 1000) - 3_600_000
        g.write(series(start, 50, 100))
        assert delete(g.port, "m", dry_run="1")[0] == 200
        told = json.loads(delete(g.port, 'm{job="a"}', "m{i='1'}", dry_run="1")[2])["data"]
        assert told["series"] == 25 and told["headSamples"] >= 2500, told
        assert len(g.query("m", at=(start + 99 * STEP) / 1000)) == 50
        g.post(ADMIN + "delete_series?match[]=nothing_at_all")
        assert delete(g.port, "m{i='0'}")[0] == 204
        told = json.loads(delete(g.port, "m", dry_run="true", end=(start + 50 * STEP - 1) / 1000)[2])["data"]
        assert told["series"] == 49 and told["samples"] == 49 * 50 and told["blocks"] >= 1 and told["bytes"] > 0, told


def block_bytes(g):
    sizes = {"index": 0, "data": 0}
    for folder, _, files in os.walk(os.path.join(g.dir, "blocks")):
        for f in files:
            if f in sizes:
                sizes[f] += os.path.getsize(os.path.join(folder, f))
    return sizes


def test_half_of_the_series_is_half_of_the_space():
    count, steps = (20_000, 100) if os.environ.get("LONG") else (2000, 60)
    with Gnomon("--web.enable-admin-api") as g:
        start = int(time.time() * 1000) - 4 * 3_600_000
        for i in range(0, steps, 20):
            rows = [(labels, [(t, random.randrange(10_000) / 8) for t, v in samples][i:i + 20])
                    for labels, samples in series(start, count, steps, path="/some/longer/path/of/a/handler")]
            for k in range(0, count, 2000):
                assert g.write(rows[k:k + 2000])[0] == 204
        delete(g.port, 'm{i=~".*0"}')  # of every page of the head some, so all of it is flushed
        before = block_bytes(g)
        kept = g.query('sum(sum_over_time(m{job="b"}[5h]))')
        assert delete(g.port, 'm{job="a"}')[0] == 204
        told = get(g.port, "/api/v1/status/tombstones")
        assert told["tombstones"] and told["tombstones"][-1]["match"] == '{job="a",__name__="m"}', told
        assert g.post(ADMIN + "clean_tombstones")[0] == 204
        after = block_bytes(g)
        print(f"  half of {count} series x {steps} samples: {before} -> {after}")
        for what in before:
            assert after[what] < before[what] * 0.56, (before, after)
        assert get(g.port, "/api/v1/status/tombstones")["tombstones"] == []
        assert get(g.port, "/api/v1/label/job/values") == ["b"]
        again = g.query('sum(sum_over_time(m{job="b"}[5h]))')
        assert again[0]["value"][1] == kept[0]["value"][1], (again, kept)
        totals = get(g.port, "/api/v1/status/tombstones")["totals"]
        assert totals["bytesAfter"] < totals["bytesBefore"], totals
        g.stop()
        g.start()
        assert block_bytes(g) == after
        assert get(g.port, "/api/v1/label/job/values") == ["b"]


def test_metadata_of_what_is_deleted_stays():
    """TYPE, HELP and UNIT belong to the name, not to its samples: in Prometheus they come from the targets and outlive a deletion, too."""
    with Gnomon("--web.enable-admin-api") as g:
        now = int(time.time() * 1000)
        sample = [({"__name__": "gone", "job": "a"}, [(now, 1.0)])]
        assert g.write(sample, metadata=[("gone", 1, "what it is", "bytes")])[0] == 204
        told = {"gone": [{"type": "counter", "help": "what it is", "unit": "bytes"}]}
        assert get(g.port, "/api/v1/metadata") == told
        assert delete(g.port, "gone")[0] == 204 and g.post(ADMIN + "clean_tombstones")[0] == 204
        for _ in range(2):
            assert get(g.port, "/api/v1/label/__name__/values") == []
            assert get(g.port, "/api/v1/metadata") == told
            assert get(g.port, "/api/v1/targets/metadata?metric=gone") == []
            g.kill9()
            g.start()


def test_every_door_is_shut():
    """Labels, series, export, federation, counts: what is deleted is nowhere, what is left is everywhere."""
    with Gnomon("--web.enable-admin-api") as g:
        now = int(time.time() * 1000)
        g.write(series(now - 5 * STEP, 4, 5) + [({"__name__": "gone_metric", "only_here": "x"}, [(now - STEP, 1.0)])])
        assert delete(g.port, "gone_metric", "m{i='1'}")[0] == 204
        for _ in range(2):
            assert get(g.port, "/api/v1/label/__name__/values") == ["m"]
            assert "only_here" not in get(g.port, "/api/v1/labels")
            assert get(g.port, "/api/v1/label/i/values") == ["0", "2", "3"]
            assert get(g.port, "/api/v1/series/count") == [3]
            for path in ("/api/v1/export?match[]={__name__!=''}", "/federate?match[]={__name__!=''}"):
                text = request("GET", g.port, path.replace("{", "%7B").replace("}", "%7D"))[2]
                assert b"gone_metric" not in text and b'"1"' not in text.replace(b'"values":["1"', b""), (path, text)
                assert b"m" in text
            assert len(g.query("count_over_time({__name__!=''}[1h])")) == 3
            names = get(g.port, "/api/v1/status/tsdb")["seriesCountByMetricName"]
            assert all(n["name"] != "gone_metric" for n in names), names
            g.kill9()
            g.start()


def rounds_of_deletes(g, state, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state["t"] += 1000
        t = state["t"]
        if t > time.time() * 1000:  # a machine that is so fast has done enough
            return
        if g.write([({"__name__": "m", "i": str(i)}, [(t, float(i))]) for i in range(60)])[0] == 204:
            state["left"] |= {(i, t) for i in range(60)}
        if random.random() < 0.08:
            i, a, b = random.randrange(60), random.choice([None, t - 40_000]), random.choice([None, t - 4_000])
            window = {k: v / 1000 for k, v in (("start", a), ("end", b)) if v}
            assert delete(g.port, f'm{{i="{i}"}}', **window)[0] == 204
            state["left"] -= {k for k in state["left"]
                              if k[0] == i and (a is None or k[1] >= a) and (b is None or k[1] <= b)}
        if random.random() < 0.01:
            assert g.post(ADMIN + "clean_tombstones")[0] == 204


def test_kill_9_brings_nothing_back_and_takes_nothing_away():
    with Gnomon("--web.enable-admin-api") as g:
        begin = int(time.time() * 1000) - 3 * 3_600_000
        state = {"t": begin, "left": set()}
        for n in range(int(os.environ.get("ROUNDS", "3"))):
            rounds_of_deletes(g, state, random.uniform(0.3, 1.2))
            g.kill9()
            g.start()
            rows = g.query(f"m[{(state['t'] - begin) // 1000 + 60}s]", at=state["t"] / 1000 + 1)
            found = {(int(r["metric"]["i"]), round(float(v[0]) * 1000)) for r in rows for v in r["values"]}
            assert found == state["left"], (n, len(found), len(state["left"]), sorted(found ^ state["left"])[:5])


run(globals())
