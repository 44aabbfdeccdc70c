"""A story becomes places: a paragraph is cut where it names another one, and what it said before holds on.

Light, weather, season and style of a place hold for the next unless that says otherwise, and a thing that was
described once looks the same when it comes again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from immersive.brief import Detail, Element, SceneBrief, Size
from immersive.prompt_brief import NO_MODEL, brief_of
from immersive.stages import StageStore, stage_digest
from reconstruction.errors import InvalidInputError, ModelFailedError

from .llm_client import settings_from
from .llm_cutting import cut_with_model
from .understanding import LONGEST_PROMPT, understand

FEWEST_PLACES, MOST_PLACES = 2, 8
_SENTENCE_END = re.compile(r"(?<=[.!?…;])\s+|\n+")
# Fields of a brief that hold on, and how `guessed` speaks of them.
_HELD = {"time": "time of day", "weather": "weather", "season": "season"}


@dataclass(frozen=True, slots=True)
class Storyboard:
    """The places of a story, in the order they are walked."""

    title: str
    briefs: tuple[SceneBrief, ...]
    notes: tuple[str, ...] = ()  # who cut the paragraph, where a language model was asked to


def plan_story(
    text: str | Sequence[str],
    *,
    title: str | None = None,
    seed: int = 0,
    size: Size = "medium",
    detail: Detail = "draft",
    environment: Mapping[str, str] = NO_MODEL,
    store: StageStore | None = None,
) -> Storyboard:
    """Return the places of a story.

    A language model cuts and reads it where one is set; what it fails at, the grammar does and says so.

    Args:
        text: A paragraph, or one prompt for each place.
        title: None: the beginning of the text.
        seed: As of one scene; every place of a story has its own, made from it.
        size: Of every place, unless its sentence gives one.
        detail: Of every place.
        environment: Holds the settings of a language model, or nothing.
        store: Keeps what the model answers, so that the same story is asked about once.

    Raises:
        InvalidInputError: There are fewer than two places, too many, or a prompt or the settings cannot be
            used.
    """
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if isinstance(text, str):
        prompts, lost, notes = _cut(text, environment, store)
    else:
        prompts = tuple(text)
    if not FEWEST_PLACES <= len(prompts) <= MOST_PLACES:
        raise InvalidInputError(
            f"a story must have {FEWEST_PLACES} to {MOST_PLACES} places, got {len(prompts)}",
            hint='Name each in a sentence: "A cabin by a lake at dusk. Inside, a living room with a fire."',
        )
    briefs: list[SceneBrief] = []
    for place, prompt in enumerate(prompts):
        # Neighbouring seeds are taken by other stories; a stride keeps the places of two stories apart.
        own = (seed + 7_919 * place) % 2**32
        brief = brief_of(prompt, seed=own, size=size, detail=detail, environment=environment, store=store)
        briefs.append(_continued(brief, briefs) if briefs else brief)
    if lost:
        briefs[0] = replace(briefs[0], left_out=(*briefs[0].left_out, *lost))
    return Storyboard(title or _title(prompts[0]), tuple(briefs), notes)


def _cut(
    text: str, environment: Mapping[str, str], store: StageStore | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return a prompt for each place of a paragraph, the words that are in none, and who cut it."""
    settings = settings_from(environment)
    if settings is None or not any(character.isalnum() for character in text):
        return _cut_by_grammar(text), (), ()
    digest = stage_digest("story", text, settings.url, settings.model)
    kept = None if store is None else store.load(digest)
    try:
        if kept is not None:
            prompts, lost = tuple(kept[1]["prompts"]), tuple(kept[1]["lost"])
        elif len(text) > LONGEST_PROMPT * MOST_PLACES:
            raise ModelFailedError(f"is asked about at most {LONGEST_PROMPT * MOST_PLACES:,} characters")
        else:
            prompts, lost = cut_with_model(
                text, settings, fewest_places=FEWEST_PLACES, most_places=MOST_PLACES
            )
            if store is not None:
                store.save(digest, {}, {"prompts": prompts, "lost": lost})
    except ModelFailedError as error:
        return _cut_by_grammar(text), (), (f"cut into places by grammar, as the language model {error}",)
    return prompts, lost, (f"cut into places by {settings.name}",)


def _cut_by_grammar(text: str) -> tuple[str, ...]:
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
