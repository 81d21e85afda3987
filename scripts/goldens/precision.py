"""Goldens of precision: scikit-learn's r over numbers of features, scales and uneven scales, all regressions.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/precision.py crates/metrics/tests/data

Features and responses are made by both sides from the hash of spec 9.2, in operations whose result is the same to the bit: the file
holds r alone.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from regression import ALPHA_LIST
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

STIMULI, TRAINING, NEUROIDS, LATENTS, COMPONENTS = 96, 72, 3, 5, 10
FEATURES = [2, 24, 96, 384, 3072, 9600]  # p/n from .02 to 100
EVEN = [1e-6, 1.0, 1e3, 1e6, 1e8]
UNEVEN = ["one 1e2", "one 1e5", "one 1e7", "half 1e2", "half 1e4", "half 1e8"]


def grid(rows, columns, stream):
    """The integer hash of spec 9.2, uniform from -.5 to .5."""
    word = lambda values, factor: (np.asarray(values, dtype=np.uint64) * factor) & 0xFFFFFFFF
    i, j = np.arange(rows)[:, None], np.arange(columns)[None]
    h = word(i, 73_856_093) ^ word(j, 19_349_663) ^ word(stream, 83_492_791)
    for _ in range(2):
        h = word(h ^ (h >> 16), 0x045D9F3B)
    return (h ^ (h >> 16)).astype(np.float64) / 4294967296 - 0.5


def scales(label, p):
    if not isinstance(label, str):
        return np.full(p, label)
    which, factor = label.split()
    count = 1 if which == "one" else p // 2
    return np.where(np.arange(p) < count, float(factor), 1.0)


def mixed(latents, mixing, rest):
    """Latents times mixing plus the rest, added up in order."""
    total = np.zeros((len(latents), mixing.shape[1]))
    for latent in range(LATENTS):
        total = total + latents[:, latent : latent + 1] * mixing[latent]
    return total + rest


def correlations(predicted, recorded):
    a, b = predicted - predicted.mean(0), recorded - recorded.mean(0)
    return ((a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))).tolist()


def main(folder):
    latents = grid(STIMULI, LATENTS, 71)
    y = mixed(latents, grid(LATENTS, NEUROIDS, 72), 0.2 * grid(STIMULI, NEUROIDS, 73))
    train, test = slice(0, TRAINING), slice(TRAINING, STIMULI)
    cases = []
    for p in FEATURES:
        even = mixed(latents, grid(LATENTS, p, 74), grid(STIMULI, p, 75))
        for label in EVEN + UNEVEN:
            x = (even * scales(label, p)).astype(np.float32).astype(np.float64)
            regressions = {
                "pls": PLSRegression(n_components=min(COMPONENTS, p), scale=False),
                "ridge": Ridge(alpha=1, solver="svd"),
                "ridge_cv": RidgeCV(alphas=ALPHA_LIST),
                # Singular values are cut at this share of the largest: 1e-6 by default, which loses features that vary less than others,
                # and machine precision before 1.7, which keeps what rounding leaves of the direction that centring takes.
                "linear": LinearRegression(tol=1e-12),
            }
            case = {"features": p, "scale": label if isinstance(label, str) else f"{label:g}"}
            for name, regression in regressions.items():
                predicted = regression.fit(x[train], y[train]).predict(x[test]).reshape(-1, NEUROIDS)
                case[name] = correlations(predicted, y[test])
            cases.append(case)
    (folder / "precision.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(Path(sys.argv[1]))
