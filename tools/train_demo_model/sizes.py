"""Sizes of the models and clips: `demo` is what ships, `toy` runs the whole chain on a CPU."""

import dataclasses

from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoTransformer3DModel
from transformers import CLIPTextConfig, CLIPTextModel, LlamaConfig, LlamaModel


@dataclasses.dataclass(frozen=True)
class Sizes:
    side: int  # pixels of the square clip
    vae_widths: tuple[int, int, int, int]
    heads: int
    head_dim: int
    rope_axes: tuple[int, int, int]
    num_double: int
    num_single: int
    llama_width: int
    clip_width: int
    shard_size: str  # of the transformer's safetensors files


SIZES = {
    "demo": Sizes(256, (16, 32, 64, 64), 4, 64, (16, 24, 24), 2, 7, 128, 96, "12MB"),
    "toy": Sizes(64, (8, 8, 16, 16), 2, 16, (4, 6, 6), 1, 1, 32, 32, "100KB"),
}
LATENT_CHANNELS = 16


def make_vae(sizes: Sizes) -> AutoencoderKLHunyuanVideo:
    return AutoencoderKLHunyuanVideo(
        in_channels=3, out_channels=3, latent_channels=LATENT_CHANNELS,
        down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
        block_out_channels=sizes.vae_widths, layers_per_block=1, act_fn="silu",
        norm_num_groups=2, scaling_factor=1.0, spatial_compression_ratio=8,
        temporal_compression_ratio=4, mid_block_add_attention=True)


def make_dit(sizes: Sizes) -> HunyuanVideoTransformer3DModel:
    return HunyuanVideoTransformer3DModel(
        in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS, num_attention_heads=sizes.heads,
        attention_head_dim=sizes.head_dim, num_layers=sizes.num_double,
        num_single_layers=sizes.num_single, num_refiner_layers=1, mlp_ratio=4.0, patch_size=2,
        patch_size_t=1, qk_norm="rms_norm", guidance_embeds=True, text_embed_dim=sizes.llama_width,
        pooled_projection_dim=sizes.clip_width, rope_theta=256.0, rope_axes_dim=sizes.rope_axes)


def make_llama(sizes: Sizes, vocabulary: int, bos: int, eos: int, pad: int) -> LlamaModel:
    """Five layers, of which the model reads the output of the third, as the real one skips two."""
    return LlamaModel(LlamaConfig(
        vocab_size=-(-vocabulary // 64) * 64, hidden_size=sizes.llama_width,
        intermediate_size=2 * sizes.llama_width, num_hidden_layers=5, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=8192, rms_norm_eps=1e-5,
        rope_theta=500000.0, bos_token_id=bos, eos_token_id=eos, pad_token_id=pad,
        tie_word_embeddings=False))


def make_clip(sizes: Sizes, vocabulary: int, bos: int, eos: int) -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=sizes.clip_width, intermediate_size=4 * sizes.clip_width,
        projection_dim=sizes.clip_width, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=77, hidden_act="quick_gelu", bos_token_id=bos, eos_token_id=eos,
        pad_token_id=eos))
