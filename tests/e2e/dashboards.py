"""Samples as exporters have them, and the expressions that dashboards and alerts ask about them.

Written after the panels and rules of the node, Kubernetes, Prometheus and HTTP mixins; GENERATED crosses functions, selectors, ranges and
groupings as panel editors do.  Used by test_api_differential.py (make differential-api).
"""
import itertools
import random

SPAN = 3600
STEP = 15


def counter(rnd, now, rate, resets=False):
    total, out = rnd.uniform(0, 1e6), []
    for t in range(0, SPAN + 1, STEP):
        total = 0.0 if resets and rnd.random() < 0.02 else total + rnd.expovariate(1) * rate * STEP
        out.append(((now - SPAN + t) * 1000, total if rate < 10 else float(int(total))))
    return out


def gauge(rnd, now, low, high, integers=False):
    value, out = rnd.uniform(low, high), []
    for t in range(0, SPAN + 1, STEP):
        value = min(high, max(low, value + rnd.uniform(-1, 1) * (high - low) / 20))
        out.append(((now - SPAN + t) * 1000, float(int(value)) if integers else value))
    return out


def constant(now, value):
    return [((now - SPAN + t) * 1000, float(value)) for t in range(0, SPAN + 1, STEP)]


def add(out, name, samples, **labels):
    out.append(({"__name__": name, **labels}, samples))


def node_series(out, rnd, now, instance):
    base = {"instance": instance, "job": "node"}
    for cpu, mode in itertools.product("01", ("idle", "user", "system", "iowait", "steal")):
        add(out, "node_cpu_seconds_total", counter(rnd, now, {"idle": 0.8}.get(mode, 0.05)), cpu=cpu, mode=mode, **base)
    add(out, "node_memory_MemTotal_bytes", constant(now, 16 << 30), **base)
    for name in ("MemFree", "MemAvailable", "Buffers", "Cached"):
        add(out, f"node_memory_{name}_bytes", gauge(rnd, now, 1 << 28, 4 << 30, True), **base)
    for n in ("1", "5", "15"):
        add(out, f"node_load{n}", gauge(rnd, now, 0, 4), **base)
    for device, mount in (("/dev/sda1", "/"), ("/dev/sdb1", "/data"), ("tmpfs", "/run")):
        fs = {"device": device, "fstype": "tmpfs" if device == "tmpfs" else "ext4", "mountpoint": mount, **base}
        add(out, "node_filesystem_size_bytes", constant(now, 100 << 30), **fs)
        add(out, "node_filesystem_avail_bytes", gauge(rnd, now, 0, 50 << 30, True), **fs)
        add(out, "node_filesystem_readonly", constant(now, 0), **fs)
    for device in ("eth0", "lo"):
        for way, what in itertools.product(("receive", "transmit"), ("bytes", "errs")):
            add(out, f"node_network_{way}_{what}_total", counter(rnd, now, 1e5 if what == "bytes" else 0.01, True), device=device, **base)
    add(out, "node_disk_io_time_seconds_total", counter(rnd, now, 0.2), device="sda", **base)
    add(out, "node_boot_time_seconds", constant(now, now - 90000), **base)
    add(out, "node_time_seconds", [((now - SPAN + t) * 1000, now - SPAN + t + 0.01) for t in range(0, SPAN + 1, STEP)], **base)
    add(out, "node_uname_info", constant(now, 1), nodename=instance.split(":")[0], release="6.1", **base)


