"""Goldens of the metrics crate: the reference's further neural metrics in numpy, scipy and scikit-learn.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/neural.py crates/metrics/tests/data

Input is made of the integer hash of spec 9.2, so that the tests make the same one.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from regression import ALPHA_LIST


def u(i, j, stream):
    word = lambda value, factor: (np.asarray(value, dtype=np.int64) * factor).astype(np.uint32)
    h = word(i, 73856093) ^ word(j, 19349663) ^ word(stream, 83492791)
    for _ in range(2):
        h ^= h >> np.uint32(16)
        h = (h.astype(np.uint64) * 0x45D9F3B).astype(np.uint32)
    h ^= h >> np.uint32(16)
    return h / 4294967296.0


def grid(n, p, stream):
    return u(np.arange(n)[:, None], np.arange(p)[None, :], stream)


def spec_data():
    x = grid(60, 40, 1)
    y = x @ (grid(40, 8, 2) - 0.5) + 0.3 * grid(60, 8, 3)
    return x, y


def wide_data():
    """More features than stimuli; 30 neuroids; a mean above the spread; a constant first feature."""
    x = (grid(80, 120, 61) + 0.5).astype(np.float32).astype(np.float64)
    x[:, 0] = 2.0
    y = x[:, 1:] @ (grid(119, 30, 62) - 0.5) + 0.5 * grid(80, 30, 63)
    return x, y


def stratified(n=60):
    return list(StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(np.zeros(n), [i % 6 for i in range(n)]))


def correlations(predicted, recorded):
    return np.array([pearsonr(predicted[:, k], recorded[:, k])[0] for k in range(recorded.shape[1])])


def medians(model, x, y, splits):
    found = []
    for train, test in splits:
        predicted = model().fit(x[train], y[train]).predict(x[test])
        found.append(float(np.nanmedian(correlations(predicted.reshape(len(test), -1), y[test]))))
    return found


def reverse():
    (x, y), (wide, neurons) = spec_data(), wide_data()
    narrow, random = stratified(), list(ShuffleSplit(3, train_size=0.8, random_state=1).split(np.zeros(80)))
    pls = lambda k: lambda: PLSRegression(n_components=k, scale=False)
    return {
        "spec": {
            "pls_5": medians(pls(5), y, x, narrow),
            "ridge": medians(lambda: Ridge(alpha=1), y, x, narrow),
            "linear": medians(LinearRegression, y, x, narrow),
        },
        "wide": {
            "pls_25": medians(pls(25), neurons, wide, random),
            "ridge": medians(lambda: Ridge(alpha=1), neurons, wide, random),
            "linear": medians(LinearRegression, neurons, wide, random),
        },
    }


def triangle(features):
    return (1 - np.corrcoef(features))[np.triu_indices(len(features), k=1)]


def hsic(k, l):
    n = len(k)
    total = k.sum() * l.sum() / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + total - 2 * k.sum(0) @ l.sum(0) / (n - 2)) / (n * (n - 3))


def unbiased_cka(x, y):
    k, l = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    product = hsic(k, k) * hsic(l, l)
    return 0.0 if product <= 0 else hsic(k, l) / (np.sqrt(product) + 1e-12)


def test_only():
    x, y = spec_data()
    splits = list(StratifiedShuffleSplit(10, test_size=0.9, random_state=1).split(np.zeros(60), [i % 6 for i in range(60)]))
    small = list(ShuffleSplit(4, test_size=0.33, random_state=1).split(np.zeros(50)))
    return {
        "sizes": [len(splits[0][0]), len(splits[0][1])],
        "first_test": [int(i) for i in splits[0][1]],
        "last_test": [int(i) for i in splits[9][1]],
        "shuffle_sizes": [len(small[0][0]), len(small[0][1])],
        "shuffle_test": [int(i) for i in small[3][1]],
        "rdm": [float(spearmanr(triangle(x[t]), triangle(y[t]))[0]) for _, t in splits],
        "cka": [float(unbiased_cka(x[t], y[t])) for _, t in splits],
    }


def temporal_responses():
    """60 stimuli x 8 neuroids x 4 bins."""
    _, y = spec_data()
    drift = np.stack([y * (1 - 0.2 * t) + 0.4 * grid(60, 8, 70 + t) for t in range(4)], axis=2)
    return drift


def temporal_features():
    """60 stimuli x 40 features x 4 bins."""
    x, _ = spec_data()
    return np.stack([x + 0.5 * grid(60, 40, 80 + t) for t in range(4)], axis=2)


def span_time(model, x, y, splits):
    """Bins x stimuli as samples, time major, then sorted by stimulus as the reference does; r per bin."""
    found = []
    for train, test in splits:
        order = np.argsort(np.tile(train, x.shape[2]), kind="stable")
        stack = lambda a: np.concatenate([a[train, :, t] for t in range(a.shape[2])])[order]
        fitted = model().fit(stack(x), stack(y))
        found.append([float(np.median(correlations(fitted.predict(x[test, :, t]), y[test, :, t]))) for t in range(x.shape[2])])
    return found


def over_time():
    x, _ = spec_data()
    y, moving, splits = temporal_responses(), temporal_features(), stratified()[:3]
    still = np.repeat(x[:, :, None], 4, axis=2)
    models = {
        "pls_10": lambda: PLSRegression(n_components=10, scale=False),
        "ridge": lambda: Ridge(alpha=1),
        "linear": LinearRegression,
    }
    return {
        "static": {name: span_time(model, still, y, splits) for name, model in models.items()},
        "temporal": {name: span_time(model, moving, y, splits) for name, model in models.items()},
    }


def components():
    """PCA fitted on images 0..29 of 75, scores of the others: their inner products, which signs do not change."""
    features = grid(75, 200, 90) * (1 + 4 * grid(1, 200, 91)) + 3
    found = {"products": {}, "pls": {}}
    y = grid(45, 5, 92) + features[30:, :5]
    splits = list(ShuffleSplit(3, train_size=0.8, random_state=1).split(np.zeros(45)))
    for count in (10, 29):
        scores = PCA(n_components=count, svd_solver="full").fit(features[:30]).transform(features[30:])
        found["products"][count] = (scores @ scores.T)[:6, :6].tolist()
        found["pls"][count] = medians(lambda: PLSRegression(n_components=5, scale=False), scores, y, splits)
    return found


def ks_similarity(p, q):
    first, last = np.zeros_like(p), np.zeros_like(p)
    first[0], last[-1] = 1, 1
    distance = lambda a, b: np.max(np.abs(np.cumsum(a) - np.cumsum(b)))
    return 1 - distance(p, q) / max(distance(first, q), distance(last, q))


def distributions():
    units, neurons = 2 * u(np.arange(500), 0, 95) - 0.3, u(np.arange(37), 0, 96) ** 2
    bins = np.linspace(0, 1, 11)
    clip = lambda values: np.clip(values, bins[0], bins[-1])
    data = np.histogram(clip(neurons), bins)[0] / len(neurons)
    random = np.random.RandomState(3)
    found = []
    for _ in range(200):
        sample = random.choice(clip(units), len(neurons))
        found.append(ks_similarity(np.histogram(sample, bins)[0] / len(neurons), data))
    return {"bins": bins.tolist(), "value": float(np.mean(found)), "error": float(np.std(found)), "first": found[:5]}


def dimensionality():
    features = grid(40, 64, 97).astype(np.float32).astype(np.float64)
    features[20:] += features[:20] * np.linspace(0, 6, 64)
    features = features.astype(np.float32).astype(np.float64)
    pairs = {"shape": [(i, i + 20) for i in range(20)], "texture": [(i, (i + 7) % 20) for i in range(15)]}
    za = np.concatenate([features[[a for a, _ in p]] for p in pairs.values()])
    zb = np.concatenate([features[[b for _, b in p]] for p in pairs.values()])
    everything = np.concatenate([za, zb])
    variance = np.sum(np.mean((everything - everything.mean(0)) ** 2, 0))
    scores = []
    for p in pairs.values():
        a, b = features[[a for a, _ in p]], features[[b for _, b in p]]
        middle = 0.5 * (a.mean(0) + b.mean(0))
        scores.append(np.sum(np.mean((a - middle) * (b - middle), 0)) / variance)
    weights = np.exp(np.array([*scores, 1.0]) - max(*scores, 1.0))
    shares = [int(s * 64) / 64 for s in weights / weights.sum()]
    return {"pairs": {name: [list(x) for x in p] for name, p in pairs.items()}, "scores": scores, "shares": shares[:2]}


def predictor():
    """12 stimuli, 5 repetitions of which some are missing, 6 neuroids; the ceiling's own loop."""
    values = np.array([[[u(i, k, 4) + 0.5 * u(1000 * r + i, k, 5) for k in range(6)] for i in range(12)] for r in range(5)])
    values[4, 3:7] = np.nan
    values[2:, 8] = np.nan
    rng, splits = np.random.default_rng(0), []
    for _ in range(10):
        first, second = [], []
        for i in range(12):
            present = np.unique([r for r in range(5) if not np.isnan(values[r, i]).all()])
            if len(present) < 2:
                continue
            drawn = rng.permutation(present)
            half = len(present) // 2
            first.append(values[np.sort(drawn[:half]), i].mean(0))
            second.append(values[np.sort(drawn[half:]), i].mean(0))
        a, b = np.array(first), np.array(second)
        a, b = a - a.mean(0), b - b.mean(0)
        r = (a * b).sum(0) / (np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0))
        splits.append(2 * r / (1 + r))
    per_split = np.nanmedian(splits, axis=1)
    return {"value": float(np.nanmean(per_split)), "error": float(np.nanstd(per_split) / np.sqrt(10)), "per_split": per_split.tolist()}


