#!/usr/bin/env bash
# Whole-brain maps, ours and those of BrainIAK and rsatoolbox on the same data; prints tables with ratios and differences.
#
#   scripts/bench/searchlight.sh [CENTRES]
#
# rsatoolbox computes CENTRES of its centres (default 1000; `all` takes three minutes of processor time) and is scaled up.
# BENCH_DIR (default target/bench) takes the virtual environment and 50 MB of data, which is deleted.
set -euo pipefail
cd "$(dirname "$0")/../.."
directory=${BENCH_DIR:-target/bench}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
python=$directory/searchlight-venv/bin/python
if [ ! -x "$python" ]; then
    python3 -m venv "$directory/searchlight-venv"
    "$python" -m pip install --quiet -r scripts/bench/searchlight-requirements.txt
fi
data=$directory/searchlight
trap 'rm -rf "$data"' EXIT
cargo bench --quiet -p ventral-searchlight --bench searchlight -- "$data" > "$directory/searchlight.jsonl"
# One thread: the unit of comparison is a second of one processor.
OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 "$python" scripts/bench/searchlight.py "$data" "$directory/searchlight.jsonl" "${1:-1000}"
