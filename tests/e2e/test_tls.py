"""TLS, logins and what else the web configuration does, against the real binary; certificates by openssl.

A real Prometheus (PROMETHEUS) writes, reads and answers the same refusals; promtool (PROMTOOL) judges the same files.
"""
import base64
import contextlib
import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from harness import RW_HEADERS, BINARY, PATIENCE, Gnomon, Process, Skip, free_port, program, request, run, since, snappy, wait_for, write_request



def bcrypt(password, cost=5):
    """A hash by the C library, as htpasswd would print it."""
    import ctypes
    import ctypes.util
    lib = ctypes.CDLL(ctypes.util.find_library("crypt"))
    lib.crypt.restype = ctypes.c_char_p
    return lib.crypt(password.encode(), b"$2b$%02d$abcdefghijklmnopqrstuu" % cost).decode()


def openssl(*args):
    if not shutil.which("openssl"):
        raise Skip("openssl is not here")
    done = subprocess.run(["openssl", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="gnomon-tls-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def authority(dir, name="ca"):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj",
            f"/CN={name}", "-keyout", f"{dir}/{name}.key", "-out", f"{dir}/{name}.pem")


def certificate(dir, name, names, ca="ca", usage="serverAuth"):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
            f"{dir}/{name}.key", "-out", f"{dir}/{name}.csr")
    with open(f"{dir}/{name}.ext", "w") as f:
        f.write(f"subjectAltName={names}\nextendedKeyUsage={usage}\n")
    openssl("x509", "-req", "-in", f"{dir}/{name}.csr", "-CA", f"{dir}/{ca}.pem", "-CAkey", f"{dir}/{ca}.key", "-days", "365",
            "-CAcreateserial", "-extfile", f"{dir}/{name}.ext", "-out", f"{dir}/{name}.pem")


def make_certificates(dir):
    authority(dir)
    certificate(dir, "server", "DNS:localhost,IP:127.0.0.1")
    certificate(dir, "client", "DNS:writer.example", usage="clientAuth")


def put(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Secure(Gnomon):
    """A server that is asked over HTTPS, with a certificate and a login of ours."""

    def __init__(self, *args, ca=None, client=None, login=None, **kw):
        super().__init__(*args, **kw)
        self.context = None
        if ca:
            self.context = ssl.create_default_context(cafile=ca)
            if client:
                self.context.load_cert_chain(client + ".pem", client + ".key")
        self.login = login or {}

    def ask(self, method, path, body=None, headers=None, context=None):
        context = context or self.context
        c = (http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=context) if context
             else http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE))
        try:
            c.request(method, path, body, {**self.login, **(headers or {})})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def get(self, path, headers=None):
        return self.ask("GET", path, None, headers)

    def post(self, path, body=b"", headers=None):
        return self.ask("POST", path, body, headers)


WEB = """tls_server_config:
  cert_file: server.pem
  key_file: server.key
http_server_config:
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: %s
"""


def test_https_with_logins_and_headers():
    with folder() as dir:
        make_certificates(dir)
        web = put(f"{dir}/web.yml", WEB % bcrypt("s3cret"))
        with Secure(f"--web.config.file={web}", "--web.enable-lifecycle", ca=f"{dir}/ca.pem", login=basic("alice", "s3cret")) as server:
            assert server.write([({"__name__": "m"}, [(int(time.time() * 1000), 1)])])[0] == 204
            assert server.query("m")[0]["value"][1] == "1"
            status, headers, _ = server.get("/api/v1/labels")
            assert status == 200 and headers["X-Frame-Options"] == "deny" and "max-age" in headers["Strict-Transport-Security"]
            for path in ("/api/v1/labels", "/metrics", "/-/ready", "/-/healthy", "/nowhere", "/federate", "/"):
                status, headers, body = server.ask("GET", path, headers={"Authorization": ""})
                assert status == 401 and headers["WWW-Authenticate"] == "Basic" and body == b"Unauthorized\n", (path, status)
                assert server.ask("GET", path, headers=basic("alice", "no"))[0] == 401
            assert server.ask("POST", "/-/quit", headers={"Authorization": ""})[0] == 401
            assert server.ask("GET", "/health", headers={"Authorization": ""})[0] == 200
            for path in ("/api/v1/status/config", "/api/v1/status/flags", "/metrics", "/"):
                body = server.get(path)[2]
                assert b"s3cret" not in body and b"$2b$" not in body and b"PRIVATE" not in body
            log = open(server.process.log).read()
            assert "login refused" in log and "s3cret" not in log and "$2b$" not in log


