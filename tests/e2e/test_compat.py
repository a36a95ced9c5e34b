"""Directories that earlier versions wrote open with all that is in them; those of later versions are refused, untouched."""
import contextlib
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from harness import BINARY, ROOT, PATIENCE, Gnomon, run

DIRS = os.path.join(ROOT, "tests/compat/dirs")
START_MS, STEP_MS, SERIES, HOURS, HOUR = 1_700_006_400_000, 60_000, 20, 8, 3_600_000


def value(series, t):
    return (series * 1000 + (t - START_MS) // STEP_MS % 97) / 8


@contextlib.contextmanager
def copy_of(version):
    """A copy of a kept directory, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as tmp:
        data = os.path.join(tmp, "data")
        shutil.copytree(os.path.join(DIRS, version), data)
        yield data


def test_every_earlier_format_opens_whole():
    for version in sorted(os.listdir(DIRS)):
        with copy_of(version) as data:
            checked = subprocess.run([BINARY, "verify", data], capture_output=True, text=True, timeout=PATIENCE)
            assert checked.returncode == 0, (version, checked)
            server = Gnomon("--storage.retention.time=0", dir=data)
            for life in range(2):  # and again once it was written by this version
                server.start()
                end = (START_MS + HOURS * HOUR) / 1000
                for series in server.query(f"m[{HOURS}h]", at=end - 0.001):
                    i = int(series["metric"]["i"])
                    got = {round(float(t) * 1000): float(v) for t, v in series["values"]}
                    want = {t: value(i, t) for t in range(START_MS, START_MS + HOURS * HOUR, STEP_MS)}
                    assert got == want, (version, life, i, len(got), len(want))
                assert server.query("count(m)", at=end - 1)[0]["value"][1] == str(SERIES), version
                server.stop()
            print(f"{version}: {SERIES * HOURS * 60} samples")


CRC_TABLE = []


def crc32c(data, crc=0):
    if not CRC_TABLE:
        for n in range(256):
            for _ in range(8):
                n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
            CRC_TABLE.append(n)
    crc ^= 0xFFFFFFFF
    for b in data:
        crc = CRC_TABLE[(crc ^ b) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def newer_format(data):
    with open(os.path.join(data, "format")) as f:
        lines = f.read().splitlines()
    body = "gnomon data directory 99\n" + lines[1] + "\n"
    with open(os.path.join(data, "format"), "w") as f:
        f.write(body + f"end {crc32c(body.encode()):08x}\n")


def newer_log(data):
    wal = os.path.join(data, "wal")
    for name in os.listdir(wal):
        if name.endswith(".wal"):
            with open(os.path.join(wal, name), "r+b") as f:
                header = bytearray(f.read(512))
                if len(header) < 512 or header[:8] != b"GNOMWAL1":
                    continue
                struct.pack_into("<I", header, 8, 99)
                struct.pack_into("<I", header, 12, 0)
                struct.pack_into("<I", header, 12, crc32c(bytes(header)))
                f.seek(0)
                f.write(header)


def digest(data):
    out = {}
    for d, _, names in os.walk(data):
        for n in names:
            if n not in ("lock", "reserve"):
                with open(os.path.join(d, n), "rb") as f:
                    out[os.path.relpath(os.path.join(d, n), data)] = hashlib.sha256(f.read()).hexdigest()
    return out


def test_a_newer_format_is_refused_and_left_as_it_is():
    with copy_of(sorted(os.listdir(DIRS))[-1]) as data:
        newer_format(data)
        before = digest(data)
        p = subprocess.run([BINARY, f"--storage.path={data}", "--web.listen-address=127.0.0.1:0"], capture_output=True, text=True,
                           timeout=PATIENCE)
        assert p.returncode == 1 and "newer" in p.stderr, p
        assert digest(data) == before


def test_a_newer_log_is_not_read_and_not_overwritten():
    with copy_of(sorted(os.listdir(DIRS))[-1]) as data:
        newer_log(data)
        before = digest(data)
        server = Gnomon("--storage.retention.time=0", dir=data)
        server.start(ready=False)
        try:
            for _ in range(50):
                try:
                    status, _, text = server.get("/-/ready")
                    assert status == 503, (status, text)
                    assert server.write([({"__name__": "m"}, [(START_MS, 1.0)])])[0] == 503
                    break
                except OSError:
                    if server.process.p.poll() is not None:
                        break
        finally:
            server.process.kill()
        after = digest(data)
        assert all(after.get(k) == v for k, v in before.items()), "files were changed"


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    run(globals())
