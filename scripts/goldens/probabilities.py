"""Goldens of patterns of d' on the two published assemblies of model probabilities (240 images x 24 objects), in numpy.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/probabilities.py VENTRAL_DATA crates/data/tests/data

The assemblies do not say which object an image shows; the one that both models together hold most likely takes its place.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xarray
from scipy.stats import pearsonr

from behavior import clean, pattern

NAMES = ["i1", "i1n", "i2", "i2n", "o1", "o2"]


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
    (Path(folder) / "probabilities.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3] if len(sys.argv) > 2 else sys.exit(__doc__))
