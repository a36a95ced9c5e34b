"""configs/ and deploy/: every file is read by the program it is meant for.

Programs that are missing skip their tests and say so; scripts/deploy_tools.sh builds the Go ones
(kustomize, helm, deploycheck) into a cache that this test looks into.
PROMETHEUS, PROMTOOL, KUSTOMIZE, HELM, DEPLOYCHECK=path choose other programs.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import BINARY, ROOT, PATIENCE, Gnomon, Process, Skip, free_port, program, request, run, wait_for

CACHE = os.environ.get("DEPLOY_TOOLS", os.path.expanduser("~/.cache/gnomon-deploy-tools/bin"))
DASHBOARDS = sorted(glob.glob(ROOT + "/configs/grafana/dashboards/*.json"))
RULES = ROOT + "/configs/prometheus/gnomon.rules.yml"
FRAGMENTS = ["single", "ha-pair", "sharded", "drop-series"]


def tool(name):
    cached = os.path.join(CACHE, name)
    if not os.environ.get(name.upper()) and os.access(cached, os.X_OK):
        return cached
    try:
        return program(name)
    except Skip:
        raise Skip(f"{name} is not here (scripts/deploy_tools.sh builds it, or set {name.upper()}=path)")


def call(*args, stdin=None, cwd=ROOT):
    p = subprocess.run(args, input=stdin, capture_output=True, text=True, cwd=cwd, timeout=6 * PATIENCE)
    assert p.returncode == 0, f"{' '.join(args)}: status {p.returncode}\n{p.stdout[-3000:]}\n{p.stderr[-3000:]}"
    return p.stdout


# --- Prometheus: fragments and alerts

def test_the_example_config_is_accepted():
    call(BINARY, "check", "config", ROOT + "/configs/gnomon.yml")


def test_prometheus_fragments_are_valid():
    promtool = program("promtool")
    for name in FRAGMENTS:
        call(promtool, "check", "config", f"configs/prometheus/{name}.yml")
    call(promtool, "check", "rules", RULES)


def test_alerts_pass_their_unit_tests():
    out = call(program("promtool"), "test", "rules", "gnomon.rules.test.yml", cwd=ROOT + "/configs/prometheus")
    assert "SUCCESS" in out, out
    with open(RULES.replace(".yml", ".test.yml")) as f:
        tested = f.read()
    with open(RULES) as f:
        names = re.findall(r"- alert: (\w+)", f.read())
    untested = [n for n in names if n not in tested]
    assert len(names) >= 15 and not untested, f"without a test: {untested}"


def fragment(name, servers, prom_port, dir):
    """A fragment with its hosts and intervals made those of this machine; what matters stays as it is."""
    with open(f"{ROOT}/configs/prometheus/{name}.yml") as f:
        text = f.read().replace("scrape_interval: 15s", "scrape_interval: 1s").replace("send_interval: 1m", "send_interval: 1s")
    text = text.replace("localhost:9090", f"127.0.0.1:{prom_port}")
    for i, server in enumerate(servers):
        text = text.replace(f"gnomon-{i}:8428", f"127.0.0.1:{server.port}")
    text = text.replace("gnomon:8428", f"127.0.0.1:{servers[0].port}")
    assert "gnomon:" not in text and not re.search(r"gnomon-\d:", text), text
    path = f"{dir}/prometheus.yml"
    with open(path, "w") as f:
        f.write(text)
    shutil.copy(RULES, dir)
    return path


class Prometheus:
    """A real one that runs a fragment against the given servers."""

    def __init__(self, name, servers):
        binary, self.port, self.dir = program("prometheus"), free_port(), tempfile.mkdtemp(prefix="gnomon-deploy-")
        config = fragment(name, servers, self.port, self.dir)
        self.process = Process([binary, f"--config.file={config}", f"--storage.tsdb.path={self.dir}/data",
                                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
                                "--enable-feature=exemplar-storage"], self.dir + "/log")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill(signal.SIGTERM)
        shutil.rmtree(self.dir, ignore_errors=True)

    def ready(self):
        try:
            return request("GET", self.port, "/-/ready")[0] == 200
        except OSError:
            return False

    def api(self, path):
        return json.loads(request("GET", self.port, "/api/v1/" + path)[2])["data"]


def series_of(server):
    return {json.dumps(s["metric"], sort_keys=True) for s in server.query('{__name__=~".+"}')}


def test_single_fills_gnomon_and_its_alerts_load():
    with Gnomon() as server, Prometheus("single", [server]) as prometheus:
        wait_for("samples", lambda: server.query('up{job="gnomon", prometheus="main"} == 1'))
        wait_for("metadata", lambda: server.api("metadata", metric="process_cpu_seconds_total"))
        rules = [r for g in prometheus.api("rules")["groups"] for r in g["rules"]]
        assert len(rules) >= 15 and all(r["health"] in ("ok", "unknown") for r in rules), rules
        firing = [a["labels"]["alertname"] for a in prometheus.api("alerts")["alerts"] if a["state"] == "firing"]
        assert not firing, firing


def test_both_of_an_ha_pair_hold_everything():
    with Gnomon() as a, Gnomon() as b, Prometheus("ha-pair", [a, b]):
        wait_for("samples on both", lambda: len(a.query("up")) == 2 and len(b.query("up")) == 2)
        wait_for("the same series", lambda: series_of(a) == series_of(b) and len(series_of(a)) > 200)


def test_sharding_puts_every_series_on_exactly_one():
    program("prometheus")
    with open(f"{ROOT}/configs/prometheus/sharded.yml") as f:
        assert f.read().count("modulus: 3") == 3
    with Gnomon() as a, Gnomon() as b, Gnomon() as c:
        servers = [a, b, c]
        with Prometheus("sharded", servers) as prometheus:
            # Eight jobs, so that no shard stays empty: the hash is by job.
            path = prometheus.dir + "/prometheus.yml"
            with open(path) as f:
                text = f.read()
            jobs = "".join(f'  - {{job_name: "job{i}", static_configs: [{{targets: ["127.0.0.1:{a.port}"]}}]}}\n' for i in range(8))
            with open(path, "w") as f:
                f.write(text.replace("scrape_configs:\n", "scrape_configs:\n" + jobs))
            wait_for("Prometheus", prometheus.ready)
            prometheus.process.p.send_signal(signal.SIGHUP)
            wait_for("all jobs", lambda: sum(len(s.query('up{job=~"job.*"}')) for s in servers) >= 8)
            sets = [series_of(s) for s in servers]
            assert all(sets) and not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2]), [len(s) for s in sets]
            assert not any("__tmp" in s for some in sets for s in some)


# --- Grafana: provisioning and dashboards

def test_dashboards_are_what_their_generator_writes():
    call(sys.executable, "scripts/gen_dashboards.py", "--check")


def test_provisioning_points_to_what_is_there():
    with open(ROOT + "/configs/grafana/provisioning/datasources/gnomon.yml") as f:
        assert "type: prometheus" in f.read()
    with open(ROOT + "/configs/grafana/provisioning/dashboards/gnomon.yml") as f:
        path = re.search(r"path: (\S+)", f.read()).group(1)
    with open(ROOT + "/deploy/docker/docker-compose.yml") as f:
        assert f":{path}" in f.read(), f"the compose file does not mount {path}"


def dashboard_expressions():
    for path in DASHBOARDS:
        with open(path) as f:
            for panel in json.load(f)["panels"]:
                for target in panel.get("targets", []):
                    yield f"{os.path.basename(path)}: {panel['title']}", target["expr"]


def alert_expressions():
    """[(name, expression)] of the rules file, which keeps to one form: expr: TEXT, or expr: | and a deeper block."""
    with open(RULES) as f:
        for rule in re.split(r"- alert: ", f.read())[1:]:
            block = re.search(r"^        expr: \|\n((?:          .*\n)+)", rule, re.M)
            yield rule.split()[0], block.group(1) if block else re.search(r"^        expr: (.+)$", rule, re.M).group(1)


def selectors(node, found):
    """(metric name, matchers) of every selector in an answer of parse_query."""
    if isinstance(node, dict):
        if node.get("type") in ("vectorSelector", "matrixSelector"):
            found.append((node["name"], node["matchers"]))
        for child in node.values():
            selectors(child, found)
    elif isinstance(node, list):
        for child in node:
            selectors(child, found)
    return found


def exposed(server):
    """{name: [labels]} of /metrics."""
    names = {}
    for line in server.get("/metrics")[2].decode().splitlines():
        if line and not line.startswith("#"):
            m = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ", line)
            names.setdefault(m.group(1), []).append(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m.group(2) or "")))
    return names


def admits(matcher, labels):
    value, wanted = labels.get(matcher["name"], ""), matcher["value"]
    return {"=": value == wanted, "!=": value != wanted, "=~": re.fullmatch(wanted, value) is not None,
            "!~": re.fullmatch(wanted, value) is None}[matcher["type"]]


# Labels that a scrape adds, and those that stand only after something went wrong.
FROM_THE_SCRAPE = {"job", "instance", "__name__"}
MAY_BE_ABSENT = {"code"}
ADDED_BY_THE_SCRAPE = {"up"}


def check_selectors(server, what, expr, names):
    for name, matchers in selectors(server.api("parse_query", query=expr), []):
        if name in ADDED_BY_THE_SCRAPE:
            continue
        assert name in names, f"{what}: /metrics has no {name}\n{expr}"
        own = [m for m in matchers if m["name"] not in FROM_THE_SCRAPE | MAY_BE_ABSENT]
        assert any(all(admits(m, labels) for m in own) for labels in names[name]), f"{what}: no series of {name} has {own}"


def busy(server):
    """Traffic of every kind, so that every handler has counted something."""
    now = int(time.time() * 1000)
    assert server.write([({"__name__": "m", "i": str(i)}, [(now, i)]) for i in range(100)])[0] == 204
    assert server.write([({"__name__": "m", "i": "old"}, [(1000, 1)])])[0] == 400
    server.get("/api/v1/query?query=sum(m)")
    server.get("/api/v1/query?query=sum(")


def test_every_expression_of_dashboards_and_alerts_has_its_data():
    with Gnomon("--self-scrape-interval=1s") as server:
        busy(server)
        names = exposed(server)
        wait_for("a few scrapes of itself", lambda: server.query('count_over_time(up{job="gnomon"}[1m]) >= 4'))
        busy(server)
        checked = 0
        for what, expr in dashboard_expressions():
            expr = expr.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*")
            check_selectors(server, what, expr, names)
            empty_is_good = expr.endswith("> 0")
            if not empty_is_good:  # a rate has to wait for two scrapes after its event
                wait_for(f"data of {what}\n{expr}", lambda: server.query(expr) or busy(server))
            checked += 1
        for what, expr in alert_expressions():
            check_selectors(server, what, expr, names)
            server.query(expr)
            checked += 1
        assert checked > 100, checked
        print(f"{checked} expressions of {len(DASHBOARDS)} dashboards and the alerts")


# --- Kubernetes: kustomize and helm print, deploycheck judges

OVERLAYS = ["base", "overlays/prometheus-operator", "overlays/ha-pair", "overlays/sharded"]
CHART = ROOT + "/deploy/helm/gnomon"
VALUES = [None] + sorted(glob.glob(CHART + "/ci/*.yaml"))


def kustomize(dir):
    try:
        return call(tool("kustomize"), "build", dir)
    except Skip:
        return call(tool("kubectl"), "kustomize", dir)


def helm_template(values, *more):
    return call(tool("helm"), "template", "test", CHART, "--namespace", "monitoring", "--kube-version", "1.33.0",
                *(["--values", values] if values else []), *more)


def test_kustomizations_print_what_kubernetes_takes():
    check = tool("deploycheck")
    for dir in OVERLAYS:
        print(f"{dir}: {call(check, 'manifests', stdin=kustomize(ROOT + '/deploy/kubernetes/' + dir)).strip()}")


def test_the_chart_prints_what_kubernetes_takes():
    check, helm = tool("deploycheck"), tool("helm")
    for values in VALUES:
        call(helm, "lint", "--strict", CHART, *(["--values", values] if values else []))
        name = os.path.basename(values or "defaults")
        print(f"{name}: {call(check, 'manifests', stdin=helm_template(values)).strip()}")


def test_the_chart_refuses_values_that_it_does_not_have():
    helm = tool("helm")
    for wrong, named in (("server.scrape.enabled=true", "scrape"), ("server.retentionPeriod=soon", "retentionPeriod"),
                         ("server.image.pullPolicy=Sometimes", "pullPolicy")):
        p = subprocess.run([helm, "template", "x", CHART, "--kube-version", "1.33.0", "--set", wrong], capture_output=True, text=True)
        assert p.returncode != 0 and named in p.stderr, (wrong, p.stderr)


def test_deploycheck_finds_mistakes():
    check, good = tool("deploycheck"), kustomize(ROOT + "/deploy/kubernetes/base")
    for change, complaint in [
            (("readOnly: true", "readonly: true"), "unknown field"),
            (("runAsNonRoot: true", "runAsNonRoot: false"), "not restricted"),
            (("containerPort: 8428", "containerPort: eight"), "cannot"),
            (("serviceName: gnomon-headless", "serviceName: gnomon"), "no headless Service"),
            (("mountPath: /data\n          name: data", "mountPath: /data\n          name: dta"), "not there")]:
        assert change[0] in good, change
        p = subprocess.run([check, "manifests"], input=good.replace(*change), capture_output=True, text=True)
        assert p.returncode == 1 and complaint in p.stderr, (change, p.stdout, p.stderr)


def test_the_prometheusrule_is_that_of_configs():
    call(sys.executable, "scripts/gen_prometheusrule.py", "--check")


def block(text, key):
    """The indented lines below `key: |` of a manifest, without their indentation."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == f"{key}: |")
    depth = len(lines[at + 1]) - len(lines[at + 1].lstrip())
    end = next((i for i in range(at + 1, len(lines)) if lines[i].strip() and not lines[i].startswith(" " * depth)), len(lines))
    return "\n".join(line[depth:] for line in lines[at + 1:end]) + "\n"


