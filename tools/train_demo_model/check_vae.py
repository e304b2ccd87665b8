"""Measures a stored VAE on a CPU: PSNR of held-out clips in several dtypes, decoding time, and
what noise on the latents costs.

    python check_vae.py MODEL_FOLDER [--clips 4] [--dtypes float32 bfloat16]
"""

import argparse
import pathlib
import time

import torch
from diffusers import AutoencoderKLHunyuanVideo

from drawing import draw
from vae_model import decode, encode, psnr
from world import held_out_scenes, pair_scenes


@torch.no_grad()
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16", "float16"])
    args = parser.parse_args(argv)
    scenes = held_out_scenes(16)[:args.clips - args.clips // 4] + pair_scenes(args.clips // 4)
    clips = [draw([scene], args.frames, args.side, "cpu")[0] for scene in scenes]
    for name in args.dtypes:
        dtype = getattr(torch, name)
        vae = AutoencoderKLHunyuanVideo.from_pretrained(args.model / "vae", torch_dtype=dtype)
        scores, noisy, seconds = [], [], []
        for clip in clips:
            latents = encode(vae, clip.to(dtype))[0]
            started = time.monotonic()
            made = decode(vae, latents)
            seconds.append(time.monotonic() - started)
            scores += psnr(made.float(), clip)
            if name == "float32" and clip is clips[0]:
                scale = 0.1 / vae.config.scaling_factor
                noisy = psnr(decode(vae, latents + scale * torch.randn_like(latents)), clip)
        print(f"{name}: PSNR mean {sum(scores) / len(scores):.2f} dB, worst {min(scores):.2f}, "
              f"decoding {min(seconds):.1f} s" + (f", with 0.1 noise {noisy[0]:.2f} (without "
                                                  f"{scores[0]:.2f})" if noisy else ""), flush=True)


if __name__ == "__main__":
    main()
