"""The official Go client (client_golang) makes every call of its interface against Gnomon and a Prometheus 3.15.

Needs Go and its module proxy (tests/e2e/goclient is built from its modules), and PROMETHEUS; else it is skipped.
"""
import os
import shutil
import subprocess
import tempfile

from harness import ROOT, RW_HEADERS, PATIENCE, Gnomon, Process, Skip, free_port, request, run, since, snappy, wait_for, write_request
from test_api_differential import NOW, SPAN, exemplar_request, histogram_request, series


def build(to):
    if not shutil.which("go"):
        raise Skip("go is not here")
    source = os.path.join(ROOT, "tests/e2e/goclient")
    done = subprocess.run(["go", "build", "-o", to, "."], cwd=source, capture_output=True, text=True, timeout=600,
                          env={**os.environ, "GOFLAGS": "-mod=mod"})
    if done.returncode != 0:
        if "dial tcp" in done.stderr or "lookup" in done.stderr or "go.mod requires go" in done.stderr or "toolchain" in done.stderr:
            raise Skip("the Go client's modules cannot be had here: " + done.stderr.splitlines()[-1])
        raise AssertionError(done.stderr)


def fill(port):
    for body in (write_request(series()), histogram_request(), exemplar_request()):
        status, _, text = request("POST", port, "/api/v1/write", snappy(body), RW_HEADERS)
        assert status == 204, (port, status, text)


def test_every_call_of_the_go_client_gets_equal_results():
    prometheus = since((3, 15), "prometheus")
    tmp = tempfile.mkdtemp(prefix="gnomon-goclient-")
    child = None
    try:
        build(tmp + "/goclient")
        with open(tmp + "/p.yml", "w") as f:
            f.write("global: {scrape_interval: 1m}\n")
        port = free_port()
        child = Process([prometheus, f"--config.file={tmp}/p.yml", f"--storage.tsdb.path={tmp}/data", "--web.enable-admin-api",
                         f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
                         "--enable-feature=exemplar-storage"], tmp + "/prometheus.log")
        with Gnomon("--web.enable-admin-api", "--log.level=warn") as server:
            def ready():
                try:
                    return request("GET", port, "/-/ready")[0] == 200
                except OSError:
                    return False
            wait_for("Prometheus", ready)
            fill(port)
            fill(server.port)
            # Without a selector it is a bad request where deleting is there, and an error of the server where it is not.
            deletes = server.post("/api/v1/admin/tsdb/delete_series")[0] == 400
            done = subprocess.run([tmp + "/goclient", f"http://127.0.0.1:{port}", server.url, str(NOW - SPAN), str(NOW)] + ([] if deletes else ["keep"]),
                                  capture_output=True, text=True, timeout=PATIENCE)
            print("     " + done.stdout.splitlines()[-1])
            differ = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
            assert done.returncode == 0, "first Prometheus, then Gnomon:\n" + "\n".join(differ)[:8000]
    finally:
        if child:
            child.kill()
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    run(globals())
