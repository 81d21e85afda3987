#!/usr/bin/env bash
# Seconds per step of image synthesis, ours and PyTorch's, on GoogLeNet with 12 layers and 16 images, both on two threads; prints the ratio.
#
#   VENTRAL_DATA=... scripts/bench/synthesis.sh [STEPS]
#
# STEPS (default 20) are timed of each, in turns of five. BENCH_DIR (default target/bench) takes the virtual environment (6 GB, PyTorch).
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${VENTRAL_DATA:?set VENTRAL_DATA to the directory of real data}"
directory=${BENCH_DIR:-target/bench}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
python=$directory/synthesis-venv/bin/python
if [ ! -x "$python" ]; then
    python3 -m venv "$directory/synthesis-venv"
    "$python" -m pip install --quiet -r scripts/bench/synthesis-requirements.txt
fi
cargo bench --quiet -p ventral-worker --bench synthesis --no-run
VENTRAL_DATA=$(cd "$VENTRAL_DATA" && pwd)
export VENTRAL_DATA
exec "$python" scripts/bench/synthesis.py "$VENTRAL_DATA" "${1:-20}"
