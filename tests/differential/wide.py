"""What neither expressions.py nor rare.py makes: shapes of real rules, @ and nesting inside parameters, arguments that are wrong or change with the step.

The same grammar once more; a node is made by any of the three.
"""
from expressions import HIST_NAMES, MAP, RANGE_STABLE, Generator
from rare import Rare

AGGREGATORS = ("sum", "avg", "count", "min", "max", "group", "stddev", "stdvar")
REGEXES = ('"(.*)"', '"(.+)-(.+)|(.*)"', '"(?s).*"', '"(?:)"', '"(a)(b)?(c)?"', '"(?P<x>a)|(?P<y>b)"', '"[[:alpha:]]+"', '"\\\\pL+"', '"[^\\\\x00-\\\\x7F]"', '"(?i)[a-b]"', '"a{0,3}?"',
           '"\\\\Qa.b\\\\E"', '".*?(\\\\d)?"', '"(?-s).+"', '"^(?:^a$)$"', '"\\\\bа\\\\b|."', '"(|a)+"', '"[a-\\\\d]"', '"(?<n>.)"', '"\\\\C"', '"x*"', '"(((((.)))))"', '"[\\\\x{e9}]"', '"\\\\z"', '"(?U)(.+)(.*)"')
TEMPLATES = ('"$1"', '"${x}${y}"', '"$x$y"', '"$3$2$1"', '"${01}"', '"$1$"', '"$-1"', '"${1"', '"$$1"', '"${n}"', '"$é"', '"${10}${0}"', '"$1_x"', '"\\u00e9$1"')


