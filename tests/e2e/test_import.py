"""Lines of VictoriaMetrics' export into /api/v1/import: every value comes back, what is wrong is named, a crash loses nothing.

SAMPLES=20000000 for the long form.
"""
import gzip
import json
import os
import random
import time

from harness import Gnomon, Process, free_port, program, request, run, wait_for

SAMPLES = int(os.environ.get("SAMPLES", 400000))


def line(metric, points):
    return json.dumps({"metric": metric, "values": [v for _, v in points], "timestamps": [t for t, _ in points]}) + "\n"


def exported(server, match='{__name__!=""}'):
    """{labels: {ms: value as it stands in JSON}}"""
    status, _, body = server.get("/api/v1/export?match[]=" + match.replace("{", "%7B").replace('"', "%22") + "&start=0")
    assert status == 200, body
    return parsed(body)


def parsed(body):
    out = {}
    for text in filter(None, body.decode().split("\n")):
        row = json.loads(text)
        out.setdefault(json.dumps(row["metric"], sort_keys=True), {}).update(zip(row["timestamps"], row["values"]))
    return out


def now_ms():
    return int(time.time() * 1000)


def test_values_come_back_as_they_were():
    now = now_ms()
    values = [0, -0.0, 0.1, 1e300, 5e-324, 123456789.123456, "Infinity", "-Infinity", None, -17]
    metrics = [{"__name__": "a", "job": "x"}, {"job": "no name of its own", "__name__": "b"}, {"__name__": "ü \" \\ \n", "z": "\u2028"}]
    body = "".join(line(m, [(now - 1000 * i - k, v) for i, v in enumerate(values)]) for k, m in enumerate(metrics))
    with Gnomon() as server:
        status, _, text = server.post("/api/v1/import", body.encode())
        assert status == 204, (status, text)
        for _ in range(2):  # again: it is already there
            want = {json.dumps(m, sort_keys=True): {now - 1000 * i - k: v for i, v in enumerate(values)} for k, m in enumerate(metrics)}
            assert exported(server) == want, (exported(server), want)
            assert server.post("/api/v1/import", gzip.compress(body.encode()), {"Content-Encoding": "gzip"})[0] == 204
        server.kill9()
        server.process.out.close()
        server.start()
        assert exported(server) == want
        at = server.query("a", at=(now - 8000) / 1000)
        assert not at, f"null is a stale marker: {at}"


