"""The word tables are consistent with each other and with what the worlds can build."""

from __future__ import annotations

import pytest

from immersive.generation import lexicon
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY


def test_the_lexicon_is_as_large_as_recall_needs():
    assert len(lexicon.entries()) >= 600
    assert max(len(words) for words in lexicon.entries()) <= lexicon.LONGEST_ENTRY


def test_every_buildable_thing_can_be_asked_for():
    named = {concept.name for concept in lexicon.concepts()}

    assert set(VOCABULARY) <= named
    assert set(SETTINGS) <= named


def test_no_word_carries_both_grammar_and_meaning():
    single = {words[0] for words in lexicon.entries() if len(words) == 1}

    assert not single & lexicon.FUNCTION_WORDS
    assert not single & lexicon.NEGATIONS
    assert not single & set(lexicon.NUMBERS)


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("chairs", "chair"),
        ("bushes", "bush"),
        ("shelves", "shelf"),
        ("poppies", "poppy"),
        ("cacti", "cactus"),
        ("grass", "grass"),
        ("boxes", "box"),
        ("lenses", "lense"),
        ("iris", "iris"),
    ],
)
def test_plurals_lose_their_ending(plural, singular):
    assert lexicon.singular(plural) == singular


def test_longer_entries_win_over_the_words_they_hold():
    from immersive.generation.prompt_reading import read_items

    items = read_items("a coffee table, a coffee shop", None)

    assert [item.concept.name for item in items if item.concept] == ["coffee_table", "cafe"]
