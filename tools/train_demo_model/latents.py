"""A pool of encoded clips with tokenised captions, from which the DiT's batches are drawn.

All captions of a batch have the same number of tokens: no padding, no mask, and attention takes
its fastest path. A 33-frame clip's first latent frames are the clip of 1 or 17 frames.
"""

import random

import torch
import torch.nn.functional as F

from captions import caption
from drawing import draw
from text import IMAGE_CROP, VIDEO_CROP, Tokens
from vae_model import encode
from world import BACKGROUNDS, COLOURS, MOTIONS, SHAPES, SIZES, training_scenes

CAPTIONS_A_CLIP = 4
# What the auxiliary heads must read from the text: name and number of answers. Index 0 of the
# second figure's answers means that there is none.
QUESTIONS = {"background": len(BACKGROUNDS), "layout": 3, "size": len(SIZES),
             "shape": len(SHAPES), "colour": len(COLOURS), "motion": len(MOTIONS),
             "shape2": 1 + len(SHAPES), "colour2": 1 + len(COLOURS), "motion2": 1 + len(MOTIONS)}


def answers(scene) -> list[int]:
    first = scene.figures[0]
    values = [BACKGROUNDS.index(scene.background),
              ("single", "rows", "columns").index(scene.layout), SIZES.index(first.size),
              SHAPES.index(first.shape), COLOURS.index(first.colour), MOTIONS.index(first.motion)]
    if len(scene.figures) == 1:
        return values + [0, 0, 0]
    second = scene.figures[1]
    return values + [1 + SHAPES.index(second.shape), 1 + COLOURS.index(second.colour),
                     1 + MOTIONS.index(second.motion)]


class Batch:
    """latents [B, 16, T, h, w], weights [B, 1, T, h, w] of the loss, ids and answers."""

    def __init__(self, latents, weights, llama_ids, crop, clip_ids, answers):
        self.latents, self.weights, self.llama_ids = latents, weights, llama_ids
        self.crop, self.clip_ids, self.answers = crop, clip_ids, answers


class LatentPool:
    def __init__(self, vae, tokens: Tokens, count: int, frames: int, side: int, seed: int,
                 near_weight: float, chunk: int = 8):
        self.vae, self.tokens, self.frames, self.side = vae, tokens, frames, side
        self.device, self.chunk, self.near_weight = vae.device, chunk, near_weight
        self.seed, self.cursor, self.random = seed, 0, random.Random(f"latent pool {seed}")
        steps, edge = (frames - 1) // 4 + 1, side // 8
        self.latents = torch.empty(count, 16, steps, edge, edge, dtype=torch.bfloat16,
                                   device=self.device)
        self.near = torch.empty(count, 1, steps, edge, edge, dtype=torch.bfloat16,
                                device=self.device)
        self.answers = torch.empty(count, len(QUESTIONS), dtype=torch.long, device=self.device)
        self.texts: list[list[tuple]] = [[] for _ in range(count)]
        for _ in range(0, count, chunk):
            self.renew(min(chunk, count))

    @torch.no_grad()
    def renew(self, count: int) -> None:
        """Replaces the oldest `count` clips by new ones."""
        self.seed += 1
        scenes = training_scenes(count, self.seed)
        clips, cover = draw(scenes, self.frames, self.side, self.device)
        latents = encode(self.vae, clips.to(self.vae.dtype))[0] * self.vae.config.scaling_factor
        rows = [(self.cursor + k) % len(self.latents) for k in range(count)]
        self.cursor = (self.cursor + count) % len(self.latents)
        self.latents[rows] = latents.to(torch.bfloat16)
        # A latent frame covers four frames (the first one a single frame) and 8x8 pixels.
        cover = torch.cat((cover[:, :1].expand(-1, 4, -1, -1), cover[:, 1:]), 1)
        near = F.max_pool3d(cover[:, None], (4, 8, 8))
        near = F.max_pool3d(near, (1, 3, 3), stride=1, padding=(0, 1, 1))
        self.near[rows] = near.to(torch.bfloat16)
        self.answers[rows] = torch.tensor([answers(scene) for scene in scenes], device=self.device)
        wordings = [caption(scene, self.random) for scene in scenes
                    for _ in range(CAPTIONS_A_CLIP)]
        video, clip = self.tokens.llama_ids(wordings, True), self.tokens.clip_ids(wordings)
        image = self.tokens.llama_ids(wordings, False)
        for position, row in enumerate(rows):
            span = range(position * CAPTIONS_A_CLIP, (position + 1) * CAPTIONS_A_CLIP)
            self.texts[row] = [(video[k], image[k], clip[k]) for k in span]
        self.by_length = None

    def _groups(self) -> dict[int, list[tuple[int, int]]]:
        if self.by_length is None:
            self.by_length = {}
            for row, texts in enumerate(self.texts):
                for k, (video, _, _) in enumerate(texts):
                    self.by_length.setdefault(len(video), []).append((row, k))
        return self.by_length

    def batch(self, count: int, steps: int) -> Batch:
        """`steps` latent frames of `count` clips; one-frame clips use either template."""
        groups = self._groups()
        lengths = list(groups)
        length = self.random.choices(lengths, [len(groups[n]) for n in lengths])[0]
        picks = self.random.choices(groups[length], k=count)
        rows = [row for row, _ in picks]
        use_image = steps == 1 and self.random.random() < 0.5
        texts = [self.texts[row][k] for row, k in picks]
        weights = 1.0 + self.near_weight * self.near[rows, :, :steps].float()
        return Batch(self.latents[rows, :, :steps].float(), weights / weights.mean(),
                     self._tensor([text[1 if use_image else 0] for text in texts]),
                     IMAGE_CROP if use_image else VIDEO_CROP,
                     self._tensor([text[2] for text in texts]), self.answers[rows])

    def _tensor(self, ids: list[list[int]]) -> torch.Tensor:
        return torch.tensor(ids).to(self.device, non_blocking=True)
