"""Weight files as PyTorch and safetensors write them, small, for the readers of weights/."""

import collections
import json

import torch
from safetensors.torch import save_file

from goldens import common

FOLDER = common.DATA / "weights"


def tensors() -> dict:
    """Tensors with every trait that a state dict's tensors may have."""
    base = common.normal((6, 8), 7)
    return {
        "whole.weight": base,
        "rows.weight": base[2:4],  # shares its storage, starts in the middle
        "columns.weight": base.t(),  # strides of a transposed view
        "expanded.bias": base[0, :1].expand(5),
        "half.weight": common.normal((3, 2), 8).half(),
        "bfloat.weight": common.normal((4, 1, 1, 3, 3), 9).bfloat16(),
        "parameter.bias": torch.nn.Parameter(common.normal((4,), 10)),
        "position_ids": torch.arange(5).reshape(1, 5),
        "mask": torch.tensor([True, False, True]),
        "bytes": torch.arange(7, dtype=torch.uint8),
        "scalar": torch.tensor(2.5),
        "empty": torch.empty(0, 3),
    }


def make() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    values = tensors()
    torch.save(values, FOLDER / "bare.pt")
    checkpoint = {
        "epoch": 3,
        "loss": 0.25,
        "done": None,
        "sizes": torch.Size([1, 2]),
        "optimizer": {"lr": [1, 2.0, (3, "x", True)]},
        "module": collections.OrderedDict(values),
    }
    torch.save(checkpoint, FOLDER / "module.pt")
    layer = torch.nn.Linear(2, 3)
    common.draw_weights(layer, 11)
    torch.save({"state_dict": layer.state_dict()}, FOLDER / "state_dict.pt")
    torch.save({"x": torch.ones(4).to(torch.float8_e4m3fn), "y": torch.ones(2)}, FOLDER / "fp8.pt")
    torch.save({"x": torch.ones(2)}, FOLDER / "before_1_6.pt", _use_new_zipfile_serialization=False)
    torch.save({"x": torch.ones(2)}, FOLDER / "protocol_4.pt", pickle_protocol=4)
    torch.save({"hyper": collections.Counter(), "x": torch.ones(2)}, FOLDER / "foreign_global.pt")
    plain = {name: value.detach().contiguous().clone() for name, value in values.items()}
    save_file(plain, FOLDER / "all.safetensors", {"format": "pt"})

    shards = {"one": "a-00001-of-00002.safetensors", "two": "a-00002-of-00002.safetensors"}
    for index, (name, file) in enumerate(shards.items()):
        save_file({name: common.normal((2, 3), 20 + index)}, FOLDER / file, {"format": "pt"})
    index = {"metadata": {"total_size": 48}, "weight_map": shards}
    (FOLDER / "a.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
