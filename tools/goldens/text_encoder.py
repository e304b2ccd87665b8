"""Goldens of the text encoders: token ids from tokenizers, hidden states from transformers in fp32.

text_encoder/tokens.json holds strings with their ids under both small tokenizers, and the sums of the ids of random
strings that Python and C++ make alike. Weights are drawn, so that only configs, ids and results are stored.
"""

import hashlib
import itertools
import json

from tokenizers import Tokenizer
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from . import common
from .tokenizers import FOLDER, IMAGE_TEMPLATE, VIDEO_TEMPLATE

RANDOM_SEED = 20240607
NUM_RANDOM = 10_000

# One list for each thing that goes wrong in tokenizers.
STRINGS = {
    "plain": ["A cat walks on the grass, realistic style.", "hummingbird", "a hummingbird and a Zeppelin", "2027",
              "The quick brown fox jumps over the lazy dog", "camelCase HTTPServer iPhone", "a", " leading",
              "trailing ", "it's", "IT'S they'Re we'VE i'm he'LL she'd", "don't 'quote' ''double''", "'sword 'tis",
              "rock'n'roll", "e-mail: a.b@c.org", "https://example.org/a?b=c&d=%20#e", "C++ and C#", "3.14159e-10"],
    "digits": ["1", "12", "123", "1234", "12345678901234567890", "1 22 333 4444", "٣٤٥", "१२३४", "²³¹", "½⅓Ⅷ", "④⑤",
               "0x1F 007", "v1.2.3-rc4", "１２３４", "𝟙𝟚𝟛", "9" * 100, "1,000,000.00", "24fps 4K 1080p"],
    "space": ["", " ", "  ", "   a", "a   ", "a  b", "a \n b", "\n", "\n\n", "\r\n", "a\r\n\r\nb", "\t\ta\tb", " \n \n ",
              "a\u00a0b", "a\u2003b", "a\u3000b", "\u2028a\u2029", "a\u0085b", "a\u200bb", "\u180ea\u180e b", "\ufeffa",
              "a\x0bb\x0cc", "\x1ca\x1fb", "\u202fx\u205fy", "\u1680ogham", " " * 50, "\n" * 30, "x \t\r\n y", " \u00a0 "],
    "control": ["\x00", "a\x00b", "\x01\x02\x03", "\x7f", "\x80\x9f", "\x1b[31mred\x1b[0m", "\u0007bell", "\u00ad-soft",
                "\ufffd", "\ufffe\uffff", "\U0010ffff", "\ue000", "\u2066x\u2069", "\u202eabc\u202c", "\x08\x08"],
    "marks": ["e\u0301", "\u00e9", "a\u0323\u0307", "a\u0307\u0323", "\u1e69", "s\u0323\u0307", "\u0344", "\u0301",
              "\u0301\u0301\u0301", "n\u0303o\u0308", "\u212b", "\u2126", "\u0958", "\u09c7\u09be", "\u1100\u1161\u11a8",
              "\uac00\u11a8", "\ufb2a", "\u0f73", "\u2adc", "\U0001d15e", "q\u0307\u0323\u0301", "\u0b47\u0b3e",
              "Z" + "\u0300\u0323" * 20, "\u0915\u093c", "\u304b\u3099", "\u30cf\u309a", "x\u0338=\u0338", "\u037e\u0387",
              "\u1fb3\u0345", "\u0340\u0341", "a\u1ab0\u0323", "\U00011935\U00011930", "\u0c3c\u0301", "\u08d3\u0323"],
    "case": ["\u0130stanbul", "I\u0307", "\u0131", "STRASSE Straße \u1e9e", "ΣΊΣΥΦΟΣ", "ΑΣ", "Ǆ ǅ ǆ", "ﬁ ﬂ ﬃ ﬅ", "ªº",
             "ÀÉÎÕÜ", "ЁЖИК", "ԱԲԳ", "ᲐᲑ", "Ꭰꭰ", "𐐀𐐨", "Ⅷ Ⓐ", "ϴ K Å", "'ſ 'K", "\u1c89 \ua7dc", "Ꜧ Ᵹ", "ẞ"],
    "cjk": ["猫が草の上を歩いている。", "東京タワー", " 東京タワー", "一只猫在草地上行走,写实风格。", "고양이가 걷고 있다.", "ｶﾀｶﾅ ﾊﾝｶｸ", "㍻㌔㈱",
            "𠀀𪜶𱍐", "注音ㄅㄆㄇ", "漢字kanji混在text", "　全角　空白　", "「引用」『』、。！？", "豈更車", "ー〜～", "ㅏㅓ ㄱㄴ", "한\u1112\u1161\u11ab"],
    "rtl": ["قطة تمشي على العشب", "שָׁלוֹם עולם", "\u200fאבג\u200e abc", "مرحبا ١٢٣ world", "ﷺ ﻻ", "ܐܒܓ", "ހެލޯ", "לא'ס",
            "\u202bאבג\u202c", "پژگچ", "کتاب\u200cها", "ْ ً ٌ", "ߊߋߌ"],
    "emoji": ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇯🇵", "❤️", "☺︎", "1️⃣", "🧑🏿‍🚀", "a😀b", "😀😀😀", "🫠🪿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
              "\u200d", "👩\u200d", "\ufe0f", "😀 😀", "🎬🎥 movie", "🀄🃏", "♠♥♦♣", "🕐½"],
    "symbols": ["!!!", "?!?!", "...", "…", "—–-", "$100 €50 £20 ¥1000", "a=b*c/(d+e)", "{}[]()<>", "\\\\n", "\"'`´", "~^°",
                "∑∫√∞≠", "←→↔", "█▓▒░", "№™©®", "|||", "_a_b_", "@#%&", "<b>bold</b>", "&amp;&lt;", "{0} {} {prompt}",
                "</w>", "a</w>b", "Ġ Ċ", "Ġthe", "a!\n\nb", "!\r\n?", "::\n\n\n"],
    "special": ["<|begin_of_text|>", "<|eot_id|>", "a<|eot_id|>b", "<|start_header_id|>user<|end_header_id|>\n\n", "<pad>",
                "<image>", "<unk>", "<image><image>", "<|reserved_special_token_3|>", "<|reserved_special_token_99|>",
                "<|eot_id", "|eot_id|>", "<<|eot_id|>>", "<|EOT_ID|>", "<| eot_id |>", "<|end_of_text|>.", "<|startoftext|>",
                "<|endoftext|>", "a<|endoftext|>b", "<|ENDOFTEXT|>", "<|EndOfText|>!", "<|endoftext", "endoftext|>",
                "<|startoftext|><|endoftext|>", "<PAD>", "<s></s>", "[INST]", "<|im_start|>", "<\u200b|eot_id|>",
                "<|eot_id|><|eot_id|>", " <|eot_id|> ", "\n<pad>\n"],
    "scripts": ["Привет, мир", "Γειά σου Κόσμε", "नमस्ते दुनिया", "สวัสดีชาวโลก", "ខ្មែរ", "မြန်မာ", "ქართული", "Հայերեն", "አማርኛ",
                "ᚠᚢᚦ", "ᏣᎳᎩ", "ꦗꦮ", "தமிழ்", "తెలుగు", "ಕನ್ನಡ", "മലയാളം", "සිංහල", "བོད་", "ᠮᠣᠩᠭᠣᠯ", "𓀀𓁐", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "ⓤⓝⓘ",
                "ｆｕｌｌｗｉｄｔｈ", "Ａ１！", "Tiếng Việt", "İzmir'de", "ñandú çedilla øre", "𐍈𐌰", "𞤀𞤁", "\U00016d43 \U00010d40"],
    "long": [["the cat runs ", 200], ["a", 3000], ["猫", 600], ["<|eot_id|>", 300], ["1", 1000], ["!", 900], [" ", 2000],
             ["😀", 400], ["e\u0301\u0323", 300], ["word\n", 300], ["Zeppelin hummingbird ", 150], ["'s", 500], ["\u0f73\u0323", 200]],
}


