"""What a run of races found: kept after every race, as JSON and as a table."""
import json
import math
import os
import time

MORE_IS_BETTER = ("samples/s", "series")


class Report:
    def __init__(self, out, facts):
        self.out, self.facts, self.rows, self.failures = out, facts, [], []

    def note(self, race, what, unit, name, value):
        """A figure.  NaN: there is none, because the contestant failed or took too long."""
        for row in self.rows:
            if row["race"] == race and row["what"] == what and row["unit"] == unit:
                row["values"][name] = value
                break
        else:
            self.rows.append({"race": race, "what": what, "unit": unit, "values": {name: value}})
        print(f"  {race:22} {what[:80]:80} {value:14.4f} {unit}", flush=True)

    def failed(self, race, name, why):
        self.failures.append({"race": race, "name": name, "why": why})
        print(f"  {race}: {name}: {why}", flush=True)

    def save(self):
        rows = [dict(row, values={k: None if math.isnan(v) else v for k, v in row["values"].items()}) for row in self.rows]
        for name, text in (("result.json", json.dumps(dict(self.facts, results=rows, failures=self.failures), indent=1)),
                           ("result.md", self.markdown())):
            path = os.path.join(self.out, name)
            with open(path + ".tmp", "w") as f:
                f.write(text)
            os.replace(path + ".tmp", path)

    def markdown(self):
        names = list(self.facts["versions"])
        peers = [n for n in names if n != "gnomon"] if "gnomon" in names else []
        versions = ", ".join(f"{n} {v}" for n, v in self.facts["versions"].items())
        lines = [f"Measured {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load at the begin {self.facts['load']:.1f}, "
                 f"{versions}. {self.facts['sizes']}", "",
                 "| race | | " + " | ".join(names) + " | " + "".join(f"better than {p}, times | " for p in peers),
                 "|---" * (2 + len(names) + len(peers)) + "|"]
        for row in self.rows:
            values, unit = row["values"], row["unit"]
            cells = [shown(values.get(n)) for n in names] + [ratio(unit, values, p) for p in peers]
            text = row["what"].replace("|", "\\|")
            lines.append(f"| {row['race']} | {text}{', ' + unit if unit else ''} | " + " | ".join(cells) + " |")
        lines += [""] * bool(self.failures) + [f"- {f['race']}: {f['name']}: {f['why']}" for f in self.failures]
        return "\n".join(lines) + "\n"


def shown(value):
    if value is None:
        return ""
    return "failed" if math.isnan(value) else f"{value:.4g}"


def ratio(unit, values, peer):
    """How many times better we are: below 1 we lost.  VictoriaMetrics has two columns in races with its cache."""
    ours, theirs = values.get("gnomon"), values.get(peer)
    if not ours or not theirs or math.isnan(ours) or math.isnan(theirs):
        return ""
    return f"{ours / theirs if unit in MORE_IS_BETTER else theirs / ours:.2g}"