class Wide(Rare):
    def kind(self):
        """Whose way of making a node: of those further up, or of here."""
        return self.pick(Generator, Rare, None, None)

    # ---- Leaves ----

    def scalar(self, depth):
        if depth > 0 and self.chance(0.3):
            inner = self.vector(depth - 1)
            return self.pick(f"scalar({inner})", f"scalar({self.pick(*AGGREGATORS)}({inner}))", f"scalar({self.selector()}{self.fixed(0.7)})",
                             f"({self.scalar(depth - 1)} {self.pick('<', '>', '==', '!=')} bool {self.scalar(depth - 1)})", f"scalar(vector({self.scalar(depth - 1)}))",
                             f"(time() - {self.start}) / 60", f"-{self.scalar(depth - 1)} ^ 2", "2 ^ 3 ^ 2", "-1 ^ 0.5", "7 % -3", "-7 % 3", "1 / 0", "-1 / 0", "0 / 0", "1 % 0")
        return super().scalar(depth)

    def fixed(self, p):
        """@ at times that fall on steps and samples."""
        if not self.chance(p):
            return ""
        at = self.pick(str(self.start + 60 * self.r.randrange(self.span // 60)), str(self.start + 180 + 300 * self.r.randrange(max(1, self.span // 300))), "start()", "end()",
                       f"{self.start + self.r.randrange(self.span)}.{self.r.randrange(1000):03}")
        return f" @ {at}"

    def modifiers(self):
        if self.chance(0.6):
            return super().modifiers()
        offset = " offset " + self.pick("-1m", "-5m", "-15s", "1m", "2m", "15s", "-7s", "-1ms", "1ms", "-1h", "300", "-(step())", "(step() / 2)") if self.chance(0.6) else ""
        at = self.fixed(0.6)
        return self.pick(offset + at, at + offset)

    def duration(self):
        if self.chance(0.15):
            return self.pick("15s1ms", "14s999ms", "30s", "29s999ms", "60001ms", "1m", "1w", "1y", "2h", "1ms", "step()", "step() + 1ms", "2 * step()", "max_of(range(), 1ms)", "7ms", "1d")
        return super().duration()

    # ---- Range vectors ----

    def window(self):
        return self.pick(f"[{self.pick('1m', '2m', '5m', '10m', '30m', '15s')}:{self.pick('1m', '5m', '2m', '10m', '15s', '', '90s', '1ms' if self.chance(0.02) else '7s')}]", super().window())

    def range_vector(self, depth, name=None, plain=0.5):
        if depth > 0 and self.chance(0.35):
            inner = self.vector(depth - 1)
            if self.chance(0.3):
                inner = f"({inner}) or {self.selector(name)}{self.modifiers()}"
            return f"({inner}){self.window()}{self.modifiers()}"
        return super().range_vector(depth, name, plain)

    def range_call(self, depth):
        k = self.r.randrange(16)
        m = lambda: self.range_vector(depth)
        if k == 0:
            return f"quantile_over_time({self.pick('-0.5', '1.5', 'NaN', '0', '1', '0.5', 'Inf', '-Inf', self.scalar(depth - 1))}, {m()})"
        if k == 1:
            return f"predict_linear({m()}, {self.pick('NaN', 'Inf', '0', '-3600', '1e9', self.scalar(depth - 1))})"
        if k == 2 and self.new:
            return f"double_exponential_smoothing({m()}, {self.pick('0.5', '0', '1', '1.5', '-1', 'NaN', self.scalar(depth - 1))}, {self.pick('0.5', '0.3', '1', '2', 'NaN', self.scalar(depth - 1))})"
        if k in (3, 4) and self.extended:
            f = self.pick("rate", "increase", "delta", "changes", "resets", "rate", "increase", "irate", "last_over_time")
            name = self.pick("c_total", "h", "n", "hg", "mix", "g", "t_seconds", "lat_bucket")
            return f"{f}({self.selector(name)}[{self.duration()}] {self.pick('anchored', 'smoothed')}{self.modifiers()})"
        if k == 5:
            f = self.pick(*RANGE_STABLE)
            return f"{f}({self.pick('mix', 'h', 'n', 'hg')}{self.window()}{self.modifiers()})"
        if k == 6 and self.new:
            f = self.pick("mad_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "first_over_time")
            return f"{f}({self.pick(m(), f'mix[{self.duration()}]', f'h[{self.duration()}]')})"
        if k == 7:  # of the wrong type, or not a counter
            return f"{self.pick('rate', 'increase', 'irate', 'delta', 'idelta', 'deriv', 'changes')}({self.pick('mix', 'hg', 'h', 'g', 'lat', 'n')}[{self.duration()}])"
        return super().range_call(depth)

    # ---- Aggregations ----

    def aggregation(self, depth):
        k = self.r.randrange(10)
        by, inner = self.grouping(), self.vector(depth - 1)
        if k < 3:
            op = self.pick("topk", "bottomk", "quantile", *(("limitk", "limit_ratio") if self.new else ()))
            return f"{op}{by}({self.scalar(depth)}, {inner})"
        if k == 3:
            return f"count_values{by}({self.pick(*(chr(34) + t + chr(34) for t in ('v', 'le', 'job', 'i', 'é', 'a b', '__name__')))}, {self.pick(inner, 'mix', 'h', 'k', 'many', 'round(g)')})"
        if k == 4:
            return f"{self.pick(*AGGREGATORS)}{by}({self.pick('mix', 'h', 'n', 'hg', 'lat', 'lat_bucket')}{self.modifiers()})"
        if k == 5:
            names = self.pick("job", "job, instance", "__name__", "__name__, job", "le", "x", "__type__", "__unit__", "__name__, __type__, __unit__", "")
            return f"{self.pick(*AGGREGATORS)} {self.pick('by', 'without')} ({names}) ({inner})"
        return (self.kind() or Rare).aggregation(self, depth)

    # ---- Binary operators ----

    def binary(self, depth):
        k = self.r.randrange(12)
        v = lambda: self.vector(depth - 1)
        if k == 0:
            return f"{v()} {self.pick('and', 'or', 'unless')} {self.pick('', 'on () ', 'on (job) ', 'ignoring (instance) ', 'on (__name__) ')}{v()}"
        if k == 1:
            a = self.pick(*HIST_NAMES, "lat")
            return f"{a}{self.modifiers()} {self.pick('+', '-', '==', '!=', '*', '/', '</', '>/', '> bool', 'and', 'or', 'unless')} {self.pick(a, *HIST_NAMES, '2', 'g', 'scalar(g)')}{self.modifiers() if self.chance(0.1) else ''}".replace("2 offset", "g offset").replace("2 @", "g @").replace(") offset", ")").replace(") @", ")")
        if k == 2 and self.fill:
            side = self.pick("fill(0)", "fill_left(0)", "fill_right(0)", "fill_left(1) fill_right(-1)", "fill_right(NaN)", "fill(1e9)", "fill_left(5m)")
            how = self.pick("on (job)", "on (job, instance)", "ignoring (code)", "on (job) group_left ()", "on (job) group_right (x)", "ignoring (x) group_left (version)", "")
            return f"{v()} {self.pick('+', '-', '*', '/', '%', '^', '>', '<', '== bool', '!=', 'atan2', '>=')} {how} {side} {v()}"
        if k == 3:
            many, one = self.pick(("c_total", "target_info"), ("g", "target_info"), ("many", "sum by (part) (many)"), ("h", "target_info"), ("mix", "build_info"), ("lat_bucket", "lat"))
            labels = self.pick("job, instance", "job", "part", "instance", "job, path")
            return f"{many} {self.pick('*', '/', '+', '>', '<= bool', 'atan2')} on ({labels}) group_left ({self.pick('', 'version', 'cloud, version', 'x', 'le', '__name__', 'job')}) {one}"
        if k == 4:
            return f"-{v()} {self.pick('^', '*', '+', '==')} {self.pick('2', '-2', v())}"
        return super().binary(depth)

    # ---- Functions ----

    def function(self, depth):
        k = self.r.randrange(16)
        v = lambda: self.vector(depth - 1)
        if k == 0:
            return f"label_replace({v()}, {self.quoted()}, {self.pick(*TEMPLATES)}, {self.pick(chr(34) + 'job' + chr(34), chr(34) + 'x' + chr(34), chr(34) + 'v' + chr(34), self.quoted())}, {self.pick(*REGEXES)})"
        if k == 1:
            lo, hi = self.pick(("0", "1"), ("-Inf", "Inf"), ("1", "0"), ("NaN", "1"), ("0", "NaN"), ("0", "0"), (self.scalar(1), self.scalar(1)))
            return f"histogram_fraction({lo}, {hi}, {self.histogram_vector(depth - 1)})"
        if k == 2:
            return f"histogram_quantile({self.pick(self.scalar(depth), '1e-9', '-0', '1.0000001', '-Inf')}, {self.pick(self.histogram_vector(depth - 1), 'mix', 'lat_bucket', '{__name__=~' + chr(34) + 'lat.*' + chr(34) + '}', 'sum by (le) (lat_bucket)', 'sum without (instance) (h)')})"
        if k == 3 and self.new:
            return f"histogram_quantiles({self.pick('mix', 'lat_bucket', 'h', self.histogram_vector(depth - 1))}, {self.pick(chr(34) + 'q' + chr(34), chr(34) + 'le' + chr(34), chr(34) + 'job' + chr(34), chr(34) + '__name__' + chr(34))}, {', '.join(self.pick('0.5', '0.9', self.scalar(1)) for _ in range(self.r.randrange(1, 4)))})"
        if k == 4:
            return f"{self.pick(*MAP, 'histogram_count', 'histogram_sum', 'sort', 'sort_desc', 'absent', 'scalar')}({self.pick('mix', 'h', 'hg', v())})".replace("scalar(", "abs(")
        if k == 5 and self.new:
            return self.information(depth)
        if k == 6:
            return f"{self.pick('clamp', 'clamp')}({v()}, {self.pick('NaN, 1', '0, NaN', '2, 1', '-Inf, 0', '0, 0')})"
        if k == 7:
            return f"round({v()}, {self.pick('0', '-1', 'NaN', '1e-300', '5e-324', '1e300', '0.1', 'Inf', '3')})"
        if k == 8:
            return f"timestamp({self.pick(v(), self.selector() + self.modifiers(), f'({self.selector()})', f'-{self.selector()}', f'last_over_time({self.selector()}[1m])', 'g or k')})"
        if k == 9:
            return f"absent({self.pick(v(), self.selector() + self.modifiers(), 'g{job=~' + chr(34) + 'z' + chr(34) + ',x=' + chr(34) + 'y' + chr(34) + '}', 'nope{a=' + chr(34) + 'b' + chr(34) + ',a=' + chr(34) + 'c' + chr(34) + '}')})"
        if k == 10:
            return f"vector({self.scalar(depth)})"
        return super().function(depth)

    # ---- Shapes of rules and dashboards ----

    def rule(self, depth):
        v = lambda: self.vector(depth - 1)
        d = self.duration
        return self.pick(
            lambda: f"sum by (job) (rate(c_total{{code=\"500\"}}[{d()}])) / sum by (job) (rate(c_total[{d()}])) {self.pick('> 0.1', '', '* 100')}",
            lambda: f"histogram_quantile({self.pick('0.5', '0.99')}, sum by (le, {self.pick('job', 'path', 'job, path')}) (rate(lat_bucket[{d()}])))",
            lambda: f"histogram_quantile({self.pick('0.5', '0.99')}, sum by (job) (rate(h[{d()}])))",
            lambda: f"max_over_time(sum by (job) (rate(c_total[1m])){self.window()})",
            lambda: f"avg_over_time((g > bool {self.number()}){self.window()})",
            lambda: f"({v()} or {v()}) {self.pick('>', '<', '==')} {self.number()} unless {v()}",
            lambda: f"{v()} and on () (hour() {self.pick('>', '<=')} {self.r.randrange(24)})",
            lambda: f"{v()} unless on (job) absent({self.selector()})",
            lambda: f"count by (v) (count_values by (job) (\"v\", {v()}))",
            lambda: f"topk({self.pick('1', '3')}, sum by (instance) (increase(c_total[{d()}]))) {self.pick('', '> 0', 'or vector(0)')}",
            lambda: f"1 - avg by (job) (irate(c_total[{d()}]))",
            lambda: f"predict_linear(g[{d()}], {self.pick('3600', '4 * 3600')}) < 0",
            lambda: f"changes(timestamp(g)[{self.pick('5m', '10m')}:{self.pick('15s', '1m', '')}])",
            lambda: f"sum(g offset {self.pick('5m', '-5m')}) / sum(g) - 1",
            lambda: f"label_replace({v()}, \"instance\", \"$1\", \"instance\", \"(.).*\") * on (instance) group_left (version) target_info",
            lambda: f"quantile({self.pick('0.5', '0.95')}, rate(c_total[{d()}])) by (job) > avg(rate(c_total[{d()}])) without (instance, code)",
            lambda: f"(time() - max by (job) (timestamp(g))) > {self.pick('60', '0', '300')}",
            lambda: f"sum(rate(lat_bucket{{le=\"1\"}}[{d()}])) / ignoring (le) sum(rate(lat_bucket{{le=\"+Inf\"}}[{d()}]))",
            lambda: f"stddev by (job) (g) / avg by (job) (g) {self.pick('>= bool 0', '')}",
            lambda: f"group by (job) ({v()}) * on (job) group_right () {v()}",
        )()

    def vector(self, depth):
        k = self.kind()
        if depth > 1 and self.chance(0.08):
            return f"({self.rule(depth)})"
        return super().vector(depth) if k is None or self.chance(0.8) else k.vector(self, depth)

    def expression(self):
        k = self.r.random()
        if k < 0.12:
            return self.rule(self.pick(1, 2, 3))
        if k < 0.16:
            return f"{self.selector()}[{self.duration()}]{self.extension(0.3)}{self.modifiers()}"
        return super().expression()
