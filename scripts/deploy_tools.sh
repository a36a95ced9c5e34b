#!/bin/sh
# deploy_tools.sh - builds kustomize, helm and deploycheck from their Go modules for tests/e2e/test_deploy.py.
#
# usage: deploy_tools.sh [kubernetes]        with kubernetes: kube-apiserver, etcd and CRDs for `make e2e-kubernetes`, too
# Into ~/.cache/gnomon-deploy-tools/bin (DEPLOY_TOOLS=DIR), with a module cache of its own beside it: about 1 GB and a
# few minutes the first time; kube-apiserver takes 3 GB and a quarter of an hour on two cores.  Needs Go 1.24 or later.
set -eu
cd "$(dirname "$0")/.."
bin=${DEPLOY_TOOLS:-$HOME/.cache/gnomon-deploy-tools/bin}
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)
export GOBIN="$bin" GOMODCACHE="${DEPLOY_TOOLS_MODULES:-$(dirname "$bin")/modules}" GOFLAGS=-modcacherw

kubernetes=1.34.4
etcd=3.6.6
operator=0.84.0      # as in tests/e2e/deploycheck/go.mod

scratch() { # scratch NAME: an empty module to build from
    mkdir -p "$bin/../module-$1"; cd "$bin/../module-$1"
    [ -f go.mod ] || go mod init tools >/dev/null 2>&1
}

# Its staging modules are published with versions of their own, which its go.mod leaves to replacements.
build_apiserver() {
    [ ! -x "$bin/kube-apiserver" ] || return 0
    scratch kubernetes
    mod=$(go mod download -json k8s.io/kubernetes@v$kubernetes | sed -n 's/.*"GoMod": "\(.*\)",*/\1/p')
    for staging in $(sed -n 's/^\t\(k8s.io\/[a-z-]*\) v0.0.0.*/\1/p' "$mod"); do
        go mod edit -replace "$staging=$staging@v0.${kubernetes#1.}"
    done
    go get k8s.io/kubernetes/cmd/kube-apiserver@v$kubernetes
    go build -mod=mod -ldflags "-X k8s.io/component-base/version.gitVersion=v$kubernetes" -o "$bin/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
}

build_etcd() {
    [ ! -x "$bin/etcd" ] || return 0
    scratch etcd
    go get go.etcd.io/etcd/server/v3@v$etcd
    go build -mod=mod -o "$bin/etcd" go.etcd.io/etcd/server/v3
}

copy_crds() {
    [ ! -d "$bin/crds" ] || return 0
    scratch crds
    dir=$(go mod download -json github.com/prometheus-operator/prometheus-operator@v$operator | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
    mkdir -p "$bin/crds.new"
    cp "$dir"/example/prometheus-operator-crd/*.yaml "$bin/crds.new/"
    mv "$bin/crds.new" "$bin/crds"
}

[ -x "$bin/kustomize" ] || go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
[ -x "$bin/helm" ] || go install helm.sh/helm/v3/cmd/helm@v3.22.0
(cd tests/e2e/deploycheck && go vet . && go build -o "$bin/deploycheck" .)
case ${1-} in
kubernetes) (build_apiserver); (build_etcd); (copy_crds) ;;
"") ;;
*) echo "deploy_tools.sh: unknown argument $1 (kubernetes)" >&2; exit 2 ;;
esac
ls "$bin"