def starts_with(args, config):
    """The real server takes what a manifest gives it; path and address are replaced by ours."""
    ours = [a for a in args if not re.match(r"--?(storage.path|storageDataPath|httpListenAddr|web.listen-address|config.file)=", a)]
    prefix = next((a.split("=", 1)[1] for a in ours if a.startswith("--http.pathPrefix=")), "")
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        f.write(config or "")
        f.flush()
        server = Gnomon(*ours, *([f"--config.file={f.name}"] if config else []))
        try:
            server.start(ready=False)
            wait_for("an answer", lambda: answers(server, prefix + "/-/ready"))
        finally:
            server.stop()
            shutil.rmtree(server.tmp, ignore_errors=True)


def answers(server, path):
    assert server.process.p.poll() is None, server.process.tail()
    try:
        return server.get(path)[0] == 200
    except OSError:
        return False


def test_the_server_takes_the_arguments_of_the_manifests():
    starts_with([], block(kustomize(ROOT + "/deploy/kubernetes/base"), "gnomon.yml"))
    for values in VALUES:
        text = helm_template(values)
        args = re.findall(r'^            - "?(--[^"\n]*)"?$', text, re.M)
        assert len(args) >= 3, text
        starts_with(args, block(text, "gnomon.yml") if "gnomon.yml: |" in text else None)


