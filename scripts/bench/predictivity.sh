#!/usr/bin/env bash
# Neural predictivity, ours and the reference pipeline on the same data; prints a table with ratios.
#
#   scripts/bench/predictivity.sh [--all-splits] [--largest]
#
# --all-splits  runs the reference on all 10 splits at 25,088 features too (about a quarter of an hour of processor time)
# --largest     runs one split of the reference at 100,352 features (8 GB of memory, about ten minutes)
# BENCH_DIR (default target/bench) takes the virtual environment and up to 1 GB of features; features are deleted.
set -euo pipefail
cd "$(dirname "$0")/../.."

all_splits=1 largest=no
for option in "$@"; do
    case $option in
        --all-splits) all_splits=10 ;;
        --largest) largest=yes ;;
        *) sed -n '2,8p' "$0" >&2; exit 2 ;;
    esac
done

directory=${BENCH_DIR:-target/bench}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
python=$directory/venv/bin/python
if [ ! -x "$python" ]; then
    python3 -m venv "$directory/venv"
    "$python" -m pip install --quiet -r scripts/bench/requirements.txt
fi

cargo bench --quiet -p ventral-metrics --bench predictivity --no-run
runs=$directory/predictivity.jsonl
data=$directory/features
trap 'rm -rf "$data"' EXIT
: > "$runs"

ours() { cargo bench --quiet -p ventral-metrics --bench predictivity -- "$@" >> "$runs"; }
compare() { # features, splits of the reference
    echo "$1 features: ours in f32 and f64, then $2 of 10 splits of the reference" >&2
    ours --features "$1" --precision f32 --write "$data"
    ours --features "$1" --precision f64 --write "$data"
    "$python" scripts/bench/predictivity.py reference "$data" "$2" >> "$runs"
    rm -rf "$data"
}

compare 1000 10
compare 4096 10
compare 25088 "$all_splits"
if [ "$largest" = yes ]; then
    compare 100352 1
else
    echo "100352 features, made tile by tile" >&2
    ours --features 100352 --precision f32
    ours --features 100352 --precision f64
fi
"$python" scripts/bench/predictivity.py table "$runs"
