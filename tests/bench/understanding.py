"""How much of what people name reaches the brief: `python -m tests.bench.understanding [--misses]`.

Recall is the share of labels that the brief answers, precision the share of what the brief took from the
prompt that a label asks for. What the worlds add by themselves is neither.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from immersive.brief import SceneBrief, Season, TimeOfDay, Weather
from immersive.generation.brief_rules import STYLE_OUTDOORS, STYLES_INDOORS
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY
from immersive.generation.understanding import understand
from tests.bench.rows import Row, at_least, publish
from tests.immersive.held_out_prompts import HELD_OUT
from tests.immersive.labelled_prompts import LABELLED
from tests.immersive.labelled_samples import SAMPLES, Labels

_BRIEFS = Path(__file__).resolve().parents[2] / "samples" / "briefs"
_GOAL = 0.9

# Kinds that were built after the labels were written, by the nouns that the labels have for them.
_BUILT_SINCE = {
    "book": "book_stack",
    "tool": "tool_rack",
    "wall": "stone_wall",
    "cabin": "house",
    "ruins": "ruin",
    "lantern": "street_lamp|stone_lantern",
    "chair": "garden_chair",
    "lake": "river",
    "broadleaf": "cherry_tree",
    "desert": "canyon",
}

# What a brief can say; other labels name things that nobody builds.
_NAMES = {
    *VOCABULARY, *SETTINGS, *_BUILT_SINCE, *STYLES_INDOORS, *STYLE_OUTDOORS,
    *get_args(TimeOfDay), *get_args(Weather), *get_args(Season),
}  # fmt: skip


@dataclass(slots=True)
class Tally:
    """Labels met and asked for, answers right and given, and what went wrong in words."""

    met: int = 0
    asked: int = 0
    right: int = 0
    given: int = 0
    misses: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.met / max(self.asked, 1)

    @property
    def precision(self) -> float:
        return self.right / max(self.given, 1)

    def count(self, prompt: str, labels: Iterable[str], found: set[str], may: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        """Add one prompt; a label such as "a|b beside c" stands for all its readings."""
        wanted = [readings(label) for label in labels]
        lacking = [" or ".join(sorted(readings)) for readings in wanted if not readings & found]
        extra = found - set().union(*wanted) - may
        self.asked += len(wanted)
        self.met += len(wanted) - len(lacking)
        self.given += len(found - may | (found & set().union(*wanted)))
        self.right += len(found & set().union(*wanted))
        self.misses += [f"- {word}   ({prompt})" for word in lacking]
        self.misses += [f"+ {word}   ({prompt})" for word in sorted(extra)]


def samples() -> list[tuple[str, Labels]]:
    """Return the prompts of `samples/briefs` that are labelled, with their labels."""
    return [
        (tomllib.loads((_BRIEFS / f"{name}.toml").read_text("utf-8"))["prompt"], labels)
        for name, labels in SAMPLES.items()
    ]


def score(prompts: Iterable[tuple[str, Labels]], *, use_sentence_meanings: bool = True) -> dict[str, Tally]:
    """Return one tally each of things, those of them that a world builds, relations and so on."""
    names = ("things", "buildable things", "relations", "described", "counted", "absent")
    tallies = {name: Tally() for name in names}
    for prompt, labels in prompts:
        brief = understand(prompt, use_sentence_meanings=use_sentence_meanings)
        may = set(labels.may.split())
        tallies["things"].count(prompt, labels.things.split(), _things(brief, labels), may)
        buildable = [label for label in labels.things.split() if readings(label) & _NAMES]
        tallies["buildable things"].count(prompt, buildable, _things(brief, labels))
        kinds = [element for element in brief.elements if element.count != 0]
        relations = {f"{e.kind} {e.relation.kind} {e.relation.to}" for e in kinds if e.relation is not None}
        tallies["relations"].count(prompt, labels.relations, relations)
        described = {f"{e.kind} {word}" for e in kinds for word in e.attributes} | _granted(brief, labels)
        tallies["described"].count(prompt, labels.described, described)
        numbers = {f"{e.kind} {e.count}" for e in kinds if e.count is not None and e.count > 1}
        tallies["counted"].count(prompt, labels.counted, numbers)
        tallies["absent"].count(prompt, labels.absent.split(), _absent(brief, labels))
    return tallies


def rows() -> list[Row]:
    """Measure the labelled sets; nothing was tuned on the last."""
    earlier = [(prompt, Labels(labels)) for prompt, labels in LABELLED]
    found: list[Row] = []
    for name, prompts in (("samples", samples()), ("earlier prompts", earlier), ("held out", HELD_OUT)):
        for part, tally in score(prompts).items():
            if tally.asked == 0:
                continue
            goal = part.endswith("things")
            made = at_least if goal else lambda figure, value, unit, _: Row(figure, value, unit)
            found.append(made(f"{name}: {part} found of {tally.asked}", tally.recall, "", _GOAL))
            if part in ("things", "relations"):
                found.append(made(f"{name}: precision of {part}", tally.precision, "", _GOAL))
    return found


def _things(brief: SceneBrief, labels: Labels) -> set[str]:
    """Return what the brief took from the prompt: facts that are not guessed, and elements."""
    guessed = [line for line in brief.guessed if "taken to mean" not in line]
    facts = (
        ("setting", brief.setting), ("time of day", brief.time),
        ("weather", brief.weather), ("season", brief.season),
    )  # fmt: skip
    found = {value for name, value in facts if f"{name}: {value.replace('_', ' ')}" not in guessed}
    found |= set(brief.style)
    asked = {reading for label in labels.things.split() for reading in readings(label)}
    named = " ; ".join(line.rsplit(" -> ", 1)[-1] for line in brief.understood)
    for element in brief.elements:
        if element.count == 0:
            continue
        # What follows from a style or a compound setting is neither asked for nor wrong.
        if element.kind in asked or element.kind.replace("_", " ") in named:
            found.add(element.kind)
    return found


def _granted(brief: SceneBrief, labels: Labels) -> set[str]:
    """Return the descriptions that a thing fulfils by being what it is: a dock is wooden."""
    found = set()
    for line in brief.understood:
        phrase, meaning = line.rsplit(" -> ", 1)
        for label in labels.described:
            for reading in readings(label):
                kind, word = reading.split()
                if kind.replace("_", " ") in meaning and word in phrase.split():
                    found.add(reading)
    return found


def _absent(brief: SceneBrief, labels: Labels) -> set[str]:
    none = {element.kind for element in brief.elements if element.count == 0}
    is_told = any(" -> none" in line for line in brief.understood)
    return none | {word for label in labels.absent.split() for word in readings(label) if is_told}


def readings(label: str) -> set[str]:
    """Return every way to read a label: "a|b on c" is "a on c" and "b on c"."""
    ways = [""]
    for part in label.split():
        choices = {built for choice in part.split("|") for built in _BUILT_SINCE.get(choice, "").split("|")}
        choices = (choices | set(part.split("|"))) - {""}
        ways = [f"{way} {choice}".strip() for way in ways for choice in choices]
    return set(ways)


if __name__ == "__main__":
    publish("understanding", rows())
    if "--misses" in sys.argv:
        for part, tally in score(samples()).items():
            sys.stdout.write("\n".join([f"\n{part}", *tally.misses]) + "\n")
