#!/bin/sh
# deploy_tools.sh - builds kustomize, helm and deploycheck from their Go modules for tests/e2e/test_deploy.py.
#
# Into ~/.cache/gnomon-deploy-tools/bin (DEPLOY_TOOLS=DIR), with a module cache of its own beside it: about 1 GB and a
# few minutes the first time.  Needs Go 1.24 or later.
set -eu
cd "$(dirname "$0")/.."
bin=${DEPLOY_TOOLS:-$HOME/.cache/gnomon-deploy-tools/bin}
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)
export GOBIN="$bin" GOMODCACHE="${DEPLOY_TOOLS_MODULES:-$(dirname "$bin")/modules}" GOFLAGS=-modcacherw

[ -x "$bin/kustomize" ] || go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
[ -x "$bin/helm" ] || go install helm.sh/helm/v3/cmd/helm@v3.22.0
(cd tests/e2e/deploycheck && go vet . && go build -o "$bin/deploycheck" .)
ls "$bin"
