"""Animals, faces and fruits."""

from math import cos, pi, radians, sin

from materials import BLACK, DARK_WOOD, legs, WOOD
from solids import box, ellipsoid, mirrored, moved, Paint, rod, rotation, tube

# Animals

def elephant():
    skin = Paint((0.44, 0.42, 0.43), (0.36, 0.34, 0.35), frequency=15, level=0.3, gloss=0.05)
    ivory = (0.9, 0.86, 0.74)
    solids = [
        ellipsoid((0, 0, 0), (0.78, 0.52, 0.46), skin),
        ellipsoid((0.82, 0.26, 0), (0.34, 0.36, 0.31), skin),
        *mirrored([ellipsoid((0.66, 0.24, 0.36), (0.08, 0.38, 0.30), skin, rotation("y", 38))]),
        *tube([(1.06, 0.16, 0), (1.27, -0.12, 0), (1.34, -0.46, 0), (1.47, -0.72, 0)], [0.15, 0.12, 0.09, 0.07], skin),
        *mirrored([rod((1.02, 0.02, 0.17), (1.36, -0.14, 0.22), 0.055, ivory, 0.015)]),
        *mirrored([ellipsoid((1.06, 0.34, 0.21), (0.045, 0.045, 0.045), BLACK)]),
        *tube([(-0.76, 0.15, 0), (-0.9, -0.1, 0), (-0.92, -0.42, 0)], [0.04, 0.03, 0.03], skin),
    ]
    return solids + legs(0.46, 0.25, 0, -0.95, 0.17, skin, 0.15)


def giraffe():
    coat = Paint((0.88, 0.72, 0.42), (0.47, 0.26, 0.10), frequency=18, level=0.15, gloss=0.05)
    tan = (0.80, 0.66, 0.42)
    solids = [
        ellipsoid((0, 0, 0), (0.52, 0.31, 0.25), coat, rotation("z", 14)),
        *tube([(0.34, 0.12, 0), (0.60, 0.62, 0), (0.78, 1.16, 0)], [0.20, 0.13, 0.09], coat),
        ellipsoid((0.90, 1.22, 0), (0.20, 0.11, 0.10), coat, rotation("z", -22)),
        ellipsoid((1.04, 1.15, 0), (0.10, 0.075, 0.075), tan),
        *mirrored([rod((0.78, 1.28, 0.05), (0.74, 1.44, 0.07), 0.02, (0.3, 0.2, 0.1), 0.03)]),
        *mirrored([ellipsoid((0.74, 1.23, 0.14), (0.05, 0.035, 0.08), tan)]),
        *mirrored([ellipsoid((0.93, 1.26, 0.085), (0.03, 0.03, 0.02), BLACK)]),
        *tube([(-0.48, -0.02, 0), (-0.58, -0.4, 0)], [0.03, 0.04], (0.3, 0.2, 0.1)),
    ]
    return solids + legs(0.32, 0.14, 0, -1.12, 0.085, coat, 0.05)


def cow():
    hide = Paint((0.92, 0.90, 0.86), (0.07, 0.06, 0.06), frequency=9, level=0.2, gloss=0.05)
    pink = (0.86, 0.60, 0.56)
    solids = [
        ellipsoid((0, 0, 0), (0.80, 0.40, 0.36), hide),
        box((0, 0.05, 0), (0.58, 0.30, 0.27), hide),
        *tube([(0.55, 0.12, 0), (0.88, 0.34, 0)], [0.25, 0.18], hide),
        ellipsoid((1.02, 0.32, 0), (0.26, 0.17, 0.16), hide, rotation("z", -35)),
        ellipsoid((1.17, 0.20, 0), (0.11, 0.10, 0.12), pink),
        *mirrored([rod((0.90, 0.46, 0.09), (0.92, 0.64, 0.20), 0.04, (0.82, 0.77, 0.62), 0.01)]),
        *mirrored([ellipsoid((0.86, 0.42, 0.22), (0.05, 0.06, 0.12), hide, rotation("x", 20))]),
        *mirrored([ellipsoid((1.08, 0.38, 0.13), (0.035, 0.035, 0.03), BLACK)]),
        ellipsoid((-0.42, -0.36, 0), (0.18, 0.13, 0.14), pink),
        *tube([(-0.76, 0.18, 0), (-0.86, -0.1, 0), (-0.84, -0.42, 0)], [0.03, 0.025, 0.05], hide),
    ]
    return solids + legs(0.50, 0.20, 0, -0.86, 0.11, hide, 0.075)


