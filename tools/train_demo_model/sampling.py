"""Renders prompts in batches with the models of an exported folder (for evaluation on a GPU)."""

import pathlib

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoTransformer3DModel
from transformers import CLIPTextModel, LlamaModel

from dit_model import NO_GUIDANCE, read_text, velocity
from export import GUIDANCE, SHIFT, STEPS
from text import VIDEO_CROP, Tokens
from vae_model import decode


class Sampler:
    def __init__(self, folder: pathlib.Path, device: str, dtype: torch.dtype):
        self.device, self.dtype = device, dtype
        self.tokens = Tokens(folder)
        self.dit, self.llama, self.clip, self.vae = (
            kind.from_pretrained(folder / name, torch_dtype=dtype).to(device).eval()
            for kind, name in ((HunyuanVideoTransformer3DModel, "transformer"),
                               (LlamaModel, "text_encoder"), (CLIPTextModel, "text_encoder_2"),
                               (AutoencoderKLHunyuanVideo, "vae")))

    def _read(self, prompts: list[str]):
        ids = torch.tensor(self.tokens.llama_ids(prompts, True), device=self.device)
        clip_ids = torch.tensor(self.tokens.clip_ids(prompts), device=self.device)
        return read_text(self.llama, self.clip, ids, VIDEO_CROP, clip_ids)

    @torch.no_grad()
    def latents(self, prompts: list[str], frames: int, side: int, seeds: list[int],
                steps: int = STEPS, guidance: float = GUIDANCE, cfg: float = 1.0) -> torch.Tensor:
        """Final latents of prompts with equally many tokens. cfg > 1 adds a pass with the empty
        prompt and embeds no guidance: how an undistilled model is used."""
        shape = (16, (frames - 1) // 4 + 1, side // 8, side // 8)
        x = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed))
                         for seed in seeds]).to(self.device)
        states, pooled = self._read(prompts)
        if cfg > 1.0:
            empty, empty_pooled = (value.expand(len(prompts), *value.shape[1:])
                                   for value in self._read([""]))
        value = NO_GUIDANCE if cfg > 1.0 else guidance
        g = torch.full((len(prompts),), value, device=self.device)
        sigmas = torch.linspace(1.0, 0.0, steps + 1)
        sigmas = SHIFT * sigmas / (1.0 + (SHIFT - 1.0) * sigmas)
        for now, then in zip(sigmas[:-1].tolist(), sigmas[1:].tolist()):
            sigma = torch.full_like(g, now)
            v = velocity(self.dit, x, sigma, states, pooled, g).float()
            if cfg > 1.0:
                free = velocity(self.dit, x, sigma, empty, empty_pooled, g).float()
                v = free + cfg * (v - free)
            x = x + (then - now) * v
        return x

    @torch.no_grad()
    def clips(self, prompts: list[str], frames: int, side: int, seed: int = 0,
              batch: int = 16, **options) -> list[torch.Tensor]:
        """Clips [3, F, side, side] in [-1, 1] on the CPU, in the order of the prompts."""
        lengths = [len(ids) for ids in self.tokens.llama_ids(prompts, True)]
        made = [None] * len(prompts)
        for length in sorted(set(lengths)):
            group = [k for k, n in enumerate(lengths) if n == length]
            for start in range(0, len(group), batch):
                part = group[start:start + batch]
                x = self.latents([prompts[k] for k in part], frames, side,
                                 [seed + k for k in part], **options)
                for k, value in zip(part, x.split(1)):
                    scaled = (value / self.vae.config.scaling_factor).to(self.dtype)
                    made[k] = decode(self.vae, scaled)[0].float().clamp(-1, 1).cpu()
        return made
