#!/usr/bin/env bash
# Every benchmark that compares ours with a Python peer on the same work; each prints its ratios.
set -euo pipefail
cd "$(dirname "$0")"
./predictivity.sh
./similarity.sh
./behavior.sh
if [ -n "${VENTRAL_DATA:-}" ]; then
  ./models.sh
  ./synthesis.sh
else
  echo "SKIPPED: model execution and synthesis: VENTRAL_DATA is not set" >&2
fi
