"""What the user asked for, as data: the whole input of a generator."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

TimeOfDay = Literal["dawn", "day", "dusk", "night"]
Weather = Literal["clear", "overcast", "fog", "rain", "snow"]
Season = Literal["spring", "summer", "autumn", "winter"]
Size = Literal["small", "medium", "large"]
Detail = Literal["draft", "standard", "high"]


RelationKind = Literal[
    "beside", "around", "on", "under", "above", "in_front_of", "behind", "facing", "inside", "along"
]


_ACCOUNTS = ("understood", "guessed", "left_out")


@dataclass(frozen=True, slots=True)
class Relation:
    """Where a thing is with respect to another: "three red chairs around a table"."""

    kind: RelationKind
    to: str  # the kind of another element of the brief


@dataclass(frozen=True, slots=True)
class Element:
    """One kind of thing in the scene."""

    kind: str  # a name of the generator's vocabulary: "pine", "cabin", "lake", "sofa", ...
    count: int | None = None  # None: as many as suit the place; 0: the prompt rules it out ("no trees")
    attributes: tuple[str, ...] = ()  # "wooden", "red", "frozen", "small"
    relation: Relation | None = None  # None: wherever it suits the place


@dataclass(frozen=True, slots=True)
class SceneBrief:
    """A prompt, understood. Every field has a value; `guessed` says which ones the prompt did not give."""

    prompt: str
    seed: int = 0
    setting: str = "forest"  # "forest", ... outdoors; "living_room", ... indoors
    is_indoor: bool = False
    elements: tuple[Element, ...] = ()
    time: TimeOfDay = "day"
    weather: Weather = "clear"
    season: Season = "summer"
    style: tuple[str, ...] = ()
    size: Size = "medium"
    detail: Detail = "draft"
    understood: tuple[str, ...] = field(default=())  # phrases of the prompt and what they became
    guessed: tuple[str, ...] = field(default=())  # "time of day: day"
    left_out: tuple[str, ...] = field(default=())  # words that no part of the scene answers

    def to_json(self) -> str:
        """Return the canonical JSON: sorted keys, no spaces, UTF-8 kept."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> SceneBrief:
        """Return the brief that `to_json` made this text of."""
        plain = json.loads(text)
        plain["elements"] = tuple(
            Element(
                element["kind"],
                element["count"],
                tuple(element["attributes"]),
                None if element["relation"] is None else Relation(**element["relation"]),
            )
            for element in plain["elements"]
        )
        for name in ("style", *_ACCOUNTS):
            plain[name] = tuple(plain[name])
        return cls(**plain)

    def digest(self) -> str:
        """Return the hex sha256 of what is built; equal digests make equal scenes.

        The three accounts are not part of it: a brief that is written down and read again is the same scene.
        """
        text = json.dumps(self.built(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def built(self) -> dict[str, Any]:
        """Return what is built as plain lists, strings and numbers: all but the three accounts."""
        return {name: value for name, value in self.as_dict().items() if name not in _ACCOUNTS}

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain
