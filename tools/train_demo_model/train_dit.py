"""Trains the DiT with its text encoders in pieces; each piece goes on where the last stopped.

    python train_dit.py --stage images --model DIR --out DIR --minutes 8.5 --total-seconds 500
    python train_dit.py --stage clips  --model DIR --resume DIR --out DIR ...
    python train_dit.py --stage distil --model DIR --resume DIR --out DIR ...

On several GPUs: torchrun --standalone --nproc-per-node N train_dit.py ... (batches are per GPU).
--model holds the exported VAE and the tokenizers. --total-seconds is the training time of all
pieces of this stage together. A checkpoint keeps the averaged weights (fp16) and nothing else: a
piece that resumes starts from the average with a short warm-up.
"""

import argparse
import contextlib
import copy
import pathlib
import time

import torch
from diffusers import AutoencoderKLHunyuanVideo

from dit_model import (NO_GUIDANCE, TextHeads, cfg_scale, compile_blocks, draw_sigmas, mix_noise,
                       read_text, velocity)
from export import text_parts
from latents import LatentPool
from sizes import SIZES, make_dit
from text import VIDEO_CROP, Tokens
from training import (Average, Deadline, Optimizer, Schedule, Team, WorkingCopy, load_checkpoint,
                      save_checkpoint, take_prefix, with_prefix)

AUX_WEIGHT, AUX_SECONDS = 0.02, 20.0
DROPOUT = 0.1  # share of steps whose captions are empty
NEAR_WEIGHT = 3.0  # extra weight of latents near a shape
GUIDANCE_RANGE = (1.0, 11.0)  # CFG 1 to 4
PARTS = ("dit", "llama", "clip", "heads")
# latent frames: clips a step and GPU
BATCHES = {"demo": {1: 384, 5: 160, 9: 96, 17: 44}, "toy": {1: 8, 2: 4, 3: 4, 5: 2}}
# stage: latent frames and how often (17: from a pool of 65-frame clips, in the stage's last half)
MIXES = {"demo": {"images": {1: 1.0}, "clips": {9: 0.62, 5: 0.16, 1: 0.10, 17: 0.12},
                  "distil": {9: 0.70, 5: 0.08, 1: 0.07, 17: 0.15}},
         "toy": {"images": {1: 1.0}, "clips": {3: 0.7, 2: 0.3}, "distil": {3: 1.0}}}
RATES = {"images": 1.5e-3, "clips": 1.2e-3, "distil": 3e-4}


def is_matrix(name: str, parameter: torch.Tensor) -> bool:
    """Muon takes the matrices inside blocks; embeddings, modulations and in/out layers do not."""
    inside = any(key in name for key in ("blocks.", "layers."))
    return inside and parameter.dim() == 2 and "norm" not in name


