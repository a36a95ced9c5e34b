"""A live Prometheus 3.15 and a Gnomon with the same data, to be asked the same things."""
import http.client
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import compare  # noqa: E402
from harness import RW_HEADERS, Gnomon, Process, free_port, request, since, snappy, wait_for  # noqa: E402

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Pair:
    """Both servers with the same flags and the same data: bodies of remote write 1.0."""

    def __init__(self, features, bodies, block="24h"):
        self.features = ",".join(features)
        self.tmp = tempfile.mkdtemp(prefix="gnomon-differential-")
        prometheus = since((3, 15), "prometheus")
        with open(self.tmp + "/p.yml", "w") as f:
            f.write("global: {evaluation_interval: 1m}\n")
        self.port = free_port()
        flags = [f"--enable-feature={self.features}"] if features else []
        self.prometheus = Process(
            [prometheus, f"--config.file={self.tmp}/p.yml", f"--storage.tsdb.path={self.tmp}/data", "--web.enable-remote-write-receiver",
             f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=100y",
             f"--storage.tsdb.min-block-duration={block}", "--log.level=error", *flags], self.tmp + "/prometheus.log")
        self.gnomon = Gnomon("--log.level=warn", "--storage.retention.time=100y", "--wal.sync=os", "--storage.min-free-disk=1MiB", *flags)
        self.gnomon.start()
        wait_for("Prometheus", self.ready, every=0.02)
        self.ports = (self.port, self.gnomon.port)
        for body in map(snappy, bodies):
            for port in self.ports:
                status, _, text = request("POST", port, "/api/v1/write", body, RW_HEADERS)
                assert status == 204, (port, status, text)
        self.connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=130) for port in self.ports]

    def ready(self):
        try:
            return request("GET", self.port, "/-/ready")[0] == 200
        except OSError:
            return False

    def close(self):
        for c in self.connections:
            c.close()
        self.stop_gnomon()
        self.prometheus.kill()
        for tmp in (self.tmp, self.gnomon.tmp):
            shutil.rmtree(tmp, ignore_errors=True)

    def stop_gnomon(self):
        """It must end when told to, whatever it is busy with."""
        try:
            self.gnomon.stop()
        except Exception:
            self.gnomon.process.kill()
            raise

    def answers(self, path, form, which=(0, 1)):
        """[(status, body)] of Prometheus and Gnomon."""
        for i in which:
            self.connections[i].request("POST", path, form, FORM)
        return [(r.status, r.read()) for r in (self.connections[i].getresponse() for i in which)]

    def ask(self, path, form, which=(0, 1)):
        return [compare.parse(*answer) for answer in self.answers(path, form, which)]
