"""Writes the weights of LPIPS for `sparsereel compare --lpips FILE`.

    scripts/setup --python
    .deps/venv/bin/python tools/export_lpips.py --net alex -o lpips_alex.safetensors

The weights come from the public packages: torchvision fetches the network's (and keeps them in
torch's cache), the package `lpips` brings the channel weights of version 0.1 along.
"""

import argparse
import pathlib

import lpips
import torch
from safetensors.torch import save_file

NETS = ("alex", "vgg")


def parameters_of(model: lpips.LPIPS) -> dict[str, torch.Tensor]:
    """The convolutions under torchvision's names, and the channel weights of each layer."""
    tensors = {}
    for name, value in model.net.state_dict().items():
        _, index, kind = name.split(".")  # sliceN.INDEX.weight: INDEX counts as in torchvision
        tensors[f"features.{index}.{kind}"] = value
    for layer, lin in enumerate(model.lins):
        tensors[f"lin.{layer}.weight"] = lin.model[-1].weight
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=NETS, default="alex")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    model = lpips.LPIPS(net=arguments.net, version="0.1", verbose=False)
    tensors = {name: value.detach().contiguous() for name, value in parameters_of(model).items()}
    save_file(tensors, arguments.output, {"format": "lpips-0.1", "net": arguments.net})
    print(arguments.output)


if __name__ == "__main__":
    main()
