#!/usr/bin/env python3
"""Races Gnomon beside VictoriaMetrics and Prometheus: the same bytes, one machine, one run, one after the other.

usage: make bench-peers       environment:
  RACES        which (bench/README.md; default all): ingest orders churn memory cardinality labels restart values
               long heavy disk compaction dashboards deletion mixed
  CONTESTANTS  gnomon victoriametrics prometheus; programs by GNOMON, VICTORIAMETRICS, PROMETHEUS
  FULL=1       the sizes of the published tables as defaults (hours); without it all is done in minutes
  SERIES       of the first data sets ("100000"; several are several sets); STEPS samples on each (24), 15 s apart
  VALUES       "series:hours" of the set in which each series has a label value of its own, for values and heavy
  LONG         "series:hours" of the set for memory and restart
  DAYS         "series:hours:step ..." of the sets for compaction, disk, dashboards and deletion
  HOURS        ranges of the dashboards ("1 24 168", those that fit into the set)
  WEEK=1       dashboards over a week of 10,000 series and a day of 100,000, merged, in bounded time: defaults are then
               RACES="compaction disk dashboards" DAYS="10000:168:60 100000:24:15" LOAD_SECONDS=900 QUERY_SECONDS=20
               REPEAT=5; who has not taken the data by then is noted as too slow
  MIXED        "series:seconds" (at most 170 million samples)
  CORPUS       file of real series (bench/README.md); without it made-up ones, and no race `disk` on real times
  QUERY_SECONDS (60) for one query, LOAD_SECONDS (3600) for one load; REPEAT (7) runs of a query, fewer of slow ones
  OUT          (build/bench-peers): data while it is needed, result.json, result.md; KEEP_GIB (8) of generated load
Server CPU, memory and writes are what the operating system counted, times are the client's.  The last columns say how
many times better Gnomon is: below 1 it lost.  The result is written anew after each race, so it can be broken off.
"""
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback

import races
from contestants import ROOT, Server, programs, version_of
from loads import Load, TooSlow
from report import Report

ENV = os.environ
if ENV.get("WEEK"):
    for key, value in (("RACES", "compaction disk dashboards"), ("DAYS", "10000:168:60 100000:24:15"),
                       ("LOAD_SECONDS", "900"), ("QUERY_SECONDS", "20"), ("REPEAT", "5")):
        ENV.setdefault(key, value)
FIRST = "ingest orders churn memory cardinality labels restart".split()
ALL = FIRST + "values long heavy disk compaction dashboards deletion mixed".split()
FULL = bool(ENV.get("FULL"))
STEP_S = 15
MIXED_SAMPLES = 170_000_000  # 4 GB of requests
BLOCK_S = 12 * 3600  # days are laid out so that they fill whole merges


def setting(name, small, full):
    return ENV.get(name, full if FULL else small)


def short(count):
    return f"{count / 1e6:.3g}M" if count >= 1e6 else f"{count / 1e3:.3g}k" if count >= 1e3 else str(count)


class Run:
    """Settings, what is found, and who races."""

    def __init__(self):
        self.races = ENV.get("RACES", " ".join(ALL)).split()
        if set(self.races) - set(ALL):
            sys.exit(f"unknown race: {' '.join(set(self.races) - set(ALL))}; there are {' '.join(ALL)}")
        self.out = os.path.abspath(ENV.get("OUT", os.path.join(ROOT, "build/bench-peers")))
        self.corpus, self.port = ENV.get("CORPUS", "synthetic:3260"), int(ENV.get("PORT", 18420))
        self.now, self.steps = int(time.time()) // 60 * 60, int(ENV.get("STEPS", 24))
        self.query_seconds, self.load_seconds = float(ENV.get("QUERY_SECONDS", 60)), float(ENV.get("LOAD_SECONDS", 3600))
        self.repeat, self.keep_gib = int(ENV.get("REPEAT", 7)), float(ENV.get("KEEP_GIB", 8))
        found = programs()
        wanted = ENV.get("CONTESTANTS", "gnomon victoriametrics prometheus").split()
        self.programs = {n: found[n] for n in wanted if found.get(n) and os.access(found[n], os.X_OK)}
        for name in [n for n in wanted if n not in self.programs]:
            print(f"{name} is not here and does not race", file=sys.stderr)
        os.makedirs(self.out, exist_ok=True)
        self.report = Report(self.out, {
            "versions": {n: version_of(n, p) for n, p in self.programs.items()}, "cores": os.cpu_count(),
            "load": os.getloadavg()[0], "sizes": f"Corpus {os.path.basename(self.corpus)}."})

    def load(self, name, series, steps, begin_s, order="learned", step_s=STEP_S):
        return Load(self.out, self.corpus, name, series, steps, begin_s, step_s, order, self.keep_gib)

    def wants(self, *names):
        return set(names) & set(self.races)

    def each(self, title, work):
        """Every contestant on one data set.  What one of them cannot do is noted and does not end the run."""
        for i, (name, program) in enumerate(self.programs.items()):
            print(f"== {title}: {name} {self.report.facts['versions'][name]}", flush=True)
            server = Server(name, program, self.out, self.port + i)
            try:
                server.start()
                work(server)
            except (TooSlow, RuntimeError, OSError, subprocess.SubprocessError, ValueError, KeyError) as e:
                self.report.failed(title, name, f"{type(e).__name__}: {e}")
                if not isinstance(e, TooSlow):
                    traceback.print_exc()
            finally:
                server.close()
                self.report.save()


