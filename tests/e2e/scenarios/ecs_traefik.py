"""Scenario 3: a start-up on ECS behind Traefik (docs/scenarios/ecs-traefik.md).

python3 tests/e2e/scenarios/ecs_traefik.py     scripts/senders.sh prometheus traefik thanos; apt install sshfs openssh-sftp-server
NETWORK_DIRECTORY=/mnt/efs                     the team's own file system instead of sshfs over loopback
"""
import contextlib
import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from common import BINARY, Gnomon, Process, Prometheus, compare, free_port, get, program, programs, request, run, running, scrape, since, sorted_result, wait_for

EXTERNAL = {"cluster": "ecs", "replica": "a"}
# What the load balancer asks every second is no traffic: two labels name it, so two rules.
DROP_HEALTH = """write_relabel_configs:
- {source_labels: [router], regex: "health@.*", action: drop}
- {source_labels: [service], regex: "health@.*", action: drop}"""
REAL, REAL_ROUTER = 'service!~"health@.*"', 'router!~"health@.*"'
TIME = "traefik_service_request_duration_seconds"


def questions(only="", only_routers=""):
    """(what, expression); for Prometheus, which keeps the health checks, with a matcher that leaves them out."""
    def of(name, *matchers):
        return name + "{" + ",".join(m for m in (*matchers, only_routers if name.startswith("traefik_router") else only) if m) + "}"

    requests = of("traefik_service_requests_total")
    return [
        ("request rate by status code", f"sum by (code) (rate({requests}[1m]))"),
        ("request rate by service", f"sum by (service) (rate({requests}[1m]))"),
        ("mean response time", f"sum by (service) (rate({of(TIME + '_sum')}[1m])) / sum by (service) (rate({of(TIME + '_count')}[1m]))"),
        ("mean response time by status code", f"sum by (code) (rate({of(TIME + '_sum')}[1m])) / sum by (code) (rate({of(TIME + '_count')}[1m]))"),
        ("share of server errors", f"sum(rate({of('traefik_service_requests_total', 'code=~`5..`')}[1m])) / sum(rate({requests}[1m]))"),
        ("p95 by router", f"histogram_quantile(0.95, sum by (router, le) (rate({of('traefik_router_request_duration_seconds_bucket')}[1m])))"),
        ("share answered within 0.1 s", f"sum by (service) (rate({of(TIME + '_bucket', 'le=`0.1`')}[1m])) / sum by (service) (rate({of(TIME + '_count')}[1m]))"),
        ("bytes answered per second", f"sum by (service) (rate({of('traefik_service_responses_bytes_total')}[1m]))"),
        ("requests by method since the start", f"sum by (method) ({of('traefik_router_requests_total')})"),
        ("servers that Traefik holds for dead", f"{of('traefik_service_server_up')} == 0"),
        ("connections open", "sum by (entrypoint) (traefik_open_connections)"),
        ("configurations loaded", "traefik_config_reloads_total"),
    ]


QUESTIONS = [(what, ours, theirs) for (what, ours), (_, theirs) in zip(questions(), questions(REAL, REAL_ROUTER))]
HEALTH = '{router=~"health@.*"} or {service=~"health@.*"}'

TRAEFIK = """
entryPoints: {{web: {{address: "127.0.0.1:{web}"}}, metrics: {{address: "127.0.0.1:{metrics}"}}}}
metrics: {{prometheus: {{entryPoint: metrics, addEntryPointsLabels: true, addRoutersLabels: true, addServicesLabels: true, buckets: [0.005, 0.02, 0.1, 0.5, 2]}}}}
providers: {{file: {{filename: "{dir}/routes.yml"}}}}
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
log: {{level: WARN}}
"""
# In ECS the same comes from labels of the tasks: traefik.http.routers.orders.rule=PathPrefix(`/orders`).
ROUTES = """
http:
  routers:
    orders: {{rule: "PathPrefix(`/orders`)", service: orders, entryPoints: [web]}}
    search: {{rule: "PathPrefix(`/search`)", service: search, entryPoints: [web]}}
    health: {{rule: "Path(`/health`)", service: health, entryPoints: [web]}}
  services:
    orders: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{task}"}}], healthCheck: {{path: /health, interval: 1s}}}}}}
    search: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{task}"}}]}}}}
    health: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{task}"}}]}}}}
"""


