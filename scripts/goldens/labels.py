"""Goldens of label behaviour from cards and files: a model's readout, people's answers, and every metric by its definition in numpy.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/labels.py crates/cli/tests/data/labels
"""

import csv
import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from behavior import u

CATEGORIES = ["bird", "boat", "cat", "dog"]
CLASSES = 40
RIGHT = {"none": [5, 6, 8, 9, 10, 10], "flanked": [5, 5, 6, 7, 9, 10]}
CONDITIONS, EXCLUDED = ["a", "b", "easy"], "easy"
PEOPLE = {"ann": 0.8, "bob": 0.7, "eve": 0.6}
THRESHOLDS, BASELINES = [1.5, 2.0, 3.2], [1.0, 1.25, 1.6]


def other(truth, i, stream):
    return [c for c in range(4) if c != truth][int(3 * u(i, 1, stream))]


def stimuli():
    """120 stimuli: with and without flankers, six offsets, ten each; what the model chooses is right as often as RIGHT says."""
    rows, chosen = [], []
    for flank, counts in RIGHT.items():
        for offset, right in enumerate(counts):
            for k in range(10):
                i = len(rows)
                truth = int(4 * u(i, 0, 201))
                rows.append({
                    "stimulus_id": f"s{i:03}", "filename": "dot.png", "category": CATEGORIES[truth],
                    "texture": CATEGORIES[int(4 * u(i, 0, 202))], "flank": flank, "offset": offset, "condition": CONDITIONS[i % 3],
                })  # fmt: skip
                chosen.append(truth if k < right else other(truth, i, 203))
    return rows, np.array(chosen)


def answers(rows, truth):
    found = {}
    for stream, (person, skill) in enumerate(PEOPLE.items()):
        found[person] = [t if u(i, 2, 210 + stream) < skill else other(t, i, 220 + stream) for i, t in enumerate(truth)]
    return found


def kappa(a, b):
    observed, p, q = np.mean(a == b), np.mean(a), np.mean(b)
    expected = p * q + (1 - p) * (1 - q)
    return (observed - expected) / (1 - expected)


def nearness(source, target):
    return 1 - abs(source - target) / max(target, 1 - target)


def confusions(truth, choice):
    counts = np.zeros((4, 4))
    np.add.at(counts, (truth, choice), 1)
    return counts[~np.eye(4, dtype=bool)]


def fit(x, right):
    values = np.unique(x)
    y = np.array([right[x == v].mean() for v in values])
    curve = lambda q: 0.5 + (0.5 - q[2]) * norm.cdf(q[0] * (values - q[1]))

    def loss(q):
        p = curve(q)
        return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))

    starts = ([slope, mean, 0.05] for slope in np.logspace(-2, 1, 10) for mean in values)
    found = [minimize(loss, start, method="L-BFGS-B", bounds=((None, None), (None, None), (0.03, 0.5)), tol=1e-14) for start in starts]
    return min(found, key=lambda f: f.fun).x


def level_of(q, x):
    """Half way between the ends of the curve over what was measured."""
    return np.mean([0.5 + (0.5 - q[2]) * norm.cdf(q[0] * (end - q[1])) for end in (x.min(), x.max())])


def crossing(q, level):
    return q[1] + norm.ppf((level - 0.5) / (0.5 - q[2])) / q[0]


