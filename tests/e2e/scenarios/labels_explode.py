"""Scenario 4: a microblog with labels that explode (docs/scenarios/labels-explode.md).

python3 tests/e2e/scenarios/labels_explode.py              needs a Prometheus 3: scripts/senders.sh prometheus
VALUES=1000000 python3 tests/e2e/scenarios/labels_explode.py     the long form, a million values (2.5 GB for Prometheus)
"""
import json
import os
import time

from common import Gnomon, Pages, Prometheus, compare, run, scrape, since, wait_for

VALUES = int(os.environ.get("VALUES", 6000))
USERS, IPS = 40, 200
LIMIT_MIB = 256 if VALUES <= 100000 else 1024

QUESTIONS = [
    ("tweets per user and second, the five busiest", "topk(5, sum by (user_id) (rate(tweet_service_tweet_counter[1m])))"),
    ("all tweets per second", "sum(rate(tweet_service_tweet_counter[1m]))"),
    ("p90 of what a user waits", "histogram_quantile(0.9, sum by (user_id, le) (rate(tweet_service_tweet_seconds_bucket[1m])))"),
    ("users who tweet", "count(count by (user_id) (tweet_service_tweet_counter))"),
    ("logins by address, the three most", "topk(3, sum by (ip) (rate(auth_service_login_total[1m])))"),
    ("failed logins in all", 'sum(increase(auth_service_login_total{result="failed"}[1m]))'),
]


class Microblog:
    """Its page grows: at each scrape more tweets have been retweeted, until VALUES."""

    def __init__(self):
        self.scrapes = 0

    def page(self):
        self.scrapes += 1
        n = self.scrapes
        lines = ["# TYPE tweet_service_retweet_counter counter"]
        lines += [f'tweet_service_retweet_counter{{tweet_id="{i}"}} {i % 7 + n}' for i in range(min(VALUES, VALUES * n // 8))]
        lines += ["# TYPE tweet_service_tweet_counter counter"]
        lines += [f'tweet_service_tweet_counter{{user_id="u{u}"}} {n * (u + 1)}' for u in range(USERS)]
        lines += ["# TYPE tweet_service_tweet_seconds histogram"]
        for u in range(USERS):
            lines += [f'tweet_service_tweet_seconds_bucket{{user_id="u{u}",le="{le}"}} {n * k}' for le, k in (("0.1", u % 3), ("0.5", 4), ("+Inf", 5))]
            lines += [f'tweet_service_tweet_seconds_sum{{user_id="u{u}"}} {n * 1.25}', f'tweet_service_tweet_seconds_count{{user_id="u{u}"}} {n * 5}']
        lines += ["# TYPE auth_service_login_total counter"]
        lines += [f'auth_service_login_total{{ip="10.0.{i // 250}.{i % 250}",result="{r}"}} {n * (2 * i + k)}' for i in range(IPS) for k, r in enumerate(("ok", "failed"))]
        return "\n".join(lines) + "\n"


def metric(server, name, label=""):
    page = server.get("/metrics")[2].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.split("{")[0].split(" ")[0] == name and label in line)


def peak_mib(server):
    with open(f"/proc/{server.process.p.pid}/status") as f:
        return int(f.read().split("VmHWM:")[1].split()[0]) >> 10


def count(server, name):
    got = server.query(f"count({name})")
    return int(got[0]["value"][1]) if got else 0


def prometheus_of(server, blog):
    interval = "scrape_interval: 1s, scrape_timeout: 1s, " if VALUES <= 100000 else "scrape_interval: 15s, scrape_timeout: 14s, "
    return Prometheus(since((3, 0), "prometheus"), server, scrape("microblog", blog.port, more=interval))


def test_all_values_are_taken_in_bounded_memory_and_the_offender_is_named():
    blog = Microblog()
    with Gnomon(f"--memory.limit={LIMIT_MIB}MiB") as server, Pages(metrics=blog.page) as page, prometheus_of(server, page) as prometheus:
        wait_for("every tweet", lambda: count(server, "tweet_service_retweet_counter") == VALUES, timeout=600)
        rounds = blog.scrapes + 4
        wait_for("some more scrapes", lambda: blog.scrapes > rounds)
        status = server.api("status/tsdb", limit=3)
        metrics, labels = status["seriesCountByMetricName"], status["labelValueCountByLabelName"]
        assert metrics[0] == {"name": "tweet_service_retweet_counter", "value": VALUES}, metrics
        assert labels[0] == {"name": "tweet_id", "value": VALUES}, labels
        begin = time.monotonic()
        server.query(QUESTIONS[0][1])
        took = time.monotonic() - begin
        compare(prometheus, server, QUESTIONS, seconds=5)
        assert peak_mib(server) < LIMIT_MIB, f"{peak_mib(server)} MiB"
        assert not prometheus.losses(), prometheus.losses()
        print(f"  {VALUES} values of tweet_id; at most {peak_mib(server)} MiB of {LIMIT_MIB}; top users in {took * 1000:.1f} ms; "
              f"most series: {metrics[0]['name']}, most values: {labels[0]['name']}")


def test_a_bound_stops_one_metric_and_nothing_else():
    blog, most = Microblog(), VALUES // 2
    with Gnomon(f"--limit.series-per-metric={most}") as server, Pages(metrics=blog.page) as page, prometheus_of(server, page) as prometheus:
        hits = lambda: metric(server, "gnomon_ingest_limit_hits_total", 'offender="tweet_service_retweet_counter"')
        wait_for("the bound", hits)
        rounds = blog.scrapes + 4
        wait_for("some more scrapes", lambda: blog.scrapes > rounds)
        compare(prometheus, server, QUESTIONS, seconds=3, quiet=True)
        assert count(server, "tweet_service_retweet_counter") == most
        # Those that are known still grow: their newest sample is the newest of all.
        newest = server.query("max(timestamp(tweet_service_retweet_counter)) >= max(timestamp(tweet_service_tweet_counter)) - 2")
        assert newest, server.query("max(timestamp(tweet_service_tweet_counter))")
        with open(server.tmp + "/server.log") as f:
            named = [line for line in f if "tweet_service_retweet_counter" in line]
        assert named, "the log does not name the metric"
        print(f"  {most} of {VALUES} series of the one, everything of the others; {int(hits())} samples kept out\n  {named[0].strip()[:180]}")


if __name__ == "__main__":
    run(globals())
