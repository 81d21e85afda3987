"""Called by models.sh: times GoogLeNet with Ventral and with onnxruntime, in turns, and compares the activations."""

import io
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image

THREADS = 2
data, count, repeats = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def pictures():
    archive = zipfile.ZipFile(data / "v4-cowley" / "images_201025.zip")
    names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:count]
    opened = (Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names)
    return np.stack([np.asarray(image.resize((224, 224), Image.BILINEAR)) for image in opened])


def session(names):
    model = onnx.load(data / "models" / "googlenet.onnx")
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(engine, names, x, batch):
    start = time.perf_counter()
    parts = [engine.run(names, {"data": x[i:i + batch]}) for i in range(0, len(x), batch)]
    seconds = time.perf_counter() - start
    return len(x) / seconds, parts


with tempfile.TemporaryDirectory() as scratch:
    images, out = f"{scratch}/images.npy", f"{scratch}/out.npz"
    pixels = pictures()
    np.save(images, pixels)
    command = ["target/release/examples/forward", "models/googlenet/model.toml", str(data), images, str(THREADS), "1"]
    subprocess.run([*command, out], check=True, capture_output=True)
    ours = {name.replace("|", "/"): values for name, values in np.load(out).items()}
    names = list(ours)
    engine = session(names)
    x = pixels[:, :, :, ::-1].astype(np.float32) - np.array([104, 117, 123], np.float32)
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    best = {"ventral": 0.0, "onnxruntime, batch 1": 0.0, "onnxruntime, batch 8": 0.0}
    for _ in range(repeats):
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        best["ventral"] = max(best["ventral"], float(ran.stdout))
        for batch in (1, 8):
            speed, parts = run(engine, names, x, batch)
            key = f"onnxruntime, batch {batch}"
            best[key] = max(best[key], speed)

for name, speed in best.items():
    print(f"{name}: {speed:.1f} images/s on {THREADS} threads")
print(f"ratio: {best['ventral'] / best['onnxruntime, batch 1']:.2f} of batch 1, {best['ventral'] / best['onnxruntime, batch 8']:.2f} of batch 8")
worst = 0.0
for index, name in enumerate(names):
    theirs = np.concatenate([part[index].reshape(len(part[index]), -1) for part in parts])
    worst = max(worst, float(np.abs(ours[name] - theirs).max() / np.abs(theirs).max()))
print(f"largest difference: {worst:.1e} of the layer's largest value, over {len(names)} layers and {count} images")
