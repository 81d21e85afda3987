#!/bin/sh
# Images per second of GoogLeNet, all layers of its card read out, by Ventral and by onnxruntime on the same two threads.
#   VENTRAL_DATA=... scripts/bench/models.sh [IMAGES] [REPEATS]
# Makes a Python environment in target/bench-venv. Prints the best repeat of each engine, their ratio, and the largest difference
# between their activations relative to the largest value of the layer.
set -eu
cd "$(dirname "$0")/../.."
: "${VENTRAL_DATA:?set VENTRAL_DATA to the directory of real data}"
images=${1:-64}
repeats=${2:-5}
venv=target/bench-venv
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1 pillow==13.0.0
fi
cargo build --release --quiet -p ventral-models --example forward
exec "$venv/bin/python" scripts/bench/models.py "$VENTRAL_DATA" "$images" "$repeats"
