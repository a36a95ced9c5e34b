"""A damaged or hostile data directory: the server starts, serves the rest and says so; or refuses with a clear line.

The catalogue: each file of the directory removed, emptied, cut, flipped; directories of others, permissions, limits.
"""
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

from harness import BINARY, PATIENCE, Gnomon, RW_HEADERS, Skip, field, request, run, snappy, varint, wait_for

NOW = int(time.time() * 1000)
HOUR, SERIES, LATE = 3600_000, 30, 10


def late(name):
    return [({"__name__": name, "i": str(i)}, [(NOW - 5000, float(i))]) for i in range(LATE)]


def metric(server, name):
    _, _, text = server.get("/metrics")
    return sum(float(line.rsplit(b" ", 1)[1]) for line in text.splitlines() if line.startswith((name + " ").encode()))


class Store:
    """A directory with blocks, a checkpoint and frames after it, as kill -9 leaves it; made once."""
    path, samples = None, 0

    @classmethod
    def get(cls):
        if cls.path:
            return cls
        cls.tmp = tempfile.mkdtemp(prefix="gnomon-bad-disk-")
        cls.path = os.path.join(cls.tmp, "good")
        values = random.Random(1)
        server = Gnomon(dir=cls.path)
        server.start()
        end = NOW // HOUR * HOUR
        for h in range(end - 8 * HOUR, end, 2 * HOUR):
            times = range(h, h + 2 * HOUR, 30_000)
            assert server.write([({"__name__": "m", "i": str(i)}, [(t, values.random()) for t in times])
                                 for i in range(SERIES)])[0] == 204
            cls.samples += SERIES * len(times)
            flushes = cls.samples // (SERIES * 240) - 1  # each batch but the first ends one, with a checkpoint after it
            wait_for("a checkpoint", lambda: metric(server, "gnomon_tsdb_checkpoints_total") >= flushes, every=0.05)
        assert server.write(late("late"))[0] == 204
        wait_for("a block and a checkpoint", lambda: {"blocks", "checkpoints"} <= {f.split("/")[0] for f in cls.files()})
        server.kill9()
        server.process.out.close()
        server.start()  # a second life: its own segment
        assert server.write(late("later"))[0] == 204
        server.kill9()
        assert any(f.startswith("blocks/") for f in cls.files())
        assert sum(f.startswith("checkpoints/") for f in cls.files()) >= 2  # the newest, and what stands in for it
        return cls

    @classmethod
    def files(cls):
        """Without what had been begun when the server was killed, and blocks that a merge has replaced: they hold nothing."""
        with open(os.path.join(cls.path, "MANIFEST")) as f:
            used = {line.split()[1] for line in f if line.startswith("block ")}
        files = (os.path.relpath(os.path.join(d, f), cls.path) for d, _, names in os.walk(cls.path) for f in names)
        return sorted(f for f in files if ".tmp" not in f and (not f.startswith("blocks/") or f.split("/")[1] in used))

    @classmethod
    def copy(cls):
        to = os.path.join(cls.tmp, "copy")
        shutil.rmtree(to, ignore_errors=True)
        subprocess.run(["cp", "-r", "--sparse=always", cls.path, to], check=True)
        return to


def ask(server, expr):
    """(number, warned)"""
    _, _, body = server.get("/api/v1/query?" + urllib.parse.urlencode({"query": expr, "time": NOW / 1000 + 60}))
    answer = json.loads(body)
    assert answer["status"] == "success", answer
    result = answer["data"]["result"]
    return int(result[0]["value"][1]) if result else 0, bool(answer.get("warnings"))


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x40]))


