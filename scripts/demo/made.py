"""Boats, cars, chairs, planes and tables."""

from dataclasses import replace

from materials import BLACK, CHROME, DARK_WOOD, GLASS, legs, PINE, STEEL, TYRE, WHITE, WOOD
from solids import box, ellipsoid, loft, mirrored, moved, Paint, rod, rotation, tube

# Boats

def hull(length, height, beam, colour, stern=-0.8, deck=0.0):
    """A pointed hull: the overlap of two ellipsoids, cut by the deck and the stern."""
    offset, reach = 0.9 * beam, 1.9 * beam
    side = ellipsoid((0, deck, offset), (length * 1.135, height, reach), colour)
    other = ellipsoid((0, deck, -offset), (length * 1.135, height, reach), colour)
    around = loft("y", deck - height, (stern * length, length, -beam, beam), deck, (stern * length, length, -beam, beam), colour)
    return replace(side.meet(other).cut((0, 1, 0, -deck), (-1, 0, 0, stern * length)), hull=around.hull)


def sailing_boat():
    sail = Paint((0.93, 0.92, 0.88), gloss=0.05)
    red = Paint((0.74, 0.12, 0.10), gloss=0.1)
    return [
        hull(0.85, 0.34, 0.26, WHITE),
        loft("y", -0.012, (-0.64, 0.7, -0.17, 0.17), 0.04, (-0.6, 0.5, -0.13, 0.13), WOOD),
        rod((0.10, 0, 0), (0.10, 1.7, 0), 0.03, STEEL, 0.018),
        rod((0.10, 0.22, 0), (-0.72, 0.22, 0), 0.024, STEEL),
        loft("y", 0.26, (-0.70, 0.08, -0.012, 0.035), 1.64, (0.05, 0.08, -0.01, 0.01), sail),
        loft("y", 0.16, (0.16, 0.80, -0.012, 0.035), 1.36, (0.13, 0.16, -0.01, 0.01), red),
    ]


def cargo_ship():
    paints = [(0.70, 0.22, 0.12), (0.14, 0.34, 0.58), (0.80, 0.58, 0.14), (0.18, 0.45, 0.25), (0.55, 0.55, 0.56)]
    solids = [
        hull(1.3, 0.36, 0.27, Paint((0.13, 0.19, 0.33)), stern=-0.86),
        loft("y", 0.0, (-1.05, -0.78, -0.19, 0.19), 0.52, (-1.05, -0.82, -0.17, 0.17), WHITE),
        loft("y", 0.36, (-0.80, -0.76, -0.16, 0.16), 0.44, (-0.80, -0.77, -0.16, 0.16), GLASS),
        rod((-0.96, 0.5, 0), (-0.96, 0.72, 0), 0.07, (0.75, 0.15, 0.10)),
    ]
    for column in range(6):
        for row in range(1 + (column * 2 + 1) % 3):
            x = -0.58 + 0.245 * column
            colour = paints[(column * 3 + row) % 5]
            solids.append(box((x, 0.09 + 0.175 * row, 0), (0.113, 0.085, 0.185), colour))
    return solids


def speedboat():
    stripe = Paint((0.85, 0.20, 0.10), gloss=0.3)
    return [
        hull(1.15, 0.38, 0.36, WHITE, stern=-0.66),
        hull(1.17, 0.11, 0.375, stripe, stern=-0.66, deck=-0.05),
        loft("y", -0.01, (-0.05, 0.85, -0.24, 0.24), 0.12, (0.1, 0.42, -0.2, 0.2), WHITE),
        loft("y", 0.10, (0.02, 0.34, -0.25, 0.25), 0.32, (-0.02, 0.08, -0.21, 0.21), GLASS),
        box((-0.25, 0.06, 0), (0.10, 0.11, 0.22), (0.62, 0.40, 0.22)),
        box((-0.48, 0.05, 0), (0.10, 0.09, 0.24), (0.62, 0.40, 0.22)),
        box((-0.84, 0.06, 0), (0.10, 0.15, 0.10), (0.08, 0.08, 0.09)),
        rod((-0.86, 0.0, 0), (-0.88, -0.42, 0), 0.05, (0.08, 0.08, 0.09)),
    ]


