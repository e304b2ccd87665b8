"""A whole clip of the bundled model by this program and by diffusers by turns, and the ratio of their times.

    .deps/venv/bin/python benchmarks/peers/clip.py [--pairs 3] [--steps 20] [--attn dense] [--json]

Ours is the whole process, from loading to the finished MP4; diffusers' pipeline is loaded and warm, and its time
ends with the frames in memory. Same prompt, size, steps and guidance (from the model's sparsereel.json).
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from diffusers import HunyuanVideoPipeline
from turns import BINARIES, add_common_flags, report, run_by_turns, settings_of

ROOT = BINARIES.parents[2]
MODEL = ROOT / "models/demo"
PROMPT = "A white crescent rises at night."

sys.path.insert(0, str(ROOT / "tools"))
from goldens.tokenizers import VIDEO_TEMPLATE  # noqa: E402


def our_clip(arguments, out: pathlib.Path):
    command = [arguments.program, "generate", "--model", MODEL, "--prompt", PROMPT, "--attn", arguments.attn,
               "--output", out, "--overwrite", "--quiet"]
    for flag in ("width", "height", "frames", "steps", "threads"):
        command += [f"--{flag}", str(getattr(arguments, flag))]

    def render() -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - start) * 1e3

    return render


def peer_clip(arguments):
    defaults = json.loads((MODEL / "sparsereel.json").read_text())
    cfg = defaults.get("cfg_scale", 1.0)
    pipe = HunyuanVideoPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    crop = len(pipe.tokenizer(VIDEO_TEMPLATE.split("{}")[0]).input_ids)

    def render(steps: int = arguments.steps) -> float:
        start = time.perf_counter()
        pipe(PROMPT, negative_prompt="" if cfg > 1 else None, true_cfg_scale=cfg, guidance_scale=defaults["guidance"],
             width=arguments.width, height=arguments.height, num_frames=arguments.frames, num_inference_steps=steps,
             prompt_template={"template": VIDEO_TEMPLATE, "crop_start": crop}, output_type="np")
        return (time.perf_counter() - start) * 1e3

    render(steps=1)
    return render


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_flags(parser, "sparsereel", frames=33)
    parser.set_defaults(pairs=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--attn", choices=("dense", "xattn"), default="xattn")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        ours = our_clip(arguments, pathlib.Path(folder) / "clip.mp4")
        times = run_by_turns(ours, peer_clip(arguments), arguments.pairs)
    report("clip", "diffusers", settings_of(arguments, "steps", "attn"), times, arguments.json)


if __name__ == "__main__":
    main()
