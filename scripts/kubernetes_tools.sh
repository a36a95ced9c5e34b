#!/bin/sh
# kubernetes_tools.sh - etcd, kube-apiserver and kubectl from their Go modules, and prometheus-operator's CRDs, for
# tests/e2e/kubernetes.py (make e2e-kubernetes).
#
# Into ~/.cache/gnomon-kubernetes (KUBERNETES_TOOLS=DIR); half an hour on two cores and 4 GB the first time.  Go 1.24 or later.
set -eu
dir=${KUBERNETES_TOOLS:-$HOME/.cache/gnomon-kubernetes}
mkdir -p "$dir/bin" "$dir/crds"
dir=$(cd "$dir" && pwd)

kubernetes=1.34.4
etcd=v3.6.4
operator=v0.84.0

if [ ! -x "$dir/bin/kube-apiserver" ] || [ ! -x "$dir/bin/kubectl" ]; then
    mkdir -p "$dir/module-kubernetes"; cd "$dir/module-kubernetes"
    [ -f go.mod ] || go mod init tools >/dev/null 2>&1
    # The parts that Kubernetes keeps in its own tree are modules of their own: v1.X.Y there is v0.X.Y here.
    mod=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)",.*/\1/p')
    for part in $(sed -n 's/.* => \.\/staging\/src\/\(.*\)/\1/p' "$mod"); do
        go mod edit -replace "$part=$part@v0.${kubernetes#1.}"
    done
    go get "k8s.io/kubernetes/cmd/kube-apiserver@v$kubernetes" "k8s.io/kubernetes/cmd/kubectl@v$kubernetes"
    v=k8s.io/component-base/version
    go build -mod=mod -ldflags "-X $v.gitVersion=v$kubernetes -X $v.gitMajor=1 -X $v.gitMinor=34" -o "$dir/bin/" \
        k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
fi
if [ ! -x "$dir/bin/etcd" ]; then
    mkdir -p "$dir/module-etcd"; cd "$dir/module-etcd"
    [ -f go.mod ] || go mod init tools >/dev/null 2>&1
    go get "go.etcd.io/etcd/server/v3@$etcd"
    go build -mod=mod -o "$dir/bin/etcd" go.etcd.io/etcd/server/v3
fi
if [ ! -e "$dir/crds/monitoring.coreos.com_prometheuses.yaml" ]; then
    zip=$(cd "$dir" && go mod download -json "github.com/prometheus-operator/prometheus-operator@$operator" | sed -n 's/.*"Dir": "\(.*\)",.*/\1/p')
    cp "$zip"/example/prometheus-operator-crd/*.yaml "$dir/crds/"
    chmod u+w "$dir"/crds/*
fi
ls "$dir/bin" "$dir/crds"
