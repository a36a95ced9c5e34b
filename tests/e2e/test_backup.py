#!/usr/bin/env python3
"""gnomon backup and restore with the real binary: beside a server under load, after a kill, with damage."""
import os
import random
import signal
import subprocess
import tempfile
import threading
import time

from harness import BINARY, PATIENCE, Gnomon, run


def now_ms():
    return int(time.time() * 1000)


def tool(*args, timeout=PATIENCE):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout + done.stderr


def ok(*args):
    code, text = tool(*args)
    assert code == 0, (args, code, text)
    return text


def write(g, n, at):
    status, _, body = g.write([({"__name__": "m", "i": str(i)}, [(at, float(at % 1000 + i))]) for i in range(n)])
    assert status == 204, (status, body)


def count(dir):
    with Gnomon(dir=dir) as g:
        result = g.query("sum(count_over_time(m[1d]))")
        return int(result[0]["value"][1]) if result else 0


def objects(dest):
    return [os.path.join(at, f) for at, _, files in os.walk(dest + "/objects") for f in files]


def test_a_backup_beside_a_busy_server_has_everything_acknowledged_before_it():
    with tempfile.TemporaryDirectory() as tmp, Gnomon() as g:
        dest, start, sent, stop = tmp + "/dest", now_ms() - 3600000, [0], threading.Event()

        def writer():
            while not stop.is_set():
                write(g, 50, start + sent[0] * 10)
                sent[0] += 1
        thread = threading.Thread(target=writer)
        thread.start()
        befores = []
        for _ in range(4):
            time.sleep(0.2)
            befores.append(sent[0])
            ok("backup", g.dir, dest)
        stop.set()
        thread.join()
        names = [line.split()[0] for line in ok("backup", "list", dest).splitlines()]
        assert len(names) == 4
        assert "4 backups" in ok("backup", "verify", dest)
        for name, before in zip(names, befores):
            ok("restore", "--backup", name, dest, f"{tmp}/{name}")
            assert " problems=0" in ok("verify", f"{tmp}/{name}")
            got = count(f"{tmp}/{name}")
            assert got >= before * 50 and got % 50 == 0, (got, before)
        assert os.listdir(g.dir + "/snapshots") == [], "nothing stays behind"


def test_a_killed_backup_leaves_the_earlier_one():
    with tempfile.TemporaryDirectory() as tmp, Gnomon() as g:
        dest = tmp + "/dest"
        for i in range(30):
            write(g, 2000, now_ms() - 100000 + i * 1000)
        ok("backup", g.dir, dest)
        for i in range(8):
            write(g, 2000, now_ms())
            p = subprocess.Popen([BINARY, "backup", g.dir, dest], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.random() * 0.03)
            p.send_signal(signal.SIGKILL)
            p.wait()
            assert "0 problems" in ok("backup", "verify", dest)
        ok("backup", g.dir, dest)
        ok("backup", "prune", "--keep", "1", dest)
        assert ok("backup", "verify", dest).startswith("1 backups")
        ok("restore", dest, tmp + "/back")
        g.kill9()
        g.start()
        assert all(not name.endswith(".tmp") for name in os.listdir(g.dir + "/snapshots")), "the next start sweeps"


def test_flipped_bytes_and_missing_files_are_named_and_not_served():
    with tempfile.TemporaryDirectory() as tmp:
        dest = tmp + "/dest"
        with Gnomon() as g:
            write(g, 100, now_ms())
            ok("backup", g.dir, dest)
        found = objects(dest)
        assert len(found) >= 3
        for i, path in enumerate(found):
            with open(path, "rb") as f:
                good = f.read()
            at = random.randrange(len(good))
            for bad in (good[:at] + bytes([good[at] ^ 1 << random.randrange(8)]) + good[at + 1:], good[:at], None):
                os.remove(path)
                if bad is not None:
                    with open(path, "wb") as f:
                        f.write(bad)
                code, text = tool("backup", "verify", dest)
                assert code == 1 and os.path.basename(path) in text and "1 problems" in text, text
                target = f"{tmp}/bad{i}"
                code, text = tool("restore", dest, target)
                assert code == 1 and os.path.basename(path) in text and "must not be used" in text, text
                code, text = tool(f"--storage.path={target}", "--web.listen-address=127.0.0.1:0")
                assert code == 1 and "restore again" in text, text
                subprocess.run(["rm", "-r", target], check=True)
                with open(path, "wb") as f:
                    f.write(good)
        ok("restore", dest, tmp + "/back")


def test_a_second_backup_writes_only_what_is_new():
    with tempfile.TemporaryDirectory() as tmp:
        dest = tmp + "/dest"
        with Gnomon() as g:
            write(g, 3000, now_ms())
            dir = g.dir
            ok("backup", dir, dest)
            g.stop()
            text = ok("backup", dir, dest)
            assert int(text.split("new: ")[1].split()[0]) <= 2, text  # the log's end, no more
            text = ok("backup", "--full", dir, dest)
            assert "new: 0 files" in text, text
            code, text = tool("backup", dir, dir)
            assert code == 1 and "holds no backups" in text, text


def test_what_cannot_be_is_told_in_one_line():
    with tempfile.TemporaryDirectory() as tmp:
        for args in (("backup", tmp + "/nothing", tmp + "/dest"), ("backup", "list", tmp), ("restore", tmp, tmp + "/x"),
                     ("backup", "verify", tmp + "/nothing"), ("backup", "prune", "--keep", "2", tmp + "/nothing")):
            code, text = tool(*args)
            assert code == 1 and text.count("\n") == 1, (args, code, text)
        for args in (("backup",), ("backup", "a"), ("restore", "a"), ("backup", "prune", "--keep", "0", tmp), ("backup", "--what", "a", "b")):
            code, text = tool(*args)
            assert code == 2 and text.startswith("usage:"), (args, code, text)


run(globals())
