"""Goldens of searchlight maps, written from the definitions with NumPy; no code is shared with the crate.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/searchlight.py crates/searchlight/tests/data
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import norm, rankdata

SHAPE = (9, 8, 7)
IMAGES = 8
LAYERS = 4
MINIMUM = 12
PERMUTATIONS = 40
SEED = 20251125
PAIRS = np.triu_indices(IMAGES, 1)


def draw(i, j, stream):
    """splitmix64 of three counters: a multiple of 2**-20 in [-8, 8), exact in f32."""
    mask = (1 << 64) - 1
    h = ((i << 40) ^ (j << 8) ^ stream) & mask
    h = h * 0x9E3779B97F4A7C15 & mask
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9 & mask
    h = (h ^ (h >> 27)) * 0x94D049BB133111EB & mask
    return (((h ^ (h >> 31)) >> 40) - (1 << 23)) / 2**20


def mask_of():
    """An ellipsoid with holes, in linear order (x fastest)."""
    found = []
    for z in range(SHAPE[2]):
        for y in range(SHAPE[1]):
            for x in range(SHAPE[0]):
                index = x + SHAPE[0] * (y + SHAPE[1] * z)
                square = ((x - 4) / 4.7) ** 2 + ((y - 3.5) / 4.3) ** 2 + ((z - 3) / 3.6) ** 2
                if square <= 1 and draw(index, 0, 3) < 7:
                    found.append((index, (x, y, z)))
    return found


def standardised(v):
    v = v - v.mean()
    return v / np.sqrt(v @ v)


def brain_vector(patterns):
    """Pearson correlations of the images' patterns (voxels x images), upper triangle."""
    rows = np.array([standardised(patterns[:, i]) for i in range(IMAGES)])
    return (rows @ rows.T)[PAIRS]


def maps(voxels, values, layers, strict, ranks):
    centres = np.array([position for _, position in voxels])
    prepare = (lambda v: standardised(rankdata(v))) if ranks else standardised
    targets = np.array([prepare(v) for v in layers])
    rows, counts = [], []
    for centre in centres:
        square = ((centres - centre) ** 2).sum(1)
        members = square < 4 if strict else square <= 4
        counts.append(int(members.sum()))
        if counts[-1] < MINIMUM:
            rows.append([None] * LAYERS)
        else:
            rows.append((targets @ prepare(brain_vector(values[members]))).tolist())
    return rows, counts


def residuals(y, x):
    """Each method by explicit least squares on the vectors."""
    def fit(a, b):
        a = np.column_stack([np.ones(len(b))] + list(a))
        return b - a @ np.linalg.lstsq(a, b, rcond=None)[0]

    def r(a, b):
        return float(np.corrcoef(a, b)[0, 1])

    others = [[x[k] for k in range(LAYERS) if k != l] for l in range(LAYERS)]
    near = [[x[k] for k in (l - 1, l + 1) if 0 <= k < LAYERS] for l in range(LAYERS)]
    explained = lambda a: 1 - fit(a, y).var() / y.var()
    xs, ys = np.array([standardised(v) for v in x]), standardised(y)
    u, s, vt = np.linalg.svd(xs.T, full_matrices=False)
    stacked = np.vstack([xs.T, np.sqrt(0.1) * np.eye(LAYERS)])
    return {
        "raw": [r(y, v) for v in x],
        "semi_partial": [r(y, fit(others[l], x[l])) for l in range(LAYERS)],
        "partial": [r(fit(others[l], y), fit(others[l], x[l])) for l in range(LAYERS)],
        "adjacent": [r(y, fit(near[l], x[l])) for l in range(LAYERS)],
        "earlier": [r(y, fit(x[:l], x[l])) for l in range(LAYERS)],
        "regression": np.linalg.lstsq(xs.T, ys, rcond=None)[0].tolist(),
        "ridge": np.linalg.lstsq(stacked, np.append(ys, np.zeros(LAYERS)), rcond=None)[0].tolist(),
        "unique_variance": [explained(x) - explained(others[l]) for l in range(LAYERS)],
        "loewdin": ((u @ vt).T @ ys).tolist(),
        "non_negative": best_non_negative(xs, ys),
    }