def test_the_flags_of_victoriametrics():
    with folder() as dir:
        make_certificates(dir)
        put(f"{dir}/password", "pw from file\n")
        args = ["-tls", f"-tlsCertFile={dir}/server.pem", f"-tlsKeyFile={dir}/server.key", "-tlsMinVersion=TLS13", "-mtls",
                f"-mtlsCAFile={dir}/ca.pem", "-httpAuth.username=vm", f"-httpAuth.password=file://{dir}/password"]
        with Secure(*args, ca=f"{dir}/ca.pem", client=f"{dir}/client", login=basic("vm", "pw from file")) as server:
            assert server.get("/api/v1/labels")[0] == 200
            assert server.ask("GET", "/api/v1/labels", headers=basic("vm", "pw"))[0] == 401
            assert "pw from" not in server.get("/api/v1/status/flags")[2].decode()
            nobody = ssl.create_default_context(cafile=f"{dir}/ca.pem")
            try:
                server.ask("GET", "/api/v1/labels", context=nobody)
                raise AssertionError("came in without a certificate")
            except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
                pass
            old = ssl.create_default_context(cafile=f"{dir}/ca.pem")
            old.load_cert_chain(f"{dir}/client.pem", f"{dir}/client.key")
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                server.ask("GET", "/api/v1/labels", context=old)
                raise AssertionError("spoke TLS 1.2")
            except (ssl.SSLError, ConnectionError):
                pass


def test_a_certificate_is_replaced_while_connections_are_open():
    with folder() as dir:
        make_certificates(dir)
        web = put(f"{dir}/web.yml", WEB % bcrypt("s3cret"))
        with Secure(f"--web.config.file={web}", ca=f"{dir}/ca.pem", login=basic("alice", "s3cret")) as server:
            kept = [http.client.HTTPSConnection("127.0.0.1", server.port, context=server.context) for _ in range(100)]
            serial = lambda c: c.sock.getpeercert()["serialNumber"]

            def ask(c):
                c.request("GET", "/api/v1/labels", headers=server.login)
                r = c.getresponse()
                return r.status, r.read()
            assert all(ask(c)[0] == 200 for c in kept)
            before = serial(kept[0])
            put(f"{dir}/server.pem", "half written")
            server.process.p.send_signal(signal.SIGHUP)
            certificate(dir, "server", "DNS:localhost,IP:127.0.0.1")

            def renewed():
                c = http.client.HTTPSConnection("127.0.0.1", server.port, context=server.context)
                assert ask(c)[0] == 200
                return serial(c) != before
            wait_for("the new certificate", renewed)
            assert all(ask(c)[0] == 200 for c in kept) and serial(kept[0]) == before
            metrics = server.get("/metrics")[2].decode()
            assert "gnomon_web_reload_successful 1" in metrics
            put(web, "basic_auth_users: [broken\n")
            wait_for("the refusal", lambda: "gnomon_web_reload_successful 0" in server.get("/metrics")[2].decode())
            put(web, WEB % bcrypt("n3w"))
            wait_for("the new password", lambda: server.ask("GET", "/api/v1/labels", headers=basic("alice", "n3w"))[0] == 200)
            assert server.get("/api/v1/labels")[0] == 401, "the old password"
            for c in kept:
                c.close()


def test_bearer_tokens():
    with folder() as dir:
        tokens = put(f"{dir}/tokens", "t0ken-a\nt0ken-b\n")
        login = {"Authorization": "Bearer t0ken-a"}
        with Secure(f"--web.bearer-token-file={tokens}", login=login) as server:
            assert server.get("/api/v1/labels")[0] == 200
            assert server.ask("GET", "/api/v1/labels", headers={"Authorization": "Bearer t0ken-b"})[0] == 200
            for wrong in ("", "Bearer", "Bearer t0ken", "Bearer t0ken-aa", "Basic t0ken-a", "t0ken-a"):
                status, headers, _ = server.ask("GET", "/api/v1/labels", headers={"Authorization": wrong})
                assert status == 401 and headers["WWW-Authenticate"] == "Bearer", wrong


