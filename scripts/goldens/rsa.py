"""Goldens of RSA with subjects, in numpy and scipy: 92 images and the dissimilarities of four people (Kriegeskorte et al. 2008).

    pip install -r scripts/goldens/requirements.txt
    python scripts/goldens/rsa.py VENTRAL_DATA crates/data/tests/data

The model is every 25th pixel of the images. Each person's matrix is scored, the scores are averaged, and the mean is divided by Nili's upper
bound, as RSABenchmark of Brain-Score does; `averaged` is the score on the mean matrix, which must not be divided by it.

Also writes three small matrices in every format they are read from, to `rdms/`.
"""

import json
import sys
from pathlib import Path

import h5py
import netCDF4
import numpy as np
from scipy.io import loadmat, savemat
from scipy.stats import sem, spearmanr

GROUPS = [[0, 4], [1, 5], [2, 6], [3, 7]]


def matrices_of(subjects, stimuli):
    random = np.random.RandomState(0)
    upper = np.triu(random.rand(subjects, stimuli, stimuli), 1)
    return upper + upper.transpose(0, 2, 1)


def write_formats(folder):
    folder.mkdir(exist_ok=True)
    rdms = matrices_of(3, 12)
    pairs = rdms[(slice(None), *np.triu_indices(12, 1))]
    np.save(folder / "stack.npy", rdms)
    np.save(folder / "pairs.npy", pairs)
    np.save(folder / "one.npy", rdms[0])
    cells = np.empty(3, dtype=object)
    for i, rdm in enumerate(rdms):
        cells[i] = rdm
    savemat(folder / "level5.mat", {"stack": np.moveaxis(rdms, 0, 2), "cells": cells, "pairs": pairs})
    # As MATLAB writes level 7.3: 512 bytes before, axes reversed, cells as references.
    with h5py.File(folder / "level73.mat", "w", userblock_size=512) as file:
        put = lambda place, name, values: place.create_dataset(name, data=values).attrs.__setitem__("MATLAB_class", np.bytes_("double"))
        put(file, "stack", rdms)
        put(file, "pairs", pairs.T)
        references = file.create_group("#refs#")
        for i, rdm in enumerate(rdms):
            put(references, "abc"[i], rdm)
        pointers = np.array([[references[name].ref] for name in "abc"], dtype=h5py.ref_dtype)
        file.create_dataset("cells", data=pointers, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
        structs = file.create_group("structs")
        structs.create_dataset("rdm", data=pointers, dtype=h5py.ref_dtype)
    with (folder / "level73.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\x02IM")
    with netCDF4.Dataset(folder / "subjects.nc", "w") as file:
        for name, length in [("subject", 3), ("stimulus", 12), ("other", 12)]:
            file.createDimension(name, length)
        file.createVariable("rdms", "f8", ("subject", "stimulus", "other"), zlib=True)[:] = rdms


def main(data, folder):
    write_formats(Path(folder) / "rdms")
    source = Path(data) / "kriegeskorte92"
    stimuli = loadmat(source / "Kriegeskorte_Neuron2008_supplementalData.mat")["stimuli_92objs"][0]
    features = np.stack([s["image"][::25, ::25].astype(np.float64).ravel() for s in stimuli])
    upper = np.triu_indices(len(features), 1)
    own = (1 - np.corrcoef(features))[upper]
    matrices = loadmat(source / "92_brainRDMs.mat")["RDMs"].ravel(order="F")
    matrices = np.stack([m["RDM"].astype(np.float64)[upper] for m in matrices])
    subjects = np.stack([matrices[group].mean(0) for group in GROUPS])
    spearman = lambda a, b: float(spearmanr(a, b)[0])
    scores = [spearman(own, subject) for subject in subjects]
    mean = subjects.mean(0)
    ceiling = float(np.mean([spearman(subject, mean) for subject in subjects]))
    found = {
        "subjects": scores,
        "score": float(np.mean(scores)),
        "error": float(sem(scores)),
        "ceiling": ceiling,
        "ceiled": float(np.mean(scores)) / ceiling,
        "averaged": spearman(own, mean),
    }
    (Path(folder) / "rsa.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3] if len(sys.argv) > 2 else sys.exit(__doc__))
