"""make e2e-filesystems: a server's life on real file systems, mounted for it (root; what cannot be mounted is skipped).

python3 tests/e2e/filesystems.py               ext4, xfs, btrfs on loop devices, overlayfs, tmpfs, sshfs
DIRECTORIES=/mnt/efs,/mnt/nas python3 ...      directories that are there
"""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from harness import BINARY, Gnomon, Process, Skip, free_port, programs, run, wait_for

NOW = int(time.time() * 1000)
HOUR, SERIES, STEP = 3600_000, 20, 60_000
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")


def call(*args):
    p = subprocess.run(args, capture_output=True, text=True, timeout=300)
    if p.returncode:
        raise Skip(f"{' '.join(args)}: {p.stderr.strip()[-200:]}")


def loop(kind, tmp):
    if not programs("mkfs." + kind):
        raise Skip(f"no mkfs.{kind}")
    with open(f"{tmp}/image", "wb") as f:
        f.truncate(400 << 20)
    call("mkfs." + kind, "-q", f"{tmp}/image")
    call("mount", "-o", "loop", f"{tmp}/image", f"{tmp}/mnt")


def overlay(_, tmp):
    for name in ("lower", "up/upper", "up/work"):
        os.makedirs(f"{tmp}/{name}")
    call("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={tmp}/lower,upperdir={tmp}/up/upper,workdir={tmp}/up/work", f"{tmp}/mnt")


def memory(kind, tmp):
    call("mount", "-t", kind, kind, f"{tmp}/mnt")


def sshfs(_, tmp):
    server = next((p for p in SFTP_SERVERS if os.path.exists(p)), None)
    if not server or not programs("sshfs"):
        raise Skip("no sshfs or sftp-server")
    os.mkdir(tmp + "/exported")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError), listener, listener.accept()[0] as connection:
            subprocess.run([server, "-e"], stdin=connection, stdout=connection, stderr=subprocess.DEVNULL)
    threading.Thread(target=serve, daemon=True).start()
    call("sshfs", "-o", f"directport={listener.getsockname()[1]}", f"127.0.0.1:{tmp}/exported", tmp + "/mnt")


MOUNTS = {"ext4": loop, "xfs": loop, "btrfs": loop, "overlay": overlay, "tmpfs": memory, "ramfs": memory, "sshfs": sshfs}


@contextlib.contextmanager
def mounted(kind):
    if os.geteuid() != 0:
        raise Skip("root mounts")
    tmp = tempfile.mkdtemp(prefix=f"gnomon-{kind}-", dir="/var/tmp")
    os.mkdir(tmp + "/mnt")
    try:
        MOUNTS[kind](kind, tmp)
        yield tmp + "/mnt"
    finally:
        if os.path.ismount(tmp + "/mnt"):
            subprocess.run(["umount", tmp + "/mnt"], check=True)
        shutil.rmtree(tmp, ignore_errors=True)


def ask(server, expr):
    _, _, body = server.get("/api/v1/query?" + urllib.parse.urlencode({"query": expr, "time": NOW / 1000 + 60}))
    answer = json.loads(body)
    assert answer["status"] == "success" and not answer.get("warnings"), answer
    return int(answer["data"]["result"][0]["value"][1]) if answer["data"]["result"] else 0


def fill(server):
    end, samples = NOW // HOUR * HOUR, 0
    for h in range(end - 10 * HOUR, end - 2 * HOUR, 2 * HOUR):
        times = range(h, h + 2 * HOUR, STEP)
        assert server.write([({"__name__": "m", "i": str(i)}, [(t, t % 977 + i / 7) for t in times]) for i in range(SERIES)])[0] == 204
        samples += SERIES * len(times)
    wait_for("a block", lambda: b"\ngnomon_tsdb_blocks 0\n" not in server.get("/metrics")[2], timeout=120)
    return samples


def whole(server, samples, late):
    got = ask(server, "sum(count_over_time(m[12h]))"), ask(server, "count_over_time(late[1h])")
    assert got == (samples, late), (got, samples, late)


def late(server, second):
    begin = time.monotonic()
    assert server.write([({"__name__": "late"}, [(NOW - 60_000 + second * 1000, float(second))])])[0] == 204
    return time.monotonic() - begin


def kept_out(server):
    second = Process([BINARY, f"--storage.path={server.dir}", f"--web.listen-address=127.0.0.1:{free_port()}"], server.dir + ".second.log")
    code = second.p.wait(60)
    second.out.close()
    return code != 0 and "is used by pid" in second.tail()


def life(directory):
    """What is seen of a server's life below `directory`; every sample is there after each step."""
    server = Gnomon("--web.enable-admin-api", dir=directory + "/gnomon")
    server.start(timeout=120)
    try:
        with open(server.process.log) as log:
            kind = next((line.split("kind=")[1].split()[0] for line in log if "kind=" in line), "not named")
        samples = fill(server)
        writes = sorted(late(server, i) for i in range(20))
        whole(server, samples, 20)
        assert kept_out(server)
        name = json.loads(server.post("/api/v1/admin/tsdb/snapshot")[2])["data"]["name"]
        server.kill9()
        server.process.out.close()
        server.start(timeout=120)
        whole(server, samples, 20)
        assert server.post("/api/v1/admin/tsdb/delete_series?" + urllib.parse.urlencode({"match[]": 'm{i="3"}'}))[0] in (200, 204)
        samples -= samples // SERIES
        whole(server, samples, 20)
        server.stop()
        server.start(timeout=120)
        whole(server, samples, 20)
        copied = Gnomon(dir=directory + "/copied")
        shutil.copytree(f"{server.dir}/snapshots/{name}", copied.dir)
        with copied:
            assert ask(copied, "count_over_time(late[1h])") == 20
        return f"in the log: {kind}; a write acknowledged after {writes[10] * 1000:.1f} ms (median of 20)"
    finally:
        server.stop()
        server.process and not server.process.out.closed and server.process.out.close()


def one(kind):
    with mounted(kind) as directory:
        print(f"  {kind}: {life(directory)}")


def test_ext4():
    one("ext4")


def test_xfs():
    one("xfs")


def test_btrfs():
    one("btrfs")


def test_overlay():
    one("overlay")


def test_tmpfs():
    one("tmpfs")


def test_ramfs():
    one("ramfs")


def test_sshfs():
    one("sshfs")


def test_directories_of_others():
    given = [d for d in os.environ.get("DIRECTORIES", "").split(",") if d]
    if not given:
        raise Skip("DIRECTORIES names none")
    for directory in given:
        tmp = tempfile.mkdtemp(prefix="gnomon-", dir=directory)
        try:
            print(f"  {directory}: {life(tmp)}")
        finally:
            shutil.rmtree(tmp, ignore_errors=True)


run(globals())
