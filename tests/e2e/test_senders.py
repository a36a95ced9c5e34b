"""Programs that people have write to Gnomon; what arrives is compared by value with what they were given.

scripts/senders.sh builds those that no package has; one that is not here skips its tests.
ROUNDS=40 answers of the target instead of 12.
"""
import collections
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from harness import PATIENCE, Gnomon, Process, Skip, free_port, program, programs, run, since, version_of, wait_for
from senders import Prometheus, compare, everything, scraping, undisturbed
from target import Target

ROUNDS = int(os.environ.get("ROUNDS", 12))


def metric(server, name, label=""):
    page = server.get("/metrics")[2].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
               if line.split("{")[0].split(" ")[0] == name and label in line)


def old_prometheus():
    """One before 3.0, as Debian has it."""
    program("prometheus")
    for path in programs("prometheus"):
        if version_of(path) < (3, 0):
            return path
    raise Skip("there is no Prometheus before 3.0 here")


def job(name, page, more=""):
    return f"- {{job_name: {name}, {more}static_configs: [{{targets: ['127.0.0.1:{page.port}']}}]}}\n"


def by_series(exemplars):
    return {json.dumps(e["seriesLabels"], sort_keys=True): e["exemplars"] for e in exemplars}


def everything_arrives(binary, more_write="", new=False, custom=False):
    """A Prometheus with exemplars, native histograms and metadata: Gnomon ends with what it has, and what its target told."""
    with Target() as page, Target() as second, Gnomon() as server:
        native = "scrape_native_histograms: true, " if new else ""
        scrape = job("page", page) + job("native", page, "metrics_path: /native, " + native)
        if custom:
            scrape += job("custom", second, "convert_classic_histograms_to_nhcb: true, " + native)
        features = "--enable-feature=exemplar-storage" + ("" if new else ",native-histograms")
        write = "send_exemplars: true\nsend_native_histograms: true\n" + more_write
        with Prometheus(binary, server, scrape, write, args=[features]) as prometheus:
            wait_for("answers of the target", lambda: len(page.told) >= ROUNDS and page.native_told >= ROUNDS)
            prometheus.stop_scraping()
            series, samples = compare(server, "page", page.told)
            end, histograms = time.time(), 0
            for name in ("page", "native") + (("custom",) if custom else ()):
                theirs, ours = everything(prometheus.api, end, 600, name), everything(server.api, end, 600, name)
                assert theirs and set(theirs) == set(ours), (name, set(theirs) ^ set(ours))
                for labels in theirs:
                    assert theirs[labels] == ours[labels], f"{labels}\n prometheus {theirs[labels]}\n gnomon {ours[labels]}"
                    histograms += len(theirs[labels][1] or ())
            assert histograms >= (2 if custom else 1) * (ROUNDS - 1), histograms
            # By version 2.0 it sends a type of 0 and no text for every series, whatever its features.
            for name, kind in (("page_latency_seconds", "histogram"), ("page_size_bytes", "summary")) if not custom else ():
                known = wait_for("metadata", lambda: server.api("metadata", metric=name).get(name))
                assert known[0]["type"] == kind, known
            sent, here = prometheus.metric("prometheus_remote_storage_exemplars_total"), metric(server, "gnomon_ingest_exemplars_total")
            assert sent and here == sent - metric(server, "gnomon_ingest_rejected_samples_total", "exemplar"), (sent, here)
            ask = {"query": '{job=~".+"}', "start": end - 600, "end": end}
            theirs, ours = prometheus.api("query_exemplars", **ask), server.api("query_exemplars", **ask)
            assert theirs and by_series(theirs) == by_series(ours), f"prometheus {str(theirs)[:800]}\n gnomon {str(ours)[:800]}"
            assert not prometheus.losses(), prometheus.losses()
            print(f"{series} series, {samples} samples, {histograms} native histograms, {int(here)} exemplars{'' if custom else ', metadata'}")


@undisturbed
def test_debians_prometheus():
    everything_arrives(old_prometheus())


@undisturbed
def test_prometheus_3():
    everything_arrives(since((3, 15), "prometheus"), new=True)


@undisturbed
def test_prometheus_3_by_remote_write_2():
    """Version 2.0 has what 1.0 has not: native histograms with custom buckets."""
    everything_arrives(since((3, 15), "prometheus"), "protobuf_message: io.prometheus.write.v2.Request\n", new=True, custom=True)


def agent_outlives_a_crash(binary, agent):
    """The server is killed and is away for a while; the agent, which has no other copy, loses nothing."""
    with Target() as page, Gnomon() as server:
        with Prometheus(binary, server, job("page", page), agent=agent) as sender:
            wait_for("samples", lambda: server.query("page_requests_total"))
            server.kill9()
            server.process.out.close()
            before = len(page.told)
            wait_for("scrapes without a server", lambda: len(page.told) >= before + 6)
            server.start()
            wait_for("answers of the target", lambda: len(page.told) >= before + ROUNDS)
            sender.stop_scraping()
            series, samples = compare(server, "page", page.told)
            assert not sender.losses(), sender.losses()
            print(f"{series} series, {samples} samples over a kill -9 and an absence of 6 scrapes")