def random_numbers(seed: int):
    """The generator of tests/unit/text_encoder/random_text.h: splitmix64."""
    mask = (1 << 64) - 1
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        value = state
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
        yield value ^ (value >> 31)


# Ranges of code points, each as likely as the others; the last is all of Unicode.
RANDOM_RANGES = [
    (0x20, 0x7E), (0x61, 0x7A), (0x61, 0x7A), (0x41, 0x5A), (0x30, 0x39), (0x20, 0x20), (0x09, 0x0D), (0x00, 0x1F),
    (0xA0, 0x17F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0x1100, 0x11FF), (0x1E00, 0x1FFF),
    (0x2000, 0x206F), (0x2100, 0x218F), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFFD),
    (0x1F300, 0x1FAFF), (0x10000, 0x1FFFF), (0x0, 0x10FFFF),
]
RANDOM_PIECES = ["<|eot_id|>", "<|endoftext|>", "<|", "|>", "'s", "'LL", "\r\n", "\u200d", "</w>", "the "]


def random_strings(seed: int, count: int):
    numbers = random_numbers(seed)
    for _ in range(count):
        text = []
        for _ in range(next(numbers) % 48):
            if next(numbers) % 24 == 0:
                text.append(RANDOM_PIECES[next(numbers) % len(RANDOM_PIECES)])
                continue
            first, last = RANDOM_RANGES[next(numbers) % len(RANDOM_RANGES)]
            point = first + next(numbers) % (last - first + 1)
            text.append(" " if 0xD800 <= point < 0xE000 else chr(point))
        yield "".join(text)


