"""A prompt as a list of read items: words the lexicon knows, numbers, negations, and words nobody knows.

Nothing is dropped here: every word of the prompt belongs to exactly one item.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from .grammar_words import FUNCTION_WORDS, NEGATIONS, NUMBERS, VAGUE_NUMBERS
from .lexicon import LONGEST_ENTRY, Concept, entries, singular
from .number_words import with_numbers
from .prompt_items import THINGS, Item
from .relation_words import LONGEST_RELATION, relation_words

# Letters and digits of any script; an apostrophe may stand inside a word.
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
_STOPS = frozenset('.,;:!?()[]{}/|&+"“”—–…')

_POSSESSIVE = re.compile(r"['’]s$")

# What remains an adjective by its ending, so that "crumbly" is never taken for a thing.
_ADJECTIVE = re.compile(r"(?:y|ish|ful|ous|ic|al|less|ive|able|ible|ant|ent|ed|ing|like|ern)$")

# A thing's name before another thing says what that is made of: "stone well", "pine table".
_NOUN_AS_MATERIAL = {"rock": "stone", "pine": "wooden", "birch": "wooden", "broadleaf": "wooden"}


# "A photo of a lake": the place is meant, not a photo in it.
_FRAME = re.compile(
    r"\s*(?:(?:an?|the|this)\s+)?(?:[^\W\d_]+\s+)?"
    r"(photo|photograph|picture|image|video|clip|film|movie|shot|render|rendering|scene|view|panorama) of\b",
    re.IGNORECASE,
)

# Answers an unknown phrase with a concept or None; the flag says that the phrase describes a thing.
Guess = Callable[[str, bool], Concept | None]


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower case, punctuation left out."""
    return [token.casefold() for token in _tokens(text) if token[0].isalnum()]


def read_items(prompt: str, guess: Guess | None) -> list[Item]:
    """Return the items of a prompt, in order; `guess` is asked about words the lexicon does not know."""
    frame = _FRAME.match(prompt)
    start = [] if frame is None else _look_up(_tokens(prompt[: frame.start(1)]))
    framed = [] if frame is None else [Item("frame", frame[1])]
    items = _look_up(_tokens(prompt if frame is None else prompt[frame.end(1) :]))
    items = with_numbers(_with_materials([*start, *framed, *items]))
    return items if guess is None else _with_guesses(items, guess)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFC", text))


def _look_up(tokens: list[str]) -> list[Item]:
    items: list[Item] = []
    position = 0
    while position < len(tokens):
        item, used = _item_at(tokens, position)
        if item is not None:
            items.append(item)
        position += used
    return items


def _item_at(tokens: list[str], start: int) -> tuple[Item | None, int]:
    token = tokens[start]
    if not token[0].isalnum():
        return (Item("stop", token), 1) if token in _STOPS else (None, 1)
    words: list[str] = []
    ends: list[int] = []
    position = start
    while position < len(tokens) and len(words) < LONGEST_ENTRY:
        if tokens[position][0].isalnum():
            words.append(_POSSESSIVE.sub("", tokens[position].casefold()))
            ends.append(position + 1)
        elif tokens[position] != "-":  # "snow-capped" is two words of one entry
            break
        position += 1
    table, relations = entries(), relation_words()
    for count in range(len(words), 0, -1):
        plain = tuple(words[:count])
        relation = relations.get(plain) if count <= LONGEST_RELATION else None
        if relation is not None:
            used = ends[count - 1] - start
            return Item("relation", " ".join(tokens[start : start + used]), relation=relation), used
        concept = table.get(tuple(singular(word) for word in plain)) or table.get(plain)
        if concept is not None:
            used = ends[count - 1] - start
            return Item("concept", " ".join(tokens[start : start + used]).replace(" - ", "-"), concept), used
    word = words[0]
    stem = word.removesuffix("less")
    bare = table.get((singular(stem),)) if stem != word else None
    if bare is not None and bare.slot in THINGS:  # "treeless", "windowless"
        return Item("concept", token, bare, is_absent=True), 1
    if word in NEGATIONS:
        return Item("negation", token), 1
    if word in NUMBERS:
        return Item("number", token, number=NUMBERS[word], is_vague=word in VAGUE_NUMBERS), 1
    if word.isdecimal() and len(word) <= 6:
        return Item("number", token, number=int(word)), 1
    if word in FUNCTION_WORDS:
        return Item("function", token), 1
    return Item("unknown", token), 1


def _with_materials(items: list[Item]) -> list[Item]:
    result = []
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        if (
            item.text.casefold() == "wood"
            and following is not None
            and following.kind in ("unknown", "concept")
        ):
            item = Item(
                "concept", item.text, Concept("material", "wooden", "made of wood")
            )  # "wood shavings"
        if item.concept is not None and following is not None and following.concept is not None:
            material = _NOUN_AS_MATERIAL.get(item.concept.name)
            if material and following.concept.slot == "element" and not item.text.casefold().endswith("s"):
                item = Item("concept", item.text, Concept("material", material, f"made of {material}"))
        result.append(item)
    return result


def _with_guesses(items: list[Item], guess: Guess) -> list[Item]:
    result: list[Item] = []
    position = 0
    while position < len(items):
        if items[position].kind != "unknown":
            result.append(items[position])
            position += 1
            continue
        end = position
        while end < len(items) and items[end].kind == "unknown":
            end += 1
        following = items[end].concept if end < len(items) else None
        is_description = following is not None and following.slot in THINGS
        result.extend(_guess_run(items[position:end], is_description, guess))
        position = end
    return result


def _guess_run(run: list[Item], is_description: bool, guess: Guess) -> list[Item]:
    """Ask about a run of unknown words whole, then word by word; only the last may be a thing."""
    if len(run) > 1 and not is_description:
        text = " ".join(item.text for item in run)
        concept = guess(text, False) if text.isascii() else None
        if concept is not None:
            return [Item("concept", text, concept, is_guess=True)]
    result = []
    for index, item in enumerate(run):
        describes = is_description or index + 1 < len(run) or bool(_ADJECTIVE.search(item.text.casefold()))
        # The sentence model knows English only; digits and other scripts would be matched by accident.
        concept = guess(item.text, describes) if item.text.isascii() and item.text.isalpha() else None
        result.append(item if concept is None else Item("concept", item.text, concept, is_guess=True))
    return result
