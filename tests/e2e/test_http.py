#!/usr/bin/env python3
"""Broken and hostile HTTP against the real binary: each is answered as docs/http.md says, and the server lives on."""
import gzip
import http.client
import socket
import threading
import time
import zlib

from harness import RW_HEADERS, PATIENCE, Gnomon, request, run, snappy, write_request

HOST = b"Host: localhost\r\n"
GOOD = b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


def post(path, headers, body=b""):
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def exchange(port, data, half_close=False, until=None):
    """Everything the server says to these bytes until it closes, or has said so much; also whether it closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused while we were sending: the answer is what counts
        try:
            while part := s.recv(65536):
                answer += part
                if until and until in answer:
                    return answer, False
        except socket.timeout:
            return answer, False
        except OSError:
            pass
    return answer, True


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def refused(server, expect, data):
    answer, closed = exchange(server.port, data)
    assert status(answer) in expect, (data[:80], answer[:200])
    assert closed, ("still open after", data[:80])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head, head
    assert body.count(b"\n") == 1 and body.endswith(b"\n"), ("one line of reason", body)


def healthy(server):
    assert request("GET", server.port, "/-/healthy")[0] == 200


def test_malformed_requests_are_refused_and_the_connection_closed():
    with Gnomon() as server:
        for expect, data in [
            ((400,), b" / HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((400,), b"GET  HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((400,), b"\r\n" * 1000),
            ((400,), b"M" * 10240 + b" / HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((414,), b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((431,), b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 66000 + b"\r\n\r\n"),
            ((431,), b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 100 + b"\r\n"),
            ((400,), b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n"),
            ((400,), b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n"),
            ((400,), b"GET / HTTP/1.1\r\n" + HOST + b"A: b\0c\r\n\r\n"),
            ((400,), b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n"),
            ((400,), b"GET / HTTP/1.1\nHost: x\n\n"),
            ((400,), b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
            ((400,), b"GET / HTTP/1.1\r\n\r\n"),
            ((400,), b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n"),
            ((400,), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            ((400,), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100),
            ((505,), b"GET / HTTP/3.0\r\n" + HOST + b"\r\n"),
            ((400,), b"GET http://elsewhere/ HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((405,), b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((400,), b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((400,), b"GET /% HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((400,), b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n"),
            ((400,), b"GET /%c0%ae HTTP/1.1\r\n" + HOST + b"\r\n"),
        ]:
            refused(server, expect, data)
        healthy(server)


def test_what_could_smuggle_a_request_is_refused():
    with Gnomon() as server:
        for length in (b"-1", b"+5", b"5,5", b"0x10", b"18446744073709551616", b"", b"5 5"):
            refused(server, (400,), post(b"/api/v1/query", b"Content-Length: " + length + b"\r\n"))
        refused(server, (400,), post(b"/api/v1/query", b"Content-Length: 5\r\nContent-Length: 6\r\n"))
        refused(server, (400,), post(b"/api/v1/query", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"))
        for coding in (b"xchunked", b"chunked, gzip", b"gzip, chunked", b"identity"):
            refused(server, (400, 501), post(b"/api/v1/query", b"Transfer-Encoding: " + coding + b"\r\n"))
        for body in (b"FFFFFFFFFFFFFFFFF\r\n", b"zz\r\n", b"-1\r\n", b" 1\r\na\r\n", b"1\na\r\n", b"1\r\nab\r\n",
                     b"1;" + b"x" * 65536 + b"\r\na\r\n", b"0\r\nno colon\r\n\r\n"):
            refused(server, (400, 413), post(b"/api/v1/query", b"Transfer-Encoding: chunked\r\n", body))
        healthy(server)


def test_the_rest_of_a_stream_is_never_taken_for_the_body():
    with Gnomon() as server:
        answer, _ = exchange(server.port, post(b"/api/v1/query", b"Content-Type: application/x-www-form-urlencoded\r\n"
                                               b"Content-Length: 7\r\n", b"query=1") + LAST)
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2, answer
        answer, closed = exchange(server.port, post(b"/api/v1/write", b"Content-Length: 1000\r\n", b"short"), half_close=True)
        assert answer == b"" and closed, answer
        assert exchange(server.port, b"", half_close=True) == (b"", True)


def test_unknown_paths_and_methods():
    with Gnomon() as server:
        for path in ("/api/v1/%2e%2e/%2e%2e/etc/passwd", "//evil.com", "/..;/", "/../etc/passwd", "/api/v1/nothing"):
            assert request("GET", server.port, path)[0] == 404, path
        for path in ("/-/ready/", "/metrics/", "/api/v1/query/?query=1", "//api/v1/labels/", "/prometheus/api/v1/labels/"):
            assert request("GET", server.port, path)[0] == 200, path
        for _ in range(40):  # more than run at once: each gives its place back
            assert request("GET", server.port, "/api/v1/query/?query=1")[0] == 200
        assert b'"data":[]' in request("GET", server.port, "/api/v1/status/active_queries")[2]
        code, headers, _ = request("FOO", server.port, "/api/v1/query")
        assert code == 405 and headers["Allow"].startswith("GET, "), headers
        assert request("OPTIONS", server.port, "/api/v1/query")[0] == 204
        code, headers, body = request("HEAD", server.port, "/-/healthy")
        assert code == 200 and int(headers["Content-Length"]) > 0 and body == b""
        assert request("GET", server.port, "/-/healthy", headers={"Range": "bytes=" + "0-," * 1000})[0] == 200
        assert request("GET", server.port, "/-/healthy", headers={"Accept-Encoding": "gzip;q=0, *;q=9x"})[0] == 200
        assert request("GET", server.port, "/api/v1/query?" + "a=1&" * 10000 + "query=1")[0] in (400, 414)


def test_expect_is_answered_before_the_body_comes():
    with Gnomon() as server:
        refused(server, (413, 417), post(b"/api/v1/write", b"Expect: 100-continue\r\nContent-Length: 99999999999\r\n"))
        refused(server, (417,), post(b"/api/v1/query", b"Expect: banana\r\nContent-Length: 7\r\n", b"query=1"))
        answer, _ = exchange(server.port, post(b"/api/v1/query", b"Expect: 100-continue\r\nContent-Length: 7\r\n"), until=b"\r\n\r\n")
        assert answer == b"HTTP/1.1 100 Continue\r\n\r\n", answer


def test_pipelined_requests_are_answered_in_order():
    with Gnomon() as server:
        texts = b"".join(b"GET /api/v1/query?query=%d HTTP/1.1\r\n" % i + HOST + b"\r\n" for i in range(1000))
        answer, closed = exchange(server.port, texts + LAST)
        assert closed and answer.count(b"HTTP/1.1 200 OK") == 1001
        at = [answer.index(b'"%d"]' % i) for i in range(1000)]
        assert at == sorted(at)


def test_a_slow_head_is_closed_and_others_are_served_meanwhile():
    with Gnomon() as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as slow:
            begin = time.monotonic()
            stop = threading.Event()

            def drip():
                for byte in GOOD * 10:
                    if stop.wait(0.2):
                        return
                    try:
                        slow.send(bytes([byte]) if byte not in b"\r\n" else b"x")
                    except OSError:
                        return

            thread = threading.Thread(target=drip)
            thread.start()
            healthy(server)
            answer = slow.recv(1000)
            stop.set()
            thread.join()
            assert status(answer) == 408 and time.monotonic() - begin > 4, answer


def test_compressed_bodies_are_bounded():
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with Gnomon() as server:
        body = b"query=" + b"1" * 10
        for coding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
            code, _, answer = request("POST", server.port, "/api/v1/query", packed, {**form, "Content-Encoding": coding})
            assert code in (200, 415), (coding, code, answer)
        bomb = gzip.compress(bytes(100 << 20))
        assert request("POST", server.port, "/api/v1/query", bomb, {**form, "Content-Encoding": "gzip"})[0] in (413, 415)
        for coding in ("br", "gzip, gzip"):
            code, headers, _ = request("POST", server.port, "/api/v1/query", body, {**form, "Content-Encoding": coding})
            assert code == 415 and headers["Accept-Encoding"], (coding, code)
        damaged = gzip.compress(body)[:-4] + b"xxxx"
        code = request("POST", server.port, "/api/v1/query", damaged, {**form, "Content-Encoding": "gzip"})[0]
        assert code in (400, 415), code
        healthy(server)


def test_a_huge_write_holds_up_nobody():
    now = int(time.time() * 1000)
    raw = write_request([({"__name__": "huge", "i": f"{i:07}", "padding": "x" * 100}, [(now, float(i))]) for i in range(150000)])
    body = snappy(raw)
    with Gnomon("--web.loops=2", "--log.level=warn") as server:
        statuses, waits, done = [], [], threading.Event()

        def ping():
            c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
            while not done.is_set():
                begin = time.monotonic()
                c.request("GET", "/-/healthy")
                assert c.getresponse().read()
                waits.append(time.monotonic() - begin)
                time.sleep(0.001)
            c.close()
        pings = [threading.Thread(target=ping) for _ in range(4)]
        for t in pings:
            t.start()

        def write():
            answer = 503, b""
            while answer[0] == 503:  # the log may be behind; senders try again
                answer = request("POST", server.port, "/api/v1/write", body, RW_HEADERS)[::2]
            statuses.append(answer)
        writers = [threading.Thread(target=write) for _ in range(3)]
        for t in writers:
            t.start()
        for t in writers:
            t.join()
        done.set()
        for t in pings:
            t.join()
        assert [s[0] for s in statuses] == [204] * 3 and server.query("count(huge)")[0]["value"][1] == "150000", statuses
        print(f"     {len(body) >> 20} MiB three times; {len(waits)} others waited {sorted(waits)[len(waits) // 2] * 1000:.1f} ms, "
              f"at most {max(waits) * 1000:.0f} ms")


if __name__ == "__main__":
    run(globals())
