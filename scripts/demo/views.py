"""Draws views of the objects: random pose, size, position, light and background, as in the HvM images."""

from dataclasses import dataclass

import numpy as np

from backgrounds import KINDS, background
from objects import catalogue
from solids import Light, render, rotation, scaling, translation

YAW = {"face": (-130.0, -50.0)}
"""Degrees about the vertical axis; at -90 an object's front looks into the camera."""
DEFAULT_YAW = (-150.0, 60.0)
PITCH = (-10.0, 45.0)
FACE_PITCH = (-20.0, 25.0)
ROLL = 25.0
SCALE = (0.48, 1.0)
SHIFT = 0.28


@dataclass(frozen=True)
class View:
    """One picture. Angles in degrees; `size` is the radius of the object's bounding ball and `x`, `y` its centre, in half image widths."""

    category: str
    name: str
    background: str
    size: float
    x: float
    y: float
    yaw: float
    pitch: float
    roll: float


def draw_view(rng, category, name):
    """A random view of an object."""
    low, high = YAW.get(category, DEFAULT_YAW)
    pitch = FACE_PITCH if category == "face" else PITCH
    return View(
        category=category,
        name=name,
        background=KINDS[rng.integers(len(KINDS))],
        size=rng.uniform(*SCALE),
        x=rng.uniform(-SHIFT, SHIFT),
        y=rng.uniform(-SHIFT, SHIFT),
        yaw=rng.uniform(low, high),
        pitch=rng.uniform(*pitch),
        roll=rng.uniform(-ROLL, ROLL),
    )


def draw_light(rng):
    towards = np.array([rng.uniform(-0.9, 0.9), rng.uniform(0.4, 1.0), rng.uniform(0.4, 1.0)])
    level = rng.uniform(0.85, 1.1)
    tint = 1 + rng.normal(0, 0.04, 3)
    return Light(
        towards=towards / np.linalg.norm(towards),
        key=0.72 * level,
        sky=0.44 * level * tint,
        ground=0.22 * level * tint,
    )


def draw_image(rng, view, solids, pixels, markings):
    """The picture of a view as uint8 (pixels, pixels, 3), twice oversampled."""
    placement = (
        translation(view.x, view.y, 0)
        @ rotation("z", view.roll)
        @ rotation("x", view.pitch)
        @ rotation("y", view.yaw)
        @ scaling(view.size, view.size, view.size)
    )
    colour, coverage = render(solids, placement, draw_light(rng), 2 * pixels, markings)
    halve = lambda a: a.reshape(pixels, 2, pixels, 2, -1).mean(axis=(1, 3))
    over = halve(colour * coverage[..., None])
    image = over + (1 - halve(coverage)) * background(rng, view.background, pixels)
    return np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)


def draw_set(seed, views_per_object, pixels):
    """Yields (View, picture) for every object and view. Each picture has its own generator, seeded by (seed, object, view)."""
    for number, (category, name, solids) in enumerate(catalogue()):
        for index in range(views_per_object):
            rng = np.random.default_rng((seed, number, index))
            view = draw_view(rng, category, name)
            yield view, draw_image(rng, view, solids, pixels, number)
