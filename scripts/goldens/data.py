"""Makes the fixtures of crates/data/tests/data with the reference's own libraries.

Run from the repository root:  python scripts/goldens/data.py
Needs numpy, scipy, pillow, xarray, netCDF4 and pandas as pinned in scripts/goldens/requirements.txt.
The same versions write the same arrays; NetCDF and zip files may differ in time stamps.
"""
import json
import pathlib
import struct
import zipfile

import netCDF4
import numpy as np
import pandas as pd
import scipy.io
import xarray as xr
from PIL import Image

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "data"


def recording():
    """3 stimuli, up to 3 repetitions, presented out of order; one stimulus lacks the third repetition."""
    order = [("b", 2), ("a", 1), ("c", 1), ("b", 1), ("a", 3), ("c", 3), ("a", 2), ("c", 2)]
    rng = np.random.RandomState(3)
    values = rng.rand(len(order), 4, 1).round(3)
    values[2, 1, 0] = np.nan
    objects = {"a": "chair", "b": "äpfel", "c": "dog"}
    return xr.DataArray(
        values,
        dims=["presentation", "neuroid", "time_bin"],
        coords={
            "stimulus_id": ("presentation", [s for s, _ in order]),
            "object_name": ("presentation", [objects[s] for s, _ in order]),
            "repetition": ("presentation", [r for _, r in order]),
            "neuroid_id": ("neuroid", [f"n{i}" for i in range(4)]),
            "region": ("neuroid", ["V4", "IT", "IT", "V4"]),
            "depth_mm": ("neuroid", [0.5, np.nan, 1.5, 2.0]),
            "kept": ("neuroid", [True, False, True, True]),
            "time_bin_start": ("time_bin", [70]),
            "time_bin_end": ("time_bin", [170]),
        },
        name="data",
        attrs={"identifier": "test.Recording"},
    )


