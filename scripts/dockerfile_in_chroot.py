#!/usr/bin/env python3
"""Runs deploy/docker/Dockerfile without a container engine: every step in debootstrap chroots, then the result.

For machines that have root but no Docker.  FROM, ARG, ENV, RUN, COPY, WORKDIR, USER and the words that describe
the image are executed as they stand; then the entrypoint starts as the image's user in mount and pid namespaces of
its own, on a read-only root with one writable volume, and must: get healthy by the image's HEALTHCHECK, take and
answer a sample, stop on STOPSIGNAL within 10 s with status 0, and have the sample after a restart; once with own
arguments and once with those of VictoriaMetrics' manifests.

What this does not show: layers, registries, and the engine's own reading of the Dockerfile.

usage: dockerfile_in_chroot.py [--arch arm64] [--base DIR] [--keep] [--port N]
  --arch   only build, for another machine (nothing of it can run here)
  --base   a finished `debootstrap --variant=minbase bookworm`, copied for each stage
"""
import argparse
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT + "/tests/e2e")
MIRROR = os.environ.get("MIRROR", "http://deb.debian.org/debian")


def run(*args, **kw):
    return subprocess.run(args, check=True, **kw)


def instructions(path):
    """[(word, rest)] with continued lines joined and comments gone."""
    with open(path) as f:
        lines = [line for line in f.read().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n", "", "\n".join(lines))
    for line in text.splitlines():
        if line.strip():
            word, rest = line.split(None, 1)
            yield word.upper(), rest.strip()


class Stage:
    def __init__(self, root, name):
        self.root, self.name = root, name
        self.env, self.args, self.cwd, self.user = {}, {}, "/", "0:0"
        self.words = {}

    def path(self, inside):
        return self.root + os.path.normpath(os.path.join(self.cwd, inside))

    def expand(self, text):
        return re.sub(r"\$\{?(\w+)\}?", lambda m: {**self.args, **self.env}.get(m.group(1), ""), text)

    def run(self, command):
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               **proxies(), **self.args, **self.env}
        run("chroot", f"--userspec={self.user}", self.root, "/bin/sh", "-c", f"cd {shlex.quote(self.cwd)} && {command}", env=env)


def proxies():
    return {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}


