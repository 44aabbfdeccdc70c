"""What stands where, how many, and what is ruled out: the grammar of prompts, read by the lexicon alone."""

from __future__ import annotations

import pytest

from immersive.brief import Element, SceneBrief
from immersive.generation.grammar_words import FUNCTION_WORDS, NEGATIONS
from immersive.generation.lexicon import entries
from immersive.generation.procedural.relation_rules import is_built
from immersive.generation.relation_words import LONGEST_RELATION, relation_words
from immersive.generation.understanding import understand


def _read(prompt: str) -> SceneBrief:
    return understand(prompt, use_sentence_meanings=False)


def _relations(prompt: str) -> set[str]:
    return {
        f"{element.kind} {element.relation.kind} {element.relation.to}"
        for element in _read(prompt).elements
        if element.relation is not None
    }


@pytest.mark.parametrize(
    ("prompt", "relations"),
    [
        ("a cabin beside a frozen lake", {"cabin beside lake"}),
        ("three red chairs around a table", {"chair around dining_table"}),
        ("a lantern on the dock", {"lantern on dock"}),
        ("a bench facing the sea", {"bench facing lake"}),
        ("a boat behind the hut", {"boat behind cabin"}),
        ("a path along the river", {"path along river"}),
        ("a picture over the fireplace", {"picture above fireplace"}),
        ("a rug under the coffee table", {"rug under coffee_table"}),
        ("two armchairs in front of a fireplace", {"armchair in_front_of fireplace"}),
        ("a sofa opposite the fireplace", {"sofa facing fireplace"}),
        ("the bench faces the lake", {"bench facing lake"}),
        ("a tent not far from the river", {"tent beside river"}),
    ],
)
def test_a_preposition_relates_the_thing_before_to_the_thing_after(prompt: str, relations: set[str]) -> None:
    assert _relations(prompt) == relations


@pytest.mark.parametrize(
    ("prompt", "relations"),
    [
        ("a lake surrounded by pines", {"pine around lake"}),
        ("a path lined with lanterns", {"lantern along path"}),
        ("behind the hut, a boat", {"boat behind cabin"}),
        ("On the dock stands a lantern", {"lantern on dock"}),
        ("a lake with a cabin beside it", {"cabin beside lake"}),
        ("a forest with a hut; beside it a well", {"well beside cabin"}),
        ("a lake, beside it a cabin", {"cabin beside lake"}),
        ("a bench under an oak, behind it a boulder", {"bench under broadleaf", "boulder behind broadleaf"}),
    ],
)
def test_word_order_does_not_change_what_is_meant(prompt: str, relations: set[str]) -> None:
    assert _relations(prompt) == relations


@pytest.mark.parametrize(
    ("prompt", "relations"),
    [
        ("pines and birches around a lake", {"pine around lake", "birch around lake"}),
        ("a bench and a boat beside the lake", {"boat beside lake"}),
        (
            "a sofa and an armchair facing the fireplace",
            {"sofa facing fireplace", "armchair facing fireplace"},
        ),
        ("a cabin with a red door beside a lake", {"cabin beside lake"}),
        ("a cabin beside a mountain lake", {"cabin beside lake"}),
        ("a cabin beside a small, quiet lake", {"cabin beside lake"}),
    ],
)
def test_the_right_noun_is_related(prompt: str, relations: set[str]) -> None:
    assert _relations(prompt) == relations


@pytest.mark.parametrize(
    "prompt",
    [
        "a cabin beside",
        "beside of the",
        "a cabin beside a dragon, a lake",
        "a dragon beside a lake and a cabin",
        "a chair around a chair",
        "a forest at night, a cabin",
        "a boat on the beach",
        "on on on a lake",
        "a cabin in a forest in the mountains",
        "a lake with no cabin beside it",
        "under, over, beside: the",
    ],
)
def test_where_nothing_is_related_nothing_is_invented(prompt: str) -> None:
    assert _relations(prompt) == set()


