"""Makes crates/models/tests/data: a small ONNX model with every tensor's value by onnxruntime, and images resized by PIL.

    python scripts/goldens/models.py crates/models/tests/data [DATA_DIRECTORY]

With a data directory it also makes googlenet.npz: sampled activations of the real GoogLeNet to a picture made here.
"""

import io
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)


def integers(n, seed):
    """The same integers on every platform and numpy version."""
    state, values = np.uint64(seed), np.empty(n, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(n):
            state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            values[i] = state >> np.uint64(33)
    return values


def weights(shape, seed, scale=1.0):
    values = integers(int(np.prod(shape)), seed) % 2001
    return ((values.astype(np.float64) - 1000.0) / 1000.0 * scale).astype(np.float32).reshape(shape)


def photo(height, width, seed):
    """Smooth shapes and noise: both matter to a resampling filter."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 5.0 + seed), np.cos(y / 7.0 + seed), np.sin((x + y) / 3.0)], axis=-1) * 60 + 128
    noise = (integers(height * width * 3, seed + 1) % 101).reshape(height, width, 3).astype(np.float64) - 50
    return np.clip(np.rint(waves + noise), 0, 255).astype(np.uint8)


def tiny_model():
    init = {
        "conv1.w": weights((8, 3, 3, 3), 1, 0.3), "conv1.b": weights((8,), 2, 0.1),
        "conv2.w": weights((12, 8, 3, 3), 3, 0.2), "conv2.b": weights((12,), 4, 0.1),
        "fc.w": weights((5, 12), 5, 0.5), "fc.b": weights((5,), 6, 0.1),
    }
    nodes = [
        helper.make_node("Conv", ["data", "conv1.w", "conv1.b"], ["conv1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv1"], ["block_a/output"], name="block_a/output"),
        helper.make_node("LRN", ["block_a/output"], ["norm1"], size=5, alpha=0.1, beta=0.75, bias=1.0),
        helper.make_node("LRN", ["norm1"], ["norm2"], size=3, alpha=0.2, beta=0.6, bias=2.0),
        helper.make_node("MaxPool", ["norm2"], ["pool1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["pool1", "conv2.w", "conv2.b"], ["conv2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Mish", ["conv2"], ["mish"]),
        helper.make_node("Selu", ["mish"], ["block_b/output"]),
        helper.make_node("Shape", ["block_b/output"], ["shape"]),
        helper.make_node("GlobalAveragePool", ["block_b/output"], ["gap"]),
        helper.make_node("Dropout", ["gap"], ["drop"]),
        helper.make_node("Flatten", ["drop"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc.w", "fc.b"], ["fc"], transB=1),
        helper.make_node("Softmax", ["fc"], ["prob"]),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("prob", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(value, name) for name, value in init.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def save(model, name):
    (out / name).write_bytes(model.SerializeToString())


def tiny():
    model = tiny_model()
    save(model, "tiny.onnx")
    images = np.stack([photo(16, 16, seed) for seed in (10, 20, 30)])
    x = (images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
    names = [o for n in model.graph.node for o in n.output if o != "shape"]
    session = with_all_outputs(model, names)
    values = dict(zip(names, session.run(names, {"data": x})))
    arrays = {f"tensor:{name}": value.reshape(3, -1) for name, value in values.items()}
    np.savez(out / "tiny.npz", images=images, **arrays)

    (out / "external.bin").unlink(missing_ok=True)
    external = onnx.ModelProto()
    external.CopyFrom(model)
    onnx.save(external, out / "external.onnx", save_as_external_data=True, location="external.bin", size_threshold=64)

    bad = onnx.ModelProto()
    bad.CopyFrom(model)
    bad.graph.node[6].op_type = "Hardmax"
    bad.graph.node[6].name = "the_node"
    save(bad, "unsupported.onnx")


def images():
    arrays = {}
    for k, (h, w, height, width) in enumerate([(53, 37, 16, 16), (40, 40, 20, 20), (31, 47, 29, 23), (16, 16, 37, 50), (9, 64, 24, 24), (8, 8, 8, 8)]):
        source = photo(h, w, 100 + k)
        arrays[f"resize{k}:in"] = source
        arrays[f"resize{k}:out"] = np.asarray(Image.fromarray(source).resize((width, height), Image.BILINEAR))
    for k, (h, w, side, crop) in enumerate([(53, 37, 24, 21), (30, 61, 18, 18)]):
        source = photo(h, w, 200 + k)
        short = min(h, w)
        size = (side, side * w // short) if h <= w else (side * h // short, side)
        resized = np.asarray(Image.fromarray(source).resize((size[1], size[0]), Image.BILINEAR))
        top, left = round((size[0] - crop) / 2), round((size[1] - crop) / 2)
        arrays[f"shorter{k}:in"] = source
        arrays[f"shorter{k}:out"] = resized[top:top + crop, left:left + crop]
        arrays[f"shorter{k}:rule"] = np.array([side, crop], np.int64)
    for k, (h, w, target, source_degrees) in enumerate([(21, 30, 10, 8), (21, 30, 4, 8), (15, 15, 8, 6), (33, 17, 8, 11), (5, 7, 12, 8)]):
        source = photo(h, w, 300 + k)
        ratio = target / source_degrees
        size = (ratio * np.array([w, h])).round().astype(int)
        picture = Image.fromarray(source)
        if ratio >= 1:
            screen = Image.new("RGB", tuple(int(s) for s in size), "gray")
            corner = ((size - [w, h]) / 2).round().astype(int)
            screen.paste(picture, tuple(int(c) for c in corner))
        else:
            left, upper = ((np.array([w, h]) - size) / 2).round().astype(int)
            screen = picture.crop((left, upper, left + size[0], upper + size[1]))
        arrays[f"screen{k}:in"] = source
        arrays[f"screen{k}:out"] = np.asarray(screen)
        arrays[f"screen{k}:degrees"] = np.array([target, source_degrees], np.float64)
    np.savez(out / "images.npz", **arrays)


def with_all_outputs(model, names):
    full = onnx.ModelProto()
    full.CopyFrom(model)
    del full.graph.output[:]
    full.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names)
    return onnxruntime.InferenceSession(full.SerializeToString(), providers=["CPUExecutionProvider"])


def googlenet(data):
    model = onnx.load(data / "models" / "googlenet.onnx")
    names = [
        "conv1/relu_7x7", "pool1/3x3_s2", "pool1/norm1", "conv2/relu_3x3_reduce", "conv2/relu_3x3", "conv2/norm2",
        "pool2/3x3_s2", "inception_3a/output", "inception_3b/output", "pool3/3x3_s2", "inception_4a/output",
        "inception_4b/output", "inception_4c/output", "inception_4d/output", "inception_4e/output", "pool4/3x3_s2",
        "inception_5a/output", "inception_5b/output", "pool5/7x7_s1", "loss3/classifier",
    ]
    image = photo(224, 224, 7)
    x = image[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) - np.array([104, 117, 123], np.float32)[None, :, None, None]
    values = with_all_outputs(model, names).run(names, {"data": np.ascontiguousarray(x)})
    arrays = {"image": image}
    for k, (name, value) in enumerate(zip(names, values)):
        value = value.reshape(-1)
        features = np.unique(integers(64, 1000 + k) % value.size).astype(np.int64)
        arrays[f"features:{name}"] = features
        arrays[f"values:{name}"] = value[features]
        arrays[f"scale:{name}"] = np.array([np.abs(value).max()], np.float32)
    np.savez(out / "googlenet.npz", **arrays)


tiny()
images()
if len(sys.argv) > 2:
    googlenet(pathlib.Path(sys.argv[2]))
