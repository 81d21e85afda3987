"""A small convolutional network: its training in JAX and its ONNX export."""

import jax
import jax.numpy as jnp
import numpy as np

from graph import Graph

INPUT_SIZE = 64
STAGES = (
    ("conv1", 24, 5, 2, False),
    ("block2", 40, 3, 2, False),
    ("block3", 64, 3, 1, True),
    ("block4", 96, 3, 1, True),
    ("block5", 128, 3, 1, False),
)
"""(name, output channels, kernel, stride, max pooling by two afterwards); the layer is the rectified output before pooling."""
EPOCHS = 24
BATCH = 96
RATE = 3e-3
DECAY = 1e-3
SMOOTHING = 0.05
MOMENTUM = 0.95
EPSILON = 1e-5


def initial(seed, classes):
    """He-initialised weights, batch normalisation at identity; every array is float32."""
    rng = np.random.default_rng(seed)
    weights, channels = {}, 3
    for name, width, kernel, _, _ in STAGES:
        deviation = np.sqrt(2 / (channels * kernel * kernel))
        weights[name] = {
            "weight": rng.normal(0, deviation, (width, channels, kernel, kernel)).astype(np.float32),
            "gain": np.ones(width, np.float32),
            "bias": np.zeros(width, np.float32),
        }
        channels = width
    readout = rng.normal(0, np.sqrt(1 / channels), (channels, classes)).astype(np.float32)
    weights["logits"] = {"weight": readout, "bias": np.zeros(classes, np.float32)}
    statistics = {name: (np.zeros(width, np.float32), np.ones(width, np.float32)) for name, width, *_ in STAGES}
    return weights, statistics


def forward(weights, statistics, x, training):
    """Logits, and the batch statistics (mean, variance) of every stage where `training`."""
    seen = {}
    for name, _, kernel, stride, pooled in STAGES:
        w = weights[name]
        pad = [(kernel // 2, kernel // 2)] * 2
        x = jax.lax.conv_general_dilated(x, w["weight"], (stride, stride), pad, dimension_numbers=("NCHW", "OIHW", "NCHW"))
        seen[name] = (x.mean((0, 2, 3)), x.var((0, 2, 3))) if training else statistics[name]
        mean, variance = seen[name]
        slope = w["gain"] / jnp.sqrt(variance + EPSILON)
        x = jax.nn.relu(x * slope[:, None, None] + (w["bias"] - mean * slope)[:, None, None])
        if pooled:
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    pool = x.mean((2, 3))
    return pool @ weights["logits"]["weight"] + weights["logits"]["bias"], seen


def normalised(pictures):
    """uint8 (N, size, size, 3) to the network's input (N, 3, size, size) in [-1, 1]."""
    return (np.moveaxis(pictures, 3, 1).astype(np.float32) / 255 - 0.5) / 0.5


def augmented(rng, x):
    """Random mirror image, shift of up to 4 pixels, brightness, contrast and colour; one in eight is grey."""
    count, _, size, _ = x.shape
    x = np.where(rng.random((count, 1, 1, 1)) < 0.5, x[..., ::-1], x)
    framed = np.pad(x, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
    corners = rng.integers(0, 9, (count, 2))
    x = np.stack([image[:, r : r + size, c : c + size] for image, (r, c) in zip(framed, corners)])
    grey = x.mean(axis=1, keepdims=True)
    x = grey + (x - grey) * np.where(rng.random((count, 1, 1, 1)) < 0.125, 0, rng.uniform(0.6, 1.4, (count, 1, 1, 1)))
    x = x * rng.uniform(0.75, 1.25, (count, 1, 1, 1)) + rng.uniform(-0.15, 0.15, (count, 3, 1, 1))
    return x.astype(np.float32)


def loss_of(weights, statistics, x, y):
    logits, seen = forward(weights, statistics, x, True)
    classes = logits.shape[1]
    wanted = jax.nn.one_hot(y, classes) * (1 - SMOOTHING) + SMOOTHING / classes
    return -(wanted * jax.nn.log_softmax(logits)).sum(axis=1).mean(), seen


@jax.jit
def step(weights, statistics, moments, x, y, rate, count):
    """One AdamW step; also moves the running statistics."""
    (loss, seen), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights, statistics, x, y)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], slopes)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], slopes)

    def move(w, m, v):
        adam = (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return w - rate * (adam + (DECAY * w if w.ndim > 1 else 0))

    weights = jax.tree.map(move, weights, first, second)
    statistics = jax.tree.map(lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, statistics, seen)
    return weights, statistics, (first, second), loss


def train(seed, pictures, labels, report):
    """Trains on uint8 pictures (N, size, size, 3) with a one-cycle cosine rate; `report(epoch, loss, weights, statistics)` after each epoch."""
    rng = np.random.default_rng(seed)
    weights, statistics = initial(seed, int(labels.max()) + 1)
    zeros = jax.tree.map(np.zeros_like, weights)
    moments, inputs = (zeros, zeros), normalised(pictures)
    batches = len(labels) // BATCH
    for epoch in range(EPOCHS):
        order, total = rng.permutation(len(labels)), 0.0
        for k in range(batches):
            rows = order[k * BATCH : (k + 1) * BATCH]
            count = epoch * batches + k + 1
            done = count / (EPOCHS * batches)
            rate = RATE * min(1.0, done / 0.1) * 0.5 * (1 + np.cos(np.pi * done))
            x = augmented(rng, inputs[rows])
            weights, statistics, moments, loss = step(weights, statistics, moments, x, labels[rows], rate, float(count))
            total += float(loss)
        report(epoch, total / batches, weights, statistics)
    return jax.tree.map(np.asarray, weights), jax.tree.map(np.asarray, statistics)


def predictions(weights, statistics, pictures):
    """The most likely class of each picture."""
    evaluate = jax.jit(lambda x: forward(weights, statistics, x, False)[0].argmax(axis=1))
    chunks = [np.asarray(evaluate(normalised(pictures[k : k + 128]))) for k in range(0, len(pictures), 128)]
    return np.concatenate(chunks)


def save_convnet(path, name, weights, statistics):
    """Exports with batch normalisation folded into the convolutions. Layers: conv1, block2 to block5, pool, logits."""
    g = Graph(name, 3, INPUT_SIZE)
    source = "image"
    for stage, _, _, stride, pooled in STAGES:
        w, (mean, variance) = weights[stage], statistics[stage]
        slope = w["gain"] / np.sqrt(variance + EPSILON)
        linear = g.conv(source, f"{stage}.linear", w["weight"] * slope[:, None, None, None], w["bias"] - mean * slope, stride)
        source = g.node("Relu", [linear], stage)
        if pooled:
            source = g.node("MaxPool", [stage], f"{stage}.pool", kernel_shape=[2, 2], strides=[2, 2])
    average = g.node("GlobalAveragePool", [source], "pool.map")
    g.node("Flatten", [average], "pool", axis=1)
    classes = weights["logits"]["bias"].shape[0]
    g.dense("pool", "logits", weights["logits"]["weight"], weights["logits"]["bias"])
    g.save(path, "logits", [classes])
