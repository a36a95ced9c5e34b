#!/usr/bin/env python3
"""Races Gnomon beside VictoriaMetrics and Prometheus: the same bytes, one machine, one run, one after the other.

usage: make bench-peers       environment:
  RACES        which: ingest memory cardinality labels restart disk dashboards mixed (all)
  CONTESTANTS  gnomon victoriametrics prometheus; programs by GNOMON, VICTORIAMETRICS, PROMETHEUS
  SERIES       of the first data set (100000); STEPS samples on each (24), STEP seconds apart (15)
  CORPUS       file of real series (bench/README.md); without it made-up ones
  DASHBOARD_SERIES (10000) and DASHBOARD_HOURS ("1"; "1 24 168" asks each expression over each of these ranges)
  MIXED_SECONDS (20); OUT (build/bench-peers): data, result.json, result.md; REPEAT (7) runs of a query
Server CPU, memory and writes are what the operating system counted, times are the client's.  The last columns say how
many times better Gnomon is: below 1 it lost.
"""
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

from contestants import ROOT, Server, programs, version_of

ENV = os.environ
ALL = "ingest memory cardinality labels restart disk dashboards mixed".split()
RACES = ENV.get("RACES", " ".join(ALL)).split()
SERIES, STEPS, STEP = int(ENV.get("SERIES", 100000)), int(ENV.get("STEPS", 24)), int(ENV.get("STEP", 15))
CORPUS = ENV.get("CORPUS", "synthetic:3260")
HOURS = [float(h) for h in ENV.get("DASHBOARD_HOURS", "1").split()]
DASHBOARD_SERIES = int(ENV.get("DASHBOARD_SERIES", 10000))
MIXED_SECONDS, REPEAT = int(ENV.get("MIXED_SECONDS", 20)), int(ENV.get("REPEAT", 7))
OUT = os.path.abspath(ENV.get("OUT", os.path.join(ROOT, "build/bench-peers")))
TOOLS = os.path.join(ROOT, "build/release")
PORT = int(ENV.get("PORT", 18420))
PER_REQUEST = 2000
NOW = int(time.time()) // 60 * 60

results = []  # (race, what, unit, {contestant: number})


def note(race, what, unit, name, value):
    for row in results:
        if row[0] == race and row[1] == what:
            row[3][name] = value
            break
    else:
        results.append((race, what, unit, {name: value}))
    print(f"  {race:12} {what[:84]:84} {value:14.4f} {unit}", flush=True)


# ---- Load ----

def corpus_series():
    if CORPUS.startswith("synthetic:"):
        return int(CORPUS.split(":")[1])
    with open(CORPUS, "rb") as f:
        return int.from_bytes(f.read(8)[4:], "little")


def generate(name, series, steps, begin_s, order="learned", step=STEP):
    """A file of bodies, made once; returns it with the requests in a step."""
    path = os.path.join(OUT, name + ".rw")
    replicas = max(1, round(series / corpus_series()))
    done = subprocess.run([os.path.join(TOOLS, "tool_rwgen"), CORPUS, path, str(replicas), str(steps), str(PER_REQUEST),
                           str(begin_s * 1000), str(step * 1000), order], capture_output=True, text=True, check=True)
    made = int(re.search(r"series=(\d+)", done.stderr).group(1))
    return {"path": path, "series": made, "per_step": math.ceil(made / PER_REQUEST), "samples": made * steps}


def replay(server, load, rate=0):
    command = [os.path.join(TOOLS, "tool_rwreplay"), load["path"], "127.0.0.1", str(server.port), "/api/v1/write", "8",
               str(server.process.pid), str(load["per_step"]), str(rate)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"  {server.name}: not everything was taken: {done.stderr.strip()[:200]}", file=sys.stderr)
    return {key: float(value) for key, value in re.findall(r"(\w+)=([0-9.]+)", done.stdout)}


def first_load():
    begin = NOW - STEPS * STEP
    return {"new": generate("new", SERIES, 1, begin), "known": generate("known", SERIES, STEPS - 1, begin + STEP),
            "random": generate("random", SERIES, 4, NOW, "random")}


# ---- Queries ----

def expressions(name):
    with open(os.path.join(ROOT, "bench", name)) as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def request_of(line, end):
    """A line of a file of queries as path and parameters."""
    expr, *window = line.split("@@")
    if line.startswith("/"):
        return "/api/v1" + line, {"start": end - 900, "end": end}
    if window:
        return "/api/v1/query_range", {"query": expr, "start": end - int(window[0]), "end": end, "step": window[1]}
    return "/api/v1/query", {"query": expr, "time": end}


def ask(server, path, params, repeat=REPEAT):
    """Milliseconds of each run, CPU milliseconds of one, or None when it does not answer."""
    took, cpu = [], server.cpu()
    for _ in range(repeat):
        begin = time.monotonic()
        status, body = server.get(path, params)
        took.append((time.monotonic() - begin) * 1e3)
        if status != 200:
            print(f"  {server.name}: {status} {body[:120]!r}", file=sys.stderr)
            return None, 0
    return took, (server.cpu() - cpu) * 1e3 / repeat


