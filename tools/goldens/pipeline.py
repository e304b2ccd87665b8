"""Whole runs of HunyuanVideoPipeline: a tiny one (its folder without weights) and the bundled model.

tests/data/tiny_model is a checkpoint folder in the diffusers layout whose weights are drawn (seeds below)
instead of stored; the C++ test support draws the same ones.
"""

import json
import shutil

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTokenizer, LlamaConfig, LlamaModel

from . import common
from .tokenizers import VIDEO_TEMPLATE

SEEDS = {"transformer": 1, "vae": 2, "text_encoder": 3, "text_encoder_2": 4}
FOLDER = common.DATA / "tiny_model"
TOKENIZERS = common.DATA / "text_encoder"

CLIPS = {
    # name: prompt, width, height, frames, steps, true CFG scale
    "dense": ("A red ball rolls over a green meadow.", 96, 64, 17, 4, 1.0),
    "cfg": ("a blue star spins", 64, 96, 9, 3, 2.5),
    "one_frame": ("", 64, 64, 1, 2, 1.0),
}
BUNDLED = common.ROOT / "models/demo"
BUNDLED_CLIPS = {
    "bundled": ("A small purple ring rises in the desert.", 96, 128, 9, 4, 1.0),
    "bundled_cfg": ("On the left a red circle bounces and on the right a blue square rises, at night.", 128, 96, 5, 3, 2.5),
}


def make_parts() -> dict:
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZERS / "tokenizer")
    tokenizer_2 = CLIPTokenizer.from_pretrained(TOKENIZERS / "tokenizer_2")
    transformer = HunyuanVideoTransformer3DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=128,
        num_layers=2,
        num_single_layers=3,
        num_refiner_layers=2,
        patch_size=2,
        patch_size_t=1,
        guidance_embeds=True,
        text_embed_dim=64,
        pooled_projection_dim=32,
        rope_theta=256.0,
        rope_axes_dim=(16, 56, 56),
    )
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=4,
        block_out_channels=(8, 16, 32, 32),
        layers_per_block=2,
        norm_num_groups=4,
        scaling_factor=0.476986,
    )
    text_encoder = LlamaModel(
        LlamaConfig(
            hidden_size=64,
            intermediate_size=160,
            num_hidden_layers=5,
            num_attention_heads=4,
            num_key_value_heads=2,
            rope_theta=500000.0,
            rms_norm_eps=1e-5,
            vocab_size=len(tokenizer),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    text_encoder_2 = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            vocab_size=len(tokenizer_2),
            hidden_act="quick_gelu",
            bos_token_id=tokenizer_2.bos_token_id,
            eos_token_id=tokenizer_2.eos_token_id,
            pad_token_id=tokenizer_2.pad_token_id,
        )
    )
    parts = {
        "transformer": transformer,
        "vae": vae,
        "text_encoder": text_encoder,
        "text_encoder_2": text_encoder_2,
    }
    for name, module in parts.items():
        common.draw_weights(module, SEEDS[name])
        module.eval().requires_grad_(False)
    return parts | {
        "tokenizer": tokenizer,
        "tokenizer_2": tokenizer_2,
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0),
    }


def save_folder(parts: dict) -> None:
    """Writes configs and tokenizers, no weights."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in SEEDS:
        (FOLDER / name).mkdir(parents=True)
        if name.startswith("text"):
            parts[name].config.save_pretrained(FOLDER / name)
        else:
            parts[name].save_config(FOLDER / name)
    parts["scheduler"].save_config(FOLDER / "scheduler")
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(TOKENIZERS / name, FOLDER / name)
    index = {
        "_class_name": "HunyuanVideoPipeline",
        "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "LlamaModel"],
        "text_encoder_2": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "transformer": ["diffusers", "HunyuanVideoTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLHunyuanVideo"],
    }
    (FOLDER / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    (FOLDER / "seeds.json").write_text(json.dumps(SEEDS, indent=2) + "\n")


def render(pipe: HunyuanVideoPipeline, name: str, clip: tuple) -> None:
    prompt, width, height, frames, steps, cfg = clip
    channels = pipe.transformer.config.in_channels
    noise = common.normal((1, channels, (frames - 1) // 4 + 1, height // 8, width // 8), seed=42)
    crop = len(pipe.tokenizer(VIDEO_TEMPLATE.split("{}")[0]).input_ids)
    latents = pipe(
        prompt=prompt,
        negative_prompt="" if cfg > 1 else None,
        true_cfg_scale=cfg,
        width=width,
        height=height,
        num_frames=frames,
        num_inference_steps=steps,
        guidance_scale=6.0,
        latents=noise,
        prompt_template={"template": VIDEO_TEMPLATE, "crop_start": crop},
        output_type="latent",
    ).frames
    video = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
    pixels = ((video / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    common.save(
        f"pipeline/{name}",
        {"noise": noise, "latents": latents, "frames": pixels[0].permute(1, 2, 3, 0)},
        {"prompt": prompt, "width": width, "height": height, "frames": frames, "steps": steps, "cfg_scale": cfg},
    )
    print(name, "latents", float(latents.std()), "pixels", float(pixels.float().std()))


def make() -> None:
    torch.set_grad_enabled(False)
    parts = make_parts()
    save_folder(parts)
    tiny = HunyuanVideoPipeline(**parts)
    bundled = HunyuanVideoPipeline.from_pretrained(BUNDLED, torch_dtype=torch.float32)
    for pipe, clips in ((tiny, CLIPS), (bundled, BUNDLED_CLIPS)):
        pipe.set_progress_bar_config(disable=True)
        for name, clip in clips.items():
            render(pipe, name, clip)
