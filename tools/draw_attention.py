"""Draws which blocks XAttention selects for synthetic heads: docs/images/attention.png.

    .deps/venv/bin/python tools/draw_attention.py build/release/bin/sparsereel

Four kinds of heads on a 9 x 24 x 24 grid of tokens: near ones in all directions, the same frame, the same
place in every frame, and similar content. Rows are query blocks, columns key blocks of 64 tokens; darker
blocks hold more of the row's mass, red ones are selected at tau 0.9.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

GRID = (9, 24, 24)
HEAD_DIM = 128
AXES = (16, 56, 56)
BLOCK = 64
PIXELS = 3

# Strength of a shared direction in the channels of each axis, of content, and of noise.
HEADS = [
    ((1.6, 1.6, 1.6), 0.4, 0.6),
    ((2.6, 0.6, 0.6), 0.5, 0.6),
    ((0.0, 1.6, 1.6), 0.4, 0.6),
    ((0.4, 0.4, 0.4), 1.5, 0.6),
]


def angles() -> torch.Tensor:
    """Rotary angles [tokens, HEAD_DIM / 2] of the grid, as the transformer turns its heads."""
    positions = torch.meshgrid(*(torch.arange(n) for n in GRID), indexing="ij")
    columns = []
    for axis, position in zip(AXES, positions):
        frequencies = 256.0 ** (-torch.arange(axis // 2) * 2 / axis)
        columns.append(position.reshape(-1, 1) * frequencies)
    return torch.cat(columns, 1)


def rotate(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


def content(generator: torch.Generator) -> torch.Tensor:
    """A smooth random field over the grid, [tokens, HEAD_DIM]."""
    coarse = torch.randn(1, HEAD_DIM, 3, 4, 4, generator=generator)
    field = torch.nn.functional.interpolate(coarse, size=GRID, mode="trilinear", align_corners=True)
    return field.reshape(HEAD_DIM, -1).T


def draw_head(directions, content_weight, noise_weight, generator):
    strength = torch.repeat_interleave(torch.tensor(directions), torch.tensor(AXES))
    shared = torch.randn(HEAD_DIM, generator=generator) * strength
    field = content_weight * content(generator)
    turned = []
    for _ in range(2):
        noise = noise_weight * torch.randn(field.shape, generator=generator)
        x = shared + field + noise
        x = x / x.square().mean(-1, keepdim=True).sqrt()
        turned.append(1.3 * rotate(x, angles()))
    return turned


def picture(mask: np.ndarray, mass: np.ndarray) -> Image.Image:
    shade = 1 - np.sqrt(mass / mass.max())
    pixels = np.stack([shade] * 3, -1) * 255
    pixels[mask > 0] = pixels[mask > 0] * 0.75 + np.array([200, 40, 30]) * 0.25
    return Image.fromarray(pixels.round().astype(np.uint8)).resize(
        (mask.shape[1] * PIXELS, mask.shape[0] * PIXELS), Image.NEAREST
    )


def main() -> None:
    generator = torch.Generator().manual_seed(5)
    heads = [draw_head(*head, generator) for head in HEADS]
    q = torch.stack([head[0] for head in heads], 1)[None]
    k = torch.stack([head[1] for head in heads], 1)[None]
    v = torch.randn(q.shape, generator=generator)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "in.safetensors"
        target = pathlib.Path(folder) / "out.safetensors"
        save_file({"q": q.contiguous(), "k": k.contiguous(), "v": v}, source)
        flags = ["--tau", "0.9", "--stride", "8", "--block", str(BLOCK), "--protect", "self"]
        subprocess.run([sys.argv[1], "probe", "xattn", "--in", source, "--out", target, *flags], check=True)
        shown = load_file(target)
    masks, masses = shown["mask"][0].numpy(), shown["block_mass"][0].numpy()
    tiles = [picture(mask, mass) for mask, mass in zip(masks, masses)]
    gap = 12
    sheet = Image.new("RGB", (sum(t.width for t in tiles) + gap * (len(tiles) - 1), tiles[0].height), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index * (tile.width + gap), 0))
    out = pathlib.Path("docs/images/attention.png")
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, optimize=True)
    print(out, "density", [round(float(mask.mean()), 3) for mask in masks])


if __name__ == "__main__":
    main()
