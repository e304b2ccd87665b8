"""What both trainings share: Muon with AdamW, bf16 copies, averages, time, checkpoints."""

import copy
import json
import os
import pathlib
import time

import torch
import torch.distributed
from safetensors.torch import load_file, save_file

MAX_FILE_BYTES = 15 * 2**20


class Team:
    """The processes that train one model together, one a GPU (torchrun); alone without it.

    Every rank draws its own clips; gradients are averaged, so all ranks keep the same weights.
    What depends on a clock is decided by rank 0, or the ranks would part.
    """

    def __init__(self, device_type: str):
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = torch.device(device_type)
        if self.size == 1:
            return
        if device_type == "cuda":
            self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(self.device)
        torch.distributed.init_process_group("nccl" if device_type == "cuda" else "gloo")
        self.talk = torch.distributed.new_group(backend="gloo")

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def agree(self, *values: float) -> list[float]:
        """Rank 0's values, on every rank, without waiting for a GPU."""
        if self.size == 1:
            return list(values)
        box = torch.tensor(values, dtype=torch.float64)
        torch.distributed.broadcast(box, 0, group=self.talk)
        return box.tolist()

    @torch.no_grad()
    def mean(self, tensors: list[torch.Tensor]) -> None:
        """Replaces tensors by their mean over the ranks, in one transfer."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        parts = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(tensors, [part.view_as(t) for part, t in zip(parts, tensors)])

    def finish(self) -> None:
        if self.size > 1:
            torch.distributed.destroy_process_group()


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Nearest semi-orthogonal matrices of [K, m, n], roughly: a quintic Newton-Schulz iteration
    that pushes all singular values towards 1."""
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    flip = x.shape[-2] > x.shape[-1]
    if flip:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.mT if flip else x).float()


class Optimizer:
    """Muon for the matrices and convolutions named by `is_matrix`, AdamW for everything else.

    Both take the same rate: Muon's update is scaled to the size Adam's would have. Parameters are
    grouped by shape, so that a step is a few batched products instead of hundreds of small ones.
    """

    def __init__(self, named_parameters, is_matrix, weight_decay: float = 0.0,
                 momentum: float = 0.95):
        self.momentum, self.weight_decay = momentum, weight_decay
        self.groups: dict[tuple, list] = {}
        others = []
        for name, parameter in named_parameters:
            if is_matrix(name, parameter):
                self.groups.setdefault(tuple(parameter.shape), []).append(parameter)
            else:
                others.append(parameter)
        self.buffers = {shape: torch.zeros(len(group), *shape, device=group[0].device)
                        for shape, group in self.groups.items()}
        self.adam = torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, group in self.groups.items():
            gradient = torch.stack([torch.zeros_like(p) if p.grad is None else p.grad
                                    for p in group]).float()
            buffer = self.buffers[shape]
            buffer.lerp_(gradient, 1.0 - self.momentum)
            update = gradient.lerp(buffer, self.momentum).flatten(2)
            update = orthogonalise(update)
            scale = 0.2 * max(update.shape[-2:]) ** 0.5
            parts = list(update.reshape(gradient.shape).unbind(0))
            if self.weight_decay:
                torch._foreach_mul_(group, 1.0 - rate * self.weight_decay)
            torch._foreach_add_(group, parts, alpha=-rate * scale)
        for parameters in self.adam.param_groups:
            parameters["lr"] = rate
        self.adam.step()


def _copy_buffers(source: torch.nn.Module, target: torch.nn.Module) -> None:
    """Gives `target` the buffers of `source` unrounded: Llama's rotary frequencies are one."""
    for name, module in source.named_modules():
        for key, buffer in module._buffers.items():
            target.get_submodule(name)._buffers[key] = None if buffer is None else buffer.clone()


