#!/usr/bin/env bash
# Renders the Kubernetes manifests and checks them, offline but for the validator, which comes from PyPI once.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v kubectl >/dev/null; then
  echo "SKIPPED: the Kubernetes manifests: no kubectl (its 'kustomize' renders them)"
  exit 0
fi

venv=.venv/kube
if ! cmp -s deploy/kustomize/requirements.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement deploy/kustomize/requirements.txt
  cp deploy/kustomize/requirements.txt "$venv/requirements.txt"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A component has no rendering of its own: a composition with the base shows it.
cp -r deploy/kustomize "$work/kustomize"
mkdir "$work/kustomize/overlays/base-tls"
cat > "$work/kustomize/overlays/base-tls/kustomization.yaml" <<'YAML'
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../base
components:
  - ../../components/tls
YAML

renderings=()
for folder in "$work"/kustomize/base "$work"/kustomize/overlays/*; do
  name=$(basename "$folder")
  kubectl kustomize "$folder" > "$work/$name.yaml"
  renderings+=("$name" "$work/$name.yaml")
done
"$venv/bin/python" scripts/kube_lint.py "${renderings[@]}"
