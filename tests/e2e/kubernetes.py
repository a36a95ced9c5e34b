"""make e2e-kubernetes: everything that kustomize and helm print, applied to a real kube-apiserver with an etcd.

Needs scripts/deploy_tools.sh kubernetes (kube-apiserver, etcd, kustomize, helm, deploycheck, CRDs).  There is no controller and no
kubelet: objects are stored, defaulted, validated and admitted, nothing is started.
"""
import contextlib
import glob
import os
import re
import secrets
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request

from harness import ROOT, Process, Skip, free_port, run, wait_for

CACHE = os.environ.get("DEPLOY_TOOLS", os.path.expanduser("~/.cache/gnomon-deploy-tools/bin"))
CHART = ROOT + "/deploy/helm/gnomon"
OVERLAYS = ["base"] + sorted("overlays/" + d for d in os.listdir(ROOT + "/deploy/kubernetes/overlays"))
VALUES = [None] + sorted(glob.glob(CHART + "/ci/*.yaml"))


def tool(name):
    path = os.environ.get(name.upper().replace("-", "_")) or shutil.which(name, path=CACHE + os.pathsep + os.environ["PATH"])
    if not path:
        raise Skip(f"{name} is not here: scripts/deploy_tools.sh kubernetes builds it")
    return path


class Cluster:
    """An etcd and a kube-apiserver of this test on loopback; with-able."""

    def __enter__(self):
        apiserver, etcd = tool("kube-apiserver"), tool("etcd")
        self.dir, self.token, self.port = tempfile.mkdtemp(prefix="gnomon-kubernetes-"), secrets.token_hex(16), free_port()
        client, peer = free_port(), free_port()
        with open(self.dir + "/tokens.csv", "w") as f:
            f.write(f"{self.token},admin,1,system:masters\n")
        subprocess.run(["openssl", "genrsa", "-out", self.dir + "/accounts.key", "2048"], check=True, capture_output=True)
        self.etcd = Process([etcd, f"--data-dir={self.dir}/etcd", f"--listen-client-urls=http://127.0.0.1:{client}", f"--advertise-client-urls=http://127.0.0.1:{client}",
                             f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                             f"--initial-cluster=default=http://127.0.0.1:{peer}", "--log-level=error"], self.dir + "/etcd.log")
        self.apiserver = Process([apiserver, f"--etcd-servers=http://127.0.0.1:{client}", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
                                  f"--cert-dir={self.dir}/certs", f"--token-auth-file={self.dir}/tokens.csv", "--authorization-mode=RBAC",
                                  "--service-account-issuer=https://gnomon.test", f"--service-account-signing-key-file={self.dir}/accounts.key",
                                  f"--service-account-key-file={self.dir}/accounts.key", "--service-cluster-ip-range=10.96.0.0/16"], self.dir + "/apiserver.log")
        wait_for("kube-apiserver", self.ready, timeout=300, every=1)
        self.version = re.search(r'"gitVersion": "([^"]*)"', self.get("/version")).group(1)
        return self

    def __exit__(self, *_):
        self.apiserver.kill(timeout=60)
        self.etcd.kill(timeout=60)
        shutil.rmtree(self.dir, ignore_errors=True)

    def get(self, path, data=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        asked = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", data, {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
        with urllib.request.urlopen(asked, context=context, timeout=30) as answer:
            return answer.read().decode()

    def ready(self):
        assert self.apiserver.p.poll() is None and self.etcd.p.poll() is None, self.apiserver.tail() + self.etcd.tail()
        with contextlib.suppress(OSError, urllib.error.URLError):
            return self.get("/readyz") == "ok"
        return False

    def namespace(self, name):
        """One that takes restricted pods only."""
        with contextlib.suppress(urllib.error.HTTPError):
            self.get("/api/v1/namespaces", b'{"metadata":{"name":"%s","labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}' % name.encode())

    def apply(self, manifests, namespace, *once):
        env = {**os.environ, "KUBE_SERVER": f"https://127.0.0.1:{self.port}", "KUBE_TOKEN": self.token, "KUBE_NAMESPACE": namespace}
        return subprocess.run([tool("deploycheck"), "apply", *once], input=manifests, capture_output=True, text=True, env=env, timeout=300)


def printed(*args):
    p = subprocess.run(args, capture_output=True, text=True, timeout=300)
    assert p.returncode == 0, p.stderr
    return p.stdout


def manifests():
    """(name, text) of everything that users apply."""
    for dir in OVERLAYS:
        yield "kustomize " + dir, printed(tool("kustomize"), "build", f"{ROOT}/deploy/kubernetes/{dir}")
    for i, values in enumerate(VALUES):
        name = os.path.basename(values or "defaults")
        yield "helm " + name, printed(tool("helm"), "template", "test", CHART, "--namespace", f"helm-{i}", "--kube-version", "1.34.0", *(["--values", values] if values else []))


def fits(text, namespace):
    """Objects that name a namespace of their own go there; the test makes it."""
    return {namespace, *re.findall(r"^  namespace: (\S+)$", text, re.M)}


def test_a_kube_apiserver_takes_everything_and_nothing_changes_when_it_is_applied_again():
    texts = list(manifests())
    if not os.path.isdir(CACHE + "/crds"):
        raise Skip("no CRDs: scripts/deploy_tools.sh kubernetes fetches them")
    with Cluster() as cluster:
        for file in sorted(glob.glob(CACHE + "/crds/*.yaml")):
            with open(file) as f:
                p = cluster.apply(f.read(), "default", "once")
            assert p.returncode == 0, (file, p.stderr)
        wait_for("the kinds of prometheus-operator", lambda: "PrometheusRule" in served(cluster), timeout=120)
        print(f"kube-apiserver {cluster.version}")
        cluster.get("/apis/scheduling.k8s.io/v1/priorityclasses", b'{"metadata":{"name":"high"},"value":1}')  # of all-values.yaml
        for i, (name, text) in enumerate(texts):
            namespace = f"test-{i}"
            for n in fits(text, namespace):
                cluster.namespace(n)
            p = cluster.apply(text, namespace)
            assert p.returncode == 0, f"{name}: {p.stderr}"
            print(f"{name}: {p.stdout.strip()}")
        mistakes(cluster, texts)


def served(cluster):
    with contextlib.suppress(OSError):
        return cluster.get("/apis/monitoring.coreos.com/v1")
    return ""


def mistakes(cluster, texts):
    """What is wrong is refused by the server itself."""
    good = dict(texts)["kustomize base"]
    rules = dict(texts)["kustomize overlays/prometheus-operator"]
    cluster.namespace("wrong")
    for what, text, change, complaint in [
            ("a misspelt field", good, ("readOnly: true", "readonly: true"), "field not declared in schema"),
            ("a pod that may be root", good, ("runAsNonRoot: true", "runAsNonRoot: false"), "would violate PodSecurity"),
            ("a port that there is not", good, ("containerPort: 8428", "containerPort: 99999"), "must be between 1 and 65535"),
            ("a storage size", good, ("storage: ", "storage: x"), "quantit"),
            ("a rule without an expression", rules, ("- alert:", "- alarm:"), "")]:
        assert change[0] in text, change
        for n in fits(text, "wrong"):
            cluster.namespace(n)
        p = cluster.apply(text.replace(*change), "wrong")
        assert p.returncode == 1 and complaint in p.stderr, (what, p.stdout, p.stderr)
        print(f"refused: {what}: {p.stderr.strip()[:160]}")


run(globals())
