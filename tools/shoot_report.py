#!/usr/bin/env python3
"""Draws docs/images/report.png: the clips, curves and density of a comparison's report, in a headless Chromium.

    tools/shoot_report.py OUT/report.html docs/images/report.png [--frame 12]

The picture in the README is that of
    sparsereel compare --prompts FILE --model models/demo --with "tau=0.8; tau=0.9; tau=0.95" --block 64
with the two prompts "A red star sways at night." and "A big blue ball bounces at sunset."
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/browser"))
from chromium import Chromium, find_chromium  # noqa: E402

WIDTH = 1280


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--frame", type=int, default=12, help="from 0")
    arguments = parser.parse_args()
    program = find_chromium()
    if program is None:
        sys.exit("shoot_report: no Chromium here: install the package chromium")
    with Chromium(program) as browser:
        browser.resize(WIDTH, 900)
        browser.open(arguments.report.resolve().as_uri())
        # All in view, or what lies below would not be painted.
        browser.resize(WIDTH, browser.value("document.documentElement.scrollHeight") + 100)
        browser.press("d")
        browser.value(f"player.show({arguments.frame})")
        browser.wait_for("player.panels.every((panel) => panel.shown === player.frame)")
        top, bottom = browser.value(
            "['#clips', '#masks'].map((id) => document.querySelector(id).closest('main > section').getBoundingClientRect())"
            ".map((box, i) => (i ? box.bottom : box.top))")
        browser.screenshot(arguments.picture, clip={"x": 0, "y": top - 8, "width": WIDTH, "height": bottom - top + 16, "scale": 1})


if __name__ == "__main__":
    main()
