"""Captions of scenes in varied everyday wording; every wording says all attributes of the scene.

A medium shape carries no size word. Fillers teach the model that other words change nothing.
"""

import random

from world import Figure, Scene

SHAPE_WORDS = {
    "circle": ("circle", "circle", "disc", "ball"),
    "square": ("square", "square", "block"),
    "triangle": ("triangle",),
    "star": ("star", "star", "five-pointed star"),
    "heart": ("heart",),
    "ring": ("ring", "ring", "hoop"),
    "cross": ("cross", "cross", "plus sign"),
    "crescent": ("crescent", "crescent moon", "crescent"),
}
COLOUR_WORDS = {"turquoise": ("turquoise", "turquoise", "cyan"),
                "purple": ("purple", "purple", "violet")}
SIZE_WORDS = {"small": ("small", "small", "little"), "medium": ("",),
              "large": ("large", "big", "big")}
# (present tense, -ing form) of each motion
MOTION_WORDS = {
    "still": (("stays still", "staying still"), ("rests motionless", "resting motionless"),
              ("does not move", "not moving"), ("stands still", "standing still")),
    "right": (("moves to the right", "moving to the right"),
              ("glides from left to right", "gliding from left to right"),
              ("slides right", "sliding right"), ("drifts to the right", "drifting to the right")),
    "left": (("moves to the left", "moving to the left"),
             ("glides from right to left", "gliding from right to left"),
             ("slides left", "sliding left"), ("drifts to the left", "drifting to the left")),
    "up": (("rises", "rising"), ("moves up", "moving up"), ("floats upwards", "floating upwards"),
           ("climbs slowly", "climbing slowly")),
    "down": (("falls", "falling"), ("moves down", "moving down"),
             ("sinks slowly", "sinking slowly"), ("drops downwards", "dropping downwards")),
    "bounce": (("bounces", "bouncing"),
               ("drops and bounces back up", "dropping and bouncing back up"),
               ("bounces up and down", "bouncing up and down")),
    "circle": (("moves in a circle", "moving in a circle"), ("circles around", "circling around"),
               ("travels along a round path", "travelling along a round path")),
    "sway": (("sways from side to side", "swaying from side to side"),
             ("swings left and right", "swinging left and right"), ("sways", "swaying")),
    "grow": (("grows", "growing"), ("gets bigger", "getting bigger"),
             ("grows larger", "growing larger"), ("swells up", "swelling up")),
    "shrink": (("shrinks", "shrinking"), ("gets smaller", "getting smaller"),
               ("shrinks slowly", "shrinking slowly"), ("becomes smaller", "becoming smaller")),
}
PLACE_WORDS = {
    "studio": ("in a grey studio", "in front of a grey wall", "on a plain grey background"),
    "sky": ("in a blue sky", "against a blue sky with clouds", "in the clear sky"),
    "sunset": ("at sunset", "in an evening sky", "in front of a sunset"),
    "night": ("at night", "in the night sky", "under the stars", "in a starry night"),
    "meadow": ("over a green meadow", "above the grass", "in a meadow"),
    "sea": ("over the sea", "above the waves", "at the ocean"),
    "desert": ("in the desert", "above the sand", "over sand dunes"),
}
OPENINGS = ("", "", "", "", "a video of ", "an animation of ", "a short clip of ")
FILLERS = ("soft light", "calm mood", "smooth motion", "clean style", "high quality",
           "realistic style", "simple flat design", "cinematic", "4k", "the camera does not move",
           "static camera", "warm light", "minimal")


def _noun(figure: Figure, rng: random.Random) -> str:
    """"a big red star" """
    words = [rng.choice(SIZE_WORDS[figure.size]),
             rng.choice(COLOUR_WORDS.get(figure.colour, (figure.colour,))),
             rng.choice(SHAPE_WORDS[figure.shape])]
    text = " ".join(word for word in words if word)
    return ("an " if text[0] in "aeiou" else "a ") + text


def _single(figure: Figure, place: str, rng: random.Random) -> str:
    noun = _noun(figure, rng)
    verb, verb_ing = rng.choice(MOTION_WORDS[figure.motion])
    opening = rng.choice(OPENINGS)
    if opening:
        return rng.choice((f"{opening}{noun} {verb_ing} {place}",
                           f"{opening}{noun} that {verb} {place}"))
    return rng.choice((f"{noun} {verb} {place}", f"{noun} {verb} {place}",
                       f"{place}, {noun} {verb}", f"{noun} {verb_ing} {place}"))


def _pair(scene: Scene, place: str, rng: random.Random) -> str:
    first, second = scene.figures
    noun_a, noun_b = _noun(first, rng), _noun(second, rng)
    verb_a, ing_a = rng.choice(MOTION_WORDS[first.motion])
    verb_b, ing_b = rng.choice(MOTION_WORDS[second.motion])
    if scene.layout == "rows":
        return rng.choice((
            f"at the top {noun_a} {verb_a} and at the bottom {noun_b} {verb_b}, {place}",
            f"{noun_a} {verb_a} above {noun_b} that {verb_b} {place}",
            f"{place}, {noun_a} {verb_a} above {noun_b} {ing_b}"))
    return rng.choice((
        f"on the left {noun_a} {verb_a} and on the right {noun_b} {verb_b}, {place}",
        f"{noun_a} {ing_a} on the left and {noun_b} {ing_b} on the right, {place}",
        f"{place}, {noun_a} {verb_a} on the left and {noun_b} {verb_b} on the right"))


def caption(scene: Scene, rng: random.Random) -> str:
    place = rng.choice(PLACE_WORDS[scene.background])
    if scene.layout == "single":
        text = _single(scene.figures[0], place, rng)
    else:
        text = _pair(scene, place, rng)
    if rng.random() < 0.15:
        text += ", " + rng.choice(FILLERS)
    if rng.random() < 0.6:
        text = text[0].upper() + text[1:]
    return text + "." if rng.random() < 0.5 else text


def plain_caption(scene: Scene) -> str:
    """The first wording of everything, as the evaluation and prompts/demo.txt use it."""
    place = PLACE_WORDS[scene.background][0]

    def noun(figure: Figure) -> str:
        size = SIZE_WORDS[figure.size][0]
        text = f"{size} {figure.colour} {figure.shape}".strip()
        return ("An " if text[0] in "aeiou" else "A ") + text

    first = scene.figures[0]
    verb = MOTION_WORDS[first.motion][0][0]
    if scene.layout == "single":
        return f"{noun(first)} {verb} {place}."
    second = scene.figures[1]
    other = MOTION_WORDS[second.motion][0][0]
    one, two = noun(first), noun(second)
    one, two = one[0].lower() + one[1:], two[0].lower() + two[1:]
    if scene.layout == "rows":
        return f"At the top {one} {verb} and at the bottom {two} {other}, {place}."
    return f"On the left {one} {verb} and on the right {two} {other}, {place}."


def all_wordings() -> list[str]:
    """Every word a caption may hold, in phrases: what the tokenizers must know."""
    groups = (SHAPE_WORDS, COLOUR_WORDS, SIZE_WORDS, PLACE_WORDS)
    phrases = [word for group in groups for words in group.values() for word in words]
    phrases += [form for forms in MOTION_WORDS.values() for pair in forms for form in pair]
    phrases += [opening.strip() for opening in OPENINGS] + list(FILLERS)
    return sorted({phrase for phrase in phrases if phrase})