class WorkingCopy:
    """A bf16 twin of fp32 modules: forward and backward run in bf16, updates go to fp32."""

    def __init__(self, masters: list[torch.nn.Module], dtype: torch.dtype):
        self.dtype = dtype
        self.modules = masters
        if dtype != torch.float32:
            self.modules = [copy.deepcopy(module).to(dtype) for module in masters]
            for master, twin in zip(masters, self.modules):
                _copy_buffers(master, twin)
        self.pairs = [(a, b) for master, twin in zip(masters, self.modules)
                      for a, b in zip(master.parameters(), twin.parameters())]

    @torch.no_grad()
    def push(self) -> None:
        """Masters to twins."""
        if self.dtype != torch.float32:
            torch._foreach_copy_([twin for _, twin in self.pairs], [m for m, _ in self.pairs])

    @torch.no_grad()
    def pull_gradients(self, clip: float, team: Team | None = None) -> torch.Tensor:
        """Moves the team's mean gradients to the masters, scaled down to the norm `clip`;
        returns their norm."""
        for master, twin in self.pairs:
            if twin.grad is not None and twin is not master:
                master.grad = twin.grad.float()
                twin.grad = None
        gradients = [master.grad for master, _ in self.pairs if master.grad is not None]
        if team:
            team.mean(gradients)
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_mul_(gradients, (clip / (norm + 1e-6)).clamp(max=1.0))
        return norm

    def zero_gradients(self) -> None:
        for master, twin in self.pairs:
            master.grad = twin.grad = None


class Average:
    """Exponential moving average of modules; early steps are forgotten quickly."""

    def __init__(self, modules: list[torch.nn.Module], decay: float):
        self.modules = [copy.deepcopy(module).requires_grad_(False) for module in modules]
        self.sources = [p for module in modules for p in module.parameters()]
        self.targets = [p for module in self.modules for p in module.parameters()]
        self.decay, self.count = decay, 0

    @torch.no_grad()
    def update(self) -> None:
        self.count += 1
        decay = min(self.decay, self.count / (self.count + 9.0))
        torch._foreach_lerp_(self.targets, [p.detach() for p in self.sources], 1.0 - decay)


class Schedule:
    """Rate over the time of a stage: short warm-up, constant, linear fall in the last part.

    The clock counts training only and goes on where a resumed piece stopped. With a `tick` each
    step counts for that many seconds instead, so that a toy run is the same on every machine.
    """

    def __init__(self, rate: float, seconds: float, elapsed: float = 0.0, tail: float = 0.35,
                 floor: float = 0.02, warmup_steps: int = 60, tick: float | None = None):
        self.rate, self.seconds, self.elapsed = rate, seconds, elapsed
        self.tail, self.floor, self.warmup_steps = tail, floor, warmup_steps
        self.steps, self.started, self.tick = 0, None, tick

    def __call__(self) -> float:
        self.pause()
        self.started = time.monotonic()
        self.steps += 1
        left = max(1.0 - self.elapsed / self.seconds, 0.0)
        fall = max(min(left / self.tail, 1.0), self.floor)
        return self.rate * fall * min(self.steps / self.warmup_steps, 1.0)

    def pause(self) -> None:
        """Leaves out what follows (compiling, evaluation) until the next call."""
        if self.started is not None:
            self.elapsed += self.tick or time.monotonic() - self.started
            self.started = None

    @property
    def done(self) -> bool:
        return self.elapsed >= self.seconds


class Deadline:
    """The end of this piece, whatever the stage still wants."""

    def __init__(self, minutes: float):
        self.end = time.monotonic() + 60.0 * minutes

    def left(self) -> float:
        return self.end - time.monotonic()


def save_checkpoint(folder: pathlib.Path, tensors: dict[str, torch.Tensor], state: dict) -> None:
    """Writes part-N.safetensors files under 15 MiB each and state.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("part-*.safetensors"):
        old.unlink()
    parts, size = [{}], 0
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        if size + value.nbytes > MAX_FILE_BYTES:
            parts.append({})
            size = 0
        parts[-1][name] = value
        size += value.nbytes
    for index, part in enumerate(parts):
        save_file(part, folder / f"part-{index}.safetensors")
    (folder / "state.json").write_text(json.dumps(state, indent=1) + "\n")


def load_checkpoint(folder: pathlib.Path) -> tuple[dict[str, torch.Tensor], dict]:
    tensors = {}
    for path in sorted(folder.glob("part-*.safetensors")):
        tensors.update(load_file(path))
    return tensors, json.loads((folder / "state.json").read_text())


def with_prefix(prefix: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


def take_prefix(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name[len(prefix) + 1:]: value for name, value in tensors.items()
            if name.startswith(prefix + ".")}
