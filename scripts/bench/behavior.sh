#!/usr/bin/env bash
# The decoder of I2n, ours from the Gram matrix and scikit-learn's in the features, on the same data; prints a table with ratios.
#
#   scripts/bench/behavior.sh
#
# BENCH_DIR (default target/bench) takes the virtual environment and 240 MB of data, which is deleted.
set -euo pipefail
cd "$(dirname "$0")/../.."
directory=${BENCH_DIR:-target/bench}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
python=$directory/venv/bin/python
if [ ! -x "$python" ]; then
    python3 -m venv "$directory/venv"
    "$python" -m pip install --quiet -r scripts/bench/requirements.txt
fi
data=$directory/behavior
trap 'rm -rf "$data"' EXIT
cargo bench --quiet -p ventral-metrics --bench behavior -- "$data" > "$directory/behavior.jsonl"
"$python" scripts/bench/behavior.py "$data" "$directory/behavior.jsonl"
