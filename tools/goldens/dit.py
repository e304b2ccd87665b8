"""Goldens of the diffusion transformer, from diffusers' HunyuanVideoTransformer3DModel in fp32.

Weights and inputs are drawn from seeds, so that only configs, tensor names and results are stored:
dit/cases.json (what was run), dit/names.json (tensor names of the tiny models), dit/velocity.safetensors
(one output a case), dit/stages.safetensors (every stage of the case `stages`), dit/denoise.safetensors.
"""

import hashlib

import numpy
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, HunyuanVideoTransformer3DModel

from . import common

CLASS = "HunyuanVideoTransformer3DModel"

MODELS = {
    # As small as the class allows: head dim 10 and patches of one latent.
    "tiny_a": {
        "in_channels": 4, "out_channels": 4, "num_attention_heads": 2, "attention_head_dim": 10, "num_layers": 1,
        "num_single_layers": 1, "num_refiner_layers": 1, "patch_size": 1, "patch_size_t": 1, "guidance_embeds": True,
        "text_embed_dim": 16, "pooled_projection_dim": 8, "rope_axes_dim": [2, 4, 4],
    },
    # The published head dim, patches and axes.
    "tiny_b": {
        "in_channels": 4, "out_channels": 4, "num_attention_heads": 2, "attention_head_dim": 128, "num_layers": 2,
        "num_single_layers": 3, "num_refiner_layers": 2, "patch_size": 2, "patch_size_t": 1, "guidance_embeds": True,
        "text_embed_dim": 64, "pooled_projection_dim": 32, "rope_axes_dim": [16, 56, 56],
    },
    "head_dim_64": {
        "in_channels": 16, "out_channels": 16, "num_attention_heads": 4, "attention_head_dim": 64, "num_layers": 1,
        "num_single_layers": 2, "num_refiner_layers": 1, "patch_size": 2, "patch_size_t": 1, "guidance_embeds": True,
        "text_embed_dim": 128, "pooled_projection_dim": 96, "rope_axes_dim": [16, 24, 24],
    },
    "no_guidance": {
        "in_channels": 4, "out_channels": 4, "num_attention_heads": 3, "attention_head_dim": 32, "num_layers": 2,
        "num_single_layers": 1, "num_refiner_layers": 1, "patch_size": 2, "patch_size_t": 1, "guidance_embeds": False,
        "text_embed_dim": 24, "pooled_projection_dim": 16, "rope_axes_dim": [8, 12, 12],
    },
    # Unlike the published model wherever the config allows: no single blocks, three refiner layers, patches over
    # time, another MLP ratio (which the refiner ignores), another theta.
    "no_single_blocks": {
        "in_channels": 2, "out_channels": 2, "num_attention_heads": 2, "attention_head_dim": 24, "num_layers": 2,
        "num_single_layers": 0, "num_refiner_layers": 3, "patch_size": 2, "patch_size_t": 2, "guidance_embeds": True,
        "text_embed_dim": 20, "pooled_projection_dim": 12, "rope_axes_dim": [4, 8, 12], "mlp_ratio": 2.5,
        "rope_theta": 1000.0,
    },
}
DEFAULTS = {"mlp_ratio": 4.0, "qk_norm": "rms_norm", "rope_theta": 256.0, "image_condition_type": None}

# name, model, latents [B, C, T, h, w], text positions, valid text of each sample, timesteps, guidance
CASES = [
    ("a_one_token", "tiny_a", [1, 4, 2, 3, 5], 12, [1], [1000.0], [6000.0]),
    ("a_some_tokens", "tiny_a", [1, 4, 1, 4, 3], 12, [7], [997.093], [6016.0]),
    ("a_batch", "tiny_a", [2, 4, 3, 2, 5], 12, [12, 5], [125.0, 125.0], [6000.0, 6000.0]),
    ("b_full_text", "tiny_b", [1, 4, 5, 8, 12], 12, [12], [1000.0], [6000.0]),
    ("b_some_tokens", "tiny_b", [1, 4, 5, 8, 12], 12, [7], [997.093], [6016.0]),
    ("b_one_token", "tiny_b", [1, 4, 1, 12, 4], 12, [1], [125.0], [1000.0]),
    ("b_batch", "tiny_b", [2, 4, 3, 6, 10], 12, [7, 12], [997.093, 125.0], [6016.0, 1000.0]),
    ("head_dim_64", "head_dim_64", [1, 16, 3, 6, 10], 40, [33], [997.093], [6000.0]),
    ("head_dim_64_batch", "head_dim_64", [2, 16, 2, 10, 6], 40, [1, 40], [500.0, 125.0], [6000.0, 3500.0]),
    ("no_guidance", "no_guidance", [1, 4, 3, 10, 6], 12, [5], [875.0], None),
    ("no_guidance_batch", "no_guidance", [2, 4, 2, 4, 6], 12, [3, 12], [1000.0, 125.0], None),
    ("no_single_blocks", "no_single_blocks", [1, 2, 4, 6, 10], 12, [7], [997.093], [6000.0]),
]
STAGES = ("stages", "tiny_b", [1, 4, 3, 4, 10], 9, [6], [997.093], [6016.0])
DENOISE = ("denoise", "tiny_b", [2, 4, 3, 6, 8], 12, [7, 12], None, [6000.0, 6000.0])
NUM_STEPS = 4
SHIFT = 7.0

WEIGHT_SEED = 100
LATENTS_SEED = 1
TEXT_SEED = 2
POOLED_SEED = 3


