"""Draws scenes as clips on any device: anti-aliased shapes with a soft shadow on calm backgrounds.

Every shape is a small table of signed distances (unit radius, negative inside), looked up per
pixel, so that all shapes of a batch are drawn by the same few tensor operations.
"""

import functools
import math

import torch
import torch.nn.functional as F

from world import BACKGROUNDS, SHAPES, Scene

RGB = {
    "red": (0.86, 0.11, 0.14), "orange": (0.98, 0.52, 0.05), "yellow": (1.00, 0.87, 0.10),
    "green": (0.07, 0.55, 0.20), "turquoise": (0.05, 0.80, 0.76), "blue": (0.10, 0.27, 0.86),
    "purple": (0.48, 0.14, 0.70), "pink": (1.00, 0.42, 0.68), "white": (0.98, 0.98, 0.98),
    "black": (0.06, 0.06, 0.07),
}
# Muted tones (top, middle, bottom), so that a shape of any colour stands out.
TONES = {
    "studio": ((0.68, 0.69, 0.71), (0.62, 0.63, 0.66), (0.52, 0.53, 0.56)),
    "sky": ((0.42, 0.62, 0.84), (0.55, 0.72, 0.88), (0.66, 0.80, 0.91)),
    "sunset": ((0.42, 0.30, 0.46), (0.76, 0.49, 0.50), (0.90, 0.68, 0.54)),
    "night": ((0.07, 0.08, 0.22), (0.12, 0.14, 0.32), (0.20, 0.21, 0.41)),
    "meadow": ((0.60, 0.76, 0.86), (0.70, 0.83, 0.88), (0.54, 0.68, 0.40)),
    "sea": ((0.64, 0.78, 0.86), (0.74, 0.84, 0.88), (0.28, 0.50, 0.62)),
    "desert": ((0.62, 0.75, 0.82), (0.80, 0.82, 0.78), (0.83, 0.71, 0.52)),
}
ATLAS_SIDE, ATLAS_EXTENT = 160, 1.6


def _outline(shape: str) -> torch.Tensor:
    """Closed polygon [K, 2] of a shape around the origin, y down."""
    def points(pairs):
        return torch.tensor(pairs, dtype=torch.float32)

    if shape == "square":
        return points([(-0.80, -0.80), (0.80, -0.80), (0.80, 0.80), (-0.80, 0.80)])
    if shape == "triangle":
        return points([(1.16 * math.cos(a), 1.16 * math.sin(a) + 0.16)
                       for a in (-math.pi / 2, math.pi / 6, 5 * math.pi / 6)])
    if shape == "star":
        return points([((1.14 if k % 2 == 0 else 0.50) * math.cos(k * math.pi / 5 - math.pi / 2),
                        (1.14 if k % 2 == 0 else 0.50) * math.sin(k * math.pi / 5 - math.pi / 2))
                       for k in range(10)])
    if shape == "cross":
        a, b = 0.34, 1.0
        return points([(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b), (-a, b),
                       (-a, a), (-b, a), (-b, -a), (-a, -a)])
    if shape == "crescent":  # a disc of radius 1.02 without a disc of radius 0.80 at x = 0.44
        tip_x = (1.02**2 - 0.80**2 + 0.44**2) / (2 * 0.44)
        tip_y = math.sqrt(1.02**2 - tip_x**2)
        outer, inner = math.atan2(tip_y, tip_x), math.atan2(tip_y, tip_x - 0.44)
        back = [outer + (2 * math.pi - 2 * outer) * k / 60 for k in range(61)]
        front = [inner + (2 * math.pi - 2 * inner) * (1 - k / 50) for k in range(1, 50)]
        return points([(1.02 * math.cos(a), 1.02 * math.sin(a)) for a in back]
                      + [(0.44 + 0.80 * math.cos(a), 0.80 * math.sin(a)) for a in front])
    if shape == "heart":
        turns = [2 * math.pi * k / 96 for k in range(96)]
        return points([(0.062 * 16 * math.sin(t) ** 3,
                        -0.062 * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
                                  - math.cos(4 * t)) - 0.10) for t in turns])
    raise ValueError(f"no outline for {shape}")


