"""Random series for the differential test: everything that storage can hold and a scraper can break.

A round's data is a list of (labels, samples) in label order; a sample is (ms, float) or (ms, Histogram).  Written to both
servers in that order, because Prometheus' head answers in order of creation, which then is label order.
"""
import random
import struct
import sys
import os

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import field, varint  # noqa: E402

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
NANS = [struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (0x7FF8000000000001, 0x7FF8000000000000, 0xFFF8000000000000)]
START_MS = 1_600_000_020_000  # a minute's multiple, and not an hour's
SPAN_S = 2700
SPECIAL = [0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), *NANS, 5e-324, -2.5e-310, 1.7976931348623157e308, 1e308, -1e308,
           2.0**53, 2.0**53 + 2, -2.0**63, 1e300, 1e-300, 0.1, 1e21, 1e-7, 123456789.123]


class Histogram:
    """A float histogram as remote write 1.0 carries it."""

    def __init__(self, schema, count, total, zero_threshold=0.0, zero=0.0, negative=(), positive=(), bounds=(), hint=0, integer=False):
        self.schema, self.count, self.total = schema, count, total
        self.zero_threshold, self.zero = zero_threshold, zero
        self.negative, self.positive, self.bounds = negative, positive, bounds  # ([(offset, length)], [count])
        self.hint, self.integer = hint, integer

    def encode(self, ms):
        zig = varint((self.schema << 1) ^ (self.schema >> 31))
        spans = lambda n, s: b"".join(field(n, b"\x08" + varint((o << 1) ^ (o >> 31)) + b"\x10" + varint(l)) for o, l in s)
        out = b"\x19" + struct.pack("<d", self.total) + b"\x20" + zig + b"\x29" + struct.pack("<d", self.zero_threshold)
        if self.integer:
            out = b"\x08" + varint(int(self.count)) + out + b"\x30" + varint(int(self.zero))
        else:
            out = b"\x11" + struct.pack("<d", self.count) + out + b"\x39" + struct.pack("<d", self.zero)
        for n, side in ((8, self.negative), (11, self.positive)):
            if side:
                out += spans(n, side[0])
                if self.integer:
                    deltas = [int(b - a) for a, b in zip([0] + list(side[1]), side[1])]
                    out += field(n + 1, b"".join(varint((d << 1) ^ (d >> 63)) for d in deltas))
                else:
                    out += field(n + 2, b"".join(struct.pack("<d", c) for c in side[1]))
        out += b"\x70" + varint(self.hint) + b"\x78" + varint(ms)
        if self.bounds:
            out += field(16, b"".join(struct.pack("<d", b) for b in self.bounds))
        return out


def stale_histogram():
    return Histogram(0, 0.0, STALE)


# ---- Times ----

def spread_of(seed):
    """How many times farther apart a round's samples are: hours are several chunks of both servers."""
    return 5 if seed % 12 == 11 else 1


def times(rnd, spread):
    """Milliseconds of one series: on a grid or with jitter, with gaps, beginning late, ending early."""
    step = rnd.choice((15, 15, 15, 30, 60, 7))
    jitter = rnd.choice((0, 0, 0, 400, 5000))
    offset = rnd.choice((0, 0, 0, 1000, 3333))
    gap = rnd.choice((0, 0, 0.02, 0.3))
    first = rnd.choice((0, 0, 0, rnd.randrange(SPAN_S)))
    last = rnd.choice((SPAN_S, SPAN_S, SPAN_S, rnd.randrange(SPAN_S)))
    out, at = [], -1
    for s in range(first, last, step):
        ms = START_MS + s * 1000 * spread + offset + (rnd.randrange(jitter) if jitter else 0)
        if ms > at and rnd.random() >= gap:
            out.append(ms)
            at = ms
    return out


