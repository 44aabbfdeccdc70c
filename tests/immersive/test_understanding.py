"""Prompts become briefs: nothing is dropped, nothing is invented silently, and bad prompts are refused."""

from __future__ import annotations

import string
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immersive.brief import Relation, SceneBrief, Season, TimeOfDay, Weather
from immersive.generation.grammar_words import FUNCTION_WORDS
from immersive.generation.lexicon import entries
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY
from immersive.generation.prompt_reading import words_of
from immersive.generation.sentence_embedding import SentenceEmbedding, load_sentence_embedding
from immersive.generation.understanding import LONGEST_PROMPT, understand
from reconstruction.errors import InvalidInputError
from tests.bench.understanding import score
from tests.immersive.labelled_prompts import LABELLED
from tests.immersive.labelled_samples import Labels


def _read(prompt: str, **options) -> SceneBrief:
    return understand(prompt, use_sentence_meanings=False, **options)


def _element(brief: SceneBrief, kind: str):
    return next(element for element in brief.elements if element.kind == kind)


def _accounted(brief: SceneBrief) -> set[str]:
    left_sides = [line.rsplit(" -> ", 1)[0] for line in brief.understood]
    return {word for text in (*left_sides, *brief.left_out) for word in words_of(text)}


def _assert_complete(brief: SceneBrief, prompt: str) -> None:
    content = {word for word in words_of(prompt) if word not in FUNCTION_WORDS}
    assert content <= _accounted(brief)
    assert brief.setting in SETTINGS
    assert SETTINGS[brief.setting].is_indoor == brief.is_indoor
    assert brief.time in get_args(TimeOfDay)
    assert brief.weather in get_args(Weather)
    assert brief.season in get_args(Season)
    for element in brief.elements:
        kind = VOCABULARY[element.kind]
        assert kind.stands(is_indoor=brief.is_indoor)
        assert set(element.attributes) <= set(kind.attributes)
        assert element.count is None or 0 <= element.count <= kind.most


def test_the_whole_of_a_rich_prompt_is_understood():
    brief = _read("a misty pine forest with a wooden cabin beside a frozen lake at dusk")

    assert (brief.setting, brief.time, brief.weather, brief.season) == ("forest", "dusk", "fog", "winter")
    assert _element(brief, "cabin").attributes == ("wooden",)
    assert _element(brief, "lake").attributes == ("frozen",)
    assert _element(brief, "pine").count is None
    assert _element(brief, "cabin").relation == Relation("beside", "lake")
    assert not {word for line in brief.left_out for word in words_of(line)} - {"cabin", "beside", "lake"}
    assert "wooden cabin -> cabin (wooden)" in brief.understood


def test_counts_and_colours_reach_their_own_thing():
    brief = _read("three red chairs around a round table and a blue rug in a dining room")

    assert (_element(brief, "chair").count, _element(brief, "chair").attributes) == (3, ("red",))
    assert _element(brief, "dining_table").attributes == ("round",)
    assert _element(brief, "rug").attributes == ("blue",)
    assert brief.setting == "dining_room"


def test_a_description_may_follow_its_thing():
    brief = _read("a living room where the sofa is green. The walls are blue")

    assert _element(brief, "sofa").attributes == ("green",)
    assert _element(brief, "wall").attributes == ("blue",)


@pytest.mark.parametrize(
    ("prompt", "absent"),
    [
        ("a forest with no rocks", {"rock"}),
        ("a forest without birches or rocks", {"birch", "rock"}),
        (
            "a meadow without trees and a cabin",
            {"pine", "birch", "broadleaf", "palm", "dead_tree", "cherry_tree"},
        ),
        ("a bedroom without windows, with a rug", {"window"}),
    ],
)
def test_what_is_ruled_out_is_counted_as_none(prompt, absent):
    brief = _read(prompt)

    assert {element.kind for element in brief.elements if element.count == 0} == absent
    assert brief.left_out == ()


def test_ruling_out_ends_where_the_next_thing_begins():
    brief = _read("a forest without people, a cabin and a lake")

    assert _element(brief, "cabin").count == 1
    assert _element(brief, "lake").count != 0
    assert "without people -> none is built" in brief.understood


def test_more_than_can_be_built_is_reduced_and_said():
    brief = _read("a forest with 5000 pines")

    most = VOCABULARY["pine"].most
    assert _element(brief, "pine").count == most
    assert any(f"{most} instead of 5000" in line for line in brief.guessed)


def test_what_no_world_builds_is_left_out_with_its_description():
    brief = _read("a forest with a golden minaret and a dragon")

    assert set(brief.left_out) == {"golden", "minaret", "dragon"}


def test_a_stand_in_is_confessed():
    brief = _read("a meadow with a sculpture")

    assert _element(brief, "statue").count == 1
    assert any(line == "sculpture: built as statue" for line in brief.guessed)


def test_outdoor_things_in_a_room_are_seen_through_its_windows():
    brief = _read("a bedroom overlooking snowy mountains")

    assert brief.is_indoor
    assert "mountain_view" in _element(brief, "window").attributes


def test_everything_not_said_is_listed_as_guessed():
    brief = _read("a cabin")

    guessed = " ".join(brief.guessed)
    for slot in ("setting:", "time of day:", "weather:", "season:", "lexicon alone"):
        assert slot in guessed