def _polygon_distance(outline: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Signed distance of points to a closed polygon (even-odd rule)."""
    distance = torch.full_like(x, 1e9)
    inside = torch.zeros_like(x, dtype=torch.bool)
    for (ax, ay), (bx, by) in zip(outline.tolist(), outline.roll(-1, 0).tolist()):
        dx, dy = bx - ax, by - ay
        along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0)
        distance = torch.minimum(distance, torch.hypot(x - ax - along * dx, y - ay - along * dy))
        if ay != by:
            crosses = ((ay > y) != (by > y)) & (x < dx * (y - ay) / dy + ax)
            inside ^= crosses
    return torch.where(inside, -distance, distance)


@functools.cache
def shape_atlas() -> torch.Tensor:
    """Signed distances [8, 1, side, side] over [-1.6, 1.6]^2 with slightly rounded corners."""
    line = torch.linspace(-ATLAS_EXTENT, ATLAS_EXTENT, ATLAS_SIDE)
    y, x = torch.meshgrid(line, line, indexing="ij")
    radius = torch.hypot(x, y)
    tables = []
    for shape in SHAPES:
        if shape == "circle":
            table = radius - 0.92
        elif shape == "ring":
            table = (radius - 0.74).abs() - 0.27
        else:
            table = _polygon_distance(_outline(shape), x, y) - 0.04
        tables.append(table)
    return torch.stack(tables)[:, None]


def shape_areas() -> dict[str, float]:
    """Area of every shape at radius 1."""
    pixel = (2 * ATLAS_EXTENT / (ATLAS_SIDE - 1)) ** 2
    return {shape: float((table < 0).sum()) * pixel for shape, table in zip(SHAPES, shape_atlas())}


def _look_up(tables, centre, radius, x, y):
    """Signed distance in canvas units, [B, F, H, W], of figures at `centre` [B, F, 2]."""
    batch, frames = radius.shape
    scale = 1.0 / (radius * ATLAS_EXTENT)
    gx = (x[None, None, :] - centre[..., 0:1]) * scale[..., None]
    gy = (y[None, None, :] - centre[..., 1:2]) * scale[..., None]
    grid = torch.stack((gx[:, :, None, :].expand(-1, -1, len(y), -1),
                        gy[:, :, :, None].expand(-1, -1, -1, len(x))), dim=-1)
    values = F.grid_sample(tables, grid.reshape(batch, frames * len(y), len(x), 2),
                           padding_mode="border", align_corners=True)
    return values.reshape(batch, frames, len(y), len(x)) * radius[..., None, None]


def _mix(base, colour, amount):
    return base + (colour - base) * amount


def _tone(name: str, index: int, like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(TONES[name][index], device=like.device).reshape(1, 3, 1, 1, 1)


def draw_background(name: str, knobs: torch.Tensor, time: torch.Tensor, x: torch.Tensor,
                y: torch.Tensor) -> torch.Tensor:
    """Clip [B, 3, F or 1, H, W] in [0, 1]; knobs [B, 8], time [F] is the phase of each frame."""
    knob = [knobs[:, k].reshape(-1, 1, 1, 1, 1) for k in range(8)]
    xs, ys = x.reshape(1, 1, 1, 1, -1), y.reshape(1, 1, 1, -1, 1)
    ts = time.reshape(1, 1, -1, 1, 1)
    top, middle, bottom = (_tone(name, k, x) for k in range(3))
    turn = 2.0 * math.pi
    if name in ("meadow", "sea", "desert"):
        image = _mix(top, middle, (ys / 0.66).clamp(0, 1)).expand(-1, -1, -1, -1, len(x))
        level = 0.66 + 0.03 * (knob[0] - 0.5)
        if name == "sea":
            wave = 0.012 * torch.sin(turn * (1.5 * xs + knob[1] - ts))
            level = level + wave
            ripple = torch.sin(turn * (2.0 * xs + 9.0 * ys + knob[2] + ts)) * 0.02
        else:
            hill = 0.035 if name == "meadow" else 0.06
            level = level + hill * torch.sin(turn * ((0.6 + 0.5 * knob[1]) * xs + knob[2]))
            ripple = 0.02 * torch.sin(turn * (0.7 * xs + knob[3]))
        edge = ((ys - level) * 90.0 + 0.5).clamp(0, 1)
        ground = _mix(bottom * 1.05, bottom * 0.88, ((ys - 0.66) / 0.34).clamp(0, 1)) + ripple
        image = _mix(image, ground, edge)
    else:
        image = _mix(_mix(top, middle, (ys / 0.5).clamp(0, 1)), bottom,
                     (ys / 0.5 - 1.0).clamp(0, 1)).expand(-1, -1, -1, -1, len(x))
    if name == "sky":
        for index in range(2):
            cx = knob[index] * 1.2 - 0.1 + 0.12 * ts
            cy = 0.15 + 0.28 * index + 0.15 * knob[index + 2]
            puff = torch.exp(-((xs - cx) / 0.20) ** 2 - ((ys - cy) / 0.06) ** 2)
            image = _mix(image, torch.full_like(top, 0.86), 0.45 * puff)
    elif name == "night":
        places = (knobs[:, :7].repeat_interleave(2, 1) * 97.31
                  + torch.arange(14, device=x.device) * 0.618).frac()
        for index in range(9):
            cx, cy = (places[:, (index + s) % 14].reshape(-1, 1, 1, 1, 1) for s in (0, 5))
            glow = torch.exp(-((xs - cx) ** 2 + (ys - 0.9 * cy) ** 2) / 0.0001)
            twinkle = 0.75 + 0.25 * torch.sin(turn * (ts + index * 0.37))
            image = _mix(image, torch.full_like(top, 0.80), 0.7 * glow * twinkle)
    return image * (0.97 + 0.06 * knob[7])


@torch.no_grad()
def draw(scenes: list[Scene], num_frames: int, side: int,
         device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips [B, 3, F, side, side] fp32 in [-1, 1] and the shapes' coverage [B, F, side, side]."""
    line = (torch.arange(side, device=device) + 0.5) / side
    time = torch.arange(num_frames, device=device) / max(num_frames - 1, 32)
    knobs = torch.tensor([scene.knobs for scene in scenes], device=device)
    clip = torch.empty(len(scenes), 3, num_frames, side, side, device=device)
    for name in BACKGROUNDS:
        rows = [index for index, scene in enumerate(scenes) if scene.background == name]
        if rows:
            clip[rows] = draw_background(name, knobs[rows], time, line, line).expand(
                len(rows), 3, num_frames, side, side)
    coverage = torch.zeros(len(scenes), num_frames, side, side, device=device)
    atlas = shape_atlas().to(device)
    for order in range(2):
        rows = [index for index, scene in enumerate(scenes) if len(scene.figures) > order]
        if not rows:
            continue
        figures = [scenes[index].figures[order] for index in rows]
        paths = torch.tensor([scenes[index].paths(num_frames)[order] for index in rows],
                             device=device)
        tables = atlas[[SHAPES.index(figure.shape) for figure in figures]]
        centre, radius = paths[..., :2], paths[..., 2]
        distance = _look_up(tables, centre, radius, line, line)
        shadow = _look_up(tables, centre + torch.tensor((0.012, 0.022), device=device), radius,
                          line, line)
        shade = 0.28 * (0.5 - shadow / 0.05).clamp(0, 1)
        inside = (0.5 - distance * side).clamp(0, 1)
        colour = torch.tensor([RGB[figure.colour] for figure in figures], device=device)
        tint = torch.tensor([figure.tint for figure in figures], device=device)
        # A gentle light from the upper left and a darker rim give the flat shape some volume.
        across = (line[None, None, None, :] - centre[:, :, None, None, 0]
                  + line[None, None, :, None] - centre[:, :, None, None, 1])
        light = 1.0 - 0.16 * (across / radius[:, :, None, None]).clamp(-1.5, 1.5) * 0.5
        rim = 0.20 * (1.0 + distance / (0.13 * radius[:, :, None, None])).clamp(0, 1)
        light = light * (1.0 - rim) * (1.0 + 0.03 * tint.reshape(-1, 1, 1, 1))
        figure_rgb = colour.reshape(-1, 3, 1, 1, 1) * light[:, None] + 0.05 * (light[:, None] - 0.8)
        under = clip[rows] * (1.0 - shade[:, None])
        clip[rows] = _mix(under, figure_rgb, inside[:, None])
        coverage[rows] = torch.maximum(coverage[rows], inside)
    return clip.clamp_(0, 1).mul_(2).sub_(1), coverage
