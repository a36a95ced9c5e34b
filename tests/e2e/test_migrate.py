"""docs/migrate.md, followed literally: its commands run in its order beside Debian's VictoriaMetrics."""
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from harness import BINARY, ROOT, RW_HEADERS, PATIENCE, Process, free_port, program, request, run, snappy, wait_for, write_request

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
RULES = """groups:
- name: g
  rules:
  - {alert: Down, expr: up == 0, for: 1m}
  - {record: "job:x:rate5m", expr: "sum by (job) (rate(x_total[5m]))"}
"""


def blocks(language):
    with open(ROOT + "/docs/migrate.md") as f:
        return re.findall(rf"^```{language}\n(.*?)^```", f.read(), re.M | re.S)


def healthy(port, path="/health"):
    try:
        return request("GET", port, path)[0] == 200
    except OSError:
        return False


def history(port):
    """Four days of 60 series in VictoriaMetrics, stale markers among them; returns how many samples."""
    now, count = int(time.time() * 1000), 0
    for i in range(60):
        times = range(now - 4 * 86400_000 + i, now, 300_000)
        labels = {"__name__": "x_total" if i % 2 else "y", "job": f"j{i % 4}", "i": str(i)}
        body = snappy(write_request([(labels, [(t, random.choice([k, k / 8, STALE])) for k, t in enumerate(times)])]))
        assert request("POST", port, "/api/v1/write", body, RW_HEADERS)[0] == 204
        count += len(times)
    request("GET", port, "/internal/force_flush")
    return count


def exported(port):
    """{labels: {ms: value}}"""
    out = {}
    for line in request("GET", port, "/api/v1/export?match[]=%7B__name__!=%22%22%7D&start=0")[2].decode().split("\n"):
        if line:
            row = json.loads(line)
            values = [None if v != v else v for v in row["values"]]  # old versions write a lone stale marker as NaN
            out.setdefault(json.dumps(row["metric"], sort_keys=True), {}).update(zip(row["timestamps"], values))
    return out


def difference(theirs, ours):
    """Up to three (labels, ms, theirs, ours) that differ."""
    return [(k, t, theirs.get(k, {}).get(t, "-"), ours.get(k, {}).get(t, "-")) for k in set(theirs) | set(ours)
            for t in set(theirs.get(k, {})) | set(ours.get(k, {})) if theirs.get(k, {}).get(t, "-") != ours.get(k, {}).get(t, "-")][:3]


def value(text):
    return json.loads(re.search(r'"value":(\[.*?\])', text).group(1))[1]


def test_the_page_is_followed_to_its_end():
    vm_binary = program("victoria-metrics")
    for name in ("curl", "split", "bash"):
        program(name)
    dir, pid = tempfile.mkdtemp(prefix="gnomon-migrate-"), None
    vm_port, port, final = free_port(), free_port(), free_port()
    vm = Process([vm_binary, f"-storageDataPath={dir}/vm", f"-httpListenAddr=127.0.0.1:{vm_port}", "-loggerLevel=ERROR", "-retentionPeriod=12"],
                 dir + "/vm.log")
    try:
        wait_for("VictoriaMetrics", lambda: healthy(vm_port))
        count = history(vm_port)
        wait_for("all of it to be searchable", lambda: sum(map(len, exported(vm_port).values())) == count)
        os.mkdir(dir + "/bin")
        os.symlink(BINARY, dir + "/bin/gnomon")
        with open(dir + "/rules.yml", "w") as f:
            f.write(RULES)
        env = {**os.environ, "PATH": f"{dir}/bin:{os.environ['PATH']}", "VM": f"http://127.0.0.1:{vm_port}", "GNOMON": f"http://127.0.0.1:{port}",
               "DATA": f"{dir}/data", "FINAL": f"127.0.0.1:{final}", "RULES": dir + "/rules.yml"}
        scripts = blocks("sh")
        assert len(scripts) == 7, len(scripts)
        for number, script in enumerate(scripts, 1):
            if script.startswith("vmalert ") and not shutil.which("vmalert"):
                continue
            with open(dir + "/out", "w+") as out:  # not a pipe: what is started in the background keeps it
                p = subprocess.run(["bash", "-euc", scripts[0].split("curl")[0] + script], stdout=out, stderr=subprocess.STDOUT, env=env, timeout=PATIENCE)
                out.seek(0)
                text = out.read()
            assert p.returncode == 0, f"block {number} ended with {p.returncode}:\n{script}\n{text[-3000:]}"
            if "--filter" in script:
                assert not difference(exported(vm_port), exported(port)), f"after block {number}: {difference(exported(vm_port), exported(port))}"
            if "for server" in script:
                halves = text.strip().split("\n")
                assert halves[0] == halves[2] and value(halves[1]) == value(halves[3]), text
        with open(dir + "/data.pid") as f:
            pid = int(f.read())
        wait_for("Gnomon on its last port", lambda: healthy(final, "/-/ready"))
        assert exported(final) == exported(vm_port)
        with open(dir + "/data.log") as f:
            log = f.read()
        assert "dedup.minScrapeInterval" in log and "search.maxUniqueTimeseries" in log, log
        print(f"{len(scripts)} blocks, {count} samples")
    finally:
        if pid:
            os.kill(pid, signal.SIGTERM)
        vm.kill()
        time.sleep(0.5)
        shutil.rmtree(dir, ignore_errors=True)


def test_the_yaml_of_the_page_is_a_configuration():
    promtool, dir = program("promtool"), tempfile.mkdtemp(prefix="gnomon-migrate-")
    try:
        for text in blocks("yaml"):
            with open(dir + "/prometheus.yml", "w") as f:
                f.write(text)
            p = subprocess.run([promtool, "check", "config", dir + "/prometheus.yml"], capture_output=True, text=True)
            assert p.returncode == 0, p.stdout + p.stderr
    finally:
        shutil.rmtree(dir, ignore_errors=True)


run(globals())