def tortoise():
    shell = Paint((0.30, 0.25, 0.10), (0.62, 0.52, 0.22), frequency=20, level=0.2, gloss=0.2)
    skin = Paint((0.42, 0.50, 0.24), (0.30, 0.37, 0.16), frequency=26, level=0.3, gloss=0.05)
    return [
        ellipsoid((0, -0.1, 0), (0.78, 0.62, 0.60), shell).cut((0, -1, 0, -0.06)),
        ellipsoid((0, -0.06, 0), (0.86, 0.10, 0.68), (0.52, 0.43, 0.20)),
        *tube([(0.70, 0.0, 0), (0.98, 0.16, 0)], [0.15, 0.13], skin),
        ellipsoid((1.08, 0.22, 0), (0.21, 0.16, 0.15), skin),
        *mirrored([ellipsoid((1.16, 0.28, 0.12), (0.04, 0.04, 0.03), BLACK)]),
        rod((-0.72, -0.08, 0), (-1.0, -0.16, 0), 0.08, skin, 0.01),
        *[ellipsoid((x, -0.26, z), (0.17, 0.24, 0.15), skin) for x in (-0.48, 0.50) for z in (-0.42, 0.42)],
    ]


# Faces: they look along x.

def head(skin, brow, iris, lips=(0.66, 0.28, 0.26), jaw=1.0):
    eye_white = Paint((0.93, 0.92, 0.90), gloss=0.4)
    solids = [
        ellipsoid((0, 0.10, 0), (0.66, 0.76, 0.58), skin),
        ellipsoid((0.12, -0.34, 0), (0.46, 0.46, 0.44 * jaw), skin),
        rod((-0.12, -0.4, 0), (-0.18, -1.05, 0), 0.30, skin, 0.34),
        ellipsoid((0.62, -0.02, 0), (0.08, 0.20, 0.07), skin, rotation("z", 20)),
        ellipsoid((0.68, -0.14, 0), (0.10, 0.08, 0.11), skin),
        ellipsoid((0.53, -0.42, 0), (0.07, 0.045, 0.17), lips),
        ellipsoid((0.52, -0.46, 0), (0.07, 0.045, 0.14), lips),
        *mirrored([
            ellipsoid((0.525, 0.12, 0.215), (0.09, 0.075, 0.115), eye_white),
            ellipsoid((0.595, 0.12, 0.21), (0.028, 0.055, 0.055), iris),
            ellipsoid((0.612, 0.12, 0.21), (0.02, 0.027, 0.027), BLACK),
            box((0.575, 0.27, 0.23), (0.05, 0.026, 0.14), brow, rotation("x", 6)),
            ellipsoid((-0.02, 0.04, 0.58), (0.12, 0.19, 0.06), skin),
        ]),
    ]
    return solids


def short_haired_man():
    skin = Paint((0.86, 0.65, 0.52), gloss=0.08)
    hair = Paint((0.16, 0.09, 0.05), (0.24, 0.14, 0.08), frequency=31, level=0.3)
    crown = ellipsoid((-0.06, 0.20, 0), (0.70, 0.76, 0.63), hair).cut((0.75, -1, 0, 0.16))
    return head(skin, (0.12, 0.07, 0.04), (0.22, 0.36, 0.55)) + [crown, rod((-0.16, -0.95, 0), (-0.16, -1.2, 0), 0.42, (0.18, 0.30, 0.55), 0.7)]


def bearded_man():
    skin = Paint((0.52, 0.33, 0.22), gloss=0.12)
    beard = Paint((0.06, 0.05, 0.045), (0.14, 0.12, 0.11), frequency=33, level=0.5)
    chin = ellipsoid((0.12, -0.42, 0), (0.50, 0.48, 0.50), beard).cut((0.2, 1, 0, 0.26), (-1, 0, 0, -0.05))
    mouth = [ellipsoid((0.60, -0.43, 0), (0.05, 0.05, 0.15), (0.55, 0.24, 0.22))]
    moustache = mirrored([ellipsoid((0.60, -0.32, 0.10), (0.08, 0.05, 0.14), beard, rotation("x", 14))])
    lens = mirrored([*ring((0.66, 0.12, 0.22), 0.17, 0.022, BLACK), rod((0.60, 0.14, 0.38), (-0.02, 0.12, 0.58), 0.02, BLACK)])
    bridge = rod((0.68, 0.14, -0.06), (0.68, 0.14, 0.06), 0.02, BLACK)
    return head(skin, (0.05, 0.04, 0.03), (0.20, 0.12, 0.07)) + [chin, *mouth, *moustache, *lens, bridge, rod((-0.16, -0.95, 0), (-0.16, -1.2, 0), 0.42, (0.80, 0.80, 0.78), 0.7)]


def ring(centre, radius, thickness, colour):
    """A ring of short rods about `centre`, in the plane across x."""
    spokes = [rotation("x", 45 * k)[:3, :3] @ (0, radius, 0) for k in range(9)]
    x, y, z = centre
    points = [(x + s[0], y + s[1], z + s[2]) for s in spokes]
    return [rod(a, b, thickness, colour) for a, b in zip(points, points[1:])]