def draws():
    found = []
    for seed in (0, 1, 12345, 4294967295):
        rng = np.random.default_rng(seed)
        words = [int(x) for x in rng.bit_generator.random_raw(4)]
        rng = np.random.default_rng(seed)
        orders = [rng.permutation(n).tolist() for n in (2, 10, 1, 37)]
        found.append({"seed": seed, "words": [f"{w:016x}" for w in words], "orders": orders})
    return found


def subjects():
    """Neuroids 0-2, 3-6 and 7, ever noisier: a penalty each, on a fixed split of 45 and 15. And the spec's responses at once."""
    x, y = spec_data()
    train, test = np.arange(45), np.arange(45, 60)
    groups = [[0, 1, 2], [3, 4, 5, 6], [7]]
    found = {"alphas": [], "r": [0.0] * 8}
    noisy = y + grid(60, 8, 99) * [0, 0, 0, 3, 3, 3, 3, 9]
    for group in groups:
        model = RidgeCV(alphas=ALPHA_LIST).fit(x[train], noisy[np.ix_(train, group)])
        r = correlations(model.predict(x[test]).reshape(len(test), -1), noisy[np.ix_(test, group)])
        found["alphas"].append(float(model.alpha_))
        for column, value in zip(group, r):
            found["r"][column] = float(value)
    whole = RidgeCV(alphas=ALPHA_LIST).fit(x[train], y[train])
    found["together"] = {"alpha": float(whole.alpha_), "median": float(np.median(correlations(whole.predict(x[test]), y[test])))}
    found["fixed"] = {
        name: float(np.median(correlations(model.fit(x[train], y[train]).predict(x[test]), y[test])))
        for name, model in {"pls": PLSRegression(25, scale=False), "ridge": Ridge(alpha=1), "linear": LinearRegression()}.items()
    }
    return found


def main():
    warnings.simplefilter("ignore")
    made = {
        "reverse": reverse(),
        "test_only": test_only(),
        "time": over_time(),
        "pca": components(),
        "distribution": distributions(),
        "dimensionality": dimensionality(),
        "predictor": predictor(),
        "draws": draws(),
        "subjects": subjects(),
    }
    (Path(sys.argv[1]) / "neural.json").write_text(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
