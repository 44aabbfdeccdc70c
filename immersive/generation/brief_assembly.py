"""Grouped words become a brief: indoors or out, what is built, and what the prompt left open.

A word either changes the brief, and is listed in `understood`, or is listed in `left_out`.
"""

from __future__ import annotations

from typing import cast

from immersive.brief import Detail, Element, SceneBrief, Season, Size, TimeOfDay, Weather
from immersive.generation.brief_relations import relate
from immersive.generation.brief_rules import (
    ANY_ROOM,
    COLOUR_OF_WORD,
    COMPOUND_SETTINGS,
    ENTERABLE,
    GRANTED,
    KIND_IN_SETTING,
    ROOM_OF_ELEMENT,
    SETTING_AS_ELEMENT,
    SETTING_OF_ELEMENT,
    SETTING_WITH_ELEMENT,
    STAND_IN_INDOORS,
    STAND_IN_OUTDOORS,
    STYLE_OUTDOORS,
    STYLES_INDOORS,
    TABLE_TOPS,
    TREE_OF_SETTING,
    TREES,
    VIEW_OF,
)
from immersive.generation.procedural.vocabulary import VOCABULARY
from immersive.generation.prompt_grouping import Mention, Reading, group
from immersive.generation.prompt_items import Item


def assemble(
    prompt: str, items: list[Item], *, seed: int, size: Size, detail: Detail, how: str
) -> SceneBrief:
    """Return the brief that read items make; `how` says by which means they were read."""
    return _Assembly(group(items), size).brief(prompt, seed, detail, how)