def assemblies():
    data = recording()
    path = OUT / "recording.nc"
    data.to_netcdf(path, encoding={"data": {"zlib": True, "shuffle": True}})
    xr.DataArray([1.0, 2.0], dims=["event"], name="data").to_netcdf(path, mode="a", group="spikes")
    keys = [c for c in data.coords if data[c].dims == ("presentation",) and c != "repetition"]
    index = pd.MultiIndex.from_arrays([data[k].values for k in keys], names=keys)
    frame = pd.DataFrame(data.values[:, :, 0], index=index, columns=data["neuroid_id"].values)
    mean = frame.groupby(level=list(range(len(keys))), sort=True).mean()
    golden = {
        "values": [None if np.isnan(v) else v for v in data.values.ravel()],
        "coordinates": keys,
        "averaged_rows": [list(row) for row in mean.index],
        "averaged": mean.values.tolist(),
    }
    (OUT / "recording.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1))

    with netCDF4.Dataset(OUT / "odd.nc", "w") as f:
        f.createDimension("choice", 2)
        f.createDimension("presentation", 3)
        v = f.createVariable("__xarray_dataarray_variable__", ">i2", ("choice", "presentation"), fill_value=-1)
        v[:] = np.array([[1, 2, -1], [4, 5, 6]])
        v.coordinates = "choice_ image_id weight"
        c = f.createVariable("choice_", str, ("choice",))
        c[:] = np.array(["dog", "cat"], dtype=object)
        i = f.createVariable("image_id", str, ("presentation",))
        i[:] = np.array(["001", "002", "003"], dtype=object)
        w = f.createVariable("weight", ">f4", ("presentation",))
        w[:] = [0.5, 0.25, 2.0]


def bomb():
    """A few kilobytes that claim 800 MB: chunks that were never written."""
    with netCDF4.Dataset(OUT / "bomb.nc", "w") as f:
        f.createDimension("presentation", 100000)
        f.createDimension("neuroid", 1000)
        f.createVariable("data", "f8", ("presentation", "neuroid"), zlib=True, chunksizes=(1000, 1000))


def pil_rgb(path):
    """The reference's rule (spec 2.4): modes with L, A or P are pasted on black, alpha dropped."""
    with Image.open(path) as image:
        if image.mode in ("L", "LA", "P", "PA", "RGBA") or any(c in image.mode for c in "LAP"):
            canvas = Image.new("RGB", image.size)
            canvas.paste(image)
            return np.asarray(canvas)
        return np.asarray(image.convert("RGB"))


def photo(rng, h, w):
    y, x = np.mgrid[0:h, 0:w]
    base = np.stack([127 + 120 * np.sin(x / 5 + y / 9), 127 + 90 * np.cos(x / 7), 255 * y / h], -1)
    return np.clip(base + rng.normal(0, 12, (h, w, 3)), 0, 255).astype(np.uint8)


def images():
    folder = OUT / "images"
    folder.mkdir(exist_ok=True)
    rng = np.random.RandomState(5)
    rgb = photo(rng, 37, 45)
    alpha = rng.randint(0, 256, (37, 45), dtype=np.uint8)
    image = Image.fromarray(rgb)
    saved = {
        "jpeg_420.jpg": lambda p: image.save(p, quality=85, subsampling=2),
        "jpeg_422.jpg": lambda p: image.save(p, quality=85, subsampling=1),
        "jpeg_444.jpg": lambda p: image.save(p, quality=95, subsampling=0),
        "jpeg_progressive.jpg": lambda p: image.save(p, quality=70, progressive=True),
        "jpeg_gray.jpg": lambda p: image.convert("L").save(p, quality=80),
        "png_rgb.png": lambda p: image.save(p),
        "png_rgba.png": lambda p: Image.fromarray(np.dstack([rgb, alpha])).save(p),
        "png_l.png": lambda p: image.convert("L").save(p),
        "png_la.png": lambda p: Image.merge("LA", [image.convert("L"), Image.fromarray(alpha)]).save(p),
        "png_p.png": lambda p: image.quantize(17).save(p),
        "png_p_transparent.png": lambda p: image.quantize(17).save(p, transparency=3),
        "bmp_rgb.bmp": lambda p: image.save(p),
        "tiff_rgb.tif": lambda p: image.save(p),
        "webp_rgb.webp": lambda p: image.save(p, lossless=True),
    }
    expected = {}
    for name, save in saved.items():
        save(folder / name)
        expected[name] = pil_rgb(folder / name)
    np.savez_compressed(OUT / "images.npz", **expected)
    image.convert("CMYK").save(folder / "jpeg_cmyk.jpg")
    Image.fromarray((np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)).save(folder / "png_gray16.png")
    with zipfile.ZipFile(OUT / "stimuli.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for name in ("png_rgb.png", "jpeg_420.jpg", "png_l.png"):
            z.write(folder / name, name)
    (OUT / "stimuli.csv").write_text(
        "stimulus_id,filename,object_name,size\n007,jpeg_420.jpg,dog,1.5\n010,png_l.png,cat,\n9,png_rgb.png,dog,2\n"
    )


def arrays():
    x = np.arange(24, dtype=np.float64).reshape(4, 3, 2) / 7
    np.save(OUT / "f64.npy", x)
    np.save(OUT / "f32_fortran.npy", np.asfortranarray(x[:, :, 0].astype(np.float32)))
    np.save(OUT / "i16_big.npy", np.arange(6, dtype=">i2").reshape(2, 3))
    np.save(OUT / "f16.npy", x[:, :, 0].astype(np.float16))
    np.savez_compressed(OUT / "layers.npz", stimulus_id=np.array(["a", "bö", "c", "d"]), conv1=x.astype(np.float32), fc=x[:, 0])
    tensors = {"conv1": x.astype("<f4"), "fc": x[:, 0].astype("<f2")}
    header, body = {"__metadata__": {"stimulus_id": json.dumps(["a", "b", "c", "d"])}}, b""
    for name, t in tensors.items():
        raw = np.ascontiguousarray(t).tobytes()
        kind = {"f4": "F32", "f2": "F16"}[t.dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (OUT / "layers.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)


def matlab():
    structs = np.zeros((1, 3), dtype=[("name", object), ("image", object), ("RDM", object)])
    for i in range(3):
        structs[0, i] = (f"stimulus {i}", np.full((2, 3, 3), i, np.uint8), np.arange(3) + i / 4)
    cells = np.empty((3, 1), dtype=object)
    for i, name in enumerate(["chair", "dög", ""]):
        cells[i, 0] = name
    folds = np.empty((1, 2), dtype=object)
    folds[0, 0], folds[0, 1] = cells[:2], cells[2:]
    content = {
        "matrix": np.arange(6, dtype=np.float64).reshape(2, 3) / 3,
        "single": np.arange(4, dtype=np.float32).reshape(1, 4),
        "labels": np.array([[1, 2, 2]], dtype=np.int32),
        "flag": np.array([[True, False]]),
        "stimuli": structs,
        "names": cells,
        "folds": folds,
        "one": {"betas": np.ones((2, 2)), "inner": {"deep": np.array([[7.0]])}},
        "rows": np.array(["abc", "de "]),
    }
    scipy.io.savemat(OUT / "plain.mat", content, do_compression=False)
    scipy.io.savemat(OUT / "compressed.mat", content, do_compression=True)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    assemblies()
    bomb()
    images()
    arrays()
    matlab()
    print(*sorted(f"{p.relative_to(OUT)} {p.stat().st_size}" for p in OUT.rglob("*") if p.is_file()), sep="\n")


if __name__ == "__main__":
    main()