# --- Docker: the compose file, and its stack with the programs that are here

def test_the_images_health_check_finds_the_server():
    """With a prefix in whatever way it is given; not when the server is gone or another path is meant."""
    check = ROOT + "/deploy/docker/healthcheck.sh"
    config = tempfile.NamedTemporaryFile("w", suffix=".yml")
    config.write("# settings\nweb.external-url: 'https://metrics.example/from-file/'   # behind a proxy\n")
    config.flush()
    for args, env in (([], {}), (["--web.external-url=http://metrics.example/gnomon/"], {}), (["--web.external-url=http://metrics.example"], {}),
                      (["-http.pathPrefix=/vm"], {}), (["--web.external-url=http://m.example/a", "--web.route-prefix=/"], {}),
                      ([], {"GNOMON_WEB_ROUTE_PREFIX": "/env"}), (["--config.file=" + config.name], {}), (["--web.route-prefix=/b/c/"], {})):
        server = Gnomon(*args, env=env)
        try:
            server.start(ready=False)
            asked = {**os.environ, **env, "SERVER_PID": str(server.process.p.pid)}
            wait_for(f"health with {args} {env}", lambda: subprocess.run(["bash", check], env=asked, capture_output=True).returncode == 0)
            wrong = subprocess.run(["bash", check], env={**asked, "GNOMON_WEB_ROUTE_PREFIX": "/elsewhere"}, capture_output=True, text=True)
            assert args[-1:] and "refix" in args[-1] or (wrong.returncode == 1 and "404" in wrong.stdout), (args, wrong)
        finally:
            server.stop()
            shutil.rmtree(server.tmp, ignore_errors=True)
        asked["GNOMON_WEB_LISTEN_ADDRESS"] = f"127.0.0.1:{server.port}"
        assert subprocess.run(["bash", check], env=asked, capture_output=True).returncode == 1


