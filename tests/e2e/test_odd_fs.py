"""File systems that are not like ext4: stale handles, held syncs, what is not supported; each is named or survived.

tests/e2e/odd_fs.c, preloaded into the server, makes the file system below its directory an odd one.
"""
import contextlib
import ctypes
import errno
import json
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from harness import ROOT, Gnomon, Skip, run, wait_for

NOW = int(time.time() * 1000)
HOUR, SERIES, STEP = 3600_000, 20, 60_000
FIELDS = ("generation hold_syncs waiting fallocate_errno sync_dir_errno link_errno lock_errno rename_errno no_types magic "
          "sync_us stale_calls mapped").split()


class Control(ctypes.Structure):
    """struct control of odd_fs.c."""
    _fields_ = [(name, ctypes.c_int32) for name in FIELDS]


def library():
    if not sys.platform.startswith("linux"):
        raise Skip("a preloaded library of Linux")
    path = ROOT + "/build/odd_fs.so"
    source = ROOT + "/tests/e2e/odd_fs.c"
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        made = subprocess.run([os.environ.get("CC", "cc").split()[-1], "-shared", "-fPIC", "-O1", "-Wall", "-o", path + ".new", source, "-ldl"],
                              capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        os.replace(path + ".new", path)
    return path


@contextlib.contextmanager
def odd(*args, start=True, **faults):
    """(a server on an odd file system, its control); values that are set at start."""
    tmp = tempfile.mkdtemp(prefix="gnomon-odd-")
    with open(tmp + "/control", "w+b") as f:
        f.truncate(mmap.PAGESIZE)
        control = Control.from_buffer(mmap.mmap(f.fileno(), mmap.PAGESIZE))
    for name, value in faults.items():
        setattr(control, name, value)
    server = Gnomon(*args, dir=tmp + "/data", env={"LD_PRELOAD": library(), "ODD_FS_DIR": tmp + "/data", "ODD_FS_CONTROL": tmp + "/control"})
    try:
        if start:
            server.start()
        yield server, control
        assert control.mapped == 0, "no file is mapped into memory"
    finally:
        control.hold_syncs = 0
        server.process and server.process.p.poll() is None and server.stop()
        shutil.rmtree(tmp, ignore_errors=True)


def write_history(server, block=True):
    """Eight hours of old samples, most of them in blocks after a moment, and a new one; how many."""
    end, samples = NOW // HOUR * HOUR, 0
    for h in range(end - 10 * HOUR, end - 2 * HOUR, 2 * HOUR):
        times = range(h, h + 2 * HOUR, STEP)
        assert server.write([({"__name__": "m", "i": str(i)}, [(t, t % 977 + i / 7) for t in times]) for i in range(SERIES)])[0] == 204
        samples += SERIES * len(times)
    if block:
        wait_for("a block", lambda: metric(server, "gnomon_tsdb_blocks") > 0)
    assert write_one(server, 0) == 204
    return samples


def write_one(server, second):
    return server.write([({"__name__": "late"}, [(NOW - 60_000 + second * 1000, float(second))])])[0]


def ask(server, expr):
    """(number, warnings)"""
    status, _, body = server.get("/api/v1/query?" + urllib.parse.urlencode({"query": expr, "time": NOW / 1000 + 60}))
    answer = json.loads(body)
    assert status == 200, answer
    result = answer["data"]["result"]
    return int(result[0]["value"][1]) if result else 0, answer.get("warnings", [])


def whole(server, samples, late):
    assert ask(server, "sum(count_over_time(m[12h]))") == (samples, [])
    assert ask(server, "count_over_time(late[1h])") == (late, [])


def log_of(server):
    with open(server.process.log, errors="replace") as f:
        return f.read()


def metric(server, name):
    for line in server.get("/metrics")[2].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(name)


def drop_caches(server):
    """Blocks are read from the disk again: another start."""
    server.stop()
    server.start()


def test_stale_handles_of_blocks_are_opened_anew_and_a_stale_log_goes_on_in_another_file():
    with odd() as (server, control):
        samples = write_history(server)
        drop_caches(server)
        control.generation += 1  # every file that is open now answers ESTALE
        whole(server, samples, 1)
        assert control.stale_calls > 0
        for second in (1, 2):
            wait_for("the log to go on", lambda: write_one(server, second) == 204)  # senders try a 503 again
            control.generation += 1
        whole(server, samples, 3)
        print(f"{control.stale_calls} calls were answered with ESTALE")
        server.kill9()
        server.start()
        whole(server, samples, 3)


def test_while_a_sync_hangs_queries_are_answered_and_no_write_is_acknowledged():
    with odd() as (server, control):
        samples = write_history(server)
        control.hold_syncs = 1
        answers = []
        writer = threading.Thread(target=lambda: answers.append(write_one(server, 1)))
        writer.start()
        wait_for("the sync to hang", lambda: control.waiting > 0, every=0.01)
        until = time.monotonic() + 1.3  # the log speaks of syncs over a second
        asked = 0
        while asked < 20 or time.monotonic() < until:
            assert ask(server, "sum(count_over_time(m[12h]))") == (samples, [])
            asked += 1
        assert not answers, "acknowledged before it was durable"
        control.hold_syncs = 0
        writer.join(60)
        assert answers == [204]
        whole(server, samples, 2)
        assert "a sync of the log was slow" in log_of(server)
        assert metric(server, "gnomon_wal_sync_duration_seconds_sum") > 1
        print(f"{asked} rounds of queries while one sync hung")


def test_what_a_file_system_does_not_support_costs_nothing():
    lacks = {"fallocate_errno": errno.EOPNOTSUPP, "sync_dir_errno": errno.EINVAL, "link_errno": errno.EPERM, "no_types": 1}
    with odd("--web.enable-admin-api", **lacks) as (server, control):
        samples = write_history(server)
        drop_caches(server)
        assert write_one(server, 1) == 204
        answer = json.loads(server.post("/api/v1/admin/tsdb/snapshot")[2])
        assert answer["status"] == "success", (answer, server.process.tail())
        name = answer["data"]["name"]
        shutil.copytree(f"{server.dir}/snapshots/{name}", server.dir + ".copy")
        names = [os.path.relpath(os.path.join(d, f), server.dir).lower() for d, _, files in os.walk(server.dir) for f in files]
        assert len(set(names)) == len(names), "names that differ only in case are one on some file systems"
        server.kill9()
        server.start()
        whole(server, samples, 2)
        with Gnomon(dir=server.dir + ".copy") as other:
            whole(other, samples, 2)


def test_a_full_disk_at_fallocate_refuses_writes_and_takes_them_again():
    with odd(fallocate_errno=errno.ENOSPC) as (server, control):
        status = write_one(server, 0)
        assert status in (503, 507), status
        assert ask(server, "vector(7)") == (7, [])
        assert "No space left" in log_of(server)
        control.fallocate_errno = 0
        wait_for("writes to be taken again", lambda: write_one(server, 1) == 204)
        assert ask(server, "count_over_time(late[1h])")[0] >= 1


def test_without_locks_it_starts_and_says_what_that_means():
    for wrong in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
        with odd(lock_errno=wrong) as (server, _):
            assert write_one(server, 0) == 204
            assert "nothing keeps a second server out" in log_of(server)


def test_where_a_rename_cannot_replace_nothing_is_lost_and_the_log_says_why():
    with odd() as (server, control):
        control.rename_errno = errno.EEXIST
        samples = write_history(server, block=False)
        wait_for("the log to say it", lambda: "File exists" in log_of(server))
        whole(server, samples, 1)
        server.kill9()
        control.rename_errno = 0  # moved to another file system
        server.start()
        whole(server, samples, 1)
        wait_for("a block", lambda: metric(server, "gnomon_tsdb_blocks") > 0)


def test_the_kind_of_file_system_is_in_the_log():
    shared = {"nfs": 0x6969, "smb": 0x517b, "cifs": 0xff534d42, "smb2": 0xfe534d42, "ceph": 0x00c36400, "9p": 0x01021997, "afs": 0x5346414f,
              "lustre": 0x0bd00bd0, "gfs2": 0x01161970, "ocfs2": 0x7461636f, "fuse": 0x65735546}
    others = {"tmpfs": 0x01021994, "ramfs": 0x858458f6, "overlay": 0x794c7630}
    with odd(start=False) as (server, control):
        for kinds, words in ((shared, "other machines may share"), (others, None)):
            for kind, magic in kinds.items():
                control.magic = ctypes.c_int32(magic).value
                open(server.dir + ".log", "w").close()
                server.start()
                server.stop()
                expected = words or ("is in memory" if kind != "overlay" else "it goes with the container")
                assert f"kind={kind}" in log_of(server) and expected in log_of(server), (kind, log_of(server))
        control.magic = 0xEF53
        open(server.dir + ".log", "w").close()
        server.start()
        assert "kind=" not in log_of(server)


run(globals())
