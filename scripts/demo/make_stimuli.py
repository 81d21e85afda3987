"""Writes the demo stimulus set: `stimulus_demo.csv` and `stimulus_demo.zip` (BrainIO layout: one CSV row per image, a flat archive).

    python make_stimuli.py ../../examples/demo
"""

import argparse
import csv
import hashlib
import io
import zipfile
from pathlib import Path

from PIL import Image

from views import draw_set

SEED = 2018
VIEWS_PER_OBJECT = 10
PIXELS = 128
JPEG_QUALITY = 80
EPOCH = (1980, 1, 1, 0, 0, 0)
COLUMNS = ("stimulus_id", "filename", "category_name", "object_name", "background", "size", "x", "y", "yaw", "pitch", "roll")


def jpeg(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def write_archive(path, files):
    """A zip archive of (name, bytes) whose own bytes depend on nothing else."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def row_of(view, stimulus_id):
    numbers = [f"{v:.4f}" for v in (view.size, view.x, view.y, view.yaw, view.pitch, view.roll)]
    return [stimulus_id, f"{stimulus_id}.jpg", view.category, view.name, view.background, *numbers]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)

    rows, files, counts = [], [], {}
    for view, picture in draw_set(SEED, VIEWS_PER_OBJECT, PIXELS):
        counts[view.name] = counts.get(view.name, 0) + 1
        stimulus_id = f"{view.category}_{view.name}_{counts[view.name]:02d}"
        rows.append(row_of(view, stimulus_id))
        files.append((f"{stimulus_id}.jpg", jpeg(picture)))

    with open(directory / "stimulus_demo.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    write_archive(directory / "stimulus_demo.zip", files)
    for name in ("stimulus_demo.csv", "stimulus_demo.zip"):
        content = (directory / name).read_bytes()
        print(f"{hashlib.sha256(content).hexdigest()}  {len(content):>8} bytes  {name}")


if __name__ == "__main__":
    main()
