"""Backgrounds: 1/f noise arranged as open country, foliage, buildings and plain texture."""

import numpy as np

KINDS = ("country", "foliage", "buildings", "texture")


def pink_noise(rng, size, exponent=1.0, stretch=1.0):
    """Noise of shape (size, size) with amplitude ~ frequency^-exponent, zero mean and unit variance; stretch > 1 draws it out along x."""
    rows = np.fft.fftfreq(size)[:, None]
    columns = np.fft.rfftfreq(size)[None, :] * stretch
    radius = np.hypot(rows, columns)
    radius[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(size, size))) * radius ** -exponent
    noise = np.fft.irfft2(spectrum, s=(size, size))
    return (noise - noise.mean()) / noise.std()


def between(low, high, amount):
    """Colours on the way from `low` to `high`; amount (size, size) is clipped to [0, 1]."""
    amount = np.clip(amount, 0, 1)[..., None]
    return np.asarray(low) * (1 - amount) + np.asarray(high) * amount


def tinted(rng, colour, spread=0.08):
    return np.clip(np.asarray(colour) + rng.normal(0, spread, 3), 0, 1)


def country(rng, size):
    """Sky with clouds over rolling ground."""
    height = np.arange(size)[:, None] / size * np.ones((1, size))
    sky = between(tinted(rng, (0.35, 0.52, 0.75)), tinted(rng, (0.80, 0.84, 0.88)), height * 0.9 + 0.28 * pink_noise(rng, size, 1.3, 0.4))
    ground = between(tinted(rng, (0.22, 0.26, 0.12)), tinted(rng, (0.58, 0.52, 0.34)), 0.5 + 0.3 * pink_noise(rng, size, 0.9, 0.35))
    ridge = rng.uniform(0.35, 0.7) + 0.06 * pink_noise(rng, size, 1.6)[0]
    return np.where((height > ridge)[..., None], ground, sky)


def foliage(rng, size):
    """Leaves and shade, with a few trunks."""
    image = between(tinted(rng, (0.06, 0.10, 0.04), 0.03), tinted(rng, (0.46, 0.55, 0.24)), 0.45 + 0.30 * pink_noise(rng, size, 0.75))
    across = np.arange(size)[None, :] + 2.0 * pink_noise(rng, size, 1.5)
    bark = between(tinted(rng, (0.16, 0.11, 0.07), 0.03), tinted(rng, (0.40, 0.32, 0.24)), 0.5 + 0.3 * pink_noise(rng, size, 0.8, 3.0))
    for _ in range(rng.integers(1, 4)):
        trunk = np.abs(across - rng.uniform(0, size)) < rng.uniform(0.02, 0.06) * size
        image = np.where(trunk[..., None], bark, image)
    return image


def buildings(rng, size):
    """Blocks with windows against the sky."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    image = between(tinted(rng, (0.55, 0.65, 0.78)), tinted(rng, (0.85, 0.85, 0.84)), rows + 0.2 * pink_noise(rng, size, 1.4))
    for _ in range(rng.integers(5, 9)):
        left, width, top = rng.uniform(-0.1, 0.95), rng.uniform(0.14, 0.4), rng.uniform(0.05, 0.7)
        inside = (columns >= left) & (columns < left + width) & (rows >= top)
        wall = tinted(rng, rng.uniform(0.25, 0.7) * np.ones(3), 0.05) * (1 + 0.10 * pink_noise(rng, size, 0.8)[..., None])
        pitch_x, pitch_y = rng.uniform(0.045, 0.09), rng.uniform(0.05, 0.11)
        window = ((columns - left) % pitch_x > 0.45 * pitch_x) & ((rows - top) % pitch_y > 0.5 * pitch_y)
        wall = np.where(window[..., None], wall * rng.uniform(0.35, 1.5), wall)
        image = np.where(inside[..., None], wall, image)
    ground = rng.uniform(0.8, 0.98)
    return np.where((rows > ground)[..., None], tinted(rng, (0.32, 0.31, 0.30)) * np.ones((size, size, 1)), image)


def texture(rng, size):
    """Two colours mixed by 1/f noise."""
    mix = 0.5 + 0.28 * pink_noise(rng, size, rng.uniform(0.9, 1.4), rng.choice([0.5, 1.0, 2.0]))
    return between(tinted(rng, (0.25, 0.24, 0.22), 0.12), tinted(rng, (0.68, 0.66, 0.62), 0.12), mix)


def background(rng, kind, size):
    """An RGB background (size, size, 3) in [0, 1] with random contrast and brightness."""
    image = {"country": country, "foliage": foliage, "buildings": buildings, "texture": texture}[kind](rng, size)
    grain = 0.02 * rng.normal(size=(size, size, 1))
    contrast, brightness = rng.uniform(0.7, 1.0), rng.uniform(-0.06, 0.06)
    return np.clip(0.5 + contrast * (image - 0.5) + brightness + grain, 0, 1)
