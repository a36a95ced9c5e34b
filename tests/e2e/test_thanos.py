"""thanos sidecar and thanos query in front of Gnomon: the same query through Thanos gives the same numbers.

THANOS names the program (or it is on PATH; built with -tags slicelabels, as Thanos' own builds are); else this is skipped.
Beside it a Prometheus (PROMETHEUS) with the same data and a Thanos of its own.
"""
import contextlib
import json
import shutil
import tempfile
import urllib.parse

from harness import RW_HEADERS, Gnomon, Process, free_port, program, request, run, since, snappy, wait_for, write_request
from test_api_differential import EXPRESSIONS, HISTOGRAM_EXPRESSIONS, NOW, SPAN, expressions, histogram_request, series

EXTERNAL = {"cluster": "eu", "replica": "a"}


class Thanos:
    """A sidecar beside each server and one query node over them."""

    def __init__(self, tmp, servers, *args):
        thanos = program("thanos")
        self.children, endpoints = [], []
        for i, url in enumerate(servers):
            grpc, http = free_port(), free_port()
            endpoints.append(f"--endpoint=127.0.0.1:{grpc}")
            self.children.append(Process([thanos, "sidecar", f"--prometheus.url={url}", f"--tsdb.path={tmp}",
                                          f"--grpc-address=127.0.0.1:{grpc}", f"--http-address=127.0.0.1:{http}",
                                          "--prometheus.get_config_interval=1s"], f"{tmp}/sidecar{grpc}.log"))
            wait_for("the sidecar", lambda: self.answers(http, "/-/ready"))
        self.port = free_port()
        self.children.append(Process([thanos, "query", *endpoints, f"--grpc-address=127.0.0.1:{free_port()}",
                                      f"--http-address=127.0.0.1:{self.port}", *args], f"{tmp}/query{self.port}.log"))
        wait_for("thanos query", lambda: self.answers(self.port, "/-/ready"))
        wait_for("the stores", lambda: self.stores() == len(servers))

    @staticmethod
    def answers(port, path):
        try:
            return request("GET", port, path)[0] == 200
        except OSError:
            return False

    def stores(self):
        data = json.loads(request("GET", self.port, "/api/v1/stores")[2])["data"]
        return sum(s["lastError"] is None for s in data.get("sidecar") or [])

    def get(self, path, **params):
        status, _, body = request("GET", self.port, f"/api/v1/{path}?" + urllib.parse.urlencode(params, doseq=True))
        return status, json.loads(body)

    def kill(self):
        for child in self.children:
            child.kill()


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="gnomon-thanos-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def fill(server):
    for body in (write_request(series()), histogram_request()):
        assert server.post("/api/v1/write", snappy(body), RW_HEADERS)[0] == 204


def normal(result, drop=()):
    """Values by label set, without the labels that Thanos adds."""
    if not isinstance(result, list) or (result and not isinstance(result[0], dict)):
        return result
    out = {}
    for s in result:
        key = json.dumps({k: v for k, v in s["metric"].items() if k not in drop}, sort_keys=True)
        assert key not in out, key
        out[key] = {k: v for k, v in s.items() if k != "metric"}
    return out


# Thanos takes resets out of what these functions read before its engine sees it, also of a Prometheus.
def direct_too(expression):
    return not any(word in expression for word in ("rate(", "increase(", "resets("))


def through(thanos, path, e, params):
    status, answer = thanos.get(path, query=e, dedup="false", partial_response="false", **params)
    return normal(answer["data"]["result"], EXTERNAL) if status == 200 else (status, answer["errorType"])


