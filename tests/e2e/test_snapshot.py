#!/usr/bin/env python3
"""Snapshots of a running server: answers of both peers, a snapshot served by a second server, ingest meanwhile."""
import json
import os
import re
import subprocess
import threading
import time

from harness import BINARY, PATIENCE, Gnomon, Process, free_port, program, request, run, since, wait_for

BASE = "/api/v1/admin/tsdb/snapshot"


def now_ms():
    return int(time.time() * 1000)


def write(g, n, at):
    labels = [({"__name__": "m", "i": str(i)}, [(at, float(at % 1000 + i))]) for i in range(n)]
    status, _, body = g.write(labels)
    assert status == 204, (status, body)


def count(g):
    result = g.query("sum(count_over_time(m[1d]))")
    return int(result[0]["value"][1]) if result else 0


def snapshot(g, query=""):
    status, _, body = g.post(BASE + query)
    assert status == 200, body
    return json.loads(body)["data"]["name"]


def tool(*args):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def test_a_snapshot_is_served_by_another_server_while_ingest_goes_on():
    with Gnomon("--web.enable-admin-api") as g:
        start = now_ms() - 60000
        for i in range(20):
            write(g, 50, start + i * 1000)
        name = snapshot(g)
        for i in range(20, 40):
            write(g, 50, start + i * 1000)
        dir = os.path.join(g.dir, "snapshots", name)
        assert tool("verify", dir)[0] == 0, tool("verify", dir)
        assert tool("inspect", "--json", dir)[0] == 0
        with Gnomon(dir=dir) as copy:
            assert count(copy) == 20 * 50
            write(copy, 50, start + 50 * 1000)
        assert count(g) == 40 * 50
        g.kill9()
        g.start()
        assert count(g) == 40 * 50
        status, _, body = g.get("/snapshot/list")
        assert json.loads(body) == {"status": "ok", "snapshots": [name]}


def test_without_the_head_nothing_that_is_only_in_the_head():
    with Gnomon("--web.enable-admin-api") as g:
        write(g, 10, now_ms())
        with Gnomon(dir=os.path.join(g.dir, "snapshots", snapshot(g, "?skip_head=true"))) as copy:
            assert count(copy) == 0


def test_writers_are_not_stopped():
    """Every acknowledged sample that was sent before the call is in it, every one sent at all is in the store."""
    with Gnomon("--web.enable-admin-api") as g:
        start, sent, stop, failed = now_ms() - 3600000, [0, 0], threading.Event(), []

        def writer(k):
            while not stop.is_set():
                labels = [({"__name__": "m", "k": str(k), "i": str(i)}, [(start + sent[k] * 10, 1.0)]) for i in range(20)]
                if g.write(labels)[0] != 204:
                    failed.append(k)
                sent[k] += 1
        threads = [threading.Thread(target=writer, args=(k,)) for k in range(2)]
        for t in threads:
            t.start()
        before, names = [], []
        for _ in range(8):
            time.sleep(0.1)
            before.append(sum(sent))
            names.append(snapshot(g))
        stop.set()
        for t in threads:
            t.join()
        assert not failed
        assert count(g) == sum(sent) * 20
        with Gnomon(dir=os.path.join(g.dir, "snapshots", names[-1])) as copy:
            got = count(copy)
            assert got >= before[-1] * 20 and got % 20 == 0, (got, before)


def test_the_admin_api_is_off_by_default():
    with Gnomon() as g:
        status, _, body = g.post(BASE)
        assert status == 500 and json.loads(body)["error"] == "admin APIs disabled", (status, body)


def answers_of(port, requests):
    shapes = []
    for method, path in requests:
        status, headers, body = request(method, port, path)
        body = re.sub(rb"\d{8}T\d{6}Z-[0-9a-f]{16}|\d{14}-[0-9A-F]{16}", b"NAME", body)
        shapes.append((path, status, headers["Content-Type"].split(";")[0], body))
    return shapes


def peer(args, port, log):
    p = Process(args, log)

    def up():
        assert p.p.poll() is None, p.tail()
        try:
            return request("GET", port, "/metrics")
        except OSError:
            return None
    wait_for(args[0], up)
    return p


def test_answers_as_prometheus():
    prometheus, port = since((3, 0), "prometheus"), free_port()
    requests = [("POST", BASE), ("PUT", BASE + "?skip_head=true"), ("POST", BASE + "?skip_head=0"),
                ("POST", BASE + "?skip_head=maybe")]
    with Gnomon("--web.enable-admin-api") as g:
        config = os.path.join(g.tmp, "p.yml")
        with open(config, "w") as f:
            f.write("global: {}\n")
        p = peer([prometheus, f"--config.file={config}", f"--storage.tsdb.path={g.tmp}/p", "--web.enable-admin-api",
                  f"--web.listen-address=127.0.0.1:{port}"], port, g.tmp + "/p.log")
        try:
            assert answers_of(g.port, requests) == answers_of(port, requests)
        finally:
            p.kill()


def test_answers_as_victoriametrics():
    victoria, port = program("victoria-metrics"), free_port()
    requests = [("GET", "/snapshot/list"), ("GET", "/snapshot/create"), ("POST", "/snapshot/create"),
                ("GET", "/snapshot/list"), ("GET", "/snapshot/delete_all"), ("GET", "/snapshot/list"),
                ("GET", "/prometheus/snapshot/create"), ("GET", "/snapshot/list")]
    with Gnomon() as g:
        p = peer([victoria, f"-storageDataPath={g.tmp}/v", f"-httpListenAddr=127.0.0.1:{port}"], port, g.tmp + "/v.log")
        try:
            ours, theirs = answers_of(g.port, requests), answers_of(port, requests)
            assert ours[:6] == theirs[:6], (ours, theirs)
            name = json.loads(request("GET", g.port, "/snapshot/list")[2])["snapshots"][0]
            assert request("GET", g.port, f"/snapshot/delete?snapshot={name}")[::2] == (200, b'{"status":"ok"}')
        finally:
            p.kill()
        for bad in ("", "../../wal", "a/b", "x" * 300, name):
            status, _, body = request("GET", g.port, "/snapshot/delete?snapshot=" + bad)
            assert status == 404 and json.loads(body)["status"] == "error", (bad, status, body)


def test_there_is_a_bound():
    with Gnomon("--storage.snapshots.max=2") as g:
        assert [g.get("/snapshot/create")[0] for _ in range(3)] == [200, 200, 429]


run(globals())
