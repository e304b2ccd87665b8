"""Trains the two small tokenizers and writes them in the published formats.

    python make_tokenizers.py OUTPUT_FOLDER

tokenizer/    byte-level BPE in Llama-3's form (tokenizer.json), every word of the prompt templates
              and of the captions one token: the video prefix has 95 tokens, the image prefix 36
tokenizer_2/  CLIP's BPE (vocab.json, merges.txt)
Any UTF-8 text tokenises; words outside the vocabulary fall apart into pieces or bytes.
"""

import argparse
import json
import pathlib
import random
import re

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers import normalizers, trainers

from captions import all_wordings, caption
from text import IMAGE_TEMPLATE, VIDEO_TEMPLATE
from world import training_scenes

LLAMA3_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                  r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP_PATTERN = (r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|"
                r"[^\s\p{L}\p{N}]+")
LLAMA_SPECIALS = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
                  "<|end_header_id|>", "<|eot_id|>", "<unk>", "<image>", "<pad>")
NUM_CAPTIONS = 4000
MAX_VOCABULARY = 4096  # merging stops by itself when every word is one token


def corpus() -> list[str]:
    rng = random.Random("tokenizer corpus")
    captions = [caption(scene, rng) for scene in training_scenes(NUM_CAPTIONS, seed=0)]
    phrases = all_wordings()
    phrases += [phrase.capitalize() for phrase in phrases] + [" " + phrase for phrase in phrases]
    between_specials = re.compile("|".join(map(re.escape, (*LLAMA_SPECIALS, "{}"))))
    templates = [piece for text in (VIDEO_TEMPLATE, IMAGE_TEMPLATE)
                 for piece in between_specials.split(text) if piece]
    return captions + phrases * 2 + templates * 4


def train_llama() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3_PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=MAX_VOCABULARY, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=2))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)
                                  for token in LLAMA_SPECIALS])
    begin = LLAMA_SPECIALS[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin} $B",
        special_tokens=[(begin, tokenizer.token_to_id(begin))])
    return tokenizer


def save_llama(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    train_llama().save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>",
             "unk_token": "<unk>", "pad_token": "<pad>"}
    write_json(folder / "special_tokens_map.json", names)
    write_json(folder / "tokenizer_config.json", {
        **names, "add_bos_token": True, "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 8192,
        "padding_side": "right", "tokenizer_class": "PreTrainedTokenizerFast"})


def train_clip_merges() -> list[tuple[str, str]]:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=MAX_VOCABULARY, show_progress=False, end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=2))
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def byte_symbols() -> list[str]:
    """The 256 byte symbols in the order of CLIP's vocabulary: printable bytes, then the rest."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + k) for k in range(256 - len(printable))]


def save_clip(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    merges = train_clip_merges()
    symbols = byte_symbols()
    words = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(pair) for pair in merges]
    begin, end = "<|startoftext|>", "<|endoftext|>"
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys([*words, begin, end]))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n")
    lines = ["#version: 0.2"] + [f"{first} {second}" for first, second in merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    names = {"bos_token": begin, "eos_token": end, "unk_token": end, "pad_token": end}
    write_json(folder / "special_tokens_map.json", names)
    write_json(folder / "tokenizer_config.json", {
        **names, "add_prefix_space": False, "do_lower_case": True, "errors": "replace",
        "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"})


def write_json(path: pathlib.Path, value) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def make(folder: pathlib.Path) -> None:
    save_llama(folder / "tokenizer")
    save_clip(folder / "tokenizer_2")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    make(parser.parse_args(argv).output)


if __name__ == "__main__":
    main()