def first_set(run, series):
    tag = " " + short(series)
    begin = run.now - run.steps * STEP_S
    new, known = run.load("new", series, 1, begin), run.load("known", series, run.steps - 1, begin + STEP_S)
    warm = run.load("warm", series, 1, run.now - STEP_S // 2)  # after a restart whatever a server remembers of its senders is gone
    foreign = run.load("foreign", series, 6, run.now, "foreign")
    random = run.load("random", series, 4, run.now + 6 * STEP_S, "random")
    churn = run.load("churn", series, 3, run.now + 10 * STEP_S, "churn")

    def work(server):
        said_new, said = new.send(server, run.load_seconds), known.send(server, run.load_seconds)
        if run.wants("ingest"):
            races.ingest_note(run, "ingest" + tag, server, said_new, "new series", new=True)
            races.ingest_note(run, "ingest" + tag, server, said, "known series")
        server.settle()
        if run.wants("memory"):
            races.memory(run, server, new.series, f"after {run.steps} samples on each series", tag)
        end = run.now - STEP_S
        if run.wants("cardinality"):
            races.cardinality(run, server, end, tag)
        if run.wants("labels"):
            races.labels(run, server, end, tag)
        if run.wants("memory") and run.wants("cardinality", "labels"):
            run.report.note("memory" + tag, "peak after the queries", "MiB", server.name, server.memory("VmHWM") / 2**20)
        if run.wants("restart"):
            races.restart(run, server, end, tag)
        if run.wants("orders"):
            warm.send(server, run.load_seconds)
            said = foreign.send(server, run.load_seconds)
            races.ingest_note(run, "orders" + tag, server, said, "known series, each time in another sender's order")
            said = random.send(server, run.load_seconds)
            races.ingest_note(run, "orders" + tag, server, said, "known series in random order")
        if run.wants("churn"):
            races.ingest_note(run, "churn" + tag, server, churn.send(server, run.load_seconds),
                              "all series new, three times over", new=True)

    run.each(f"{short(series)} series × {run.steps}", work)
    for load in (new, known, warm, foreign, random, churn):
        load.remove()


def unique_set(run):
    """A label with a value of its own for each series, so that rates over all of them are a valid expression."""
    series, hours = setting("VALUES", "100000:0.25", "1010600:1").split(":")
    steps = int(float(hours) * 3600 / STEP_S)
    load = run.load("unique", int(series), steps, run.now - steps * STEP_S, "unique")
    tag = f" {short(load.series)} × {hours} h"

    def work(server):
        load.send(server, run.load_seconds)
        server.settle()
        if run.wants("values"):
            races.values(run, server, load.end_s(), tag)
        if run.wants("heavy"):
            races.heavy(run, server, load.end_s(), tag)

    run.each("unique" + tag, work)
    load.remove()


def long_set(run):
    series, hours = setting("LONG", "100000:0.5", "1010600:2").split(":")
    steps = int(float(hours) * 3600 / STEP_S)
    load = run.load("long", int(series), steps, run.now - steps * STEP_S)
    tag = f" {short(load.series)} × {hours} h"

    def work(server):
        said = load.send(server, run.load_seconds)
        server.settle()
        races.ingest_note(run, "ingest" + tag, server, said, "new and known series")
        races.memory(run, server, load.series, "after all samples", tag)
        races.restart(run, server, load.end_s(), tag)

    run.each(tag.strip(), work)
    load.remove()


def later_sample(run, server):
    """A sample of now: whoever writes blocks by time sees that the time before is over."""
    late = run.load("late", 1, 1, run.now)
    late.send(server, run.load_seconds)
    late.remove()


def disk_sets(run):
    """The corpus with its own times, within one block of two hours."""
    if run.corpus.startswith("synthetic:"):
        print("race disk on real times needs CORPUS=file", file=sys.stderr)
        return
    begin = run.now // 7200 * 7200 - 3 * 7200
    for step in (1, 15):
        load = run.load(f"real-{step}", 1, 0, begin, "real", step)

        def work(server, load=load, step=step):
            said = load.send(server, run.load_seconds)
            later_sample(run, server)
            server.merge(300)
            races.disk(run, server, said["samples"], f"real exporters at {step} s")

        run.each(f"disk, {step} s", work)
        load.remove()


def days_set(run, spec):
    series, hours, step = spec.split(":")
    hours, step = float(hours), int(step)
    steps = int(hours * 3600 / step)
    past = hours >= 12  # of the past and whole, or up to now and in memory
    begin = run.now // BLOCK_S * BLOCK_S - steps * step if past else run.now - steps * step
    load = run.load("days", int(series), steps, begin, step_s=step)
    tag = f" {short(load.series)} × {hours:g} h at {step} s"
    ranges = [h for h in map(float, ENV.get("HOURS", "1 24 168").split()) if h <= hours]

    def work(server):
        said = load.send(server, run.load_seconds)
        said["cpu_at_end"] = server.cpu()
        if past:
            later_sample(run, server)
            server.merge(900)
            if run.wants("compaction"):
                races.compaction(run, server, said, tag)
            if run.wants("disk", "compaction"):
                races.disk(run, server, said["samples"], tag.strip())
        else:
            server.settle()
        if run.wants("dashboards"):
            races.dashboards(run, server, load.end_s(), tag, ranges)
        if past and run.wants("deletion"):
            races.deletion(run, server, load.end_s(), tag)

    if run.wants("dashboards") or past:
        run.each(tag.strip(), work)
    load.remove()


def mixed_set(run):
    series, seconds = setting("MIXED", "100000:30", "1010600:300").split(":")
    series, seconds = int(series), float(seconds)
    begin = run.now - int(setting("MIXED_HOURS", "12", "48")) * 3600
    new, some = run.load("mixed-new", series, 1, begin), run.load("mixed-some", series, 11, begin + STEP_S)

    def work(server):
        new.send(server, run.load_seconds)
        maximum = some.send(server, run.load_seconds)["samples_per_s"]

        def make_stream(rate):  # whole, so that nothing is generated meanwhile
            steps = max(2, int(min(rate * seconds, MIXED_SAMPLES) / new.series))
            return Load(run.out, run.corpus, "mixed-stream-" + server.name, series, steps, begin + 12 * STEP_S, STEP_S,
                        whole=True)

        races.mixed(run, server, maximum, make_stream, " " + short(new.series))

    run.each(f"mixed, {short(series)} series", work)
    new.remove()
    some.remove()


def ended(_signal, _frame):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, ended)
    run = Run()
    try:
        if run.wants(*FIRST):
            for series in setting("SERIES", "100000", "104320 1010600").split():
                first_set(run, int(series))
        if run.wants("values", "heavy"):
            unique_set(run)
        if run.wants("long"):
            long_set(run)
        if run.wants("disk"):
            disk_sets(run)
        if run.wants("compaction", "dashboards", "deletion", "disk"):
            for spec in setting("DAYS", "10000:1:15", "10000:168:60 100000:24:15").split():
                days_set(run, spec)
        if run.wants("mixed"):
            mixed_set(run)
    except KeyboardInterrupt:
        print("broken off: what was measured so far is kept", file=sys.stderr)
    finally:
        for server in list(Server.living):
            server.close()
        for name in os.listdir(run.out):
            if name.endswith((".rw", ".rw.tmp")):
                os.remove(os.path.join(run.out, name))
            elif name.startswith("data-") and os.path.isdir(os.path.join(run.out, name)):
                shutil.rmtree(os.path.join(run.out, name), ignore_errors=True)
        run.report.save()
    print(run.report.markdown())
    print(f"written to {run.out}/result.json and result.md")


main()
