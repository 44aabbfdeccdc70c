"""Relations between things of a prompt become relations between elements of its brief.

An element has one relation. A second one, and one that no world builds, is listed as left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from immersive.brief import Element, Relation, RelationKind
from immersive.generation.brief_rules import CONTAINERS, FAMILIES, IN_IS_ON
from immersive.generation.procedural.relation_rules import is_built
from immersive.generation.prompt_grouping import Link, Mention


@dataclass(slots=True)
class Related:
    """What became of the links: elements with their relations, and the two accounts."""

    elements: dict[str, Element]
    understood: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def relate(
    links: list[Link], built: dict[Mention, str], elements: dict[str, Element], *, is_indoor: bool
) -> Related:
    """Return the elements with the relations that the links give them.

    Args:
        links: As read, in order.
        built: The kind of element that answers each mention. One without stands for the whole place
            ("a boat on the beach") or is left out already.
        elements: By kind.
        is_indoor: Which world it is.
    """
    related = Related(dict(elements))
    for link in links:
        target = built.get(link.target)
        for subject in _subjects(link, built):
            kind = built.get(subject)
            if kind is None or target is None:
                continue
            meant = _meant(link, kind, target)
            if meant is None:
                continue
            phrase = _phrase(subject, link)
            is_synonym = subject.item.text.casefold() != link.target.item.text.casefold()
            _give(related, kind, Relation(meant, target), phrase, is_indoor, is_synonym)
    return related


def _phrase(subject: Mention, link: Link) -> str:
    """Return a relation in the words of the prompt and in their order."""
    word = link.relation.relation
    ends = (link.target, subject) if word is not None and word.is_reversed else (subject, link.target)
    return f"{ends[0].item.text} {link.relation.text.casefold()} {ends[1].item.text}"


def _subjects(link: Link, built: dict[Mention, str]) -> list[Mention]:
    """Return what a relation is about: "pines and birches around a lake" is about both."""
    subjects, mention = [link.subject], link.subject
    while mention.joined_to is not None:
        kinds = {built.get(mention), built.get(mention.joined_to)}
        if not any(kinds <= family for family in FAMILIES):
            break
        mention = mention.joined_to
        subjects.insert(0, mention)
    return subjects


def _meant(link: Link, kind: str, target: str) -> RelationKind | None:
    """Return what the words say of these two, or None where they say nothing that can be placed."""
    word = link.relation.relation
    assert word is not None
    if word.kind == "inside" and word.is_weak:
        return "inside" if target in CONTAINERS else "on" if target in IN_IS_ON else None
    if word.kind == "beside" and kind == "chair" and target.endswith("table"):
        return "around"
    return word.kind


def _give(
    related: Related, kind: str, relation: Relation, phrase: str, is_indoor: bool, is_synonym: bool
) -> None:
    element, target = related.elements.get(kind), related.elements.get(relation.to)
    if element is None or target is None or 0 in (element.count, target.count):
        return
    if kind == relation.to and is_synonym:
        return
    if kind == relation.to or element.relation not in (None, relation):
        related.left_out.append(phrase)
        return
    related.elements[kind] = replace(element, relation=relation)
    if is_built(kind, relation, is_indoor=is_indoor):
        spoken = f"{kind} {relation.kind} {relation.to}".replace("_", " ")
        related.understood.append(f"{phrase} -> {spoken}")
    else:
        related.left_out.append(phrase)


def unbuilt_relations(elements: tuple[Element, ...], *, is_indoor: bool) -> tuple[str, ...]:
    """Return the relations of a brief that its world does not build, in words."""
    return tuple(
        f"{element.kind} {element.relation.kind} {element.relation.to}".replace("_", " ")
        for element in elements
        if element.relation is not None and not is_built(element.kind, element.relation, is_indoor=is_indoor)
    )