def test_of_two_relations_the_second_is_listed_as_left_out() -> None:
    brief = _read("a bench behind the hut, a bench facing the lake")

    assert "bench facing lake" in brief.left_out


def test_a_relation_is_understood_only_where_it_is_built() -> None:
    inside = _read("a living room with a rug under the coffee table and a plant behind the sofa")
    outside = _read("a meadow with a bench facing a windmill and a boulder")

    assert "rug under coffee table -> rug under coffee table" in inside.understood
    assert "plant behind sofa" in inside.left_out
    for brief in (inside, outside):
        for element in brief.elements:
            if element.relation is not None and is_built(
                element.kind, element.relation, is_indoor=brief.is_indoor
            ):
                assert any(
                    line.endswith(
                        f" -> {element.kind} {element.relation.kind} {element.relation.to}".replace("_", " ")
                    )
                    for line in brief.understood
                )


def test_a_lamp_on_something_is_a_small_one() -> None:
    brief = _read("a bedroom with a nightstand and a lamp on it")

    kinds = {element.kind: element for element in brief.elements}
    assert "floor_lamp" not in kinds
    assert kinds["table_lamp"].relation is not None and kinds["table_lamp"].relation.to == "nightstand"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("a dozen", 12),
        ("two dozen", 24),
        ("half a dozen", 6),
        ("a pair of", 2),
        ("a couple of", 2),
        ("several", 5),
        ("a few", 3),
        ("two or three", 3),
        ("3 to 4", 4),
        ("3-4", 4),
        ("twenty-one", 21),
        ("17", 17),
        ("a single", 1),
        ("three lonely", 3),
    ],
)
def test_counts_are_read_in_words_and_figures(words: str, count: int) -> None:
    brief = _read(f"a desert with {words} boulders and a tent")

    kinds = {element.kind: element.count for element in brief.elements}
    assert kinds["boulder"] == count
    assert kinds["tent"] == 1


def test_an_open_number_is_told() -> None:
    assert "several: 5 boulder" in _read("several boulders").guessed
    assert "two or three: 3 tent" in _read("two or three tents").guessed


def test_the_same_thing_named_again_is_not_counted_again() -> None:
    brief = _read("a hut by a lake. The hut is red")

    assert [(e.count, e.attributes) for e in brief.elements if e.kind == "cabin"] == [(1, ("red",))]


def test_descriptions_stay_with_their_thing() -> None:
    brief = _read("a living room with a small plant, a big window and a red leather sofa beside a blue rug")

    described = {element.kind: set(element.attributes) for element in brief.elements}
    assert described["plant"] == {"small"}
    assert described["window"] == {"large"}
    assert described["sofa"] == {"red", "leather"}
    assert described["rug"] == {"blue"}


@pytest.mark.parametrize("prompt", ["a treeless plain", "a plain with no trees", "a plain without trees"])
def test_no_trees_means_no_tree_of_any_kind(prompt: str) -> None:
    brief = _read(prompt)

    assert {e.kind for e in brief.elements if e.count == 0} >= {"pine", "birch", "broadleaf"}
    assert brief.setting == "meadow" and brief.left_out == ()


def test_what_is_ruled_out_does_not_outlast_its_noun() -> None:
    brief = _read("a windowless bedroom with a wardrobe, no people and a rug")

    assert {e.kind for e in brief.elements if e.count == 0} == {"window"}
    assert Element("rug", None) in brief.elements or Element("rug", 1) in brief.elements
    assert "no people -> none is built" in brief.understood


def test_a_photo_of_a_place_is_the_place() -> None:
    brief = _read("a grainy photo of a lake")

    assert brief.setting == "lake_shore" and not brief.is_indoor
    assert "photo -> the place itself" in brief.understood


def test_relation_phrases_are_made_of_words_that_carry_no_thing() -> None:

    for words in relation_words():
        assert len(words) <= LONGEST_RELATION
        assert all(word in FUNCTION_WORDS | NEGATIONS for word in words), words
        assert words not in entries()