def tugboat():
    red = Paint((0.72, 0.13, 0.09), gloss=0.2)
    solids = [
        hull(0.92, 0.52, 0.36, red, stern=-0.84),
        hull(0.94, 0.12, 0.375, Paint((0.06, 0.06, 0.07)), stern=-0.84, deck=0.0),
        loft("y", 0.0, (-0.48, 0.38, -0.22, 0.22), 0.34, (-0.44, 0.34, -0.21, 0.21), WHITE),
        loft("y", 0.34, (-0.06, 0.30, -0.19, 0.19), 0.68, (-0.04, 0.33, -0.19, 0.19), WHITE),
        loft("y", 0.46, (-0.03, 0.335, -0.196, 0.196), 0.61, (-0.02, 0.345, -0.196, 0.196), GLASS),
        loft("y", 0.68, (-0.12, 0.38, -0.23, 0.23), 0.73, (-0.12, 0.38, -0.23, 0.23), red),
        rod((-0.28, 0.3, 0), (-0.32, 0.86, 0), 0.12, (0.90, 0.66, 0.14)),
        rod((-0.315, 0.76, 0), (-0.325, 0.90, 0), 0.125, BLACK),
        rod((0.10, 0.7, 0), (0.10, 1.12, 0), 0.02, STEEL),
    ]
    ring = Paint((0.05, 0.05, 0.05))
    return solids + mirrored([ellipsoid((x, -0.08, 0.335), (0.09, 0.09, 0.04), ring) for x in (-0.45, -0.1, 0.2)])


# Cars

def wheels(front, rear, track, radius, height, width=0.09):
    solids = []
    for x in (front, rear):
        solids += mirrored([
            rod((x, height, track - width), (x, height, track + 0.02), radius, TYRE),
            rod((x, height, track), (x, height, track + 0.035), radius * 0.55, CHROME),
        ])
    return solids


def lamps(front, rear, height, z, size=0.07):
    head, tail = Paint((0.98, 0.95, 0.80), gloss=0.6), (0.75, 0.06, 0.05)
    return mirrored([ellipsoid((front, height, z), (0.04, size, size), head), box((rear, height, z), (0.02, size * 0.8, size), tail)])


def sedan():
    red = Paint((0.72, 0.08, 0.09), gloss=0.5)
    return [
        loft("y", -0.20, (-1.0, 1.0, -0.42, 0.42), 0.10, (-0.98, 0.92, -0.40, 0.40), red),
        loft("y", 0.10, (-0.74, 0.50, -0.385, 0.385), 0.42, (-0.46, 0.14, -0.30, 0.30), red),
        loft("y", 0.13, (-0.70, 0.475, -0.372, 0.372), 0.38, (-0.51, 0.22, -0.32, 0.32), GLASS),
        *mirrored([loft("y", 0.12, (-0.66, -0.15, 0.36, 0.392), 0.37, (-0.46, -0.15, 0.29, 0.326), GLASS),
                   loft("y", 0.12, (-0.09, 0.40, 0.36, 0.392), 0.37, (-0.09, 0.16, 0.29, 0.326), GLASS)]),
        box((1.0, -0.15, 0), (0.03, 0.05, 0.41), STEEL),
        box((-1.0, -0.15, 0), (0.03, 0.05, 0.41), STEEL),
        *wheels(0.62, -0.60, 0.40, 0.20, -0.20),
        *lamps(0.96, -0.99, 0.0, 0.30),
    ]