class _Assembly:
    """Collects a brief; each method settles one kind of item."""

    def __init__(self, reading: Reading, size: Size) -> None:
        self._reading = reading
        self._size = size
        self._understood: list[str] = []
        self._guessed: list[str] = []
        self._left_out = list(reading.left_out)
        self._elements: dict[str, Element] = {}
        self._built: dict[Mention, str] = {}  # the kind that answers each mention
        self._styles: list[str] = []
        self._facts: dict[str, str] = {}
        self._small_lamps = {  # "a lamp on the desk"
            link.subject
            for link in reading.links
            if link.subject.name == "floor_lamp" and link.target.name in TABLE_TOPS
            if link.relation.relation is not None and link.relation.relation.kind == "on"
        }
        self._is_indoor = self._stands_indoors()
        self._as_descriptions()
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
        for (setting, kind), particular in SETTING_WITH_ELEMENT.items():
            if self._setting == setting and kind in self._elements and self._elements[kind].count != 0:
                self._setting = particular
        self._relate()
        for negation, word in self._reading.absent:
            self._understood.append(f"{negation} {word} -> none is built")
        if self._reading.frame is not None:
            self._understood.append(f"{self._reading.frame.text} -> the place itself")
        self._complete()
        known = len(self._reading.things) + len(self._reading.facts)
        unknown = self._reading.unknown_count
        if unknown >= 3 and unknown > known:
            self._guessed.append(
                f"language: English, though {unknown} of {known + unknown} words are unknown"
            )
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
            understood=tuple(dict.fromkeys(self._understood)),
            guessed=tuple(dict.fromkeys(self._guessed)),
            left_out=tuple(dict.fromkeys(self._left_out)),
        )

    # Indoors or out, and where.

    def _stands_indoors(self) -> bool:
        wanted = [mention for mention in self._reading.things if mention.negation is None]
        if any(mention.slot == "room" for mention in wanted):
            return True
        if self._reading.is_inside and any(mention.name in ENTERABLE for mention in wanted):
            return True
        if any(mention.slot == "setting" for mention in wanted):
            return False
        names = [mention.name for mention in wanted]
        furniture = self._count_of_side(names, is_indoor=True)
        nature = self._count_of_side(names, is_indoor=False)
        return furniture > nature

    def _count_of_side(self, names: list[str], *, is_indoor: bool) -> int:
        """Return how many of the names are things that only one side of the door has."""
        kinds = [VOCABULARY[name] for name in names if name in VOCABULARY]
        return sum(not kind.is_on_both_sides and kind.is_indoor == is_indoor for kind in kinds)

    def _settle_room(self) -> None:
        wanted = [mention for mention in self._reading.things if mention.negation is None]
        rooms = [mention for mention in wanted if mention.slot == "room"]
        named = [mention for mention in rooms if mention.item.text.casefold() not in ANY_ROOM]
        if named:
            self._setting, self._is_settled = named[0].name, True
            return
        found = [ROOM_OF_ELEMENT[mention.name] for mention in wanted if mention.name in ROOM_OF_ELEMENT]
        self._setting = found[0] if found else "living_room"
        self._guessed.append(f"setting: {_spoken(self._setting)}")

    def _settle_setting(self) -> None:
        wanted = [mention for mention in self._reading.things if mention.negation is None]
        named = [mention for mention in wanted if mention.slot == "setting"]
        if named:
            self._setting, self._is_settled = named[0].name, True
        else:
            found = [
                SETTING_OF_ELEMENT[mention.name] for mention in wanted if mention.name in SETTING_OF_ELEMENT
            ]
            self._setting = found[0] if found else "forest"
            self._guessed.append(f"setting: {_spoken(self._setting)}")
        if self._setting in COMPOUND_SETTINGS:
            self._setting, added = COMPOUND_SETTINGS[self._setting]
            for element in added:
                self._add(element)

    # Time of day, weather, season, style.

    def _as_descriptions(self) -> None:
        """Let "old" describe the oak that can be old, and only set the mood where nothing can."""
        for mention in self._reading.things:
            kind = VOCABULARY.get(mention.name)
            for item in mention.styled_by:
                if kind is not None and item.text.casefold() in kind.attributes:
                    mention.described_by.append(item)
                    self._reading.facts = [fact for fact in self._reading.facts if fact[0] is not item]

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
        elif not self._is_indoor and name in STYLE_OUTDOORS:
            if name not in self._styles:
                self._styles.append(name)
                for element in STYLE_OUTDOORS[name]:
                    self._add(element)
        else:
            self._left_out.append(item.text)
            return
        self._note(item.text, f"style: {name}", item)

    # Things.

    def _settle(self, mention: Mention) -> None:
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

    def _is_furniture(self, mention: Mention) -> bool:
        if mention.name in ("tree", "pine") and mention.is_one:
            return True  # one tree in a room stands in a pot
        name = STAND_IN_INDOORS.get(mention.name, mention.name)
        return name in VOCABULARY and VOCABULARY[name].stands(is_indoor=True)

    def _settle_room_mention(self, mention: Mention) -> None:
        is_this = mention.name == self._setting or mention.item.text.casefold() in ANY_ROOM
        if mention.negation is not None:
            self._note(f"{mention.negation} {mention.item.text}".strip(), "none", mention.item)
            self._left_out.extend(item.text for item in mention.described_by)
        elif is_this and self._is_indoor:
            kept = [item for item in mention.described_by if self._describes_place(item, "wall")]
            self._note(_phrase(mention, kept), f"setting: {_spoken(self._setting)}", mention.item)
        else:
            self._left_out.extend([*(item.text for item in mention.described_by), mention.item.text])
        self._leave_number(mention)

    def _settle_setting_mention(self, mention: Mention) -> None:
        plain = COMPOUND_SETTINGS.get(mention.name, (mention.name, ()))[0]
        if plain == self._setting:
            if mention.name in COMPOUND_SETTINGS:
                for element in COMPOUND_SETTINGS[mention.name][1]:
                    if element.count != 0 and element.kind not in self._elements:
                        self._add(element)
            kept = [item for item in mention.described_by if self._describes_place(item, None)]
            self._note(_phrase(mention, kept), f"setting: {_spoken(mention.name)}", mention.item)
            self._leave_number(mention)
        elif mention.name == "snow_field" and self._facts.setdefault("weather", "snow") == "snow":
            self._note(mention.item.text, "weather: snow", mention.item)
            self._left_out.extend(item.text for item in mention.described_by)
            self._leave_number(mention)
        elif mention.name in SETTING_AS_ELEMENT:
            self._settle_element(mention, SETTING_AS_ELEMENT[mention.name])
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
        if name in GRANTED.get(self._setting, ()):
            return True
        self._left_out.append(item.text)
        return False

    def _settle_absence(self, mention: Mention) -> None:
        name = mention.name
        stand_in = self._kind_for(name)
        if mention.slot == "setting":
            stand_in = SETTING_AS_ELEMENT.get(name, name)
        kinds = TREES if stand_in == "tree" else (stand_in,)
        for kind in kinds:
            if kind in VOCABULARY and VOCABULARY[kind].stands(is_indoor=self._is_indoor):
                self._elements.pop(kind, None)
                self._elements[kind] = Element(kind, 0)
        self._left_out.extend(item.text for item in mention.described_by)
        self._leave_number(mention)
        self._note(f"{mention.negation} {mention.item.text}".strip(), f"no {_spoken(stand_in)}", mention.item)

    def _settle_view(self, mention: Mention) -> None:
        if mention.name in ENTERABLE and mention.name == "cabin":
            self._add(Element("wall", None, ("wooden",)))
            kept = [item for item in mention.described_by if item.concept and item.concept.name == "wooden"]
            self._left_out.extend(item.text for item in mention.described_by if item not in kept)
            self._note(_phrase(mention, kept), "wooden walls", mention.item)
            self._leave_number(mention)
            return
        view = VIEW_OF.get(mention.name)
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
            if item.concept and item.concept.name in GRANTED.get(mention.name, ())
        ]
        self._left_out.extend(item.text for item in mention.described_by if item not in kept)
        self._leave_number(mention)
        self._note(_phrase(mention, kept), f"{view} outside the windows", mention.item)

    def _kind_for(self, name: str) -> str:
        """Return the kind that answers a name here: itself if it can be built, else its nearest relative."""
        kind = VOCABULARY.get(name)
        is_here = kind is not None and kind.stands(is_indoor=self._is_indoor)
        if kind is not None and is_here and (not kind.settings or self._setting in kind.settings):
            return name
        return (STAND_IN_INDOORS if self._is_indoor else STAND_IN_OUTDOORS).get(name, name)

    def _settle_element(self, mention: Mention, name: str) -> None:
        kind_name = "table_lamp" if mention in self._small_lamps else self._kind_for(name)
        if kind_name == "tree":
            kind_name = "plant" if self._is_indoor else TREE_OF_SETTING.get(self._setting, "pine")
        elif kind_name == "pine" and self._is_indoor:
            kind_name = "plant"
        kind_name = KIND_IN_SETTING.get((self._setting, kind_name), kind_name)
        kind = VOCABULARY.get(kind_name)
        fits = kind is not None and (not kind.settings or self._setting in kind.settings)
        if kind is None or not kind.stands(is_indoor=self._is_indoor) or not fits:
            self._leave(mention)
            return
        attributes, kept = [], []
        for item in mention.described_by:
            assert item.concept is not None
            known = [word for word in (item.concept.name, item.text.casefold()) if word in kind.attributes]
            if known:
                attributes.append(known[0])
            if known or item.concept.name in GRANTED.get(kind_name, ()):
                kept.append(item)
            else:
                self._left_out.append(f"{item.text} (of the {mention.item.text})")
        own_colour = COLOUR_OF_WORD.get(mention.item.text.casefold())
        if own_colour in kind.attributes and not attributes:
            attributes.append(own_colour)
        count = 1 if mention.is_one and kind.most > 1 else None
        if mention.number is not None:
            asked = mention.number.number * self._tables_of(mention)
            count = min(asked, kind.most)
            if mention.number.is_vague and count == asked:
                self._guessed.append(f"{mention.number.text}: {count} {_spoken(kind_name)}")
            if asked > kind.most:
                self._guessed.append(
                    f"{_spoken(kind_name)}: {kind.most} instead of {asked}, the most there is"
                )
        # "The hut", named before, or "a sculpture on a plinth".
        is_same = any(
            link.target is mention and self._built.get(link.subject) == kind_name
            for link in self._reading.links
            if link.subject.item.text.casefold() != mention.item.text.casefold()
        )
        is_again = is_same or (mention.is_known and kind_name in self._elements)
        self._add(Element(kind_name, None if is_again else count, tuple(attributes)))
        self._built[mention] = kind_name
        meaning = f"{_spoken(kind_name)}" if mention.number is None else f"{count} {_spoken(kind_name)}"
        if attributes:
            meaning += f" ({', '.join(attributes)})"
        is_usual = kind_name == KIND_IN_SETTING.get((self._setting, name))
        is_said = mention.item.text.casefold() == _spoken(kind_name) or name in ("tree", "pine")
        if kind_name != name and not (is_usual or is_said or mention in self._small_lamps):
            self._guessed.append(f"{mention.item.text}: built as {_spoken(kind_name)}")
        # A second setting is built as things, so its number is theirs: "three alleys" are three houses.
        self._note(_counted(mention, kept), meaning, mention.item)

    def _tables_of(self, mention: Mention) -> int:
        """Return how many there are of what a thing stands at each of: "two chairs at each table"."""
        for link in self._reading.links:
            if link.subject is mention and link.target.is_each:
                name = link.target.name
                element = self._elements.get(KIND_IN_SETTING.get((self._setting, name), name))
                return 1 if element is None else element.count or 1
        return 1

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

    def _relate(self) -> None:
        related = relate(self._reading.links, self._built, self._elements, is_indoor=self._is_indoor)
        self._elements = related.elements
        self._understood.extend(related.understood)
        self._left_out.extend(related.left_out)

    # Accounts.

    def _note(self, phrase: str, meaning: str, item: Item) -> None:
        self._understood.append(f"{phrase} -> {meaning}")
        if item.is_guess:
            self._guessed.append(f"{item.text}: taken to mean {meaning}")

    def _leave(self, mention: Mention) -> None:
        if mention.negation is None:
            self._left_out.append(_counted(mention, mention.described_by))

    def _leave_number(self, mention: Mention) -> None:
        if mention.number is not None:
            self._left_out.append(mention.number.text)

    def _complete(self) -> None:
        is_frozen = any("frozen" in element.attributes for element in self._elements.values())
        is_snowy = is_frozen or self._facts.get("weather") == "snow" or self._setting == "snow_field"
        defaults = {
            "time": "night" if "aurora" in self._elements else "day",
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


def _phrase(mention: Mention, described_by: list[Item]) -> str:
    number = [mention.number.text] if mention.number is not None and mention.slot == "element" else []
    return " ".join([*number, *(item.text for item in described_by), mention.item.text])


def _counted(mention: Mention, described_by: list[Item]) -> str:
    """Return the phrase of a thing with its number, also where the thing is a second place."""
    number = f"{mention.number.text} " if mention.number is not None and mention.slot != "element" else ""
    return number + _phrase(mention, described_by)
