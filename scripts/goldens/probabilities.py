"""Goldens of patterns of d' on the two published assemblies of model probabilities (240 images x 24 objects), in numpy.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/probabilities.py VENTRAL_DATA crates/data/tests/data

The assemblies do not say which object an image shows; the one that both models together hold most likely takes its place. Nor are there
people's choices: `scores` are against made ones, which err more on some images and distractors than on others.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xarray
from scipy.stats import pearsonr

from behavior import clean, correlation, human_rates, pattern, u

NAMES = ["i1", "i1n", "i2", "i2n", "o1", "o2"]


def people(truth, objects):
    """Two trials per image and distractor: image, object shown, the other, choice."""
    rows = []
    for image, shown in enumerate(truth):
        for other in (o for o in range(objects) if o != shown):
            for _ in range(2):
                right = u(len(rows), 0, 12) < 0.55 + 0.4 * u(image, other, 11)
                rows.append((image, shown, other, shown if right else other))
    return rows


def scores(p, truth, rows, name):
    """Correlation of a model's pattern with that of the first half of the trials, in two halvings."""
    images, objects = p.shape
    rates = p / (p + p[np.arange(images), truth][:, None])
    rates[np.arange(images), truth] = np.nan
    model, random, found = pattern(rates, truth, name), np.random.RandomState(0), []
    for _ in range(2):
        order = list(range(len(rows)))
        random.shuffle(order)
        half = human_rates([rows[i] for i in order[: len(rows) // 2]], images, objects)
        found.append(float(correlation(model, pattern(half, truth, name))))
    return found


def main(data, folder):
    source = Path(data) / "geirhos-behaviour/rajalingham2018_probabilities"
    read = lambda name: next(iter(xarray.open_dataset(source / name).data_vars.values())).values.astype(np.float64)
    models = [read("raj_alexnet.nc"), read("raj_resnet18.nc")]
    truth = (models[0] + models[1]).argmax(1)
    rows = np.arange(len(truth))
    found = {"truth": truth.tolist(), "patterns": {}}
    for name in NAMES:
        patterns = []
        for p in models:
            rates = p / (p + p[rows, truth][:, None])
            rates[rows, truth] = np.nan
            patterns.append(pattern(rates, truth, name))
        both = ~np.isnan(patterns[0]) & ~np.isnan(patterns[1])
        found["patterns"][name] = {
            "models": [{"first": clean(p[:30]), "sum": float(np.nansum(p)), "squares": float(np.nansum(p**2))} for p in patterns],
            "between": float(pearsonr(patterns[0][both], patterns[1][both])[0]),
        }
    rows = people(truth, models[0].shape[1])
    found["scores"] = {name: [scores(p, truth, rows, name) for p in models] for name in NAMES}
    found["accuracy"] = [float((p.argmax(1) == truth).mean()) for p in models]
    (Path(folder) / "probabilities.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3] if len(sys.argv) > 2 else sys.exit(__doc__))
