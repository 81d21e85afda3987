"""Goldens of benchmarks of single units: pairs drawn by Python's random, shares of factors and distributions of properties in numpy.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/units.py crates/cli/tests/data/units
"""

import csv
import json
import random
import sys
from pathlib import Path

import numpy as np

from neural import grid, ks_similarity, u

SHAPES, IMAGES, TEXTURES = ["bird", "boat", "cat"], 4, ["bark", "brick", "moss"]
UNITS = 50


def stimuli():
    rows = []
    for texture in TEXTURES:
        for shape in SHAPES:
            for image in range(IMAGES):
                row = len(rows)
                rows.append({
                    "stimulus_id": f"s{row:02}", "filename": "dot.png", "shape": shape, "texture": texture,
                    "image": f"{shape}{image}", "degrees": row * 5, "family": ["texture", "noise", "other"][row % 3],
                })  # fmt: skip
    return rows


def responses(rows):
    x = 0.3 * grid(len(rows), UNITS, 101)
    for i, row in enumerate(rows):
        image, texture = SHAPES.index(row["shape"]) * IMAGES + int(row["image"][-1]), TEXTURES.index(row["texture"])
        x[i, :30] += 2 * u(image, np.arange(30), 102)
        x[i, 20:] += u(texture, np.arange(20, UNITS), 103)
    return x.astype(np.float32)


def pairs(rows):
    """The benchmark's own loop: first and second stimulus of every pair of each factor."""
    generator = random.Random(1751)
    textures, shapes = sorted({r["texture"] for r in rows}), sorted({r["shape"] for r in rows})
    found = {"shape": [], "texture": []}
    for first, row in enumerate(rows):
        factor = generator.choice(["shape", "texture"])
        if factor == "shape":
            other = generator.choice([t for t in textures if t != row["texture"]])
            (second,) = [i for i, r in enumerate(rows) if r["image"] == row["image"] and r["texture"] == other]
        else:
            other = generator.choice([s for s in shapes if s != row["shape"]])
            second = generator.choice([i for i, r in enumerate(rows) if r["texture"] == row["texture"] and r["shape"] == other])
        found[factor].append([first, second])
    return found


def shares(x, pairs):
    members = np.array([p for f in pairs.values() for p in f])
    variance = np.sum(np.var(np.concatenate([x[members[:, 0]], x[members[:, 1]]]), axis=0))
    scores = []
    for factor in pairs.values():
        a, b = x[[p[0] for p in factor]], x[[p[1] for p in factor]]
        middle = 0.5 * (a.mean(0) + b.mean(0))
        scores.append(np.sum(np.mean((a - middle) * (b - middle), 0)) / variance)
    weights = np.exp([*scores, 1.0])
    return dict(zip(pairs, (int(w * UNITS) / UNITS for w in weights / weights.sum())))


def properties(x, rows):
    angle = 2 * np.radians([r["degrees"] for r in rows])[:, None]
    mean = lambda family: x[[r["family"] == family for r in rows]].mean(0)
    return {
        "max": x.max(0),
        "mean": x.mean(0),
        "sparseness": (1 - x.mean(0) ** 2 / (x**2).mean(0)) / (1 - 1 / len(x)),
        "circular_variance": 1 - np.abs((x * np.exp(1j * angle)).sum(0)) / x.sum(0),
        "modulation_index": (mean("texture") - mean("noise")) / (mean("texture") + mean("noise")),
    }


def similarity(units, neurons, bins, resamplings, seed):
    histogram = lambda values: np.histogram(np.clip(values, bins[0], bins[-1]), bins)[0] / len(values)
    generator, data = np.random.RandomState(seed), histogram(neurons)
    found = [ks_similarity(histogram(generator.choice(units, len(neurons))), data) for _ in range(resamplings)]
    return [float(np.mean(found)), float(np.std(found))]


def main():
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    rows = stimuli()
    with open(directory / "stimuli.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    single = responses(rows)
    np.save(directory / "activations.npy", single)
    x = single.astype(np.float64)
    drawn = pairs(rows)
    expected = {"pairs": drawn, "shares": shares(x, drawn), "properties": {}}
    found = properties(x, rows)
    neurons = {}
    for stream, (name, values) in enumerate(found.items()):
        low, high = values.min(), values.max()
        neurons[name] = low + (high - low) * u(np.arange(24), 0, 110 + stream) ** 2
        bins = np.round(np.linspace(low, high, 7), 6)
        expected["properties"][name] = {
            "units": values.tolist(),
            "bins": bins.tolist(),
            "score": similarity(values, neurons[name], bins, 200, 3),
            "ceiling": similarity(neurons[name], neurons[name], bins, 200, 3),
        }
    with open(directory / "neurons.csv", "w") as file:
        file.write("neuron," + ",".join(neurons) + "\n")
        file.writelines(f"n{i}," + ",".join(repr(float(v[i])) for v in neurons.values()) + "\n" for i in range(24))
    (directory / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
