"""What every end-to-end test needs: the real binary on a port of its own, remote write, queries.

Standard library only.  A test file calls run(__name__ functions) and so ends with "N passed, N failed".
"""
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("GNOMON", os.path.join(ROOT, "build/release/gnomon"))
# Seconds after which something hangs rather than is slow: only a failing test waits for so long, so it is never made smaller.
PATIENCE = 300


for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):  # servers, peers and curl talk to each other directly
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)


class Skip(Exception):
    """The test cannot run here; the reason is printed."""


def ephemeral_ports():
    """The first port that the kernel gives to outgoing connections."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            return int(f.read().split()[0])
    except OSError:
        return 32768


GIVEN = set()


def free_port():
    """A port for a server, kept over its restarts: none that an outgoing connection of anybody may get meanwhile, none twice."""
    low, high = 10000, ephemeral_ports()
    for _ in range(1000):
        port = random.SystemRandom().randrange(low, high) if high - low > 1000 else 0
        with socket.socket() as s:
            try:
                s.bind(("", port))
            except OSError:
                continue
            port = s.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port
    raise AssertionError("no free port")


def programs(*names):
    """Paths of a peer: $NAME alone when it is set; else those of PATH and what scripts/senders.sh built."""
    env = os.environ.get(names[0].upper().replace("-", "_"))
    if env:
        return [env]
    cache = os.path.join(os.environ.get("SENDERS", os.path.expanduser("~/.cache/gnomon-senders")), "bin")
    return [found for path in (None, cache) for name in names if (found := shutil.which(name, path=path))]


def program(name, *more):
    """The path of a peer, also known under other names, or Skip."""
    found = programs(name, *more)
    if not found:
        raise Skip(f"{name} is not here (set {name.upper().replace('-', '_')}=path, or install it; scripts/senders.sh builds many)")
    return found[0]


def version_of(path):
    """(major, minor) of a Prometheus program.

    One built from its Go module by plain `go install` prints no version: it is taken for a new one."""
    printed = subprocess.run([path, "--version"], capture_output=True, text=True)
    found = re.search(r"version (\d+)\.(\d+)", printed.stdout + printed.stderr)
    return tuple(map(int, found.groups())) if found else (99, 0)


def since(version, name):
    """The path of a Prometheus program that is at least (major, minor), or Skip."""
    program(name)
    for path in programs(name):
        found = version_of(path)
        if found >= version:
            return path
    raise Skip(f"this {name} is {found[0]}.{found[1]}, {version[0]}.{version[1]} or newer is needed (set {name.upper()}=path)")


class Process:
    """A child process on loopback, ended by its id."""

    def __init__(self, args, log, env=None):
        self.log = log
        self.out = open(log, "ab")
        self.p = subprocess.Popen(args, stdout=self.out, stderr=subprocess.STDOUT, env=env)

    def kill(self, how=signal.SIGKILL, timeout=PATIENCE):
        if self.p.poll() is None:
            self.p.send_signal(how)
        code = self.p.wait(timeout)
        self.out.close()
        return code

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-15:])


class Gnomon:
    """A server on its own directory; with-able; restart() keeps directory and port."""

    def __init__(self, *args, dir=None, env=None):
        self.tmp = None if dir else tempfile.mkdtemp(prefix="gnomon-e2e-")
        self.dir = dir or os.path.join(self.tmp, "data")
        self.args, self.env = list(args), env
        self.port = free_port()
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.tmp:
            shutil.rmtree(self.tmp, ignore_errors=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, ready=True, timeout=PATIENCE):
        log = (self.tmp or self.dir.rstrip("/")) + "/server.log" if self.tmp else self.dir.rstrip("/") + ".log"
        args = [BINARY, f"--storage.path={self.dir}", f"--web.listen-address=127.0.0.1:{self.port}", *self.args]
        self.process = Process(args, log, env={**os.environ, **(self.env or {})})
        end = time.monotonic() + timeout
        while ready:
            try:
                if self.get("/-/ready")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.p.poll() is not None or time.monotonic() > end:
                raise AssertionError("the server does not become ready:\n" + self.process.tail())
            time.sleep(0.02)

    def kill9(self):
        self.process.kill(signal.SIGKILL)

    def stop(self):
        if self.process and self.process.p.poll() is None:
            code = self.process.kill(signal.SIGTERM)
            assert code == 0, f"exit status {code} after SIGTERM:\n" + self.process.tail()

    def get(self, path, headers=None):
        return request("GET", self.port, path, headers=headers)

    def post(self, path, body=b"", headers=None):
        return request("POST", self.port, path, body, headers)

    def api(self, path, **params):
        """data of a successful API answer."""
        status, _, body = self.get(f"/api/v1/{path}?" + urllib.parse.urlencode(params, doseq=True))
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", (status, answer)
        return answer["data"]

    def query(self, expr, at=None):
        return self.api("query", query=expr, **({"time": at} if at is not None else {}))["result"]

    def write(self, series, **kw):
        return self.post("/api/v1/write", snappy(write_request(series, **kw)), RW_HEADERS)


RW_HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
              "X-Prometheus-Remote-Write-Version": "0.1.0"}


def request(method, port, path, body=None, headers=None, timeout=PATIENCE):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        return r.status, r.headers, r.read()
    finally:
        c.close()


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def write_request(series, metadata=()):
    """Remote-write 1.0 bytes of [(labels dict, [(ms, value)])]; labels sorted as senders must."""
    out = bytearray()
    for labels, samples in series:
        ts = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        for ms, value in samples:
            ts += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(ms))
        out += field(1, ts)
    for name, kind, text, unit in metadata:
        out += field(3, b"\x08" + varint(kind) + field(2, name.encode()) + field(4, text.encode()) + field(5, unit.encode()))
    return bytes(out)


def snappy(raw):
    """A valid snappy block of literals only."""
    out = bytearray(varint(len(raw)))
    for i in range(0, len(raw), 65536):
        part = raw[i:i + 65536]
        out += b"\xf4" + struct.pack("<H", len(part) - 1) + part
    return bytes(out)


def wait_for(what, check, timeout=PATIENCE, every=0.2, complain=True):
    """What check() gives as soon as it is true. Without complaint for what the lines after it tell better."""
    end = time.monotonic() + timeout
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            assert not complain, f"waited {timeout} s for {what}"
            return got
        time.sleep(every)


def run(tests):
    """Runs the test_* functions of a module's globals(); exit status 1 when one failed."""
    passed = failed = 0
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}")
    for name, test in list(tests.items()):
        if not name.startswith("test_") or not callable(test):
            continue
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        random.seed(seed)
        start = time.monotonic()
        try:
            test()
            passed += 1
            print(f"ok   {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except Skip as why:
            print(f"SKIP {name}: {why}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {name}", flush=True)
            traceback.print_exc()
            sys.stderr.flush()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
