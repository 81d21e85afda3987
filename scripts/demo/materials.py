"""Paints and parts that several objects share."""

from solids import Paint, rod

WOOD = Paint((0.55, 0.33, 0.16), (0.42, 0.24, 0.11), frequency=20, level=0.4)
DARK_WOOD = Paint((0.32, 0.17, 0.09), (0.24, 0.12, 0.06), frequency=20, level=0.3)
PINE = Paint((0.80, 0.62, 0.38), (0.70, 0.50, 0.28), frequency=18, level=0.4)
TYRE = (0.05, 0.05, 0.06)
GLASS = Paint((0.10, 0.14, 0.19), gloss=0.6)
STEEL = Paint((0.45, 0.47, 0.50), gloss=0.5)
CHROME = Paint((0.70, 0.71, 0.73), gloss=0.6)
WHITE = Paint((0.88, 0.88, 0.86), gloss=0.3)
BLACK = (0.04, 0.04, 0.04)


def legs(x, z, top, foot, radius, colour, end_radius=None):
    """Four vertical legs at (+-x, +-z)."""
    return [rod((a, top, b), (a, foot, b), radius, colour, end_radius) for a in (-x, x) for b in (-z, z)]
