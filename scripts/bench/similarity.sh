#!/usr/bin/env bash
# CKA, RDM, RidgeCV and internal consistency, ours and the reference's formulas on the same data; prints a table with ratios.
#
#   scripts/bench/similarity.sh [RIDGE_SPLITS]
#
# RIDGE_SPLITS of the 10 splits are fitted with scikit-learn (default 1: a minute and a half of processor time each).
# BENCH_DIR (default target/bench) takes the virtual environment and 120 MB of data, which is deleted.
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
data=$directory/similarity
trap 'rm -rf "$data"' EXIT
cargo bench --quiet -p ventral-metrics --bench similarity -- "$data" > "$directory/similarity.jsonl"
"$python" scripts/bench/similarity.py "$data" "$directory/similarity.jsonl" "${1:-1}"
