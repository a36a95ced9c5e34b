"""Load over HTTP: keep-alive clients that query while samples come in, slow clients, idle clients; beside the peers.

usage: load.py [SECONDS]       (default 20; the long form of the issue is 300)

Each server in turn gets the same: a writer of RATE samples/s (100,000 by default) on SERIES series (50,000) by remote write, CLIENTS
keep-alive connections (200) that mix queries and label calls, SLOW clients that send a byte a second and IDLE ones that send
nothing (1,000 each). Printed per server: requests, errors, p50 and p99 of the clients, lag of the writer, RSS before and after.
Peers that are not here are left out (PROMETHEUS, VICTORIA_METRICS).
"""
import asyncio
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import urllib.parse

from harness import BINARY, PATIENCE, Process, Skip, free_port, program, request, snappy, varint, wait_for, write_request

RATE, SERIES = int(os.environ.get("RATE", 100000)), int(os.environ.get("SERIES", 50000))
CLIENTS, SLOW, IDLE = (int(os.environ.get(n, d)) for n, d in (("CLIENTS", 200), ("SLOW", 1000), ("IDLE", 1000)))
THINK_S = float(os.environ.get("THINK", 0.5))  # of a client between two requests


TIME_0 = 1_700_000_000_000


def stamp(ms):
    return b"\x10" + varint(ms)


def bodies():
    """Requests of 2,000 series each at TIME_0; another time of six bytes can be put in."""
    labels = [{"__name__": f"load_{i % 20}", "instance": f"host-{i // 20 % 250}", "job": f"job-{i % 7}", "i": str(i)} for i in range(SERIES)]
    return [(len(labels[i:i + 2000]), write_request([(l, [(TIME_0, float(i))]) for l in labels[i:i + 2000]])) for i in range(0, SERIES, 2000)]


