#!/usr/bin/env python3
"""Checks what `cargo metadata` says of the workspace: arrows between crates, and licences of dependencies.

Arrows: a crate may depend only on crates of lower layers. Licences: every dependency offers a permissive one.
"""

import json
import re
import subprocess
import sys

LAYERS = {
    "input": 0, "metrics": 0, "searchlight": 0, "synthesis": 0, "testkit": 0,
    "data": 1, "models": 1, "plan": 1,
    "store": 2, "queue": 2, "proto": 2, "bundle": 2,
    "worker": 3, "aggregator": 3, "coordinator": 3, "client": 3,
    "cli": 4, "tests": 5, "hostile": 6,
}
LICENCES = {
    "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib",
    "Unicode-3.0", "BSL-1.0", "IJG", "CC0-1.0", "0BSD", "Unlicense", "CDLA-Permissive-2.0",
}
ONE_VERSION = {"ndarray", "faer", "prost", "safetensors"}
PREFIX = "ventral-"


def permissive(expression):
    """An SPDX expression without parentheses nesting: one permissive alternative, all of its parts permissive."""
    flat = re.sub(r"[()]", " ", expression).replace("/", " OR ")
    alternatives = re.split(r"\s+OR\s+", flat.strip())
    if " AND " in flat and " OR " in flat:  # (A OR B) AND C: every AND part needs an alternative
        parts = re.split(r"\s+AND\s+", expression)
        return all(permissive(part) for part in parts)
    return any(all(p.strip() in LICENCES for p in re.split(r"\s+AND\s+", a)) for a in alternatives)


def main():
    text = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"], check=True, capture_output=True, text=True
    ).stdout
    metadata = json.loads(text)
    packages = {package["id"]: package for package in metadata["packages"]}
    problems = []
    for member in metadata["workspace_members"]:
        package = packages[member]
        name = package["name"].removeprefix(PREFIX)
        if name not in LAYERS:
            problems.append(f"crate '{name}' has no layer: add it to LAYERS and to ARCHITECTURE.md")
            continue
        for dependency in package["dependencies"]:
            other = dependency["name"].removeprefix(PREFIX)
            if dependency["name"].startswith(PREFIX) and dependency["kind"] != "dev":
                if LAYERS.get(other, 99) >= LAYERS[name]:
                    problems.append(f"arrow points up: {name} (layer {LAYERS[name]}) -> {other}")
    versions = {}
    for package in metadata["packages"]:
        versions.setdefault(package["name"], set()).add(package["version"])
        if package["source"] is None:
            continue
        if not permissive(package["license"] or "none stated"):
            problems.append(f"licence of {package['name']} {package['version']}: {package['license']}")
    for name in sorted(ONE_VERSION):
        if len(versions.get(name, ())) > 1:
            problems.append(f"more than one version of {name}: {', '.join(sorted(versions[name]))}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"arrows of {len(metadata['workspace_members'])} crates and licences of {len(packages)} packages: ok")


if __name__ == "__main__":
    main()
