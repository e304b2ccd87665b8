"""Goldens of vae/: decoding, encoding and tiling, from diffusers' AutoencoderKLHunyuanVideo.

Inputs and weights are drawn, so only outputs are kept. `CASES` is mirrored by
tests/unit/vae/goldens.cpp: a golden's name says which call made it.
"""

import json

import torch
from diffusers import AutoencoderKLHunyuanVideo

from .common import draw_weights, normal, save, save_json

WEIGHT_SEED = 7
INPUT_SEED = 11
CONFIG = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (8, 16, 32, 32),
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "scaling_factor": 0.476986,
    "spatial_compression_ratio": 8,
    "temporal_compression_ratio": 4,
    "mid_block_add_attention": True,
}

# name: (shape of the latents, tiling or None); a tiling is pixels, pixel stride, frames, frame stride
DECODE = {
    "t1": ((1, 4, 1, 3, 5), None),
    "t2_batch2": ((2, 4, 2, 2, 3), None),
    "t5": ((1, 4, 5, 4, 3), None),
    "tiled_every_axis": ((1, 4, 4, 5, 7), (32, 24, 8, 4)),
    "tiled_space_batch2": ((2, 4, 1, 5, 7), (32, 24, 8, 4)),
    "tiled_odd_blend": ((1, 4, 3, 5, 4), (24, 8, 8, 8)),
    "tiled_diffusers": ((1, 4, 7, 2, 3), (256, 192, 16, 12)),
    "tiled_official_time": ((1, 4, 18, 1, 2), (256, 192, 64, 48)),
    "tiled_official_space": ((1, 4, 1, 2, 34), (256, 192, 64, 48)),
}
# name: (shape of the frames, tiling or None)
ENCODE = {
    "f1": ((1, 3, 1, 24, 40), None),
    "f5_batch2": ((2, 3, 5, 16, 24), None),
    "f17": ((1, 3, 17, 32, 24), None),
    "tiled_every_axis": ((1, 3, 13, 40, 56), (32, 24, 8, 4)),
    "tiled_space_batch2": ((2, 3, 1, 40, 56), (32, 24, 8, 4)),
    "tiled_diffusers": ((1, 3, 25, 16, 24), (256, 192, 16, 12)),
}


def new_vae() -> AutoencoderKLHunyuanVideo:
    vae = AutoencoderKLHunyuanVideo(**CONFIG).eval()
    draw_weights(vae, WEIGHT_SEED)
    return vae


def set_tiling(vae: AutoencoderKLHunyuanVideo, tiling) -> None:
    """One meaning of the tile fields for both references: they differ in numbers only."""
    on = tiling is not None
    vae.use_tiling = vae.use_framewise_decoding = vae.use_framewise_encoding = on
    if on:
        size, stride, frames, frame_stride = tiling
        vae.tile_sample_min_height = vae.tile_sample_min_width = size
        vae.tile_sample_stride_height = vae.tile_sample_stride_width = stride
        vae.tile_sample_min_num_frames = frames
        vae.tile_sample_stride_num_frames = frame_stride


def decode_goldens(vae) -> dict:
    goldens = {}
    for name, (shape, tiling) in DECODE.items():
        set_tiling(vae, tiling)
        goldens[name] = vae.decode(normal(shape, INPUT_SEED)).sample
    return goldens


def encode_goldens(vae) -> dict:
    goldens = {}
    for name, (shape, tiling) in ENCODE.items():
        set_tiling(vae, tiling)
        posterior = vae.encode(normal(shape, INPUT_SEED).clamp(-1, 1)).latent_dist
        goldens[f"{name}.mean"] = posterior.mean
        goldens[f"{name}.logvar"] = posterior.logvar
    return goldens


def stage_goldens(vae) -> dict:
    """Outputs along the decoder for one input, and of the encoder's and decoder's round trip."""
    set_tiling(vae, None)
    goldens = {}

    def keep(name):
        return lambda module, inputs, output: goldens.__setitem__(name, output)

    decoder = vae.decoder
    stages = {"conv_in": decoder.conv_in, "mid_block": decoder.mid_block}
    stages |= {f"up_blocks.{i}": block for i, block in enumerate(decoder.up_blocks)}
    handles = [module.register_forward_hook(keep(name)) for name, module in stages.items()]
    vae.decode(normal((1, 4, 3, 2, 1), INPUT_SEED))
    for handle in handles:
        handle.remove()
    goldens["round_trip"] = vae.decode(
        vae.encode(normal((1, 3, 5, 16, 24), INPUT_SEED).clamp(-1, 1)).latent_dist.mode()
    ).sample
    return goldens


@torch.no_grad()
def make() -> None:
    vae = new_vae()
    save("vae/decode", decode_goldens(vae))
    save("vae/encode", encode_goldens(vae))
    save("vae/stages", stage_goldens(vae))
    save_json("vae/config", json.loads(vae.to_json_string()))