def test_the_chart_asks_where_the_server_answers():
    helm = tool("helm")
    for setting, path in (("server.extraArgs.web\\.external-url=https://m.example/gnomon/", "/gnomon/-/ready"), ("server.extraArgs.http\\.pathPrefix=/vm", "/vm/-/ready"),
                          ("server.config.web\\.external-url=https://m.example/g2", "/g2/-/ready"), ("server.config.web\\.route-prefix=/cfg", "/cfg/-/ready"),
                          ("server.extraArgs.web\\.external-url=https://m.example", " /-/ready"), ("server.retentionPeriod=12", " /-/ready")):
        printed = call(helm, "template", "x", CHART, "--kube-version", "1.33.0", "--set-string", setting)
        assert f"path: {path.strip()}," in printed, (setting, re.findall("path: .*", printed))


def test_the_compose_file_is_valid():
    print(call(tool("deploycheck"), "compose", ROOT + "/deploy/docker/docker-compose.yml").strip())


def optional(name, *more):
    try:
        return program(name, *more)
    except Skip:
        return None


@contextlib.contextmanager
def stopped(children):
    """Ends them before the server: a Prometheus waits long for one that is gone."""
    try:
        yield
    finally:
        for child in children:
            child.kill(signal.SIGTERM)


def test_the_compose_stack_runs_as_processes():
    """Prometheus with the compose file's own configuration, hosts replaced; exporters that are missing are left out."""
    prometheus = program("prometheus")
    found = {"alertmanager": optional("alertmanager", "prometheus-alertmanager"),
             "node-exporter": optional("node_exporter", "prometheus-node-exporter"),
             "blackbox-exporter": optional("blackbox_exporter", "prometheus-blackbox-exporter")}
    dir, docker, children = tempfile.mkdtemp(prefix="gnomon-compose-"), ROOT + "/deploy/docker", []
    ports = {name: free_port() for name in ["prometheus", "grafana", "cluster", *found]}
    arguments = {"alertmanager": [f"--config.file={docker}/alertmanager.yml", f"--storage.path={dir}/am",
                                  f"--cluster.listen-address=127.0.0.1:{ports['cluster']}"],
                 "node-exporter": [], "blackbox-exporter": [f"--config.file={docker}/blackbox.yml"]}
    try:
        with Gnomon() as server, stopped(children):
            with open(docker + "/prometheus.yml") as f:
                text = f.read().replace(": 15s", ": 1s").replace("gnomon:8428", f"127.0.0.1:{server.port}")
            for host, port in (("localhost", 9090), ("alertmanager", 9093), ("grafana", 3000), ("node-exporter", 9100),
                               ("blackbox-exporter", 9115)):
                text = text.replace(f"{host}:{port}", f"127.0.0.1:{ports.get(host, ports['prometheus'])}")
            with open(dir + "/prometheus.yml", "w") as f:
                f.write(text)
            shutil.copy(RULES, dir)
            for name, path in found.items():
                if path:
                    children.append(Process([path, f"--web.listen-address=127.0.0.1:{ports[name]}", *arguments[name]], f"{dir}/{name}.log"))
            children.append(Process([prometheus, f"--config.file={dir}/prometheus.yml", f"--storage.tsdb.path={dir}/data",
                                     f"--web.listen-address=127.0.0.1:{ports['prometheus']}"], dir + "/prometheus.log"))
            there = {"gnomon", "prometheus"} | {n.replace("-exporter", "") for n, path in found.items() if path}
            up = lambda: {s["metric"]["job"] for s in server.query('up{prometheus="compose"} == 1')}
            wait_for(f"{there}", lambda: up() >= there)
            if found["blackbox-exporter"]:
                wait_for("a probe", lambda: server.query("probe_success == 1"))
            if found["alertmanager"]:
                path = "/api/v1/alertmanagers"
                wait_for("the Alertmanager", lambda: json.loads(
                    request("GET", ports["prometheus"], path)[2])["data"]["activeAlertmanagers"])
            print(f"up in Gnomon: {', '.join(sorted(up()))}; not here: {', '.join(n for n, p in found.items() if not p) or '-'}, grafana")
    finally:
        shutil.rmtree(dir, ignore_errors=True)