def test_promtool_judges_files_as_we_do():
    promtool = since((3, 0), "promtool")
    with folder() as dir:
        make_certificates(dir)
        with open(f"{dir}/server.pem") as f:
            inline_cert = "".join("      " + line for line in f)
        with open(f"{dir}/server.key") as f:
            inline_key = "".join("      " + line for line in f)
        tls = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
        user = bcrypt("x")
        files = ["", "# nothing\n", tls, tls + "  min_version: TLS13\n", tls + "  min_version: TLS14\n", tls + "  max_version: TLS12\n",
                 tls + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n",
                 tls + "  client_ca_file: ca.pem\n", tls + "  client_auth_type: Sometimes\n",
                 tls + "  client_auth_type: RequireClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [a.example]\n",
                 tls + "  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n",
                 tls + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n", tls + "  cipher_suites: [NONE]\n",
                 tls + "  curve_preferences: [CurveP256, X25519]\n", tls + "  curve_preferences: [CurveP1]\n",
                 tls + "  prefer_server_cipher_suites: false\n", tls + "  prefer: false\n",
                 "tls_server_config:\n  cert_file: server.pem\n", "tls_server_config:\n  key_file: server.key\n",
                 "tls_server_config:\n  cert_file: missing.pem\n  key_file: server.key\n",
                 "tls_server_config:\n  cert_file: server.pem\n  key_file: client.key\n",
                 "tls_server_config:\n  cert_file: server.key\n  key_file: server.pem\n",
                 f"tls_server_config:\n  cert: |\n{inline_cert}  key: |\n{inline_key}",
                 f"tls_server_config:\n  cert: |\n{inline_cert}  key_file: server.key\n",
                 "http_server_config:\n  http2: false\n", "http_server_config:\n  http2: 3\n", "http_server_config:\n  http3: true\n",
                 "http_server_config:\n  headers:\n    X-Frame-Options: deny\n", "http_server_config:\n  headers:\n    X-Frame-Options: x\n",
                 "http_server_config:\n  headers:\n    X-XSS-Protection: anything\n", "http_server_config:\n  headers:\n    Server: x\n",
                 f"basic_auth_users:\n  alice: {user}\n", "basic_auth_users:\n  alice: plain\n", f"basic_auth_users: [{user}]\n",
                 f"basic_auth_users:\n  a: {user}\n  a: {user}\n", "rate_limit:\n  interval: 1s\n  burst: 5\n",
                 "rate_limit:\n  interval: often\n", "rate_limit:\n  burst: many\n", "unknown: 1\n", "tls_server_config: 1\n", "- a\n"]
        for i, text in enumerate(files):
            path = put(f"{dir}/web{i}.yml", text)
            theirs = subprocess.run([promtool, "check", "web-config", path], capture_output=True, text=True)
            ours = subprocess.run([BINARY, "check", "web-config", path], capture_output=True, text=True)
            assert (theirs.returncode == 0) == (ours.returncode == 0), (text, theirs.stdout + theirs.stderr, ours.stdout + ours.stderr)
            assert ours.returncode == 0 or ours.stderr.strip(), text
        print(f"     {len(files)} files")


def prometheus_with(dir, name, text, *args):
    prometheus = program("prometheus")
    port = free_port()
    put(f"{dir}/{name}.yml", text)
    child = Process([prometheus, f"--config.file={dir}/{name}.yml", f"--storage.tsdb.path={dir}/{name}",
                     f"--web.listen-address=127.0.0.1:{port}", *args], f"{dir}/{name}.log")
    return child, port


