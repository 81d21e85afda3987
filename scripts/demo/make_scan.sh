#!/bin/sh
# Makes the simulated people of the searchlight demo: one picture of each of the 32 objects, all layers of convnet_trained.
# usage: scripts/demo/make_scan.sh VENTRAL
set -eu
ventral=$1
cd "$(dirname "$0")/../../examples/demo"
awk 'NR == 1 || /^[a-z]+_[a-z]+_05,/ || /^[a-z]+_[a-z_]+_05,/' stimulus_demo.csv > stimulus_demo_scan.csv
cp stimulus_demo.zip stimulus_demo_scan.zip
rm -rf scan
"$ventral" simulate-scan --model models/convnet_trained --stimuli stimulus_demo_scan.csv \
  --identifier DemoScan --subjects 6 --sigma 1.9 --snr 6 --seed 1 --output scan
rm stimulus_demo_scan.zip
# The archive of all pictures has them.
sed -i 's|^file = ".*/stimulus_demo_scan.zip"|file = "../stimulus_demo.zip"|' scan/scan.toml
