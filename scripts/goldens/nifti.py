"""Makes the NIfTI fixtures of crates/data/tests/data/nifti with nibabel, its reading of real files, and neighbours.npz with SciPy.

Run from the repository root:  VENTRAL_DATA=DIR python scripts/goldens/nifti.py
Needs numpy, scipy and nibabel as pinned in scripts/goldens/requirements.txt. The same versions write the same bytes.
"""
import gzip
import json
import os
import pathlib

import nibabel as nib
import numpy as np
import scipy.sparse

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "data" / "nifti"
SHAPE = (3, 4, 2, 2)
OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.3, -0.2, 0.1) @ np.diag([2.5, 2.5, 3.0]), [-10.5, 4.25, 7.0]
)


def values(dtype):
    """Numbers that use the range of the type, extremes included."""
    count = int(np.prod(SHAPE))
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        spread = np.linspace(0, 1, count) ** 3
        numbers = [int(info.min + int(s * 1000) * (int(info.max) - int(info.min)) // 1000) for s in spread]
        numbers[-1] = info.max
    else:
        numbers = np.linspace(-3, 3, count) ** 5 * 10.0 ** np.linspace(-3, 6, count)
    return np.array(numbers, dtype=dtype).reshape(SHAPE, order="F")


def save(name, data, version=1, big=False, affine=OBLIQUE, slope=None, inter=0.0, code=2, qform=None):
    """One file; `slope` and `inter` go into the header beside the numbers as they are."""
    header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(endianness=">" if big else "<")
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    header.set_data_dtype(data.dtype)
    image = kind(data, affine, header)
    image.set_sform(affine if code else None, code)
    if qform is not None:
        image.set_qform(affine, qform)
    else:
        image.set_qform(None, 0)
    header = image.header
    header.set_data_shape(data.shape)
    header.set_data_offset(352 if version == 1 else 544)
    header["magic"] = header.single_magic
    if slope is not None:
        header["scl_slope"], header["scl_inter"] = slope, inter
    else:
        header["scl_slope"], header["scl_inter"] = 1, 0
    raw = data.astype(data.dtype.newbyteorder(">" if big else "<")).tobytes(order="F")
    whole = header.binaryblock + bytes(4) + raw
    path = OUT / name
    path.write_bytes(gzip.compress(whole, mtime=0) if name.endswith(".gz") else whole)
    return path


def described(path):
    image = nib.load(path)
    shape = image.shape + (1,) * (4 - len(image.shape))
    data = np.asarray(image.get_fdata(dtype=np.float64)).reshape(shape, order="F").astype(np.float32)
    flat = data.reshape(-1, order="F").astype(np.float64)
    weights = np.arange(flat.size) % 97 + 1
    return {
        "shape": list(shape),
        "affine": image.affine.tolist(),
        "sum": float(flat.sum()),
        # Notices an order of voxels that is not the file's.
        "weighted": float((flat * weights).sum()),
        "absolute": float(np.abs(flat).sum()),
    }


def neighbours():
    lists = np.zeros((6, 6))
    lists[0, [0, 1]] = lists[2, [1, 2, 3]] = lists[5, 5] = 1
    scipy.sparse.save_npz(OUT.parent / "neighbours.npz", scipy.sparse.csr_matrix(lists))


def main():
    OUT.mkdir(exist_ok=True)
    neighbours()
    types = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float32, np.float64]
    paths = []
    for index, dtype in enumerate(types):
        name = np.dtype(dtype).name
        paths.append(save(f"{name}.nii.gz", values(dtype), version=1 + index % 2, big=index % 3 == 0))
    short = values(np.int16)
    paths += [
        save("scaled.nii", short, slope=0.25, inter=-100.5),
        save("scaled_big.nii.gz", short, big=True, slope=0.25, inter=-100.5),
        save("scaled_2_big.nii", short, version=2, big=True, slope=0.25, inter=-100.5),
        save("slope_zero.nii", short, slope=0.0, inter=7.0),
        save("qform.nii.gz", short[..., 0], code=0, qform=1),
        save("qform_left.nii.gz", short[..., 0], code=0, qform=1, affine=OBLIQUE @ np.diag([-1, 1, 1, 1])),
        save("sizes_only.nii.gz", short[..., 0], code=0),
        save("three_axes.nii.gz", short[..., 0]),
        save("five_axes_of_one.nii.gz", short.reshape(SHAPE + (1, 1))),
        save("five_axes.nii.gz", short.reshape((3, 2, 2, 2, 2))),
        save("complex.nii.gz", short.astype(np.complex64)),
    ]
    unread = {"five_axes.nii.gz", "complex.nii.gz"}
    golden = {path.name: described(path) for path in paths if path.name not in unread}
    real = {}
    data = os.environ.get("VENTRAL_DATA")
    if data:
        for path in sorted(pathlib.Path(data, "nifti-samples").glob("*.nii*")):
            real[path.name] = described(path)
    (OUT / "golden.json").write_text(json.dumps({"made": golden, "real": real}, indent=1) + "\n")


main()
