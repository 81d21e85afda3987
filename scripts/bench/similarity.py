"""The reference's formulas on the data of the `similarity` benchmark, and the table that compares the two.

    similarity.py DIR OURS [RIDGE_SPLITS]    OURS holds the lines of our run; RIDGE_SPLITS (default 1) of 10 splits are fitted

numpy, scipy and scikit-learn with as many threads as BLAS takes: unbiased CKA from K = X Xᵀ, RDMs by corrcoef and spearmanr,
RidgeCV with the reference's 99 penalties, internal consistency with pearsonr per neuroid on halves of the repetitions.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit

ALPHAS = [
    0.01, 0.1, 0.5, 1,
    *np.linspace(1e1, 1e2, 4, endpoint=False),
    *np.linspace(1e2, 1e3, 18, endpoint=False),
    *np.linspace(1e3, 1e4, 18, endpoint=False),
    *np.linspace(1e4, 1e5, 18, endpoint=False),
    *np.linspace(1e5, 1e6, 18, endpoint=False),
    *np.linspace(1e6, 1e7, 19),
]  # fmt: skip


def hsic(k, l):
    n = len(k)
    total = k.sum() * l.sum() / ((n - 1) * (n - 2))
    return (np.sum(k * l) + total - 2 * k.sum(0) @ l.sum(0) / (n - 2)) / (n * (n - 3))


def cka(x, y):
    k, l = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    return hsic(k, l) / (np.sqrt(hsic(k, k) * hsic(l, l)) + 1e-12)


def rdm(x, y):
    pairs = np.triu_indices(len(x), k=1)
    return spearmanr((1 - np.corrcoef(x))[pairs], (1 - np.corrcoef(y))[pairs])[0]


def medians(predicted, recorded):
    return float(np.nanmedian([pearsonr(predicted[:, k], recorded[:, k])[0] for k in range(recorded.shape[1])]))


def ridge_cv(x, y, splits):
    found = []
    for split in splits:
        model = RidgeCV(alphas=ALPHAS).fit(x[split["train"]], y[split["train"]])
        found.append(medians(model.predict(x[split["test"]]), y[split["test"]]))
    return float(np.mean(found))


def internal_consistency(repeats):
    found = []
    for train, test in ShuffleSplit(10, train_size=0.5, random_state=1).split(np.zeros(len(repeats))):
        first, second = repeats[train].mean(0), repeats[test].mean(0)
        r = np.array([pearsonr(first[:, k], second[:, k])[0] for k in range(first.shape[1])])
        found.append(np.nanmedian(2 * r / (1 + r)))
    return float(np.mean(found))


def main():
    warnings.simplefilter("ignore")
    directory, ours = Path(sys.argv[1]), Path(sys.argv[2]).read_text().splitlines()
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    x = np.load(directory / "features.npy").astype(np.float64)
    y, repeats = np.load(directory / "responses.npy"), np.load(directory / "repeats.npy")
    splits = json.loads((directory / "splits.json").read_text())
    peers = {
        "cka": lambda: cka(x, y),
        "rdm": lambda: rdm(x, y),
        "ridge_cv": lambda: ridge_cv(x, y, splits[:count]),
        "internal_consistency": lambda: internal_consistency(repeats),
    }
    print("Similarity of one layer: 2,560 stimuli x 4,096 features, 168 neuroids, 20 repetitions; features in memory to score.")
    print("| metric | ours s | reference s | ratio | score, ours | score, reference |\n|" + "---|" * 6)
    for run in (json.loads(line) for line in ours if line.startswith("{")):
        start = time.perf_counter()
        score = peers[run["metric"]]()
        seconds, mark = time.perf_counter() - start, ""
        if run["metric"] == "ridge_cv" and count < len(splits):
            seconds, mark = seconds * len(splits) / count, f" ({count} of {len(splits)} splits, x {len(splits) / count:g})"
        print(
            f"| {run['metric']} | {run['seconds']:.2f} | {seconds:.1f}{mark} | {seconds / run['seconds']:.0f} x "
            f"| {run['score']:.9f} | {score:.9f}{mark} |"
        )


if __name__ == "__main__":
    main()