@contextlib.contextmanager
def network_directory():
    """(a directory of a network file system, what it is): the team's own, or sshfs to an SFTP server over loopback."""
    server = next((p for p in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server") if os.path.exists(p)), None)
    own = os.environ.get("NETWORK_DIRECTORY")
    tmp = tempfile.mkdtemp(prefix="gnomon-ecs-", dir=own)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, tmp, ignore_errors=True)
        if own:
            yield tmp, "NETWORK_DIRECTORY"
        elif programs("sshfs") and server and os.access("/dev/fuse", os.R_OK | os.W_OK):
            stack.enter_context(sshfs(tmp, server))
            yield tmp + "/mnt", "sshfs"
        else:
            yield tmp, "a local directory (no sshfs, sftp-server or /dev/fuse)"


@contextlib.contextmanager
def sshfs(tmp, sftp_server):
    os.mkdir(tmp + "/exported")
    os.mkdir(tmp + "/mnt")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with contextlib.suppress(OSError):
                connection = listener.accept()[0]
                with connection:
                    subprocess.run([sftp_server, "-e"], stdin=connection, stdout=connection, stderr=subprocess.DEVNULL)
        threading.Thread(target=serve, daemon=True).start()
        mounted = subprocess.run([program("sshfs"), "-o", f"directport={listener.getsockname()[1]}", f"127.0.0.1:{tmp}/exported", tmp + "/mnt"],
                                 capture_output=True, text=True)
        assert mounted.returncode == 0, mounted.stderr
        try:
            yield
        finally:
            subprocess.run([program("fusermount3"), "-u", tmp + "/mnt"], check=True)


@contextlib.contextmanager
def task():
    """The container behind Traefik: /orders?code=500&ms=20 answers so."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            time.sleep(float(asked.get("ms", 0)) / 1000)
            self.send_response(int(asked.get("code", 200)))
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"done\n")

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def traefik(dir, task_port):
    """Traefik before the task; (port of the entry point, port of its metrics)."""
    binary, web, metrics = program("traefik"), free_port(), free_port()
    for name, text in (("traefik.yml", TRAEFIK), ("routes.yml", ROUTES)):
        with open(f"{dir}/{name}", "w") as f:
            f.write(text.format(web=web, metrics=metrics, dir=dir, task=task_port))
    with running([binary, f"--configFile={dir}/traefik.yml"], dir + "/traefik.log", lambda: get(web, "/health")[0] == 200):
        yield web, metrics


def traffic(web, requests):
    """Customers, and the load balancer that asks for /health."""
    for _ in range(requests):
        path, code = random.choice(["/orders", "/orders", "/search"]), random.choice([200] * 12 + [201, 302, 404, 500, 503])
        request(random.choice(["GET", "GET", "POST"]), web, f"{path}?code={code}&ms={random.choice([1, 4, 30, 150])}")
        get(web, "/health")


@contextlib.contextmanager
def thanos(tmp, server):
    """`thanos query` over a sidecar beside Gnomon; its port."""
    binary, grpc, sidecar, port = program("thanos"), free_port(), free_port(), free_port()
    with running([binary, "sidecar", f"--prometheus.url={server.url}", f"--tsdb.path={tmp}", f"--grpc-address=127.0.0.1:{grpc}",
                  f"--http-address=127.0.0.1:{sidecar}", "--prometheus.get_config_interval=1s"], tmp + "/sidecar.log", lambda: get(sidecar, "/-/ready")[0] == 200), \
         running([binary, "query", f"--endpoint=127.0.0.1:{grpc}", f"--grpc-address=127.0.0.1:{free_port()}", f"--http-address=127.0.0.1:{port}",
                  "--endpoint.info-timeout=30s"], tmp + "/query.log", lambda: get(port, "/-/ready")[0] == 200):
        def holds_store():
            sidecars = json.loads(get(port, "/api/v1/stores")[2])["data"].get("sidecar") or []
            return [s for s in sidecars if not s["lastError"]]
        wait_for("Thanos to find the sidecar", holds_store)
        yield port


def through(port, expr, at):
    """An instant answer through Thanos, without the labels that the sidecar adds."""
    status, _, body = get(port, "/api/v1/query", query=expr, time=f"{at:.3f}", dedup="false", partial_response="false")
    answer = json.loads(body)
    assert status == 200 and not answer.get("warnings"), answer
    for series in answer["data"]["result"]:
        series["metric"] = {k: v for k, v in series["metric"].items() if k not in EXTERNAL}
    return answer["data"]


def the_health_route_is_not_stored(prometheus, server):
    assert prometheus.api("query", query=HEALTH)["result"], "Prometheus itself keeps it"
    assert not server.query(HEALTH)
    kept, sent = (len(s["result"]) for s in (prometheus.api("query", query='{__name__=~"traefik_.*"}'), {"result": server.query('{__name__=~"traefik_.*"}')}))
    print(f"  {kept} series of Traefik, {sent} of them stored: those of the health checks are not")


def a_second_task_is_kept_out(tmp, server):
    """ECS starts the new task before it ends the old one: the new one must not touch the data."""
    second = Process([BINARY, f"--storage.path={server.dir}", f"--web.listen-address=127.0.0.1:{free_port()}"], tmp + "/second.log")
    code = second.p.wait(60)
    second.out.close()
    assert code != 0 and "is used by pid" in second.tail(), second.tail()


def test_traefik_on_ecs_with_the_data_on_a_network_file_system():
    prometheus_binary = since((3, 0), "prometheus")
    program("traefik"), program("thanos")
    labels = ",".join(f"{k}={v}" for k, v in EXTERNAL.items())
    with contextlib.ExitStack() as stack:
        tmp = tempfile.mkdtemp(prefix="gnomon-ecs-run-")
        stack.callback(shutil.rmtree, tmp, ignore_errors=True)
        directory, what = stack.enter_context(network_directory())
        web, metrics = stack.enter_context(traefik(tmp, stack.enter_context(task())))
        server = stack.enter_context(Gnomon("--storage.external-labels=" + labels, dir=directory + "/gnomon"))
        prometheus = stack.enter_context(Prometheus(prometheus_binary, server, scrape("traefik", metrics), DROP_HEALTH))
        wait_for("the first scrape", lambda: server.query("traefik_config_reloads_total"))
        for _ in range(6):
            traffic(web, 15)
        compare(prometheus, server, QUESTIONS)
        the_health_route_is_not_stored(prometheus, server)
        a_second_task_is_kept_out(tmp, server)
        before = server.query("count({__name__=~'.+'})")[0]["value"][1]
        server.kill9()  # the machine goes; the next task mounts the same directory
        traffic(web, 10)
        server.start()
        with open(directory + "/gnomon.log") as log:
            assert what != "sshfs" or "fuse" in log.read(), "the kind of file system is in the log"
        assert int(server.query("count(last_over_time({__name__=~'.+'}[10m]))")[0]["value"][1]) >= int(before)
        traffic(web, 10)
        at = compare(prometheus, server, QUESTIONS, seconds=15, quiet=True)
        port = stack.enter_context(thanos(tmp, server))
        for question, expr, for_prometheus in QUESTIONS:
            theirs, ours = prometheus.api("query", query=for_prometheus, time=f"{at:.3f}"), through(port, expr, at)
            assert sorted_result(theirs) == sorted_result(ours), f"{question} through Thanos: {expr}\n prometheus {theirs}\n thanos {ours}"
        losses = prometheus.losses()  # the health checks count as dropped
        assert set(losses) == {"prometheus_remote_storage_samples_dropped_total"}, losses
        print(f"  data on {what}; {len(QUESTIONS)} questions before and after the death of the first machine, each at one instant and as a range, "
              f"and once through thanos sidecar: equal to Prometheus")


if __name__ == "__main__":
    run(globals())
