"""Runs the whole chain at toy size on a CPU: data, tokenizers, VAE, DiT, distillation, export,
the diffusers pipeline, evaluation. Nothing it makes is good; everything it makes must fit together.

    python toy_run.py [WORK_FOLDER]
"""

import contextlib
import io
import pathlib
import sys
import tempfile
import time

import torch
from diffusers import HunyuanVideoPipeline, HunyuanVideoTransformer3DModel

import evaluate
import export
import make_tokenizers
import train_dit
import train_vae
from dit_model import velocity
from sampling import Sampler
from training import load_checkpoint

FRAMES, SIDE = 9, 64


def script(module, *arguments) -> None:
    started = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):
        module.main([str(argument) for argument in arguments])
    print(f"{module.__name__} {arguments[0]}: {time.monotonic() - started:.1f} s", flush=True)


def check_forward(model: pathlib.Path) -> None:
    """The maskless forward pass of the training equals the published one, padding included."""
    dit = HunyuanVideoTransformer3DModel.from_pretrained(model / "transformer").double()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in dit.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    x, states = torch.randn(2, 16, 2, 4, 6).double(), torch.randn(2, 7, 32).double()
    pooled, sigma = torch.randn(2, 32).double(), torch.tensor([0.3, 0.9]).double()
    guidance = torch.tensor([1.0, 6.0]).double()
    with torch.no_grad():
        ours = velocity(dit, x, sigma, states, pooled, guidance)
        padded = torch.cat((states, torch.randn(2, 5, 32).double()), 1)
        mask = torch.tensor([[1] * 7 + [0] * 5] * 2).double()
        theirs = dit(x, 1000 * sigma, padded, mask, pooled, 1000 * guidance, return_dict=False)[0]
    error = float((ours - theirs).abs().max() / theirs.abs().max())
    # 1e-5, not less: the sinusoids and the rotation are fp32 on both sides.
    assert error < 1e-5, f"training forward differs from the published one: {error}"


def check_pipeline(model: pathlib.Path) -> None:
    """The published pipeline reads the folder, and renders what our sampler renders."""
    prompt = "A red star moves to the right in a blue sky."
    pipeline = HunyuanVideoPipeline.from_pretrained(model, torch_dtype=torch.float32)
    noise = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(5))[None]
    theirs = pipeline(prompt, height=SIDE, width=SIDE, num_frames=FRAMES, num_inference_steps=2,
                      guidance_scale=6.0, latents=noise, output_type="latent").frames
    ours = Sampler(model, "cpu", torch.float32).latents([prompt], FRAMES, SIDE, [5], steps=2)
    error = float((ours - theirs).norm() / theirs.norm())
    assert error < 1e-3, f"sampler differs from the published pipeline: {error}"
    video = pipeline(prompt, height=SIDE, width=SIDE, num_frames=FRAMES, num_inference_steps=1,
                     output_type="pt").frames
    assert tuple(video.shape) == (1, FRAMES, 3, SIDE, SIDE) and bool(video.isfinite().all())


def check_log(folder: pathlib.Path, stage: str) -> None:
    """The stage took steps and its losses are numbers."""
    _, state = load_checkpoint(folder)
    lines = [line for line in state["log"] if line.get("stage", stage) == stage]
    assert lines and lines[-1]["step"] > 1, f"{stage}: no steps"
    assert all(value == value for line in lines for value in line.get("loss", {}).values()), lines


def main() -> None:
    started = time.monotonic()
    work = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    model, toy = work / "model", ("--size", "toy", "--device", "cpu")
    script(make_tokenizers, model)
    for piece in (1, 2):  # the second piece resumes the first
        resume = ("--resume", work / "vae1") if piece == 2 else ()
        script(train_vae, "--out", work / f"vae{piece}", *resume, "--minutes", 4,
               "--total-seconds", 2 * piece, *toy)
    script(export, "vae", work / "vae2", model)
    last = ()
    for stage in ("images", "clips", "distil"):
        script(train_dit, "--stage", stage, "--model", model, *last, "--out", work / stage,
               "--minutes", 4, "--total-seconds", 3, "--pool", 16, *toy)
        check_log(work / stage, stage)
        last = ("--resume", work / stage)
    script(export, "dit", work / "distil", model)
    script(export, "rest", model)
    check_forward(model)
    check_pipeline(model)
    script(evaluate, model, work / "report", "--singles", 2, "--pairs", 1, "--frames", FRAMES,
           "--steps", 2, *toy)
    assert (work / "report" / "singles.png").stat().st_size > 0
    print(f"the whole chain works: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
