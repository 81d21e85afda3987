#!/usr/bin/env bash
# Builds the container image. Usage: scripts/image.sh [TAG], default localhost/ventral:VERSION
# PROFILE=dev takes the development build; BUILDER=docker another builder.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"
profile=${PROFILE:-release}
builder=${BUILDER:-podman}
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
tag=${1:-localhost/ventral:$version}

certificates=/etc/ssl/certs/ca-certificates.crt
[ -e "$certificates" ] || { echo "no $certificates: install the package ca-certificates" >&2; exit 1; }

# The C library goes in at the last link only, so the dependencies are those of any other build. The result gets a folder
# of its own: a program that a later 'cargo build' finds in the usual place is the usual one.
${CARGO:-cargo} rustc --locked --profile "$profile" --package ventral-cli --bin ventral -- -C target-feature=+crt-static
target=${CARGO_TARGET_DIR:-target}
context=$target/image
mkdir -p "$context"
cp "$target/$([ "$profile" = dev ] && echo debug || echo "$profile")/ventral" "$context/ventral"
if ldd "$context/ventral" >/dev/null 2>&1 && ! ldd "$context/ventral" 2>&1 | grep -q "statically linked"; then
  echo "$context/ventral is not static: it would not start in an empty image" >&2
  exit 1
fi
strip "$context/ventral"
cp "$certificates" "$context/ca-certificates.crt"
"$builder" build --quiet --tag "$tag" --file deploy/Containerfile "$context"
echo "$tag: $(du -m "$context/ventral" | cut -f1) MB"