class Trainer:
    def __init__(self, args):
        self.args, self.sizes = args, SIZES[args.size]
        self.team = Team(args.device)
        self.device = self.team.device
        self.dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        self.generator = torch.Generator(self.device)
        self.tokens = Tokens(args.model)
        self.vae = AutoencoderKLHunyuanVideo.from_pretrained(args.model / "vae",
                                                             torch_dtype=self.dtype)
        self.vae.to(self.device).requires_grad_(False)
        llama, clip = text_parts(args.model, args.size)
        dit = make_dit(self.sizes)
        heads = TextHeads(self.sizes.llama_width, self.sizes.clip_width)
        self.masters = [dit, llama, clip, heads]
        self.state = {"size": args.size, "stage": args.stage, "elapsed": 0.0, "log": []}
        if args.resume:
            self._resume()
        else:
            _initialise(dit)
        for module in self.masters:
            module.to(self.device)
        self.generator.manual_seed(int(self.state["elapsed"]) + len(self.state["log"])
                                   + 10**6 * self.team.rank)

    def _resume(self) -> None:
        tensors, state = load_checkpoint(self.args.resume)
        for part, module in zip(PARTS, self.masters):
            module.load_state_dict({name: value.float()
                                    for name, value in take_prefix(part, tensors).items()})
        self.state["log"] = state["log"]
        if state["stage"] == self.args.stage:
            self.state["elapsed"] = state["elapsed"]

    def prepare(self) -> None:
        """Everything but the pools: working copies, average, optimiser, compiled blocks."""
        trained = self.masters if self.args.stage != "distil" else self.masters[:1]
        self.average = Average(trained, decay=0.999 if self.args.size == "demo" else 0.9)
        self.copies = WorkingCopy(trained, self.dtype)
        named = [(f"{part}.{name}", parameter) for part, module in zip(PARTS, trained)
                 for name, parameter in module.named_parameters()]
        self.optimizer = Optimizer(named, is_matrix, weight_decay=0.01)
        frozen = WorkingCopy(self.masters[len(trained):], self.dtype).modules
        self.working = self.copies.modules + [module.requires_grad_(False) for module in frozen]
        self.teacher = None
        if self.args.stage == "distil":
            self.teacher = copy.deepcopy(self.copies.modules[0]).requires_grad_(False)
        if self.args.compile:
            for dit in filter(None, (self.working[0], self.teacher)):
                compile_blocks(dit)

    def empty_text(self, count: int):
        """States and pooled row of the empty prompt, for `count` clips."""
        ids = torch.tensor(self.tokens.llama_ids([""], True), device=self.device)
        clip_ids = torch.tensor(self.tokens.clip_ids([""]), device=self.device)
        states, pooled = read_text(self.working[1], self.working[2], ids, VIDEO_CROP, clip_ids)
        return states.expand(count, -1, -1), pooled.expand(count, -1)

    def eager(self, states):
        """A text of one token would force a graph of its own: run it uncompiled."""
        if self.args.compile and states.shape[1] == 1:
            return torch.compiler.set_stance("force_eager")
        return contextlib.nullcontext()

    def text_step(self, batch) -> torch.Tensor:
        states, pooled = read_text(*self.working[1:3], batch.llama_ids, batch.crop, batch.clip_ids)
        loss = self.working[3](states.float(), pooled.float(), batch.answers)
        loss.backward()
        return loss.detach()

    def flow_step(self, batch, drop: bool):
        dit, llama, clip, heads = self.working
        count, _, steps = batch.latents.shape[:3]
        auxiliary = 0.0
        if drop:
            states, pooled = self.empty_text(count)
        else:
            states, pooled = read_text(llama, clip, batch.llama_ids, batch.crop, batch.clip_ids)
            auxiliary = heads(states.float(), pooled.float(), batch.answers)
        sigma = draw_sigmas(count, steps, self.generator, self.device)
        noisy, target = mix_noise(batch.latents, sigma, self.generator)
        guidance = torch.full_like(sigma, NO_GUIDANCE)
        with self.eager(states):
            made = velocity(dit, noisy, sigma, states, pooled, guidance).float()
            error = (made - target).square()
            loss = (batch.weights * error).mean()
            (loss + AUX_WEIGHT * auxiliary).backward()
        return error.detach().mean()

    def distil_step(self, batch):
        count, _, steps = batch.latents.shape[:3]
        sigma = draw_sigmas(count, steps, self.generator, self.device)
        noisy, _ = mix_noise(batch.latents, sigma, self.generator)
        low, high = GUIDANCE_RANGE
        guidance = low + (high - low) * torch.rand(count, generator=self.generator,
                                                   device=self.device)
        plain = torch.full_like(sigma, NO_GUIDANCE)
        with torch.no_grad():
            states, pooled = read_text(*self.working[1:3], batch.llama_ids, batch.crop,
                                       batch.clip_ids)
            given = velocity(self.teacher, noisy, sigma, states, pooled, plain).float()
            empty = self.empty_text(count)
            with self.eager(empty[0]):
                free = velocity(self.teacher, noisy, sigma, *empty, plain).float()
            target = free + cfg_scale(guidance).reshape(-1, 1, 1, 1, 1) * (given - free)
        made = velocity(self.working[0], noisy, sigma, states, pooled, guidance).float()
        error = (made - target).square()
        (batch.weights * error).mean().backward()
        return error.detach().mean()

    def save(self, folder: pathlib.Path) -> None:
        averaged = dict(zip(PARTS, self.average.modules))
        tensors = {}
        for part, module in zip(PARTS, self.masters):
            for name, value in with_prefix(part, averaged.get(part, module)).items():
                tensors[name] = value.half() if value.is_floating_point() else value
        save_checkpoint(folder, tensors, self.state)


def _initialise(dit) -> None:
    """Gates, output layer and block outputs start at zero, as published models are started."""
    with torch.no_grad():
        for name, parameter in dit.named_parameters():
            if "norm1.linear" in name or "norm1_context.linear" in name or "norm.linear" in name:
                parameter.zero_()
            if name.startswith(("proj_out.", "norm_out.linear")) or "norm_out.linear" in name:
                parameter.zero_()


