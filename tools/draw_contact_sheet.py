"""Renders a list of prompts with the program and draws four frames of every clip under its prompt.

    .deps/venv/bin/python tools/draw_contact_sheet.py docs/images/demo.png [--prompts prompts/demo.txt]

Clips and frames stay in --work, so that a second run only draws.
"""

import argparse
import pathlib
import subprocess

from PIL import Image, ImageDraw, ImageFont

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIDE, SHOWN, COLUMNS, GAP, TEXT = 128, 4, 2, 10, 30
STRIP = SHOWN * (SIDE + 2) - 2


def render(arguments: argparse.Namespace, prompt: str, clip: pathlib.Path) -> list[pathlib.Path]:
    """The frames of the prompt's clip."""
    folder = clip.with_suffix("")
    if not folder.is_dir():
        command = [arguments.program, "generate", "--model", arguments.model, "--prompt", prompt, "--output", clip,
                   "--overwrite", "--frames-png", folder, "--quiet", *arguments.flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.png"))


def strip(frames: list[pathlib.Path], prompt: str) -> Image.Image:
    picture = Image.new("RGB", (STRIP, SIDE + TEXT), "white")
    font = ImageFont.load_default(12)
    lines = wrap(prompt, font, STRIP)
    ImageDraw.Draw(picture).multiline_text((0, TEXT - 14 * len(lines) - 1), "\n".join(lines), "black", font, spacing=1)
    for k in range(SHOWN):
        with Image.open(frames[round(k * (len(frames) - 1) / (SHOWN - 1))]) as frame:
            picture.paste(frame.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (k * (SIDE + 2), TEXT))
    return picture


def wrap(text: str, font: ImageFont.ImageFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--prompts", type=pathlib.Path, default=ROOT / "prompts/demo.txt")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/demo")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bin/sparsereel")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "out/contact_sheet")
    parser.add_argument("flags", nargs="*", help="more flags of generate, after --")
    arguments = parser.parse_args()

    lines = arguments.prompts.read_text(encoding="utf-8").splitlines()
    prompts = [line for line in lines if line.strip() and not line.startswith("#")]
    arguments.work.mkdir(parents=True, exist_ok=True)
    strips = []
    for i, prompt in enumerate(prompts):
        clip = arguments.work / f"{i:02}.mp4"
        strips.append(strip(render(arguments, prompt, clip), prompt))
    width, height = strips[0].size
    rows = (len(strips) + COLUMNS - 1) // COLUMNS
    sheet = Image.new("RGB", (COLUMNS * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for i, picture in enumerate(strips):
        sheet.paste(picture, (i % COLUMNS * (width + GAP), i // COLUMNS * (height + GAP)))
    sheet.save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
