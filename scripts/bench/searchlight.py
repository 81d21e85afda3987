"""BrainIAK and rsatoolbox on the data of the `searchlight` benchmark, and the tables that compare them with ours.

    searchlight.py DIR OURS [CENTRES]    OURS holds the lines of our run; rsatoolbox computes CENTRES (or `all`) centres

Processor seconds of one process and one BLAS thread. BrainIAK gets what its users write: a NumPy RSM and correlations with
12 layers in each inclusive ball. rsatoolbox has its own spheres (strict, complete ones only), RDMs and evaluation.
"""

import contextlib
import io
import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")

SHAPE = (64, 64, 36)
RADIUS = 3


class Data:
    def __init__(self, directory, images):
        self.images = images
        self.patterns = np.load(directory / f"patterns{images}.npy")
        self.layers = np.load(directory / f"layers{images}.npy")
        voxels = np.load(directory / "voxels.npy").astype(int)
        # x runs fastest in linear indices.
        self.places = np.unravel_index(voxels, SHAPE, order="F")
        self.mask = np.zeros(SHAPE, bool)
        self.mask[self.places] = True
        self.volumes = np.zeros((*SHAPE, images), np.float32)
        self.volumes[self.places] = self.patterns
        self.row = np.full(SHAPE, -1)
        self.row[self.places] = np.arange(len(voxels))


def brainiak(data, ranks):
    from brainiak.searchlight.searchlight import Ball, Searchlight
    from scipy.stats import rankdata

    upper = np.triu_indices(data.images, 1)

    def standardised(v):
        v = rankdata(v, axis=-1) if ranks else v
        v = v - v.mean(-1, keepdims=True)
        return v / np.linalg.norm(v, axis=-1, keepdims=True)

    targets = standardised(data.layers)

    def local(subjects, mask, radius, shared):
        # Almost equal similarities change ranks in f32: ranks of 16 images would differ by 7e-4.
        x = subjects[0][mask.astype(bool)].astype(np.float64 if ranks else np.float32)
        x = x - x.mean(0)
        x /= np.linalg.norm(x, axis=0)
        return shared @ standardised((x.T @ x)[upper])

    start = time.process_time()
    light = Searchlight(sl_rad=RADIUS, shape=Ball, min_active_voxels_proportion=0)
    light.distribute([data.volumes], data.mask)
    light.broadcast(targets)
    found = light.run_searchlight(local, pool_size=1)
    seconds = time.process_time() - start
    rows = np.array([np.full(len(targets), np.nan) if v is None else v for v in found[data.places]])
    return seconds, rows


def rsatoolbox(data, method, wanted):
    from rsatoolbox.inference import eval_fixed
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs
    from rsatoolbox.util.searchlight import (
        evaluate_models_searchlight,
        get_searchlight_RDMs,
        get_volume_searchlight,
    )

    flat = data.volumes.reshape(-1, data.images).T
    models = [ModelFixed(f"layer{k}", RDMs(1 - v[None])) for k, v in enumerate(data.layers)]
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        start = time.process_time()
        centres, neighbours = get_volume_searchlight(data.mask, radius=RADIUS, threshold=1.0)
        spheres = time.process_time() - start
        step = 1 if wanted == "all" else max(1, len(centres) // int(wanted))
        some = np.arange(0, len(centres), step)
        start = time.process_time()
        rdms = get_searchlight_RDMs(flat, centres[some], [neighbours[k] for k in some], np.arange(data.images))
        results = evaluate_models_searchlight(rdms, models, eval_fixed, method=method, n_jobs=1)
        rest = time.process_time() - start
    values = np.array([result.evaluations.reshape(len(models)) for result in results])
    rows = data.row.reshape(-1)[centres[some]]
    return spheres + rest * len(centres) / len(some), values, rows, len(centres), len(some)


def main(directory, ours_path, wanted):
    directory = Path(directory)
    lines = [json.loads(line) for line in Path(ours_path).read_text().splitlines()]
    gemm = lines[0]["gemm_gflop_per_s"]
    # Whole maps come before the parts of the scaling table.
    whole = [line for line in lines if line.get("map") and line["radius"] == RADIUS and line["centres"] > 30000]
    ours = {(line["images"], line["map"], line["edge"]): line for line in whole}

    def of(images, comparison, edge):
        return np.load(directory / f"ours_{comparison}_{edge}_{images}.npy")

    print("| map | ours (CPU-s) | BrainIAK (CPU-s) | ratio | rsatoolbox (CPU-s) | ratio | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for images, comparison in [(16, "pearson"), (92, "pearson"), (16, "spearman"), (92, "spearman")]:
        data = Data(directory, images)
        seconds = ours[images, comparison, "inclusive"]["cpu_s"]
        peer, rows = brainiak(data, comparison == "spearman")
        difference = np.nanmax(np.abs(rows - of(images, comparison, "inclusive")))
        cells = [f"{images} images, {comparison}", f"{seconds:.3f}", f"{peer:.1f}", f"{peer / seconds:.0f}"]
        share = wanted if comparison == "pearson" or wanted == "all" else int(wanted) // 4
        peer, rows, places, centres, some = rsatoolbox(data, "corr" if comparison == "pearson" else "spearman", share)
        strict = of(images, comparison, "strict")[places]
        against = ours[images, comparison, "strict"]["cpu_s"] * centres / len(data.patterns)
        cells += [f"{peer:.0f} ({centres:,} centres, {some:,} computed)", f"{peer / against:.0f}"]
        cells.append(f"{difference:.1e}, {np.abs(rows - strict).max():.1e}")
        print("| " + " | ".join(cells) + " |", flush=True)

    print(f"\nGEMM of one thread: {gemm:.0f} Gflop/s; peak memory of the peers: "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB\n")
    print("| map | images | centres | radius | CPU-s | µs per centre | Gflop/s | share of GEMM | MB beyond the data |")
    print("|---|---|---|---|---|---|---|---|---|")
    for line in lines:
        if "map" in line and line["edge"] == "inclusive":
            each = line["cpu_s"] / line["centres"] * 1e6
            print(f"| {line['map']} | {line['images']} | {line['centres']:,} | {line['radius']:.0f} | {line['cpu_s']:.3f} | {each:.1f} "
                  f"| {line['gflop_per_s']:.0f} | {line['share_of_gemm']:.2f} | {line['extra_mb']:.1f} |")
    print()
    for line in lines:
        if not {"map", "gemm_gflop_per_s"} & line.keys():
            print(", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in line.items()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "1000")