def beetle():
    paint = Paint((0.25, 0.60, 0.62), gloss=0.5)
    return [
        ellipsoid((0, -0.12, 0), (0.95, 0.34, 0.36), paint).cut((0, -1, 0, -0.22)),
        ellipsoid((-0.12, 0.02, 0), (0.60, 0.46, 0.33), paint),
        ellipsoid((-0.12, 0.04, 0), (0.605, 0.465, 0.335), GLASS).cut((0, -1, 0, 0.16), (0, 1, 0, -0.36)),
        *mirrored([ellipsoid((x, -0.12, 0.34), (0.30, 0.24, 0.12), paint) for x in (0.60, -0.60)]),
        *wheels(0.60, -0.60, 0.40, 0.20, -0.24),
        *mirrored([ellipsoid((0.80, 0.02, 0.31), (0.06, 0.09, 0.09), Paint((0.98, 0.95, 0.80), gloss=0.6))]),
        box((0.95, -0.16, 0), (0.03, 0.04, 0.40), CHROME),
        box((-0.95, -0.16, 0), (0.03, 0.04, 0.40), CHROME),
    ]


def pickup():
    paint = Paint((0.16, 0.30, 0.58), gloss=0.4)
    return [
        loft("y", -0.18, (0.25, 1.05, -0.42, 0.42), 0.14, (0.25, 1.02, -0.41, 0.41), paint),
        loft("y", -0.18, (-0.20, 0.30, -0.42, 0.42), 0.14, (-0.20, 0.30, -0.42, 0.42), paint),
        loft("y", 0.14, (-0.20, 0.48, -0.40, 0.40), 0.50, (-0.18, 0.22, -0.34, 0.34), paint),
        loft("y", 0.17, (-0.21, 0.465, -0.37, 0.37), 0.45, (-0.19, 0.27, -0.34, 0.34), GLASS),
        *mirrored([loft("y", 0.16, (-0.13, 0.36, 0.38, 0.408), 0.45, (-0.13, 0.20, 0.33, 0.36), GLASS)]),
        box((-0.62, -0.14, 0), (0.44, 0.05, 0.40), (0.20, 0.20, 0.21)),
        *mirrored([box((-0.62, 0.0, 0.40), (0.44, 0.15, 0.025), paint)]),
        box((-1.05, 0.0, 0), (0.025, 0.15, 0.42), paint),
        box((1.06, -0.14, 0), (0.03, 0.06, 0.42), CHROME),
        *wheels(0.66, -0.62, 0.42, 0.23, -0.24),
        *lamps(1.03, -1.075, 0.03, 0.32),
    ]


def bus():
    yellow = Paint((0.92, 0.66, 0.10), gloss=0.3)
    solids = [
        box((0, 0.10, 0), (1.05, 0.40, 0.36), yellow),
        loft("y", 0.50, (-1.05, 1.05, -0.36, 0.36), 0.56, (-1.0, 1.0, -0.28, 0.28), WHITE),
        box((1.045, 0.20, 0), (0.02, 0.20, 0.31), GLASS),
        box((-1.045, 0.26, 0), (0.02, 0.14, 0.26), GLASS),
        *mirrored([box((0, -0.08, 0.355), (1.05, 0.03, 0.015), BLACK)]),
        *wheels(0.66, -0.66, 0.34, 0.19, -0.30),
        *lamps(1.05, -1.06, -0.14, 0.26),
    ]
    for k in range(6):
        solids += mirrored([box((-0.84 + 0.33 * k, 0.25, 0.355), (0.135, 0.14, 0.015), GLASS)])
    return solids


# Chairs

def dining_chair():
    return [
        box((0, 0, 0), (0.42, 0.04, 0.42), WOOD),
        *legs(0.37, 0.37, 0, -0.85, 0.045, WOOD, 0.035),
        *mirrored([rod((-0.38, 0, 0.37), (-0.48, 1.0, 0.37), 0.045, WOOD)]),
        *[box((-0.385 - 0.1 * y, y, 0), (0.025, 0.06, 0.36), WOOD) for y in (0.36, 0.62, 0.88)],
        *[rod((x, -0.45, -0.37), (x, -0.45, 0.37), 0.025, WOOD) for x in (-0.37, 0.37)],
    ]


