"""The reference's decoder of I2n on the data of the `behavior` benchmark, and the table that compares the two.

    behavior.py DIR OURS    OURS holds the lines of our run

The reference: StandardScaler, then LogisticRegression(newton-cg, C=0.001, tol=1e-4, 100 iterations), in the features' 32 bits as it
runs them, and in 64. The optimum is checked with scikit-learn too: newton-cg with a tolerance of 1e-10 on the same features rotated
into the space that they span (as many dimensions as stimuli), where objective and probabilities are the same.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def fitted(train, labels, c, tol, iterations):
    return LogisticRegression(C=c, solver="newton-cg", tol=tol, max_iter=iterations).fit(train, labels)


def objective(model, train, labels, c):
    weights = model.coef_.astype(np.float64)
    scores = train.astype(np.float64) @ weights.T + model.intercept_
    largest = scores.max(1, keepdims=True)
    loss = np.log(np.exp(scores - largest).sum(1)) + largest[:, 0] - scores[np.arange(len(labels)), labels]
    return float(loss.mean() + (weights**2).sum() / (2 * c * len(labels)))


def rotated(train, test):
    """Coordinates in the span of the fitted rows; a row's part outside of it meets only zero weights."""
    values, vectors = np.linalg.eigh(train @ train.T)
    keep = values > values[-1] * 1e-12
    basis = train.T @ (vectors[:, keep] / np.sqrt(values[keep]))
    return train @ basis, test @ basis


def main():
    warnings.simplefilter("ignore")
    directory = Path(sys.argv[1])
    runs = [json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines() if line.startswith("{")]
    n, c = runs[0]["fit"], runs[0]["c"]
    x, labels = np.load(directory / "features.npy"), np.load(directory / "labels.npy")
    ours = {run["precision"]: np.load(directory / f"probabilities_{run['precision']}.npy") for run in runs}
    y = labels[:n]

    peers = {}
    for name, kind in [("f32", np.float32), ("f64", np.float64)]:
        features = x.astype(kind)
        start = time.perf_counter()
        scaler = StandardScaler().fit(features[:n])
        train, test = scaler.transform(features[:n]), scaler.transform(features[n:])
        model = fitted(train, y, c, 1e-4, 100)
        p = model.predict_proba(test)
        seconds = time.perf_counter() - start
        peers[name] = (seconds, p, objective(model, train, y, c), int(model.n_iter_.max()))
    train, test = rotated(train, test)
    model = fitted(train, y, c, 1e-10, 1000)
    exact, least, steps = model.predict_proba(test), objective(model, train, y, c), int(model.n_iter_.max())

    right = lambda p: 100 * np.mean(p.argmax(1) == labels[n:])
    print(f"Decoder of I2n: {n:,} x {x.shape[1]:,} features, {runs[0]['classes']} classes, probabilities of {len(x) - n} stimuli.")
    print("| run | seconds | ratio | objective - least | largest difference of a probability from the optimum | right |\n|" + "---|" * 6)
    for run in runs:
        p, gap = ours[run["precision"]], run["objective"] - least
        peer = peers["f32"][0]
        print(
            f"| ours, {run['precision']} products ({run['gram_seconds']:.1f} s of it the Gram) | {run['seconds']:.1f} | {peer / run['seconds']:.1f} x "
            f"| {gap:.1e} | {np.abs(p - exact).max():.1e} | {right(p):.1f} % |"
        )
    for name, (seconds, p, value, iterations) in peers.items():
        print(
            f"| scikit-learn, {name}, {iterations} steps | {seconds:.1f} | {peers['f32'][0] / seconds:.1f} x | {value - least:.1e} "
            f"| {np.abs(p - exact).max():.1e} | {right(p):.1f} % |"
        )
    print(f"Least objective {least:.12f} (scikit-learn, {steps} steps to 1e-10); ours ends with a gradient of norm {runs[-1]['gradient_norm']:.1e}.")


if __name__ == "__main__":
    main()