def with_stale(rnd, samples):
    """Some series get stale markers here and there."""
    if rnd.random() < 0.7:
        return samples
    rate = rnd.choice((0.02, 0.2))
    return [(ms, (stale_histogram() if isinstance(v, Histogram) else STALE) if rnd.random() < rate else v) for ms, v in samples]


# ---- Floats ----

def gauge(rnd):
    kind = rnd.randrange(7)
    constant = rnd.choice(SPECIAL + [3.0, 42.5])
    scale = rnd.choice((1, 100, 1e9, 1e-3))
    at = rnd.uniform(-1, 1)

    def value():
        nonlocal at
        if kind == 0:
            return constant
        if kind == 1:
            return rnd.choice(SPECIAL)
        if kind == 2:
            return float(rnd.randrange(-5, 6))
        if kind == 3:
            at += rnd.gauss(0, 1)
            return at * scale
        if kind == 4:
            return rnd.uniform(-1, 1) * 10.0 ** rnd.randrange(-20, 20)
        if kind == 5:
            return rnd.choice(SPECIAL) if rnd.random() < 0.03 else rnd.uniform(0, 100)
        return round(rnd.uniform(0, 10), 1)
    return value


def counter(rnd):
    at = rnd.choice((0.0, 0.0, 1e6, 1e15, rnd.uniform(0, 100)))
    step = rnd.choice((lambda: float(rnd.randrange(10)), lambda: rnd.uniform(0, 3), lambda: 0.0, lambda: rnd.expovariate(1) * 1e3))
    resets = rnd.choice((0, 0, 0.01, 0.1))
    odd = rnd.choice((0, 0, 0, 0.02))

    def value():
        nonlocal at
        if rnd.random() < odd:
            return rnd.choice(SPECIAL)
        at = rnd.choice((0.0, 1.0, 0.5)) if rnd.random() < resets else at + step()
        return at
    return value


# ---- Histograms ----

def spans_of(rnd, length):
    """A layout of `length` buckets with gaps."""
    spans, left, first = [], length, True
    while left:
        n = min(left, rnd.randrange(1, 5))
        spans.append((rnd.randrange(-6, 4) if first else rnd.randrange(1, 4), n))
        left, first = left - n, False
    return spans


def histograms(rnd, custom, gauge_hint, wide=False):
    """A maker of successive histograms of one series: growing, sometimes reset or with another layout; wide: some tell of resets, true
    or not, and some are now of integers, now of floats."""
    integer = rnd.random() < 0.4
    hint = 3 if gauge_hint else 0
    telling, changing = wide and not gauge_hint and rnd.random() < 0.2, wide and integer and rnd.random() < 0.3
    state = {}

    def layout():
        state["schema"] = -53 if custom else rnd.choice((0, 0, 1, 2, 3, -1, -4, 8))
        state["bounds"] = sorted(rnd.sample((-5.0, -1.0, 0.0, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 100.0), rnd.randrange(1, 6))) if custom else ()
        n = len(state["bounds"]) + 1 if custom else rnd.randrange(0, 7)
        state["positive"] = [(0, n)] if custom else spans_of(rnd, n)
        m = 0 if custom or rnd.random() < 0.5 else rnd.randrange(1, 5)
        state["negative"] = spans_of(rnd, m)
        state["zt"] = 0.0 if custom else rnd.choice((0.0, 0.001, 0.001, 0.5, 2.938735877055719e-39))
        state["p"], state["n"], state["z"], state["sum"] = [0.0] * n, [0.0] * m, 0.0, 0.0

    layout()
    step = rnd.choice((1, 3, 50)) if integer else rnd.choice((1, 3, 0.7, 50))
    change, reset = rnd.choice((0, 0, 0.03)), rnd.choice((0, 0, 0.03))
    nan_sum = rnd.random() < 0.1

    def value():
        # An empty bucket that goes away does not make the reference begin a new chunk: it would store the histogram
        # with that bucket, and count its size.
        if rnd.random() < change and not gauge_hint and all(state["p"] + state["n"]):
            layout()
        told = hint
        if rnd.random() < reset:
            state["p"], state["n"], state["z"] = [0.0] * len(state["p"]), [0.0] * len(state["n"]), 0.0
            told = 1 if telling else hint
        elif telling:
            told = rnd.choice((0, 2, 2, 2, 1) if rnd.random() < 0.1 else (0, 2))
        grow = (lambda: float(rnd.randrange(int(step) + 1))) if integer else (lambda: rnd.random() * step if rnd.random() < 0.7 else 0.0)
        sign = -1 if gauge_hint and rnd.random() < 0.3 else 1
        for side in ("p", "n"):
            state[side] = [max(0.0, c + sign * grow()) for c in state[side]]
        if not custom:
            state["z"] = max(0.0, state["z"] + sign * grow())
        state["sum"] += rnd.uniform(-1, 5) * step
        count = sum(state["n"]) + state["z"] + sum(state["p"])
        return Histogram(state["schema"], count, NANS[0] if nan_sum else state["sum"], state["zt"], state["z"],
                         (state["negative"], list(state["n"])) if state["n"] else (),
                         (state["positive"], list(state["p"])) if state["p"] else (), state["bounds"], told, integer and not (changing and rnd.random() < 0.2))
    return value