def run(args) -> None:
    deadline = Deadline(args.minutes)
    torch.manual_seed(0)
    trainer = Trainer(args)
    trainer.prepare()
    toy, state = args.size == "toy", trainer.state
    mix, batches = MIXES[args.size][args.stage], BATCHES[args.size]
    frames = 9 if toy else 33
    if args.stage == "images" and not toy:
        frames = 1
    started, team = time.monotonic(), trainer.team
    seed = 10**6 * len(state["log"]) + 10**9 * team.rank
    pool = LatentPool(trainer.vae, trainer.tokens, args.pool, frames, trainer.sizes.side, seed,
                      NEAR_WEIGHT, chunk=64 if frames == 1 else 8)
    print(f"pool of {args.pool} in {time.monotonic() - started:.1f} s", flush=True)
    long_pool, pick = None, torch.Generator().manual_seed(len(state["log"]))
    schedule = Schedule(args.rate or RATES[args.stage], args.total_seconds, state["elapsed"],
                        warmup_steps=20 if toy else 100, tick=0.2 if toy else None)
    reserve = 3.0 if toy else 25.0
    step, report, marks, losses = 0, schedule.elapsed, (time.monotonic(), 0), {}
    while True:
        rate = schedule()
        go_on = not schedule.done and deadline.left() > reserve
        go_on, rate, schedule.elapsed = team.agree(go_on, rate, schedule.elapsed)
        if not go_on:
            break
        usable = {t: share for t, share in mix.items()
                  if t <= 9 or schedule.elapsed > 0.5 * args.total_seconds}
        choice = torch.multinomial(torch.tensor(list(usable.values())), 1, generator=pick)
        steps = list(usable)[int(choice)]
        if steps > 9 and long_pool is None:
            schedule.pause()
            long_pool = LatentPool(trainer.vae, trainer.tokens, args.pool // 6, 65,
                                   trainer.sizes.side, seed + 5 * 10**5, NEAR_WEIGHT, chunk=4)
            schedule()
        source = long_pool if steps > 9 else pool
        batch = source.batch(batches[steps], steps)
        trainer.copies.zero_gradients()
        trainer.copies.push()
        fresh = args.stage == "images" and schedule.elapsed < (1.0 if toy else AUX_SECONDS)
        kind = steps
        if fresh:
            kind, loss = "text", trainer.text_step(batch)
        elif args.stage == "distil":
            loss = trainer.distil_step(batch)
        else:
            drop = float(torch.rand(1, generator=pick)) < DROPOUT
            kind, loss = ("empty" if drop else steps), trainer.flow_step(batch, drop)
        norm = trainer.copies.pull_gradients(clip=1.0, team=team)
        trainer.optimizer.step(rate)
        trainer.average.update()
        losses.setdefault(str(kind), []).append(loss)
        step += 1
        if step % 4 == 0:
            source.renew(1 if toy else 32 if frames == 1 else 4)
        if schedule.elapsed >= report:
            report = schedule.elapsed + (2.0 if toy else 20.0)
            now = time.monotonic()
            line = {"stage": args.stage, "second": round(schedule.elapsed), "step": step,
                    "loss": {key: round(float(torch.stack(values).mean()), 4)
                             for key, values in sorted(losses.items())},
                    "norm": round(float(norm), 3),
                    "step_seconds": round((now - marks[0]) / max(step - marks[1], 1), 4)}
            marks, losses = (now, step), {}
            state["log"].append(line)
            if team.leads:
                print(line, flush=True)
    schedule.pause()
    state["elapsed"], state["total_seconds"] = schedule.elapsed, args.total_seconds
    if team.leads:
        trainer.save(args.out)
    memory = torch.cuda.max_memory_allocated() / 2**30 if trainer.device.type == "cuda" else 0.0
    print(f"{args.stage}: {step} steps, elapsed {schedule.elapsed:.0f} of "
          f"{args.total_seconds:.0f} s, {memory:.1f} GiB")
    team.finish()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=("images", "clips", "distil"), required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--resume", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=8.5, help="of this piece, all included")
    parser.add_argument("--total-seconds", type=float, default=500.0)
    parser.add_argument("--size", choices=SIZES, default="demo")
    parser.add_argument("--rate", type=float, help="instead of the stage's own")
    parser.add_argument("--pool", type=int, default=4096)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    run(parser.parse_args(argv))


if __name__ == "__main__":
    main()
