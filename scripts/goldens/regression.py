"""Goldens of the metrics crate: scikit-learn's PLS, ridge, RidgeCV and least squares; neuron-to-neuron in numpy.

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/regression.py crates/metrics/tests/data [googlenet.onnx]

With the Caffe GoogLeNet (as ONNX) it also writes a case on real features, of pictures that this script draws.
Features and responses are whole numbers divided by a power of two, so that the files are short and exact.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

ALPHA_LIST = [
    0.01, 0.1, 0.5, 1,
    *np.linspace(1e1, 1e2, 4, endpoint=False),
    *np.linspace(1e2, 1e3, 18, endpoint=False),
    *np.linspace(1e3, 1e4, 18, endpoint=False),
    *np.linspace(1e4, 1e5, 18, endpoint=False),
    *np.linspace(1e5, 1e6, 18, endpoint=False),
    *np.linspace(1e6, 1e7, 19, endpoint=True),
]  # fmt: skip


def whole(values, scale):
    return np.rint(np.asarray(values) * scale).astype(int)


def case(name, x, y, x_scale, train, components=25):
    """Fits everything on `train`, predicts the other rows. x and y are whole numbers, y in 1/1024."""
    test = [i for i in range(len(x)) if i not in set(train)]
    features, responses = x / x_scale, y / 1024
    fit = (features[train], responses[train])
    rows = features[test]
    pls = PLSRegression(n_components=components, scale=False).fit(*fit)
    ridge_cv = RidgeCV(alphas=ALPHA_LIST).fit(*fit)
    shape = (len(test), y.shape[1])
    return {
        "name": name,
        "x": x.tolist(),
        "x_scale": x_scale,
        "y": y.tolist(),
        "train": [int(i) for i in train],
        "test": test,
        "components": components,
        "pls": pls.predict(rows).reshape(shape).tolist(),
        "pls_iterations": [int(n) for n in pls.n_iter_],
        "ridge": Ridge(alpha=1).fit(*fit).predict(rows).reshape(shape).tolist(),
        "ridge_cv": ridge_cv.predict(rows).reshape(shape).tolist(),
        "ridge_cv_alpha": float(ridge_cv.alpha_),
        "linear": LinearRegression().fit(*fit).predict(rows).reshape(shape).tolist(),
    }


def responses_of(rng, features, neuroids, noise):
    weights = rng.normal(size=(features.shape[1], neuroids)) / np.sqrt(features.shape[1])
    signal = (features - features.mean(0)) @ weights
    return whole(signal + noise * rng.normal(size=signal.shape), 1024)


def random_cases():
    rng = np.random.RandomState(2018)

    def features(n, p, decay):
        latent = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -decay
        return latent @ np.linalg.qr(rng.normal(size=(p, p)))[0] * 4

    def training(n, m):
        return rng.permutation(n)[:m]

    x = whole(features(50, 120, 0.5), 256)
    yield case("more features than stimuli", x, responses_of(rng, x / 256, 6, 0.3), 256, training(50, 42))
    x = whole(features(90, 32, 0.5), 256)
    yield case("fewer features than stimuli", x, responses_of(rng, x / 256, 5, 0.3), 256, training(90, 75))
    x = whole(features(40, 60, 0.3), 256)
    yield case("one neuroid", x, responses_of(rng, x / 256, 1, 0.3), 256, training(40, 34))
    x = whole(features(40, 60, 0.3), 256)
    y = responses_of(rng, x / 256, 5, 0.3)
    y[:, [0, 3]] = [717, 100 * 1024 + 1]
    yield case("constant neuroids", x, y, 256, training(40, 34))
    x = features(60, 25, 0.3)
    x = whole(np.hstack([x, x + 1e-2 * rng.normal(size=x.shape)]), 4096)
    yield case("nearly collinear features", x, responses_of(rng, x / 4096, 5, 0.3), 4096, training(60, 52))
    x = whole(features(48, 80, 0.5) + 1e4, 64)
    yield case("features with a large mean", x, responses_of(rng, x / 64 - 1e4, 4, 0.3), 64, training(48, 40))


def picture(rng, size=224):
    """A grating, a disc and a bar at random on a random background."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    angle, cycles, phase = rng.uniform(0, np.pi), rng.uniform(3, 25), rng.uniform(0, 2 * np.pi)
    wave = np.sin(2 * np.pi * cycles * (rows * np.sin(angle) + columns * np.cos(angle)) + phase)
    image = rng.uniform(60, 190, 3) + wave[..., None] * rng.uniform(-60, 60, 3)
    y, x, radius = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.3)
    image[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = rng.uniform(0, 255, 3)
    y, x = rng.uniform(0, 0.7), rng.uniform(0, 0.7)
    height, width = rng.uniform(0.05, 0.5, 2)
    image[(rows > y) & (rows < y + height) & (columns > x) & (columns < x + width)] = rng.uniform(0, 255, 3)
    return np.clip(image, 0, 255)


def googlenet_case(model, layer="pool5/7x7_s1"):
    import onnx
    import onnxruntime

    graph = onnx.load(model)
    del graph.graph.output[:]
    graph.graph.output.append(onnx.ValueInfoProto(name=layer))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    rng = np.random.RandomState(7)
    images = np.stack([picture(rng) for _ in range(48)])
    inputs = (images[..., ::-1] - (104, 117, 123)).transpose(0, 3, 1, 2).astype(np.float32)
    features = np.concatenate([session.run(None, {"data": image[None]})[0] for image in inputs])
    features = whole(features.reshape(len(features), -1)[:, :512], 64)
    y = responses_of(rng, features / 64, 6, 0.05)
    return case("GoogLeNet " + layer, features, y, 64, rng.permutation(48)[:40])


def neuron_to_neuron():
    """Signed correlation with every feature on the training rows, best feature's correlation on the test rows."""
    rng = np.random.RandomState(5)
    x = rng.randint(-50, 50, size=(30, 40))
    x[:, 7] = 3
    x[:, 20] = x[:, 9]
    y = x[:, [9, 3, 30, 11]] * 20 + rng.randint(-900, 900, size=(30, 4))
    y[:, 3] *= -1
    splits, scores, chosen = [], [], []
    for _ in range(3):
        order = rng.permutation(30)
        train, test = order[:22], order[22:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            best = [
                int(np.nanargmax([np.corrcoef(feature, neuron)[0, 1] for feature in x[train].T]))
                for neuron in y[train].T
            ]
        splits.append({"train": train.tolist(), "test": test.tolist()})
        chosen.append(best)
        scores.append([np.corrcoef(x[test, f], y[test, k])[0, 1] for k, f in enumerate(best)])
    return {"x": x.tolist(), "y": y.tolist(), "splits": splits, "chosen": chosen, "scores": scores}


def main():
    directory = Path(sys.argv[1])
    write = {"regression.json": list(random_cases()), "neuron_to_neuron.json": neuron_to_neuron()}
    if len(sys.argv) > 2:
        write["regression_googlenet.json"] = [googlenet_case(sys.argv[2])]
    for name, value in write.items():
        (directory / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
