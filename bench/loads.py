"""Data sets of the races: files of remote-write bodies, made in pieces, sent in pieces."""
import math
import os
import re
import subprocess

from contestants import ROOT

TOOLS = os.path.join(ROOT, "build/release")
PER_REQUEST, CONNECTIONS = 2000, 8
BYTES_PER_SAMPLE = {"unique": 48}  # of a file, about; else 24
PIECE_SAMPLES = 40_000_000


class TooSlow(Exception):
    pass


def corpus_series(corpus):
    if corpus.startswith("synthetic:"):
        return int(corpus.split(":")[1])
    with open(corpus, "rb") as f:
        return int.from_bytes(f.read(8)[4:], "little")


class Load:
    """Some steps of some series.  A piece of it is made when it is needed, and kept if all pieces together are small."""

    def __init__(self, out, corpus, name, series, steps, begin_s, step_s, order="learned", keep_gib=8,
                 whole=False):
        self.out, self.corpus, self.name, self.order = out, corpus, name, order
        self.replicas = max(1, round(series / corpus_series(corpus)))
        self.series = self.replicas * corpus_series(corpus)
        self.per_step = math.ceil(self.series / PER_REQUEST)
        self.begin_ms, self.step_ms = int(begin_s * 1000), int(step_s * 1000)
        if order == "real":
            self.pieces = [(0, 0)]
        elif whole:
            self.pieces = [(0, steps)]
        else:
            most = max(1, PIECE_SAMPLES // self.series)
            self.pieces = [(at, min(most, steps - at)) for at in range(0, steps, most)]
        self.steps, self.samples = steps, self.series * steps
        self.keeps = self.samples * BYTES_PER_SAMPLE.get(order, 24) < keep_gib * 2**30

    def end_s(self):
        return (self.begin_ms + self.step_ms * (self.steps - 1)) // 1000

    def path(self, first):
        return os.path.join(self.out, f"{self.name}-{first}.rw")

    def piece(self, first, steps):
        path = self.path(first)
        if not os.path.exists(path):
            done = subprocess.run([os.path.join(TOOLS, "tool_rwgen"), self.corpus, path + ".tmp", str(self.replicas),
                                   str(steps), str(PER_REQUEST), str(self.begin_ms), str(self.step_ms), self.order,
                                   str(first)], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"tool_rwgen: {done.stderr.strip()[:300]}")
            os.replace(path + ".tmp", path)
        return path

    def send(self, server, seconds, rate=0):
        """What the replayer said, pieces added up; latencies are the worst of the pieces.  seconds: at most, for all."""
        total, left = {}, seconds
        for first, steps in self.pieces:
            path = self.piece(first, steps)
            said = replay(server, path, self.per_step if self.order != "real" else 0, rate, left)
            left -= said["wall_s"]
            for key, value in said.items():
                adds = key in ("samples", "wall_s", "requests", "server_cpu_s", "failed", "cut", "generator_s")
                total[key] = total.get(key, 0) + value if adds else max(total.get(key, 0), value)
            if not self.keeps:
                os.remove(path)
            if left <= 0 and (first, steps) != self.pieces[-1]:
                raise TooSlow(f"took {total['samples'] / 1e6:.0f} of {self.samples / 1e6:.0f} million samples in {seconds} s")
        self.samples = int(total["samples"])
        total["samples_per_s"] = total["samples"] / total["wall_s"]
        total["cpu_us_per_sample"] = total["server_cpu_s"] / total["samples"] * 1e6
        total["generator_us_per_sample"] = total["generator_s"] / total["samples"] * 1e6
        return total

    def remove(self):
        for first, _ in self.pieces:
            for end in ("", ".tmp"):
                if os.path.exists(self.path(first) + end):
                    os.remove(self.path(first) + end)


def replay(server, path, per_step, rate, seconds):
    command = [os.path.join(TOOLS, "tool_rwreplay"), path, "127.0.0.1", str(server.port), "/api/v1/write",
               str(CONNECTIONS), str(server.process.pid), str(per_step), str(rate)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(30, seconds))
    except subprocess.TimeoutExpired:
        raise TooSlow(f"{os.path.basename(path)} was not taken in {seconds:.0f} s") from None
    said = {key: float(value) for key, value in re.findall(r"(\w+)=([0-9.]+)", done.stdout)}
    if not said.get("samples"):
        raise RuntimeError(f"nothing was taken: {done.stderr.strip()[:300]}")
    if done.returncode:
        print(f"  {server.name}: not everything was taken: {done.stderr.strip()[:200]}", flush=True)
    said["generator_s"] = said["generator_us_per_sample"] * said["samples"] / 1e6
    return said
