"""kill -9 at random moments while writers hammer: every sample that got a 2xx is there afterwards.

ROUNDS=50 for the long form.
"""
import http.client
import os
import random
import threading
import time

from harness import PATIENCE, Gnomon, RW_HEADERS, run, snappy, wait_for, write_request

WRITERS, SERIES, PER_REQUEST = 6, 40, 5


def value_of(writer, series, ms):
    """Any reader can recompute what a sample must be; not a round number, so that bits count."""
    return (ms % 100003) * 1.1 + writer * 7 + series / 3


class Writer(threading.Thread):
    """Sends requests back to back on one connection until the server dies; remembers what was acknowledged."""

    def __init__(self, port, run_id, number, start_ms):
        super().__init__(daemon=True)
        self.port, self.run_id, self.number, self.next_ms = port, run_id, number, start_ms
        self.acked_until = start_ms  # all samples with time < this are acknowledged
        self.unexpected = []

    def body(self):
        steps = [self.next_ms + 250 * i for i in range(PER_REQUEST)]
        series = [({"__name__": "kill_test", "run": self.run_id, "writer": str(self.number), "series": str(s)},
                   [(ms, value_of(self.number, s, ms)) for ms in steps]) for s in range(SERIES)]
        return snappy(write_request(series)), steps[-1] + 250

    def run(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            while True:
                body, after = self.body()
                c.request("POST", "/api/v1/write", body, RW_HEADERS)
                r = c.getresponse()
                text = r.read()
                if r.status // 100 == 2:
                    self.acked_until = after
                elif r.status != 503:
                    self.unexpected.append((r.status, text))
                    return
                else:
                    continue
                self.next_ms = after
        except (OSError, http.client.HTTPException):
            pass  # killed: what was not acknowledged may or may not be there


def check(server, run_id, writers, start_ms):
    """Acknowledged: all there, bit for bit.  Not acknowledged: there or not, but never invented."""
    end_s = max(w.next_ms for w in writers) / 1000 + 10
    result = server.query(f'kill_test{{run="{run_id}"}}[1d]', at=end_s)
    got = {(int(s["metric"]["writer"]), int(s["metric"]["series"])): s["values"] for s in result}
    samples = 0
    for w in writers:
        for s in range(SERIES):
            have = {round(float(t) * 1000): float(v) for t, v in got.get((w.number, s), [])}
            for ms in range(start_ms, w.acked_until, 250):
                assert have.get(ms) == value_of(w.number, s, ms), \
                    f"writer {w.number} series {s}: at {ms} {have.get(ms)}, acknowledged {value_of(w.number, s, ms)}"
                samples += 1
            for ms, v in have.items():
                assert v == value_of(w.number, s, ms), f"invented: writer {w.number} series {s} at {ms}: {v}"
    return samples


def test_acknowledged_samples_survive_kill_9():
    rounds = int(os.environ.get("ROUNDS", 6))
    total, history = 0, []
    with Gnomon() as server:
        for n in range(rounds):
            start_ms = int(time.time() * 1000) - 3600_000
            run_id = f"r{n}"
            writers = [Writer(server.port, run_id, i, start_ms) for i in range(WRITERS)]
            for w in writers:
                w.start()
            time.sleep(random.uniform(0.02, 1.5))
            if n == rounds - 1 and not total:  # a very slow machine
                wait_for("something to be acknowledged", lambda: any(w.acked_until > start_ms for w in writers))
            server.kill9()
            for w in writers:
                w.join(PATIENCE)
                assert not w.unexpected, w.unexpected
            server.process.out.close()
            server.start()
            samples = check(server, run_id, writers, start_ms)
            history.append((run_id, writers, start_ms))
            total += samples
            print(f"round {n}: {samples} acknowledged samples are there", flush=True)
        for run_id, writers, start_ms in history:  # and the rounds before are still whole
            check(server, run_id, writers, start_ms)
        server.stop()
        server.start()
        check(server, *history[-1])
    print(f"{rounds} kills, {total} acknowledged samples, none lost")
    assert total > 0


run(globals())