def kube_series(out, rnd, now):
    for namespace, pod, n in itertools.product(("default", "kube-system"), ("api", "web"), "12"):
        ids = {"namespace": namespace, "pod": f"{pod}-{n}"}
        add(out, "kube_pod_info", constant(now, 1), node="n" + n, created_by_name=pod, **ids)
        for phase in ("Running", "Pending", "Failed"):
            add(out, "kube_pod_status_phase", constant(now, phase == "Running"), phase=phase, **ids)
        add(out, "kube_pod_container_status_restarts_total", counter(rnd, now, 20, True), container=pod, **ids)
        for resource, unit in (("cpu", "core"), ("memory", "byte")):
            for kind in ("requests", "limits"):
                add(out, f"kube_pod_container_resource_{kind}", constant(now, 0.5 if unit == "core" else 1 << 29), container=pod,
                    resource=resource, unit=unit, node="n" + n, **ids)
        add(out, "container_cpu_usage_seconds_total", counter(rnd, now, 0.3, True), container=pod, **ids)
        add(out, "container_memory_working_set_bytes", gauge(rnd, now, 1 << 26, 1 << 30, True), container=pod, **ids)
    for namespace, name in itertools.product(("default", "kube-system"), ("api", "web")):
        add(out, "kube_deployment_spec_replicas", constant(now, 2), namespace=namespace, deployment=name)
        add(out, "kube_deployment_status_replicas_available", gauge(rnd, now, 0, 2.9, True), namespace=namespace, deployment=name)


def http_series(out, rnd, now):
    for job, n, (code, handler) in itertools.product(("api", "web"), "12", (("200", "/"), ("200", "/login"), ("404", "/"), ("500", "/login"))):
        add(out, "http_server_requests_total", counter(rnd, now, 20, True), code=code, handler=handler, instance=f"{job}{n}:80", job=job)
    for job, n in itertools.product(("api", "web"), "12"):
        ids = {"instance": f"{job}{n}:80", "job": job}
        total, counts = 0.0, {le: 0.0 for le in ("0.05", "0.1", "0.5", "1", "+Inf")}
        series = {le: [] for le in counts}
        sums = []
        for t in range(0, SPAN + 1, STEP):
            for _ in range(rnd.randrange(12)):
                took = rnd.expovariate(5)
                total += took
                for le in counts:
                    counts[le] += took <= float(le)
            for le in counts:
                series[le].append(((now - SPAN + t) * 1000, counts[le]))
            sums.append(((now - SPAN + t) * 1000, total))
        for le, samples in series.items():
            add(out, "http_request_duration_seconds_bucket", samples, le=le, **ids)
        add(out, "http_request_duration_seconds_count", series["+Inf"], **ids)
        add(out, "http_request_duration_seconds_sum", sums, **ids)
        up = gauge(rnd, now, 0, 1.99, True)
        add(out, "up", up if n == "2" else constant(now, 1), **ids)
        add(out, "process_resident_memory_bytes", gauge(rnd, now, 1e7, 1e9, True), **ids)
        add(out, "process_start_time_seconds", constant(now, now - 7200), **ids)
        for q in ("0.5", "0.9", "0.99"):
            add(out, "rpc_duration_seconds", gauge(rnd, now, 0, float(q)), quantile=q, **ids)


def data(now):
    """[(labels, samples)] in label order."""
    rnd, out = random.Random(42), []
    for instance in ("a:9100", "b:9100"):
        node_series(out, rnd, now, instance)
        add(out, "up", constant(now, 1), instance=instance, job="node")
    kube_series(out, rnd, now)
    http_series(out, rnd, now)
    return sorted(out, key=lambda s: sorted(s[0].items()))


