"""Convex solids and a ray caster for them.

A solid is an intersection of quadrics and half-spaces with one surface colour; an object is a list of solids.
Object coordinates: x forward, y up, z to the object's right-hand side. Lengths are arbitrary: `normalise` fits an object
into the unit ball.
"""

from dataclasses import dataclass, field, replace

import numpy as np

CAMERA_DISTANCE = 5.0
"""The camera sits on the z axis and the image plane is z = 0, spanning [-1, 1] in x and y."""


@dataclass(frozen=True)
class Paint:
    """A surface: base colour, and a second colour where a solid noise exceeds `level` (frequency 0: plain)."""

    colour: tuple
    second: tuple = (0.0, 0.0, 0.0)
    frequency: float = 0.0
    level: float = 0.0
    gloss: float = 0.15


@dataclass(frozen=True)
class Solid:
    """`quadrics` (k, 4, 4): inside is x^T Q x <= 0. `planes` (m, 4): inside is p . (x, 1) <= 0. `hull` (h, 3): points around the solid."""

    paint: Paint
    quadrics: np.ndarray = field(default_factory=lambda: np.zeros((0, 4, 4)))
    planes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    hull: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    def moved(self, matrix):
        """The solid under the affine map `matrix` (4, 4)."""
        back = np.linalg.inv(matrix)
        hull = self.hull @ matrix[:3, :3].T + matrix[:3, 3]
        return replace(self, quadrics=back.T @ self.quadrics @ back, planes=self.planes @ back, hull=hull)

    def cut(self, *planes):
        """The part of the solid inside the given half-spaces (nx, ny, nz, c)."""
        return replace(self, planes=np.concatenate([self.planes, np.array(planes, float)]))

    def meet(self, other):
        """The intersection with another solid, in this one's paint."""
        return replace(
            self,
            quadrics=np.concatenate([self.quadrics, other.quadrics]),
            planes=np.concatenate([self.planes, other.planes]),
        )


def as_paint(colour):
    return colour if isinstance(colour, Paint) else Paint(tuple(colour))


def translation(x, y, z):
    matrix = np.eye(4)
    matrix[:3, 3] = (x, y, z)
    return matrix


def scaling(x, y, z):
    return np.diag([x, y, z, 1.0])


