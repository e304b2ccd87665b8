"""Writes checkpoints into a model folder in the published diffusers layout, part by part.

    python export.py vae CHECKPOINT MODEL_FOLDER
    python export.py dit CHECKPOINT MODEL_FOLDER      # DiT and both text encoders
    python export.py rest MODEL_FOLDER                # scheduler, model_index.json, sparsereel.json
    python export.py rest MODEL_FOLDER --cfg 2.5      # the same before distillation
"""

import argparse
import json
import pathlib

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers import __version__ as diffusers_version

from make_tokenizers import write_json
from sizes import SIZES, make_clip, make_dit, make_llama, make_vae
from training import load_checkpoint, take_prefix
from vae_model import fold_statistics

COMPONENTS = {
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "LlamaModel"],
    "text_encoder_2": ["transformers", "CLIPTextModel"],
    # The Llama tokenizer class of transformers 5 rebuilds its pre-tokeniser; this one reads ours.
    "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "transformer": ["diffusers", "HunyuanVideoTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLHunyuanVideo"],
}
STEPS, SHIFT, GUIDANCE = 20, 7.0, 6.0


def export_vae(checkpoint: pathlib.Path, folder: pathlib.Path,
               dtype: torch.dtype = torch.float16) -> None:
    """The averaged weights with the latent statistics folded in; fp16 keeps 3 bits more than bf16
    and no weight of the VAE is near its limits."""
    tensors, state = load_checkpoint(checkpoint)
    vae = make_vae(SIZES[state["size"]])
    vae.load_state_dict(take_prefix("average", tensors))
    statistics = state["statistics"]
    fold_statistics(vae, torch.tensor(statistics["means"]), statistics["deviation"])
    vae.to(dtype).save_pretrained(folder / "vae")


def text_parts(folder: pathlib.Path, size: str):
    """Untrained encoders that fit the tokenizers in `folder`."""
    tokens = json.loads((folder / "tokenizer" / "tokenizer.json").read_text())
    ids = {token["content"]: token["id"] for token in tokens["added_tokens"]}
    clip_words = json.loads((folder / "tokenizer_2" / "vocab.json").read_text())
    llama = make_llama(SIZES[size], max(ids.values()) + 1, ids["<|begin_of_text|>"],
                       ids["<|end_of_text|>"], ids["<pad>"])
    clip = make_clip(SIZES[size], len(clip_words), clip_words["<|startoftext|>"],
                     clip_words["<|endoftext|>"])
    return llama, clip


def export_dit(checkpoint: pathlib.Path, folder: pathlib.Path) -> None:
    tensors, state = load_checkpoint(checkpoint)
    sizes = SIZES[state["size"]]
    dit = make_dit(sizes)
    llama, clip = text_parts(folder, state["size"])
    for prefix, module in (("dit", dit), ("llama", llama), ("clip", clip)):
        module.load_state_dict({name: value.float()
                                for name, value in take_prefix(prefix, tensors).items()})
        module.to(torch.bfloat16)
    dit.save_pretrained(folder / "transformer", max_shard_size=sizes.shard_size)
    llama.save_pretrained(folder / "text_encoder")
    clip.save_pretrained(folder / "text_encoder_2")


def export_rest(folder: pathlib.Path, side: int, frames: int, cfg: float = 1.0) -> None:
    """`cfg` above 1: the model isn't distilled, so guidance takes two passes a step."""
    FlowMatchEulerDiscreteScheduler(shift=SHIFT).save_pretrained(folder / "scheduler")
    write_json(folder / "model_index.json", {
        "_class_name": "HunyuanVideoPipeline", "_diffusers_version": diffusers_version,
        **COMPONENTS})
    write_json(folder / "sparsereel.json", {
        "format": 1, "width": side, "height": side, "frames": frames, "steps": STEPS, "fps": 16,
        **({"guidance": 1.0, "cfg_scale": cfg} if cfg > 1 else {"guidance": GUIDANCE}),
        "tau": 0.9, "dense_steps": "20%"})


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("vae", "dit", "rest"))
    parser.add_argument("paths", type=pathlib.Path, nargs="+")
    parser.add_argument("--cfg", type=float, default=1.0, help="scale of guidance by two passes")
    args = parser.parse_args(argv)
    if args.part == "vae":
        export_vae(*args.paths)
    elif args.part == "dit":
        export_dit(*args.paths)
    else:
        export_rest(*args.paths, SIZES["demo"].side, 33, args.cfg)


if __name__ == "__main__":
    main()