class Server:
    def __init__(self, name, args, log, pid_dir):
        self.name, self.dir = name, pid_dir
        self.port = free_port()
        self.process = Process([a.replace("PORT", str(self.port)).replace("DIR", pid_dir) for a in args], log)
        wait_for(name, self.up)

    def up(self):
        try:
            return request("GET", self.port, "/api/v1/labels")[0] == 200
        except OSError:
            return False

    def rss_mib(self):
        with open(f"/proc/{self.process.p.pid}/status") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1]) >> 10

    def cpu_s(self):
        with open(f"/proc/{self.process.p.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def asked(now):
    """What a client may ask, by weight."""
    queries = [("query", {"query": 'load_1{instance="host-7"}'}), ("query", {"query": 'sum by (job) (rate(load_2{instance="host-9"}[1m]))'}),
               ("query", {"query": "count(load_3)"}), ("query_range", {"query": 'avg(load_4{instance=~"host-1."})', "start": now - 300, "end": now, "step": 15}),
               ("labels", {"match[]": "load_5"}), ("label/instance/values", {"match[]": "load_6", "limit": 100}),
               ("series", {"match[]": 'load_7{instance="host-3"}'}), ("label/__name__/values", {})]
    path, params = random.choice(queries)
    return f"/api/v1/{path}?" + urllib.parse.urlencode(params)


async def read_answer(reader):
    """Status of one answer, its body read to the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    fields = head.lower()
    if b"transfer-encoding: chunked" in fields:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        at = fields.find(b"content-length:")
        length = int(fields[at + 15:fields.find(b"\r", at)]) if at >= 0 else 0
        await reader.readexactly(length)
    return status


async def client(port, end, waits, errors):
    reader = writer = None
    while time.monotonic() < end:
        await asyncio.sleep(random.uniform(0, 2 * THINK_S))
        begin = time.monotonic()
        try:
            if not writer:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {asked(int(time.time()))} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n".encode())
            status = await asyncio.wait_for(read_answer(reader), PATIENCE)
            if status != 200:
                errors.append(status)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as e:
            errors.append(type(e).__name__)
            if writer:
                writer.close()
            writer = None
        waits.append(time.monotonic() - begin)
    if writer:
        writer.close()


async def ingest(port, end, sent, errors):
    """RATE samples a second, 2,000 in a request; says by how much it fell behind."""
    groups = bodies()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    at = time.monotonic()
    while time.monotonic() < end:
        for count, body in groups:
            body = snappy(body.replace(stamp(TIME_0), stamp(int(time.time() * 1000))))
            writer.write(b"POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n"
                         b"X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            try:
                status = await asyncio.wait_for(read_answer(reader), PATIENCE)
            except (OSError, asyncio.IncompleteReadError):
                # VictoriaMetrics ends a connection after two minutes; a sender opens another one and sends again.
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            if status == 503:  # the disk is behind: a sender waits and sends again
                sent[1] += 1
                await asyncio.sleep(0.3)
                continue
            sent[0] += count
            if status not in (200, 204):
                errors.append(("write", status))
            at += count / RATE
            await asyncio.sleep(max(0, at - time.monotonic()))
            if time.monotonic() >= end:
                break
    writer.close()


async def hold(port, end, byte_every_s, counts):
    """A connection that sends a head byte by byte, or nothing; opened again when the server closes it."""
    text = b"GET /api/v1/labels HTTP/1.1\r\nHost: " + b"x" * 100000
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            counts[0] += 1
            for i in range(len(text)):
                if time.monotonic() >= end or reader.at_eof() or writer.is_closing():
                    break
                if byte_every_s:
                    writer.write(text[i:i + 1])
                await asyncio.sleep(byte_every_s or 1)
            writer.close()
        except OSError:
            counts[1] += 1
            await asyncio.sleep(0.5)


async def gathered(tasks):
    await asyncio.gather(*tasks)


def in_process(kind, port, end, out, count):
    """One process of the load: Python's threads would share one core among all."""
    waits, errors, numbers = [], [], [0, 0]
    tasks = {"ingest": lambda: [ingest(port, end, numbers, errors)],
             "clients": lambda: [client(port, end, waits, errors) for _ in range(count)],
             "slow": lambda: [hold(port, end, 1, numbers) for _ in range(count)],
             "idle": lambda: [hold(port, end, 0, numbers) for _ in range(count)]}[kind]()
    asyncio.run(gathered(tasks))
    out.put((kind, waits, errors, numbers))


def measure(server, seconds):
    before, cpu, begin = server.rss_mib(), server.cpu_s(), time.monotonic()
    end = begin + seconds
    out = multiprocessing.Queue()
    kinds = [("ingest", 1), ("clients", CLIENTS // 2), ("clients", CLIENTS - CLIENTS // 2), ("slow", SLOW), ("idle", IDLE)]
    children = [multiprocessing.Process(target=in_process, args=(kind, server.port, end, out, n)) for kind, n in kinds]
    for c in children:
        c.start()
    waits, errors, numbers = [], [], {}
    for _ in children:
        kind, some, wrong, got = out.get(timeout=seconds + PATIENCE)
        waits += some
        errors += wrong
        numbers[kind] = got[0]
    for c in children:
        c.join()
    spent = time.monotonic() - begin
    waits.sort()
    at = lambda q: waits[min(len(waits) - 1, int(len(waits) * q))] * 1000
    what = {e: errors.count(e) for e in set(errors)}
    print(f"{server.name:16} {len(waits):7} requests, {len(errors)} errors {what or ''}; p50 {at(.5):.1f} p99 {at(.99):.1f} max {at(1):.0f} ms; "
          f"{numbers['ingest'] / spent / 1000:.0f}k samples/s; CPU {(server.cpu_s() - cpu) / spent:.2f} cores; "
          f"RSS {before} -> {server.rss_mib()} MiB; slow/idle connections {numbers['slow']}/{numbers['idle']}", flush=True)
    return errors, at(.99)


def servers(tmp):
    yield "gnomon", [BINARY, "--storage.path=DIR/data", "--web.listen-address=127.0.0.1:PORT", "--web.max-connections=4096", "--log.level=error"]
    try:
        yield "victoria-metrics", [program("victoria-metrics"), "-storageDataPath=DIR/vm", "-httpListenAddr=127.0.0.1:PORT", "-loggerLevel=ERROR"]
    except Skip as why:
        print(why)
    try:
        with open(f"{tmp}/p.yml", "w") as f:
            f.write("global: {}\n")
        yield "prometheus", [program("prometheus"), f"--config.file={tmp}/p.yml", "--storage.tsdb.path=DIR/prom",
                             "--web.listen-address=127.0.0.1:PORT", "--web.enable-remote-write-receiver", "--web.max-connections=4096"]
    except Skip as why:
        print(why)


def main(seconds, only=None):
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    tmp = tempfile.mkdtemp(prefix="gnomon-load-")
    results = {}
    try:
        for name, args in servers(tmp):
            if only and name != only:
                continue
            dir = f"{tmp}/{name}"
            os.makedirs(dir)
            server = Server(name, args, f"{tmp}/{name}.log", dir)
            try:
                results[name] = measure(server, seconds)
            finally:
                server.process.kill()
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    return results


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20, os.environ.get("ONLY"))