def race_queries(server, race, lines, end):
    for line in lines:
        path, params = request_of(line, end)
        took, cpu = ask(server, path, dict(params, nocache=1))
        if took:
            note(race, line, "ms", server.name, statistics.median(took))
        if took and cpu >= 10:  # the system counts in hundredths of a second
            note(race, line + " (CPU)", "ms", server.name, cpu)


def race_dashboards(server, hours, end):
    """Each expression over each range; VictoriaMetrics again with its cache of results."""
    passes = [("", {"nocache": 1})] + ([("cached", {})] if server.name == "victoriametrics" else [])
    for hour in hours:
        span = int(hour * 3600)
        for label, extra in passes:
            name = server.name + ("+cache" if label else "")
            every, cpu_sum = [], 0
            for expr in expressions("queries-dashboards.txt"):
                params = {"query": expr, "start": end - span, "end": end, "step": max(STEP, span // 240)}
                took, cpu = ask(server, "/api/v1/query_range", dict(params, **extra))
                if took:
                    note(f"dash {hour:g}h", expr, "ms", name, statistics.median(took))
                    every += took
                    cpu_sum += cpu
            every.sort()
            note(f"dash {hour:g}h", "all of them: median", "ms", name, statistics.median(every))
            note(f"dash {hour:g}h", "all of them: p99", "ms", name, every[int(len(every) * 0.99)])
            note(f"dash {hour:g}h", "all of them: CPU of one round", "ms", name, cpu_sum)


# ---- Races on the first data set ----

def race_ingest(server, load):
    new, known = replay(server, load["new"]), replay(server, load["known"])
    shown = "ingest" in RACES
    if shown:
        note("ingest", "new series: CPU", "us/series", server.name, new["cpu_us_per_sample"])
        note("ingest", "known series: CPU", "us/sample", server.name, known["cpu_us_per_sample"])
        note("ingest", "known series: rate", "samples/s", server.name, known["samples_per_s"])
        note("ingest", "known series: request p99", "ms", server.name, known["lat_ms_p99"])
        note("ingest", "generator's own CPU", "us/sample", server.name, known["generator_us_per_sample"])
    server.settle()
    if "memory" in RACES:
        note("memory", f"after {STEPS} samples on each series", "B/series", server.name,
             server.memory("VmRSS") / load["known"]["series"])
        note("memory", "the same", "MiB", server.name, server.memory("VmRSS") / 2**20)
    return known["samples_per_s"]


def race_random(server, load):
    random = replay(server, load["random"])
    note("ingest", "known series in random order: CPU", "us/sample", server.name, random["cpu_us_per_sample"])


def count_all(server, end):
    status, body = server.get("/api/v1/query", {"query": 'count({__name__!=""})', "time": end, "nocache": 1})
    rows = json.loads(body)["data"]["result"] if status == 200 else []
    return int(float(rows[0]["value"][1])) if rows else 0


def race_restart(server, end):
    for how, label in ((signal.SIGKILL, "kill -9"), (signal.SIGTERM, "a clean stop")):
        server.stop(how)
        begin = time.monotonic()
        ready = server.start()
        found = count_all(server, end)
        note("restart", f"after {label}: ready", "s", server.name, ready)
        note("restart", f"after {label}: first answer", "s", server.name, time.monotonic() - begin)
        note("restart", f"after {label}: series found", "", server.name, found)
        note("restart", f"after {label}: peak memory", "MiB", server.name, server.memory("VmHWM") / 2**20)


def first_set(server, load):
    end = NOW - STEP
    server.start()
    rate = race_ingest(server, load)
    lines = expressions("queries-cardinality.txt")
    if "cardinality" in RACES:
        race_queries(server, "cardinality", [x for x in lines if not x.startswith("/")], end)
    if "labels" in RACES:
        race_queries(server, "labels", [x for x in lines if x.startswith("/")], end)
    if "memory" in RACES and {"cardinality", "labels"} & set(RACES):
        note("memory", "peak after the queries", "MiB", server.name, server.memory("VmHWM") / 2**20)
    if "restart" in RACES:
        race_restart(server, end)
    if "ingest" in RACES:
        race_random(server, load)
    server.close()
    return rate


# ---- Other data sets ----

def race_disk(server, load):
    """Hours of samples, until nothing is merged any more; then what lies on the disk and what was written for it."""
    replay(server, load)
    server.settle()
    if server.name == "victoriametrics":
        server.get("/internal/force_merge")
        server.settle()
    server.stop()
    note("disk", "bytes per sample at rest", "B", server.name, server.disk() / load["samples"])
    note("disk", "written per sample in total", "B", server.name, server.retired["written"] / load["samples"])
    note("disk", "CPU of it all", "us/sample", server.name, server.retired["cpu"] * 1e6 / load["samples"])
    server.start()


def dashboard_load():
    steps = int(max(HOURS) * 3600 / STEP) + 40
    return generate("dashboard", DASHBOARD_SERIES, steps, NOW - steps * STEP)


def dashboard_set(server, load):
    server.start()
    if "disk" in RACES:
        race_disk(server, load)
    else:
        replay(server, load)
        server.settle()
    if "dashboards" in RACES:
        race_dashboards(server, HOURS, NOW - STEP)
        note("memory", "dashboards: peak", "MiB", server.name, server.memory("VmHWM") / 2**20)
    server.close()


def user(server_name, port, end, stop, took):
    """Some of fifty users whose dashboards refresh every ten seconds."""
    own = Server.__new__(Server)
    own.name, own.port, own.connection = server_name, port, None
    lines, i = expressions("queries-dashboards.txt"), 0
    while not stop.is_set():
        begin = time.monotonic()
        own.get("/api/v1/query_range", {"query": lines[i % len(lines)], "start": end - 900, "end": end, "step": 15})
        took.append((time.monotonic() - begin) * 1e3)
        i += 1
        stop.wait(max(0, 0.16 - (time.monotonic() - begin)))


def race_mixed(server, load, rate):
    server.start()
    replay(server, load["new"])
    rate = rate / 2 if rate else 200000
    steps = max(2, int(rate * MIXED_SECONDS / load["new"]["series"]))
    stream = generate("mixed-" + server.name, SERIES, steps, NOW - STEPS * STEP + STEP, step=1)
    stop, took = threading.Event(), []
    users = [threading.Thread(target=user, args=(server.name, server.port, NOW - STEPS * STEP + steps, stop, took))
             for _ in range(8)]
    for thread in users:
        thread.start()
    ingest = replay(server, stream, rate)
    stop.set()
    for thread in users:
        thread.join()
    took.sort()
    note("mixed", "ingested meanwhile", "samples/s", server.name, ingest["samples_per_s"])
    note("mixed", "write p99", "ms", server.name, ingest["lat_ms_p99"])
    note("mixed", "query median", "ms", server.name, statistics.median(took))
    note("mixed", "query p99", "ms", server.name, took[int(len(took) * 0.99)])
    os.remove(stream["path"])
    server.close()


# ---- Report ----

MORE_IS_BETTER = ("samples/s", "")


def ratio(unit, values, peer):
    ours, theirs = values.get("gnomon"), values.get(peer)
    if not ours or not theirs:
        return ""
    return f"{ours / theirs if unit in MORE_IS_BETTER else theirs / ours:.1f}"


def markdown(versions):
    names = list(versions)
    peers = [n for n in names if n != "gnomon"]
    lines = [f"Measured {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {SERIES} series × {STEPS} samples, "
             + ", ".join(f"{n} {v}" for n, v in versions.items()), "",
             "| race | | " + " | ".join(names) + " | " + " | ".join(f"better than {p}, times" for p in peers) + " |",
             "|---" * (2 + len(names) + len(peers)) + "|"]
    for race, what, unit, values in results:
        cells = [f"{values[n]:.4g}" if n in values else "" for n in names]
        text = what.replace("|", "\\|")
        lines.append(f"| {race} | {text}{', ' + unit if unit else ''} | " + " | ".join(cells) + " | "
                     + " | ".join(ratio(unit, values, p) for p in peers) + " |")
    return "\n".join(lines) + "\n"


def main():
    os.makedirs(OUT, exist_ok=True)
    found = programs()
    wanted = ENV.get("CONTESTANTS", "gnomon victoriametrics prometheus").split()
    versions = {n: version_of(n, found[n]) for n in wanted if found.get(n) and os.access(found[n], os.X_OK)}
    for name in set(wanted) - set(versions):
        print(f"{name} is not here and does not race", file=sys.stderr)
    unknown = set(RACES) - set(ALL)
    if unknown:
        sys.exit(f"unknown race: {' '.join(unknown)}; there are {' '.join(ALL)}")
    first = first_load() if set(RACES) - {"dashboards", "disk"} else None
    second = dashboard_load() if {"dashboards", "disk"} & set(RACES) else None
    for i, name in enumerate(versions):
        server, rate = lambda: Server(name, found[name], OUT, PORT + i), 0
        print(f"== {name} {versions[name]}", flush=True)
        if set(RACES) - {"dashboards", "disk", "mixed"}:
            rate = first_set(server(), first)
        if second:
            dashboard_set(server(), second)
        if "mixed" in RACES:
            race_mixed(server(), first, rate)
    with open(os.path.join(OUT, "result.json"), "w") as f:
        json.dump({"versions": versions, "series": SERIES, "steps": STEPS, "cores": os.cpu_count(),
                   "results": [dict(zip(("race", "what", "unit", "values"), row)) for row in results]}, f, indent=1)
    with open(os.path.join(OUT, "result.md"), "w") as f:
        f.write(markdown(versions))
    print(markdown(versions))
    print(f"written to {OUT}/result.json and result.md")


main()
