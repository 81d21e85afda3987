"""Called by synthesis.sh: times one step of image synthesis with Ventral and with PyTorch, in turns.

A step: parameters -> images -> one transform -> GoogLeNet -> similarities of 12 layers -> objective -> gradient -> Adam. In PyTorch the
weights need no gradient, so that it does no more work than ours."""

import json
import math
import pathlib
import subprocess
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

THREADS, IMAGES, SIDE, TURNS = 2, 16, 224, 4
LAYERS = ["conv1/relu_7x7", "conv2/relu_3x3_reduce", "conv2/relu_3x3"]
LAYERS += [f"inception_{name}/output" for name in "3a 3b 4a 4b 4c 4d 4e 5a 5b".split()]
data, steps = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
rng = np.random.default_rng(0)
torch.manual_seed(0)
torch.set_num_threads(THREADS)


class GoogLeNet:
    """The ONNX graph up to the last layer, one call of torch.nn.functional per node."""

    def __init__(self, path):
        graph = onnx.load(path).graph
        self.weights = {t.name: torch.tensor(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.input = next(i.name for i in graph.input if i.name not in self.weights)
        self.nodes, missing = [], set(LAYERS)
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            self.nodes.append((node.op_type, list(node.input), node.output[0], attributes))
            missing -= set(node.output)
            if not missing:
                break

    def __call__(self, images):
        values = dict(self.weights)
        values[self.input] = images.flip(1) * 255 - torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)
        for operator, inputs, output, a in self.nodes:
            values[output] = getattr(self, operator)([values[name] for name in inputs], a)
        return [values[name] for name in LAYERS]

    def Conv(self, x, a):
        return F.conv2d(*x, stride=a.get("strides", 1), padding=a.get("pads", [0, 0])[:2])

    def Relu(self, x, a):
        return F.relu(x[0])

    def MaxPool(self, x, a):
        top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
        padded = F.pad(x[0], (left, right, top, bottom), value=-math.inf)
        return F.max_pool2d(padded, a["kernel_shape"], a["strides"], ceil_mode=bool(a.get("ceil_mode", 0)))

    def LRN(self, x, a):
        return F.local_response_norm(x[0], a["size"], a["alpha"], a["beta"], a["bias"])

    def Concat(self, x, a):
        return torch.cat(x, a["axis"])


class Synthesis:
    def __init__(self, network):
        self.network = network
        frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
        self.scale = torch.tensor(SIDE / np.maximum(frequency, 1 / SIDE), dtype=torch.float32)
        colours = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]])
        self.colours = colours / colours.norm(dim=0).max()
        self.parameters = (torch.randn(IMAGES, 3, SIDE, SIDE // 2 + 1, 2) * 0.01).requires_grad_(True)
        self.adam = torch.optim.Adam([self.parameters], lr=0.05)

    def images(self):
        planes = torch.fft.irfft2(torch.view_as_complex(self.parameters) * self.scale, s=(SIDE, SIDE)) / 4
        return torch.sigmoid(torch.einsum("nchw,dc->ndhw", planes, self.colours))

    def transformed(self, images):
        angle = math.radians(rng.choice([*range(-10, 11), *[0] * 5]))
        factor = rng.choice(np.arange(0.9, 1.101, 0.02))
        shift = rng.integers(-4, 5, 2) + rng.integers(-2, 3, 2)
        c, s = math.cos(angle) / factor, math.sin(angle) / factor
        matrix = torch.tensor([[c, -s, 2 * shift[0] / SIDE], [s, c, 2 * shift[1] / SIDE]], dtype=torch.float32)
        grid = F.affine_grid(matrix[None].expand(IMAGES, 2, 3), images.shape, align_corners=False)
        return F.grid_sample(images - 0.5, grid, align_corners=False) + 0.5

    def correlations(self, images):
        rows, columns = torch.triu_indices(IMAGES, IMAGES, 1)
        vectors = []
        for activations in self.network(images):
            a = activations.flatten(1)
            a = a - a.mean(1, keepdim=True)
            z = a / a.norm(dim=1, keepdim=True)
            vectors.append((z @ z.T)[rows, columns])
        v = torch.stack(vectors).double()
        centred = v - v.mean(1, keepdim=True)
        w = centred / centred.norm(dim=1, keepdim=True)
        return w @ w.T, v.std(1, correction=0)

    def step(self):
        self.adam.zero_grad()
        images = self.images()
        r, spread = self.correlations(self.transformed(images))
        pairs = len(LAYERS) * (len(LAYERS) - 1)
        objective = (r.pow(2).sum() - len(LAYERS)) / pairs + 10 * torch.relu(0.05 - spread).pow(2).sum()
        objective = objective + 1e-2 * torch.relu((images - 0.5).pow(2).mean() - 0.08)
        variation = [(images.diff(dim=axis).pow(2) + 1e-6).sqrt().sum() for axis in (2, 3)]
        objective = objective + 1e-3 * sum(variation) / images.numel()
        objective.backward()
        self.adam.step()


def ours(count):
    """Seconds per step, and the largest memory in bytes."""
    settings = json.dumps({"images": IMAGES, "stop": {"steps": count, "mean_abs_r": 0, "relative_change": 0}})
    # cargo runs a bench in the folder of its crate.
    card = str(pathlib.Path("models/googlenet").resolve())
    command = ["cargo", "bench", "--quiet", "-p", "ventral-worker", "--bench", "synthesis", "--", card]
    command += [",".join(LAYERS), settings, str(count), str(THREADS)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    last = json.loads(lines[-1])
    return last["seconds_per_step_so_far"], last["peak_bytes"]


peer = Synthesis(GoogLeNet(data / "models" / "googlenet.onnx"))
peer.step()
each = max(1, steps // TURNS)
times = {"ventral": [], "torch": []}
peak = 0
for turn in range(TURNS):
    seconds, memory = ours(each)
    times["ventral"].append(seconds)
    peak = max(peak, memory)
    start = time.perf_counter()
    for _ in range(each):
        peer.step()
    times["torch"].append((time.perf_counter() - start) / each)
    print(f"turn {turn + 1}: ventral {times['ventral'][-1]:.3f}, torch {times['torch'][-1]:.3f} s per step", flush=True)
best = {name: min(values) for name, values in times.items()}
print(f"best of {TURNS} turns of {each} steps on {THREADS} threads: ventral {best['ventral']:.3f}, torch {best['torch']:.3f} s per step")
print(f"ratio: {best['torch'] / best['ventral']:.2f} (above 1: ventral is faster)")
print(f"peak memory of ventral: {peak / 1e6:.0f} MB")
