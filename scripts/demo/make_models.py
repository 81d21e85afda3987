"""Writes the three demo networks: `gabor_v1`, `convnet_trained` and `convnet_random`.

    python make_models.py ../../examples/demo/models

The training images are drawn by the same program as the stimuli, with other seeds; nothing of the stimulus set is seen in training.
The digests in the model cards that lie beside the networks are brought up to date. About fifteen minutes on one core.
"""

import argparse
import hashlib
import os
import re
import time
from pathlib import Path

# One thread, so that sums are taken in the same order on every run.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import numpy as np
import onnxruntime
from PIL import Image

import convnet
from gabor import save_gabor_v1
from objects import catalogue
from views import draw_set

TRAINING_SEED, TRAINING_VIEWS = 101, 240
HELD_OUT_SEED, HELD_OUT_VIEWS = 102, 20
DRAWN_PIXELS = 128
WEIGHT_SEED = 7
RANDOM_SEED = 8


def draw(seed, views):
    """Pictures (N, 64, 64, 3) and object numbers (N)."""
    names = [name for _, name, _ in catalogue()]
    pictures, labels = [], []
    for view, picture in draw_set(seed, views, DRAWN_PIXELS):
        small = Image.fromarray(picture).resize((convnet.INPUT_SIZE,) * 2, Image.Resampling.BILINEAR)
        pictures.append(np.asarray(small))
        labels.append(names.index(view.name))
    return np.array(pictures), np.array(labels, np.int32)


def accuracy(found, labels):
    """Fractions of correct objects and of correct categories."""
    category = np.array([c for c, _, _ in catalogue()])
    return (found == labels).mean(), (category[found] == category[labels]).mean()


def check_export(path, weights, statistics, pictures):
    """The largest difference of the exported logits from the trained network's."""
    inputs = convnet.normalised(pictures[:16])
    exported = onnxruntime.InferenceSession(path).run(["logits"], {"image": inputs})[0]
    expected = convnet.forward(weights, statistics, inputs, False)[0]
    return float(np.abs(exported - expected).max())


def seal(directory):
    """Writes the SHA-256 of each network into the card beside it."""
    for path in sorted(directory.glob("*/*.onnx")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{digest}  {path.stat().st_size:>8} bytes  {path.name}")
        card = path.with_name("model.toml")
        if card.exists():
            card.write_text(re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{digest}"', card.read_text()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory

    save_gabor_v1(directory / "gabor_v1" / "gabor_v1.onnx")
    classes = len(catalogue())
    random_weights, untouched = convnet.initial(RANDOM_SEED, classes)
    convnet.save_convnet(directory / "convnet_random" / "convnet_random.onnx", "convnet_random", random_weights, untouched)

    start = time.time()
    train_set, held_out = draw(TRAINING_SEED, TRAINING_VIEWS), draw(HELD_OUT_SEED, HELD_OUT_VIEWS)
    print(f"drew {len(train_set[1])} training and {len(held_out[1])} held-out images in {time.time() - start:.0f} s", flush=True)

    def report(epoch, loss, weights, statistics):
        objects, categories = accuracy(convnet.predictions(weights, statistics, held_out[0]), held_out[1])
        print(f"epoch {epoch + 1:2} loss {loss:.3f} held-out object {objects:.3f} category {categories:.3f} ({time.time() - start:.0f} s)", flush=True)

    weights, statistics = convnet.train(WEIGHT_SEED, *train_set, report)
    path = directory / "convnet_trained" / "convnet_trained.onnx"
    convnet.save_convnet(path, "convnet_trained", weights, statistics)
    print(f"largest difference of the exported logits: {check_export(path, weights, statistics, held_out[0]):.2e}")
    seal(directory)


if __name__ == "__main__":
    main()
