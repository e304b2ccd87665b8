"""From captions to what the DiT reads, by the rules of HunyuanVideo (states, mask, pooled row)."""

import pathlib

import torch
from transformers import AutoTokenizer, CLIPTextModel, CLIPTokenizer, LlamaModel

VIDEO_TEMPLATE = (
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the video by detailing the following "
    "aspects: 1. The main content and theme of the video.2. The color, shape, size, texture, "
    "quantity, text, and spatial relationships of the objects.3. Actions, events, behaviors "
    "temporal relationships, physical movement changes of the objects.4. background environment, "
    "light, style and atmosphere.5. camera angles, movements, and transitions used in the "
    "video:<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>")
IMAGE_TEMPLATE = (
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the image by detailing the color, "
    "shape, size, texture, quantity, text, spatial relationships of the objects and "
    "background:<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>")
VIDEO_CROP, IMAGE_CROP = 95, 36
CLIP_LENGTH = 77


class Tokens:
    """Both tokenizers of a model folder; templates choose between video and image prompts."""

    def __init__(self, folder: pathlib.Path):
        self.llama = AutoTokenizer.from_pretrained(folder / "tokenizer")
        self.clip = CLIPTokenizer.from_pretrained(folder / "tokenizer_2")
        for template, crop in ((VIDEO_TEMPLATE, VIDEO_CROP), (IMAGE_TEMPLATE, IMAGE_CROP)):
            length = len(self.llama(template.split("{}")[0])["input_ids"])
            if length != crop:
                raise ValueError(f"tokenizer: wrong prefix length: got {length}, want {crop}")

    def llama_ids(self, captions: list[str], video: bool) -> list[list[int]]:
        template = VIDEO_TEMPLATE if video else IMAGE_TEMPLATE
        return self.llama([template.format(text) for text in captions])["input_ids"]

    def clip_ids(self, captions: list[str]) -> list[list[int]]:
        return self.clip(captions, padding="max_length", max_length=CLIP_LENGTH,
                         truncation=True)["input_ids"]


def llama_states(llama: LlamaModel, ids: torch.Tensor, crop: int) -> torch.Tensor:
    """Raw output of the last layer but two, [B, n, dim], of ids [B, crop + n] without padding."""
    states = llama(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[-3]
    return states[:, crop:]


def clip_pooled(clip: CLIPTextModel, ids: torch.Tensor) -> torch.Tensor:
    """Row [B, dim] of the first end token after the final norm."""
    return clip(input_ids=ids).pooler_output
