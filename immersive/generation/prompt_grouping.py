"""Which words belong together: descriptions and numbers with their thing, negations with their target."""

from __future__ import annotations

from dataclasses import dataclass, field

from immersive.generation.prompt_reading import THINGS, Item


@dataclass(slots=True)
class Mention:
    """A thing of the prompt with the words that describe it."""

    item: Item
    described_by: list[Item] = field(default_factory=list)
    number: Item | None = None
    is_one: bool = False  # "a cabin"
    negation: str | None = None

    @property
    def name(self) -> str:
        assert self.item.concept is not None
        return self.item.concept.name

    @property
    def slot(self) -> str:
        assert self.item.concept is not None
        return self.item.concept.slot


@dataclass(slots=True)
class Reading:
    """The items of a prompt, grouped."""

    things: list[Mention] = field(default_factory=list)
    facts: list[tuple[Item, str | None]] = field(default_factory=list)  # scene facts, negations
    absent: list[tuple[str, str]] = field(default_factory=list)  # negation, unknown word: fulfilled as it is
    left_out: list[str] = field(default_factory=list)
    is_inside: bool = False


def group(items: list[Item]) -> Reading:
    """Attach descriptions and numbers to the thing that follows, else to the one before; settle negations."""
    reading = Reading()
    pending: list[Item] = []
    number: Item | None = None
    is_one = False
    negation: str | None = None
    is_negation_used = False
    last: Mention | None = None

    def drop_pending() -> None:
        nonlocal number
        for item in pending:
            if last is not None and last.negation is None:
                last.described_by.append(item)
            else:
                reading.left_out.append(item.text)
        pending.clear()
        if number is not None:
            reading.left_out.append(number.text)
        number = None

    for item in items:
        word = item.text.casefold()
        slot = item.concept.slot if item.concept is not None else None
        if item.kind == "negation":
            drop_pending()
            if negation is not None and not is_negation_used:
                reading.left_out.append(negation)
            negation, is_negation_used = item.text, False
        elif item.kind in ("stop", "function"):
            if item.kind == "stop" or (is_negation_used and word not in ("or", "nor", "and")):
                if negation is not None and not is_negation_used:
                    reading.left_out.append(negation)
                negation = None
            if item.kind == "stop" and word != ",":
                drop_pending()
                last = None
            elif word not in ("and", "or", "of", ",", "very", "quite", "so"):
                drop_pending()
            if word in ("a", "an"):
                is_one = True
            elif word == "the":
                is_one = False
            if word in ("inside", "within", "in"):
                reading.is_inside = reading.is_inside or word == "inside"
        elif item.kind == "number":
            if number is not None:
                reading.left_out.append(number.text)
            number = item
        elif item.kind == "unknown":
            if negation is not None:
                reading.absent.append((negation, item.text))
                is_negation_used = True
            else:
                reading.left_out.append(item.text)
        elif slot in THINGS:
            last = Mention(item, list(pending), number, is_one and not word.endswith("s"), negation)
            reading.things.append(last)
            pending.clear()
            number, is_one = None, False
            is_negation_used = negation is not None
        elif slot in ("time", "weather", "season", "style"):
            reading.facts.append((item, negation))
            is_negation_used = negation is not None
        else:
            pending.append(item)
    drop_pending()
    if negation is not None and not is_negation_used:
        reading.left_out.append(negation)
    return reading
