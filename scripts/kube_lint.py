#!/usr/bin/env python3
"""Checks rendered Kubernetes manifests: their schemas, unknown fields refused, and what schemas cannot say.

Usage: kube_lint.py NAME FILE ... (pairs of the name to print and a rendered file)
"""

import json
import pathlib
import re
import sys

import jsonschema
import kubernetes_validate
import yaml

# The oldest version whose schema knows all that is used here (the sleep hook), and the newest one known.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
SCHEMAS = pathlib.Path(__file__).parent.parent / "deploy" / "schemas"
# Made by deploy/secrets.sh, or by the user where optional.
SECRETS = {"ventral-redis", "ventral-redis-users", "ventral-tokens", "ventral-tls", "ventral-store"}
YIELD_SECONDS = 10


def schema_problems(doc):
    """Problems that the schema of the document's kind finds; every version is tried."""
    group, _, version = doc["apiVersion"].rpartition("/")
    own = SCHEMAS / f"{doc['kind'].lower()}-{group.split('.')[0]}-{version}.json"
    if own.exists():
        found = jsonschema.Draft202012Validator(json.loads(own.read_text())).iter_errors(doc)
        yield from (f"{error.json_path}: {error.message}" for error in found)
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(doc, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{'.'.join(map(str, error.path))}: {error.message} (Kubernetes {version})"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield error.message


def name(doc):
    return f"{doc['kind']}/{doc['metadata']['name']}"


def of_kind(docs, kind):
    return [doc for doc in docs if doc["kind"] == kind]


def selects(selector, labels):
    """Whether a label selector covers these labels."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    return all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


def pod_labels(docs):
    return [doc["spec"]["template"]["metadata"]["labels"] for doc in of_kind(docs, "Deployment")]


def selector_problems(docs):
    """Services, budgets and policies that cover no pod."""
    for doc in docs:
        selector = {
            "Service": lambda: {"matchLabels": doc["spec"]["selector"]},
            "PodDisruptionBudget": lambda: doc["spec"]["selector"],
            "NetworkPolicy": lambda: doc["spec"]["podSelector"],
        }.get(doc["kind"])
        if selector and not any(selects(selector(), labels) for labels in pod_labels(docs)):
            yield f"{name(doc)} selects no pod"
    budgets = [doc["spec"]["selector"] for doc in of_kind(docs, "PodDisruptionBudget")]
    for doc in of_kind(docs, "Deployment"):
        labels = doc["spec"]["template"]["metadata"]["labels"]
        if not any(selects(budget, labels) for budget in budgets):
            yield f"{name(doc)} has no PodDisruptionBudget"


def reference_problems(docs, deployment):
    """ConfigMaps, secrets, claims and ports that are named and not there."""
    names = {kind: {d["metadata"]["name"] for d in of_kind(docs, kind)} for kind in ("ConfigMap", "PersistentVolumeClaim")}
    names["Secret"] = SECRETS
    pod = deployment["spec"]["template"]["spec"]
    wanted = []
    for volume in pod.get("volumes", []):
        wanted.append(("ConfigMap", volume.get("configMap", {}).get("name")))
        wanted.append(("Secret", volume.get("secret", {}).get("secretName")))
        wanted.append(("PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName")))
    for container in pod["containers"]:
        for source in container.get("envFrom", []):
            wanted.append(("ConfigMap", source.get("configMapRef", {}).get("name")))
            wanted.append(("Secret", source.get("secretRef", {}).get("name")))
        for variable in container.get("env", []):
            wanted.append(("Secret", variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name")))
        mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
        for lost in sorted(mounts ^ {volume["name"] for volume in pod.get("volumes", [])}):
            yield f"volume {lost} is mounted or declared, not both"
    for kind, wish in wanted:
        if wish is not None and wish not in names[kind]:
            yield f"{kind} {wish} is not there"


def container_problems(container):
    """House rules of a container."""
    security = container.get("securityContext", {})
    for field, value in (("allowPrivilegeEscalation", False), ("readOnlyRootFilesystem", True)):
        if security.get(field) is not value:
            yield f"securityContext.{field} is not {value}"
    if security.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "not all capabilities are dropped"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe not in container:
            yield f"no {probe}"
    resources = container.get("resources", {})
    for kind, field in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if field not in resources.get(kind, {}):
            yield f"no resources.{kind}.{field}"
    if not re.search(r":[^:/]+$", container["image"]) or container["image"].endswith(":latest"):
        yield f"image {container['image']} has no fixed tag"


def argument_problems(pod, arguments):
    """Arguments that contradict the manifest or one another."""
    for argument in arguments:
        drain = re.fullmatch(r"--drain-seconds=(\d+)", argument)
        grace = pod["terminationGracePeriodSeconds"]
        if drain and grace < int(drain[1]) + YIELD_SECONDS:
            yield f"is killed {grace} s after SIGTERM, but may drain for {drain[1]} s and then gives units back"
    if "coordinator" in arguments:
        secure = [argument.startswith(("--tls-cert=", "--tls-key=")) for argument in arguments].count(True)
        if (secure, "--insecure" in arguments) not in ((2, False), (0, True)):
            yield "neither TLS with certificate and key nor --insecure"


def deployment_problems(docs, deployment):
    """House rules of a deployment."""
    pod = deployment["spec"]["template"]["spec"]
    if pod.get("automountServiceAccountToken") is not False:
        yield "a service account token is mounted"
    if pod.get("securityContext", {}).get("runAsNonRoot") is not True:
        yield "may run as root"
    yield from reference_problems(docs, deployment)
    for container in pod["containers"]:
        yield from container_problems(container)
        yield from argument_problems(pod, container.get("args", []))


def scaled_problems(docs):
    """An autoscaler and a manifest must not both set the replicas."""
    for scaled in of_kind(docs, "ScaledObject"):
        target = [d for d in of_kind(docs, "Deployment") if d["metadata"]["name"] == scaled["spec"]["scaleTargetRef"]["name"]]
        if not target:
            yield f"{name(scaled)} scales nothing"
        if any("replicas" in d["spec"] for d in target):
            yield f"{name(scaled)}: the deployment sets replicas as well"


def problems(docs):
    """All problems of one rendering."""
    for doc in docs:
        yield from (f"{name(doc)}: {problem}" for problem in schema_problems(doc))
    yield from selector_problems(docs)
    for deployment in of_kind(docs, "Deployment"):
        yield from (f"{name(deployment)}: {problem}" for problem in deployment_problems(docs, deployment))
    yield from scaled_problems(docs)


def main():
    bad = 0
    arguments = sys.argv[1:]
    for title, path in zip(arguments[::2], arguments[1::2]):
        docs = [doc for doc in yaml.safe_load_all(pathlib.Path(path).read_text()) if doc]
        found = list(problems(docs))
        for problem in found:
            print(f"{title}: {problem}", file=sys.stderr)
        bad += len(found)
        print(f"{title}: {len(docs)} documents, {'ok' if not found else f'{len(found)} problems'}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