def near_people(t, people):
    return float(max(1 - abs(t - np.mean(people)) / np.mean(people), 0)), float(np.mean([max(1 - abs(t - p) / p, 0) for p in people]))


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows, chosen = stimuli()
    truth = np.array([CATEGORIES.index(r["category"]) for r in rows])
    texture = np.array([CATEGORIES.index(r["texture"]) for r in rows])
    people = {person: np.array(a) for person, a in answers(rows, truth).items()}

    # Class c belongs to category c mod 4; the largest output is one of the chosen category.
    logits = np.array([[u(i, j, 230) for j in range(CLASSES)] for i in range(len(rows))])
    logits[np.arange(len(rows)), 4 * (np.arange(len(rows)) % 10) + chosen] += 6
    logits *= 0.5 + np.array([[u(i, 3, 231)] for i in range(len(rows))])
    logits = logits.astype(np.float32)
    np.savez(folder / "activations.npz", logits=logits, stimulus_id=np.array([r["stimulus_id"] for r in rows]))
    of_category = logits.astype(np.float64).reshape(-1, 10, 4)
    assert of_category.max(1).argmax(1).tolist() == np.exp(of_category).mean(1).argmax(1).tolist() == chosen.tolist()

    triplets = [[int(len(rows) * u(t, k, 240)) for k in range(3)] for t in range(60)]
    triplets = [t for t in triplets if len(set(t)) == 3]
    dots = logits.astype(np.float64) @ logits.T.astype(np.float64)
    cosines = dots / np.sqrt(np.outer(np.diag(dots), np.diag(dots)))
    odd = lambda like: float(np.mean([like[a, b] > like[o, a] and like[a, b] > like[o, b] for o, a, b in triplets]))

    def write(name, header, lines):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *lines])

    write("stimuli.csv", list(rows[0]), [list(r.values()) for r in rows])
    write("categories.csv", ["index", "category"], [[c, CATEGORIES[c % 4]] for c in range(CLASSES)])
    trials = [[p, rows[i]["stimulus_id"], CATEGORIES[c], rows[i]["condition"]] for p, a in people.items() for i, c in enumerate(a)]
    write("trials.csv", ["subject", "stimulus_id", "choice", "condition"], trials)
    write("triplets.csv", ["odd", "a", "b"], [[rows[i]["stimulus_id"] for i in t] for t in triplets])
    write("thresholds.csv", ["subject", "threshold", "baseline"], [[p, t, b] for p, t, b in zip(PEOPLE, THRESHOLDS, BASELINES)])

    right, said = chosen == truth, {p: a == truth for p, a in people.items()}
    condition = np.array([r["condition"] for r in rows])
    kept = [condition == c for c in CONDITIONS if c != EXCLUDED]
    either = (texture != truth) & ((chosen == truth) | (chosen == texture))
    pairs = list(combinations(said.values(), 2))
    offset, flanked = np.array([r["offset"] for r in rows], float), np.array([r["flank"] == "flanked" for r in rows])
    base, full = fit(offset[~flanked], right[~flanked]), fit(offset[flanked], right[flanked])
    level = level_of(base, offset)
    elevation = crossing(full, level) / crossing(base, level)
    everything = fit(offset, right)
    ratios = [t / b for t, b in zip(THRESHOLDS, BASELINES)]
    pool, individual = near_people(crossing(everything, level_of(everything, offset)), THRESHOLDS)
    pooled_truth, pooled = np.concatenate([truth] * 3), np.concatenate(list(people.values()))
    expected = {
        "accuracy": float(right.mean()),
        "error_consistency": float(abs(np.mean([[kappa(right[c], s[c]) for c in kept] for s in said.values()]))),
        "error_consistency_ceiling": float(abs(np.mean([[kappa(a[c], b[c]) for c in kept] for a, b in pairs]))),
        "accuracy_distance": float(np.mean([nearness(right.mean(), s.mean()) for s in said.values()])),
        "accuracy_distance_ceiling": float(np.mean([nearness(a.mean(), b.mean()) for a, b in pairs])),
        "by_condition": float(np.mean([[nearness(right[condition == c].mean(), s[condition == c].mean()) for c in CONDITIONS] for s in said.values()])),
        "confusion_similarity": float(np.corrcoef(confusions(truth, chosen), confusions(pooled_truth, pooled))[0, 1]),
        "shape_bias": float((chosen[either] == truth[either]).mean()),
        "value_delta": float(np.exp(-0.75 * abs(right.mean() - np.mean([s.mean() for s in said.values()])))),
        "odd_one_out": odd(dots),
        "odd_one_out_cosine": odd(cosines),
        "threshold": pool,
        "threshold_individual": individual,
        "threshold_elevation": near_people(elevation, ratios)[0],
    }  # fmt: skip
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:] or sys.exit(__doc__))