def build(name: str) -> HunyuanVideoTransformer3DModel:
    model = HunyuanVideoTransformer3DModel(**{**DEFAULTS, **MODELS[name]}).eval()
    common.draw_weights(model, WEIGHT_SEED)
    return model


def inputs(case) -> dict:
    """What diffusers' forward takes, the timestep apart. Rows past the valid text are noise on purpose."""
    _, name, shape, num_positions, valid, _, guidance = case
    config = MODELS[name]
    batch = shape[0]
    mask = torch.zeros(batch, num_positions, dtype=torch.int64)
    for row, length in enumerate(valid):
        mask[row, :length] = 1
    return {
        "hidden_states": common.normal(shape, LATENTS_SEED),
        "encoder_hidden_states": common.normal([batch, num_positions, config["text_embed_dim"]], TEXT_SEED),
        "encoder_attention_mask": mask,
        "pooled_projections": common.normal([batch, config["pooled_projection_dim"]], POOLED_SEED),
        "guidance": None if guidance is None else torch.tensor(guidance),
    }


def describe(case) -> dict:
    name, model, shape, num_positions, valid, timestep, guidance = case
    description = {
        "name": name, "model": model, "latents": shape, "text_positions": num_positions, "text_lengths": valid,
    }
    if timestep is not None:
        description["timestep"] = timestep
    if guidance is not None:
        description["guidance"] = guidance
    return description


def record_stages() -> dict:
    """Outputs of every module that C++ has a counterpart of, valid text rows only."""
    model = build(STAGES[1])
    length = STAGES[4][0]
    tensors = {}
    handles = []

    def watch(module, keep):
        def hook(_module, _arguments, output):
            keep(output)  # returns nothing: a hook's result would replace the module's output

        handles.append(module.register_forward_hook(hook))

    def keep_as(name, select=lambda output: output):
        def keep(output):
            tensors[name] = select(output).clone()

        return keep

    def keep_streams(name):
        def keep(output):
            tensors[f"{name}.image"] = output[0][0].clone()
            tensors[f"{name}.text"] = output[1][0, :length].clone()

        return keep

    sinusoids = []  # of the timestep, then of the guidance
    watch(model.time_text_embed.time_proj, lambda output: sinusoids.append(output.clone()))
    watch(model.time_text_embed, keep_as("conditioning", lambda output: output[0]))
    watch(model.x_embedder, keep_as("patch_embed", lambda output: output[0]))
    watch(model.context_embedder, keep_as("refiner", lambda output: output[0, :length]))
    watch(model.context_embedder.time_text_embed, keep_as("refiner_conditioning"))
    # Each rope angle stands twice in diffusers' tables, once for either member of a pair.
    watch(model.rope, keep_as("rope_cos", lambda output: output[0][:, ::2]))
    watch(model.rope, keep_as("rope_sin", lambda output: output[1][:, ::2]))
    for i, block in enumerate(model.transformer_blocks):
        watch(block, keep_streams(f"double_block.{i}"))
    for i, block in enumerate(model.single_transformer_blocks):
        watch(block, keep_streams(f"single_block.{i}"))
    tensors["velocity"] = model(**inputs(STAGES), timestep=torch.tensor(STAGES[5]), return_dict=False)[0]
    for handle in handles:
        handle.remove()
    tensors["sinusoid"] = torch.cat(sinusoids)
    return tensors


def denoise() -> dict:
    """The pipeline's loop on given noise: latents after each step."""
    model = build(DENOISE[1])
    scheduler = FlowMatchEulerDiscreteScheduler(shift=SHIFT)
    scheduler.set_timesteps(sigmas=numpy.linspace(1.0, 0.0, NUM_STEPS + 1)[:-1])
    arguments = inputs(DENOISE)
    latents = arguments.pop("hidden_states")
    tensors = {}
    for step, timestep in enumerate(scheduler.timesteps):
        velocity = model(latents, timestep=timestep.expand(latents.shape[0]), return_dict=False, **arguments)[0]
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
        tensors[f"latents.{step}"] = latents
    return tensors


def published_listing() -> dict:
    """Counts and a sum over all names and shapes of the published model, built without memory."""
    with torch.device("meta"):
        model = HunyuanVideoTransformer3DModel(**DEFAULTS)
    state = model.state_dict()
    lines = "".join(f"{name} {list(state[name].shape)}\n" for name in sorted(state))
    return {
        "num_tensors": len(state),
        "num_parameters": sum(tensor.numel() for tensor in state.values()),
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }


def make() -> None:
    torch.set_grad_enabled(False)
    configs = {name: {"_class_name": CLASS, **DEFAULTS, **config} for name, config in MODELS.items()}
    common.save_json("dit/cases", {
        "weight_seed": WEIGHT_SEED, "latents_seed": LATENTS_SEED, "text_seed": TEXT_SEED, "pooled_seed": POOLED_SEED,
        "models": configs, "cases": [describe(case) for case in CASES], "stages": describe(STAGES),
        "denoise": {**describe(DENOISE), "num_steps": NUM_STEPS, "shift": SHIFT},
    })
    names = {}
    for name in MODELS:
        names[name] = {key: list(value.shape) for key, value in build(name).state_dict().items()}
    common.save_json("dit/names", {"models": names, "published": published_listing()})
    velocity = {}
    for case in CASES:
        output = build(case[1])(**inputs(case), timestep=torch.tensor(case[5]), return_dict=False)[0]
        velocity[case[0]] = output
    common.save("dit/velocity", velocity)
    common.save("dit/stages", record_stages())
    common.save("dit/denoise", denoise())
