"""Decoding by diffusers and by this program in turn, and the ratio of their times.

    build/release/bin/vae_decode must be built; scripts/setup --python gives the interpreter:
    .deps/venv/bin/python benchmarks/peers/vae_decode.py --pairs 9

Both sides run in processes that stay, warmed up, with the same size, tiles and number of threads. They
alternate, so that whatever else the machine does hits both; the median of the pairs' ratios counts.
"""

import argparse
import json
import statistics
import subprocess
import time

import torch
from diffusers import AutoencoderKLHunyuanVideo

WIDTHS = {"speed": (24, 48, 64, 64), "full": (128, 256, 512, 512)}
PRESETS = {"official": (256, 192, 64, 48), "diffusers": (256, 192, 16, 12)}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--program", default="build/release/bin/vae_decode")
    parser.add_argument("--model", choices=WIDTHS, default="speed")
    parser.add_argument("--tiling", default="none", help="none, official, diffusers or SIZE:STRIDE:FRAMES:FRAME_STRIDE")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def new_peer(args: argparse.Namespace) -> AutoencoderKLHunyuanVideo:
    torch.manual_seed(1)
    speed = args.model == "speed"
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=16,
        block_out_channels=WIDTHS[args.model],
        layers_per_block=1 if speed else 2,
        norm_num_groups=2 if speed else 32,
    ).eval()
    vae.use_framewise_decoding = vae.use_tiling = args.tiling != "none"
    if vae.use_tiling:
        size, stride, frames, frame_stride = PRESETS.get(args.tiling) or map(int, args.tiling.split(":"))
        vae.enable_tiling(size, size, frames, stride, stride, frame_stride)
    return vae


def start_ours(args: argparse.Namespace) -> subprocess.Popen:
    command = [args.program, "--paced"]
    for name in ("model", "tiling", "width", "height", "frames", "threads"):
        command += [f"--{name}", str(getattr(args, name))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def ours_ms(process: subprocess.Popen) -> float:
    process.stdin.write("run\n")
    process.stdin.flush()
    return float(process.stdout.readline())


@torch.no_grad()
def peer_ms(vae: AutoencoderKLHunyuanVideo, z: torch.Tensor) -> float:
    start = time.perf_counter()
    vae.decode(z)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    vae = new_peer(args)
    z = torch.randn(1, 16, (args.frames - 1) // 4 + 1, args.height // 8, args.width // 8)
    process = start_ours(args)
    peer_ms(vae, z)
    pairs = [(ours_ms(process), peer_ms(vae, z)) for _ in range(args.pairs)]
    process.stdin.close()
    process.wait()
    ratios = [ours / peer for ours, peer in pairs]
    result = {
        "format": 1,
        "benchmark": "vae_decode",
        "model": args.model,
        "size": [args.width, args.height, args.frames],
        "tiling": args.tiling,
        "threads": args.threads,
        "pairs": len(pairs),
        "median_ratio": round(statistics.median(ratios), 3),
        "worst_ratio": round(max(ratios), 3),
        "median_ms": round(statistics.median(ours for ours, _ in pairs), 1),
        "peer_median_ms": round(statistics.median(peer for _, peer in pairs), 1),
    }
    print(json.dumps(result) if args.json else "\n".join(f"{key}: {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