def armchair():
    cloth = Paint((0.22, 0.38, 0.32), (0.17, 0.30, 0.25), frequency=26, level=0.2, gloss=0.02)
    return [
        box((0, -0.30, 0), (0.52, 0.22, 0.56), cloth),
        box((0.06, -0.02, 0), (0.46, 0.10, 0.40), cloth),
        ellipsoid((0.06, 0.06, 0), (0.44, 0.10, 0.40), cloth),
        box((-0.48, 0.34, 0), (0.13, 0.52, 0.50), cloth, rotation("z", 8)),
        rod((-0.55, 0.86, -0.50), (-0.55, 0.86, 0.50), 0.14, cloth),
        *mirrored([box((0.02, 0.0, 0.54), (0.50, 0.30, 0.10), cloth), rod((-0.48, 0.30, 0.54), (0.52, 0.30, 0.54), 0.13, cloth)]),
        *legs(0.42, 0.48, -0.5, -0.66, 0.05, DARK_WOOD),
    ]


def office_chair():
    black = Paint((0.07, 0.07, 0.08), gloss=0.15)
    solids = [
        ellipsoid((0, 0.03, 0), (0.46, 0.09, 0.44), black),
        ellipsoid((-0.46, 0.62, 0), (0.09, 0.44, 0.38), black, rotation("z", 8)),
        rod((-0.30, 0.0, 0), (-0.46, 0.5, 0), 0.045, STEEL),
        rod((0, 0, 0), (0, -0.66, 0), 0.06, STEEL),
        *mirrored([rod((-0.05, 0.0, 0.44), (-0.05, 0.30, 0.50), 0.03, STEEL), box((0.02, 0.31, 0.50), (0.24, 0.03, 0.05), black)]),
    ]
    for k in range(5):
        spoke = rod((0.05, -0.62, 0), (0.48, -0.74, 0), 0.05, STEEL, 0.035)
        caster = ellipsoid((0.48, -0.80, 0), (0.065, 0.065, 0.04), black)
        solids += moved([spoke, caster], rotation("y", 72 * k))
    return solids


def windsor_chair():
    spindles = [rod((-0.30, 0.03, z), (-0.52, 0.95 - 0.5 * z * z, 1.25 * z), 0.022, DARK_WOOD) for z in (-0.3, -0.18, -0.06, 0.06, 0.18, 0.3)]
    arch = [(-0.30, 0.03, -0.40), (-0.44, 0.50, -0.47), (-0.52, 0.86, -0.36), (-0.54, 0.98, 0), (-0.52, 0.86, 0.36), (-0.44, 0.50, 0.47),
            (-0.30, 0.03, 0.40)]
    return [
        ellipsoid((0, 0, 0), (0.46, 0.07, 0.46), DARK_WOOD),
        *tube(arch, [0.036] * 7, DARK_WOOD),
        *spindles,
        *[rod((a * 0.24, 0, b * 0.24), (a * 0.44, -0.85, b * 0.42), 0.05, DARK_WOOD, 0.03) for a in (-1, 1) for b in (-1, 1)],
    ]


# Planes

def wing(root, tip, span, thickness, colour, height=0.0, inner=0.05):
    """A pair of wings: the chord runs from root = (rear, front) to tip at z = span."""
    return mirrored([loft("z", inner, (*root, height - thickness, height + thickness), span, (*tip, height - thickness * 0.4, height + thickness * 0.4), colour)])


