"""Methods, CORS, Vary, Allow, prefixes and codings: what a client sees around an answer, beside a Prometheus 3.15 (PROMETHEUS)."""
import contextlib
import gzip
import http.client
import json
import shutil
import subprocess
import tempfile
import time
import zlib

from harness import Gnomon, Process, Skip, free_port, request, run, since, wait_for

FIELDS = ["Vary", "Allow", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
          "Access-Control-Expose-Headers", "Content-Type", "Content-Encoding", "X-Content-Type-Options", "Location"]
PATHS = ["/api/v1/query?query=1", "/api/v1/query_range", "/api/v1/labels", "/api/v1/label/a/values", "/api/v1/series", "/api/v1/write",
         "/api/v1/read", "/api/v1/nope", "/api/v1/rules", "/api/v1/status/config", "/api/v1/admin/tsdb/snapshot", "/federate",
         "/-/healthy", "/nope"]


@contextlib.contextmanager
def prometheus(*args):
    program = since((3, 15), "prometheus")
    tmp = tempfile.mkdtemp(prefix="gnomon-transport-")
    with open(tmp + "/p.yml", "w") as f:
        f.write("global: {}\n")
    port = free_port()
    child = Process([program, f"--config.file={tmp}/p.yml", f"--storage.tsdb.path={tmp}/data", f"--web.listen-address=127.0.0.1:{port}",
                     "--web.enable-remote-write-receiver", *args], tmp + "/log")
    try:
        def up():
            try:
                return any(request("GET", port, p + "/-/ready")[0] == 200 for p in ("", "/x", "/x/y"))
            except OSError:
                return False
        wait_for("Prometheus", up)
        yield port
    finally:
        child.kill()
        shutil.rmtree(tmp, ignore_errors=True)


def seen(port, method, path, headers):
    status, h, body = request(method, port, path, headers=headers)
    fields = {n: sorted(", ".join(h.get_all(n)).split(", ")) for n in FIELDS if h.get(n)}
    return status, fields, body


def meant(method, path, a, b):
    """What may differ, and why (docs/http.md)."""
    if method == "HEAD" and a[0] == 405:
        return b[0] < 500  # HEAD is there wherever GET is
    if method == "OPTIONS" and a[0] == 200:
        return b[0] == 204  # the same, said as VictoriaMetrics and Prometheus' own API say it
    if path in ("/-/healthy", "/federate"):
        return a[0] == b[0]  # own name; a compressed answer
    return False


def test_methods_and_origins_beside_prometheus():
    with prometheus("--web.cors.origin=https?://(a|b).example") as port, Gnomon("--web.cors.origin=https?://(a|b).example") as server:
        asked, wrong = 0, []
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"):
            for path in PATHS:
                for origin in (None, "http://a.example", "http://c.example", ""):
                    headers = {} if origin is None else {"Origin": origin}
                    a, b = (seen(p, method, path, headers) for p in (port, server.port))
                    asked += 1
                    if method == "OPTIONS" or path.endswith(("write", "read")):  # an empty answer, another text
                        a, b = ((s, {k: [w for w in v if w != "Accept-Encoding"] for k, v in f.items()}, b"") for s, f, _ in (a, b))
                        a, b = ((s, {k: v for k, v in f.items() if v}, t) for s, f, t in (a, b))
                    if path.endswith("config") or "query=1" in path:
                        a, b = (a[0], a[1]), (b[0], b[1])
                    if a != b and not meant(method, path, a, b):
                        wrong.append(f"{method} {path} {origin}\n  prometheus {a}\n  gnomon     {b}")
        print(f"     {asked} requests")
        assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:20])


def test_prefixes_beside_prometheus():
    for args in (["--web.external-url=http://h/x/"], ["--web.external-url=http://h/x", "--web.route-prefix=/"],
                 ["--web.route-prefix=x/y/"], ["--web.external-url=http://h:1/x", "--web.route-prefix=/x/y"]):
        with prometheus(*args) as port:
            server = Gnomon(*args)
            try:
                server.start(ready=False)
                wait_for("us", lambda: any(answers(server.port, p + "/-/ready") for p in ("", "/x", "/x/y")))
                for path in ("/-/ready", "/x/-/ready", "/x/y/-/ready", "/api/v1/labels", "/x/api/v1/labels", "/x/y/api/v1/labels", "/x/y/nope"):
                    a, b = (request("GET", p, path)[0] for p in (port, server.port))
                    assert a == b, (args, path, a, b)
                a, b = (seen(p, "GET", "/", {}) for p in (port, server.port))
                if "Location" in b[1]:
                    assert (a[0], a[1]["Location"]) == (b[0], b[1]["Location"]), (a, b)
            finally:
                server.stop()
                shutil.rmtree(server.tmp, ignore_errors=True)


def answers(port, path):
    try:
        return request("GET", port, path)[0] == 200
    except OSError:
        return False


def unzstd(body):
    if not shutil.which("zstd"):
        raise Skip("zstd is not here")
    return subprocess.run(["zstd", "-d", "-c"], input=body, capture_output=True, check=True).stdout


def test_answers_in_every_coding_are_the_same():
    decode = {"gzip": gzip.decompress, "deflate": zlib.decompress, "zstd": unzstd, None: bytes}
    with Gnomon() as server:
        now = int(time.time())
        series = [({"__name__": "m", "i": str(i)}, [((now - t) * 1000, float(i * t)) for t in range(0, 3000, 15)]) for i in range(300)]
        assert server.write(series)[0] == 204
        for path in ("/api/v1/labels", f"/api/v1/query_range?query=m&start={now - 3000}&end={now}&step=15", "/api/v1/label/i/values",
                     "/federate?match[]=m", f"/api/v1/export?match[]=m&start={now - 3000}&end={now}"):
            plain = server.get(path)[2]
            for accept, coding in (("gzip", "gzip"), ("deflate", "deflate"), ("zstd", "zstd"), ("gzip, zstd", "gzip"),
                                   ("zstd;q=1, gzip;q=0.5", "zstd"), ("br", None), ("gzip;q=0", None), ("*", "gzip"), ("identity", None)):
                status, headers, body = server.get(path, {"Accept-Encoding": accept})
                vary = ", ".join(headers.get_all("Vary") or [])
                assert status == 200 and "Accept-Encoding" in vary, (path, accept, vary)
                got = headers.get("Content-Encoding")
                assert got in (coding, None) and (got == coding or len(plain) < 1400), (path, accept, got, len(plain))
                assert decode[got](body) == plain, (path, accept)


def test_errors_of_the_api_are_json_and_head_has_no_body():
    with Gnomon() as server:
        for path in ("/api/v1/query", "/api/v1/query?query=sum(", "/api/v1/series", "/api/v1/query_range?query=1",
                     "/api/v1/labels?start=x", "/api/v1/label/job/values?end=x", "/api/v1/query_exemplars", "/api/v1/format_query"):
            status, headers, body = server.get(path)
            assert status == 400 and headers["Content-Type"] == "application/json" and json.loads(body)["status"] == "error", path
            c = http.client.HTTPConnection("127.0.0.1", server.port)
            c.request("HEAD", path)
            r = c.getresponse()
            assert r.status == 400 and r.read() == b"" and int(r.headers["Content-Length"]) == len(body), path
            c.close()


if __name__ == "__main__":
    run(globals())