class Build:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.stages, self.mounts = [], []
        self.global_args = {"REVISION": subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, text=True,
                                                       capture_output=True).stdout.strip()}
        if options.arch:
            self.global_args["TARGETARCH"] = options.arch
        with open(ROOT + "/.dockerignore") as f:
            lines = f.read().split()
        assert lines[0] == "*", "this reads .dockerignore files that shut out everything first"
        self.admitted = [line[1:] for line in lines[1:]]

    def base(self):
        if self.options.base:
            return self.options.base
        path = self.work + "/base"
        if not os.path.exists(path):
            print("debootstrap bookworm", flush=True)
            run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", path, MIRROR, stdout=subprocess.DEVNULL)
        return path

    def new_stage(self, rest):
        words = [w for w in rest.split() if not w.startswith("--platform")]
        assert words[0].startswith("debian:bookworm"), f"no base for {words[0]}"
        root = f"{self.work}/stage{len(self.stages)}"
        run("cp", "-a", "--reflink=auto", self.base(), root)
        # The chroot reaches packages in the way this machine does.
        shutil.copy("/etc/resolv.conf", root + "/etc/resolv.conf")
        run("cp", "-r", "/etc/apt/apt.conf.d/.", root + "/etc/apt/apt.conf.d/")
        if os.path.isdir("/usr/local/share/ca-certificates"):
            run("cp", "-r", "/usr/local/share/ca-certificates/.", root + "/usr/local/share/ca-certificates/")
            subprocess.run(["chroot", root, "update-ca-certificates"], capture_output=True)
        self.mount("--bind", "/dev", root + "/dev")
        self.mount("-t", "proc", "proc", root + "/proc")
        self.stages.append(Stage(root, words[2] if len(words) > 2 else None))

    def mount(self, *args):
        run("mount", *args)
        self.mounts.append(args[-1])

    def unmount(self):
        while self.mounts:
            subprocess.run(["umount", "-l", self.mounts.pop()])

    def copy(self, stage, rest):
        words = rest.split()
        source = ROOT
        if words[0].startswith("--from="):
            name = words.pop(0)[7:]
            source = next(s.root for s in self.stages if s.name == name)
        *items, to = words
        target = stage.path(to)
        if to.endswith("/") or len(items) > 1:
            os.makedirs(target, exist_ok=True)
        for item in items:
            if source is ROOT:
                assert any(item == a or item.startswith(a + "/") for a in self.admitted), f".dockerignore shuts out {item}"
            path = os.path.join(source, item.lstrip("/"))
            if os.path.isdir(path):
                shutil.copytree(path, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build"))
            elif os.path.isdir(target):
                shutil.copy2(path, os.path.join(target, os.path.basename(path)))
            else:
                shutil.copy2(path, target)

    def step(self, word, rest):
        if word == "FROM":
            self.new_stage(rest)
            return
        stage = self.stages[-1]
        if word == "ARG":
            name, _, default = rest.partition("=")
            if name in self.global_args or default:
                stage.args[name] = self.global_args.get(name, default)
        elif word == "ENV":
            stage.env.update(part.split("=", 1) for part in shlex.split(stage.expand(rest)))
        elif word == "RUN":
            stage.run(rest)
        elif word == "COPY":
            self.copy(stage, rest)
        elif word == "WORKDIR":
            stage.cwd = os.path.normpath(os.path.join(stage.cwd, rest))
            os.makedirs(stage.root + stage.cwd, exist_ok=True)
        elif word == "USER":
            stage.user = rest
        elif word in ("LABEL", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"):
            stage.words[word] = rest
        else:
            raise SystemExit(f"dockerfile_in_chroot.py does not know {word}")

    def all(self):
        for word, rest in instructions(ROOT + "/deploy/docker/Dockerfile"):
            if self.options.arch and len(self.stages) == 1 and word == "FROM":
                return self.stages[-1]
            start = time.monotonic()
            print(f"{word} {rest[:100]}", flush=True)
            self.step(word, rest)
            if word == "RUN":
                print(f"    {time.monotonic() - start:.1f} s", flush=True)
        return self.stages[-1]


class Container:
    """The image's entrypoint as an engine would start it: own mounts and pids, read-only root, one volume."""

    def __init__(self, stage, volume, mounted_at, args):
        self.stage = stage
        inside = " ".join(map(shlex.quote, json.loads(stage.words["ENTRYPOINT"]) + args))
        env = " ".join(f"{k}={shlex.quote(v)}" for k, v in stage.env.items())
        script = f"""set -e
            mount --bind {stage.root} {stage.root}
            mount --bind {volume} {stage.root}{mounted_at}
            mount -t proc proc {stage.root}/proc
            mount -o remount,bind,ro {stage.root}
            exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin {env} chroot --userspec={stage.user} {stage.root} {inside}"""
        self.process = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script])

    def child(self):
        """The pid, out here, of process 1 in there."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True).stdout.split()
            if found:
                return int(found[0])
            time.sleep(0.05)
        raise AssertionError("nothing was started")

    def inside(self, *args):
        return subprocess.run(["nsenter", "-t", str(self.child()), "-m", "-p", "chroot", f"--userspec={self.stage.user}",
                               self.stage.root, *args], capture_output=True, text=True)

    def healthy(self):
        check = json.loads(self.stage.words["HEALTHCHECK"].split("CMD", 1)[1])
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with open(f"/proc/{self.child()}/cmdline", "rb") as f:
                started = f.read().startswith(b"gnomon\0")  # not while its shell still mounts
            if started and self.inside(*check).returncode == 0:
                return
            assert self.process.poll() is None, "the container ended"
            time.sleep(0.2)
        raise AssertionError("HEALTHCHECK does not pass")

    def kill(self):
        """For the way out after a failure; a server that changed its user does not die with unshare."""
        if self.process.poll() is None:
            os.kill(self.child(), signal.SIGKILL)
            self.process.kill()

    def stop(self):
        start = time.monotonic()
        os.kill(self.child(), getattr(signal, self.stage.words["STOPSIGNAL"]))
        assert self.process.wait(10) == 0, f"exit status {self.process.returncode}"
        return time.monotonic() - start


def write_sample(port):
    import harness
    now = int(time.time() * 1000)
    status, _, body = harness.request("POST", port, "/api/v1/write",
                                      harness.snappy(harness.write_request([({"__name__": "chroot_test"}, [(now, 42.0)])])),
                                      harness.RW_HEADERS)
    assert status == 204, (status, body)


def wait_ready(port):
    """Alive comes before ready: the log is replayed in between."""
    end = time.monotonic() + 10
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready").close()
            return
        except OSError:
            assert time.monotonic() < end, "not ready"
            time.sleep(0.05)


def read_sample(port):
    end = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query=last_over_time(chroot_test[1h])") as r:
                result = json.load(r)["data"]["result"]
                assert [s["value"][1] for s in result] == ["42"], result
                return
        except OSError:
            assert time.monotonic() < end, "no answer"
            time.sleep(0.1)


def live(stage, work, port, name, mounted_at, args):
    volume = tempfile.mkdtemp(prefix="volume-", dir=work)
    uid, gid = map(int, stage.user.split(":"))
    os.chown(volume, uid, gid)
    for round in ("first start", "second start"):
        c = Container(stage, volume, mounted_at, args)
        try:
            c.healthy()
            wait_ready(port)
            if round == "first start":
                write_sample(port)
                who = c.inside("/usr/bin/id", "-u").stdout.strip()
                outside = c.inside("/bin/sh", "-c", "touch /tmp/x /usr/x /x 2>/dev/null && echo written")
                assert who == str(uid) and "written" not in outside.stdout, (who, outside)
            read_sample(port)
            took = c.stop()
        finally:
            c.kill()
        print(f"{name}, {round}: healthy as user {who}, root read-only, stopped in {took:.2f} s")
    assert os.listdir(volume), "nothing in the volume"


def refused(stage, work):
    """A volume of another owner is refused with a sentence that says what to do."""
    volume = work + "/volume-root"
    os.makedirs(volume, mode=0o700)
    c = Container(stage, volume, "/data", [])
    assert c.process.wait(20) == 1
    print("a volume of root is refused, as it says above")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("--arch"), parser.add_argument("--base"), parser.add_argument("--keep", action="store_true")
    parser.add_argument("--port", type=int, default=8428)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("dockerfile_in_chroot.py: must be root (chroot)")
    work = tempfile.mkdtemp(prefix="gnomon-dockerfile-")
    build = Build(options, work)
    try:
        stage = build.all()
        if options.arch:
            with open(stage.root + "/gnomon", "rb") as f:
                machine = struct.unpack("<H", f.read(20)[18:20])[0]
            assert {0x3E: "amd64", 0xB7: "arm64"}.get(machine) == options.arch, hex(machine)
            print(f"the build stage makes an {options.arch} binary; not run")
            return
        build.unmount()
        size = subprocess.run(["du", "-sm", stage.root], capture_output=True, text=True).stdout.split()[0]
        print(f"image's files: {size} MB, binary {os.path.getsize(stage.root + '/usr/local/bin/gnomon') / 1e6:.1f} MB")
        listen = f"127.0.0.1:{options.port}"
        live(stage, work, options.port, "own arguments", "/data", [f"--web.listen-address={listen}"])
        live(stage, work, options.port, "VictoriaMetrics' arguments", "/victoria-metrics-data", [
            "-storageDataPath=/victoria-metrics-data", "-retentionPeriod=3", f"-httpListenAddr={listen}", "-loggerFormat=json",
            "-envflag.enable=true", "-envflag.prefix=VM_", "-dedup.minScrapeInterval=15s", "-search.maxUniqueTimeseries=1000000",
            "-selfScrapeInterval=10s"])
        live(stage, work, options.port, "only its mount", "/victoria-metrics-data", [f"-httpListenAddr={listen}"])
        refused(stage, work)
        print("the Dockerfile's steps work")
    finally:
        build.unmount()
        if options.keep:
            print(f"left behind: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