WRITTEN = r"""
100 - (avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])) * 100)
1 - avg without (cpu, mode) (rate(node_cpu_seconds_total{job="node", mode=~"idle|iowait|steal"}[5m]))
sum by (mode) (irate(node_cpu_seconds_total{instance="a:9100"}[5m])) / on() group_left count(count by (cpu) (node_cpu_seconds_total{instance="a:9100"}))
count without (cpu) (count without (mode) (node_cpu_seconds_total{job="node"}))
topk(3, sum by (instance, mode) (rate(node_cpu_seconds_total{mode!="idle"}[5m])))
(1 - (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)) * 100
node_memory_MemTotal_bytes{job="node"} - node_memory_MemFree_bytes - node_memory_Buffers_bytes - node_memory_Cached_bytes
node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.1
instance:node_memory_utilisation:ratio or 1 - (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)
node_load1{job="node"} / count by (job, instance) (count by (job, instance, cpu) (node_cpu_seconds_total))
node_load15 > 1.5 * on(instance) group_left count by (instance) (node_cpu_seconds_total{mode="idle"})
(node_filesystem_avail_bytes{fstype!=""} / node_filesystem_size_bytes{fstype!=""} * 100 < 40 and predict_linear(node_filesystem_avail_bytes{fstype!=""}[30m], 24*60*60) < 0 and node_filesystem_readonly{fstype!=""} == 0)
100 - ((node_filesystem_avail_bytes{mountpoint="/"} * 100) / node_filesystem_size_bytes{mountpoint="/"})
sum by (instance) (max without (fstype, mountpoint) (node_filesystem_size_bytes{fstype!="tmpfs"} - node_filesystem_avail_bytes{fstype!="tmpfs"}))
bottomk(2, node_filesystem_avail_bytes / node_filesystem_size_bytes)
rate(node_network_receive_bytes_total{device!~"lo|veth.*"}[5m]) * 8
sum by (instance) (rate(node_network_receive_bytes_total{device!="lo"}[1m]) + rate(node_network_transmit_bytes_total{device!="lo"}[1m]))
-rate(node_network_transmit_bytes_total{device="eth0"}[5m])
rate(node_network_receive_errs_total[2m]) / rate(node_network_receive_bytes_total[2m]) > 0.01
increase(node_network_receive_errs_total[1h]) > 10
irate(node_disk_io_time_seconds_total{device=~"sd.*"}[5m])
clamp_max(rate(node_disk_io_time_seconds_total[5m]), 1)
node_time_seconds - node_boot_time_seconds
time() - node_boot_time_seconds{job="node"} < 100000
abs(node_time_seconds - timestamp(node_time_seconds)) > 0.05
changes(node_boot_time_seconds[1h])
node_uname_info * on(instance) group_left(release) node_uname_info
node_load1 * on(instance) group_left(nodename) node_uname_info
label_replace(up, "host", "$1", "instance", "([^:]+):.*")
label_join(kube_pod_info, "id", "/", "namespace", "pod")
up == 0
up{job="api"} == 0 or absent(up{job="api"})
absent(up{job="missing"})
absent_over_time(up{job="missing"}[10m])
100 * (count by (job) (up == 0) / count by (job) (up)) > 10
avg_over_time(up[15m]) < 0.9
min_over_time(up[30m]) == 0
count(up) by (job)
count_values("state", up)
sum(up) / count(up)
ALERTS{alertstate="firing"}
changes(process_start_time_seconds{job=~"api|web"}[15m]) > 2
time() - process_start_time_seconds
sum by (job) (rate(http_server_requests_total[5m]))
sum by (code) (rate(http_server_requests_total{job="api"}[1m]))
sum(rate(http_server_requests_total{code=~"5.."}[5m])) / sum(rate(http_server_requests_total[5m]))
sum by (job, handler) (rate(http_server_requests_total{code!~"2.."}[5m])) / ignoring(code) sum by (job, handler) (rate(http_server_requests_total[5m])) > 0.01
sum by (handler) (increase(http_server_requests_total[30m])) > bool 1000
topk by (job) (1, sum by (job, handler) (rate(http_server_requests_total[5m])))
sort_desc(sum by (handler) (rate(http_server_requests_total[5m])))
sum without (instance) (rate(http_server_requests_total{code="200"}[5m]))
rate(http_server_requests_total[5m]) / ignoring(code) group_left sum without (code) (rate(http_server_requests_total[5m]))
histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))
histogram_quantile(0.9, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))
histogram_quantile(0.99, rate(http_request_duration_seconds_bucket{job="web"}[10m]))
sum by (job) (rate(http_request_duration_seconds_bucket{le="0.1"}[5m])) / sum by (job) (rate(http_request_duration_seconds_count[5m]))
(sum(rate(http_request_duration_seconds_bucket{le="0.1"}[5m])) by (job) + sum(rate(http_request_duration_seconds_bucket{le="0.5"}[5m])) by (job)) / 2 / sum(rate(http_request_duration_seconds_count[5m])) by (job)
rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])
sum by (le) (increase(http_request_duration_seconds_bucket[1m]))
histogram_quantile(0.9, sum(rate(http_request_duration_seconds_bucket[5m])) by (le)) > 0.3
histogram_fraction(0, 0.1, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))
rpc_duration_seconds{quantile="0.99"} > 0.5
max by (job) (rpc_duration_seconds{quantile="0.9"})
quantile_over_time(0.95, rpc_duration_seconds{quantile="0.5"}[10m])
sum by (namespace) (kube_pod_status_phase{phase="Running"})
sum by (namespace, phase) (kube_pod_status_phase) > 0
kube_deployment_status_replicas_available != kube_deployment_spec_replicas
kube_deployment_spec_replicas > kube_deployment_status_replicas_available and changes(kube_deployment_status_replicas_available[10m]) == 0
(kube_deployment_spec_replicas != kube_deployment_status_replicas_available) and on(namespace) (changes(kube_deployment_status_replicas_available[5m]) > 0)
rate(kube_pod_container_status_restarts_total[10m]) * 60 * 5 > 0
increase(kube_pod_container_status_restarts_total{namespace!="kube-system"}[1h]) > 3
max_over_time(kube_pod_container_status_restarts_total[5m]) - min_over_time(kube_pod_container_status_restarts_total[5m])
sum by (namespace) (kube_pod_container_resource_requests{resource="cpu"}) / ignoring(namespace) group_left sum(kube_pod_container_resource_limits{resource="cpu"})
sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!=""}[5m])) / on(namespace, pod) sum by (namespace, pod) (kube_pod_container_resource_requests{resource="cpu"})
sum by (pod) (container_memory_working_set_bytes{namespace="default"}) / sum by (pod) (kube_pod_container_resource_limits{resource="memory", namespace="default"})
sum by (node) (rate(container_cpu_usage_seconds_total[5m]) * on(namespace, pod) group_left(node) kube_pod_info)
sum by (created_by_name) (container_memory_working_set_bytes * on(namespace, pod) group_left(created_by_name) kube_pod_info)
count by (node) (kube_pod_info) > 3
topk(5, sum by (namespace, pod) (container_memory_working_set_bytes)) / 1024 / 1024
container_memory_working_set_bytes > 1.1 * avg_over_time(container_memory_working_set_bytes[30m])
(container_memory_working_set_bytes - avg_over_time(container_memory_working_set_bytes[30m])) / stddev_over_time(container_memory_working_set_bytes[30m])
deriv(process_resident_memory_bytes[30m]) > 0
predict_linear(process_resident_memory_bytes[15m], 3600) > 1e9
process_resident_memory_bytes / 1024^2
delta(process_resident_memory_bytes[10m])
double_exponential_smoothing(process_resident_memory_bytes[10m], 0.3, 0.3)
max_over_time(rate(http_server_requests_total[5m])[30m:1m])
avg_over_time(sum by (job) (rate(http_server_requests_total[5m]))[30m:5m])
sum(rate(http_server_requests_total[5m])) - sum(rate(http_server_requests_total[5m] offset 30m))
sum(rate(http_server_requests_total[5m])) / sum(rate(http_server_requests_total[5m] offset 10m)) - 1
rate(http_server_requests_total[5m] @ end())
http_server_requests_total @ start() - http_server_requests_total @ end()
sum_over_time(up[10m]) / count_over_time(up[10m])
last_over_time(up[5m]) and on(instance) process_resident_memory_bytes > 5e8
present_over_time(up{job="web"}[5m])
stdvar by (job) (process_resident_memory_bytes)
quantile by (job) (0.75, process_resident_memory_bytes)
group by (job, instance) (up)
round(100 * avg by (job) (up), 0.1)
ceil(node_load1) + floor(node_load5)
sgn(deriv(node_load1[10m]))
exp(ln(node_load1 + 1)) - 1
sqrt(node_load1) ^ 2 - node_load1
log2(node_memory_MemTotal_bytes) + log10(node_memory_MemTotal_bytes)
clamp(node_load1, 0.5, 1.5)
scalar(sum(up)) * vector(1)
vector(time()) - vector(1)
hour() >= 8 and hour() <= 18 or vector(0)
day_of_week(vector(1700000000)) == 2
minute(node_boot_time_seconds)
days_in_month() - day_of_month()
node_load1 unless on(instance) node_load5 > 2
node_load1 or node_load5
sum({__name__=~"node_load.+"}) by (__name__)
count({job="node"}) by (__name__)
count by (__name__, job) ({__name__=~"http_.*"})
{__name__="up", job="node"}
{job=~"api|web", __name__=~"process_.*"}
node_load1{instance=~".*:9100", job!~"x.*"}
sort(node_load1)
sort_by_label(up, "instance")
idelta(node_load1[5m])
resets(http_server_requests_total[30m])
irate(http_server_requests_total{handler="/"}[1m]) > 10
atan2(node_load1, node_load5)
node_load1 % 1
1 / 0 * node_load1
node_load1 / 0
0 / 0 == bool 0
node_load1 > bool node_load5
-node_load1 < 0
2 ^ node_load1
pi() * node_load1
deg(rad(node_load1)) - node_load1
limitk(2, up)
mad_over_time(node_load1[10m])
info(up)
ts_of_max_over_time(node_load1[10m])
"""

