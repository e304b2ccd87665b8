"""Measures what a clip shows: colour, shape and motion of its figures, from pixels alone.

A pixel belongs to a figure if its colour (CIE Lab) is nearer to a shade of one of the ten colours
than to any tone of a background drawn without figures. The largest connected patch of a colour is
the figure; its centroid and area over time give the motion, its overlap with the eight silhouettes
of the same centroid and area gives the shape.
"""

import dataclasses
import functools

import torch
import torch.nn.functional as F

from drawing import ATLAS_EXTENT, RGB, draw_background, shape_atlas
from world import BACKGROUNDS, COLOURS, SHAPES, Scene

SIDE = 96  # pixels of the measuring grid
SHADES = (0.70, 0.82, 0.92, 1.0, 1.08)
MIN_AREA = 0.004  # of the canvas: smaller patches are no figure


@dataclasses.dataclass
class Reading:
    """What was seen of one figure; `motion` is None if it fits no motion."""

    colour: str
    shape: str
    motion: str | None
    overlap: float  # mean intersection over union with the silhouette
    seen: float  # share of the frames that show the figure

    def matches(self, figure) -> bool:
        return (self.seen > 0.8 and self.overlap > 0.6 and self.shape == figure.shape
                and self.colour == figure.colour and self.motion == figure.motion)


def lab(rgb: torch.Tensor) -> torch.Tensor:
    """CIE Lab of sRGB colours [..., 3] in [0, 1]."""
    rgb = rgb.clamp(0, 1)
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722],
                           [0.0193, 0.1192, 0.9505]], device=rgb.device)
    xyz = linear @ to_xyz.T / torch.tensor([0.9505, 1.0, 1.089], device=rgb.device)
    f = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack((116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]),
                        200 * (f[..., 1] - f[..., 2])), dim=-1)


@functools.cache
def prototypes() -> tuple[torch.Tensor, torch.Tensor]:
    """Lab colours [P, 3] and their classes [P]: a colour's index, or -1 for backgrounds."""
    figures = torch.tensor([[c * shade for c in RGB[name]] for name in COLOURS
                            for shade in SHADES])
    classes = torch.arange(len(COLOURS)).repeat_interleave(len(SHADES))
    knobs = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    line = (torch.arange(48) + 0.5) / 48
    tones = [draw_background(name, knobs, torch.tensor([0.0, 0.5]), line, line)
             .expand(6, 3, 2, 48, 48).permute(0, 2, 3, 4, 1).reshape(-1, 3)
             for name in BACKGROUNDS]
    tones = torch.cat(tones)
    tones = torch.cat([tones * shadow for shadow in (1.0, 0.86, 0.74)])
    tones = lab(tones)
    grid = torch.unique((tones / 4.0).round(), dim=0) * 4.0
    return (torch.cat((lab(figures), grid)),
            torch.cat((classes, torch.full((len(grid),), -1))))


def classify(clip: torch.Tensor) -> torch.Tensor:
    """Colour index or -1 per pixel, [F, SIDE, SIDE], of a clip [3, F, H, W] in [-1, 1]."""
    frames = F.interpolate(clip.permute(1, 0, 2, 3).float(), (SIDE, SIDE), mode="area")
    values = lab(frames.permute(0, 2, 3, 1) * 0.5 + 0.5).reshape(-1, 3)
    colours, classes = (value.to(clip.device) for value in prototypes())
    nearest = torch.cat([torch.cdist(part, colours).argmin(1) for part in values.split(65536)])
    return classes[nearest].reshape(-1, SIDE, SIDE)


def largest_patch(masks: torch.Tensor) -> torch.Tensor:
    """Keeps the largest connected patch of every mask [F, H, W]."""
    frames, height, width = masks.shape
    labels = (torch.arange(height * width, device=masks.device) + 1.0).reshape(1, height, width)
    labels = labels * masks
    while True:
        spread = F.max_pool2d(labels[:, None], 3, stride=1, padding=1)[:, 0] * masks
        if torch.equal(spread, labels):
            break
        labels = spread
    kept = torch.zeros_like(masks)
    for k in range(frames):
        names, counts = labels[k][masks[k]].unique(return_counts=True)
        if len(names):
            kept[k] = labels[k] == names[counts.argmax()]
    return kept