def airliner():
    blue = Paint((0.10, 0.22, 0.52), gloss=0.3)
    solids = [
        rod((-0.62, 0, 0), (0.72, 0, 0), 0.14, WHITE),
        ellipsoid((0.72, 0, 0), (0.30, 0.14, 0.14), WHITE),
        rod((-0.62, 0, 0), (-1.12, 0.07, 0), 0.14, WHITE, 0.03),
        *wing((-0.22, 0.28), (-0.50, -0.34), 1.08, 0.03, STEEL, -0.05),
        *wing((-1.10, -0.84), (-1.22, -1.08), 0.42, 0.018, STEEL, 0.06),
        loft("y", 0.08, (-1.12, -0.74, -0.02, 0.02), 0.50, (-1.22, -1.04, -0.012, 0.012), blue),
        *mirrored([rod((-0.06, -0.15, 0.42), (0.26, -0.15, 0.42), 0.075, WHITE), rod((0.25, -0.15, 0.42), (0.27, -0.15, 0.42), 0.06, BLACK)]),
        *mirrored([box((0.05, 0.035, 0.13), (0.72, 0.022, 0.015), (0.08, 0.1, 0.15))]),
        ellipsoid((0.86, 0.06, 0), (0.10, 0.05, 0.09), GLASS),
    ]
    return solids


def fighter():
    grey = Paint((0.40, 0.44, 0.42), (0.30, 0.34, 0.31), frequency=11, level=0.2, gloss=0.1)
    return [
        rod((-0.80, 0, 0), (0.42, 0, 0), 0.15, grey, 0.13),
        rod((0.42, 0, 0), (1.25, -0.02, 0), 0.13, grey, 0.005),
        *mirrored([box((-0.20, -0.02, 0.16), (0.56, 0.10, 0.08), grey)]),
        *wing((-0.82, 0.40), (-0.80, -0.52), 0.86, 0.025, grey, -0.02, inner=0.1),
        *wing((-1.10, -0.70), (-1.16, -0.96), 0.52, 0.02, grey, -0.02, inner=0.08),
        *mirrored([loft("y", 0.05, (-0.98, -0.52, 0.14, 0.17), 0.50, (-1.12, -0.86, 0.24, 0.25), grey)]),
        ellipsoid((0.42, 0.12, 0), (0.30, 0.12, 0.09), GLASS),
        *mirrored([rod((-0.80, 0, 0.09), (-0.96, 0, 0.09), 0.10, BLACK, 0.08)]),
    ]


def biplane():
    red = Paint((0.76, 0.14, 0.08), gloss=0.15)
    cream = Paint((0.88, 0.82, 0.62), gloss=0.05)
    solids = [
        rod((-0.80, 0.05, 0), (0.50, 0, 0), 0.06, red, 0.17),
        ellipsoid((0.52, 0, 0), (0.14, 0.17, 0.17), STEEL),
        *wing((-0.02, 0.38), (0.0, 0.34), 0.98, 0.025, cream, -0.13, inner=0.0),
        *wing((0.08, 0.48), (0.10, 0.44), 1.02, 0.025, cream, 0.34, inner=0.0),
        *mirrored([rod((x, -0.13, z), (x + 0.1, 0.34, z), 0.016, WOOD) for x in (0.04, 0.30) for z in (0.72, 0.22)]),
        *wing((-0.90, -0.62), (-0.88, -0.70), 0.36, 0.018, cream, 0.08, inner=0.0),
        loft("y", 0.06, (-0.92, -0.62, -0.015, 0.015), 0.38, (-0.92, -0.76, -0.012, 0.012), red),
        box((0.68, 0, 0), (0.014, 0.40, 0.04), DARK_WOOD, rotation("x", 25)),
        *mirrored([rod((0.36, -0.12, 0.1), (0.40, -0.36, 0.24), 0.018, STEEL), rod((0.40, -0.38, 0.22), (0.40, -0.38, 0.28), 0.11, TYRE)]),
        ellipsoid((-0.10, 0.16, 0), (0.10, 0.10, 0.08), (0.35, 0.22, 0.12)),
    ]
    return solids