def test_curl_says_form_and_extra_labels_win():
    now = now_ms()
    with Gnomon() as server:
        body = line({"__name__": "a", "dc": "old"}, [(now, 1)]).encode()
        status, _, text = server.post("/api/v1/import?extra_label=dc=ber&extra_label=team=x%26y", body,
                                      {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 204, (status, text)
        assert list(exported(server)) == ['{"__name__": "a", "dc": "ber", "team": "x&y"}']
        assert server.post("/api/v1/import?extra_label=nothing", body)[0] == 400


TEXT = """# HELP jobs_total What was done.
# TYPE jobs_total counter
jobs_total{job="backup",host="db 1"} 12 %d
jobs_total{job="backup",host="db\\"2\\\\"} 1.5e3 %d # {trace_id="x"} 1
last_run_seconds 1700000000.25
{"a name","a label"="ü"} -Inf
"""


def test_text_as_a_cron_job_pushes_it():
    now = now_ms()
    text = (TEXT % (now, now - 5)).encode()
    key = lambda **labels: json.dumps({"cron": "yes", **labels}, sort_keys=True)
    with Gnomon() as server:
        assert server.post(f"/api/v1/import/prometheus?extra_label=cron=yes&timestamp={now - 9}", text, {"Content-Type": "application/x-www-form-urlencoded"})[0] == 204
        assert exported(server) == {key(__name__="jobs_total", job="backup", host="db 1"): {now: 12}, key(__name__="jobs_total", job="backup", host='db"2\\'): {now - 5: 1500},
                                    key(__name__="last_run_seconds"): {now - 9: 1700000000.25}, key(__name__="a name", **{"a label": "ü"}): {now - 9: "-Infinity"}}
        assert server.post("/api/v1/import/prometheus", gzip.compress(b"up 1\n"), {"Content-Encoding": "gzip"})[0] == 204
        assert server.query("up")[0]["value"][1] == "1", "now, when nothing is said"
        status, _, answer = server.post("/api/v1/import/prometheus", b"good 1\nbad one\nalso_good 2")
        assert status == 400 and b"line 2: byte 8: the value" in answer and b"2 samples stored" in answer, answer
        assert server.query("good + on() also_good")[0]["value"][1] == "3"
        assert server.post("/api/v1/import/prometheus?timestamp=soon", b"up 1")[0] == 400
        page = server.get("/metrics")[2]
        assert server.post("/api/v1/import/prometheus?extra_label=from=page", page)[0] == 204
        names = {json.loads(k)["__name__"] for k in exported(server) if json.loads(k).get("from") == "page"}
        assert len(names) == len({line.split("{")[0].split(" ")[0] for line in page.decode().splitlines() if line and line[0] != "#"}), "its own page, whole"


def test_what_is_wrong_is_named_and_the_rest_stored():
    now = now_ms()
    good = line({"__name__": "good"}, [(now, 1), (now - 1, 2)])
    bad = ['{"metric":{"__name__":"x"},"values":[1],"timestamps":[]}', '{"metric":', "hello", '{"metric":{"__name__":"x"},"values":[tru],"timestamps":[1]}',
           '{"metric":{"no_name":"x"},"values":[1],"timestamps":[%d]}' % now, line({"__name__": "old"}, [(1000, 1)]).strip()]
    with Gnomon() as server:
        for text in bad:
            status, _, answer = server.post("/api/v1/import", (good + text + "\n\r\n" + good.replace("good", "also")).encode())
            assert status == 400 and b"4 samples stored" in answer and (b"line 2: " in answer or b"samples rejected" in answer), (text, status, answer)
        assert sorted(json.loads(k)["__name__"] for k in exported(server)) == ["also", "good"]
        assert server.post("/api/v1/import", b"")[0] == 204
        assert server.post("/api/v1/import", b"x" * (33 << 20))[0] == 413
        assert server.get("/api/v1/import")[0] == 405


def test_a_large_import_stays_in_its_memory():
    """Long lines and many: more than one batch; the sum of everything is exact."""
    now, per_line = now_ms() // 1000 * 1000, 20000
    with Gnomon("--memory.limit=512MiB") as server:
        total = count = 0
        for first in range(0, SAMPLES, per_line):
            i = first // per_line
            points = [(now - 3600_000 * 24 + k * 1000, random.randrange(1000000)) for k in range(min(per_line, SAMPLES - first))]
            total, count = total + sum(v for _, v in points), count + len(points)
            body = line({"__name__": "bulk", "i": str(i)}, points).encode()
            status, _, text = server.post("/api/v1/import", body)
            assert status == 204, (status, text)
        got = server.query("sum(sum_over_time(bulk[25h]))"), server.query("sum(count_over_time(bulk[25h]))")
        assert [float(g[0]["value"][1]) for g in got] == [total, count], (got, total, count)
        with open(f"/proc/{server.process.p.pid}/status") as f:
            rss = int(f.read().split("VmHWM:")[1].split()[0]) >> 10
        assert rss < 512, f"{rss} MiB"
        print(f"{count} samples, at most {rss} MiB resident")


def test_victoriametrics_takes_back_what_it_gave():
    """VictoriaMetrics' own export, imported, is what VictoriaMetrics exports; and the other way round."""
    vm_binary, port = program("victoria-metrics"), free_port()
    now = now_ms()
    rows = [({"__name__": "m", "i": str(i), "text": 'a "b" \\ ü'}, [(now - 1000 * k, (i * 7 + k) / 3) for k in range(50)]) for i in range(40)]
    with Gnomon() as server:
        vm = Process([vm_binary, f"-storageDataPath={server.tmp}/vm", f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=ERROR"],
                     server.tmp + "/vm.log")
        try:
            def up():
                try:
                    return request("GET", port, "/health")[0] == 200
                except OSError:
                    return False
            wait_for("VictoriaMetrics", up)
            assert request("POST", port, "/api/v1/import", "".join(line(*r) for r in rows).encode())[0] == 204
            path = "/api/v1/export?match[]=%7B__name__!=%22%22%7D&start=0"
            request("GET", port, "/internal/force_flush")
            whole = lambda body: sum(map(len, parsed(body).values())) == sum(len(points) for _, points in rows)
            wait_for("all rows", lambda: whole(request("GET", port, path)[2]))
            theirs = request("GET", port, path)[2]
            assert server.post("/api/v1/import", theirs)[0] == 204
            assert len(parsed(theirs)) == len(rows) and exported(server) == parsed(theirs)
            text = (TEXT.replace('{"a name","a label"="ü"}', 'plain{a="ü"}').replace("-Inf", "-7") % (now, now - 5)).encode()
            pushed = f"/api/v1/import/prometheus?extra_label=cron=yes&timestamp={now - 9}"
            mine = "/api/v1/export?match[]=%7Bcron=%22yes%22%7D&start=0"
            assert request("POST", port, pushed, text)[0] == 204 and server.post(pushed, text)[0] == 204
            wait_for("the text", lambda: len(parsed(request("GET", port, mine)[2])) == 4)
            assert parsed(server.get(mine)[2]) == parsed(request("GET", port, mine)[2])
            # Its own values are not always those that it was given; what it gave was taken exactly.
            changed = sum(v != parsed(theirs)[json.dumps(m, sort_keys=True)][t] for m, points in rows for t, v in points)
            print(f"{sum(len(p) for _, p in rows)} samples equal; VictoriaMetrics had changed {changed} of them")
        finally:
            vm.kill()


run(globals())
