"""What core/ must agree with Python on: random numbers, white space, SHA-256."""

import hashlib
import struct
import sys

import torch

from . import common

# (seed, shapes drawn one after the other). Torch fills fewer than 16 numbers in another way than more,
# and pads what is not a multiple of 16: sizes on both sides of each border.
STREAMS = [
    (0, [[1], [2], [7], [15]]),
    (42, [[16], [17], [31], [32], [33]]),
    (42, [[1, 16, 5, 6, 7], [3, 3], [1]]),
    (2**32 + 1, [[100], [5]]),
    (2**63 + 12345, [[4, 8]]),
    (2**64 - 1, [[1000]]),
]


def digest(tensor: torch.Tensor) -> str:
    values = tensor.flatten().tolist()
    return hashlib.sha256(struct.pack(f"<{len(values)}f", *values)).hexdigest()


def random_streams() -> list:
    streams = []
    for seed, shapes in STREAMS:
        generator = torch.Generator().manual_seed(seed)
        drawn = [torch.randn(shape, generator=generator) for shape in shapes]
        streams.append(
            {
                "seed": str(seed),
                "shapes": shapes,
                "sha256": [digest(tensor) for tensor in drawn],
                "first": [tensor.flatten()[0].item() for tensor in drawn],
            }
        )
    return streams


def white_space() -> list:
    """Every code point that str.strip() removes; surrogates are not text."""
    points = (point for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000)
    return [point for point in points if not chr(point).strip()]


def sums() -> list:
    texts = ["", "abc", "a" * 55, "a" * 56, "a" * 64, "ü狐🦊" * 1000]
    return [{"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()} for text in texts]


def make() -> None:
    common.save_json("core/python", {"random": random_streams(), "white_space": white_space(), "sha256": sums()})
