"""Decoding by this program and by diffusers by turns, and the ratio of their times.

    .deps/venv/bin/python benchmarks/peers/vae_decode.py [--pairs 9] [--tiling none] [--json]

Both sides run with the same drawn sizes, tiles and number of threads, and are warm.
"""

import argparse
import time

import torch
from diffusers import AutoencoderKLHunyuanVideo
from turns import PacedProgram, add_common_flags, report, run_by_turns, settings_of

WIDTHS = {"speed": (24, 48, 64, 64), "full": (128, 256, 512, 512)}
PRESETS = {"official": (256, 192, 64, 48), "diffusers": (256, 192, 16, 12)}


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


def peer_decode(arguments: argparse.Namespace):
    """A function that decodes one clip with the published class and returns its milliseconds."""
    vae = new_peer(arguments)
    z = torch.randn(1, 16, (arguments.frames - 1) // 4 + 1, arguments.height // 8, arguments.width // 8)

    def decode() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            vae.decode(z)
        return (time.perf_counter() - start) * 1e3

    decode()
    return decode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_flags(parser, "vae_decode", frames=33)
    parser.add_argument("--model", choices=WIDTHS, default="speed")
    parser.add_argument("--tiling", default="none", help="none, official, diffusers or SIZE:STRIDE:FRAMES:FRAME_STRIDE")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    settings = settings_of(arguments, "model", "tiling")
    ours = PacedProgram(arguments.program, settings)
    times = run_by_turns(ours, peer_decode(arguments), arguments.pairs)
    ours.close()
    report("vae_decode", "diffusers", settings, times, arguments.json)


if __name__ == "__main__":
    main()
