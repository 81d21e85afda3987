"""A model of primary visual cortex: Gabor filters, simple and complex cells, divisive normalisation, pooling.

The stages follow the standard model of V1 (Carandini & Heeger 2012, doi:10.1038/nrn3136; filters as in Jones & Palmer 1987).
"""

import numpy as np

from graph import Graph

INPUT_SIZE = 64
WAVELENGTHS = (4.0, 5.66, 8.0, 11.3)
"""Pixels per cycle: 2.0, 1.4, 1.0 and 0.7 cycles per degree when 64 pixels span 8 degrees."""
ORIENTATIONS = 8
ENVELOPE = 0.4
"""Standard deviation of the envelope across the grating, in wavelengths; along it the envelope is 1.5 times longer."""
STRIDE = 2
SEMISATURATION = 0.1
NEIGHBOURHOOD = 7
POOL = 8
LUMINANCE = (0.299, 0.587, 0.114)


def gabor_pair(wavelength, angle):
    """An even and an odd Gabor filter (k, k) of zero mean and unit L2 norm."""
    across_sd, along_sd = ENVELOPE * wavelength, 1.5 * ENVELOPE * wavelength
    half = int(np.ceil(2.5 * along_sd))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    envelope = np.exp(-0.5 * ((across / across_sd) ** 2 + (along / along_sd) ** 2))
    even = envelope * np.cos(2 * np.pi * across / wavelength)
    even -= envelope * even.sum() / envelope.sum()
    odd = envelope * np.sin(2 * np.pi * across / wavelength)
    return even / np.linalg.norm(even), odd / np.linalg.norm(odd)


def filter_bank(wavelength, phase):
    """Filters (orientations, 1, k, k) of one wavelength; phase 0 is even, 1 is odd."""
    angles = np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS
    return np.stack([gabor_pair(wavelength, a)[phase] for a in angles])[:, None]


def save_gabor_v1(path):
    """Layers: simple (128 channels), complex, normalised (32 channels each, 32 x 32) and pooled (32 x 4 x 4)."""
    g = Graph("gabor_v1", 3, INPUT_SIZE)
    grey = g.conv("image", "luminance", np.array(LUMINANCE).reshape(1, 3, 1, 1))
    phases = []
    for phase, name in enumerate(("even", "odd")):
        banks = [g.conv(grey, f"{name}.{k}", filter_bank(w, phase), stride=STRIDE) for k, w in enumerate(WAVELENGTHS)]
        phases.append(g.node("Concat", banks, name, axis=1))
    even, odd = phases
    signed = g.node("Concat", [even, odd, g.node("Neg", [even], "even.negative"), g.node("Neg", [odd], "odd.negative")], "phases", axis=1)
    g.node("Relu", [signed], "simple")

    squares = [g.node("Mul", [p, p], f"{p}.squared") for p in phases]
    energy = g.node("Add", squares, "energy")
    g.node("Sqrt", [g.node("Add", [energy, g.constant("epsilon", 1e-6)], "energy.positive")], "complex")

    channels = ORIENTATIONS * len(WAVELENGTHS)
    pool = np.full((1, channels, NEIGHBOURHOOD, NEIGHBOURHOOD), 1 / (channels * NEIGHBOURHOOD**2))
    surround = g.node("Sqrt", [g.conv("energy.positive", "surround.energy", pool)], "surround")
    divisor = g.node("Add", [surround, g.constant("semisaturation", SEMISATURATION)], "divisor")
    g.node("Div", ["complex", divisor], "normalised")
    g.node("AveragePool", ["normalised"], "pooled", kernel_shape=[POOL] * 2, strides=[POOL] * 2)
    side = INPUT_SIZE // STRIDE // POOL
    g.save(path, "pooled", [channels, side, side])
