"""What the demo model can draw: attributes, random scenes, their paths and their captions.

A scene is a value: drawing it (drawing.py), describing it (captions.py) and measuring it
(measure.py) all start from the same Scene, so that none of them can drift from the others.
Lengths are in units of the canvas side, x to the right, y down.
"""

import dataclasses
import math
import random

SHAPES = ("circle", "square", "triangle", "star", "heart", "ring", "cross", "crescent")
COLOURS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "white",
           "black")
SIZES = ("small", "medium", "large")
MOTIONS = ("still", "right", "left", "up", "down", "bounce", "circle", "sway", "grow", "shrink")
BACKGROUNDS = ("studio", "sky", "sunset", "night", "meadow", "sea", "desert")

SINGLE_RADIUS = {"small": 0.145, "medium": 0.19, "large": 0.24}
PAIR_RADIUS = 0.15
GROW_FROM, GROW_TO = 0.55, 1.25

# Motions that stay inside a horizontal or a vertical lane when two shapes share the canvas.
ROW_MOTIONS = ("still", "right", "left", "sway", "grow", "shrink")
COLUMN_MOTIONS = ("still", "up", "down", "bounce", "grow", "shrink")

FULL_MOTION_FRAMES = 33


@dataclasses.dataclass(frozen=True)
class Figure:
    """One moving shape. (x0, y0) and (x1, y1) are where its centre starts and ends; motions that
    return use `swing` as their amplitude."""

    shape: str
    colour: str
    size: str
    motion: str
    radius: float
    x0: float
    y0: float
    x1: float
    y1: float
    swing: float
    tint: float  # brightness jitter in [-1, 1]

    def at(self, phase: float) -> tuple[float, float, float]:
        """Centre and radius at `phase` in [0, 1] of the motion."""
        x = self.x0 + (self.x1 - self.x0) * phase
        y = self.y0 + (self.y1 - self.y0) * phase
        radius = self.radius
        if self.motion == "bounce":
            fall = 2.0 * phase if phase < 0.5 else 2.0 - 2.0 * phase
            y = self.y0 + self.swing * fall * fall
        elif self.motion == "circle":
            angle = 2.0 * math.pi * phase - 0.5 * math.pi
            x, y = self.x0 + self.swing * math.cos(angle), self.y0 + self.swing * math.sin(angle)
        elif self.motion == "sway":
            x = self.x0 + self.swing * math.sin(2.0 * math.pi * phase)
        elif self.motion == "grow":
            radius *= GROW_FROM + (GROW_TO - GROW_FROM) * phase
        elif self.motion == "shrink":
            radius *= GROW_TO - (GROW_TO - GROW_FROM) * phase
        return x, y, radius


@dataclasses.dataclass(frozen=True)
class Scene:
    figures: tuple[Figure, ...]
    background: str
    layout: str  # "single", "rows" (first figure above second) or "columns" (first one left)
    knobs: tuple[float, ...]  # eight numbers in [0, 1]: hills, clouds, stars, tones

    def paths(self, num_frames: int) -> list[list[tuple[float, float, float]]]:
        """(x, y, radius) of every figure in every frame."""
        return [[figure.at(phase(frame, num_frames)) for frame in range(num_frames)]
                for figure in self.figures]


def phase(frame: int, num_frames: int) -> float:
    """A clip of up to 33 frames is the beginning of the 33-frame one (so a cut of a long clip is
    a valid short one, and one frame is where the motion starts); a longer clip is slower."""
    return frame / max(num_frames - 1, FULL_MOTION_FRAMES - 1)


def held_out(shape: str, colour: str, motion: str) -> bool:
    """One of 16 triples never occurs in training; every pair of attributes does."""
    number = 5 * SHAPES.index(shape) + 3 * COLOURS.index(colour) + 7 * MOTIONS.index(motion)
    return number % 16 == 0


def held_out_triples() -> list[tuple[str, str, str]]:
    return [(shape, colour, motion) for shape in SHAPES for colour in COLOURS
            for motion in MOTIONS if held_out(shape, colour, motion)]


