"""Goldens of image synthesis, written from the definitions with NumPy and SciPy; no code is shared with the crate.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/synthesis.py crates/synthesis/tests/data
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform
from scipy.stats import rankdata


def draw(count, stream):
    """splitmix64 of a counter: multiples of 2**-20 in [-8, 8), exact in f32."""
    mask = (1 << 64) - 1
    values = []
    for i in range(count):
        h = (i << 8 ^ stream) * 0x9E3779B97F4A7C15 & mask
        h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9 & mask
        h = (h ^ (h >> 27)) * 0x94D049BB133111EB & mask
        values.append((((h ^ (h >> 31)) >> 40) - (1 << 23)) / 2**20)
    return np.array(values)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def fourier(images, height, width, decay, stream):
    """lucid's fft_image, to_valid_rgb with decorrelation and sigmoid."""
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.fftfreq(width)[: width // 2 + (2 if width % 2 else 1)]
    freqs = np.sqrt(fx * fx + fy * fy)
    scale = np.sqrt(width * height) / np.maximum(freqs, 1 / max(width, height)) ** decay
    parts = draw(images * 6 * freqs.size, stream).reshape(images, 2, 3, *freqs.shape) / 64
    spectrum = scale * (parts[:, 0] + 1j * parts[:, 1])
    planes = np.fft.irfft2(spectrum)[..., :height, :width] / 4
    root = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    colours = root / np.linalg.norm(root, axis=0).max()
    return sigmoid(np.einsum("cj,njhw->nchw", colours, planes))


def adam(count, steps, rate, stream):
    """Adam with parameters and moments rounded to f32 after each step."""
    parameters = draw(count, stream).astype(np.float32)
    first = np.zeros(count, np.float32)
    second = np.zeros(count, np.float32)
    for step in range(1, steps + 1):
        gradient = draw(count, stream + step) * 10.0 ** (step - 4)
        mean = 0.9 * first.astype(float) + 0.1 * gradient
        square = 0.999 * second.astype(float) + 0.001 * gradient**2
        change = rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        parameters = (parameters.astype(float) - change).astype(np.float32)
        first, second = mean.astype(np.float32), square.astype(np.float32)
    return parameters


def transform(size, down, right, scale, degrees, stream):
    """p shows c + R(p - c)/s + shift, bilinear, grey outside."""
    image = sigmoid(draw(size[0] * size[1], stream).reshape(size))
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    centre = (np.array(size) - 1) / 2
    offset = centre - matrix @ centre + np.array([down, right])
    return affine_transform(image, matrix, offset, order=1, mode="grid-constant", cval=0.5)


def statistics(rsms):
    r = np.corrcoef(rsms)
    upper = np.abs(r[np.triu_indices(len(r), 1)])
    share = np.linalg.eigvalsh(r) / len(r)
    share = share[share > 0]
    return {
        "matrix": r.ravel().tolist(),
        "mean_abs_r": upper.mean(),
        "max_abs_r": upper.max(),
        "mean_adjacent_r": np.diag(r, 1).mean(),
        "effective_rank": np.exp(-(share * np.log(share)).sum()),
        "inflation": np.diag(np.linalg.inv(r)).tolist(),
        "sd": rsms.std(axis=1).tolist(),
    }


def evaluation():
    """Activations to statistics: five layers, seven images; activations are coarse, so that there are ties."""
    units = [11, 40, 23, 31, 8]
    rsms = []
    for layer, count in enumerate(units):
        activations = draw(7 * count, 100 + layer).reshape(7, count)
        rsms.append(np.corrcoef(activations)[np.triu_indices(7, 1)])
    rsms = np.array(rsms)
    coarse = np.round(rsms * 8) / 8
    ranked = statistics(np.array([rankdata(row) for row in coarse]))
    ranked["sd"] = coarse.std(axis=1).tolist()
    return {
        "units": units,
        "rsms": rsms.ravel().tolist(),
        "pearson": statistics(rsms),
        "spearman_coarse": ranked,
    }


def objective():
    """J of the layers above: weights of adjacent pairs 3, with and without a soft maximum, floor above some spreads."""
    units = [11, 40, 23, 31, 8]
    rsms = []
    for layer, count in enumerate(units):
        rsms.append(np.corrcoef(draw(7 * count, 100 + layer).reshape(7, count))[np.triu_indices(7, 1)])
    rsms = np.array(rsms)
    r = np.corrcoef(rsms)
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    weights = np.array([3.0 if j == i + 1 else 1.0 for i, j in pairs])
    weights /= weights.sum()
    squares = np.array([r[p] ** 2 for p in pairs])
    lack = np.maximum(0, 0.3 - rsms.std(axis=1))
    return {
        "mean": weights @ squares,
        "soft_max_20": np.log(weights @ np.exp(20 * squares)) / 20,
        "spread": 10 * (lack**2).sum(),
    }


def main(folder):
    goldens = {
        "fourier": [
            {"images": 3, "size": [8, 10], "decay": 1.0, "values": fourier(3, 8, 10, 1.0, 1).ravel().tolist()},
            {"images": 3, "size": [9, 11], "decay": 0.5, "values": fourier(3, 9, 11, 0.5, 2).ravel().tolist()},
        ],
        "adam": {"rate": 0.05, "steps": 8, "values": adam(12, 8, 0.05, 40).astype(float).tolist()},
        "transforms": [
            {"size": [h, w], "transform": t, "values": transform((h, w), *t, 60 + i).ravel().tolist()}
            for i, (h, w, t) in enumerate(
                [(9, 12, (0.0, 0.0, 1.0, 0.0)), (9, 12, (-3.0, 5.0, 0.92, 0.0)), (10, 8, (1.0, -2.0, 1.1, -7.0))]
            )
        ],
        "evaluation": evaluation(),
        "objective": objective(),
    }
    text = json.dumps(goldens, indent=None, separators=(",", ":"))
    (Path(folder) / "synthesis.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