def damages(path):
    """Ways to hurt one file, with a name each."""
    n = os.path.getsize(path)
    yield "removed", lambda p: os.unlink(p)
    if n == 0:
        return
    yield "emptied", lambda p: os.truncate(p, 0)
    yield "halved", lambda p: os.truncate(p, n // 2)
    yield "cut by a byte", lambda p: os.truncate(p, n - 1)
    for at in sorted({0, min(9, n - 1), n // 3, n // 2, n - 1} if n < 1 << 24 else {0, 9}):
        yield f"flipped at {at}", lambda p, at=at: flip(p, at)


def whole_or_warned(server, what):
    """Nothing is missing silently, nothing is invented; it goes on taking samples."""
    have, warned = ask(server, "sum(count_over_time(m[12h]))")
    # Of a log that was not in blocks yet when the server was killed, the page of metrics and the log tell.
    told = warned or b"\nprometheus_tsdb_wal_corruptions_total 0\n" not in server.get("/metrics")[2]
    assert have == Store.samples or (have < Store.samples and told), (what, have, Store.samples, told)
    assert server.write([({"__name__": "after"}, [(NOW, 1.0)])])[0] == 204, what
    assert ask(server, "count(after)")[0] == 1, what


def each_damage(part):
    tried, seen = 0, set()
    for file in sorted(Store.get().files(), key=lambda f: -os.path.getsize(os.path.join(Store.path, f))):
        kind = os.path.basename(file)
        if not file.startswith(part) or (part == "blocks/" and kind in seen):  # the largest of each kind
            continue
        seen.add(kind)
        for name, hurt in damages(os.path.join(Store.path, file)):
            what = f"{file} {name}"
            server = Gnomon(dir=Store.copy())
            hurt(os.path.join(server.dir, file))
            server.start()
            whole_or_warned(server, what)
            if part != "blocks/" and part != "wal/":
                assert ask(server, "sum(count_over_time(m[12h]))")[0] == Store.samples, what
                assert ask(server, 'count({__name__=~"late|later"})')[0] == 2 * LATE, what
            if part == "blocks/":
                assert ask(server, 'count({__name__=~"late|later"})')[0] == 2 * LATE, what
            server.stop()
            tried += 1
    assert tried
    print(f"{part}: {tried} damages")


def test_damaged_manifest_and_format_cost_nothing():
    each_damage("MANIFEST")
    each_damage("format")
    each_damage("lock")


def test_a_damaged_checkpoint_costs_nothing():
    """The one before and the log since then stand in for it."""
    each_damage("checkpoints/")


def losses(server):
    return json.loads(server.get("/api/v1/status/storage")[2])["data"]["losses"]


def after_deletion(query):
    """A copy on which something was deleted, so that nothing stands in for the checkpoint; then that is gone."""
    server = Gnomon("--web.enable-admin-api", dir=Store.get().copy())
    server.start()
    assert losses(server) == [] and ask(server, "count(late)") == (LATE, False)
    assert server.post("/api/v1/admin/tsdb/delete_series?" + query, b"")[0] == 204
    folder = os.path.join(server.dir, "checkpoints")
    left = [f for f in os.listdir(folder) if not f.endswith(".tmp")]
    assert len(left) == 1, "the deletion is answered when the one before is gone"
    server.kill9()
    server.process.out.close()
    os.unlink(os.path.join(folder, left[0]))
    return server


def test_a_loss_is_said_until_it_is_past():
    server = after_deletion(f"match[]=m&end={NOW / 1000 - 86400}")
    for life in range(2):
        server.start()
        have, warned = ask(server, "sum(count_over_time(m[12h]))")
        assert have < Store.samples and warned, (have, warned)
        assert metric(server, "gnomon_tsdb_losses") >= 1
        loss = losses(server)[0]
        assert loss["from"] < loss["to"] and "checkpoint" in loss["reason"], loss
        old = server.get("/api/v1/query?" + urllib.parse.urlencode({"query": "m", "time": NOW / 1000 - 86400}))[2]
        assert b"lost" not in old
        server.stop()


def acknowledge(server, query="", status=200):
    got, _, body = server.post("/api/v1/admin/tsdb/acknowledge_losses" + query, b"")
    assert got == status, (got, body)
    return json.loads(body).get("data")


def test_a_loss_that_is_acknowledged_is_kept_and_not_said_any_more():
    server = after_deletion(f"match[]=m&end={NOW / 1000 - 86400}")
    server.start()
    have, warned = ask(server, "sum(count_over_time(m[12h]))")
    assert have < Store.samples and warned, (have, warned)
    assert server.get("/api/v1/admin/tsdb/acknowledge_losses")[0] == 405
    assert acknowledge(server, "?start=nonsense", 400) is None
    assert acknowledge(server, f"?end={NOW / 1000 - 86400}")["acknowledged"] == 0, "another time"
    assert acknowledge(server) == {"acknowledged": 1, "rewrittenBlocks": 0, "damagedBlocksLeft": 0}
    for life in range(2):
        assert ask(server, "sum(count_over_time(m[12h]))") == (have, False)
        assert metric(server, "gnomon_tsdb_losses") == 0 and metric(server, "gnomon_tsdb_losses_acknowledged") == 1
        assert [loss["acknowledged"] for loss in losses(server)] == [True]
        wait_for("a sound checkpoint", lambda: life or metric(server, "gnomon_tsdb_checkpoints_total"), every=0.05)
        server.kill9() if life == 0 else server.stop()
        if life == 0:
            server.process.out.close()
        p = subprocess.run([BINARY, "verify", "--json", server.dir], capture_output=True, text=True, timeout=PATIENCE)
        checked = json.loads(p.stdout)["checked"][0]
        assert checked["acknowledged"] == 1 and p.returncode == 0, p
        p = subprocess.run([BINARY, "inspect", server.dir], capture_output=True, text=True, timeout=PATIENCE)
        assert "acknowledged=yes" in p.stdout, p
        server.start()
    server.stop()


def test_a_block_that_is_lost_is_acknowledged():
    server = Gnomon("--web.enable-admin-api", dir=Store.get().copy())
    index = max((f for f in Store.files() if f.endswith("/index")), key=lambda f: os.path.getsize(os.path.join(Store.path, f)))
    os.truncate(os.path.join(server.dir, index), 0)
    os.truncate(os.path.join(server.dir, os.path.dirname(index), "data"), 0)
    server.start()
    have, warned = ask(server, "sum(count_over_time(m[12h]))")
    assert have < Store.samples and warned and metric(server, "gnomon_tsdb_blocks_quarantined") == 1
    assert acknowledge(server)["acknowledged"] == 1
    assert ask(server, "sum(count_over_time(m[12h]))") == (have, False) and metric(server, "gnomon_tsdb_blocks_quarantined") == 0
    damage = json.loads(server.get("/api/v1/status/storage")[2])["data"]["damage"]
    assert [(d["state"], d["acknowledged"]) for d in damage] == [("quarantined", True)], damage
    server.stop()


def test_what_was_deleted_stays_so_when_the_checkpoint_is_lost():
    server = after_deletion("match[]=late")
    server.start()
    assert ask(server, "count(late)") == (0, True)
    have, warned = ask(server, "sum(count_over_time(m[12h]))")
    assert have <= Store.samples and warned, (have, Store.samples, losses(server))
    server.stop()


def test_the_loss_of_a_log_segment_is_said():
    """The one with the newest samples, named by wal/newest; not the ready one after it."""
    server = Gnomon(dir=Store.get().copy())
    wal = os.path.join(server.dir, "wal")
    with open(os.path.join(wal, "newest")) as f:
        last = f.read().split()[4]
    os.unlink(os.path.join(wal, last + ".wal"))
    server.start()
    have, warned = ask(server, 'count({__name__=~"late|later"})')
    assert have < 2 * LATE and warned and losses(server), (have, warned)
    server.stop()


def test_a_damaged_block_costs_what_is_damaged_and_says_so():
    each_damage("blocks/")


def test_a_damaged_log_costs_at_most_what_is_damaged():
    each_damage("wal/")


def test_verify_finds_damage_and_changes_nothing():
    for file in Store.get().files():
        if file.startswith(("wal/", "lock", "reserve")):
            continue
        copy = Store.copy()
        flip(os.path.join(copy, file), os.path.getsize(os.path.join(copy, file)) // 2)
        p = subprocess.run([BINARY, "verify", copy], capture_output=True, text=True, timeout=PATIENCE)
        assert p.returncode == 1 and p.stdout, (file, p)
        assert subprocess.run([BINARY, "inspect", copy], capture_output=True, timeout=PATIENCE).returncode in (0, 1)


def test_strange_things_in_the_directory_are_left_alone():
    server = Gnomon(dir=Store.get().copy())
    outside = os.path.join(Store.tmp, "outside")
    os.makedirs(outside, exist_ok=True)
    open(os.path.join(outside, "precious"), "w").close()
    for name in ("lost+found", ".snapshot", "blocks/lost+found", "wal/.nfs0001", "checkpoints/README", "blocks/.DS_Store"):
        path = os.path.join(server.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path) if "found" in name or "snapshot" in name else open(path, "w").close()
    block = next(f.split("/")[1] for f in Store.files() if f.startswith("blocks/"))
    other = block[:-1] + ("A" if block[-1] != "A" else "B")
    os.symlink(outside, os.path.join(server.dir, "blocks", other))
    server.start()
    whole_or_warned(server, "strange names")
    assert os.path.exists(os.path.join(outside, "precious"))
    assert os.path.isdir(os.path.join(server.dir, "lost+found"))
    server.stop()


def refused(args, *words, pre=None, code=(1, 2)):
    p = subprocess.run([BINARY, "--web.listen-address=127.0.0.1:0", *args], capture_output=True, text=True, timeout=PATIENCE, preexec_fn=pre)
    assert p.returncode in code and all(w in p.stderr for w in words), (args, p)
    assert len(p.stderr) < 4096


def test_directories_that_cannot_be_used_are_named():
    with tempfile.TemporaryDirectory() as tmp:
        file = os.path.join(tmp, "file")
        open(file, "w").close()
        refused([f"--storage.path={file}"], file)
        refused([f"--storage.path={file}/below"], file)
        refused(["--storage.path="], "data directory")
        refused([f"--storage.path={tmp}/" + "x" * 3000], "data directory")
        newer = Store.get().copy()
        with open(os.path.join(newer, "format")) as f:
            text = f.read()
        with open(os.path.join(newer, "format"), "w") as f:
            f.write(text.replace("directory 1", "directory 9"))
        server = Gnomon(dir=newer)  # its checksum is wrong, so it is damage and no newer version
        server.start()
        whole_or_warned(server, "flipped version")
        server.stop()


def test_directories_of_prometheus_and_victoriametrics_are_left_alone():
    for whose, names in (("Prometheus", ["wal", "chunks_head"]), ("VictoriaMetrics", ["data/small", "data/big", "metadata"])):
        with tempfile.TemporaryDirectory() as tmp:
            for name in names:
                os.makedirs(os.path.join(tmp, name))
            before = sorted(os.listdir(tmp))
            refused([f"--storage.path={tmp}"], whose, tmp)
            assert sorted(os.listdir(tmp)) == before


def test_a_second_server_is_refused_and_the_first_goes_on():
    with Gnomon() as server:
        refused([f"--storage.path={server.dir}"], str(server.process.p.pid))
        assert server.write([({"__name__": "m"}, [(NOW, 1.0)])])[0] == 204
        p = subprocess.run([BINARY, f"--web.listen-address=127.0.0.1:{server.port}", f"--storage.path={server.dir}2"],
                           capture_output=True, text=True, timeout=PATIENCE)
        assert p.returncode == 1 and str(server.port) in p.stderr, p


def test_files_that_vanish_under_a_running_server():
    server = Gnomon(dir=Store.get().copy())
    server.start()
    ask(server, "sum(count_over_time(m[12h]))")
    for file in Store.files():
        if file.startswith("blocks/"):
            with contextlib.suppress(FileNotFoundError):  # merged meanwhile
                os.truncate(os.path.join(server.dir, file), 100)
    whole_or_warned(server, "blocks cut under a running server")
    while os.path.exists(server.dir):  # the server may make a file in it meanwhile
        shutil.rmtree(server.dir, ignore_errors=True)
    assert server.get("/-/healthy")[0] == 200
    status = server.write([({"__name__": "after"}, [(NOW + 1, 1.0)])])[0]
    assert status in (204, 503), status
    server.get("/api/v1/query?query=count(m)")
    assert server.process.kill(signal.SIGTERM) in (0, 1)


def healthy(server):
    try:
        return request("GET", server.port, "/-/healthy")[0] == 200
    except OSError:
        return False


def test_few_file_descriptors():
    server = Gnomon(dir=Store.get().copy())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    subprocess.run(["prlimit", f"--pid={server.process.p.pid}", "--nofile=40:40"], check=True)
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    time.sleep(0.5)  # some of them are met by a lack of descriptors, how many does not matter
    for s in held:
        s.close()
    wait_for("it to have descriptors again", lambda: healthy(server))
    whole_or_warned(server, "few descriptors")
    server.stop()


BIG = b"".join(field(2, b"\x09" + random.randbytes(7) + b"\x3f\x10" + varint(NOW - 1000 * k)) for k in range(2000))


def big_request(n):
    """200,000 samples that do not compress."""
    labels = [b"".join(field(1, field(1, k) + field(2, v)) for k, v in
                       ((b"__name__", b"big"), (b"i", b"%d" % i), (b"n", b"%d" % n))) for i in range(100)]
    return snappy(b"".join(field(1, x + BIG) for x in labels))


def test_a_full_disk_refuses_writes_and_answers_queries():
    if os.geteuid() != 0:
        raise Skip("mounting needs root")
    with tempfile.TemporaryDirectory() as tmp:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "none", tmp], capture_output=True).returncode:
            raise Skip("no tmpfs can be mounted here")
        try:
            server = Gnomon("--storage.min-free-disk=0", dir=os.path.join(tmp, "data"))
            server.start()
            acked, filler = 0, os.path.join(tmp, "filler")
            assert server.write(late("before"))[0] == 204
            with open(filler, "wb") as f:
                try:
                    while True:
                        f.write(b"x" * 65536)
                        f.flush()
                except OSError:
                    pass
            full = False
            for n in range(60):
                status, _, text = server.post("/api/v1/write", big_request(n), RW_HEADERS)
                if status == 204:
                    acked += 1
                else:
                    assert status == 503, (status, text)
                    full = True
                    break
            assert ask(server, "count(before)")[0] == LATE and ask(server, "count(count by (n) (big))")[0] >= acked
            server.kill9()
            server.process.out.close()
            server.start()
            assert ask(server, "count(before)")[0] == LATE and ask(server, "count(count by (n) (big))")[0] >= acked
            os.unlink(filler)
            end = time.monotonic() + PATIENCE
            while server.write(late("again"))[0] != 204:
                assert time.monotonic() < end, "does not write again after the disk has room"
                time.sleep(0.3)
            print(f"full after {acked} requests: {full}")
            server.stop()
        finally:
            subprocess.run(["umount", "-l", tmp])


def test_end():
    shutil.rmtree(Store.tmp, ignore_errors=True)


run(globals())
