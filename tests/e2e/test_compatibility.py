"""docs/compatibility.md is the table of compatibility.py, and the server does what the table says.  WRITE=1 writes the page."""
import os
import re
import subprocess

import compatibility as table
from harness import BINARY, ROOT, Gnomon, request, run

PAGE = os.path.join(ROOT, "docs/compatibility.md")
STATES = {"yes": "yes", "empty": "valid and empty", "idle": "accepted, nothing to do", "flag": "behind a flag", "no": "404"}
WHO = {"P": "Prometheus", "V": "VictoriaMetrics", "PV": "both", "": "neither"}


def configuration():
    """{flag of a peer: what becomes of it} from the page that a unit test keeps equal to the settings' tables."""
    out, section = {}, ""
    with open(os.path.join(ROOT, "docs/configuration.md"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("## "):
                section = line[3:].strip()
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            names = re.findall(r"`-{0,2}([^`]+)`", cells[0])
            if not names or line.startswith(("#", "|---")):
                continue
            for name in names:
                if section == "Names of the same settings elsewhere":
                    out[name] = "as " + cells[1] if cells[1] else "understood"
                elif section == "Refused":
                    out[name] = "refused"
                elif section == "Accepted without effect":
                    out[name] = "no effect"
                else:
                    out.setdefault(name, "the same name")
    return out


def known(flag):
    """Whether the program knows a flag: what it complains of is not this one."""
    told = subprocess.run([BINARY, f"--{flag}=1", "--no-such-flag-anywhere"], capture_output=True, text=True).stderr
    return f'unknown flag "--{flag}"' not in told


def fate(flag, settings):
    """By its name, or by the longest `prefix*` that fits."""
    fits = [name for name in settings if name == flag or name.endswith("*") and flag.startswith(name[:-1])]
    return settings[max(fits, key=len)] if fits else None


def page():
    out = ["# Compatibility\n", "Made from the table in `tests/e2e/compatibility.py` by `WRITE=1 python3 tests/e2e/test_compatibility.py`, which also asks",
           "the server about every row. What differs in the answers themselves is in [api.md](api.md); every request in `make differential-api` and",
           "`tests/golden` is answered as Prometheus 3.15 answers it.\n", "## Endpoints\n", "| | path | in | here | |", "|---|---|---|---|---|"]
    out += [f"| {m} | `{p}` | {WHO[w]} | {STATES[s]} | {n} |" for m, p, w, s, n in table.ENDPOINTS]
    out += ["\n## Parameters\n", "Parameters that are not named are ignored, as in both.\n", "| of | parameter | in | here | |", "|---|---|---|---|---|"]
    out += [f"| {e} | `{p}` | {WHO[w]} | {'used' if s == 'used' else 'no effect'} | {n} |" for e, p, w, s, n, _, _ in table.PARAMETERS]
    settings = configuration()
    for who, dash, flags in (("Prometheus 3.15", "--", table.PROMETHEUS_FLAGS), ("VictoriaMetrics", "-", table.VICTORIAMETRICS_FLAGS)):
        out += [f"\n## Flags of {who}\n", "Why, is in [configuration.md](configuration.md).\n", "| flag | here |", "|---|---|"]
        out += [f"| `{dash}{f}` | {fate(f, settings) or 'unknown: the start fails and names it'} |" for f in flags]
    return "\n".join(out) + "\n"


def test_endpoints_are_there_or_not_as_the_table_says():
    wrong = []
    with Gnomon("--log.level=error") as g:
        for method, path, _, state, _ in table.ENDPOINTS:
            status, _, body = request(method, g.port, path)
            there = status != 405 and body != b"404 page not found\n"
            if there != (state != "no") or state == "flag" and status not in (403, 500) or state in ("empty", "idle") and status != 200:
                wrong.append((method, path, state, status))
    assert not wrong, wrong


def test_parameters_are_read_or_not_as_the_table_says():
    wrong = []
    with Gnomon("--log.level=error") as g:
        for _, name, _, state, _, path, want in table.PARAMETERS:
            if path and (got := request("GET", g.port, path.replace("{", "%7B"))[0]) != want:
                wrong.append((name, path, want, got))
    assert not wrong, wrong


def test_flags_are_known_or_not_as_the_page_says():
    settings = configuration()
    wrong = [f for f in table.PROMETHEUS_FLAGS + table.VICTORIAMETRICS_FLAGS if known(f) != bool(fate(f, settings))]
    assert not wrong, wrong


def test_the_page_is_the_table():
    if os.environ.get("WRITE"):
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(page())
    with open(PAGE, encoding="utf-8") as f:
        assert f.read() == page(), "docs/compatibility.md is stale: WRITE=1 python3 tests/e2e/test_compatibility.py"


run(globals())
