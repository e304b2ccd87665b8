"""Runs one denoising step in C++ and in diffusers by turns, and prints the ratio of their times.

    .deps/venv/bin/python benchmarks/peers/dit_step.py [--pairs 11] [--frames 33] [--json]

Both sides have the speed model's sizes (drawn weights), the same tokens, threads and dtype (fp32), and are warm.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import torch
from diffusers import HunyuanVideoTransformer3DModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
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


class CppStep:
    """The C++ benchmark, waiting for a line before each step."""

    def __init__(self, arguments):
        sizes = ["--frames", arguments.frames, "--width", arguments.width, "--height", arguments.height]
        flags = [*sizes, "--text-tokens", arguments.text_tokens, "--threads", arguments.threads, "--paced"]
        command = [str(arguments.binary), *(str(flag) for flag in flags)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()  # "ready", after its warm-up

    def __call__(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/bin/dit_step")
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--text-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    python = python_step(arguments)
    cpp = CppStep(arguments)
    pairs = []
    for i in range(arguments.pairs):
        # Who goes first changes, so that a slow moment does not always hit the same side.
        if i % 2 == 0:
            cpp_ms = cpp()
            python_ms = python()
        else:
            python_ms = python()
            cpp_ms = cpp()
        pairs.append((cpp_ms, python_ms))
    cpp.close()
    ratio = statistics.median(cpp_ms / python_ms for cpp_ms, python_ms in pairs)
    result = {
        "format": 1, "benchmark": "dit_step", "peer": "diffusers", "threads": arguments.threads, "ratio": ratio,
        "cpp_median_ms": statistics.median(pair[0] for pair in pairs),
        "python_median_ms": statistics.median(pair[1] for pair in pairs), "pairs": pairs,
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"C++ {result['cpp_median_ms']:.0f} ms, Python {result['python_median_ms']:.0f} ms, "
              f"median ratio {ratio:.3f} of {len(pairs)} pairs")


if __name__ == "__main__":
    main()