def test_words_of_other_languages_are_left_out():
    brief = _read("a forest, ein Wald mit Hütte, 森の中の小屋, хижина")

    assert {"Wald", "Hütte", "森の中の小屋", "хижина"} <= set(brief.left_out)


def test_the_room_may_be_given_a_size():
    assert _read("a small kitchen").size == "small"
    assert _read("a spacious kitchen", size="small").size == "large"
    assert _read("a kitchen", size="small").size == "small"


@pytest.mark.parametrize(
    "bad", ["", "   \n\t", "?!…", "a\x00forest", "a\x1b[31mforest", "\ud800", None, 7, b"a"]
)
def test_a_prompt_that_is_not_text_is_refused_with_a_hint(bad):
    with pytest.raises(InvalidInputError) as caught:
        understand(bad)

    assert caught.value.code == "invalid_input"
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_prompt_is_refused_one_character_past_the_limit():
    assert _read("the forest " + "a" * (LONGEST_PROMPT - 11)).left_out
    with pytest.raises(InvalidInputError, match="2,001"):
        understand("a" * (LONGEST_PROMPT + 1))


@pytest.mark.parametrize("options", [{"size": "huge"}, {"detail": "best"}])
def test_unknown_options_are_refused(options):
    with pytest.raises(InvalidInputError, match="must be one of"):
        understand("a forest", **options)


_WORDS = sorted({" ".join(words) for words in entries()})
_LOOSE = st.sampled_from(
    [*_WORDS, "and", "or", "with", "without", "no", "not", "a", "the", ",", ".", "three", "17"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(_LOOSE, st.text(string.ascii_letters + "'-é", min_size=1, max_size=9)),
        min_size=1,
        max_size=14,
    )
)
def test_no_content_word_is_ever_dropped(parts):
    prompt = " ".join(parts)
    if not any(character.isalnum() for character in prompt):
        return

    brief = _read(prompt, needs_known_word=False)

    _assert_complete(brief, prompt)
    assert brief == _read(prompt, needs_known_word=False)


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_text_is_read_or_refused(prompt):
    try:
        brief = _read(prompt)
    except InvalidInputError as error:
        assert error.hint
    else:
        _assert_complete(brief, brief.prompt)


def test_the_lexicon_alone_finds_most_of_what_people_name():
    precision, recall = _score(use_sentence_meanings=False)

    # The labels were written by the author of the lexicon, so expect less of strangers.
    assert precision > 0.9
    assert recall > 0.8


def _score(*, use_sentence_meanings: bool) -> tuple[float, float]:
    prompts = [(prompt, Labels(labels)) for prompt, labels in LABELLED]
    things = score(prompts, use_sentence_meanings=use_sentence_meanings)["things"]
    return things.precision, things.recall


@pytest.fixture(scope="module")
def model() -> SentenceEmbedding:
    found = load_sentence_embedding()
    if found is None:
        pytest.skip("the sentence model is not installed; `make setup` installs it")
    return found


def test_sentence_vectors_do_not_depend_on_what_else_is_in_the_batch(model):
    together = model(["a pine forest", "a very long phrase about a leather sofa in a quiet room", "tarn"])

    for row, phrase in zip(
        together,
        ["a pine forest", "a very long phrase about a leather sofa in a quiet room", "tarn"],
        strict=True,
    ):
        np.testing.assert_allclose(model([phrase])[0], row, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_like_meanings_are_nearer_than_unlike_ones(model):
    couch, sofa, storm = model(["a comfortable couch", "a soft sofa", "a violent thunderstorm"])

    assert couch @ sofa > 0.6
    assert couch @ storm < 0.3


def test_sentence_meanings_find_words_the_lexicon_lacks(model):
    brief = understand("a mere with spinneys and a gloaming bothy")
    more = understand("a pineland with a bothy")

    assert any("sentence meanings" in line for line in brief.guessed)
    assert any("taken to mean" in line for line in (*brief.guessed, *more.guessed))
    _assert_complete(brief, brief.prompt)


def test_sentence_meanings_do_not_furnish_the_world_with_dragons(model):
    brief = understand("a forest with a dragon, a pianist and a submarine")

    assert {element.kind for element in brief.elements} == set()
    assert set(brief.left_out) == {"dragon", "pianist", "submarine"}


def test_sentence_meanings_raise_recall_at_a_bearable_price(model):
    alone = _score(use_sentence_meanings=False)
    both = _score(use_sentence_meanings=True)

    assert both[1] >= alone[1]
    assert both[0] > 0.85


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(InvalidInputError, match="sha256") as caught:
        SentenceEmbedding(tmp_path)

    assert caught.value.hint


def test_a_missing_weights_file_is_refused_by_name(tmp_path):
    with pytest.raises(InvalidInputError, match=r"model\.safetensors"):
        SentenceEmbedding(tmp_path)


def test_the_number_of_a_second_setting_is_that_of_its_things():
    brief = _read("alps with three alleys")

    assert _element(brief, "house").count == 3
    assert any(line.startswith("three alleys -> 3 house") for line in brief.understood)
    assert brief.left_out == ()