@undisturbed
def test_debians_prometheus_as_agent():
    agent_outlives_a_crash(old_prometheus(), ["--enable-feature=agent"])


@undisturbed
def test_prometheus_3_as_agent():
    agent_outlives_a_crash(since((3, 15), "prometheus"), ["--agent"])


# --- vmagent, the OpenTelemetry collector

def agent_sends_everything(args, dir, page, server, renamed=lambda key: key):
    """A scraper that keeps no data of its own: what the target told is in Gnomon."""
    process = Process(args, dir + "/log")
    try:
        wait_for("answers of the target", lambda: len(page.told) >= ROUNDS)
    finally:
        process.kill(signal.SIGTERM)  # it sends what it has before it ends
    try:
        print("%d series, %d samples" % compare(server, "page", [{renamed(k): v for k, v in told.items()} for told in page.told]))
    except AssertionError:
        print(process.tail())
        raise


@undisturbed
def test_vmagent():
    vmagent, dir = program("vmagent"), tempfile.mkdtemp(prefix="gnomon-vmagent-")
    try:
        with Target() as page, Gnomon() as server:
            with open(dir + "/scrape.yml", "w") as f:
                f.write("global: {" + scraping() + "}\nscrape_configs:\n" + job("page", page))
            agent_sends_everything([vmagent, f"-promscrape.config={dir}/scrape.yml", f"-remoteWrite.url={server.url}/api/v1/write",
                                    f"-remoteWrite.tmpDataPath={dir}/queue", f"-httpListenAddr=127.0.0.1:{free_port()}"], dir, page, server)
    finally:
        shutil.rmtree(dir, ignore_errors=True)


COLLECTOR = """
receivers:
  prometheus:
    config:
      global: {{{pace}}}
      scrape_configs:
      {job}
exporters:
  prometheus_remote_write:
    endpoint: {url}/api/v1/write
    send_metadata: true
    max_batch_request_parallelism: 1
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{metrics: {{receivers: [prometheus], exporters: [prometheus_remote_write]}}}}
"""


def as_collector(key):
    """The collector's names have no dots and its bounds no zeros behind them."""
    word = lambda s: s.replace(".", "_").replace(" ", "_")
    return word(key[0]), tuple((word(k), v.removesuffix(".0") if k == "le" else v) for k, v in key[1])


@undisturbed
def test_opentelemetry_collector():
    otelcol, dir = program("otelcol"), tempfile.mkdtemp(prefix="gnomon-otel-")
    try:
        with Target() as page, Gnomon() as server:
            with open(dir + "/config.yml", "w") as f:
                f.write(COLLECTOR.format(pace=scraping(), job=job("page", page).strip(), url=server.url))
            agent_sends_everything([otelcol, f"--config={dir}/config.yml"], dir, page, server, as_collector)
            assert server.query("last_over_time(target_info[1h])")
            assert server.api("metadata", metric="page_latency_seconds")
    finally:
        shutil.rmtree(dir, ignore_errors=True)


# --- k6

LOAD = """
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
import { sleep } from 'k6';
import exec from 'k6/execution';
const orders = new Counter('shop_orders'), stock = new Gauge('shop_stock'), ok = new Rate('shop_ok'), price = new Trend('shop_price');
export const options = { scenarios: { s: { executor: 'shared-iterations', vus: 3, iterations: 60 } } };
export default function () {
  const i = exec.scenario.iterationInTest;
  orders.add(i, { product: 'p' + (i % 4) }); stock.add(100 - i); ok.add(i % 5 !== 0); price.add(i * 1.5 + 0.1); sleep(0.1);
}
"""


def k6_run(server, **env):
    """{(metric, product): [values]} of k6's own JSON output after a run that also wrote to Gnomon."""
    k6, dir = program("k6"), tempfile.mkdtemp(prefix="gnomon-k6-")
    try:
        with open(dir + "/load.js", "w") as f:
            f.write(LOAD)
        p = subprocess.run([k6, "run", "--no-usage-report", "-q", "-o", f"json={dir}/out.json", "-o", "experimental-prometheus-rw", dir + "/load.js"],
                           capture_output=True, text=True, timeout=PATIENCE,
                           env={**os.environ, "K6_PROMETHEUS_RW_SERVER_URL": server.url + "/api/v1/write",
                                "K6_PROMETHEUS_RW_PUSH_INTERVAL": "500ms", **env})
        assert p.returncode == 0 and "level=error" not in p.stderr and "level=warn" not in p.stderr, p.stdout + p.stderr
        points = collections.defaultdict(list)
        with open(dir + "/out.json") as f:
            for line in f:
                row = json.loads(line)
                if row["type"] == "Point" and row["metric"].startswith("shop_"):
                    points[row["metric"], row["data"]["tags"].get("product")].append(row["data"]["value"])
        return points
    finally:
        shutil.rmtree(dir, ignore_errors=True)


