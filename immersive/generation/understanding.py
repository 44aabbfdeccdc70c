"""A prompt becomes a `SceneBrief`: the lexicon first, sentence meanings for what it does not know.

Every content word ends up in `understood` or in `left_out`; what the prompt does not say is filled in and
listed in `guessed`. The same prompt and seed give the same brief.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import get_args

import numpy as np

from immersive.brief import Detail, SceneBrief, Size
from immersive.generation.brief_assembly import assemble
from immersive.generation.grammar_words import FUNCTION_WORDS, NEGATIONS
from immersive.generation.lexicon import Concept, concepts
from immersive.generation.llm_client import LlmSettings
from immersive.generation.llm_reading import read_with_model
from immersive.generation.prompt_reading import Guess, read_items, words_of
from immersive.generation.sentence_embedding import SentenceEmbedding, load_sentence_embedding
from reconstruction.errors import InvalidInputError, ModelFailedError

LONGEST_PROMPT = 2_000  # characters; a page of text, and far more than a scene can answer

# Cosine of a phrase and a concept's gloss from which the phrase is taken to mean it; chosen on labelled
# prompts (tests/immersive/labelled_prompts.py). Descriptions are single words and attract more by accident.
_LIKE_A_THING = 0.45
_LIKE_A_DESCRIPTION = 0.50

# Short words that other languages have as well; one of them does not make a prompt English.
_NOT_ONLY_ENGLISH = frozenset(
    [
        *("a", "an", "and", "as", "at", "by", "can", "come", "do", "has", "he", "her", "i", "in", "is", "me"),
        *("most", "of", "off", "on", "or", "over", "so", "to", "under", "want", "was", "we", "will", "set"),
        *("pass", "type", "sort", "style", "rest", "front", "face", "line", "plus", "see", "kind", "bank"),
        *("no", "minus", "wind", "it", "its", "my", "he", "they"),
    ]
)

_DESCRIPTIONS = frozenset({"style", "material", "weather", "time", "season"})

# Meanings that no world can build. They compete for unknown words, so that "dragon" is left out
# rather than taken for the nearest piece of furniture.
_UNBUILDABLE = (
    "a person, man or woman",
    "people, a crowd",
    "a musician or artist",
    "an animal",
    "a dog or cat",
    "a horse or cow",
    "a bird",
    "an insect",
    "a monster or dragon",
    "a ghost or spirit",
    "a car or truck",
    "a train or railway",
    "a ship or submarine",
    "an aeroplane",
    "a robot or machine",
    "a computer or screen",
    "a musical instrument",
    "a city street with tall buildings",
    "a church or cathedral",
    "food and drink",
    "clothes",
    "music and sound",
    "a smell or taste",
    "a feeling or thought",
    "a story or history",
    "writing, text or a name",
    "a photograph or film",
    "a weapon or war",
    "a planet in space",
    "a game or sport",
    "a number or amount",
    "a tool or utensil",
    "a bottle, pot or dish",
    "a fruit or vegetable",
    "bones or a skeleton",
    "a sledge or cart",
    "an electric device",
    "a market stall or kiosk",
    "a roof or ceiling",
    "a pipe or cable",
    "a toy or doll",
    "smoke or dust",
    "the ground",
    "a visitor or guest",
    "a month of the year",
)


def understand(
    prompt: str,
    *,
    seed: int = 0,
    size: Size = "medium",
    detail: Detail = "draft",
    use_sentence_meanings: bool = True,
    llm: LlmSettings | None = None,
    needs_known_word: bool = True,
) -> SceneBrief:
    """Return the brief of a prompt.

    Args:
        prompt: English text, 1 to 2,000 characters; of any language with a language model.
        seed: Chooses among the scenes that answer the prompt.
        size: Size of the scene unless the prompt gives one.
        detail: How finely the scene is rendered.
        use_sentence_meanings: False: the lexicon alone, as where the sentence model is not installed.
        llm: The language model that reads the prompt. If it fails, the lexicon does, and `guessed` says so.
        needs_known_word: False: a prompt of unknown words gives a brief of guesses instead of an error.

    Raises:
        InvalidInputError: The prompt is not text that can be read, none of its words is known, or another
            argument is out of range.
    """
    text = _checked_prompt(prompt)
    for name, value, choices in (("size", size, get_args(Size)), ("detail", detail, get_args(Detail))):
        if value not in choices:
            raise InvalidInputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    failure = ""
    if llm is not None:
        try:
            return read_with_model(text, llm, seed=seed, size=size, detail=detail)
        except ModelFailedError as error:
            failure = f", as the language model {error}"
    model = load_sentence_embedding() if use_sentence_meanings else None
    items = read_items(text, None if model is None else _guess_with(model))
    how = "lexicon and sentence meanings" if model is not None else "lexicon alone"
    brief = assemble(text, items, seed=seed, size=size, detail=detail, how=how + failure)
    if needs_known_word and not brief.understood and not _is_english(text):
        raise InvalidInputError(
            f"no word of the prompt is known, got {text if len(text) <= 60 else text[:59] + '…'!r}",
            hint='Say it in English, such as "a cabin beside a lake", or set IMMERSIVE_LLM_URL and '
            "IMMERSIVE_LLM_MODEL to a language model that reads it.",
        )
    return brief


def _is_english(text: str) -> bool:
    return any(
        word in FUNCTION_WORDS | NEGATIONS and word not in _NOT_ONLY_ENGLISH for word in words_of(text)
    )


def _checked_prompt(prompt: object) -> str:
    hint = 'Describe a place in a sentence, for example "a cabin in a misty pine forest at dusk".'
    if not isinstance(prompt, str):
        raise InvalidInputError(f"prompt must be text, got {type(prompt).__name__}", hint=hint)
    if len(prompt) > LONGEST_PROMPT:
        raise InvalidInputError(
            f"prompt must have at most {LONGEST_PROMPT:,} characters, got {len(prompt):,}", hint=hint
        )
    for character in prompt:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t":
            raise InvalidInputError(
                f"prompt must not hold control characters, got U+{ord(character):04X}", hint=hint
            )
    text = " ".join(unicodedata.normalize("NFC", prompt).split())
    if not any(character.isalnum() for character in text):
        raise InvalidInputError("prompt must hold at least one word, got none", hint=hint)
    return text


def _guess_with(model: SentenceEmbedding) -> Guess:
    def guess(phrase: str, is_description: bool) -> Concept | None:
        known = _glosses()[1]
        likeness = _meanings(model) @ model([phrase.casefold()])[0]
        if is_description:
            allowed = [concept is not None and concept.slot in _DESCRIPTIONS for concept in known]
            likeness = np.where(allowed, likeness, -1.0)
        best = int(np.argmax(likeness))
        threshold = _LIKE_A_DESCRIPTION if is_description else _LIKE_A_THING
        return known[best] if likeness[best] >= threshold else None

    return guess


@cache
def _glosses() -> tuple[tuple[str, ...], tuple[Concept | None, ...]]:
    """Return what unknown words are compared with, and the concept of each; None is unbuildable."""
    glosses: list[str] = []
    known: list[Concept | None] = []
    for concept in concepts():
        if concept.slot in ("colour", "extent"):
            continue  # the lexicon has the colours people write; likeness would add "rusty -> orange" to them
        glosses.append(concept.gloss)
        known.append(concept)
    return (*glosses, *_UNBUILDABLE), (*known, *(None for _ in _UNBUILDABLE))


@cache
def _meanings(model: SentenceEmbedding) -> np.ndarray:
    return model(_glosses()[0])
