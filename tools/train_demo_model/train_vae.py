"""Trains the VAE in pieces; each piece goes on where the last stopped.

    python train_vae.py --out DIR [--resume DIR] --minutes 8.5 --total-seconds 900

--total-seconds is the training time of all pieces together: crops grow and the rate falls along it.
"""

import argparse
import pathlib
import random
import time

import torch
from PIL import Image

from drawing import draw
from sizes import LATENT_CHANNELS, SIZES, make_vae
from training import (Average, Deadline, Optimizer, Schedule, WorkingCopy, load_checkpoint,
                      save_checkpoint, take_prefix, with_prefix)
from vae_model import decode, encode, initialise, psnr, quicken
from world import held_out_scenes, pair_scenes, training_scenes

KL_WEIGHT = 2e-4
ABSOLUTE_WEIGHT = 0.02  # of |error| beside its square
TRAIL_WEIGHT = 3.0  # extra, where a shape is or was
# (until this share of the time, crop side / clip side, frames, clips a step)
DEMO_STAGES = ((0.12, 0.25, 17, 64), (0.80, 0.5, 17, 24), (1.0, 1.0, 17, 6))
TOY_STAGES = ((0.7, 0.5, 9, 4), (1.0, 1.0, 9, 2))


class Pool:
    """Clips in memory as bytes, with the shapes' coverage; a few are drawn anew all the time."""

    def __init__(self, count: int, side: int, frames: int, device: str, seed: int):
        self.side, self.frames, self.device = side, frames, device
        self.clips = torch.empty(count, 3, frames, side, side, dtype=torch.uint8, device=device)
        self.cover = torch.empty(count, frames, side, side, dtype=torch.uint8, device=device)
        self.seed, self.cursor = seed, 0
        self.random = random.Random(f"pool {seed}")
        for _ in range(0, count, 8):
            self.renew(min(8, count))

    def renew(self, count: int) -> None:
        self.seed += 1
        clips, cover = draw(training_scenes(count, self.seed, 0.25), self.frames, self.side,
                            self.device)
        rows = [(self.cursor + k) % len(self.clips) for k in range(count)]
        self.cursor = (self.cursor + count) % len(self.clips)
        self.clips[rows] = clips.mul(127.5).add(128.0).clamp(0, 255).byte()
        self.cover[rows] = cover.mul(255).byte()

    def batch(self, count: int, crop: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Random cuts [B, 3, frames, crop, crop] in [-1, 1] and loss weights [B, 1, 1, ..]."""
        clips, covers = [], []
        for _ in range(count):
            k = self.random.randrange(len(self.clips))
            f = self.random.randrange(self.frames - frames + 1)
            y, x = (self.random.randrange(self.side - crop + 1) for _ in range(2))
            clips.append(self.clips[k, :, f:f + frames, y:y + crop, x:x + crop])
            covers.append(self.cover[k, f:f + frames, y:y + crop, x:x + crop].amax(0))
        trail = torch.stack(covers)[:, None].float() / 255.0
        trail = torch.nn.functional.max_pool2d(trail, 9, stride=1, padding=4)[:, :, None]
        return torch.stack(clips).float().sub_(127.5).div_(127.5), 1.0 + TRAIL_WEIGHT * trail


def is_matrix(name: str, parameter: torch.Tensor) -> bool:
    return parameter.dim() >= 2 and "quant_conv" not in name and "conv_out" not in name


def train_step(vae, clips, weight, dtype, generator):
    mean, log_variance = encode(vae, clips.to(dtype))
    mean, log_variance = mean.float(), log_variance.float()
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    latents = mean + (0.5 * log_variance).exp() * noise
    error = decode(vae, latents.to(dtype)).float() - clips
    loss = (weight * (error.square() + ABSOLUTE_WEIGHT * error.abs())).mean()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
    (loss + KL_WEIGHT * kl).backward()
    return error.detach().square().mean(), kl.detach()


@torch.no_grad()
def evaluate(vae, clips, picture: pathlib.Path | None = None):
    """Per-clip PSNR of reconstructions by posterior means, as the model is used."""
    scores, rows = [], []
    for clip in clips.split(2):
        made = decode(vae, encode(vae, clip)[0])
        scores += psnr(made, clip)
        frames = [0, clip.shape[2] // 3, clip.shape[2] - 2]
        for source, result in zip(clip, made):
            pieces = [x[:, f] for f in frames for x in (source, result)]
            rows.append(torch.cat(pieces, dim=2))
    if picture:
        half = len(rows) // 2
        sheet = torch.cat([torch.cat(rows[:half], 1), torch.cat(rows[half:2 * half], 1)], 2)
        save_picture(sheet, picture)
    return scores


def save_picture(values: torch.Tensor, path: pathlib.Path) -> None:
    """[3, H, W] in [-1, 1] as PNG."""
    data = values.float().mul(127.5).add(127.5).round().clamp(0, 255).byte()
    Image.fromarray(data.permute(1, 2, 0).cpu().numpy()).save(path)


@torch.no_grad()
def latent_statistics(vae, pool: Pool, count: int) -> dict:
    latents = torch.cat([encode(vae, pool.clips[k:k + 2].float().sub(127.5).div(127.5))[0]
                         for k in range(0, count, 2)])
    means = latents.mean((0, 2, 3, 4))
    centred = latents - means.reshape(1, LATENT_CHANNELS, 1, 1, 1)
    return {"means": means.tolist(), "deviation": float(centred.square().mean().sqrt()),
            "channel_deviations": centred.square().mean((0, 2, 3, 4)).sqrt().tolist()}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--resume", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=8.5, help="of this piece, all included")
    parser.add_argument("--total-seconds", type=float, default=900.0)
    parser.add_argument("--size", choices=SIZES, default="demo")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--pool", type=int, default=1024)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(argv)

    deadline = Deadline(args.minutes)
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    sizes = SIZES[args.size]
    toy = args.size == "toy"
    stages = TOY_STAGES if toy else DEMO_STAGES
    frames = 9 if toy else 33
    dtype = torch.bfloat16 if args.device == "cuda" else torch.float32

    vae = make_vae(sizes)
    elapsed, log = 0.0, []
    if args.resume:
        tensors, state = load_checkpoint(args.resume)
        vae.load_state_dict(take_prefix("live", tensors))
        elapsed, log = state["elapsed"], state["log"]
    else:
        initialise(vae)
    vae.to(args.device)
    average = Average([vae], decay=0.998)
    if args.resume:
        average.modules[0].load_state_dict(take_prefix("average", tensors))
        average.count = 1000
    copies = WorkingCopy([vae], dtype)
    working = quicken(copies.modules[0])
    optimizer = Optimizer(vae.named_parameters(), is_matrix)
    schedule = Schedule(args.rate, args.total_seconds, elapsed, tick=0.2 if toy else None)
    generator = torch.Generator(args.device).manual_seed(int(elapsed) + 1)
    started = time.monotonic()
    pool = Pool(8 if toy else args.pool, sizes.side, frames, args.device, int(elapsed) * 1000)
    checks = held_out_scenes(2 if toy else 12) + pair_scenes(0 if toy else 4)
    checks = torch.cat([draw([scene], frames, sizes.side, args.device)[0] for scene in checks])
    print(f"parameters {sum(p.numel() for p in vae.parameters()):,}, pool of {len(pool.clips)} "
          f"in {time.monotonic() - started:.1f} s", flush=True)

    reserve = 4.0 if toy else 35.0  # seconds for the last evaluation and the checkpoint
    step, report, marks = 0, 0.0, (time.monotonic(), 0)
    while not schedule.done and deadline.left() > reserve:
        rate = schedule()
        share = schedule.elapsed / args.total_seconds
        _, part, length, count = next(s for s in stages if share <= s[0] or s is stages[-1])
        clips, weight = pool.batch(count, int(part * sizes.side), length)
        copies.zero_gradients()
        copies.push()
        error, kl = train_step(working, clips, weight, dtype, generator)
        norm = copies.pull_gradients(clip=1.0)
        optimizer.step(rate)
        average.update()
        step += 1
        if step % 10 == 0:
            pool.renew(8 if not toy else 1)
        if schedule.elapsed >= report:
            report = schedule.elapsed + (5.0 if toy else 20.0)
            now = time.monotonic()
            line = {"second": round(schedule.elapsed), "step": step, "crop": int(part * sizes.side),
                    "mse": float(error), "kl": float(kl), "norm": float(norm),
                    "step_seconds": (now - marks[0]) / max(step - marks[1], 1)}
            marks = (now, step)
            if int(line["second"]) % 60 < 20:
                schedule.pause()
                line["psnr"] = sum(scores := evaluate(average.modules[0], checks)) / len(scores)
                schedule()
                marks = (time.monotonic(), step)
            log.append(line)
            print({k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()},
                  flush=True)
    schedule.pause()

    args.out.mkdir(parents=True, exist_ok=True)
    final = average.modules[0]
    scores = evaluate(final, checks, args.out / "reconstructions.png")
    state = {"elapsed": schedule.elapsed, "total_seconds": args.total_seconds, "size": args.size,
             "psnr": sum(scores) / len(scores), "worst": min(scores),
             "statistics": latent_statistics(final, pool, min(len(pool.clips), 64)), "log": log}
    save_checkpoint(args.out, with_prefix("live", vae) | with_prefix("average", final), state)
    memory = torch.cuda.max_memory_allocated() / 2**30 if args.device == "cuda" else 0.0
    print(f"held-out PSNR {state['psnr']:.2f} dB, worst {min(scores):.2f}, {step} steps, "
          f"{memory:.1f} GiB, elapsed {schedule.elapsed:.0f} of {args.total_seconds:.0f} s")


if __name__ == "__main__":
    main()
