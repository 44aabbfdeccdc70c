"""A story becomes places: a paragraph is cut where it names another one, and what it said before holds on.

Light, weather, season and style of a place hold for the next unless that says otherwise, and a thing that was
described once looks the same when it comes again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from immersive.brief import Detail, Element, SceneBrief, Size
from reconstruction.errors import InvalidInputError

from .understanding import understand

FEWEST_PLACES, MOST_PLACES = 2, 8
_SENTENCE_END = re.compile(r"(?<=[.!?…;])\s+|\n+")
# Fields of a brief that hold on, and how `guessed` speaks of them.
_HELD = {"time": "time of day", "weather": "weather", "season": "season"}


@dataclass(frozen=True, slots=True)
class Storyboard:
    """The places of a story, in the order they are walked."""

    title: str
    briefs: tuple[SceneBrief, ...]


def plan_story(
    text: str | Sequence[str],
    *,
    title: str | None = None,
    seed: int = 0,
    size: Size = "medium",
    detail: Detail = "draft",
) -> Storyboard:
    """Return the places of a story.

    Args:
        text: A paragraph, or one prompt for each place.
        title: None: the beginning of the text.
        seed: As of one scene; every place of a story has its own, made from it.
        size: Of every place, unless its sentence gives one.
        detail: Of every place.

    Raises:
        InvalidInputError: There are fewer than two places, too many, or a prompt cannot be read.
    """
    prompts = _cut(text) if isinstance(text, str) else tuple(text)
    if not FEWEST_PLACES <= len(prompts) <= MOST_PLACES:
        raise InvalidInputError(
            f"a story must have {FEWEST_PLACES} to {MOST_PLACES} places, got {len(prompts)}",
            hint='Name each in a sentence: "A cabin by a lake at dusk. Inside, a living room with a fire."',
        )
    briefs: list[SceneBrief] = []
    for place, prompt in enumerate(prompts):
        # Neighbouring seeds are taken by other stories; a stride keeps the places of two stories apart.
        brief = understand(prompt, seed=(seed + 7_919 * place) % 2**32, size=size, detail=detail)
        briefs.append(_continued(brief, briefs) if briefs else brief)
    return Storyboard(title or _title(prompts[0]), tuple(briefs))


def _cut(text: str) -> tuple[str, ...]:
    """Return a prompt for each place of a paragraph."""
    sentences = [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]
    prompts: list[str] = []
    setting: str | None = None
    for sentence in sentences:
        named = _named_setting(sentence)
        if prompts and (named is None or named == setting):
            prompts[-1] += f" {sentence}"
        else:
            prompts.append(sentence)
        setting = named or setting
    return tuple(prompts)


def _named_setting(sentence: str) -> str | None:
    if not any(character.isalnum() for character in sentence):
        return None
    brief = understand(sentence, needs_known_word=False)
    is_guess = any(guess.startswith("setting: ") for guess in brief.guessed)
    return None if is_guess else brief.setting


def _continued(brief: SceneBrief, before: Sequence[SceneBrief]) -> SceneBrief:
    """Return a brief with what holds on from the places before it."""
    last, changes, guessed = before[-1], {}, list(brief.guessed)
    for name, spoken in _HELD.items():
        value, held = getattr(brief, name), getattr(last, name)
        guess = f"{spoken}: {value}"
        if guess in guessed and value != held:
            changes[name] = held
            guessed[guessed.index(guess)] = f"{spoken}: {held}, as before"
    if not brief.style and last.style:
        changes["style"] = last.style
        guessed.append(f"style: {' '.join(last.style)}, as before")
    looks = {
        element.kind: element.attributes
        for earlier in before
        for element in earlier.elements
        if element.attributes
    }
    elements = tuple(_looking_the_same(element, looks, guessed) for element in brief.elements)
    return replace(brief, elements=elements, guessed=tuple(guessed), **changes)


def _looking_the_same(element: Element, looks: dict[str, tuple[str, ...]], guessed: list[str]) -> Element:
    if element.attributes or element.count == 0 or element.kind not in looks:
        return element
    guessed.append(f"{element.kind.replace('_', ' ')}: {' '.join(looks[element.kind])}, as before")
    return replace(element, attributes=looks[element.kind])


def _title(prompt: str) -> str:
    first = _SENTENCE_END.split(prompt.strip())[0].rstrip(".!?…; ")
    return first[:1].upper() + first[1:80]
