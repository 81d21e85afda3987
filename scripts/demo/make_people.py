"""Simulated people for the demo: which of two categories does a picture show?

    python scripts/demo/make_people.py examples/demo

They see what layer block5 of convnet_trained sees: a ridge classifier of its features gives every picture evidence for every
category, fitted on views 1 to 7 of each object. On a trial a person takes the category with more evidence, after normal noise, and
answers at random on 2 % of the trials. Writes the trials (views 8 to 10), and a table of the pictures that says what they are for.
"""

import csv
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

LAYER = "block5"
SEED = 21
REPEATS = 8
NOISE = 1.5
LAPSES = 0.02
PENALTY = 1e4
FITTED_VIEWS = 7


def features(folder, rows):
    model = onnx.load(folder / "models/convnet_trained/convnet_trained.onnx")
    model.graph.output.append(onnx.ValueInfoProto(name=LAYER))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    archive = zipfile.ZipFile(folder / "stimulus_demo.zip")
    out = []
    for row in rows:
        image = Image.open(io.BytesIO(archive.read(row["filename"]))).convert("RGB").resize((64, 64), Image.BILINEAR)
        x = (np.asarray(image, np.float32) / 255 - 0.5) / 0.5
        out.append(session.run([LAYER], {session.get_inputs()[0].name: x.transpose(2, 0, 1)[None]})[0].ravel())
    return np.array(out, float)


def evidence(x, labels, fitted):
    """Scores of a ridge classifier, in units of their own spread."""
    x = x - x[fitted].mean(0)
    targets = (labels[fitted][:, None] == np.arange(labels.max() + 1)) - 1 / (labels.max() + 1)
    gram = x[fitted] @ x[fitted].T
    weights = np.linalg.solve(gram + PENALTY * np.eye(len(gram)), targets)
    scores = x @ x[fitted].T @ weights
    return scores / scores.std()


def main(folder):
    folder = Path(folder)
    with open(folder / "stimulus_demo.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    categories = sorted({row["category_name"] for row in rows})
    labels = np.array([categories.index(row["category_name"]) for row in rows])
    fitted = np.array([int(row["stimulus_id"][-2:]) <= FITTED_VIEWS for row in rows])
    scores = evidence(features(folder, rows), labels, fitted)
    right = (scores.argmax(1) == labels)[~fitted].mean()
    print(f"the classifier names {right:.0%} of the other pictures rightly")

    with open(folder / "stimulus_demo_people.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["stimulus_id", "filename", "category_name", "object_name", "use"])
        for row, fit in zip(rows, fitted):
            cells = [row[name] for name in ("stimulus_id", "filename", "category_name", "object_name")]
            table.writerow([*cells, "fit" if fit else "test"])

    random = np.random.RandomState(SEED)
    correct = 0
    with open(folder / "people_demo.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["stimulus_id", "sample_obj", "dist_obj", "choice"])
        count = 0
        for index in np.flatnonzero(~fitted):
            sample = labels[index]
            for other in range(len(categories)):
                if other == sample:
                    continue
                for _ in range(REPEATS):
                    margin = scores[index, sample] - scores[index, other] + NOISE * np.sqrt(2) * random.randn()
                    lapse, guess = random.rand() < LAPSES, random.rand() < 0.5
                    chosen = (sample if guess else other) if lapse else (sample if margin > 0 else other)
                    correct += chosen == sample
                    count += 1
                    table.writerow([rows[index]["stimulus_id"], *(categories[i] for i in (sample, other, chosen))])
    print(f"{count} trials, {correct / count:.1%} right")


if __name__ == "__main__":
    main(*sys.argv[1:] or sys.exit(__doc__))
