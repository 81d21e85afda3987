#!/usr/bin/env python3
"""Turns rendered manifests into one file per role that `podman kube play` can start.

Usage: kube_podman.py RENDERED SECRETS FOLDER ROLE=ADDRESS ...

What podman 4.3 lacks is replaced: names of services by host aliases, secrets by files and values (it reads their keys wrongly), volumes
by folders (it shares an emptyDir between pods of one name), replicas by one, probes by nothing. Everything else stays as it is.
"""

import os
import pathlib
import sys

import yaml

# Ports: podman publishes every port of every pod on this machine, where they collide; pods are reached by their addresses.
DROPPED = ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports")
SMOKE_LIMITS = {"cpu": "1", "memory": "3Gi"}


def folder_of(volume, secrets, folder, role, user):
    """The folder on this machine that stands for a volume, owned by the pod's user."""
    if "secret" in volume:
        return secrets / volume["secret"]["secretName"]
    claim = volume.get("persistentVolumeClaim", {}).get("claimName")
    path = folder / (f"claim-{claim}" if claim else f"{role}-{volume['name']}")
    path.mkdir(exist_ok=True)
    os.chown(path, user, user)
    path.chmod(0o777)
    return path


def for_podman(deployment, secrets, folder, aliases):
    """The same deployment, as podman can start it."""
    role = deployment["metadata"]["name"]
    deployment["spec"]["replicas"] = 1
    pod = deployment["spec"]["template"]["spec"]
    pod["hostAliases"] = [{"ip": address, "hostnames": [name]} for name, address in aliases.items()]
    user = pod["securityContext"]["runAsUser"]
    for volume in pod["volumes"]:
        if "configMap" not in volume:
            path = folder_of(volume, secrets, folder, role, user)
            volume.update({"hostPath": {"path": str(path), "type": "Directory"}})
            for kind in ("secret", "persistentVolumeClaim", "emptyDir"):
                volume.pop(kind, None)
    for container in pod["containers"]:
        for field in DROPPED:
            container.pop(field, None)
        for variable in container.get("env", []):
            secret = variable.get("valueFrom", {}).get("secretKeyRef")
            if secret:
                variable.pop("valueFrom")
                variable["value"] = (secrets / secret["name"] / secret["key"]).read_text().strip()
        container["resources"] = {"limits": SMOKE_LIMITS}
    return deployment


def main():
    rendered, secrets, folder = map(pathlib.Path, sys.argv[1:4])
    aliases = dict(pair.split("=") for pair in sys.argv[4:])
    docs = [doc for doc in yaml.safe_load_all(rendered.read_text()) if doc]
    maps = [doc for doc in docs if doc["kind"] == "ConfigMap"]
    for deployment in (doc for doc in docs if doc["kind"] == "Deployment"):
        role = deployment["metadata"]["name"]
        parts = [*maps, for_podman(deployment, secrets, folder, aliases)]
        for part in parts:
            part["metadata"].pop("namespace", None)
        (folder / f"{role}.yaml").write_text(yaml.safe_dump_all(parts))


if __name__ == "__main__":
    main()
