"""What reads from a Prometheus or a VictoriaMetrics, against the real binary: exports, narrowed requests, federation.

A Prometheus federates from Gnomon (PROMETHEUS), promtool checks what /federate answers (PROMTOOL), and a
VictoriaMetrics (VICTORIA_METRICS) takes an export over its own import.
"""
import json
import math
import os
import random
import shutil
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

from harness import RW_HEADERS, Gnomon, Process, field, free_port, program, request, run, since, snappy, varint, wait_for, write_request

NOW = int(time.time())


def rows(body):
    return [json.loads(line) for line in body.decode().splitlines()]


def export(server, path="export", **params):
    status, headers, body = server.get(f"/api/v1/{path}?" + urllib.parse.urlencode(params, doseq=True))
    assert status == 200, (status, body)
    return body


def test_an_export_holds_every_bit_and_goes_into_victoriametrics():
    vm = program("victoria-metrics")
    samples = [((NOW - 6000 + i * 15) * 1000 + random.randrange(1000), round(random.uniform(-1e6, 1e6), 6)) for i in range(300)]
    tmp = tempfile.mkdtemp(prefix="gnomon-readers-")
    port = free_port()
    child = None
    try:
        with Gnomon() as server:
            assert server.write([({"__name__": "m", "i": str(i), "text": 'é"\\\n,'}, samples) for i in range(20)])[0] == 204
            body = export(server, **{"match[]": "m", "max_rows_per_line": 100})
            found = {}
            for row in rows(body):
                assert len(row["values"]) <= 100
                found.setdefault(json.dumps(row["metric"], sort_keys=True), []).extend(zip(row["timestamps"], row["values"]))
            assert len(found) == 20 and all(s == samples for s in found.values())
            child = Process([vm, f"-storageDataPath={tmp}/vm", f"-httpListenAddr=127.0.0.1:{port}"], f"{tmp}/vm.log",
                            env={**os.environ, "TZ": "UTC"})  # it prints local times

            def up():
                try:
                    return request("GET", port, "/health")[0] == 200
                except OSError:
                    return False
            wait_for("VictoriaMetrics", up)
            assert request("POST", port, "/api/v1/import", body)[0] == 204
            request("GET", port, "/internal/force_flush")
            theirs = rows(request("GET", port, "/api/v1/export?match[]=m")[2])
            assert {json.dumps(r["metric"], sort_keys=True): list(zip(r["timestamps"], r["values"])) for r in theirs} == found
            ask = "?match[]=m&format=m,__name__,i,__value__,__timestamp__:unix_ms,__timestamp__:rfc3339&extra_label=i=7"
            ours, same = (request("GET", p, "/api/v1/export/csv" + ask + "&start=0")[2] for p in (server.port, port))
            assert sorted(ours.splitlines()) == sorted(same.splitlines()) and ours.count(b"\n") == 300, (ours[:300], same[:300])
    finally:
        if child:
            child.kill()
        shutil.rmtree(tmp, ignore_errors=True)


def test_a_large_export_takes_no_memory_of_its_size():
    with Gnomon() as server:
        times = [(NOW - 3600 * 5 + i * 15) * 1000 for i in range(1000)]
        for batch in range(20):
            series = [({"__name__": "big", "batch": str(batch), "i": str(i)}, [(t, random.random()) for t in times])
                      for i in range(50)]
            assert server.write(series)[0] == 204
        rss = lambda: int(next(l for l in open(f"/proc/{server.process.p.pid}/status") if l.startswith("VmRSS")).split()[1]) >> 10
        before, peak, done = rss(), 0, False

        def watch():
            nonlocal peak
            while not done:
                peak = max(peak, rss())
                time.sleep(0.01)
        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.monotonic()
        body = export(server, **{"match[]": "big"})
        seconds = time.monotonic() - start
        done = True
        watcher.join()
        count = sum(len(r["values"]) for r in rows(body))
        print(f"     {len(body) >> 20} MiB, {count} samples in {seconds:.2f} s, RSS {before} -> at most {peak} MiB")
        assert count == 1000 * 1000 and peak < before + 24, (before, peak)