def rotation(axis, degrees):
    """Right-handed rotation about 'x', 'y' or 'z'."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def ellipsoid(centre, radii, colour, turn=None):
    """An ellipsoid with half axes `radii`, turned about its centre by `turn`."""
    unit = Solid(as_paint(colour), quadrics=np.diag([1.0, 1.0, 1.0, -1.0])[None], hull=cube_corners())
    turn = np.eye(4) if turn is None else turn
    return unit.moved(translation(*centre) @ turn @ scaling(*radii))


def cube_corners():
    return np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def box(centre, half, colour, turn=None):
    """A box with half edges `half`, turned about its centre."""
    planes = np.array([[s * (a == i) for a in range(3)] + [-1.0] for i in range(3) for s in (1, -1)], float)
    unit = Solid(as_paint(colour), planes=planes, hull=cube_corners())
    turn = np.eye(4) if turn is None else turn
    return unit.moved(translation(*centre) @ turn @ scaling(*half))


def rod(start, end, radius, colour, end_radius=None):
    """A capped cylinder, or a cone frustum, from `start` to `end`."""
    start, end = np.array(start, float), np.array(end, float)
    along = end - start
    length = np.linalg.norm(along)
    axis = along / length
    aside = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0])
    aside /= np.linalg.norm(aside)
    frame = np.eye(4)
    frame[:3, :3] = np.stack([aside, np.cross(axis, aside), axis], axis=1)
    frame[:3, 3] = start
    end_radius = radius if end_radius is None else end_radius
    slope = (end_radius - radius) / length
    quadric = np.diag([1.0, 1.0, -slope * slope, -radius * radius])
    quadric[2, 3] = quadric[3, 2] = -radius * slope
    wide = max(radius, end_radius)
    corners = np.array([[x * wide, y * wide, z * length] for x in (-1, 1) for y in (-1, 1) for z in (0, 1)])
    planes = np.array([[0.0, 0.0, -1.0, 0.0], [0.0, 0.0, 1.0, -length]])
    return Solid(as_paint(colour), quadrics=quadric[None], planes=planes, hull=corners).moved(frame)


def tube(points, radii, colour):
    """Rods through `points` with balls at the joints."""
    solids = [rod(a, b, r, colour, s) for a, b, r, s in zip(points, points[1:], radii, radii[1:])]
    return solids + [ellipsoid(p, (r, r, r), colour) for p, r in zip(points, radii)]


def loft(axis, low, low_rect, high, high_rect, colour):
    """The hexahedron between two axis-parallel rectangles.

    `axis` is the direction from the rectangle at coordinate `low` to the one at `high`; a rectangle is (min, max, min, max) over the
    two other axes in the order x, y, z.
    """
    third = "xyz".index(axis)
    others = [i for i in range(3) if i != third]
    corners = []
    for level, (a0, a1, b0, b1) in ((low, low_rect), (high, high_rect)):
        for a, b in ((a0, b0), (a1, b0), (a1, b1), (a0, b1)):
            point = np.zeros(3)
            point[third], point[others[0]], point[others[1]] = level, a, b
            corners.append(point)
    corners = np.array(corners)
    faces = [(0, 1, 2, 3), (4, 5, 6, 7)] + [(i, (i + 1) % 4, 4 + (i + 1) % 4, 4 + i) for i in range(4)]
    planes = []
    for face in faces:
        p = corners[list(face)]
        normal = np.cross(p[2] - p[0], p[3] - p[1])
        if np.linalg.norm(normal) < 1e-9:
            continue
        normal /= np.linalg.norm(normal)
        plane = np.append(normal, -normal @ p.mean(axis=0))
        inside = corners.mean(axis=0)
        planes.append(plane if plane[:3] @ inside + plane[3] < 0 else -plane)
    return Solid(as_paint(colour), planes=np.array(planes), hull=corners)


def mirrored(solids):
    """The solids and their mirror images in the plane z = 0."""
    return list(solids) + [s.moved(scaling(1, 1, -1)) for s in solids]


def moved(solids, matrix):
    return [s.moved(matrix) for s in solids]


def normalise(solids):
    """Centres an object on its bounding box and scales it into the unit ball."""
    points = np.concatenate([s.hull for s in solids])
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = np.linalg.norm(points - centre, axis=1).max()
    return moved(solids, scaling(*(3 * [1 / radius])) @ translation(*-centre))


def solid_noise(points, frequency, seed):
    """Band-limited noise (about unit variance) at `points` (m, 3): a sum of cosines."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(size=(24, 3))
    waves *= frequency * rng.uniform(0.6, 1.4, size=(24, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    phases = rng.uniform(0, 2 * np.pi, size=24)
    return np.cos(points @ waves.T + phases).sum(axis=1) / np.sqrt(12)


def cast(solid, rays, eye):
    """Ray parameter (m) and outward normal (m, 3) where rays eye + t * ray enter the solid; infinity where they miss."""
    entry = np.full(len(rays), 0.0)
    leave = np.full(len(rays), np.inf)
    source = np.full(len(rays), -1)
    index = 0
    for plane in solid.planes:
        rate = rays @ plane[:3]
        rate = np.where(np.abs(rate) < 1e-12, 1e-12, rate)
        crossing = -(plane[:3] @ eye + plane[3]) / rate
        opens = (rate < 0) & (crossing > entry)
        entry = np.where(opens, crossing, entry)
        source = np.where(opens, index, source)
        leave = np.where(rate > 0, np.minimum(leave, crossing), leave)
        index += 1
    for quadric in solid.quadrics:
        entry, leave, source = cast_quadric(quadric, rays, eye, entry, leave, source, index)
        index += 1
    hit = (entry < leave) & (source >= 0)
    points = eye + np.where(hit, entry, 1.0)[:, None] * rays
    normals = np.zeros_like(rays)
    for k, plane in enumerate(solid.planes):
        normals[source == k] = plane[:3]
    for k, quadric in enumerate(solid.quadrics, start=len(solid.planes)):
        at = source == k
        normals[at] = points[at] @ quadric[:3, :3] + quadric[:3, 3]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return np.where(hit, entry, np.inf), normals


def cast_quadric(quadric, rays, eye, entry, leave, source, index):
    """Narrows the ray intervals [entry, leave] to the inside of one quadric."""
    home = np.append(eye, 1.0)
    a = np.einsum("mi,ij,mj->m", rays, quadric[:3, :3], rays)
    a = np.where(np.abs(a) < 1e-12, 1e-12, a)
    b = rays @ (quadric[:3] @ home)
    square = b * b - a * (home @ quadric @ home)
    root = np.sqrt(np.maximum(square, 0.0))
    near, far = (-b - np.sign(a) * root) / a, (-b + np.sign(a) * root) / a
    ball = a > 0
    misses = ball & (square <= 0)
    leave = np.where(misses, -np.inf, leave)
    later = ball & ~misses & (near > entry)
    # A cone's ray is inside before the near and after the far root; the caps leave at most one of the two pieces.
    cone = ~ball & (square > 0)
    behind = cone & (entry >= near)
    skips = behind & (far > entry)
    source = np.where(later | skips, index, source)
    entry = np.where(later, near, np.where(skips, far, entry))
    leave = np.where(ball & ~misses, np.minimum(leave, far), leave)
    leave = np.where(cone & ~behind, np.minimum(leave, near), leave)
    return entry, leave, source


@dataclass(frozen=True)
class Light:
    """A directional key light (unit vector towards it) and hemispheric ambient light."""

    towards: np.ndarray
    key: float
    sky: np.ndarray
    ground: np.ndarray


def render(solids, placement, light, size, seed):
    """Colour (size, size, 3) and coverage (size, size) of an object moved by `placement`, linear in [0, 1], no antialiasing."""
    eye = np.array([0.0, 0.0, CAMERA_DISTANCE])
    ticks = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = np.meshgrid(ticks, -ticks)
    rays = np.stack([u, v, np.full_like(u, -CAMERA_DISTANCE)], axis=-1)
    depth = np.full((size, size), np.inf)
    colour = np.zeros((size, size, 3))
    back = np.linalg.inv(placement)
    for number, solid in enumerate(solids):
        placed = solid.moved(placement)
        window = projected_window(placed.hull, size)
        if window is None:
            continue
        part_rays = rays[window].reshape(-1, 3)
        t, normals = cast(placed, part_rays, eye)
        nearer = t < depth[window].ravel()
        if not nearer.any():
            continue
        points = eye + t[nearer, None] * part_rays[nearer]
        local = points @ back[:3, :3].T + back[:3, 3]
        shaded = shade(solid.paint, local, points, normals[nearer], eye, light, seed)
        for target, values in ((depth, t[nearer]), (colour, shaded)):
            view = target[window]
            flat = view.reshape(-1, *view.shape[2:]).copy()
            flat[nearer] = values
            target[window] = flat.reshape(view.shape)
    return colour, np.isfinite(depth).astype(float)


def projected_window(hull, size):
    """The pixel window around the projected hull, or None outside the image."""
    scale = CAMERA_DISTANCE / (CAMERA_DISTANCE - hull[:, 2])
    column = (hull[:, 0] * scale + 1) / 2 * size
    row = (1 - hull[:, 1] * scale) / 2 * size
    left, right = int(np.clip(column.min() - 1, 0, size)), int(np.clip(column.max() + 2, 0, size))
    top, bottom = int(np.clip(row.min() - 1, 0, size)), int(np.clip(row.max() + 2, 0, size))
    if left >= right or top >= bottom:
        return None
    return slice(top, bottom), slice(left, right)


def shade(paint, local, points, normals, eye, light, seed):
    """Lambert key light, hemispheric ambient light and a Blinn highlight."""
    albedo = np.tile(np.array(paint.colour, float), (len(points), 1))
    if paint.frequency > 0:
        marked = np.clip((solid_noise(local, paint.frequency, seed) - paint.level) * 6 + 0.5, 0, 1)[:, None]
        albedo = albedo * (1 - marked) + np.array(paint.second, float) * marked
    lambert = np.maximum(normals @ light.towards, 0.0)[:, None]
    up = (normals[:, 1:2] + 1) / 2
    ambient = light.sky * up + light.ground * (1 - up)
    to_eye = eye - points
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    half = to_eye + light.towards
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    highlight = paint.gloss * np.maximum((normals * half).sum(axis=1), 0.0)[:, None] ** 30
    return np.clip(albedo * (ambient + light.key * lambert) + highlight, 0.0, 1.0)
