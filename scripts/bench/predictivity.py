"""The reference pipeline on the data of the `predictivity` benchmark, and the table that compares the two.

    predictivity.py reference DIR SPLITS    fits SPLITS of the splits in DIR; one line of JSON
    predictivity.py table RUNS              RUNS holds the lines of our runs and of the reference's

The reference is what Brain-Score does: scikit-learn's PLSRegression(25, scale=False) on 64-bit features, Pearson
correlation per neuroid, median over neuroids, mean over splits; with as many threads as BLAS takes.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np


def blas_rate(size=2560, width=2048):
    z = np.random.RandomState(0).standard_normal((size, width))
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        z @ z.T
        seconds.append(time.perf_counter() - start)
    return 2 * size * size * width / min(seconds) / 1e9


def reference(directory, count):
    from scipy.stats import pearsonr
    from sklearn.cross_decomposition import PLSRegression

    warnings.simplefilter("ignore")
    directory = Path(directory)
    x = np.load(directory / "features.npy")
    y = np.load(directory / "responses.npy")
    splits = json.loads((directory / "splits.json").read_text())
    medians = []
    start, cpu = time.perf_counter(), time.process_time()
    for split in splits[:count]:
        train, test = split["train"], split["test"]
        model = PLSRegression(n_components=25, scale=False)
        model.fit(x[train].astype(np.float64), y[train])
        predicted = model.predict(x[test].astype(np.float64))
        r = [pearsonr(predicted[:, k], y[test, k]).statistic for k in range(y.shape[1])]
        medians.append(float(np.nanmedian(r)))
    return {
        "reference": True,
        "features": x.shape[1],
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "splits": len(medians),
        "of": len(splits),
        "per_split": medians,
        "blas_gflops": blas_rate(),
    }


def table(path):
    runs = [json.loads(line) for line in Path(path).read_text().splitlines() if line.startswith("{")]
    theirs = {run["features"]: run for run in runs if run.get("reference")}
    print("Neural predictivity: 2,560 stimuli x 168 neuroids, PLS with 25 components, 10 stratified splits;")
    print(f"{runs[0]['threads']} threads. Times from features to score, without making the features.")
    header = ["features", "products", "ours s", "reference s", "ratio", "largest split difference",
              "Gram s", "Gram GFLOP/s", "GEMM GFLOP/s", "Gram / GEMM", "peak MB"]  # fmt: skip
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    notes = set()
    for run in runs:
        if run.get("reference"):
            continue
        other = theirs.get(run["features"])
        seconds = ratio = difference = "not run"
        if other:
            whole = other["seconds"] * other["of"] / other["splits"]
            mark = "" if other["splits"] == other["of"] else " *"
            if mark:
                notes.add(f"* {other['splits']} of {other['of']} splits, times {other['of'] / other['splits']:g}")
            seconds, ratio = f"{whole:.1f}{mark}", f"{whole / run['total_seconds']:.0f} x{mark}"
            pairs = zip(run["score"]["per_split"], other["per_split"])
            difference = f"{max(abs(a - b) for a, b in pairs):.1e}"
        held = 2560 * run["features"] * 4 if run["features_held"] else 0
        row = [f"{run['features']:,}", run["precision"], f"{run['total_seconds']:.2f}", seconds, ratio, difference,
               f"{run['gram_seconds']:.2f}", f"{run['gram_gflops']:.0f}", f"{run['gemm_gflops']:.0f}",
               f"{run['gram_gflops'] / run['gemm_gflops']:.0%}", f"{(run['peak_bytes'] - held) / 1e6:.0f}"]  # fmt: skip
        print("| " + " | ".join(row) + " |")
    print("Gram counts n² p operations, GEMM 2 n² p. Peak memory is that of the process without the features it was given.")
    if theirs:
        print(f"GEMM of the reference's BLAS, 64 bit: {max(run['blas_gflops'] for run in theirs.values()):.0f} GFLOP/s.")
    print("\n".join(sorted(notes)))


def main():
    match sys.argv[1:]:
        case ["reference", directory, count]:
            print(json.dumps(reference(directory, int(count))))
        case ["table", path]:
            table(path)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
