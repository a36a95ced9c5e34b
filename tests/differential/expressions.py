"""Random PromQL over the series of data.py: every function, aggregation, operator and modifier, and sometimes nonsense."""

FEATURES = ("promql-experimental-functions", "promql-delayed-name-removal", "promql-extended-range-selectors",
            "promql-binop-fill-modifiers", "type-and-unit-labels", "promql-per-step-stats")
FLOAT_NAMES = ["g", "g", "k", "c_total", "t_seconds", "many"]
HIST_NAMES = ["h", "h", "n", "hg", "mix"]
MAP = ("abs acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh sqrt tan tanh day_of_month "
       "day_of_week day_of_year days_in_month hour minute month year timestamp").split()
RANGE_STABLE = ("absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate last_over_time "
                "max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time").split()
RANGE_NEW = "mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time".split()
HIST_MAP = "histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum".split()
LABELS = ["job", "instance", "code", "x", "le", "path", "i", "part", "version", "__name__", "nope", "__type__"]


class Generator:
    def __init__(self, rnd, features, start_s, span_s):
        self.r, self.features = rnd, features
        self.start, self.span = start_s, span_s
        self.new = "promql-experimental-functions" in features
        self.extended = "promql-extended-range-selectors" in features
        self.fill = "promql-binop-fill-modifiers" in features

    def pick(self, *of):
        return self.r.choice(of)

    def chance(self, p):
        return self.r.random() < p

    # ---- Leaves ----

    def number(self):
        return self.pick("0", "1", "2", "-1", "0.5", "3", "1e3", "NaN", "Inf", "-Inf", "1e308", "5e-324", "0x1F", "1e-7", "100", "0.1",
                         "5m", "1_000", "-0", "010", str(self.r.randrange(100)), repr(self.r.uniform(-10, 10)))

    def scalar(self, depth):
        k = self.r.randrange(12) if depth > 0 else 0
        if k < 7:
            return self.number()
        if k == 7:
            return f"scalar({self.vector(depth - 1)})"
        if k == 8:
            return self.pick("time()", "pi()", "time() % 7", "-time()")
        if k == 9 and self.new:
            return self.pick("start()", "end()", "step()", "range()", f"max_of({self.scalar(depth - 1)}, {self.scalar(depth - 1)})",
                             f"min_of({self.scalar(depth - 1)}, {self.scalar(depth - 1)})")
        if k == 10:
            op = self.pick("+", "-", "*", "/", "%", "^", "atan2", "== bool", "> bool", "<= bool", "!= bool")
            return f"({self.scalar(depth - 1)} {op} {self.scalar(depth - 1)})"
        return f"-{self.scalar(depth - 1)}"

    def matcher(self):
        return self.pick('job="a"', 'job!="a"', 'instance=~"0|1"', 'instance!~"1.*"', 'job=~".+"', 'x="p"', 'x=~".*"', 'code="200"', 'x!=""',
                         'nope=""', 'path="/"', 'le!="1"', 'instance=~"[01]"', 'i=~"1.*"', 'part="1"', 'job="a",job="a"', 'job="zz"', 'le="+Inf"')

    def name(self):
        return self.r.choice(FLOAT_NAMES if self.chance(0.6) else HIST_NAMES)

    def selector(self, name=None):
        k = self.r.randrange(30)
        if name is None and k == 0:
            return self.pick('{__name__=~"g|k"}', '{__name__=~"h|n",job="a"}', '{job="a",instance="0"}', '{__name__=~".+_total|g"}',
                             '{"utf8.metric"}', '{__name__=~"lat.*"}', '{__name__="g",job!~"b"}', '{__name__!="g",job="b"}')
        name = name or (self.pick("lat_bucket", "nope", "target_info", "build_info", "lat") if k < 4 else self.name())
        text = name
        if self.chance(0.35):
            text += "{" + ",".join(self.matcher() for _ in range(self.r.randrange(1, 3))) + "}"
        return text

    def duration(self):
        if self.chance(0.06):
            return self.pick("step() + 1m", "2 * 45s", "max_of(step(), 1m)", "min_of(5m, 10m)", "range() / 4 + 30", "(1m + 7s)", "2m ^ 1", "90 % 60 + 5")
        return self.pick("1m", "30s", "5m", "10m", "15s", "2m30s", "1s", "45", "1h", "7s", "61s", "3m", "90s500ms", "1ms")

    def modifiers(self):
        out = ""
        if self.chance(0.12):
            out += " offset " + self.pick("1m", "-1m", "5m", "37s", "-90s", "0s", "1h", "(step() - 1m)", "-(30s + 1s)", "10")
        if self.chance(0.10):
            at = self.start + self.r.randrange(self.span)
            text = " @ " + self.pick(str(at), f"{at}.123", "start()", "end()", str(self.start), "-5", "1e9")
            out = out + text if self.chance(0.5) else text + out
        return out

    def extension(self, p):
        return self.pick(" anchored", " smoothed") if self.extended and self.chance(p) else ""

    # ---- Range vectors and their functions ----

    def range_vector(self, depth, name=None, plain=0.75):
        if depth <= 0 or self.chance(plain):
            return f"{self.selector(name)}[{self.duration()}]{self.modifiers()}"
        inner = self.vector(depth - 1)
        step = self.pick("", "30s", "15s", "1m", "7s", "2m", "step()", "11s") if self.chance(0.9) else self.duration().replace("1ms", "20ms")
        return f"({inner})[{self.pick('5m', '2m', '1m', '10m', '90s')}:{step}]{self.modifiers()}"

    def range_call(self, depth):
        k = self.r.randrange(20)
        if k == 0:
            return f"quantile_over_time({self.scalar(depth - 1)}, {self.range_vector(depth)})"
        if k == 1:
            return f"predict_linear({self.range_vector(depth)}, {self.scalar(depth - 1)})"
        if k == 2 and self.new:
            return f"double_exponential_smoothing({self.range_vector(depth)}, {self.pick('0.5', '0.1', '0.9', '1', 'NaN')}, {self.pick('0.5', '0.1', '0')})"
        if k == 3 and self.extended:
            f = self.pick("rate", "increase", "delta", "changes", "resets", "rate", "sum_over_time")
            return f"{f}({self.selector()}[{self.duration()}]{self.extension(1)}{self.modifiers()})"
        if k < 8:
            f, name = self.pick("rate", "increase", "irate", "resets"), self.pick("c_total", "c_total", "h", "n", "t_seconds", "lat_bucket")
            return f"{f}({self.range_vector(depth, name, 0.95)})"
        f = self.r.choice(RANGE_NEW) if self.new and self.chance(0.2) else self.r.choice(RANGE_STABLE)
        return f"{f}({self.range_vector(depth)})"

    # ---- Aggregations ----

    def grouping(self):
        if self.chance(0.35):
            return ""
        names = ", ".join(self.r.choice(LABELS) for _ in range(self.r.randrange(0, 3)))
        return f" {self.pick('by', 'by', 'without')} ({names})"

    def aggregation(self, depth):
        inner, by = self.vector(depth - 1), self.grouping()
        k = self.r.randrange(16)
        if k == 0:
            return f"quantile{by}({self.pick('0.5', '0.9', '0', '1', '-1', '2', 'NaN') if self.chance(0.8) else self.scalar(depth - 1)}, {inner})"
        if k in (1, 2):
            op, n = self.pick("topk", "bottomk"), self.pick("1", "2", "3", "5", "0", "100", "2.9", "-1") if self.chance(0.85) else self.scalar(depth - 1)
            return f"{op}{by}({n}, {inner})"
        if k == 3:
            return f"count_values{by}(\"{self.pick('v', 'job', 'le', 'a.b', '')}\", {inner})"
        if k == 4 and self.new:
            return f"limitk{by}({self.pick('1', '2', '0', '50') if self.chance(0.9) else self.scalar(depth - 1)}, {inner})"
        if k == 5 and self.new:
            return f"limit_ratio{by}({self.pick('0.5', '-0.5', '0.1', '-0.9', '1', '2', '0') if self.chance(0.9) else self.scalar(depth - 1)}, {inner})"
        op = self.pick("sum", "sum", "sum", "avg", "avg", "count", "min", "max", "group", "stddev", "stdvar")
        return f"{op}{by}({inner})" if self.chance(0.7) else f"{op}({inner}){by}"

    # ---- Binary operators ----

    def matching(self, sets):
        if self.chance(0.35):
            return ""
        kind = self.pick("on", "on", "ignoring")
        names = self.pick("job, instance", "job", "instance, job", "", "job, instance, x", "le", "code, x", "part", "nope")
        out = f" {kind} ({names})"
        if not sets and self.chance(0.45):
            out += f" {self.pick('group_left', 'group_right')}{self.pick('', ' ()', ' (x)', ' (version, cloud)', ' (code)', ' (job)')}"
        return out

    def join(self):
        """What finds its partner by labels: matchers on one side or on both, rows without partners on either."""
        def side():
            v = self.r.choice(("g", "k", "c_total", "t_seconds", "many", "lat_bucket", "lat_count", "target_info", "mix", "h", '{__name__=~"g|k"}'))
            inside = ",".join(self.matcher() for _ in range(self.r.randrange(1, 3)))
            if self.chance(0.6):
                v = v[:-1] + "," + inside + "}" if v[0] == "{" else f"{v}{{{inside}}}"
            v += self.modifiers()
            k = self.r.randrange(12)
            if k < 7:
                return v
            at = v.split(" ")[0]
            return (f"abs({v})", f"-{v}", f"({v} * 2)", f"rate({at}[2m])", f"sum by (job, instance) ({v})")[k - 7]
        op = self.pick("+", "-", "/", "*", "==", ">", "<= bool", "and", "unless", "or", "and", "unless", "/", "atan2")
        sets = op in ("and", "or", "unless")
        on = self.pick("", "", " on (job, instance)", " on (instance)", " on (job)", " ignoring (x)", " ignoring (code, path)", " ignoring (le)", " on ()", " on (job, instance, le)")
        if on and not sets and self.chance(0.35):
            on += self.pick(" group_left", " group_right", " group_left (x)", " group_right (version)")
        left, right = side(), side()
        if self.chance(0.2):
            return f"{left} {op}{on} ({right} {self.pick('and', 'unless', '+', '/')} {side()})"
        return f"{left} {op}{on} {right}"

    def binary(self, depth):
        if self.chance(0.25):
            return self.join()
        op = self.pick("+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless", "</", ">/", "+", "-", "==", ">")
        if op in ("==", "!=", ">", "<", ">=", "<=") and self.chance(0.3):
            op += " bool"
        sets = op in ("and", "or", "unless")
        k = self.r.randrange(6)
        if k == 0 and not sets:
            return f"{self.vector(depth - 1)} {op} {self.scalar(depth - 1)}"
        if k == 1 and not sets:
            return f"{self.scalar(depth - 1)} {op} {self.vector(depth - 1)}"
        left = self.vector(depth - 1)
        right = left if self.chance(0.1) else self.vector(depth - 1)
        fill = ""
        if self.fill and not sets and self.chance(0.25):
            fill = self.pick(" fill(0)", " fill(NaN)", " fill_left(1)", " fill_right(-1)", " fill_left(2) fill_right(3)")
        return f"{left} {op}{self.matching(sets)}{fill} {right}"

    # ---- Functions of vectors ----

    def function(self, depth):
        v = lambda: self.vector(depth - 1)
        s = lambda: self.scalar(depth - 1)
        k = self.r.randrange(22)
        if k < 3:
            return f"{self.r.choice(HIST_MAP)}({self.histogram_vector(depth - 1)})"
        if k < 6:
            q = self.pick("0.5", "0.9", "0.99", "0", "1", "0.1", "-1", "2", "NaN") if self.chance(0.9) else s()
            return f"histogram_quantile({q}, {self.histogram_vector(depth - 1)})"
        if k == 6:
            return f"histogram_fraction({self.pick('0', '-Inf', '0.5', '-1', 'NaN', '1')}, {self.pick('1', '+Inf', '0.5', '2', 'NaN')}, {self.histogram_vector(depth - 1)})"
        if k == 7 and self.new:
            return f"histogram_quantiles({self.histogram_vector(depth - 1)}, \"{self.pick('q', 'job', 'le')}\", 0.5, {self.pick('0.9', '1', '2', 'NaN', '0')})"
        if k == 8:
            to, with_, of, by = self.pick(("new", "$1-x", "job", "(.*)"), ("job", "", "job", "a"), ("job", "$2", "instance", "(.)(.?)"),
                                          ("__name__", "r", "", ""), ("instance", "0", "", ""), ("x.y", "${n}!", "job", "(?P<n>a|b)"),
                                          ("__name__", "${1}_s", "__name__", "(.+)"), ("", "x", "job", "a"), ("x", "y", "job", "("))
            return f'label_replace({v()}, "{to}", "{with_}", "{of}", "{by}")'
        if k == 9:
            return f"label_join({v()}, {self.pick(chr(34) + 'new' + chr(34), chr(34) + 'job' + chr(34), chr(34) + '__name__' + chr(34))}, \"-\"{self.pick('', ', ' + chr(34) + 'job' + chr(34), ', ' + chr(34) + 'instance' + chr(34) + ', ' + chr(34) + 'x' + chr(34))})"
        if k == 10:
            return f"clamp({v()}, {s()}, {s()})"
        if k == 11:
            return f"{self.pick('clamp_min', 'clamp_max', 'round')}({v()}, {s()})"
        if k == 12:
            return f"{self.pick('absent', 'absent', 'round')}({v()})"
        if k == 13:
            return f"{self.pick('sort', 'sort_desc')}({v()})"
        if k == 14 and self.new:
            return f'{self.pick("sort_by_label", "sort_by_label_desc")}({v()}{self.pick("", ", " + chr(34) + "instance" + chr(34), ", " + chr(34) + "i" + chr(34), ", " + chr(34) + "x" + chr(34) + ", " + chr(34) + "job" + chr(34))})'
        if k == 15 and self.new:
            return f"info({v()}{self.pick('', ', {version=~' + chr(34) + '.+' + chr(34) + '}', ', {__name__=' + chr(34) + 'build_info' + chr(34) + '}', ', {cloud=' + chr(34) + 'x' + chr(34) + '}', ', {__name__=~' + chr(34) + '.+_info' + chr(34) + '}')})"
        if k == 16:
            return f"vector({s()})"
        if k == 17:
            return f"-{v()}" if self.chance(0.7) else f"+{v()}"
        if k == 18 and self.new:
            return f"start_timestamp({v()})"
        if k == 19:
            return self.pick("hour()", "day_of_week()", "year()", "minute()", f"timestamp({self.selector()})", f"timestamp({self.selector()}{self.modifiers()})")
        return f"{self.r.choice(MAP)}({v()})"

    def histogram_vector(self, depth):
        k = self.r.randrange(8)
        if k < 2:
            return self.selector(self.r.choice(HIST_NAMES))
        if k == 2:
            return f"{self.pick('rate', 'increase', 'delta', 'sum_over_time', 'last_over_time', 'avg_over_time', 'irate')}({self.selector(self.r.choice(HIST_NAMES))}[{self.duration()}])"
        if k == 3:
            return f"sum{self.grouping()}({self.selector(self.r.choice(HIST_NAMES))})"
        if k == 4:
            return self.selector("lat_bucket")
        if k == 5:
            return f"sum by (le{self.pick('', ', job', ', path')}) (rate({self.selector('lat_bucket')}[{self.duration()}]))"
        if k == 6 and depth > 0:
            a = self.r.choice(HIST_NAMES)
            return f"({a} {self.pick('+', '-', '+', '</', '>/', '*', '/')} {self.pick(a, self.r.choice(HIST_NAMES), self.number())})"
        return self.vector(depth)

    def vector(self, depth):
        if depth <= 0:
            return self.selector() + self.extension(0.05) + self.modifiers()
        k = self.r.randrange(14)
        if k < 2:
            return self.selector() + self.extension(0.1) + self.modifiers()
        if k < 5:
            return self.range_call(depth)
        if k < 8:
            return self.aggregation(depth)
        if k < 11:
            return self.function(depth)
        return f"({self.binary(depth)})"

    # ---- Whole queries ----

    def broken(self, text):
        """A few characters removed, repeated or exchanged: mostly an error, whose text must agree."""
        for _ in range(self.r.randrange(1, 3)):
            i = self.r.randrange(len(text))
            j = min(len(text), i + self.r.randrange(1, 4))
            text = self.pick(text[:i] + text[j:], text[:i] + text[i:j] * 2 + text[j:], text[:i] + self.pick("(", ")", "{", "[", " by ", ",", "\"", "é", " and ", "@", " offset ") + text[i:], text[:i])
            text = text or "g"
        return text

    def expression(self):
        k = self.r.random()
        depth = self.pick(1, 2, 2, 3, 3, 4)
        if k < 0.03:
            return self.scalar(3)
        if k < 0.04:
            return self.pick('"text"', "'a<b>\\n'", "`raw`")
        if k < 0.07:
            return self.range_vector(depth)
        text = self.vector(depth) if k < 0.85 else self.binary(depth)
        return self.broken(text) if self.chance(0.03) else text
