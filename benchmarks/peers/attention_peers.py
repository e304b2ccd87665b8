"""What the Python world offers for the same attention call, on a GPU: cuDNN and FlashAttention-2 dense, FlexAttention
with our lists, and the published rule's scoring and selection written in torch.

    build/release/bin/attention_bench --preset issue --json ours.json --write-lists lists.npy
    python3 benchmarks/peers/attention_peers.py --lists lists.npy --json peers.json

Needs torch 2.11 with CUDA and Triton, nothing of this project. Rows have the form of attention_bench's, so that
tools/attention_tables.py reads both. Without --lists FlexAttention gets a random mask of --density.
"""

import argparse
import datetime
import json
import math
import statistics
import time

import numpy as np
import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import BlockMask, flex_attention

BLOCK = 128
# Tiles, warps and stages that are tried; the fastest counts.
FLEX_OPTIONS = [
    {"BLOCK_M": 128, "BLOCK_N": 64, "num_warps": 8, "num_stages": 3},
    {"BLOCK_M": 128, "BLOCK_N": 128, "num_warps": 8, "num_stages": 2},
    {"BLOCK_M": 128, "BLOCK_N": 64, "num_warps": 4, "num_stages": 3},
]


class Peers:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.started = time.monotonic()
        self.length = arguments.length
        self.heads = arguments.heads
        self.dim = arguments.head_dim
        torch.manual_seed(1)
        shape = (1, self.heads, self.length, self.dim)
        self.q, self.k, self.v = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(3))
        self.cudnn_ms = 0.0
        properties = torch.cuda.get_device_properties(0)
        self.report = {
            "format": 2, "benchmark": "attention_peers", "rows": [], "left_out": [],
            "machine": {
                "gpu": properties.name, "torch": torch.__version__, "cudnn": torch.backends.cudnn.version(),
                "date": datetime.date.today().isoformat(),
            },
        }

    def has_time(self, name: str, needed: float) -> bool:
        if time.monotonic() - self.started + needed < self.arguments.seconds:
            return True
        self.leave_out(name, "no time left")
        return False

    def leave_out(self, name: str, why: str) -> None:
        print(f"left out: {name}: {why}", flush=True)
        self.report["left_out"].append({"case": name, "why": why})
        self.write()

    def write(self) -> None:
        if self.arguments.json:
            with open(self.arguments.json, "w") as file:
                json.dump(self.report, file, indent=1)

    def median_ms(self, run) -> float:
        """CUDA events around each run, after one that is not counted."""
        run()
        times = []
        for _ in range(self.arguments.repeats):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end))
        return statistics.median(times)

    def add(self, kernel: str, method: str, density: float = 1.0, attend_ms: float = 0.0, **details) -> None:
        total = attend_ms + details.get("score_ms", 0.0) + details.get("select_ms", 0.0)
        row = {
            "group": "peers", "inputs": "random", "length": self.length, "text_length": 0, "heads": self.heads,
            "head_dim": self.dim, "batch": 1, "causal": False, "kernel": kernel, "method": method,
            "density": density, "attend_ms": attend_ms, "total_ms": total, **details,
        }
        if attend_ms:
            row["tflops"] = 4e-9 * self.length**2 * self.dim * self.heads * density / attend_ms
        if self.cudnn_ms:
            row["cudnn_ms"] = self.cudnn_ms
            row["speed_up"] = self.cudnn_ms / total
            if attend_ms:
                row["share_of_dense_rate"] = self.cudnn_ms * density / attend_ms
        self.report["rows"].append(row)
        shown = " ".join(f"{key} {row[key]:.3f}" for key in ("score_ms", "select_ms", "attend_ms", "tflops") if row.get(key))
        print(f"{kernel:24} {method:10} density {density:.4f} {shown} x{row.get('speed_up', 0):.3f}", flush=True)
        self.write()

    def dense(self) -> None:
        for name, backend in (("cudnn", SDPBackend.CUDNN_ATTENTION), ("torch_flash2", SDPBackend.FLASH_ATTENTION)):
            with sdpa_kernel(backend):
                ms = self.median_ms(lambda: functional.scaled_dot_product_attention(self.q, self.k, self.v))
            if name == "cudnn":
                self.cudnn_ms = ms
            self.add(name, "dense", attend_ms=ms)
        try:
            from flash_attn import flash_attn_func
        except ImportError:
            self.leave_out("flash_attn", "the package is not installed; torch_flash2 is torch's own build of it")
            return
        q, k, v = (x.transpose(1, 2) for x in (self.q, self.k, self.v))
        self.add("flash_attn", "dense", attend_ms=self.median_ms(lambda: flash_attn_func(q, k, v)))

    def mask(self) -> torch.Tensor:
        """[A, n, n] bool."""
        blocks = (self.length + BLOCK - 1) // BLOCK
        if self.arguments.lists:
            words = torch.from_numpy(np.load(self.arguments.lists)).cuda()
            bits = (words.unsqueeze(-1) >> torch.arange(32, device="cuda", dtype=torch.int32)) & 1
            mask = bits.flatten(2)[:, :, :blocks].bool()
            if mask.shape != (self.heads, blocks, blocks):
                raise SystemExit(f"--lists: got {tuple(mask.shape)}, want {(self.heads, blocks, blocks)}")
            return mask
        mask = torch.rand(self.heads, blocks, blocks, device="cuda") < self.arguments.density
        mask[:, :, -1] = True
        return mask

    def flex(self) -> None:
        mask = self.mask()
        density = mask.float().mean().item()
        ragged = self.length % BLOCK != 0
        # blocks in which every pair counts skip the function of the mask; the ragged one does not
        full = mask.clone()
        if ragged:
            full[:, :, -1] = False
        partial = mask & ~full
        length = self.length

        def inside(b, h, i, j):
            return j < length

        def block_mask() -> BlockMask:
            lists = []
            for chosen in (partial, full):
                counts = chosen.sum(-1, dtype=torch.int32)
                order = chosen.to(torch.int8).argsort(dim=-1, descending=True, stable=True).to(torch.int32)
                lists += [counts.unsqueeze(0), order.unsqueeze(0)]
            return BlockMask.from_kv_blocks(
                *lists, BLOCK_SIZE=BLOCK, mask_mod=inside, seq_lengths=(length, length)
            )

        start = time.monotonic()
        built = block_mask()
        torch.cuda.synchronize()
        build_ms = (time.monotonic() - start) * 1e3
        compiled = torch.compile(flex_attention, dynamic=False)
        for options in FLEX_OPTIONS:
            name = "flex_" + "_".join(str(value) for value in options.values())
            if not self.has_time(name, 8):
                continue
            try:
                ms = self.median_ms(
                    lambda: compiled(self.q, self.k, self.v, block_mask=built, kernel_options=dict(options))
                )
            except Exception as error:
                self.leave_out(name, str(error).splitlines()[0][:200])
                continue
            self.add(name, "mask", density, ms, lists_ms=build_ms)

    def published_rule(self, stride: int, tau: float, chunk: int) -> None:
        """Strided antidiagonal products as one matrix product a chunk of queries, softmax, sums over blocks, sort.

        Chunks keep the score matrix small; a block is taken if the mass of the heavier ones is below tau.
        """
        tokens = self.length // BLOCK * BLOCK
        rows = tokens // stride
        scale = 1 / (math.sqrt(self.dim) * stride)

        # the phases of a strided row side by side, those of the queries from last to first
        def phases(x, reverse):
            x = x[0, :, :tokens].reshape(self.heads, rows, stride, self.dim)
            return (x.flip(2) if reverse else x).reshape(self.heads, rows, stride * self.dim)

        def score() -> torch.Tensor:
            queries, keys = phases(self.q, True), phases(self.k, False)
            sums = []
            for first in range(0, rows, chunk // stride):
                products = queries[:, first : first + chunk // stride] @ keys.transpose(1, 2)
                shares = torch.softmax(products.float() * scale, -1)
                per_block = BLOCK // stride
                shape = (self.heads, shares.shape[1] // per_block, per_block, rows // per_block, per_block)
                sums.append(shares.view(shape).sum((2, 4)))
            return torch.cat(sums, 1)

        def select(mass) -> torch.Tensor:
            ordered, index = mass.sort(-1, descending=True)
            before = ordered.cumsum(-1) - ordered
            taken = before < tau * mass.sum(-1, keepdim=True)
            return torch.zeros_like(taken).scatter_(-1, index, taken)

        score_ms = self.median_ms(score)
        mass = score()
        select_ms = self.median_ms(lambda: select(mass))
        self.add(
            f"torch_rule_chunk_{chunk}", "scoring", select(mass).float().mean().item(), 0.0, scoring="bf16",
            stride=stride, tau=tau, score_ms=score_ms, select_ms=select_ms,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=118_800 + 256)
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--lists", help="mask written by attention_bench --write-lists")
    parser.add_argument("--density", type=float, default=0.344, help="of the random mask without --lists")
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--tau", type=float, default=0.9)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1e9, help="start nothing that may end later")
    parser.add_argument("--json", help="file for all figures")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("attention_peers: no CUDA device")
    peers = Peers(arguments)
    peers.dense()
    for chunk in (2048, 16_384):
        if peers.has_time(f"torch_rule_chunk_{chunk}", 3):
            peers.published_rule(arguments.stride, arguments.tau, chunk)
    peers.flex()


if __name__ == "__main__":
    main()
