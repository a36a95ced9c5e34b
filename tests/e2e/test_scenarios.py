"""The scenarios of real teams in their short forms; each is a program of its own in tests/e2e/scenarios."""
import os
import re
import subprocess
import sys

from harness import ROOT, Skip, run


def scenario(name):
    path = f"{ROOT}/tests/e2e/scenarios/{name}.py"
    p = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=600)
    print(p.stdout.strip())
    assert p.returncode == 0, p.stderr[-4000:]
    skipped = re.findall(r"^SKIP \S+: (.*)", p.stdout, re.M)
    if skipped:
        raise Skip(skipped[0])


def test_go_service():
    scenario("go_service")


def test_flask_site():
    scenario("flask_site")


def test_ecs_traefik():
    scenario("ecs_traefik")


def test_labels_explode():
    scenario("labels_explode")


def test_slo_shop():
    scenario("slo_shop")


def test_every_scenario_is_here_and_has_its_page():
    found = {f[:-3] for f in os.listdir(ROOT + "/tests/e2e/scenarios") if f.endswith(".py")} - {"common"}
    here = {name[5:] for name in globals() if name.startswith("test_")} & found
    assert found == here, found - here
    pages = {f[:-3].replace("-", "_") for f in os.listdir(ROOT + "/docs/scenarios")} - {"README"}
    assert found == pages, found ^ pages


run(globals())
