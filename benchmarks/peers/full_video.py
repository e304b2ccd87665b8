"""The Python side of benchmarks/full_video: a 13B denoising step and the VAE's decode in diffusers, on one GPU.

    python3 benchmarks/peers/full_video.py [--modes eager,compiled,vae] [--json FILE]

The transformer is diffusers' HunyuanVideoTransformer3DModel in its published sizes; weights are random, bf16, drawn
on the GPU. diffusers always builds an attention mask over all tokens, even where every text token is valid, and
masked attention falls back to a slow kernel; so the fair peer here drops that mask (every text token is valid, the
result is the same) and prefers cuDNN's attention, the fastest that LibTorch has there. `masked` keeps diffusers' default.

    eager     no mask, cuDNN attention
    compiled  the same with torch.compile of the two kinds of block, one graph each (fullgraph), which is what
              diffusers recommends as regional compilation; compile time is not in the step
    masked    diffusers as it comes: boolean mask, LibTorch's choice of kernel
    vae       tiled decoding in fp16 with diffusers' tiles
"""

import argparse
import gc
import json
import time

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoTransformer3DModel
from diffusers.models.transformers import transformer_hunyuan_video as published
from torch.nn.attention import SDPBackend, sdpa_kernel

DEVICE = "cuda"
DISPATCH = published.dispatch_attention_fn
CUDNN_FIRST = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def on_gpu(build):
    """Modules that are born in bf16 on the GPU: no pass over them on the CPU."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(DEVICE):
            return build().eval()
    finally:
        torch.set_default_dtype(torch.float32)


def draw(model: torch.nn.Module) -> None:
    """Weights that keep activations at their size."""
    for parameter in model.parameters():
        row = parameter.numel() // parameter.shape[0]
        parameter.data.normal_(0.0, row**-0.5)


def new_transformer(double: int, single: int) -> HunyuanVideoTransformer3DModel:
    skipped = {}
    for layer in (torch.nn.Linear, torch.nn.Conv3d):  # their default initialisation is thrown away
        skipped[layer] = layer.reset_parameters
        layer.reset_parameters = lambda self: None
    model = on_gpu(lambda: HunyuanVideoTransformer3DModel(num_layers=double, num_single_layers=single))
    for layer, reset in skipped.items():
        layer.reset_parameters = reset
    draw(model)
    return model


def inputs_of(arguments: argparse.Namespace) -> dict[str, torch.Tensor]:
    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=DEVICE, dtype=torch.bfloat16)

    frames = (arguments.frames - 1) // 4 + 1
    return {
        "hidden_states": random(1, 16, frames, arguments.height // 8, arguments.width // 8),
        "timestep": torch.tensor([875.0], device=DEVICE),
        "guidance": torch.tensor([6000.0], device=DEVICE, dtype=torch.bfloat16),
        "encoder_hidden_states": random(1, arguments.text_tokens, 4096),
        "encoder_attention_mask": torch.ones(1, arguments.text_tokens, device=DEVICE, dtype=torch.int64),
        "pooled_projections": random(1, 768),
    }


def without_mask(*positional, attn_mask=None, **named):
    """diffusers' attention, whatever back end it dispatches to, without the mask that every block is given."""
    return DISPATCH(*positional, attn_mask=None, **named)


def timed(run) -> float:
    """Milliseconds on the GPU."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    with torch.no_grad():
        run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def peak_gb() -> float:
    return torch.cuda.max_memory_allocated() * 1e-9


class Steps:
    def __init__(self, arguments: argparse.Namespace):
        start = time.perf_counter()
        self.model = new_transformer(arguments.double_blocks, arguments.single_blocks)
        self.inputs = inputs_of(arguments)
        self.repeats = arguments.repeats
        torch.cuda.synchronize()
        print(f"weights drawn in {time.perf_counter() - start:.1f} s", flush=True)

    def warm_up(self) -> float:
        """Two blocks of each kind stand for all: what is compiled or chosen depends on the kind and on strides of inputs."""
        start = time.perf_counter()
        blocks = self.model.transformer_blocks, self.model.single_transformer_blocks
        self.model.transformer_blocks, self.model.single_transformer_blocks = blocks[0][:2], blocks[1][:2]
        timed(self.step)
        self.model.transformer_blocks, self.model.single_transformer_blocks = blocks
        return time.perf_counter() - start

    def step(self) -> None:
        self.model(**self.inputs, return_dict=False)

    def measure(self, mode: str) -> dict[str, object]:
        if mode == "masked":
            published.dispatch_attention_fn = DISPATCH
            return self.measure_prepared(mode)
        published.dispatch_attention_fn = without_mask
        if mode == "compiled":
            for block in (*self.model.transformer_blocks, *self.model.single_transformer_blocks):
                block.compile(fullgraph=True)
        with sdpa_kernel(CUDNN_FIRST, set_priority=True):
            return self.measure_prepared(mode)

    def measure_prepared(self, mode: str) -> dict[str, object]:
        warm_up_s = self.warm_up()
        torch.cuda.reset_peak_memory_stats()
        times = [timed(self.step) for _ in range(self.repeats)]
        return {"mode": mode, "step_ms": min(times), "all_ms": times, "warm_up_s": warm_up_s, "peak_gb": peak_gb()}


def decode(arguments: argparse.Namespace) -> dict[str, object]:
    with torch.device(DEVICE):
        vae = AutoencoderKLHunyuanVideo().eval()
    vae = vae.half()
    vae.enable_tiling()
    frames = (arguments.frames - 1) // 4 + 1
    z = torch.randn(1, 16, frames, arguments.height // 8, arguments.width // 8, device=DEVICE, dtype=torch.float16)
    with torch.no_grad():
        vae.decode(z[:, :, :1])
    torch.cuda.reset_peak_memory_stats()

    def run() -> None:
        video = vae.decode(z, return_dict=False)[0]
        ((video.clamp_(-1, 1) + 1) * 127.5).round_().to(torch.uint8).cpu()

    return {"mode": "vae", "decode_ms": timed(run), "peak_gb": peak_gb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", default="eager,compiled,vae", help="of eager, compiled, masked, vae, in this order")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=129)
    parser.add_argument("--text-tokens", type=int, default=256)
    parser.add_argument("--double-blocks", type=int, default=20)
    parser.add_argument("--single-blocks", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", help="file for all figures")
    arguments = parser.parse_args()

    wanted = [mode for mode in ("masked", "eager", "compiled") if mode in arguments.modes.split(",")]
    rows = []

    def note(row: dict[str, object]) -> None:
        rows.append(row)
        print(json.dumps(row), flush=True)
        if arguments.json:  # what was measured stays if a later mode fails
            with open(arguments.json, "w", encoding="utf-8") as file:
                json.dump({"format": 1, "benchmark": "full_video_peers", "torch": torch.__version__,
                           "image_tokens": ((arguments.frames - 1) // 4 + 1) * (arguments.height // 16)
                           * (arguments.width // 16), "text_tokens": arguments.text_tokens, "rows": rows}, file)

    if wanted:
        steps = Steps(arguments)
        for mode in wanted:
            try:
                note(steps.measure(mode))
            except Exception as error:  # the next mode is still worth its time
                print(f"{mode}: {type(error).__name__}: {error}", flush=True)
        del steps
        gc.collect()
        torch.cuda.empty_cache()
    if "vae" in arguments.modes.split(","):
        note(decode(arguments))


if __name__ == "__main__":
    main()
