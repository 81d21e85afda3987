"""Goldens of the metrics crate: splits of scikit-learn, correlations of scipy, draws of numpy's legacy generator.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/metrics.py crates/metrics/tests/data
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit


def checksum(indices):
    """Depends on every index and on its position; fits 64 bits."""
    return int(sum((place + 1) * int(index) for place, index in enumerate(indices)))


def labels_of(counts, order_seed):
    labels = np.concatenate([[f"c{k:03d}"] * count for k, count in enumerate(counts)])
    return [str(v) for v in np.random.RandomState(order_seed).permutation(labels)]


def split_case(label_set, labels, n, splits, train_size, seed):
    if labels is None:
        found = list(ShuffleSplit(splits, train_size=train_size, random_state=seed).split(np.zeros(n)))
    else:
        splitter = StratifiedShuffleSplit(splits, train_size=train_size, random_state=seed)
        found = list(splitter.split(np.zeros(n), labels))
    return {
        "label_set": label_set,
        "n": n,
        "splits": splits,
        "train_size": train_size,
        "seed": seed,
        "sizes": [len(found[0][0]), len(found[0][1])],
        "train_checksums": [checksum(train) for train, _ in found],
        "test_checksums": [checksum(test) for _, test in found],
        "last_test_starts": [int(i) for i in found[-1][1][:12]],
    }


def splits():
    distributions = [
        [2, 2, 2],  # every remainder ties
        [7, 13, 11],
        [40] * 8,
        [3, 3, 3, 5, 5, 9, 2, 2],  # several groups of ties
        [100, 2, 2, 2, 2, 2],  # most classes get nothing first
        [5 + (k * 7) % 11 for k in range(24)],
        [33] * 10 + [34] * 3,
    ]
    label_sets = [labels_of(counts, k) for k, counts in enumerate(distributions)]
    cases = []
    for k, (counts, labels) in enumerate(zip(distributions, label_sets)):
        for train_size in (0.9, 0.8, 0.5):
            n_train = int(np.floor(train_size * len(labels)))
            if min(n_train, len(labels) - n_train) < len(counts):
                continue
            for seed in (0, 1, 12345):
                cases.append(split_case(k, labels, len(labels), 5, train_size, seed))
    hvm = [f"o{i % 64:02d}" for i in range(2560)]
    cases.append(split_case(len(label_sets), hvm, 2560, 10, 0.9, 1))
    label_sets.append(hvm)
    for n in (2, 5, 20, 101, 1200):
        for seed in (0, 1, 4294967295):
            cases.append(split_case(None, None, n, 4, 0.5, seed))
            if n > 10:
                cases.append(split_case(None, None, n, 10, 0.9, seed))
    return {"label_sets": label_sets, "cases": cases}


def number(value):
    return None if np.isnan(value) else float(value)


def correlations():
    rng = np.random.RandomState(3)
    x, y = rng.randn(30), rng.randn(30)
    ties = rng.randint(0, 6, 30).astype(float)
    with_nan = y.copy()
    with_nan[4] = np.nan
    pairs = {
        "noise": (x, y),
        "linear": (x, 2 * x + 1),
        "ties": (ties, np.round(y)),
        "constant": (np.full(30, 3.3), y),
        "nearly constant": (1e8 + 1e-6 * x, y),
        "huge": (1e200 * x, y),
        "tiny": (1e-200 * x, y),
        "two points": (x[:2], y[:2]),
        "missing": (x, with_nan),
    }
    out = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (a, b) in pairs.items():
            out.append(
                {
                    "name": name,
                    "x": [number(v) for v in a],
                    "y": [number(v) for v in b],
                    "pearson": number(stats.pearsonr(a, b)[0]),
                    "spearman": number(stats.spearmanr(a, b)[0]),
                    "ranks": [number(v) for v in stats.rankdata(b, nan_policy="propagate")],
                }
            )
    return out


def draws():
    rng = np.random.RandomState(7)
    return {
        "seed": 7,
        "randn": [float(v) for v in rng.randn(9)],
        "random_sample": [float(v) for v in rng.random_sample(3)],
        "choice": [int(v) for v in rng.choice(np.arange(100, 120), 6, replace=False)],
        "permutation": [int(v) for v in rng.permutation(17)],
        "next_randn": float(rng.randn()),
    }


def rsa():
    """Upper and lower bound of a noise ceiling over 5 subjects and 12 pairs."""
    subjects = np.random.RandomState(11).random_sample((5, 12)) + np.arange(12) / 8
    rho = lambda a, b: stats.spearmanr(a, b)[0]
    upper = np.mean([rho(s, subjects.mean(0)) for s in subjects])
    lower = np.mean([rho(s, np.delete(subjects, i, 0).mean(0)) for i, s in enumerate(subjects)])
    return {"subjects": subjects.tolist(), "upper": float(upper), "lower": float(lower)}


def main():
    out = Path(sys.argv[1])
    for name, make in {"splits": splits, "correlations": correlations, "draws": draws, "rsa_ceiling": rsa}.items():
        (out / f"{name}.json").write_text(json.dumps(make(), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