# --- systemd, man page, completions

def installed():
    """`make install` into a directory of its own."""
    dir = tempfile.mkdtemp(prefix="gnomon-install-")
    call("make", "--no-print-directory", "install", f"DESTDIR={dir}", "PREFIX=/usr")
    return dir


def test_make_install_and_uninstall():
    dir = installed()
    try:
        config = dir + "/etc/gnomon/gnomon.yml"
        call(dir + "/usr/bin/gnomon", "check", "config", config)
        with open(config, "a") as f:
            f.write("log.level: debug\n")
        call("make", "--no-print-directory", "install", f"DESTDIR={dir}", "PREFIX=/usr")
        with open(config) as f:
            text = f.read()
        assert "\nstorage.path: /var/lib/gnomon\n" in text and text.endswith("log.level: debug\n"), "settings were overwritten"
        call("make", "--no-print-directory", "uninstall", f"DESTDIR={dir}", "PREFIX=/usr")
        left = sorted(os.path.relpath(os.path.join(at, f), dir) for at, _, files in os.walk(dir) for f in files)
        assert left == ["etc/default/gnomon", "etc/gnomon/gnomon.yml"], left
    finally:
        shutil.rmtree(dir, ignore_errors=True)


def test_systemd_takes_the_unit_and_finds_it_safe():
    analyze, dir = program("systemd-analyze"), installed()
    try:
        unit = dir + "/usr/lib/systemd/system/gnomon.service"
        with open(unit) as f:
            text = f.read()
        with open(unit, "w") as f:  # the program must exist where the unit says
            f.write(text.replace("ExecStart=/usr/bin", f"ExecStart={dir}/usr/bin"))
        p = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)
        ours = [line for line in p.stderr.splitlines() if "gnomon.service" in line and "man gnomon" not in line
                and "man page" not in line.lower() and "Unit network-online" not in line]
        assert not ours, ours
        out = call(analyze, "security", "--offline=true", "--threshold=20", unit)
        print(out.strip().splitlines()[-1])
        sysusers, tmpfiles = shutil.which("systemd-sysusers"), shutil.which("systemd-tmpfiles")
        if sysusers:
            call(sysusers, "--dry-run", dir + "/usr/lib/sysusers.d/gnomon.conf")
        if tmpfiles:
            root = tempfile.mkdtemp(prefix="gnomon-tmpfiles-", dir=dir)
            p = subprocess.run([tmpfiles, "--create", f"--root={root}", dir + "/usr/lib/tmpfiles.d/gnomon.conf"], capture_output=True, text=True)
            assert "Failed to parse" not in p.stderr and "Unknown" not in p.stderr, p.stderr
    finally:
        shutil.rmtree(dir, ignore_errors=True)