def best_non_negative(xs, ys):
    """The best of all subsets of layers whose unconstrained weights are positive."""
    best, weights = ys @ ys, np.zeros(LAYERS)
    for subset in range(1, 1 << LAYERS):
        chosen = [l for l in range(LAYERS) if subset >> l & 1]
        found = np.linalg.lstsq(xs[chosen].T, ys, rcond=None)[0]
        rest = ((ys - xs[chosen].T @ found) ** 2).sum()
        if (found > 0).all() and rest < best:
            best, weights = rest, np.zeros(LAYERS)
            weights[chosen] = found
    return weights.tolist()


def null_of(voxels, values, layers, observed):
    """Counts and maxima of the raw inclusive Pearson map under relabelled images."""
    random = np.random.RandomState(SEED)
    orders = [random.permutation(IMAGES) for _ in range(PERMUTATIONS)]
    centres = np.array([position for _, position in voxels])
    brains = {}
    for k, centre in enumerate(centres):
        if observed[k][0] is not None:
            brains[k] = standardised(brain_vector(values[((centres - centre) ** 2).sum(1) <= 4]))
    reached = np.zeros((len(voxels), LAYERS), int)
    maxima = np.full((PERMUTATIONS, LAYERS), -np.inf)
    for b, order in enumerate(orders):
        for l, vector in enumerate(layers):
            square = np.zeros((IMAGES, IMAGES))
            square[PAIRS] = vector
            square += square.T
            target = standardised(square[np.ix_(order, order)][PAIRS])
            for k, brain in brains.items():
                value = target @ brain
                reached[k, l] += value >= observed[k][l] - 1e-5
                maxima[b, l] = max(maxima[b, l], value)
    return {
        "seed": SEED,
        "orders": [order.tolist() for order in orders[:3]],
        "reached": reached.tolist(),
        "maxima": np.round(maxima, 9).tolist(),
    }


def cosmomvpa():
    """Its synthetic 6 x 6 set: normal quantiles of mt19937 draws, column by column, plus a signal on the diagonal."""
    x = norm.ppf(np.random.RandomState(1).random_sample(36)).reshape(6, 6, order="F")
    return (x + np.eye(6) * 3 / np.sqrt(np.log(6))).tolist()


def rounded(rows):
    return [[None if v is None else round(v, 9) for v in row] for row in rows]


def main(directory):
    voxels = mask_of()
    values = np.array([[draw(v, i, 1) + 2.0 * draw(v // 4, i, 2) for i in range(IMAGES)] for v, _ in voxels])
    layers = [np.array([draw(p, 0, 5) + draw(p, l, 6) for p in range(len(PAIRS[0]))]) for l in range(1, LAYERS + 1)]
    result = {"shape": SHAPE, "images": IMAGES, "layers": LAYERS, "minimum_voxels": MINIMUM}
    result["voxels"] = [v for v, _ in voxels]
    result["maps"] = []
    for strict in (True, False):
        for ranks in (False, True):
            rows, counts = maps(voxels, values, layers, strict, ranks)
            entry = {"strict": strict, "spearman": ranks, "values": rounded(rows), "counts": counts}
            result["maps"].append(entry)
            if not strict and not ranks:
                result["null"] = null_of(voxels, values, layers, rows)
    centres = np.array([position for _, position in voxels])
    result["residuals"] = []
    for k in range(5, len(voxels), 60):
        members = ((centres - centres[k]) ** 2).sum(1) <= 4
        if members.sum() >= MINIMUM:
            y = brain_vector(values[members])
            result["residuals"].append({"centre": k, "methods": residuals(y, layers)})
    result["cosmomvpa"] = cosmomvpa()
    path = Path(directory) / "maps.json"
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])
