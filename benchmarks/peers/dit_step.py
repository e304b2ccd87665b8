"""One denoising step of the transformer in C++ and in diffusers by turns, and the ratio of their times.

    .deps/venv/bin/python benchmarks/peers/dit_step.py [--pairs 11] [--frames 33] [--json]

Both sides have the speed model's sizes (drawn weights), the same tokens, threads and dtype (fp32), and are warm.
"""

import argparse
import time

import torch
from diffusers import HunyuanVideoTransformer3DModel
from turns import PacedProgram, add_common_flags, report, run_by_turns, settings_of

SPEED_MODEL = {
    "in_channels": 16, "out_channels": 16, "num_attention_heads": 4, "attention_head_dim": 64, "num_layers": 3,
    "num_single_layers": 8, "num_refiner_layers": 1, "guidance_embeds": True, "text_embed_dim": 128,
    "pooled_projection_dim": 96, "rope_axes_dim": [16, 24, 24],
}


def python_step(arguments):
    """A function that runs one step of the published class and returns its milliseconds."""
    model = HunyuanVideoTransformer3DModel(**SPEED_MODEL).eval()
    shape = [1, 16, (arguments.frames - 1) // 4 + 1, arguments.height // 8, arguments.width // 8]
    inputs = {
        "hidden_states": torch.randn(shape), "timestep": torch.tensor([875.0]), "guidance": torch.tensor([6000.0]),
        "encoder_hidden_states": torch.randn(1, arguments.text_tokens, 128),
        "encoder_attention_mask": torch.ones(1, arguments.text_tokens, dtype=torch.int64),
        "pooled_projections": torch.randn(1, 96),
    }

    def step() -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            model(**inputs, return_dict=False)
        return (time.perf_counter() - start) * 1e3

    step()
    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_flags(parser, "dit_step", frames=33)
    parser.add_argument("--text-tokens", type=int, default=64)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    settings = settings_of(arguments, "text_tokens")
    ours = PacedProgram(arguments.program, {name.replace("_", "-"): value for name, value in settings.items()})
    times = run_by_turns(ours, python_step(arguments), arguments.pairs)
    ours.close()
    report("dit_step", "diffusers", settings, times, arguments.json)


if __name__ == "__main__":
    main()