def long_haired_woman():
    skin = Paint((0.93, 0.76, 0.64), gloss=0.1)
    hair = Paint((0.74, 0.48, 0.16), (0.58, 0.34, 0.10), frequency=22, level=0.2, gloss=0.3)
    crown = ellipsoid((-0.08, 0.16, 0), (0.74, 0.84, 0.70), hair).cut((0.9, -0.75, 0, -0.12))
    locks = mirrored([ellipsoid((-0.12, -0.42, 0.54), (0.34, 0.76, 0.16), hair), ellipsoid((-0.42, -0.5, 0.24), (0.26, 0.80, 0.36), hair)])
    return head(skin, (0.45, 0.28, 0.10), (0.20, 0.42, 0.28), lips=(0.78, 0.16, 0.20), jaw=0.86) + [crown, *locks]


def capped_boy():
    skin = Paint((0.74, 0.52, 0.38), gloss=0.08)
    cap = Paint((0.12, 0.32, 0.66), gloss=0.08)
    dome = ellipsoid((-0.04, 0.30, 0), (0.73, 0.68, 0.66), cap).cut((0.1, -1, 0, 0.36))
    peak = ellipsoid((0.62, 0.40, 0), (0.52, 0.05, 0.48), Paint((0.78, 0.12, 0.12)), rotation("z", -6))
    hair = ellipsoid((-0.10, 0.12, 0), (0.64, 0.66, 0.62), (0.07, 0.05, 0.04)).cut((1, -0.2, 0, -0.02))
    return head(skin, (0.06, 0.04, 0.03), (0.18, 0.11, 0.06), jaw=1.06) + [dome, peak, hair, rod((-0.16, -0.95, 0), (-0.16, -1.2, 0), 0.42, (0.82, 0.70, 0.16), 0.66)]


# Fruits

def apple():
    skin = Paint((0.72, 0.08, 0.07), (0.80, 0.58, 0.14), frequency=7, level=0.9, gloss=0.5)
    lobes = [moved([ellipsoid((0.24, 0, 0), (0.66, 0.80, 0.62), skin, rotation("z", -8))], rotation("y", 72 * k))[0] for k in range(5)]
    return lobes + [
        *tube([(0, 0.60, 0), (0.04, 0.86, 0), (0.14, 1.08, 0)], [0.04, 0.045, 0.06], DARK_WOOD),
        ellipsoid((0.40, 0.98, 0.05), (0.34, 0.04, 0.16), Paint((0.20, 0.50, 0.12), gloss=0.2), rotation("z", 18)),
    ]


def banana():
    yellow = Paint((0.93, 0.78, 0.16), (0.55, 0.38, 0.10), frequency=20, level=1.7, gloss=0.15)
    angles = [radians(a) for a in range(-70, 71, 14)]
    arc = [(1.15 * sin(a), 1.15 - 1.15 * cos(a), 0) for a in angles]
    widths = [0.10, 0.19, 0.245, 0.27, 0.28, 0.285, 0.28, 0.27, 0.24, 0.18, 0.09]
    stem = tube([arc[-1], (1.22, 1.02, 0)], [0.085, 0.06], (0.42, 0.34, 0.12))
    return tube(arc, widths, yellow) + stem + [ellipsoid(arc[0], (0.11, 0.11, 0.11), (0.20, 0.14, 0.06))]


def pear():
    skin = Paint((0.68, 0.74, 0.22), (0.55, 0.50, 0.16), frequency=20, level=1.2, gloss=0.25)
    return [
        ellipsoid((0, -0.28, 0), (0.64, 0.60, 0.64), skin),
        rod((0, -0.08, 0), (0, 0.62, 0), 0.595, skin, 0.29),
        ellipsoid((0, 0.58, 0), (0.305, 0.30, 0.305), skin),
        *tube([(0, 0.80, 0), (0.05, 1.02, 0), (0.16, 1.18, 0)], [0.03, 0.03, 0.045], DARK_WOOD),
        ellipsoid((-0.22, 0.98, 0), (0.26, 0.03, 0.12), Paint((0.20, 0.46, 0.12), gloss=0.2), rotation("z", -22)),
    ]


def grapes():
    berry = Paint((0.34, 0.10, 0.38), (0.26, 0.08, 0.36), frequency=9, level=0.3, gloss=0.6)
    solids = []
    for level, (count, radius) in enumerate([(6, 0.42), (7, 0.50), (6, 0.42), (5, 0.32), (4, 0.22), (2, 0.12), (1, 0.0)]):
        for k in range(count):
            a = 2 * pi * (k + 0.5 * (level % 2)) / count
            solids.append(ellipsoid((radius * cos(a), 0.5 - 0.26 * level, radius * sin(a)), (0.2, 0.2, 0.2), berry))
    return solids + [
        *tube([(0, 0.6, 0), (0.02, 0.88, 0), (-0.22, 1.0, 0)], [0.05, 0.045, 0.05], WOOD),
        ellipsoid((0.26, 0.82, 0.08), (0.36, 0.05, 0.30), Paint((0.26, 0.50, 0.16), gloss=0.1), rotation("z", -14)),
    ]
