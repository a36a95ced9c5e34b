#!/usr/bin/env python3
"""Wraps configs/prometheus/gnomon.rules.yml as a PrometheusRule for prometheus-operator.

usage: gen_prometheusrule.py [--check]     (--check: exit 1 when the file is not what this writes)
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = "deploy/kubernetes/components/prometheus-operator/prometheusrule.yaml"
HEAD = """# Written by scripts/gen_prometheusrule.py from configs/prometheus/gnomon.rules.yml: change that one.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: gnomon
  labels: {app.kubernetes.io/name: gnomon}
spec:
"""


def main():
    with open(os.path.join(ROOT, "configs/prometheus/gnomon.rules.yml")) as f:
        rules = f.read()
    content = HEAD + "".join("  " + line if line.strip() else line for line in rules[rules.index("groups:"):].splitlines(True))
    path = os.path.join(ROOT, OUT)
    if "--check" in sys.argv:
        with open(path) as f:
            if f.read() != content:
                sys.exit(f"{OUT} is not what scripts/gen_prometheusrule.py writes")
    else:
        with open(path, "w") as f:
            f.write(content)


if __name__ == "__main__":
    main()
