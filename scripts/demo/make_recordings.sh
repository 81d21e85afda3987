#!/usr/bin/env bash
# Makes the recordings of the demo: simulated neurons of known layers, shown the bundled images. Run from anywhere; needs `make build`.
set -euo pipefail
cd "$(dirname "$0")/../.."
ventral=${VENTRAL:-target/release/ventral}

record() { # region file model layer seed
  "$ventral" simulate --model "examples/demo/models/$3" --layer "$4" --stimuli examples/demo/stimulus_demo.csv \
    --identifier "demo.$2" --region "$1" --neurons 80 --repeats 6 --units 64 --reliability 0.8 --seed "$5" \
    --output "examples/demo/assy_demo_$2.nc"
}

record V1 v1 gabor_v1 normalised 11
record V4 v4_public convnet_trained block4 12
record V4 v4 convnet_trained block4 13
record IT it convnet_trained block5 14
