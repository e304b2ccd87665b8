"""Trains the small tokenizers of tests/data/text_encoder, in the layout of the published folders.

tokenizer/ is like Llama-3's with LLaVA's extra tokens (tokenizer.json), tokenizer_2/ like CLIP's (vocab.json and
merges.txt). Only the vocabulary is small: pattern, special tokens, normalisation and post-processing are the
published ones (spec/hunyuanvideo.md 3).
"""

import collections
import itertools
import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from . import common

FOLDER = common.DATA / "text_encoder"
LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
NUM_LLAMA_MERGES = 900
NUM_CLIP_MERGES = 900
# In the vocabulary but out of reach of the merges: only ignore_merges finds them.
WHOLE_WORDS = [" hummingbird", "Zeppelin", " 東京タワー", "2027"]

VIDEO_TEMPLATE = (
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the video by detailing the following aspects: "
    "1. The main content and theme of the video."
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the objects."
    "4. background environment, light, style and atmosphere."
    "5. camera angles, movements, and transitions used in the video:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
)
IMAGE_TEMPLATE = (
    "<|start_header_id|>system<|end_header_id|>\n\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
)

CORPUS = """A cat walks on the grass, realistic style.
A red balloon rises slowly over the old harbour while the camera pans to the left.
Two dogs are running along a wide beach at sunset; the waves are breaking behind them.
Slow motion close-up of rain falling on green leaves, shallow depth of field, 24 fps.
An astronaut is riding a white horse through the desert, dust in the air, cinematic lighting.
The city at night: neon signs, wet streets, people with umbrellas walking past the shops.
A small robot is painting a picture of a mountain lake in the style of an old master.
It's snowing in the forest and the fox doesn't see the owl that's watching it.
They've been building the bridge for 120 years, and we're told it'll be done in 2030.
Time-lapse of clouds moving over the mountains, 4k, highly detailed, wide angle shot.
A woman in a yellow coat turns around and smiles at the camera, soft morning light.
A paper boat floats down a stream between stones and flowers, macro lens.
The train leaves the station in thick fog; its lights are fading into the distance.
An underwater scene with a whale, small fish and rays of light from above.
A chef is cutting vegetables in a bright kitchen, fast and precise movements.
Children are playing football in the park in front of a tall building made of glass.
A drone shot flies over a field of sunflowers towards a wooden house on the hill.
The blue car drives through a tunnel and comes out on the other side of the valley.
Fireworks over the river, reflections on the water, a crowd cheering, 60 frames per second.
An old man feeds pigeons on a bench, black and white film, grain, vintage look.
A glass of water falls from the table and breaks into a thousand pieces (1000 fps).
The dancer's dress is swirling in the wind, colourful smoke behind her, studio light.
Aerial view, overexposed, low quality, deformation, a poor composition, bad hands, bad teeth, bad eyes, bad limbs.
I'd like a video of the moon rising behind the castle, please; you'd better make it 5 seconds long!
Eine Katze läuft über die grüne Wiese, die Sonne scheint und der Himmel ist blau.
Un chat noir traverse la rue à Paris, près d'une boulangerie déjà fermée.
Una niña está jugando en el jardín de su abuela mañana por la mañana.
Кошка идёт по траве, красивый закат над морем.
猫が草の上を歩いている。東京の夜景、雨の街。
一只猫在草地上行走,写实风格。夕阳下的海滩。
고양이가 잔디 위를 걷고 있다.
قطة تمشي على العشب في الحديقة
""".splitlines()