def _figure(rng: random.Random, shape: str, colour: str, size: str, motion: str, radius: float,
            box: tuple[float, float, float, float]) -> Figure:
    """Places a figure so that its whole motion stays inside box = (left, top, right, bottom)."""
    left, top, right, bottom = box
    reach = radius * (GROW_TO if motion in ("grow", "shrink") else 1.0) * 1.22
    lo_x, hi_x = left + reach, right - reach
    lo_y, hi_y = top + reach, bottom - reach
    mid_x, mid_y = 0.5 * (lo_x + hi_x), 0.5 * (lo_y + hi_y)

    def near(low: float, high: float, spread: float) -> float:
        centre, half = 0.5 * (low + high), 0.5 * max(high - low, 0.0) * spread
        return centre + rng.uniform(-half, half)

    swing = 0.0
    x0 = x1 = near(lo_x, hi_x, 0.7)
    y0 = y1 = near(lo_y, hi_y, 0.7)
    if motion in ("right", "left"):
        start, end = lo_x + rng.uniform(0.0, 0.05), hi_x - rng.uniform(0.0, 0.05)
        x0, x1 = (start, end) if motion == "right" else (end, start)
    elif motion in ("up", "down"):
        start, end = lo_y + rng.uniform(0.0, 0.05), hi_y - rng.uniform(0.0, 0.05)
        y0, y1 = (start, end) if motion == "down" else (end, start)
    elif motion == "bounce":
        y0 = y1 = lo_y + rng.uniform(0.0, 0.05)
        swing = min(hi_y - y0, 0.42)
    elif motion == "circle":
        swing = min(0.19, 0.5 * (hi_x - lo_x), 0.5 * (hi_y - lo_y))
        x0 = x1 = mid_x + rng.uniform(-0.5, 0.5) * (hi_x - lo_x - 2.0 * swing)
        y0 = y1 = mid_y + rng.uniform(-0.5, 0.5) * (hi_y - lo_y - 2.0 * swing)
    elif motion == "sway":
        swing = min(0.18, 0.5 * (hi_x - lo_x))
        x0 = x1 = mid_x + rng.uniform(-0.5, 0.5) * (hi_x - lo_x - 2.0 * swing)
    return Figure(shape, colour, size, motion, radius, x0, y0, x1, y1, swing, rng.uniform(-1, 1))


def single_scene(rng: random.Random, shape: str, colour: str, motion: str,
                 size: str | None = None, background: str | None = None) -> Scene:
    size = size or rng.choice(SIZES)
    figure = _figure(rng, shape, colour, size, motion, SINGLE_RADIUS[size], (0.0, 0.0, 1.0, 1.0))
    return Scene((figure,), background or rng.choice(BACKGROUNDS), "single", _knobs(rng))


def pair_scene(rng: random.Random, background: str | None = None) -> Scene:
    """Two shapes of different colours, one above the other or side by side."""
    layout = rng.choice(("rows", "columns"))
    motions = ROW_MOTIONS if layout == "rows" else COLUMN_MOTIONS
    boxes = ((0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0))
    if layout == "columns":
        boxes = ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))
    figures = tuple(
        _figure(rng, rng.choice(SHAPES), colour, "medium", rng.choice(motions), PAIR_RADIUS, box)
        for colour, box in zip(rng.sample(COLOURS, 2), boxes))
    return Scene(figures, background or rng.choice(BACKGROUNDS), layout, _knobs(rng))


def training_scene(rng: random.Random, pair_share: float = 0.12) -> Scene:
    """A random scene without held-out triples."""
    while True:
        if rng.random() < pair_share:
            scene = pair_scene(rng)
        else:
            scene = single_scene(rng, rng.choice(SHAPES), rng.choice(COLOURS), rng.choice(MOTIONS))
        if not any(held_out(f.shape, f.colour, f.motion) for f in scene.figures):
            return scene


def training_scenes(count: int, seed: int, pair_share: float = 0.12) -> list[Scene]:
    rng = random.Random(f"training scenes {seed}")
    return [training_scene(rng, pair_share) for _ in range(count)]


def held_out_scenes(count: int, seed: int = 0) -> list[Scene]:
    """Scenes of unseen triples, spread over all of them; sizes and backgrounds take turns."""
    rng = random.Random(f"held-out scenes {seed}")
    triples = held_out_triples()
    rng.shuffle(triples)
    scenes = []
    for index in range(count):
        shape, colour, motion = triples[index % len(triples)]
        scenes.append(single_scene(rng, shape, colour, motion, SIZES[index % len(SIZES)],
                                   BACKGROUNDS[index % len(BACKGROUNDS)]))
    return scenes


def pair_scenes(count: int, seed: int = 0) -> list[Scene]:
    rng = random.Random(f"pair scenes {seed}")
    return [pair_scene(rng, BACKGROUNDS[index % len(BACKGROUNDS)]) for index in range(count)]


def _knobs(rng: random.Random) -> tuple[float, ...]:
    return tuple(rng.random() for _ in range(8))