def test_a_prometheus_writes_and_reads_with_certificate_and_password():
    program("prometheus")
    with folder() as dir:
        make_certificates(dir)
        put(f"{dir}/pw", "s3cret")
        web = put(f"{dir}/web.yml", (WEB % bcrypt("s3cret")).replace(
            "http_server_config", "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
            "  client_allowed_sans: [writer.example]\nhttp_server_config"))
        with Secure(f"--web.config.file={web}", ca=f"{dir}/ca.pem", client=f"{dir}/client", login=basic("alice", "s3cret")) as server:
            access = (f"    basic_auth: {{username: alice, password_file: {dir}/pw}}\n"
                      f"    tls_config: {{ca_file: {dir}/ca.pem, cert_file: {dir}/client.pem, key_file: {dir}/client.key}}\n")
            config = (f"global: {{scrape_interval: 1s}}\n"
                      f"scrape_configs:\n- job_name: self\n  static_configs: [{{targets: ['127.0.0.1:%d']}}]\n"
                      f"remote_write:\n  - url: https://127.0.0.1:{server.port}/api/v1/write\n{access}"
                      f"remote_read:\n  - url: https://127.0.0.1:{server.port}/api/v1/read\n    read_recent: true\n{access}")
            now = int(time.time())
            assert server.write([({"__name__": "only_there", "i": str(i)}, [((now - 60) * 1000, i)]) for i in range(50)])[0] == 204
            child, port = prometheus_with(dir, "prom", config % 9)
            try:
                def up():
                    try:
                        return request("GET", port, "/-/ready")[0] == 200
                    except OSError:
                        return False
                wait_for("Prometheus", up)
                put(f"{dir}/prom.yml", config % port)
                child.p.send_signal(signal.SIGHUP)
                wait_for("samples of Prometheus", lambda: server.query("up{job='self'}"))
                answer = request("GET", port, "/api/v1/query?query=sum(only_there)")[2]
                assert b'"1225"' in answer, answer
            finally:
                child.kill()


def test_refusals_are_those_of_prometheus():
    program("prometheus")
    with folder() as dir:
        web = put(f"{dir}/web.yml", "basic_auth_users:\n  alice: %s\nhttp_server_config:\n  headers: {X-Frame-Options: deny}\n" % bcrypt("s3cret"))
        child, port = prometheus_with(dir, "prom", "global: {}\n", f"--web.config.file={web}")
        try:
            with Secure(f"--web.config.file={web}", login=basic("alice", "s3cret")) as server:
                def up():
                    try:
                        return request("GET", port, "/-/ready", headers=basic("alice", "s3cret"))[0] == 200
                    except OSError:
                        return False
                wait_for("Prometheus", up)
                for path in ("/api/v1/labels", "/metrics", "/-/healthy", "/-/ready", "/api/v1/nowhere"):
                    for login in ({}, basic("alice", "x"), basic("bob", "s3cret"), basic("", ""), {"Authorization": "Basic x"},
                                  {"Authorization": "Bearer x"}, basic("alice", "s3cret")):
                        a, b = (request("GET", p, path, headers=login) for p in (port, server.port))
                        assert a[0] == b[0], (path, login, a[0], b[0])
                        for name in ("WWW-Authenticate", "X-Frame-Options"):
                            assert a[1][name] == b[1][name], (path, login, name, a[1][name], b[1][name])
                        if a[0] == 401:
                            assert a[2] == b[2] and a[1]["Content-Type"] == b[1]["Content-Type"]
        finally:
            child.kill()


def test_a_flood_of_wrong_passwords_delays_nobody_who_is_known():
    with folder() as dir:
        web = put(f"{dir}/web.yml", "basic_auth_users:\n  alice: %s\n" % bcrypt("s3cret", 10))
        with Secure(f"--web.config.file={web}", login=basic("alice", "s3cret")) as server:
            assert server.get("/api/v1/labels")[0] == 200
            stop = threading.Event()
            seen = set()

            def guess(n):
                i = 0
                while not stop.is_set():
                    i += 1
                    seen.add(server.ask("GET", "/api/v1/labels", headers=basic("alice", f"{n}-{i}"))[0])
            guessers = [threading.Thread(target=guess, args=(n,)) for n in range(8)]
            for t in guessers:
                t.start()
            time.sleep(0.3)
            start, count = time.monotonic(), 100
            for _ in range(count):
                assert server.get("/api/v1/labels")[0] == 200
            seconds = time.monotonic() - start
            stop.set()
            for t in guessers:
                t.join()
            assert seen == {401}, seen
            print(f"     {1000 * seconds / count:.1f} ms for a known login while 8 clients guess")


if __name__ == "__main__":
    run(globals())