def mixed(rnd, *makers):
    sticky, at = rnd.choice((0.5, 0.95)), 0

    def value():
        nonlocal at
        if rnd.random() > sticky:
            at = rnd.randrange(len(makers))
        return makers[at]()
    return value


# ---- Series ----

def classic(rnd, labels, out, spread):
    """The buckets of one classic histogram, with the faults of real ones."""
    fault = rnd.choice((None, None, None, "nan", "unordered", "malformed", "no inf", "double", "one"))
    bounds = rnd.choice((["0.1", "0.5", "1", "5", "+Inf"], ["-1", "0", "2", "+Inf"], ["1e-3", "1", "10", "+Inf"]))
    if fault == "malformed":
        bounds = bounds + ["x"]
    if fault == "no inf":
        bounds = bounds[:-1]
    if fault == "double":
        bounds = bounds + [bounds[0] + ".0" if "." not in bounds[0] else bounds[0] + "0"]
    if fault == "one":
        bounds = ["+Inf"]
    at, counts = times(rnd, spread), [0.0] * len(bounds)
    rows = [[] for _ in bounds]
    whole = rnd.random() < 0.7
    for ms in at:
        total = 0.0
        for i in range(len(bounds)):
            total += rnd.randrange(6) if whole else rnd.uniform(0, 3)
            counts[i] += total
            v = counts[i]
            if fault == "nan" and rnd.random() < 0.05:
                v = NANS[0]
            if fault == "unordered":
                v += rnd.choice((0, 0, 0, 1e-13 * v, 30, -5))
            rows[i].append((ms, v))
    for le, row in zip(bounds, rows):
        out.append(({**labels, "le": le}, row))