def light_plane():
    stripe = Paint((0.14, 0.42, 0.28), gloss=0.3)
    return [
        loft("x", -0.98, (0.02, 0.10, -0.03, 0.03), -0.10, (-0.17, 0.17, -0.14, 0.14), WHITE),
        box((0.12, 0, 0), (0.24, 0.18, 0.145), WHITE),
        loft("x", 0.34, (-0.17, 0.06, -0.14, 0.14), 0.70, (-0.12, 0.02, -0.08, 0.08), stripe),
        loft("x", 0.30, (0.04, 0.18, -0.13, 0.13), 0.46, (0.04, 0.06, -0.12, 0.12), GLASS),
        *mirrored([box((0.12, 0.08, 0.142), (0.20, 0.07, 0.012), GLASS)]),
        *wing((-0.06, 0.34), (0.02, 0.28), 1.12, 0.025, WHITE, 0.21, inner=0.0),
        *mirrored([loft("z", 1.06, (0.0, 0.30, 0.19, 0.23), 1.14, (0.04, 0.26, 0.2, 0.22), stripe)]),
        *mirrored([rod((0.12, -0.15, 0.14), (0.14, 0.19, 0.60), 0.018, STEEL)]),
        *wing((-1.02, -0.76), (-1.0, -0.82), 0.38, 0.018, WHITE, 0.07, inner=0.0),
        loft("y", 0.06, (-1.02, -0.68, -0.018, 0.018), 0.46, (-1.06, -0.90, -0.012, 0.012), stripe),
        box((0.73, -0.04, 0), (0.012, 0.30, 0.03), BLACK, rotation("x", 60)),
        *mirrored([rod((0.10, -0.17, 0.12), (0.12, -0.36, 0.30), 0.018, STEEL), rod((0.12, -0.36, 0.27), (0.12, -0.36, 0.33), 0.09, TYRE)]),
        rod((0.56, -0.12, 0), (0.56, -0.34, 0), 0.018, STEEL), rod((0.56, -0.36, -0.03), (0.56, -0.36, 0.03), 0.08, TYRE),
    ]


# Tables

def dining_table():
    return [
        box((0, 0, 0), (1.0, 0.05, 0.58), WOOD),
        box((0, -0.10, 0), (0.88, 0.07, 0.46), WOOD),
        *legs(0.86, 0.44, 0, -0.86, 0.075, WOOD, 0.05),
    ]


def round_table():
    top = rod((0, -0.04, 0), (0, 0.04, 0), 0.82, Paint((0.90, 0.88, 0.84), gloss=0.4))
    feet = []
    for k in range(4):
        feet += moved(tube([(0, -0.62, 0), (0.30, -0.80, 0), (0.50, -0.86, 0)], [0.07, 0.06, 0.05], BLACK), rotation("y", 90 * k + 45))
    return [top, rod((0, 0, 0), (0, -0.72, 0), 0.075, BLACK), *feet]


def desk():
    solids = [
        box((0, 0, 0), (1.0, 0.045, 0.52), DARK_WOOD),
        box((-0.66, -0.42, 0), (0.30, 0.40, 0.46), PINE),
        box((0.92, -0.42, 0), (0.045, 0.40, 0.46), PINE),
        box((0.1, -0.30, -0.42), (0.82, 0.26, 0.03), PINE),
    ]
    for y in (-0.18, -0.42, -0.66):
        solids += [box((-0.66, y, 0.47), (0.26, 0.10, 0.015), WOOD), box((-0.66, y, 0.49), (0.08, 0.018, 0.02), CHROME)]
    return solids


def picnic_table():
    planks = [box((0, 0, z), (1.0, 0.035, 0.095), PINE) for z in (-0.33, -0.11, 0.11, 0.33)]
    benches = mirrored([box((0, -0.40, z), (1.0, 0.03, 0.08), PINE) for z in (0.70, 0.88)])
    trestles = []
    for x in (-0.68, 0.68):
        trestles += mirrored([rod((x, 0, 0.22), (x, -0.82, 0.62), 0.05, WOOD)])
        trestles.append(box((x, -0.45, 0), (0.035, 0.045, 0.92), WOOD))
    return planks + benches + trestles
