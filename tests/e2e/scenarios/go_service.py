"""Scenario 1: a Go shop's first Kubernetes service (docs/scenarios/go-service.md).

python3 tests/e2e/scenarios/go_service.py        needs a Prometheus 3 and the shop: scripts/senders.sh prometheus shop
"""
import random
import time

from common import Gnomon, Pages, Prometheus, compare, free_port, get, program, run, running, scrape, since, wait_for

QUESTIONS = [
    ("failed connects, more than 3 in 5 m", 'increase(wolt_db_connect_success{status="failure"}[5m]) > 3'),
    ("share of connects over 2 s", '1 - sum by (host) (rate(wolt_db_connect_time_bucket{le="2.0"}[5m])) / sum by (host) (rate(wolt_db_connect_time_count[5m]))'),
    ("query successes below 3 in 5 m", 'increase(wolt_db_query_success{status="success"}[5m]) < 3'),
    ("availability, bad by total", 'sum by (job) (rate(wolt_http_requests_total{code=~"5.."}[5m])) / sum by (job) (rate(wolt_http_requests_total[5m]))'),
    ("requests by class", 'sum by (class) (label_replace(rate(wolt_http_requests_total[5m]), "class", "${1}xx", "code", "(.).*"))'),
    ("p50 by endpoint", "histogram_quantile(0.5, sum by (endpoint, le) (rate(wolt_http_response_time_seconds_bucket[5m])))"),
    ("p99 by endpoint", "histogram_quantile(0.99, sum by (endpoint, le) (rate(wolt_http_response_time_seconds_bucket[5m])))"),
    ("p99 by endpoint, native", "histogram_quantile(0.99, sum by (endpoint) (rate(wolt_http_response_time_seconds[5m])))"),
    ("slowest queries", "max by (host) (wolt_db_query_time{quantile=\"0.99\"})"),
    ("encoding, mean", "rate(wolt_json_encode_time_sum[5m]) / rate(wolt_json_encode_time_count[5m])"),
    ("growth of the blog count per minute", "deriv(wolt_blog_count[5m]) * 60"),
    ("blogs in four hours", "predict_linear(wolt_blog_count[5m], 4 * 3600)"),
    ("seconds until 10,000 blogs", "(10000 - wolt_blog_count) / deriv(wolt_blog_count[5m])"),
    ("restarts of its pods", "sum by (pod) (increase(kube_pod_container_status_restarts_total[5m]))"),
    ("pods that are not ready", 'kube_pod_status_ready{condition="true"} == 0'),
    ("requests per ready pod", 'sum(rate(wolt_http_requests_total[5m])) / sum(kube_pod_status_ready{condition="true"})'),
    ("requests by node", "sum by (node) (rate(wolt_http_requests_total[5m]) * on () group_left (node) max by (node) (kube_pod_info{pod=\"wolt-0\"}))"),
]


def kubernetes():
    """What kube-state-metrics tells of two pods."""
    return "\n".join([
        '# TYPE kube_pod_info gauge', 'kube_pod_info{namespace="shop",pod="wolt-0",node="n1",uid="a"} 1', 'kube_pod_info{namespace="shop",pod="wolt-1",node="n2",uid="b"} 1',
        '# TYPE kube_pod_status_ready gauge', 'kube_pod_status_ready{pod="wolt-0",condition="true"} 1', 'kube_pod_status_ready{pod="wolt-1",condition="true"} 0',
        '# TYPE kube_pod_container_status_restarts_total counter', 'kube_pod_container_status_restarts_total{pod="wolt-0",container="wolt"} 0',
        f'kube_pod_container_status_restarts_total{{pod="wolt-1",container="wolt"}} {random.randrange(3, 5)}', ""])


def work(port, rounds):
    """Customers: mostly fine, some slow, some refused; a database that fails now and then."""
    for i in range(rounds):
        get(port, "/do", method="GET", endpoint=random.choice(["/blog", "/list", "/"]), code=random.choice([200] * 8 + [404, 500]),
            seconds=random.choice([0.02, 0.07, 0.3, 1.4, 3.0]))
        get(port, "/db", host=random.choice(["db1", "db2"]), ok=int(random.random() > 0.2), query=int(random.random() > 0.1), seconds=random.choice([0.05, 0.4, 2.5]))
        get(port, "/db", host="db3", ok=0, seconds=4)
        if i % 3 == 0:
            get(port, "/blog")


def test_what_the_team_asks_is_answered_as_prometheus_answers_it():
    prometheus_binary, shop, port = since((3, 0), "prometheus"), program("shop"), free_port()
    with Gnomon() as server, Pages(metrics=kubernetes) as pods:
        with running([shop, f"--listen=127.0.0.1:{port}"], server.tmp + "/shop.log", lambda: get(port, "/health")[0] == 200):
            jobs = scrape("wolt", port, more="scrape_native_histograms: true, always_scrape_classic_histograms: true, ") + scrape("kube-state-metrics", pods.port)
            with Prometheus(prometheus_binary, server, jobs, "send_native_histograms: true\nsend_exemplars: true") as prometheus:
                wait_for("the first scrape", lambda: server.query("wolt_blog_count"))
                get(port, "/db", host="db4")
                for _ in range(12):
                    work(port, 5)
                    time.sleep(0.5)
                get(port, "/db", host="db4")
                compare(prometheus, server, QUESTIONS)
                assert not prometheus.losses(), prometheus.losses()
                print(f"  {len(QUESTIONS)} questions, each at one instant and over 41 steps, equal to Prometheus")


if __name__ == "__main__":
    run(globals())
