"""Servers in a race: started, asked, killed; their CPU, memory and disk as the operating system counts them."""
import glob
import http.client
import os
import shutil
import signal
import subprocess
import time
import urllib.parse

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


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


class Server:
    """One contestant with its data directory.  Default settings; limits of series and samples lifted."""

    def __init__(self, name, program, work, port):
        self.name, self.program, self.port = name, program, port
        self.data = os.path.join(work, "data-" + name)
        self.log = open(self.data + ".log", "ab")
        self.process = self.connection = None
        self.retired = {"cpu": 0.0, "written": 0}

    def command(self):
        listen = f"127.0.0.1:{self.port}"
        if self.name == "gnomon":
            return [self.program, f"--storage.path={self.data}", f"--web.listen-address={listen}",
                    "--storage.retention.time=0", "--query.max-samples=500000000"], "/-/ready"
        if self.name == "victoriametrics":
            return [self.program, f"-storageDataPath={self.data}", f"-httpListenAddr={listen}", "-retentionPeriod=100y",
                    "-search.latencyOffset=0s", "-search.maxQueryDuration=300s",
                    "-search.maxUniqueTimeseries=5000000", "-search.maxSeries=5000000",
                    "-search.maxPointsPerTimeseries=100000"], "/health"
        config = self.data + ".yml"
        with open(config, "w") as f:
            f.write("global: {scrape_interval: 1h}\nstorage: {tsdb: {out_of_order_time_window: 30d}}\n")
        return [self.program, f"--config.file={config}", f"--storage.tsdb.path={self.data}",
                f"--web.listen-address={listen}", "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=100y", "--query.max-samples=500000000", "--log.level=error"], "/-/ready"

    def start(self):
        """Seconds until it said that it is ready."""
        command, ready = self.command()
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        while True:
            try:
                if self.get(ready)[0] == 200:
                    return time.monotonic() - begin
            except OSError:
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} did not start, see {self.data}.log")
            if time.monotonic() - begin > 600:
                raise RuntimeError(f"{self.name} is not ready after ten minutes")
            time.sleep(0.002)

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.retired["cpu"] += self.cpu()
            self.retired["written"] += self.written()
            self.process.send_signal(how)
            self.process.wait()
        self.connection = None

    def close(self):
        self.stop(signal.SIGKILL)
        self.log.close()
        shutil.rmtree(self.data, ignore_errors=True)

    def get(self, path, params=None):
        """Status and body; one connection is kept."""
        if params:
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode(params)
        for attempt in range(2):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
                self.connection.request("GET", path)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt:
                    raise

    def settle(self):
        """Recent samples become visible, background work ends: five seconds with little CPU, at most a minute."""
        if self.name == "victoriametrics":
            self.get("/internal/force_flush")
        for _ in range(12):
            before = self.cpu()
            time.sleep(5)
            if self.cpu() - before < 0.25:
                return

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def written(self):
        """Bytes that it caused to be written to the disk."""
        with open(f"/proc/{self.process.pid}/io") as f:
            return int(dict(line.split(": ") for line in f)["write_bytes"])

    def memory(self, key):
        """VmRSS or VmHWM in bytes."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(key))

    def disk(self):
        total = 0
        for folder, _, files in os.walk(self.data):
            total += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)
        return total
