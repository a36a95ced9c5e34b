"""What expressions.py makes seldom or never: nested subqueries, arithmetic of durations, quoted names, odd labels, matching at its edges.

The same grammar with other leaves; a round is played with one of the two.
"""
from expressions import HIST_NAMES, RANGE_STABLE, Generator

QUOTED = ('"label with space"', '"x.y"', '"é"', '"job"', '"a\\"b"', "'instance'", "`code`")
NATURAL = ("v", "v", "w", "i")
COMPARE = ("==", "!=", ">", "<", ">=", "<=")


class Rare(Generator):
    # ---- Leaves ----

    def number(self):
        return self.pick("0x1p3", "1e-324", "4.9e-324", "1.7976931348623157e308", "1e309", "9007199254740993", "0.1e1", ".5", "5.", "1h30m", "0x_1F", "1__0",
                         "-0", "+1", "007", "08", "0b1", "0o17", "1e+3", "nan", "inf", "+Inf", "1d", "100ms", "-1.5m", "3.0000000000000004",
                         "0.30000000000000004", super().number(), super().number(), super().number())

    def name(self):
        return self.pick("nat", "odd", '{"utf8.metric"}', '{"ö.h"}', super().name(), super().name(), super().name(), super().name())

    def matcher(self):
        return self.pick(f"{self.pick(*QUOTED)}=~\".*\"", f"{self.pick(*QUOTED)}!=\"v\"", 'job=~"(a|b)"', 'instance=~"[0-1]|2"', 'instance!~"|0"', 'x=~"p|é"',
                         'v=~"a.*"', 'odd=~"(?i)L.*"', 'odd=~"\\\\p{Lu}.*"', 'odd!~".*\\n.*"', 'job=~"^a$"', 'job=~"a|"', '__name__!=""',
                         "job='a'", "job=`b`", 'code=~"2..|5.."', 'path=~"/.?"', 'le=~"1|5|\\\\+Inf"', super().matcher(), super().matcher())

    def selector(self, name=None):
        name = name or (self.name() if self.chance(0.8) else None)
        if name is None:
            return super().selector()
        inside = ",".join(self.matcher() for _ in range(self.r.randrange(1, 3))) if self.chance(0.35) else ""
        if name.startswith("{"):
            return name[:-1] + ("," + inside if inside else "") + self.pick("", "", ",") + "}"
        return f"{name}{{{inside}}}" if inside else name

    def length(self, depth):
        """A duration expression."""
        k = self.r.randrange(9) if depth > 0 else self.r.randrange(3)
        if k < 2:
            return self.pick("1m", "30s", "45", "2m30s", "1.5", "1e2", "0x1e", "500ms", "1h")
        if k == 2:
            return self.pick("step()", "range()", "step()", "1m")
        if k == 3:
            return f"{self.pick('min_of', 'max_of')}({self.length(depth - 1)}, {self.length(depth - 1)})"
        if k == 4:
            return f"-{self.length(depth - 1)}"
        if k == 5:
            return f"({self.length(depth - 1)})"
        return f"{self.length(depth - 1)} {self.pick('+', '-', '*', '/', '%', '^', '+', '*')} {self.length(depth - 1)}"

    def duration(self):
        return self.length(3) if self.chance(0.25) else super().duration()

    def modifiers(self):
        if self.chance(0.75):
            return ""
        at = self.start + self.r.randrange(self.span)
        offset = " offset " + self.pick("1m", "-1m", "-5m", f"({self.length(2)})", "step()", "-step()", f"-({self.length(1)})", "1", "-30", "1ms", "range()")
        text = " @ " + self.pick(str(at), f"{at}.0005", f"{at}.9994", "start()", "end()", f"{at}e0", f"-{at}", "0", "1_600_000_800", "+5")
        return self.pick(offset, text, offset + text, text + offset)

    # ---- Subqueries of subqueries ----

    def window(self):
        return f"[{self.pick('5m', '2m', '1m', '90s', '10m', '37s')}:{self.pick('', '', '30s', '15s', '1m', '7s', 'step()', '2 * 10', 'step() * 2', '100s')}]"

    def range_vector(self, depth, name=None, plain=0.6):
        if depth > 1 and self.chance(0.2):
            inner = f"{self.pick('rate', 'sum_over_time', 'max_over_time', 'last_over_time', 'count_over_time', 'deriv')}({self.range_vector(depth - 1, name, 0.5)})"
            return f"{self.pick(inner, f'sum({inner})', f'({inner} + 1)', f'-{inner}')}{self.window()}{self.modifiers()}"
        return super().range_vector(depth, name, plain)

    # ---- Aggregations ----

    def grouping(self):
        if self.chance(0.25):
            names = ", ".join(self.pick(*QUOTED, "v", "odd", "__name__", "le") for _ in range(self.r.randrange(0, 4)))
            return f" {self.pick('by', 'without')} ({names}{self.pick('', ',') if names else ''})"
        return super().grouping()

    def aggregation(self, depth):
        k = self.r.randrange(9)
        if k == 0 and self.new:
            return f"limit_ratio{self.grouping()}({self.r.uniform(-1.2, 1.2):.3f}, {self.vector(depth - 1)})"
        if k == 1 and self.new:
            return f"limitk{self.grouping()}({self.pick('1', '3', 'scalar(count(g))', 'time() % 3', '2.5', 'Inf', 'NaN', '1e20')}, {self.vector(depth - 1)})"
        if k == 2:
            return f"{self.pick('topk', 'bottomk')}{self.grouping()}({self.pick('time() % 4', 'scalar(sum(many))', '1e19', '-Inf', 'NaN', '3')}, {self.pick('many', 'nat', 'mix', self.vector(depth - 1))})"
        if k == 3:
            return f"count_values{self.grouping()}({self.pick(*QUOTED, chr(34) + '__name__' + chr(34))}, {self.vector(depth - 1)})"
        return super().aggregation(depth)

    # ---- Binary operators ----

    def matching(self, sets):
        if self.chance(0.3):
            names = ", ".join(self.pick(*QUOTED, "job", "instance", "v", "__name__") for _ in range(self.r.randrange(0, 4)))
            out = f" {self.pick('on', 'ignoring')} ({names})"
            if not sets and self.chance(0.6):
                copied = ", ".join(self.pick('"x"', "code", '"new.one"', "v", "__name__", "nope") for _ in range(self.r.randrange(0, 3)))
                out += f" {self.pick('group_left', 'group_right')} {self.pick(f'({copied})', '')}"
            return out
        return super().matching(sets)

    def binary(self, depth):
        k = self.r.randrange(10)
        hist = lambda: self.selector(self.r.choice(HIST_NAMES)) + self.modifiers()
        if k == 0:
            return f"{hist()} {self.r.choice(COMPARE)} {self.pick('bool ', '')}{self.matching(False)} {self.pick(hist(), hist(), self.number(), 'g')}"
        if k == 1:
            return f"{hist()} {self.pick('</', '>/')} {self.pick('bool', '')}{self.matching(False)} {self.pick('0', '1', '-1', '0.5', 'Inf', '-Inf', 'NaN', 'g', hist(), '1e-3', 'scalar(g)')}"
        if k == 2 and self.fill:
            fill = self.pick("fill (0)", "fill(-Inf)", "fill_left(NaN)", "fill_right(1e3)", "fill_left (0) fill_right (NaN)", "fill(-0)", "fill_right(0) fill_left(0)", "fill(1h)")
            on = self.pick("on (job, instance)", "ignoring (x, code)", "on ()", "on (job) group_left", "on (job, instance) group_right (x)", "ignoring (instance) group_left ()", "")
            return f"{self.vector(depth - 1)} {self.pick('+', '-', '==', '!=', '> bool', '*', '/', 'atan2')} {on} {fill} {self.vector(depth - 1)}"
        if k == 3:
            a = self.pick("g", "c_total", "many", "nat", "k")
            return f"{a} {self.pick('*', '+', '>', '== bool')} on ({self.pick('job', 'instance', 'part', 'v', '')}) {self.pick('group_left', 'group_right', '')} {self.pick(a, 'target_info', 'c_total', 'k')}"
        return super().binary(depth)

    # ---- Functions ----

    def quoted(self):
        return self.pick('"x.y"', '"é"', '"label with space"', '"job"', '"__name__"', '"a\\"b"', '""', '"new"', "'v'", '"\\xff"', '"\\u00e9"')

    def relabel(self, depth):
        v = self.vector(depth - 1)
        if self.chance(0.4):
            parts = "".join(", " + self.quoted() for _ in range(self.r.randrange(0, 4)))
            return f"label_join({v}, {self.quoted()}, {self.pick(chr(34) + '-' + chr(34), chr(34) * 2, chr(34) + 'é' + chr(34))}{parts})"
        regex = self.pick('"(.*)"', '"(?P<a>.).*"', '"a|b"', '""', '".+"', '"(a)|(b)"', '"(?i:A)"', '"[^b]"', '"((.))"', '"("', '"a{1001}"', '"\\\\d+"', '"(é|p)?.*"')
        text = self.pick('"$1"', '"${1}x"', '"$1x"', '"$a"', '"${a}-$2"', '"$$"', '"$"', '"${"', '"$0"', '"é$1"', '""', '"$10"', '"\\xff"', '"${1}${1}"')
        return f"label_replace({v}, {self.quoted()}, {text}, {self.quoted()}, {regex})"

    def information(self, depth):
        matchers = ", ".join(self.pick('version="1"', 'version=~"1|2"', 'cloud!=""', 'cloud=~".*"', 'revision="r"', 'revision!="s"', '__name__="target_info"', '__name__=~"target.*|build.*"',
                                       '__name__!="build_info"', 'nope="x"', 'nope=~".*"', '"cloud"="y"', '__name__=~"nope.*"', 'job="a"')
                             for _ in range(self.r.randrange(0, 4)))
        v = self.pick(self.vector(depth - 1), self.selector("g") + self.modifiers(), f"rate({self.selector('c_total')}[5m])", '{__name__=~"g|target_info"}')
        return f"info({v}{self.pick('', ', {' + matchers + '}', ', {' + matchers + ',}' if matchers else '')})"

    def function(self, depth):
        k = self.r.randrange(13)
        if k < 2:
            return self.relabel(depth)
        if k == 2 and self.new:
            return self.information(depth)
        if k == 3 and self.new:
            by = "".join(f', "{self.pick(*NATURAL)}"' for _ in range(self.r.randrange(0, 3)))
            return f"{self.pick('sort_by_label', 'sort_by_label_desc')}({self.pick('nat', 'many', self.vector(depth - 1))}{by})"
        if k == 4:
            return f"{self.pick('sort', 'sort_desc')}({self.pick('many', 'nat', 'k', 'mix', '{job=~' + chr(34) + '.*' + chr(34) + '}')})"
        if k == 5:
            return f"{self.pick('absent', 'absent_over_time')}({self.selector()}{self.pick('[1m]', '')}{self.modifiers()})"
        if k == 6:
            return f"{self.pick('timestamp', 'timestamp', 'scalar', 'abs')}({self.pick('(', '')}{self.selector()}{self.modifiers()}{self.pick(')', '')})"
        if k == 7:
            f = self.pick(*RANGE_STABLE, "rate", "increase", "sum_over_time", "avg_over_time")
            return f"histogram_{self.pick('count', 'sum', 'avg')}({self.pick(f'{f}(', f'sum({f}(', f'avg by (job)({f}(')}{self.selector(self.r.choice(HIST_NAMES))}[{self.duration()}]{self.modifiers()})){self.pick(')', '')}"
        if k == 8:
            h = self.histogram_vector(depth - 1)
            return f"{self.pick('histogram_stddev', 'histogram_stdvar', 'histogram_avg')}({self.pick(f'{h} * -1', f'-{h}', f'{h} / 0', f'{h} - {h}', h)})"
        if k == 9 and self.new:
            qs = ", ".join(self.pick("0", "0.5", "1", "0.999", "-0.1", "1.1", "NaN", "0.25") for _ in range(self.r.randrange(1, 5)))
            return f"histogram_quantiles({self.histogram_vector(depth - 1)}, {self.quoted().replace(chr(34) * 2, chr(34) + 'q' + chr(34))}, {qs})"  # with "" 3.15 panics
        return super().function(depth)
