"""Goldens of the behavioural metrics: scipy's normal distribution and psychometric fits, scikit-learn's logistic regression,
patterns of d' and kappas by their definitions in numpy.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/behavior.py crates/metrics/tests/data
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm, pearsonr
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def u(i, j, s):
    h = (i * 73856093 & 0xFFFFFFFF) ^ (j * 19349663 & 0xFFFFFFFF) ^ (s * 83492791 & 0xFFFFFFFF)
    for _ in range(2):
        h ^= h >> 16
        h = h * 0x45D9F3B & 0xFFFFFFFF
    return (h ^ (h >> 16)) / 2**32


def clean(values):
    """NaN becomes null."""
    return [None if np.isnan(v) else float(v) for v in np.asarray(values, float).ravel()]


def normal():
    x = [-38.0, -12.5, -6.0, -3.1, -2.5, -2.4, -1.0, -1e-3, 0.0, 0.3, 1.7, 2.5, 2.6, 5.0, 8.0]
    p = [1e-300, 1e-40, 1e-17, 1e-6, 0.02, 0.0749, 0.075, 0.3, 0.5, 0.7, 0.925, 0.93, 0.999, 1 - 1e-12]
    return {"x": x, "cdf": norm.cdf(x).tolist(), "p": p, "quantile": norm.ppf(p).tolist()}


def trials():
    """The trials and probabilities of the i2n golden of the specification."""
    objects = "abcdef"
    rows, n = [], 0
    for k in range(30):
        truth = k % 6
        others = [o for o in range(6) if o != truth]
        for d, other in enumerate(others):
            for t in range(8):
                right = u(n, t, 12) < 0.55 + 0.4 * u(k, d, 11)
                rows.append((k, truth, other, truth if right else other))
                n += 1
    p = np.array([[u(k, j, 13) + (j == k % 6) + 0.8 * u(k, j, 11) for j in range(len(objects))] for k in range(30)])
    return rows, p / p.sum(1, keepdims=True)


def pattern(rates, truth, name):
    k = rates.shape[1]
    alarms = np.array([[np.nanmean(rates[truth == o, c]) if o != c else np.nan for c in range(k)] for o in range(k)])
    if name[0] == "o":
        d = norm.ppf(1 - alarms.T) - norm.ppf(alarms)
    else:
        d = np.array([[norm.ppf(1 - rates[i, c]) - norm.ppf(alarms[c, truth[i]]) for c in range(k)] for i in range(len(rates))])
    d = np.clip(d, -5, 5)
    if name.endswith("n"):
        d = np.array([[d[i, c] - (np.nanmean(d[truth == truth[i], c]) if c != truth[i] else np.nan) for c in range(k)]
                      for i in range(len(d))])  # fmt: skip
    if name[1] == "1":
        return np.nanmean(d, axis=0 if name[0] == "o" else 1)
    return d.ravel()


def human_rates(rows, images, objects):
    chosen, offered = np.zeros((images, objects)), np.zeros((images, objects))
    truth = {}
    for image, sample, other, choice in rows:
        chosen[image, choice] += 1
        offered[image, sample] += 1
        offered[image, other] += 1
        truth[image] = sample
    rates = np.where(offered > 0, chosen / np.maximum(offered, 1), np.nan)
    for image, sample in truth.items():
        rates[image, sample] = np.nan
    return rates


def correlation(a, b):
    keep = ~np.isnan(a) & ~np.isnan(b)
    return pearsonr(a[keep], b[keep])[0]


def discrimination():
    rows, p = trials()
    truth = np.arange(30) % 6
    rates = p / (p + p[np.arange(30), truth][:, None])
    rates[np.arange(30), truth] = np.nan
    cases = {}
    for name in ["i1", "i1n", "i2", "i2n", "o1", "o2"]:
        random = np.random.RandomState(0)
        scores, ceilings = [], []
        for _ in range(2):
            order = list(range(len(rows)))
            random.shuffle(order)
            halves = [human_rates([rows[i] for i in part], 30, 6) for part in (order[:600], order[600:])]
            first, second = (pattern(h, truth, name) for h in halves)
            scores.append(correlation(pattern(rates, truth, name), first))
            ceilings.append(correlation(first, second))
        cases[name] = {"model": clean(pattern(rates, truth, name)), "scores": scores, "ceilings": ceilings}
    return cases


def logistic(n, p, classes, c, stream):
    """Features are whole numbers / 64 (one constant), so that the file is short and exact."""
    x = np.array([[round(64 * u(i, j, stream)) / 64 if j != 3 else 1.5 for j in range(p)] for i in range(n + 12)])
    x[:, : classes] += np.array([[i % classes == j for j in range(classes)] for i in range(n + 12)]) * 0.25
    labels = [int(u(i, 0, stream + 1) * classes) if u(i, 1, stream + 1) < 0.3 else i % classes for i in range(n)]
    scaler = StandardScaler().fit(x[:n])
    fit, test = scaler.transform(x[:n]), scaler.transform(x[n:])

    def model(tol, iterations):
        return LogisticRegression(solver="newton-cg", C=c, tol=tol, max_iter=iterations).fit(fit, labels)

    exact, early = model(1e-13, 1000), model(1e-4, 100)
    probabilities = exact.predict_proba(test)
    early_gap = np.abs(early.predict_proba(test) - probabilities)
    scores = fit @ exact.coef_.T + exact.intercept_
    loss = np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(n), labels])
    return {
        "x": (64 * x).round().astype(int).tolist(), "labels": labels, "classes": classes, "c": c,
        "probabilities": probabilities.tolist(), "objective": float(loss + (exact.coef_**2).sum() / (2 * c * n)),
        "early_stop": float(early_gap.max()),
    }  # fmt: skip


def psychometric(x, y):
    def curve(params):
        slope, mean, lapse = params
        return 0.5 + (0.5 - lapse) * norm.cdf(slope * (x - mean))

    def loss(params):
        p = curve(params)
        return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))

    best = None
    for slope in np.logspace(-3, 1, 50):
        for mean in x:
            start = np.array([slope, mean, 1 - y.max()])
            found = minimize(loss, start, method="L-BFGS-B", bounds=((None, None), (None, None), (0.03, 0.5)))
            if best is None or loss(found.x) < loss(best):
                best = found.x
    residual = np.sum((y - curve(best)) ** 2)
    ends = curve(best)
    return {"loss": float(loss(best)), "r2": float(1 - residual / np.sum((y - y.mean()) ** 2)), "at": ends.tolist()}


def thresholds():
    cases = []
    for shares in [[0.5, 0.52, 0.6, 0.8, 0.9, 0.96], [0.48, 0.55, 0.58, 0.7, 0.72, 0.85, 0.9], [0.55, 0.6, 0.75, 0.74, 0.9]]:
        x = np.arange(len(shares)) * 50.0 / 8 if len(shares) == 6 else np.arange(len(shares)) * 1.5 + 1
        cases.append({"x": x.tolist(), "y": shares, **psychometric(x, np.array(shares))})
    people = [10.0, 15.0, 20.0, 12.5, 30.0]
    values, ceiling = list(people), []
    for i in range(len(people)):
        one = np.random.RandomState(i).choice(values, replace=False)
        values.remove(one)
        ceiling.append(max(1 - abs(np.mean(values) - one) / np.mean(values), 0))
        values.append(one)
    return {"fits": cases, "people": people, "ceiling": [float(c) for c in ceiling]}


def main(folder):
    warnings.simplefilter("ignore")
    goldens = {
        "normal": normal(),
        "discrimination": discrimination(),
        "logistic": [logistic(40, 30, 4, 1e-3, 21), logistic(30, 70, 5, 1.0, 31), logistic(48, 20, 3, 0.05, 41)],
        "thresholds": thresholds(),
    }
    (Path(folder) / "behavior.json").write_text(json.dumps(goldens) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:] or sys.exit(__doc__))