def system_call_sets():
    """{"@mount": {names}} as this machine's systemd knows them."""
    sets, current = {}, None
    for line in subprocess.run([program("systemd-analyze"), "syscall-filter"], capture_output=True, text=True).stdout.splitlines():
        word = line.strip()
        if line.startswith("@"):
            current = sets.setdefault(word, set())
        elif word and not word.startswith("#") and current is not None:
            current.add(word)
    return sets


def traced(pid):
    """Whether every thread of a process has a tracer."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            if "\nTracerPid:\t0\n" in f.read():
                return False
    return True


def test_the_units_filter_lets_the_servers_system_calls_through():
    strace, sets = program("strace"), system_call_sets()

    def names(group):
        return set().union(*(names(x) if x.startswith("@") else {x} for x in sets[group]))
    with open(ROOT + "/deploy/systemd/gnomon.service") as f:
        filters = re.findall(r"^SystemCallFilter=(.*)$", f.read(), re.M)
    allowed = set(names("@default"))
    for words in filters:
        groups = set().union(*(names(g) if g.startswith("@") else {g} for g in words.lstrip("~").split()))
        allowed = allowed - groups if words.startswith("~") else allowed | groups
    with Gnomon("--self-scrape-interval=1s") as server:
        trace = server.tmp + "/trace"
        tracer = Process([strace, "-f", "-qq", "-o", trace, "-p", str(server.process.p.pid)], server.tmp + "/strace.log")
        wait_for("strace to hold every thread", lambda: traced(server.process.p.pid))
        busy(server)
        server.get("/metrics")
        server.stop()
        tracer.p.wait(PATIENCE)
        with open(trace) as f:
            used = set(re.findall(r"^\d+ +(\w+)\(", f.read(), re.M))
    assert len(used) > 10 and not used - allowed, used - allowed
    print(f"{len(used)} system calls, all allowed")


def options():
    """The names that --help lists."""
    return re.findall(r"^  --([a-z][\w.-]*)", call(BINARY, "--help"), re.M)


def test_the_man_page_has_every_option_and_no_mistake():
    call("make", "--no-print-directory", "manual")
    with open(ROOT + "/build/manual/gnomon.1") as f:
        text = f.read().replace("\\-", "-")
    missing = [o for o in options() if f"--{o}" not in text]
    assert not missing, missing
    if shutil.which("groff"):
        p = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", ROOT + "/build/manual/gnomon.1"], capture_output=True, text=True)
        assert p.returncode == 0 and not p.stderr, p.stderr


def complete(*words):
    script = """source build/manual/gnomon.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        compopt() { :; }; _gnomon; printf '%s\\n' "${COMPREPLY[@]}" """
    return call("bash", "-c", script, "bash", *words).split()


def test_bash_completes_commands_options_and_values():
    call("make", "--no-print-directory", "manual")
    assert complete("gnomon", "ver") == ["verify", "version"]
    offered = {o.rstrip("=") for o in complete("gnomon", "--")}
    assert offered == {f"--{o}" for o in options()}, offered ^ {f"--{o}" for o in options()}
    assert complete("gnomon", "--log.format", "=", "j") == ["json"]
    assert complete("gnomon", "--log.level", "=") == ["debug", "info", "warn", "error"]
    assert complete("gnomon", "verify", "--q") == ["--quick"]


def test_zsh_takes_its_completion():
    zsh = program("zsh")
    call("make", "--no-print-directory", "manual")
    call(zsh, "-n", ROOT + "/build/manual/_gnomon")


run(globals())
