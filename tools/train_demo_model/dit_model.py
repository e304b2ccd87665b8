"""The DiT in training and sampling: a forward pass without masks, flow matching, text reading."""

import torch
from torch import nn

from latents import QUESTIONS
from text import clip_pooled, llama_states

NO_GUIDANCE = 1.0  # guidance value that means "plain conditional model"
CFG_A_GUIDANCE = 0.3  # the embedded guidance g stands for the CFG scale 1 + 0.3 (g - 1)


def cfg_scale(guidance: torch.Tensor | float):
    """CFG scale that a distilled model imitates: the usual guidance value 6 is CFG 2.5."""
    return 1.0 + CFG_A_GUIDANCE * (guidance - NO_GUIDANCE)


def velocity(dit, latents, sigma, states, pooled, guidance) -> torch.Tensor:
    """Flow velocity [B, 16, T, h, w] (noise minus data); all of `states` [B, n, dim] are real
    tokens. The same function as the model's own forward with a full mask."""
    dtype = states.dtype
    timestep = 1000.0 * sigma
    rope = dit.rope(latents)
    conditioning, _ = dit.time_text_embed(timestep, pooled, 1000.0 * guidance)
    image = dit.x_embedder(latents.to(dtype))
    text = dit.context_embedder(states, timestep, None)
    for block in (*dit.transformer_blocks, *dit.single_transformer_blocks):
        image, text = block(image, text, conditioning, None, rope, None, 0)
    image = dit.proj_out(dit.norm_out(image, conditioning))
    batch, _, steps, height, width = latents.shape
    image = image.reshape(batch, steps, height // 2, width // 2, -1, 2, 2)
    return image.permute(0, 4, 1, 2, 5, 3, 6).reshape(batch, -1, steps, height, width)


def compile_blocks(dit) -> None:
    """One dynamic graph for all blocks of a kind: batch, frames and text length may change."""
    torch._dynamo.config.cache_size_limit = 64
    # Inductor of torch 2.11 fails in this analysis on sizes that it does not know yet.
    torch._inductor.config.triton.coalesce_tiling_analysis = False
    for block in (*dit.transformer_blocks, *dit.single_transformer_blocks):
        block.compile(dynamic=True)


def draw_sigmas(count: int, steps: int, generator, device) -> torch.Tensor:
    """Three quarters shifted towards noise, more for longer clips; one quarter uniform."""
    shift = 3.0 if steps == 1 else 6.0 if steps > 9 else 5.0
    u = torch.rand(count, generator=generator, device=device)
    shifted = shift * u / (1.0 + (shift - 1.0) * u)
    plain = torch.rand(count, generator=generator, device=device) < 0.25
    return torch.where(plain, u, shifted).clamp(1e-3, 1.0)


def mix_noise(latents, sigma, generator):
    noise = torch.randn(latents.shape, generator=generator, device=latents.device)
    share = sigma.reshape(-1, 1, 1, 1, 1)
    return (1.0 - share) * latents + share * noise, noise - latents


def read_text(llama, clip, llama_ids, crop, clip_ids):
    return llama_states(llama, llama_ids, crop), clip_pooled(clip, clip_ids)


class TextHeads(nn.Module):
    """Reads all attributes from the mean state, from the last state and from the pooled row: a
    push for fresh text encoders, thrown away afterwards."""

    def __init__(self, llama_width: int, clip_width: int):
        super().__init__()
        total = sum(QUESTIONS.values())
        self.heads = nn.ModuleList([nn.Linear(llama_width, total), nn.Linear(llama_width, total),
                                    nn.Linear(clip_width, total)])

    def forward(self, states, pooled, answers) -> torch.Tensor:
        inputs = (states.mean(1), states[:, -1], pooled)
        loss = 0.0
        for head, value in zip(self.heads, inputs):
            logits = head(value.to(head.weight.dtype)).float().split(list(QUESTIONS.values()), dim=1)
            loss = loss + sum(nn.functional.cross_entropy(part, answers[:, k])
                              for k, part in enumerate(logits))
        return loss / (len(inputs) * len(QUESTIONS))
