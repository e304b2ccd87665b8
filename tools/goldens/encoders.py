"""Hidden states of small Llama and CLIP text models with drawn weights."""

import torch
from transformers import CLIPTextConfig, CLIPTextModel, LlamaConfig, LlamaModel

from . import common

LLAMAS = {
    # Grouped queries, an odd-one-out head dim, and as many key heads as query heads.
    "grouped": dict(hidden_size=64, intermediate_size=160, num_hidden_layers=5, num_attention_heads=4,
                    num_key_value_heads=2, vocab_size=300, rope_theta=500000.0, rms_norm_eps=1e-5),
    "head_dim": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=6,
                     num_key_value_heads=1, head_dim=16, vocab_size=200, rope_theta=10000.0, rms_norm_eps=1e-6),
    "ungrouped": dict(hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2,
                      num_key_value_heads=2, vocab_size=128, rope_theta=500000.0, rms_norm_eps=1e-5),
}

CLIPS = {
    # The legacy end id 2 means "the largest id of the row"; any other means "its first place".
    "legacy_eos": dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                       vocab_size=120, hidden_act="quick_gelu", bos_token_id=0, eos_token_id=2, pad_token_id=1),
    "eos": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=3,
                vocab_size=90, hidden_act="quick_gelu", bos_token_id=88, eos_token_id=89, pad_token_id=89),
}


def draw_ids(vocab_size: int, batch: int, tokens: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocab_size, (batch, tokens), generator=generator)


def make_llama(name: str, sizes: dict) -> None:
    model = LlamaModel(LlamaConfig(**sizes, attn_implementation="eager")).eval()
    common.draw_weights(model, seed=11)
    ids = draw_ids(sizes["vocab_size"], 2, 23, seed=12)
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    states = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-3]
    common.save_json(f"encoders/llama_{name}", model.config.to_dict() | {"names": sorted(model.state_dict())})
    common.save(f"encoders/llama_{name}", {"input_ids": ids, "attention_mask": mask, "hidden_states": states})


def make_long_llama() -> None:
    """One prompt of the full length, so that positions and the causal mask are met far out."""
    sizes = LLAMAS["grouped"]
    model = LlamaModel(LlamaConfig(**sizes, attn_implementation="eager")).eval()
    common.draw_weights(model, seed=11)
    ids = draw_ids(sizes["vocab_size"], 1, 351, seed=15)
    states = model(input_ids=ids, output_hidden_states=True).hidden_states[-3]
    common.save("encoders/llama_grouped_long", {"input_ids": ids, "hidden_states": states})


def make_clip(name: str, sizes: dict) -> None:
    model = CLIPTextModel(CLIPTextConfig(**sizes, attn_implementation="eager")).eval()
    common.draw_weights(model, seed=13)
    end = sizes["vocab_size"] - 1
    ids = draw_ids(sizes["vocab_size"] - 2, 3, 77, seed=14)
    for row, length in enumerate((2, 20, 77)):
        ids[row, length - 1 :] = end
    out = model(input_ids=ids)
    common.save_json(f"encoders/clip_{name}", model.config.to_dict() | {"names": sorted(model.state_dict())})
    common.save(
        f"encoders/clip_{name}",
        {"input_ids": ids, "last_hidden_state": out.last_hidden_state, "pooled": out.pooler_output},
    )


def make() -> None:
    torch.set_grad_enabled(False)
    for name, sizes in LLAMAS.items():
        make_llama(name, sizes)
    make_long_llama()
    for name, sizes in CLIPS.items():
        make_clip(name, sizes)
