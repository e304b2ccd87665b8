"""What all goldens share: drawn weights and the way results are stored.

The drawing rule is the same as tests/support/draw_weights.h, so that weights never have to be kept.
"""

import hashlib
import json
import math
import pathlib

import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"


def draw_weights(module: torch.nn.Module, seed: int) -> None:
    """Overwrites every parameter of `module`, in byte order of the state dict's names."""
    state = {name: tensor for name, tensor in module.state_dict().items() if tensor.is_floating_point()}
    parameters = {name for name, _ in module.named_parameters()}
    draw_tensors({name: tensor for name, tensor in state.items() if name in parameters}, seed)


def draw_tensors(tensors: dict[str, torch.Tensor], seed: int) -> None:
    """Overwrites the tensors, in byte order of their names."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in sorted(tensors.items()):
            value = torch.randn(tensor.shape, generator=generator)
            if name.endswith("bias"):
                value.mul_(0.1)
            elif tensor.dim() == 1:
                value.mul_(0.2).add_(1.0)
            else:
                value.mul_(1.0 / math.sqrt(tensor.numel() // tensor.shape[0]))
            tensor.copy_(value)


def normal(shape, seed: int) -> torch.Tensor:
    """Standard normal fp32 numbers; the C++ side draws the same with NormalStream(seed)."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def save(name: str, tensors: dict, metadata: dict | None = None) -> None:
    """Writes tests/data/<name>.safetensors; values are contiguous CPU tensors."""
    path = DATA / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {key: str(value) for key, value in (metadata or {}).items()}
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, path, text)


def save_json(name: str, value) -> None:
    """Writes tests/data/<name>.json with sorted keys."""
    path = DATA / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