@functools.cache
def _silhouette(shape: str) -> tuple[float, float, float]:
    """Area, and centroid, of a shape of radius 1."""
    table = shape_atlas()[SHAPES.index(shape), 0]
    line = torch.linspace(-ATLAS_EXTENT, ATLAS_EXTENT, len(table))
    inside = (table < 0).float()
    cell = float(line[1] - line[0]) ** 2
    return (float(inside.sum()) * cell, float((inside * line[None]).sum() / inside.sum()),
            float((inside * line[:, None]).sum() / inside.sum()))


def _overlaps(mask: torch.Tensor, x: float, y: float, area: float) -> list[float]:
    """Intersection over union of one mask with all silhouettes of its centroid and area."""
    line = (torch.arange(SIDE, device=mask.device) + 0.5) / SIDE
    scores = []
    for index, shape in enumerate(SHAPES):
        unit, cx, cy = _silhouette(shape)
        radius = (area / unit) ** 0.5
        gx = ((line - x) / radius + cx) / ATLAS_EXTENT
        gy = ((line - y) / radius + cy) / ATLAS_EXTENT
        grid = torch.stack((gx[None].expand(SIDE, -1), gy[:, None].expand(-1, SIDE)), -1)
        table = shape_atlas()[index:index + 1].to(mask.device)
        drawn = F.grid_sample(table, grid[None], padding_mode="border",
                              align_corners=True)[0, 0] < 0
        both = (drawn & mask).sum()
        scores.append(float(both) / max(float((drawn | mask).sum()), 1.0))
    return scores


def name_motion(xs, ys, areas) -> str | None:
    """Motion from centroids and areas over the frames (canvas units)."""
    def ends(values):
        return float(values[:2].mean()), float(values[-2:].mean())

    (x0, x1), (y0, y1), (a0, a1) = ends(xs), ends(ys), ends(areas)
    wide, high = float(xs.max() - xs.min()), float(ys.max() - ys.min())
    dx, dy = x1 - x0, y1 - y0
    if a1 > 1.9 * a0 or a0 > 1.9 * a1:
        return "grow" if a1 > a0 else "shrink"
    if wide < 0.05 and high < 0.05:
        return "still"
    if abs(dx) > 0.7 * wide and wide > 0.12 and high < 0.4 * wide:
        return "right" if dx > 0 else "left"
    if abs(dy) > 0.7 * high and high > 0.12 and wide < 0.4 * high:
        return "down" if dy > 0 else "up"
    returns = abs(dx) < 0.45 * max(wide, high) and abs(dy) < 0.45 * max(wide, high)
    if returns and wide > 0.1 and high < 0.35 * wide:
        return "sway"
    if returns and high > 0.1 and wide < 0.35 * high:
        return "bounce"
    if returns and wide > 0.15 and high > 0.15:
        return "circle"
    return None


def read_figure(classes: torch.Tensor, colour: str) -> Reading:
    """Measures the figure of one colour in classified frames."""
    masks = largest_patch(classes == COLOURS.index(colour))
    areas = masks.float().mean((1, 2))
    seen = areas > MIN_AREA
    if int(seen.sum()) < min(4, len(masks)):
        return Reading(colour, "none", None, 0.0, float(seen.float().mean()))
    masks, areas = masks[seen], areas[seen]
    line = (torch.arange(SIDE, device=masks.device) + 0.5) / SIDE
    weight = masks.float()
    xs = (weight * line).sum((1, 2)) / weight.sum((1, 2))
    ys = (weight * line[:, None]).sum((1, 2)) / weight.sum((1, 2))
    scores = torch.tensor([_overlaps(mask, float(x), float(y), float(area))
                           for mask, x, y, area in zip(masks, xs, ys, areas)]).mean(0)
    best = int(scores.argmax())
    return Reading(colour, SHAPES[best], name_motion(xs, ys, areas), float(scores[best]),
                   float(seen.float().mean()))


def read_clip(clip: torch.Tensor, scene: Scene) -> list[Reading]:
    """One reading for each figure of `scene`. A single figure's colour is found blindly; of two
    figures, each is looked for by its colour."""
    classes = classify(clip[:, ::2])
    if len(scene.figures) > 1:
        return [read_figure(classes, figure.colour) for figure in scene.figures]
    shares = [float((classes == k).float().mean()) for k in range(len(COLOURS))]
    likely = [k for k in range(len(COLOURS)) if shares[k] > 0.3 * max(shares)]
    if len(likely) > 1:
        shares = [float(largest_patch(classes == k).float().mean()) if k in likely else 0.0
                  for k in range(len(COLOURS))]
    return [read_figure(classes, COLOURS[shares.index(max(shares))])]
