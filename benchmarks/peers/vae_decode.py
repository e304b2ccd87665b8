"""Decoding by this program and by diffusers by turns, and the ratio of their times.

    .deps/venv/bin/python benchmarks/peers/vae_decode.py [--pairs 9] [--tiling none] [--json]
    python3 benchmarks/peers/vae_decode.py --device cuda --dtype fp16 --model full --tiling official --pixels \\
        --width 1280 --height 720 --frames 129 --pairs 1

Both sides run with the same drawn sizes, tiles and number of threads, and are warm; --pixels ends with 8-bit frames in
host memory instead of floats on the device.
"""

import argparse
import time

import torch
from diffusers import AutoencoderKLHunyuanVideo
from turns import PacedProgram, add_common_flags, report, run_by_turns, settings_of

WIDTHS = {"speed": (24, 48, 64, 64), "full": (128, 256, 512, 512)}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
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
    return vae.to(args.device, DTYPES[args.dtype])


def peer_decode(arguments: argparse.Namespace):
    """A function that decodes one clip with the published class and returns its milliseconds."""
    vae = new_peer(arguments)
    z = torch.randn(1, 16, (arguments.frames - 1) // 4 + 1, arguments.height // 8, arguments.width // 8)
    z = z.to(arguments.device, DTYPES[arguments.dtype])

    def decode() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            frames = vae.decode(z).sample
            if arguments.pixels:
                pixels = (frames.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
                pixels.permute(0, 2, 3, 4, 1).contiguous().cpu()
            if arguments.device == "cuda":
                torch.cuda.synchronize()
        return (time.perf_counter() - start) * 1e3

    decode()
    return decode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_flags(parser, "vae_decode", frames=33)
    parser.add_argument("--model", choices=WIDTHS, default="speed")
    parser.add_argument("--tiling", default="none", help="none, official, diffusers or SIZE:STRIDE:FRAMES:FRAME_STRIDE")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--pixels", action="store_true", help="to 8-bit frames in host memory")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    settings = settings_of(arguments, "model", "tiling", "device", "dtype", "pixels")
    ours = PacedProgram(arguments.program, settings)
    times = run_by_turns(ours, peer_decode(arguments), arguments.pairs)
    ours.close()
    report("vae_decode", "diffusers", settings, times, arguments.json)


if __name__ == "__main__":
    main()