def test_promtool_accepts_federate():
    promtool = since((3, 0), "promtool")
    with Gnomon() as server:
        now = int(time.time() * 1000)
        assert server.write([({"__name__": "up", "job": "a"}, [(now, 1)]),
                             ({"__name__": "http.status", "a.b": 'x"\\\n'}, [(now, math.inf)])])[0] == 204
        for accept in ("", "text/plain;escaping=dots", "text/plain;escaping=values", "text/plain;escaping=allow-utf-8"):
            status, headers, body = server.get("/federate?match[]={__name__!=%22%22}", {"Accept": accept} if accept else {})
            assert status == 200 and body.count(b"\n") == 4, body
            check = subprocess.run([promtool, "check", "metrics", "--lint=none", "--extended"], input=body, capture_output=True)
            assert check.returncode == 0, (accept, body, check.stderr)


def fields(message):
    """[(tag, value bytes)] of a protobuf message without groups."""
    at, found = 0, []

    def number():
        nonlocal at
        v = shift = 0
        while True:
            v |= (message[at] & 127) << shift
            shift += 7
            at += 1
            if message[at - 1] < 128:
                return v
    while at < len(message):
        tag = number()
        start = at
        if tag & 7 == 0:
            number()
        else:
            size = {1: 8, 5: 4}.get(tag & 7)
            size = number() if size is None else size
            start, at = at, at + size
        found.append((tag, message[start:at]))
    return found


def families(body):
    """Every MetricFamily after its length, its metrics sorted."""
    found = []
    while body:
        size, at = 0, 0
        while True:
            size |= (body[at] & 127) << 7 * at
            at += 1
            if body[at - 1] < 128:
                break
        found.append(sorted((tag, sorted(fields(value)) if tag >> 3 == 4 else value) for tag, value in fields(body[at:at + size])))
        body = body[at + size:]
    return found


PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
ACCEPTS = ["", "*/*", "text/plain", "text/*", "application/json", "text/plain;version=0.0.4;escaping=dots", "text/plain;escaping=values",
           "text/plain;escaping=allow-utf-8", "text/plain;escaping=unknown", PROTOBUF, PROTOBUF + ";escaping=allow-utf-8",
           PROTOBUF + ";escaping=dots;q=0.5,text/plain;version=0.0.4;q=0.2", PROTOBUF + ";q=0.2,text/plain;version=0.0.4;q=0.5",
           "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
           "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
           "text/plain;version=1.0.0;escaping=allow-utf-8", "application/openmetrics-text;version=1.0.0;escaping=values"]


def histograms(now):
    """Remote write of float histograms: exponential, gauge, with custom buckets."""
    number = lambda field, v: varint(field << 3 | 1) + struct.pack("<d", v)
    span = lambda at, offset, length: field(at, b"\x08" + varint(offset << 1) + b"\x10" + varint(length))
    packed = lambda at, *v: field(at, struct.pack(f"<{len(v)}d", *v))
    end = b"\x78" + varint(now)
    kinds = {
        "native": number(2, 7) + number(3, 2.5) + b"\x20\x06" + number(5, 2.0 ** -128) + number(7, 1) + span(8, 1, 1) + packed(10, 2) +
        span(11, 0, 2) + span(11, 3, 1) + packed(13, 1, 2, 1),
        "gauge.h": number(2, 3) + number(3, -1) + b"\x20\x00" + number(7, 0) + span(11, 2, 1) + packed(13, 3) + b"\x70\x03",
        "custom": number(2, 10) + number(3, 20) + b"\x20" + varint(105) + number(7, 0) + span(11, 1, 1) + span(11, 1, 2) + packed(13, 4, 5, 1) +
        packed(16, 0.1, 0.5, 1.0, 2.5),
        "custom.g": number(2, 4) + number(3, 2) + b"\x20" + varint(105) + number(7, 0) + span(11, 0, 1) + packed(13, 4) + b"\x70\x03" + packed(16, 7.0),
    }
    return b"".join(field(1, field(1, field(1, b"__name__") + field(2, name.encode())) + field(4, h + end)) for name, h in sorted(kinds.items()))


