#!/usr/bin/env python3
"""Many scores: given activations of many models on many small benchmarks, made here, scored by `ventral run`.

    scripts/bench/many.py target/release/ventral [MODELS BENCHMARKS LAYERS STIMULI NEUROIDS]   (100 50 10 320 10)

Prints seconds, scores a second, peak memory, what the store holds, the seconds of a second run, of the leaderboard and of one model's scores,
and how much a benchmark costs that is added.
"""
import array
import json
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib

FEATURES = 32


def png():
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)) + chunk(
        b"IDAT", zlib.compress(b"\0" + bytes(6) + b"\0" + bytes(6))) + chunk(b"IEND", b"")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def model(folder, name, layers, ids, draw):
    header, body = {"__metadata__": {"stimulus_id": json.dumps(ids)}}, []
    size = 4 * len(ids) * FEATURES
    for layer in range(layers):
        header[f"layer{layer:02}"] = {"dtype": "F32", "shape": [len(ids), FEATURES], "data_offsets": [layer * size, (layer + 1) * size]}
        body.append(array.array("f", (draw.random() for _ in range(len(ids) * FEATURES))).tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    write(f"{folder}/models/{name}/model.toml", f"identifier = '{name}'\n[activations]\nfile = 'a.safetensors'\n")
    with open(f"{folder}/models/{name}/a.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(body))


def benchmark(folder, name, ids, neuroids, draw):
    card = f"""identifier = '{name}'
version = '1'
region = 'IT'
[stimuli]
format = 'zip'
file = '../../images.zip'
[assembly]
format = 'csv'
file = 'responses.csv'
[metric]
name = 'ridge'
[splits]
scheme = 'shuffle'
count = 10
[ceiling]
source = 'none'
"""
    write(f"{folder}/benchmarks/{name}/benchmark.toml", card)
    rows = [",".join([i] + [f"{draw.random():.6f}" for _ in range(neuroids)]) for i in ids]
    write(f"{folder}/benchmarks/{name}/responses.csv", "\n".join([",".join(["stimulus_id"] + [f"n{k}" for k in range(neuroids)])] + rows) + "\n")


def measured(command, folder):
    began = time.time()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.returncode}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.time() - began, cpu, after.ru_maxrss * 1024


def stored(folder):
    files = [os.path.join(at, name) for at, _, names in os.walk(f"{folder}/.ventral") for name in names]
    return len(files), sum(os.path.getsize(file) for file in files)


def main():
    binary = os.path.abspath(sys.argv[1])
    models, benchmarks, layers, stimuli, neuroids = [int(a) for a in sys.argv[2:]] or (100, 50, 10, 320, 10)
    draw = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        ids = [f"s{i:04}" for i in range(stimuli)]
        with zipfile.ZipFile(f"{folder}/images.zip", "w") as images:
            for i in ids:
                images.writestr(f"{i}.png", png())
        for m in range(models):
            model(folder, f"m{m:04}", layers, ids, draw)
        for b in range(benchmarks + 1):
            benchmark(folder, f"b{b:04}", ids, neuroids, draw)
        os.rename(f"{folder}/benchmarks/b{benchmarks:04}", f"{folder}/added")
        write(f"{folder}/job.toml", "name = 'many'\nmodels = ['models/*']\nbenchmarks = ['benchmarks/*']\n")
        scores = models * benchmarks * layers
        print(f"{models} models x {benchmarks} benchmarks x {layers} layers = {scores:,} scores; {stimuli} stimuli, {neuroids} neuroids")

        def show(what, command, of=None):
            seconds, cpu, peak = measured(command, folder)
            rate = f", {of / seconds:,.0f} scores/s" if of else ""
            count, size = stored(folder)
            print(f"{what:28} {seconds:8.1f} s {cpu:8.1f} s of processor  {peak / 2**20:7.0f} MiB  store {size / 1e6:9.1f} MB in {count:,} files{rate}", flush=True)

        show("run", [binary, "run", "job.toml"], scores)
        show("run again", [binary, "run", "job.toml"])
        show("leaderboard", [binary, "leaderboard"])
        show("scores --model", [binary, "scores", "--model", "m0000"])
        os.rename(f"{folder}/added", f"{folder}/benchmarks/b{benchmarks:04}")
        show("run, one benchmark added", [binary, "run", "job.toml"], models * layers)


if __name__ == "__main__":
    main()