def byte_symbols() -> list[str]:
    """The published spelling of the 256 bytes, in CLIP's order of ids: printable ones first."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(rest))]


def symbols_of(text: str) -> str:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    table = {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(rest)}
    return "".join(table[byte] for byte in text.encode())


def llama_pre_tokenizer():
    split = pre_tokenizers.Split(Regex(LLAMA_PATTERN), behavior="isolated", invert=False)
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def special_llama_tokens() -> list[str]:
    names = ["<|begin_of_text|>", "<|end_of_text|>"]
    names += [f"<|reserved_special_token_{i}|>" for i in range(4)]
    names += ["<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>", "<|eot_id|>"]
    return [*names, "<unk>", "<image>", "<pad>"]


def learned_merges(pre_tokenizer, count: int, normalizer=None, word_end: str = "") -> list[tuple[str, str]]:
    """The most frequent pair again and again, of equals the first in byte order. (The trainer of `tokenizers` breaks
    ties differently from run to run where words have an end mark.)"""
    template = VIDEO_TEMPLATE.replace("<|", "\n<|").replace("|>", "|>\n").splitlines()
    words = collections.Counter()
    for line in CORPUS + [line for line in template if not line.startswith("<|")]:
        text = normalizer.normalize_str(line) if normalizer is not None else line
        for word, _ in pre_tokenizer.pre_tokenize_str(text):
            words[(*word[:-1], word[-1] + word_end)] += 1
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, number in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += number
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < 2:
            break
        merges.append(best)
        merged = collections.Counter()
        for word, number in words.items():
            merged[merge(word, best)] += number
        words = merged
    return merges


def merge(word: tuple, pair: tuple) -> tuple:
    result = []
    for symbol in word:
        if result and (result[-1], symbol) == pair:
            result[-1] += symbol
        else:
            result.append(symbol)
    return tuple(result)


def make_llama(folder) -> None:
    specials = special_llama_tokens()
    merges = learned_merges(llama_pre_tokenizer(), NUM_LLAMA_MERGES)
    entries = byte_symbols() + [left + right for left, right in merges] + [symbols_of(word) for word in WHOLE_WORDS]
    vocabulary = {entry: i for i, entry in enumerate(dict.fromkeys(entries))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True, byte_fallback=False))
    tokenizer.pre_tokenizer = llama_pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=True)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in specials])
    bos = "<|begin_of_text|>"
    template = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    content = json.loads(tokenizer.to_str())
    content["model"]["merges"] = [" ".join(merge) for merge in merges]  # as the published file spells them
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "tokenizer.json", content)
    added = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in content["added_tokens"]
    }
    write(folder / "tokenizer_config.json", {
        "added_tokens_decoder": added, "bos_token": bos, "clean_up_tokenization_spaces": True,
        "eos_token": "<|end_of_text|>", "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>",
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>",
    })
    write(folder / "special_tokens_map.json", {
        "bos_token": described(bos), "eos_token": described("<|end_of_text|>"), "pad_token": described("<pad>"),
        "unk_token": described("<unk>"),
    })


def described(content: str, normalized: bool = False) -> dict:
    return {"content": content, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}


def make_clip(folder) -> None:
    normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    split = pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True)
    pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    merges = learned_merges(pre_tokenizer, NUM_CLIP_MERGES, normalizer, "</w>")
    symbols = byte_symbols()
    entries = symbols + [symbol + "</w>" for symbol in symbols] + [left + right for left, right in merges]
    entries = [*dict.fromkeys(entries), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "vocab.json", {entry: i for i, entry in enumerate(entries)}, indent=None)
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    ends = {
        "bos_token": described("<|startoftext|>", True), "eos_token": described("<|endoftext|>", True),
        "unk_token": described("<|endoftext|>", True),
    }
    write(folder / "special_tokens_map.json", {**ends, "pad_token": "<|endoftext|>"})
    added = {
        str(entries.index("<|startoftext|>")): {**described("<|startoftext|>", True), "special": True},
        str(entries.index("<|endoftext|>")): {**described("<|endoftext|>", True), "special": True},
    }
    write(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "added_tokens_decoder": added, "bos_token": "<|startoftext|>",
        "clean_up_tokenization_spaces": True, "do_lower_case": True, "eos_token": "<|endoftext|>", "errors": "replace",
        "model_max_length": 77, "pad_token": "<|endoftext|>", "tokenizer_class": "CLIPTokenizer",
        "unk_token": "<|endoftext|>",
    })


def write(path, value, indent: int | None = 1) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")


def make() -> None:
    make_llama(FOLDER / "tokenizer")
    make_clip(FOLDER / "tokenizer_2")