def test_federate_answers_as_prometheus_byte_for_byte():
    prometheus = since((3, 15), "prometheus")
    tmp = tempfile.mkdtemp(prefix="gnomon-federate-")
    port = free_port()
    with open(f"{tmp}/p.yml", "w") as f:
        f.write("global: {}\n")
    child = Process([prometheus, f"--config.file={tmp}/p.yml", f"--storage.tsdb.path={tmp}/p", "--web.enable-remote-write-receiver",
                     f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], f"{tmp}/p.log")

    def ready():
        try:
            return request("GET", port, "/-/ready")[0] == 200
        except OSError:
            return False
    try:
        wait_for("Prometheus", ready)
        with Gnomon() as server:
            now = int(time.time() * 1000)
            values = [1, 0.0, -0.0, math.inf, -math.inf, math.nan, 1e21, 1e-7, 123456789.125, 1e6, 5e-324]
            series = [({"__name__": "m", "i": f"{i:02}", "x": 'q"\\\n\té'}, [(now - 20000, v), (now - 5000 + i, v)])
                      for i, v in enumerate(values)]
            series += [({"__name__": "http.status_x", "a.b": "1", "_c": "2"}, [(now, 7)]), ({"__name__": "with:colon", "instance": "z"}, [(now, 7)]),
                       ({"__name__": "\u00e9t\u00e9", "1st": "x", "job": "a b"}, [(now, 3)]), ({"__name__": "old"}, [(now - 400000, 1)])]
            body = snappy(write_request(sorted(series, key=lambda s: sorted(s[0].items()))))
            for p in (server.port, port):
                assert request("POST", p, "/api/v1/write", body, RW_HEADERS)[0] == 204
                status, _, why = request("POST", p, "/api/v1/write", snappy(histograms(now)), RW_HEADERS)
                assert status == 204, why
            # One histogram at a time: Prometheus answers several with the numbers of the last one.
            asked = ['match[]={__name__!~"native|gauge.h|custom.*"}&match[]=m'] + [
                f'match[]={{"{name}"}}' for name in ("native", "gauge.h", "custom", "custom.g")]
            for accept, ask in ((a, q) for a in ACCEPTS for q in asked):
                ours, theirs = (request("GET", p, "/federate?" + urllib.parse.quote(ask, safe="=&"),
                                        headers={"Accept": accept} if accept else {}) for p in (server.port, port))
                assert ours[0] == theirs[0] == 200
                assert ours[1]["Content-Type"] == theirs[1]["Content-Type"], (accept, ours[1]["Content-Type"], theirs[1]["Content-Type"])
                # Prometheus leaves the order within a family to an unstable sort.
                split = families if "protobuf" in ours[1]["Content-Type"] else lambda body: sorted(body.split(b"\n"))
                assert split(ours[2]) == split(theirs[2]), f"{accept} {ask}\n{ours[2]}\n{theirs[2]}"
    finally:
        child.kill()
        shutil.rmtree(tmp, ignore_errors=True)


def test_a_prometheus_federates_everything():
    prometheus = since((3, 15), "prometheus")
    tmp = tempfile.mkdtemp(prefix="gnomon-federate-")
    with Gnomon() as server:
        stop = threading.Event()

        def feed():
            while not stop.is_set():
                t = int(time.time() * 1000)
                server.write([({"__name__": "up", "job": "a", "instance": str(i)}, [(t, i)]) for i in range(10)] +
                             [({"__name__": "http.status", "a.b": "x", "job": "b"}, [(t, 7)])])
                time.sleep(0.5)
        feeder = threading.Thread(target=feed)
        feeder.start()
        children = []
        try:
            for protocols in ("PrometheusText0.0.4", "PrometheusProto", "OpenMetricsText1.0.0, PrometheusText0.0.4"):
                port = free_port()
                with open(f"{tmp}/{port}.yml", "w") as f:
                    f.write("scrape_configs: [{job_name: f, honor_labels: true, metrics_path: /federate, scrape_interval: 1s, "
                            f"scrape_protocols: [{protocols}], params: {{'match[]': ['{{__name__=~\"up|http.*\",job!=\"f\"}}']}}, "
                            f"static_configs: [{{targets: ['127.0.0.1:{server.port}']}}]}}]\n")
                children.append(Process([prometheus, f"--config.file={tmp}/{port}.yml", f"--storage.tsdb.path={tmp}/{port}",
                                         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], f"{tmp}/{port}.log"))

                def federated():
                    try:
                        _, _, body = request("GET", port, "/api/v1/query?" + urllib.parse.urlencode(
                            {"query": '{__name__=~"up|http.status",job!="f"}'}))
                        return json.loads(body)["data"]["result"] if body.startswith(b"{") else None
                    except OSError:
                        return None
                found = wait_for(f"federation with {protocols}", lambda: (federated() or [])[10:] and federated())
                assert len(found) == 11, found
                name, label = ("http_status", "a_b") if "1.0.0" not in protocols else ("http.status", "a.b")
                assert any(s["metric"].get(label) == "x" and s["metric"]["__name__"] == name for s in found), found
        finally:
            stop.set()
            feeder.join()
            for child in children:
                child.kill()
            shutil.rmtree(tmp, ignore_errors=True)


run(globals())