def prometheus_beside(tmp):
    port = free_port()
    with open(tmp + "/p.yml", "w") as f:
        f.write("global:\n  scrape_interval: 1m\n  external_labels: " + json.dumps(EXTERNAL) + "\n")
    child = Process([since((3, 15), "prometheus"), f"--config.file={tmp}/p.yml", f"--storage.tsdb.path={tmp}/prometheus",
                     f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"], tmp + "/prometheus.log")
    wait_for("Prometheus", lambda: Thanos.answers(port, "/-/ready"))
    for body in (write_request(series()), histogram_request()):
        assert request("POST", port, "/api/v1/write", snappy(body), RW_HEADERS)[0] == 204
    return child, f"http://127.0.0.1:{port}"


def test_queries_through_thanos_give_the_numbers_that_a_prometheus_gives_through_it():
    program("thanos")
    with folder() as tmp, Gnomon("--storage.external-labels=" + ",".join(f"{k}={v}" for k, v in EXTERNAL.items())) as server:
        fill(server)
        prometheus, url = prometheus_beside(tmp)
        running = [prometheus]
        try:
            running.append(ours := Thanos(tmp, [server.url]))
            running.append(theirs := Thanos(tmp, [url]))
            asked, wrong = 0, []
            for e in expressions(EXPRESSIONS) + expressions(HISTOGRAM_EXPRESSIONS):
                for path, params in (("query", {"time": NOW}), ("query_range", {"start": NOW - 1200, "end": NOW, "step": 60})):
                    a, b = through(theirs, path, e, params), through(ours, path, e, params)
                    asked += 1
                    if a != b:
                        wrong.append(f"{path} {e}\n  prometheus {str(a)[:400]}\n  gnomon     {str(b)[:400]}")
            print(f"     {asked} queries")
            assert not wrong, "\n".join(wrong)
        finally:
            for child in running:
                child.kill()


def test_queries_through_thanos_give_the_same_numbers():
    program("thanos")
    with folder() as tmp, Gnomon("--storage.external-labels=" + ",".join(f"{k}={v}" for k, v in EXTERNAL.items())) as server:
        fill(server)
        thanos = Thanos(tmp, [server.url])
        try:
            asked, wrong = 0, []
            for e in filter(direct_too, expressions(EXPRESSIONS) + expressions(HISTOGRAM_EXPRESSIONS)):
                for path, params in (("query", {"time": NOW}),
                                     ("query_range", {"start": NOW - 1200, "end": NOW, "step": 60})):
                    direct = json.loads(server.get(f"/api/v1/{path}?" + urllib.parse.urlencode({"query": e, **params}))[2])
                    b = through(thanos, path, e, params)
                    asked += 1
                    if isinstance(b, tuple):
                        assert direct["status"] == "error", (e, direct, b)
                    elif normal(direct["data"]["result"]) != b:
                        wrong.append(f"{path} {e}\n  direct {direct['data']['result']}\n  thanos {b}"[:900])
            print(f"     {asked} queries")
            assert not wrong, "\n".join(wrong)
            got = thanos.get("query", query="temperature", time=NOW, dedup="false")[1]["data"]["result"]
            assert len(got) == 4 and all(s["metric"].items() >= EXTERNAL.items() for s in got), got
            got = thanos.get("query", query='count(temperature{cluster="eu"})', time=NOW)[1]["data"]["result"]
            assert got[0]["value"][1] == "4", got
            assert thanos.get("query", query='temperature{cluster="us"}', time=NOW)[1]["data"]["result"] == []
            # Labels of the store and those of the sidecar together.
            names = thanos.get("labels", start=NOW - SPAN, end=NOW)[1]["data"]
            assert set(names) >= set(server.api("labels")) | set(EXTERNAL), names
            assert thanos.get("label/cluster/values", start=NOW - SPAN, end=NOW)[1]["data"] == ["eu"]
            assert thanos.get("label/job/values", start=NOW - SPAN, end=NOW)[1]["data"] == server.api("label/job/values")
            found = thanos.get("series", **{"match[]": "temperature", "start": NOW - SPAN, "end": NOW, "dedup": "false"})[1]["data"]
            assert sorted(json.dumps({**s, **EXTERNAL}, sort_keys=True) for s in server.api("series", **{"match[]": "temperature"})) == \
                sorted(json.dumps(s, sort_keys=True) for s in found)
            for path in ("rules", "targets", "metadata"):
                assert thanos.get(path)[0] == 200, path
        finally:
            thanos.kill()


def test_two_replicas_are_one_and_fill_each_others_gaps():
    program("thanos")
    start = NOW - 1200
    with folder() as tmp, Gnomon("--storage.external-labels=replica=a") as a, Gnomon("--storage.external-labels=replica=b") as b:
        whole = [((start + t) * 1000, float(t)) for t in range(0, 1200, 15)]
        labels = {"__name__": "gap", "job": "x"}
        assert a.write([(labels, [s for s in whole if s[1] < 700])])[0] == 204
        assert b.write([(labels, [s for s in whole if not 200 < s[1] < 500])])[0] == 204
        thanos = Thanos(tmp, [a.url, b.url], "--query.replica-label=replica")
        try:
            got = thanos.get("query_range", query="gap", start=start, end=start + 1185, step=15)[1]["data"]["result"]
            assert len(got) == 1 and got[0]["metric"] == labels, got
            times = [v[0] for v in got[0]["values"]]
            assert len(times) == 80, len(times)
            got = thanos.get("query", query="count(gap)", time=start + 100, dedup="false")[1]["data"]["result"]
            assert got[0]["value"][1] == "2"
        finally:
            thanos.kill()


if __name__ == "__main__":
    run(globals())
