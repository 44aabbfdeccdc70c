"""What a brief may say, checked against what the worlds can build: for files people edit, and for models.

Each check returns the value in its right form, or raises one sentence that names what is allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from immersive.brief import Detail, Element, Relation, RelationKind, Season, Size, TimeOfDay, Weather
from immersive.generation.brief_rules import STYLE_OUTDOORS, STYLES_INDOORS
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY
from reconstruction.errors import InvalidInputError

MOST_ELEMENTS = 64  # of a brief; the worlds know fewer kinds than that for one place

CHOICES: dict[str, tuple[str, ...]] = {
    "setting": tuple(SETTINGS),
    "time": get_args(TimeOfDay),
    "weather": get_args(Weather),
    "season": get_args(Season),
    "size": get_args(Size),
    "detail": get_args(Detail),
}
_ELEMENT_KEYS = ("kind", "count", "attributes", "relation")


def check_choice(name: str, value: object, where: str) -> str:
    """Return `value` if it is one of the choices of the field `name`.

    Raises:
        InvalidInputError: It is not; `where` says where it was found, as "in brief.toml".
    """
    return _one_of(name, value, CHOICES[name], where)


def styles_of(setting: str) -> tuple[str, ...]:
    """Return the styles that a setting can have."""
    return tuple(sorted(STYLES_INDOORS if SETTINGS[setting].is_indoor else STYLE_OUTDOORS))


def kinds_of(setting: str) -> tuple[str, ...]:
    """Return the kinds of things that a setting can hold."""
    is_indoor = SETTINGS[setting].is_indoor
    return tuple(
        kind.name
        for kind in VOCABULARY.values()
        if kind.stands(is_indoor=is_indoor) and (not kind.settings or setting in kind.settings)
    )


def check_style(value: object, setting: str, where: str) -> tuple[str, ...]:
    """Return the styles of a brief.

    Raises:
        InvalidInputError: It is not a list of styles that the setting can have.
    """
    if not isinstance(value, list | tuple):
        raise InvalidInputError(f"style {where} must be a list of words, got {value!r}")
    return tuple(_one_of("style", style, styles_of(setting), where) for style in value)


def check_element(value: object, setting: str, where: str) -> Element:
    """Return one element of a brief.

    Args:
        value: A table with `kind` and, if wanted, `count`, `attributes` and `relation`.
        setting: Where it is to stand.
        where: Where it was found.

    Raises:
        InvalidInputError: A key or value is not allowed.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"an element {where} must be a table with a kind, got {value!r}")
    _only_keys(value, _ELEMENT_KEYS, f"an element {where}")
    name = _one_of("the kind of an element", value.get("kind"), kinds_of(setting), f"{where} ({setting})")
    kind = VOCABULARY[name]
    count = value.get("count")
    if count is not None and (not _is_int(count) or not 0 <= count <= kind.most):
        raise InvalidInputError(f"count of {name} {where} must be from 0 to {kind.most}, got {count!r}")
    attributes = value.get("attributes") or ()
    if not isinstance(attributes, list | tuple):
        raise InvalidInputError(f"attributes of {name} {where} must be a list of words, got {attributes!r}")
    for word in attributes:
        _one_of(f"an attribute of {name}", word, kind.attributes, where)
    relation = value.get("relation")
    return Element(
        name,
        count,
        tuple(dict.fromkeys(attributes)),
        None if relation is None else _relation(relation, name, where),
    )


def check_elements(elements: list[Element], where: str) -> tuple[Element, ...]:
    """Return the elements of a brief, each kind once and each relation to one of them.

    Raises:
        InvalidInputError: A kind stands twice, or a relation leads to nothing.
    """
    present = {element.kind for element in elements if element.count != 0}
    seen: set[str] = set()
    for element in elements:
        if element.kind in seen:
            raise InvalidInputError(
                f"{element.kind} {where} must stand once, got it twice", hint="Give it a count instead."
            )
        seen.add(element.kind)
        if element.relation is not None and (
            element.relation.to not in present or element.relation.to == element.kind
        ):
            others = ", ".join(sorted(present - {element.kind})) or "none"
            raise InvalidInputError(
                f"relation of {element.kind} {where} must lead to another element of the brief ({others}), "
                f"got {element.relation.to!r}"
            )
    return tuple(elements)


def _relation(value: object, name: str, where: str) -> Relation:
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"relation of {name} {where} must be a table with kind and to, got {value!r}",
            hint='For example: relation = { kind = "beside", to = "lake" }',
        )
    _only_keys(value, ("kind", "to"), f"relation of {name} {where}")
    kind = _one_of(f"the kind of the relation of {name}", value.get("kind"), get_args(RelationKind), where)
    target = value.get("to")
    if not isinstance(target, str):
        raise InvalidInputError(
            f"relation of {name} {where} must lead to the kind of an element, got {target!r}"
        )
    return Relation(kind, target)  # type: ignore[arg-type]


def _one_of(name: str, value: object, choices: Collection[str], where: str) -> str:
    if not isinstance(value, str) or value not in choices:
        allowed = f"one of {', '.join(choices)}" if choices else "left out, there is none"
        raise InvalidInputError(f"{name} {where} must be {allowed}; got {_shown(value)}")
    return value


def _only_keys(table: Mapping[Any, Any], keys: tuple[str, ...], subject: str) -> None:
    for key in table:
        if key not in keys:
            raise InvalidInputError(
                f"{subject} must use the keys {', '.join(keys)}; got {_shown(key)}", hint="Remove that key."
            )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