RANGES = ("1m", "5m", "15m")
COUNTERS = ("http_server_requests_total", 'http_server_requests_total{code="200"}', 'node_cpu_seconds_total{mode="idle"}',
            "node_network_receive_bytes_total", 'container_cpu_usage_seconds_total{namespace="default"}')
GAUGES = ("node_load1", "process_resident_memory_bytes", 'node_filesystem_avail_bytes{fstype="ext4"}', "up")
OVER_COUNTERS = ("rate", "irate", "increase", "resets")
OVER_GAUGES = ("avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "stddev_over_time", "count_over_time", "delta", "deriv",
               "changes", "last_over_time", "idelta", "stdvar_over_time", "present_over_time")
AGGREGATIONS = ("sum", "avg", "max", "min", "count", "stddev", "stdvar", "group")
GROUPINGS = ("", " by (job)", " by (instance)", " without (instance)", " by (job, instance)", " by (nothing)")


def generated():
    over = [f"{f}({s}[{r}])" for f, s, r in itertools.product(OVER_COUNTERS, COUNTERS, RANGES)]
    over += [f"{f}({s}[{r}])" for f, s, r in itertools.product(OVER_GAUGES, GAUGES, RANGES)]
    yield from over
    for aggregation, grouping, inner in itertools.product(AGGREGATIONS, GROUPINGS, over[::11]):
        yield f"{aggregation}{grouping} ({inner})"
    for k, (a, b) in enumerate(itertools.product(over[::9], over[::13])):
        op = ("+", "-", "*", "/", ">", "< bool", "and", "or", "unless", "==")[k % 10]
        how = "" if op in ("or",) else (" on(instance)", " ignoring(code)", " on(job, instance)")[k % 3]
        yield f"sum by (job, instance) ({a}) {op}{how} avg by (job, instance) ({b})"
    for q, grouping, r in itertools.product(("0", "0.5", "0.95", "1", "NaN", "2"), ("le", "le, job", "le, job, instance"), RANGES):
        yield f"histogram_quantile({q}, sum by ({grouping}) (rate(http_request_duration_seconds_bucket[{r}])))"
    for k, inner in itertools.product(("1", "3"), over[::8]):
        yield f"topk({k}, {inner})"
        yield f"bottomk({k}, {inner})"
        yield f"quantile(0.{k}, {inner})"
    for inner, offset in itertools.product(over[::12], ("5m", "-5m", "30m")):
        yield inner[:-1] + f" offset {offset})"
    for f, inner in itertools.product(("abs", "ceil", "floor", "round", "sqrt", "ln", "exp", "sgn", "timestamp", "absent", "sort"), over[::14]):
        yield f"{f}({inner})"


def expressions():
    """At least a thousand, each once."""
    written = [line for line in WRITTEN.strip().splitlines() if line]
    return list(dict.fromkeys(written + list(generated())))


if __name__ == "__main__":
    print(len(expressions()))
