"""Texts of expressions: good ones of the generators, and what typing errors make of them.  No data is needed to compare what a server says to them."""
import random
import re

from expressions import Generator
from rare import Rare

TOKEN = re.compile(r'\s+|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|[A-Za-z_:][\w:]*|[\d.]+\w*|[=!><]=|=~|!~|</|>/|.', re.S)
WORDS = ("sum", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "@", "start()", "end", "and", "or", "unless", "atan2", "fill",
         "fill_left", "fill_right", "anchored", "smoothed", "inf", "nan", "step()", "range()", "min_of", "max_of", "rate", "topk", "limitk", "count_values",
         "histogram_quantile", "info", "(", ")", "{", "}", "[", "]", ",", ":", "=", "!=", "=~", "!~", "==", ">=", "</", ">/", "+", "-", "*", "/", "%", "^", "#",
         '"', "'", "`", "\\", "é", "\u2028", "\0", "\n", "\t", ";", "?", "$", "&", "|", "~", "!", "1", "0x", "1e", "5m", "1h30", "1y2w3d4h5m6s7ms", "30s1m", "0s",
         "9999999999y", "1e999", ".", "..", "1.2.3", "_", "__name__", '"a"', "'a\\'", '"\\x"', '"\\u12"', '"\\400"', '{"a","b"}', '{a="b"}', 'a="b"', '=~"("', '=~"["',
         '=~"a{2000}"', '=~"\\\\8"', '=~"(?P<a>a)(?P<a>b)"', '=~"**"', "[5m]", "[5m:1m]", "[:]", "[5m:", "@ 1", "@ -1", "@ nan", "offset 5m", "offset -", "{}", '{__name__=""}',
         '{a=~".*"}', "keep_metric_names", "default", "{{schema:0}}", "0x1p-3", "0b1", "\ufeff", "\u00a0", "//", "--", "+-", "!")


def mutated(rnd, text):
    parts = TOKEN.findall(text) or [text]
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        i = rnd.randrange(len(parts))
        k = rnd.randrange(8)
        if k == 0:
            del parts[i:i + rnd.choice((1, 1, 2))]
        elif k == 1:
            parts.insert(i, parts[i])
        elif k == 2:
            j = rnd.randrange(len(parts))
            parts[i], parts[j] = parts[j], parts[i]
        elif k in (3, 4):
            parts.insert(i, rnd.choice(WORDS))
        elif k == 5:
            parts[i] = rnd.choice(WORDS)
        elif k == 6:
            at = rnd.randrange(len(parts[i]) + 1)
            parts[i] = parts[i][:at] + rnd.choice(WORDS) + parts[i][at:]
        else:
            parts = parts[:i + 1] if rnd.random() < 0.5 else parts[i:]
        parts = parts or ["g"]
    return "".join(parts)


def layout(rnd, text):
    """The same with other white space and comments."""
    return "".join(p + rnd.choice(("", "", "", " ", "\n", "\t", " # c\n", "  ")) if not p.isspace() else rnd.choice((" ", "\n", "  ")) for p in TOKEN.findall(text))


def texts(seed, features, wanted):
    rnd = random.Random(seed)
    generators = [kind(rnd, features, 1_600_000_020, 2700) for kind in (Generator, Rare)]
    for _ in range(wanted):
        text = rnd.choice(generators).expression()
        k = rnd.random()
        if k < 0.75:
            text = mutated(rnd, text)
        elif k < 0.85:
            text = layout(rnd, text)
        yield text
