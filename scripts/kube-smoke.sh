#!/usr/bin/env bash
# One pod of each role, started by podman from the rendered manifests of overlays/lab; the demo submitted from outside; the worker's pod
# and Redis killed on the way; the scores compared with those of 'ventral run'. Needs root, podman, kubectl and redis-server; says so where it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

skip() {
  echo "SKIPPED: pods with podman: $1"
  exit 0
}
[ "$(id -u)" -eq 0 ] || skip "needs root"
packages="podman runc containernetworking-plugins iptables catatonit redis-server"
for program in podman runc redis-server; do
  command -v "$program" >/dev/null || skip "no $program (apt-get install --no-install-recommends $packages)"
done
command -v kubectl >/dev/null || skip "no kubectl"

work=$(mktemp -d)
network=ventral-smoke-$$
subnet=10.89.$((RANDOM % 200 + 20))
roles=(redis coordinator aggregator worker)
clean() {
  status=$?
  for role in "${roles[@]}"; do
    if [ "$status" -ne 0 ] && podman container exists "$role-pod-0-$role" 2>/dev/null; then
      echo "== the end of the log of $role" >&2
      podman logs --tail 20 "$role-pod-0-$role" >&2 || true
    fi
    podman pod rm --force --time 1 "$role-pod-0" >/dev/null 2>&1 || true
  done
  for map in $(sed -n 's/^  name: \(\(redis\|ventral\)-[a-z0-9]*\)$/\1/p' "$work/all.yaml" 2>/dev/null); do
    podman volume rm --force "$map" >/dev/null 2>&1 || true
  done
  podman network rm --force "$network" >/dev/null 2>&1 || true
  podman rmi --force "localhost/$network:redis" >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap clean EXIT

# Limits that a machine without CAP_SYS_RESOURCE allows, and a runtime that takes any layout of control groups.
cat > "$work/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
CONF
export CONTAINERS_CONF=$work/containers.conf

scripts/image.sh localhost/ventral:smoke
ventral=${CARGO_TARGET_DIR:-target}/image/ventral
podman run --rm --network none localhost/ventral:smoke --version 2> "$work/error" ||
  skip "podman cannot run a container here: $(tail -n 1 "$work/error")"

# Redis out of this machine's own server: its image may be out of reach.
root=$work/redis/root
mkdir -p "$root/usr/local/bin"
cp "$(command -v redis-server)" "$root/usr/local/bin/valkey-server"
for library in $(ldd "$(command -v redis-server)" | grep -o '/[^ ]*'); do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
printf 'FROM scratch\nCOPY root /\nENV PATH=/usr/local/bin\n' > "$work/redis/Containerfile"
podman build --quiet --tag "localhost/$network:redis" "$work/redis" >/dev/null

# The lab's manifests with images of this machine, then what podman lacks.
deploy/secrets.sh "$work/secrets" >/dev/null
chmod -R a+rX "$work"
cp -r deploy/kustomize "$work/kustomize"
mkdir "$work/kustomize/overlays/smoke" "$work/pods"
cat > "$work/kustomize/overlays/smoke/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../lab]
images:
  - {name: registry.example.org/ventral, newName: localhost/ventral, newTag: smoke}
  - {name: docker.io/valkey/valkey, newName: localhost/$network, newTag: redis}
YAML
kubectl kustomize "$work/kustomize/overlays/smoke" > "$work/all.yaml"
scripts/kube-lint.sh
declare -A address=([redis]=$subnet.10 [coordinator]=$subnet.11 [aggregator]=$subnet.12 [worker]=$subnet.13)
.venv/kube/bin/python scripts/kube_podman.py "$work/all.yaml" "$work/secrets" "$work/pods" "redis=${address[redis]}"

wait_for() { # words condition...
  local what=$1
  shift
  for _ in $(seq 600); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "$what: not within a minute" >&2
  exit 1
}
podman network create --subnet "$subnet.0/24" "$network" >/dev/null
for role in "${roles[@]}"; do
  podman kube play --network "$network:ip=${address[$role]}" "$work/pods/$role.yaml" > "$work/$role.out" 2>&1 ||
    { cat "$work/$role.out" >&2; exit 1; }
  if [ "$role" = redis ]; then
    wait_for "redis listens" bash -c "exec 3<>/dev/tcp/${address[redis]}/6379"
  else
    wait_for "$role is ready" curl --silent --fail --max-time 2 "http://${address[$role]}:7071/readyz"
  fi
  echo "ready: $role"
done

export VENTRAL_COORDINATOR=http://${address[coordinator]}:7070
VENTRAL_TOKEN=$(cat "$work/secrets/operator.token")
export VENTRAL_TOKEN
"$ventral" submit examples/demo.toml --follow > "$work/submit.out" 2>&1 &
submit=$!
objects() { find "$work/pods/claim-store/objects" -type f 2>/dev/null | wc -l; }
some_objects() { [ "$(objects)" -ge 5 ]; }
wait_for "five results are stored" some_objects
podman kill --signal KILL worker-pod-0-worker >/dev/null
echo "killed: worker, with $(objects) results stored"
podman start worker-pod-0-worker >/dev/null # as the kubelet does
some_more_objects() { [ "$(objects)" -ge 10 ]; }
wait_for "ten results are stored" some_more_objects
podman kill --signal KILL redis-pod-0-redis >/dev/null
podman start redis-pod-0-redis >/dev/null
wait_for "redis listens again" bash -c "exec 3<>/dev/tcp/${address[redis]}/6379"
if podman logs redis-pod-0-redis 2>&1 | grep -E 'NOPERM|AOF-loading-client'; then
  echo "redis cannot replay its append-only file with the users of deploy/secrets.sh" >&2
  exit 1
fi
echo "killed: redis, with $(objects) results stored; it has its queue again"
if ! wait "$submit"; then
  cat "$work/submit.out" >&2
  exit 1
fi
echo "done: $(objects) results stored"

env -u VENTRAL_COORDINATOR -u VENTRAL_TOKEN "$ventral" run examples/demo.toml --store "$work/reference" > "$work/run.out" 2>&1
diff -r "$work/reference/objects" "$work/pods/claim-store/objects" || { echo "the results differ from those of 'ventral run'" >&2; exit 1; }
podman stop --time 60 worker-pod-0-worker >/dev/null
code=$(podman inspect --format '{{.State.ExitCode}}' worker-pod-0-worker)
[ "$code" = 0 ] || { echo "the worker ended with $code on SIGTERM, not with 0" >&2; exit 1; }
echo "ok: the pods' results are those of 'ventral run', byte by byte; the worker drained on SIGTERM"