def close(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def last(server, expr):
    """The newest value of the one series of an expression, whatever its age."""
    rows = server.query(f"last_over_time({expr}[10m])")
    assert len(rows) == 1, (expr, rows)
    return float(rows[0]["value"][1])


def test_k6():
    with Gnomon() as server:
        points = k6_run(server, K6_PROMETHEUS_RW_TREND_STATS="count,sum,min,max,avg,p(95)")
        for (name, product), values in points.items():
            if name == "shop_orders":
                assert last(server, f'k6_shop_orders_total{{product="{product}"}}') == sum(values), (product, values)
        prices = points["shop_price", None]
        for stat, value in (("count", len(prices)), ("sum", sum(prices)), ("min", min(prices)), ("max", max(prices)),
                            ("avg", sum(prices) / len(prices))):
            assert close(last(server, f"k6_shop_price_{stat}"), value), (stat, value)
        assert last(server, "k6_shop_stock") == points["shop_stock", None][-1]
        assert close(last(server, "k6_shop_ok_rate"), sum(points["shop_ok", None]) / len(points["shop_ok", None]))
        assert last(server, "k6_iterations_total") == 60
        assert metric(server, "gnomon_ingest_requests_refused_total") == 0
        names = server.query('count by (__name__) ({__name__=~"k6_.+"})')
        print(f"{len(names)} metrics of k6")


def test_k6_with_native_histograms():
    with Gnomon() as server:
        prices = k6_run(server, K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM="true")["shop_price", None]
        assert close(last(server, "k6_shop_ok_rate"), 0.8)
        got = {f: float(server.query(f"histogram_{f}(last_over_time(k6_shop_price[10m]))")[0]["value"][1]) for f in ("count", "sum")}
        assert got["count"] == len(prices) and close(got["sum"], sum(prices)), (got, len(prices), sum(prices))
        middle = float(server.query("histogram_quantile(0.5, last_over_time(k6_shop_price[10m]))")[0]["value"][1])
        want = sorted(prices)[len(prices) // 2]
        assert abs(middle - want) < want * 0.15, (middle, want)  # a bucket is so wide


# --- Telegraf

TELEGRAF = """
[agent]
  omit_hostname = true
  interval = "1s"
  precision = "1ms"
[[inputs.file]]
  files = ["{dir}/points"]
  data_format = "influx"
[[outputs.http]]
  url = "{url}/api/v1/write"
  data_format = "prometheusremotewrite"
  [outputs.http.headers]
    Content-Type = "application/x-protobuf"
    Content-Encoding = "snappy"
    X-Prometheus-Remote-Write-Version = "0.1.0"
"""


def test_telegraf():
    telegraf, dir = program("telegraf"), tempfile.mkdtemp(prefix="gnomon-telegraf-")
    now = time.time_ns() // 1_000_000
    want, lines = {}, []
    for i in range(300):
        fields = {"usage": i / 7, "count": float(i), "up": float(i % 2)}
        lines.append(f"plant,host=h{i % 10},sensor=s{i} usage={fields['usage']!r},count={i}i,up={'true' if i % 2 else 'false'} {(now - i) * 1_000_000}")
        for field, value in fields.items():
            want[f"plant_{field}", f"h{i % 10}", f"s{i}"] = (now - i, value)
    try:
        with Gnomon() as server:
            with open(dir + "/points", "w") as f:
                f.write("\n".join(lines) + "\n")
            with open(dir + "/telegraf.conf", "w") as f:
                f.write(TELEGRAF.format(dir=dir, url=server.url))
            p = subprocess.run([telegraf, "--config", dir + "/telegraf.conf", "--once"], capture_output=True, text=True, timeout=PATIENCE)
            assert p.returncode == 0 and " E! " not in p.stderr, p.stderr
            got = {}
            for line in server.get("/api/v1/export?match[]={sensor!=%22%22}")[2].decode().splitlines():
                row = json.loads(line)
                got[row["metric"]["__name__"], row["metric"]["host"], row["metric"]["sensor"]] = (row["timestamps"][-1], row["values"][-1])
            assert got == want, [(k, want.get(k), got.get(k)) for k in sorted(set(want) | set(got)) if want.get(k) != got.get(k)][:4]
            print(f"{len(got)} series")
    finally:
        shutil.rmtree(dir, ignore_errors=True)


run(globals())