def series(seed):
    """All series of a round, in label order."""
    rnd, spread, wide = random.Random(seed), spread_of(seed), seed % 3 == 2
    out = []

    def add(name, maker, labels):
        at = times(rnd, spread)
        make = maker()
        out.append(({"__name__": name, **labels}, with_stale(rnd, [(ms, make()) for ms in at])))

    for job in "ab":
        for instance in "012":
            base = {"job": job, "instance": instance}
            if rnd.random() < 0.9:
                add("g", lambda: gauge(rnd), base)
            if rnd.random() < 0.9:
                add("k", lambda: gauge(rnd), {**base, "x": rnd.choice(("p", "q", "é"))})
            for code in ("200", "500"):
                if rnd.random() < 0.8:
                    add("c_total", lambda: counter(rnd), {**base, "code": code})
            if rnd.random() < 0.7:
                typed = rnd.choice(({}, {"__type__": "counter", "__unit__": "s"}, {"__type__": "gauge"}, {"__type__": "histogram"}))
                add("t_seconds", lambda: counter(rnd), {**base, **typed})
            kind = lambda: histograms(rnd, rnd.random() < 0.35, rnd.random() < 0.2, wide)
            if rnd.random() < 0.9:
                add("h", lambda: histograms(rnd, False, False, wide), base)
            if rnd.random() < 0.8:
                add("n", kind, {**base, "x": rnd.choice("pq")})
            if rnd.random() < 0.5:
                add("hg", lambda: histograms(rnd, rnd.random() < 0.3, True), base)
            if rnd.random() < 0.5:
                add("mix", lambda: mixed(rnd, gauge(rnd), kind(), counter(rnd)), base)
            add("target_info", lambda: (lambda: 1.0), {**base, "version": rnd.choice(("1", "2")), "cloud": rnd.choice(("", "x", "y"))})
            if rnd.random() < 0.4:
                add("build_info", lambda: (lambda: 1.0), {**base, "revision": rnd.choice("rs"), "version": rnd.choice("12")})
        for path in ("/", "/x"):
            classic(rnd, {"__name__": "lat_bucket", "job": job, "path": path}, out, spread)
        if rnd.random() < 0.5:
            add("lat_bucket", lambda: histograms(rnd, False, False), {"job": job, "path": "/n"})
            add("lat", lambda: histograms(rnd, False, False), {"job": job, "path": "/"})
    add("utf8.metric", lambda: gauge(rnd), {"label with space": "v", "job": "a"})
    add("utf8.metric", lambda: gauge(rnd), {"x.y": "é", "a\"b": "q\"\\\n", "job": "b"})
    add("ö.h", lambda: histograms(rnd, rnd.random() < 0.5, False), {"é": "ü", "job": "a", "instance": "0"})
    for v in rnd.sample(("a1", "a01", "a2", "a10", "a10b", "b", "", "10", "9", "1e3", "a-1", "A2", "é2", "é10", "99999999999999999999"), 9):
        add("nat", lambda: (lambda: float(rnd.randrange(3))), {"v": v, "w": rnd.choice(("1", "2", "10"))})
    for odd in ("l\nf", "q\"uote", "back\\slash", "<&>", "\U0001f600", "Ä", "tab\t", "\x7f", "\u2028"):
        if rnd.random() < 0.6:
            add("odd", lambda: gauge(rnd), {"odd": odd, "job": rnd.choice("ab")})
    for i in range(rnd.randrange(4, 25)):
        add("many", lambda: (lambda: float(rnd.randrange(4))), {"i": str(i), "part": str(i % 3)})
    unique = {tuple(sorted((k, v) for k, v in labels.items() if v)): samples for labels, samples in out}
    return [(dict(labels), unique[labels]) for labels in sorted(unique)]


def runs(samples):
    """Successive samples of one kind: a receiver takes the floats of an entry before its histograms."""
    out = []
    for ms, v in samples:
        if not out or isinstance(out[-1][-1][1], Histogram) != isinstance(v, Histogram):
            out.append([])
        out[-1].append((ms, v))
    return out


def histograms_by_time(every):
    """Parts with all histogram series' samples of one millisecond each, in order of time."""
    at = {}
    for labels, samples in every:
        if any(isinstance(v, Histogram) for _, v in samples):
            for ms, v in samples:
                at.setdefault(ms, []).append((labels, [(ms, v)]))
    return [at[ms] for ms in sorted(at)]


def write_request(part):
    out = bytearray()
    for labels, samples in part:
        names = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        for run in runs(samples):
            out += field(1, names + b"".join(
                field(4, v.encode(ms)) if isinstance(v, Histogram) else field(2, b"\x09" + struct.pack("<d", v) + b"\x10" + varint(ms))
                for ms, v in run))
    return bytes(out)
