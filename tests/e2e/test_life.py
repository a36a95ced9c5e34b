"""How a server ends: not ready first, what is in flight answered, everything acknowledged on disk, status 0."""
import signal
import socket
import time

from harness import RW_HEADERS, PATIENCE, Gnomon, run, snappy, wait_for, write_request


def now_ms():
    return int(time.time() * 1000)


def one(name, value):
    return [({"__name__": name}, [(now_ms(), value)])]


def half_written(server, name):
    """A remote write whose second half is still to come: (socket, the second half)."""
    body = snappy(write_request(one(name, 1)))
    head = "POST /api/v1/write HTTP/1.1\r\nHost: x\r\n" + "".join(f"{k}: {v}\r\n" for k, v in RW_HEADERS.items())
    s = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    s.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
    return s, body[10:]


def unread(s):
    """Bytes of ours that the server has not taken from its connection yet."""
    ours, theirs = (f"0100007F:{port:04X}" for port in (s.getsockname()[1], s.getpeername()[1]))
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f]
    return next((int(row[4].split(":")[1], 16) for row in rows if row[1:3] == [theirs, ours]), None)


def answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(4096)
        if not more:
            break
        data += more
    return data


def test_a_request_in_flight_is_answered_and_durable():
    with Gnomon() as server:
        assert server.write(one("before", 1))[0] == 204
        s, rest = half_written(server, "during")
        wait_for("its first half to be read", lambda: unread(s) == 0, every=0.01)
        server.process.p.send_signal(signal.SIGTERM)
        wait_for("the end to begin", lambda: ready(server) != 200, every=0.01)
        s.sendall(rest)
        got = answer(s)
        s.close()
        assert got.startswith(b"HTTP/1.1 204") and b"connection: close" in got.lower(), got
        assert server.process.p.wait(PATIENCE) == 0
        server.start()
        assert server.query("before") and server.query("during")


def ready(server):
    try:
        return server.get("/-/ready")[0]
    except OSError:
        return 0


def test_it_says_that_it_is_not_ready_before_it_stops():
    with Gnomon("--web.shutdown-delay=10m") as server:
        assert server.get("/health")[0] == 200
        server.process.p.send_signal(signal.SIGTERM)
        wait_for("not ready", lambda: ready(server) == 503, every=0.01)
        assert server.get("/health")[0] == 503 and server.get("/-/healthy")[0] == 200
        status, headers, _ = server.get("/api/v1/query?query=1")
        assert status == 200 and headers.get("connection", "").lower() == "close", headers  # who stays is told to go
        assert server.write(one("late", 1))[0] == 204
        assert server.query("late")
        server.process.p.send_signal(signal.SIGTERM)  # a second one ends the delay
        assert server.process.p.wait(PATIENCE) == 0
        server.args = []
        server.start()
        assert server.query("last_over_time(late[10m])")


def test_a_second_signal_ends_the_delay():
    with Gnomon("-http.shutdownDelay=10m") as server:
        server.process.p.send_signal(signal.SIGTERM)
        wait_for("not ready", lambda: ready(server) == 503, every=0.01)
        server.process.p.send_signal(signal.SIGTERM)
        assert server.process.p.wait(PATIENCE) == 0


run(globals())
