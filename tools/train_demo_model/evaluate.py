"""Renders held-out prompts with an exported model, measures them and draws contact sheets.

    python evaluate.py MODEL_FOLDER OUT_FOLDER [--singles 48] [--pairs 24] [--frames 33] [--cfg 2.5]

--drawn measures the drawn clips themselves instead of generated ones (what the measure is worth);
--decoded measures them after the VAE (what the model can reach at best).
"""

import argparse
import json
import pathlib

import torch

from captions import plain_caption
from drawing import draw
from measure import read_clip
from sampling import AutoencoderKLHunyuanVideo, Sampler
from sizes import SIZES
from train_vae import save_picture
from vae_model import decode, encode
from world import held_out_scenes, pair_scenes


def contact_sheet(clips: list[torch.Tensor], path: pathlib.Path, columns: int = 4) -> None:
    """Four frames of every clip in a row; `columns` clips side by side, at half size."""
    strips = []
    for clip in clips:
        frames = torch.linspace(0, clip.shape[1] - 1, 4).round().long()
        small = torch.nn.functional.avg_pool2d(clip[:, frames].permute(1, 0, 2, 3), 2)
        strips.append(torch.nn.functional.pad(torch.cat(list(small), 2), (2, 2, 2, 2), value=1.0))
    while len(strips) % columns:
        strips.append(torch.ones_like(strips[0]))
    rows = [torch.cat(strips[k:k + columns], 2) for k in range(0, len(strips), columns)]
    save_picture(torch.cat(rows, 1), path)


def judge(clips, scenes, prompts) -> tuple[dict, list[dict]]:
    """Shares of figures with the right colour, shape and motion, and of prompts all right."""
    details, right = [], {"colour": 0, "shape": 0, "motion": 0}
    for clip, scene, prompt in zip(clips, scenes, prompts):
        readings = read_clip(clip, scene)
        for reading, figure in zip(readings, scene.figures):
            for key in right:
                right[key] += getattr(reading, key) == getattr(figure, key)
        fine = all(r.matches(f) for r, f in zip(readings, scene.figures))
        details.append({"prompt": prompt, "right": fine, "read": [vars(r) for r in readings]})
    figures = sum(len(scene.figures) for scene in scenes)
    shares = {key: value / max(figures, 1) for key, value in right.items()}
    shares["prompts"] = sum(d["right"] for d in details) / max(len(details), 1)
    return shares, details


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--singles", type=int, default=48)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=6.0)
    parser.add_argument("--cfg", type=float, default=1.0, help="real guidance, two passes a step")
    parser.add_argument("--size", choices=SIZES, default="demo")
    parser.add_argument("--drawn", action="store_true")
    parser.add_argument("--decoded", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(argv)

    side = SIZES[args.size].side
    dtype = torch.bfloat16 if args.device == "cuda" else torch.float32
    args.out.mkdir(parents=True, exist_ok=True)
    sampler = None
    if not (args.drawn or args.decoded):
        sampler = Sampler(args.model, args.device, dtype)
    summary = {}
    for name, scenes in (("singles", held_out_scenes(args.singles)),
                         ("pairs", pair_scenes(args.pairs))):
        if not scenes:
            continue
        prompts = [plain_caption(scene) for scene in scenes]
        if sampler:
            clips = sampler.clips(prompts, args.frames, side, steps=args.steps,
                                  guidance=args.guidance, cfg=args.cfg)
        else:
            clips = [draw([scene], args.frames, side, args.device)[0][0] for scene in scenes]
        if args.decoded:
            vae = AutoencoderKLHunyuanVideo.from_pretrained(args.model / "vae",
                                                            torch_dtype=dtype).to(args.device)
            with torch.no_grad():
                clips = [decode(vae, encode(vae, clip[None].to(dtype))[0])[0].float()
                         for clip in clips]
        shares, details = judge([clip.to(args.device) for clip in clips], scenes, prompts)
        summary[name] = shares
        contact_sheet([clip.cpu() for clip in clips], args.out / f"{name}.png")
        (args.out / f"{name}.json").write_text(json.dumps(details, indent=1) + "\n")
        print(name, {key: round(value, 4) for key, value in shares.items()}, flush=True)
    (args.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