def every_character():
    """A string for every code point that is assigned in Unicode 16, where case, class and combining all matter."""
    for point in itertools.chain(range(1, 0x323B0), range(0xE0000, 0xE01F0)):
        if not 0xD800 <= point < 0xE000:
            yield f"{chr(point)}a{chr(point)}\u0323\u0301 1{chr(point)}"


def nasty_strings() -> list:
    """Every string above, and neighbours across the lists glued together. Long ones are [text, repeats]."""
    short = [text for kind, texts in STRINGS.items() if kind != "long" for text in texts]
    step = 37  # has no factor in common with the number of strings, so that all are met
    order = [short[i * step % len(short)] for i in range(len(short))]
    glued = [left + right for left, right in itertools.pairwise(order)]
    spaced = [f" {left} {right}\n" for left, right in zip(short[::2], order[::2], strict=False)]
    return list(dict.fromkeys(short + glued + spaced)) + STRINGS["long"]


def tokenizers():
    llama = PreTrainedTokenizerFast.from_pretrained(FOLDER / "tokenizer")
    clip = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer_2")
    return llama, clip


def ids_sum(encode, strings) -> str:
    digest = hashlib.sha256()
    for text in strings:
        digest.update((" ".join(str(i) for i in encode(text)) + "\n").encode())
    return digest.hexdigest()


PROMPTS = ["", "A cat walks on the grass, realistic style.", "  \n\u3000 a fox \u00a0", "猫が草の上を歩いている。😀",
           "it's <|eot_id|> 24fps!! <|endoftext|> <image>", "\x1ca\x1f", "the cat runs over the hill " * 60,
           "東京" * 200, "<|eot_id|>" * 255, "<|eot_id|>" * 256, "<|eot_id|>" * 257, "a " * 75, "a " * 76, "a " * 77]


def tokenized_prompt(llama, clip, prompt: str, template: str) -> dict:
    crop = len(llama(template.split("{}")[0]).input_ids)
    text = template.replace("{}", prompt.strip())
    padded = llama(text, max_length=256 + crop, padding="max_length", truncation=True, padding_side="right")
    clip_padded = clip(prompt.strip(), max_length=77, padding="max_length", truncation=True, padding_side="right")
    return {
        "crop": crop, "llama_ids": padded.input_ids, "llama_valid": sum(padded.attention_mask),
        "clip_ids": clip_padded.input_ids, "clip_valid": sum(clip_padded.attention_mask),
    }


def merges_first() -> list:
    """Ids of words that only ignore_merges keeps whole, without it."""
    content = json.loads((FOLDER / "tokenizer" / "tokenizer.json").read_text())
    content["model"]["ignore_merges"] = False
    tokenizer = Tokenizer.from_str(json.dumps(content))
    return [[text, tokenizer.encode(text).ids] for text in ("a hummingbird", "Zeppelin 2027", " 東京タワー")]


def make_tokens() -> None:
    llama, clip = tokenizers()
    strings = []
    for item in nasty_strings():
        text, repeats = (item, 1) if isinstance(item, str) else item
        strings.append([text, repeats, llama(text * repeats).input_ids, clip(text * repeats).input_ids])
    def sums(strings) -> dict:
        return {"llama": ids_sum(lambda text: llama(text).input_ids, strings()),
                "clip": ids_sum(lambda text: clip(text).input_ids, strings())}

    texts = "\n".join(random_strings(RANDOM_SEED, NUM_RANDOM))
    templates = {"video": VIDEO_TEMPLATE, "image": IMAGE_TEMPLATE}
    content = {
        "strings": strings,
        "prompts": [
            {"prompt": prompt, "template": name, **tokenized_prompt(llama, clip, prompt, template)}
            for name, template in templates.items() for prompt in (PROMPTS if name == "video" else PROMPTS[:3])
        ],
        "random": {
            "seed": RANDOM_SEED, "count": NUM_RANDOM,
            "texts": hashlib.sha256(texts.encode()).hexdigest(),
            **sums(lambda: random_strings(RANDOM_SEED, NUM_RANDOM)),
        },
        "every_character": sums(every_character),
        "merges_first": merges_first(),
    }
    lines = [f'"{key}":[\n' + ",\n".join(json.dumps(v, separators=(",", ":")) for v in content[key]) + "]"
             for key in ("strings", "prompts")]
    lines += [f'"{key}":{json.dumps(content[key])}' for key in ("random", "every_character", "merges_first")]
    (FOLDER / "tokens.json").write_text("{" + ",\n".join(lines) + "}\n")


def make() -> None:
    make_tokens()
