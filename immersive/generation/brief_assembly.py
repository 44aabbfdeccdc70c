"""Read items become a brief: what describes what, indoors or out, and what the prompt left open.

The rules stand in the tables at the top. An item either changes the brief, and is listed in `understood`,
or is listed in `left_out`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from immersive.brief import Detail, Element, SceneBrief, Season, Size, TimeOfDay, Weather
from immersive.generation.procedural.vocabulary import VOCABULARY
from immersive.generation.prompt_reading import THINGS, Item

# What a compound setting adds to a plain one; None as count leaves the number to the world.
_COMPOUND_SETTINGS: dict[str, tuple[str, tuple[Element, ...]]] = {
    "pine_forest": ("forest", (Element("pine"), Element("birch", 0))),
    "birch_forest": ("forest", (Element("birch"), Element("pine", 0))),
    "broadleaf_forest": ("forest", (Element("broadleaf"), Element("pine", 0))),
    "garden": ("meadow", (Element("flower"), Element("bush"))),
}

# A second setting in the same prompt is built as a part of the first.
_SETTING_AS_ELEMENT = {
    "forest": "tree",
    "pine_forest": "pine",
    "birch_forest": "birch",
    "broadleaf_forest": "broadleaf",
    "garden": "flower",
    "meadow": "grass",
    "lake_shore": "lake",
    "beach": "lake",
    "mountain": "mountains",
}

# The setting that an outdoor prompt without one has in mind; the first that is mentioned decides.
_SETTING_OF_ELEMENT = {
    "cactus": "desert",
    "palm": "beach",
    "sea": "beach",
    "lighthouse": "beach",
    "lake": "lake_shore",
    "river": "lake_shore",
    "dock": "lake_shore",
    "boat": "lake_shore",
    "reed": "lake_shore",
    "mountains": "mountain",
    "flower": "meadow",
    "grass": "meadow",
    "broadleaf": "meadow",
    "windmill": "meadow",
}

_ROOM_OF_ELEMENT = {
    "bed": "bedroom",
    "nightstand": "bedroom",
    "wardrobe": "bedroom",
    "sofa": "living_room",
    "counter": "kitchen",
    "desk": "study",
    "dining_table": "dining_room",
    "chair": "dining_room",
    "bookshelf": "library",
    "sculpture": "gallery",
}

# Words for any room; a more particular one in the same prompt decides which.
_ANY_ROOM = frozenset({"room", "rooms", "interior", "indoors", "home interior", "apartment", "flat", "loft"})

# Kinds that the worlds do not model are built as their nearest relative, and the user is told.
_STAND_IN_OUTDOORS = {
    "sea": "lake",
    "river": "lake",
    "fireplace": "campfire",
    "floor_lamp": "lantern",
    "plant": "bush",
}
_STAND_IN_INDOORS = {
    "campfire": "fireplace",
    "lantern": "floor_lamp",
    "flower": "plant",
    "bush": "plant",
    "cactus": "plant",
    "palm": "plant",
    "statue": "sculpture",
}

_TREES = ("pine", "birch", "broadleaf", "palm", "dead_tree")
_TREE_OF_SETTING = {"meadow": "broadleaf", "lake_shore": "birch", "beach": "palm", "desert": "dead_tree"}

# What a room's windows show when the prompt names something that only exists outdoors.
_VIEW_OF = {
    **dict.fromkeys(("forest", "pine_forest", "birch_forest", "broadleaf_forest", *_TREES, "tree"), "forest"),
    **dict.fromkeys(("lake", "lake_shore", "beach", "sea", "river"), "water"),
    **dict.fromkeys(("mountain", "mountains"), "mountain"),
    **dict.fromkeys(("meadow", "garden", "grass"), "meadow"),
    "desert": "desert",
    "snow_field": "snow",
}

# Descriptions that a place fulfils by being what it is.
_GRANTED = {
    "desert": {"sandy", "stone"},
    "beach": {"sandy", "stone"},
    "mountain": {"stone", "tall"},
    "mountains": {"tall", "snow"},
    "meadow": {"grassy", "green"},
    "forest": {"wooden", "lush", "green"},
    "pine": {"green"},
    "birch": {"green"},
    "broadleaf": {"green"},
    "bush": {"green"},
    "grass": {"green"},
    "plant": {"green"},
    "bookshelf": {"wooden"},
    "dock": {"wooden"},
    "fence": {"wooden"},
    "bench": {"wooden"},
    "boat": {"wooden"},
    "well": {"stone"},
    "floor": {"wooden"},
    "desk": {"wooden"},
    "dining_table": {"wooden"},
    "coffee_table": {"wooden"},
    "bed": {"wooden"},
    "window": {"glass"},
}

# Moods of the open air, as things the world builds; `styles` indoors are palettes of the room instead.
_STYLE_OUTDOORS: dict[str, tuple[Element, ...]] = {
    "lush": (Element("bush"), Element("grass"), Element("flower")),
    "fantasy": (Element("mushroom"), Element("flower")),
    "cozy": (Element("lantern"),),
    "eerie": (Element("dead_tree"),),
    "serene": (),
    "bright": (),
}
STYLES_INDOORS = frozenset({"cozy", "rustic", "minimal", "bright", "serene", "eerie", "lush", "grand"})

_ENTERABLE = frozenset({"cabin", "castle", "tower", "tent", "lighthouse"})


@dataclass(slots=True)
class _Mention:
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
class _Reading:
    """The items of a prompt, grouped."""

    things: list[_Mention] = field(default_factory=list)
    facts: list[tuple[Item, str | None]] = field(default_factory=list)  # scene facts, negations
    absent: list[tuple[str, str]] = field(default_factory=list)  # negation, unknown word: fulfilled as it is
    left_out: list[str] = field(default_factory=list)
    is_inside: bool = False


def assemble(
    prompt: str, items: list[Item], *, seed: int, size: Size, detail: Detail, how: str
) -> SceneBrief:
    """Return the brief that read items make; `how` says by which means they were read."""
    return _Assembly(_group(items), size).brief(prompt, seed, detail, how)


def _group(items: list[Item]) -> _Reading:
    """Attach descriptions and numbers to the thing that follows, else to the one before; settle negations."""
    reading = _Reading()
    pending: list[Item] = []
    number: Item | None = None
    is_one = False
    negation: str | None = None
    is_negation_used = False
    last: _Mention | None = None

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
            last = _Mention(item, list(pending), number, is_one and not word.endswith("s"), negation)
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


class _Assembly:
    """Collects a brief; each method settles one kind of item."""

    def __init__(self, reading: _Reading, size: Size) -> None:
        self._reading = reading
        self._size = size
        self._understood: list[str] = []
        self._guessed: list[str] = []
        self._left_out = list(reading.left_out)
        self._elements: dict[str, Element] = {}
        self._styles: list[str] = []
        self._facts: dict[str, str] = {}
        self._is_indoor = self._stands_indoors()
        self._setting = ""
        self._is_settled = False  # the prompt itself gave the setting

    def brief(self, prompt: str, seed: int, detail: Detail, how: str) -> SceneBrief:
        self._settle_facts()
        if self._is_indoor:
            self._settle_room()
        else:
            self._settle_setting()
        for mention in self._reading.things:
            self._settle(mention)
        for negation, word in self._reading.absent:
            self._understood.append(f"{negation} {word} -> none is built")
        self._complete()
        self._guessed.append(f"words: read by {how}")
        return SceneBrief(
            prompt=prompt,
            seed=seed,
            setting=self._setting,
            is_indoor=self._is_indoor,
            elements=tuple(self._elements.values()),
            time=cast(TimeOfDay, self._facts["time"]),
            weather=cast(Weather, self._facts["weather"]),
            season=cast(Season, self._facts["season"]),
            style=tuple(self._styles),
            size=self._size,
            detail=detail,
            understood=tuple(self._understood),
            guessed=tuple(self._guessed),
            left_out=tuple(self._left_out),
        )

    # Indoors or out, and where.

    def _stands_indoors(self) -> bool:
        wanted = [mention for mention in self._reading.things if mention.negation is None]
        if any(mention.slot == "room" for mention in wanted):
            return True
        if self._reading.is_inside and any(mention.name in _ENTERABLE for mention in wanted):
            return True
        if any(mention.slot == "setting" for mention in wanted):
            return False
        names = [mention.name for mention in wanted]
        furniture = sum(1 for name in names if name in VOCABULARY and VOCABULARY[name].is_indoor)
        nature = sum(1 for name in names if name in VOCABULARY and not VOCABULARY[name].is_indoor)
        return furniture > nature

    def _settle_room(self) -> None:
        wanted = [mention for mention in self._reading.things if mention.negation is None]
        rooms = [mention for mention in wanted if mention.slot == "room"]
        named = [mention for mention in rooms if mention.item.text.casefold() not in _ANY_ROOM]
        if named:
            self._setting, self._is_settled = named[0].name, True
            return
        found = [_ROOM_OF_ELEMENT[mention.name] for mention in wanted if mention.name in _ROOM_OF_ELEMENT]
        self._setting = found[0] if found else "living_room"
        self._guessed.append(f"setting: {_spoken(self._setting)}")

    def _settle_setting(self) -> None:
        wanted = [mention for mention in self._reading.things if mention.negation is None]
        named = [mention for mention in wanted if mention.slot == "setting"]
        if named:
            self._setting, self._is_settled = named[0].name, True
        else:
            found = [
                _SETTING_OF_ELEMENT[mention.name] for mention in wanted if mention.name in _SETTING_OF_ELEMENT
            ]
            self._setting = found[0] if found else "forest"
            self._guessed.append(f"setting: {_spoken(self._setting)}")
        if self._setting in _COMPOUND_SETTINGS:
            self._setting, added = _COMPOUND_SETTINGS[self._setting]
            for element in added:
                self._add(element)

    # Time of day, weather, season, style.

    def _settle_facts(self) -> None:
        for item, negation in self._reading.facts:
            assert item.concept is not None
            slot, name = item.concept.slot, item.concept.name
            if negation is not None:
                self._understood.append(f"{negation} {item.text} -> none")
            elif slot == "style":
                self._settle_style(item, name)
            elif self._facts.setdefault(slot, name) == name:
                self._note(item.text, f"{_SPOKEN_SLOT[slot]}: {name}", item)
            elif name == "snow" and self._facts.setdefault("season", "winter") == "winter":
                self._note(item.text, "season: winter", item)
            else:
                self._left_out.append(item.text)

    def _settle_style(self, item: Item, name: str) -> None:
        if self._is_indoor and name in STYLES_INDOORS:
            if name not in self._styles:
                self._styles.append(name)
        elif not self._is_indoor and name in _STYLE_OUTDOORS:
            if name not in self._styles:
                self._styles.append(name)
                for element in _STYLE_OUTDOORS[name]:
                    self._add(element)
        else:
            self._left_out.append(item.text)
            return
        self._note(item.text, f"style: {name}", item)

    # Things.

    def _settle(self, mention: _Mention) -> None:
        if mention.slot == "room":
            self._settle_room_mention(mention)
        elif mention.negation is not None:
            self._settle_absence(mention)
        elif self._is_indoor and not self._is_furniture(mention):
            self._settle_view(mention)
        elif mention.slot == "setting":
            self._settle_setting_mention(mention)
        else:
            self._settle_element(mention, mention.name)

    def _is_furniture(self, mention: _Mention) -> bool:
        if mention.name in ("tree", "pine") and mention.is_one:
            return True  # one tree in a room stands in a pot
        name = _STAND_IN_INDOORS.get(mention.name, mention.name)
        return name in VOCABULARY and VOCABULARY[name].is_indoor

    def _settle_room_mention(self, mention: _Mention) -> None:
        is_this = mention.name == self._setting or mention.item.text.casefold() in _ANY_ROOM
        if mention.negation is not None:
            self._note(f"{mention.negation} {mention.item.text}", "none", mention.item)
            self._left_out.extend(item.text for item in mention.described_by)
        elif is_this and self._is_indoor:
            kept = [item for item in mention.described_by if self._describes_place(item, "wall")]
            self._note(_phrase(mention, kept), f"setting: {_spoken(self._setting)}", mention.item)
        else:
            self._left_out.extend([*(item.text for item in mention.described_by), mention.item.text])
        self._leave_number(mention)

    def _settle_setting_mention(self, mention: _Mention) -> None:
        plain = _COMPOUND_SETTINGS.get(mention.name, (mention.name, ()))[0]
        if plain == self._setting:
            if mention.name in _COMPOUND_SETTINGS:
                for element in _COMPOUND_SETTINGS[mention.name][1]:
                    if element.count != 0 and element.kind not in self._elements:
                        self._add(element)
            kept = [item for item in mention.described_by if self._describes_place(item, None)]
            self._note(_phrase(mention, kept), f"setting: {_spoken(mention.name)}", mention.item)
            self._leave_number(mention)
        elif mention.name == "snow_field" and self._facts.setdefault("weather", "snow") == "snow":
            self._note(mention.item.text, "weather: snow", mention.item)
            self._left_out.extend(item.text for item in mention.described_by)
            self._leave_number(mention)
        elif mention.name in _SETTING_AS_ELEMENT:
            self._settle_element(mention, _SETTING_AS_ELEMENT[mention.name])
        else:
            self._leave(mention)

    def _describes_place(self, item: Item, surface: str | None) -> bool:
        """Apply a description of the whole place; False if nothing answers it."""
        assert item.concept is not None
        name = item.concept.name
        if item.concept.slot == "extent" and name in ("small", "large"):
            self._size = cast(Size, name)
            return True
        if surface is not None and name in VOCABULARY[surface].attributes:
            self._add(Element(surface, None, (name,)))
            return True
        if name in _GRANTED.get(self._setting, ()):
            return True
        self._left_out.append(item.text)
        return False

    def _settle_absence(self, mention: _Mention) -> None:
        name = mention.name
        stand_in = (_STAND_IN_INDOORS if self._is_indoor else _STAND_IN_OUTDOORS).get(name, name)
        if mention.slot == "setting":
            stand_in = _SETTING_AS_ELEMENT.get(name, name)
        kinds = _TREES if stand_in == "tree" else (stand_in,)
        for kind in kinds:
            if kind in VOCABULARY and VOCABULARY[kind].is_indoor == self._is_indoor:
                self._elements.pop(kind, None)
                self._elements[kind] = Element(kind, 0)
        self._left_out.extend(item.text for item in mention.described_by)
        self._leave_number(mention)
        self._note(f"{mention.negation} {mention.item.text}", f"no {_spoken(stand_in)}", mention.item)

    def _settle_view(self, mention: _Mention) -> None:
        if mention.name in _ENTERABLE and mention.name == "cabin":
            self._add(Element("wall", None, ("wooden",)))
            kept = [item for item in mention.described_by if item.concept and item.concept.name == "wooden"]
            self._left_out.extend(item.text for item in mention.described_by if item not in kept)
            self._note(_phrase(mention, kept), "wooden walls", mention.item)
            self._leave_number(mention)
            return
        view = _VIEW_OF.get(mention.name)
        if view is None or self._elements.get("window", Element("window")).count == 0:
            self._leave(mention)
            return
        shown = [
            name for name in self._elements.get("window", Element("window")).attributes if "view" in name
        ]
        if shown and shown != [f"{view}_view"]:
            self._leave(mention)
            return
        self._add(Element("window", None, (f"{view}_view",)))
        kept = [
            item
            for item in mention.described_by
            if item.concept and item.concept.name in _GRANTED.get(mention.name, ())
        ]
        self._left_out.extend(item.text for item in mention.described_by if item not in kept)
        self._leave_number(mention)
        self._note(_phrase(mention, kept), f"{view} outside the windows", mention.item)

    def _settle_element(self, mention: _Mention, name: str) -> None:
        stand_ins = _STAND_IN_INDOORS if self._is_indoor else _STAND_IN_OUTDOORS
        kind_name = stand_ins.get(name, name)
        if kind_name == "tree":
            kind_name = "plant" if self._is_indoor else _TREE_OF_SETTING.get(self._setting, "pine")
        elif kind_name == "pine" and self._is_indoor:
            kind_name = "plant"
        kind = VOCABULARY.get(kind_name)
        fits = kind is not None and (not kind.settings or self._setting in kind.settings)
        if kind is None or kind.is_indoor != self._is_indoor or not fits:
            self._leave(mention)
            return
        attributes, kept = [], []
        for item in mention.described_by:
            assert item.concept is not None
            known = [word for word in (item.concept.name, item.text.casefold()) if word in kind.attributes]
            if known:
                attributes.append(known[0])
            if known or item.concept.name in _GRANTED.get(kind_name, ()):
                kept.append(item)
            else:
                self._left_out.append(item.text)
        count = 1 if mention.is_one and kind.most > 1 else None
        if mention.number is not None:
            count = min(mention.number.number, kind.most)
            if mention.number.number > kind.most:
                asked = mention.number.number
                self._guessed.append(
                    f"{_spoken(kind_name)}: {kind.most} instead of {asked}, the most there is"
                )
        self._add(Element(kind_name, count, tuple(attributes)))
        meaning = f"{_spoken(kind_name)}" if mention.number is None else f"{count} {_spoken(kind_name)}"
        if attributes:
            meaning += f" ({', '.join(attributes)})"
        if kind_name != name and name not in ("tree", "pine"):
            self._guessed.append(f"{mention.item.text}: built as {_spoken(kind_name)}")
        self._note(_phrase(mention, kept), meaning, mention.item)

    def _add(self, element: Element) -> None:
        """Add an element, or join it with one of its kind; asking for it outweighs ruling it out."""
        known = self._elements.get(element.kind)
        if known is None or known.count == 0:
            self._elements[element.kind] = element
            return
        counts = [count for count in (known.count, element.count) if count is not None]
        count = min(sum(counts), VOCABULARY[element.kind].most) if counts else None
        attributes = tuple(dict.fromkeys((*known.attributes, *element.attributes)))
        self._elements[element.kind] = Element(element.kind, count, attributes)

    # Accounts.

    def _note(self, phrase: str, meaning: str, item: Item) -> None:
        self._understood.append(f"{phrase} -> {meaning}")
        if item.is_guess:
            self._guessed.append(f"{item.text}: taken to mean {meaning}")

    def _leave(self, mention: _Mention) -> None:
        if mention.negation is None:
            self._left_out.append(_phrase(mention, mention.described_by))

    def _leave_number(self, mention: _Mention) -> None:
        if mention.number is not None:
            self._left_out.append(mention.number.text)

    def _complete(self) -> None:
        is_frozen = any("frozen" in element.attributes for element in self._elements.values())
        is_snowy = is_frozen or self._facts.get("weather") == "snow" or self._setting == "snow_field"
        defaults = {
            "time": "day",
            "weather": "clear",
            "season": "winter" if is_snowy else "summer",
        }
        for slot, value in defaults.items():
            if slot not in self._facts:
                self._facts[slot] = value
                self._guessed.append(f"{_SPOKEN_SLOT[slot]}: {value}")


_SPOKEN_SLOT = {"time": "time of day", "weather": "weather", "season": "season", "style": "style"}


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _phrase(mention: _Mention, described_by: list[Item]) -> str:
    number = [mention.number.text] if mention.number is not None and mention.slot == "element" else []
    return " ".join([*number, *(item.text for item in described_by), mention.item.text])
