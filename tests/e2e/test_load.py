"""Keep-alive clients that query during ingestion, with slow and idle ones beside them: no error, memory bounded (load.py).

A short form with a tenth of everything; python3 tests/e2e/load.py 300 is the whole, beside the peers.
"""
import os

for name, value in (("RATE", 10000), ("SERIES", 10000), ("CLIENTS", 20), ("SLOW", 100), ("IDLE", 100)):
    os.environ.setdefault(name, str(value))

import load  # noqa: E402
from harness import run  # noqa: E402


def test_clients_are_served_beside_slow_and_idle_ones():
    errors, _ = load.main(float(os.environ.get("LOAD_SECONDS", 8)), "gnomon")["gnomon"]
    assert not errors, errors[:10]


if __name__ == "__main__":
    run(globals())
