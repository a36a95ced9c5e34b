"""Servers in a race: started, asked, killed; their CPU, memory and disk as the operating system counts them."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START_SECONDS = 600


def prometheus_program():
    if os.environ.get("PROMETHEUS"):
        return os.environ["PROMETHEUS"]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    built = sorted(glob.glob(os.path.join(cache, "gnomon-peers", "prometheus-v*")))
    return built[-1] if built else shutil.which("prometheus")


def programs():
    return {
        "gnomon": os.environ.get("GNOMON") or os.path.join(ROOT, "build/release/gnomon"),
        "victoriametrics": os.environ.get("VICTORIAMETRICS") or shutil.which("victoria-metrics"),
        "prometheus": prometheus_program(),
    }


def version_of(name, program):
    flag = "-version" if name == "victoriametrics" else "--version"
    done = subprocess.run([program, flag], capture_output=True, text=True)
    for word in (done.stdout + done.stderr).replace(",", " ").split():
        digits = word.split("tags-v")[-1].split("-")[0].lstrip("v")
        if digits.count(".") >= 2 and digits.replace(".", "").isdigit():
            return digits
    if name == "victoriametrics" and shutil.which("dpkg-query"):  # Debian's does not say it
        package = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "victoria-metrics"], capture_output=True, text=True)
        return package.stdout.split("+")[0].split("-")[0] or "of unknown version"
    module = program.rsplit("-v0.", 1)  # built from its module, which calls 3.15.0 v0.315.0 and leaves the rest out
    if len(module) == 2 and len(module[1]) >= 3:
        return f"{module[1][0]}.{module[1][1:]}"
    return "of unknown version"


class Client:
    """One connection that is kept.  Plain sockets: http.client alone takes 0.3 ms an answer."""

    def __init__(self, port):
        self.port, self.socket = port, None

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def get(self, path, params=None, timeout=300, method="GET"):
        """Status and body.  OSError: no answer in time, or none at all."""
        if params:
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode(params)
        length = "Content-Length: 0\r\n" * (method == "POST")
        request = f"{method} {urllib.parse.quote(path, safe='/?&=%+')} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode()
        for attempt in range(2):
            fresh = self.socket is None
            try:
                if fresh:
                    self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
                    self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.socket.settimeout(timeout)
                self.socket.sendall(request)
                return self.answer()
            except TimeoutError:
                self.close()
                raise
            except OSError:  # a kept connection may be gone meanwhile
                self.close()
                if fresh or attempt:
                    raise

    def more(self):
        got = self.socket.recv(1 << 20)
        if not got:
            raise ConnectionError("closed within an answer")
        return got

    def answer(self):
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.more()
        head, body = data.split(b"\r\n\r\n", 1)
        fields = head.lower()
        parts, size = [body], len(body)
        if b"transfer-encoding: chunked" in fields:
            while not b"".join(parts[-2:]).endswith(b"0\r\n\r\n"):
                parts.append(self.more())
            body = dechunked(b"".join(parts))
        else:
            at = fields.find(b"content-length:")
            length = int(fields[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
            while size < length:
                parts.append(self.more())
                size += len(parts[-1])
            body = b"".join(parts)
        if b"connection: close" in fields:
            self.close()
        return int(head[9:12]), body


def dechunked(data):
    parts, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end].split(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(data[end + 2:end + 2 + size])
        at = end + 2 + size + 2


class Server:
    """One contestant with its data directory.  Default settings; limits of series and samples lifted."""

    living = []

    def __init__(self, name, program, work, port):
        self.name, self.program, self.port = name, program, port
        self.data = os.path.join(work, "data-" + name)
        shutil.rmtree(self.data, ignore_errors=True)  # of a run that was broken off
        self.log = open(self.data + ".log", "ab")
        self.process, self.client = None, Client(port)
        self.get = self.client.get
        self.retired = {"cpu": 0.0, "written": 0}

    def command(self):
        listen = f"127.0.0.1:{self.port}"
        if self.name == "gnomon":
            return [self.program, f"--storage.path={self.data}", f"--web.listen-address={listen}",
                    "--storage.retention.time=0", "--query.max-samples=2000000000", "--web.enable-admin-api"]
        if self.name == "victoriametrics":
            return [self.program, f"-storageDataPath={self.data}", f"-httpListenAddr={listen}", "-retentionPeriod=100y",
                    "-search.latencyOffset=0s", "-search.maxQueryDuration=600s", "-search.maxTagValues=5000000",
                    "-search.maxUniqueTimeseries=5000000", "-search.maxSeries=5000000",
                    "-search.maxPointsPerTimeseries=100000"]
        config = self.data + ".yml"
        with open(config, "w") as f:
            f.write("global: {scrape_interval: 1h}\nstorage: {tsdb: {out_of_order_time_window: 30d}}\n")
        return [self.program, f"--config.file={config}", f"--storage.tsdb.path={self.data}",
                f"--web.listen-address={listen}", "--web.enable-remote-write-receiver", "--web.enable-admin-api", "--query.timeout=10m",
                "--storage.tsdb.retention.time=100y", "--query.max-samples=2000000000", "--log.level=error"]

    def start(self, first=None):
        """Seconds until it said that it is ready; with `first`, a request: also until that was answered."""
        ready = "/health" if self.name == "victoriametrics" else "/-/ready"
        begin, answered = time.monotonic(), None
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log)
        Server.living.append(self)
        while True:
            try:
                if first and answered is None and self.get(*first)[0] == 200:
                    answered = time.monotonic() - begin
                if self.get(ready)[0] == 200:
                    is_ready = time.monotonic() - begin
                    break
            except OSError:
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} did not start, see {self.data}.log")
            if time.monotonic() - begin > START_SECONDS:
                raise RuntimeError(f"{self.name} is not ready after ten minutes")
            time.sleep(0.002)
        while first and answered is None:
            if self.get(*first)[0] == 200:
                answered = time.monotonic() - begin
        return (is_ready, answered) if first else is_ready

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.retired["cpu"] += self.cpu()
            self.retired["written"] += self.written()
            self.process.send_signal(how)
            try:
                self.process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.client.close()
        if self in Server.living:
            Server.living.remove(self)

    def close(self):
        self.stop(signal.SIGKILL)
        self.log.close()
        shutil.rmtree(self.data, ignore_errors=True)

    def settle(self, quiet=5, most=60):
        """Recent samples become visible, background work ends: so many seconds with little CPU."""
        if self.name == "victoriametrics":
            self.get("/internal/force_flush")
        for _ in range(max(1, most // quiet)):
            before = self.cpu()
            time.sleep(quiet)
            if self.cpu() - before < 0.05 * quiet:
                return

    def merge(self, most):
        """Until nothing is left to be merged: each in its own way.  Prometheus looks once a minute."""
        if self.name == "victoriametrics":
            self.settle(most=most)
            self.get("/internal/force_merge")
        self.settle(quiet=75 if self.name == "prometheus" else 8, most=most)

    # ---- what the operating system counts ----

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def written(self):
        """Bytes that it wrote, answers to clients among them.  Not write_bytes: where a file's pages lie in large folios,
        the kernel counts a whole folio for each small write (1,500 MiB for 11 were seen)."""
        with open(f"/proc/{self.process.pid}/io") as f:
            return int(dict(line.split(": ") for line in f)["wchar"])

    def memory(self, key):
        """VmRSS or VmHWM in bytes."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(key))

    def forget_peak(self):
        """VmHWM begins anew; False where the system does not allow it."""
        try:
            with open(f"/proc/{self.process.pid}/clear_refs", "w") as f:
                f.write("5")
            return True
        except OSError:
            return False

    # ---- what lies on the disk ----

    def blocks(self):
        """Bytes of samples, bytes of index, samples in them (None: all that were sent); logs and checkpoints not counted."""
        if self.name == "victoriametrics":
            return size_of(os.path.join(self.data, "data")), size_of(os.path.join(self.data, "indexdb")), None
        data = index = samples = 0
        for meta in glob.glob(os.path.join(self.data, "**/meta.json"), recursive=True):
            folder = os.path.dirname(meta)
            with open(meta) as f:
                facts = json.load(f)
            samples += facts["samples"] if "samples" in facts else facts["stats"]["numSamples"]
            index += size_of(os.path.join(folder, "index"))
            data += size_of(os.path.join(folder, "data" if self.name == "gnomon" else "chunks"))
        return data, index, samples


def size_of(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                pass  # merged away meanwhile
    return total
