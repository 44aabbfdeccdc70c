"""What people paste by mistake or on purpose: a brief with its account, or one sentence with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from immersive.brief import SceneBrief
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY
from immersive.generation.understanding import LONGEST_PROMPT, understand
from reconstruction.errors import InvalidInputError


def _kinds(brief: SceneBrief) -> dict[str, int | None]:
    return {element.kind: element.count for element in brief.elements}


def _assert_sound(brief: SceneBrief) -> None:
    assert brief.setting in SETTINGS and SETTINGS[brief.setting].is_indoor == brief.is_indoor
    for element in brief.elements:
        kind = VOCABULARY[element.kind]
        assert kind.stands(is_indoor=brief.is_indoor)
        assert element.count is None or 0 <= element.count <= kind.most
        if element.relation is not None:
            assert element.relation.to in _kinds(brief) and element.relation.to != element.kind
    assert SceneBrief.from_json(brief.to_json()) == brief


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [
        ("a forest " * 1_200, "at most 2,000 characters, got 10,800"),
        ("🌲🏠🌊", "at least one word"),
        ("....", "at least one word"),
        ("a forest\x00", r"control characters, got U\+0000"),
        ("a\x1b[2Jforest", r"control characters, got U\+001B"),
        ("a forest\x7f", r"control characters, got U\+007F"),
        ("\ud83d forest", r"control characters, got U\+D83D"),
        ("森の中の小屋", "no word of the prompt is known, got '森の中の小屋'"),
        ("хижина у замёрзшего озера", "no word of the prompt is known"),
        ("una cabaña a la orilla del lago", "no word of the prompt is known"),
        ("كوخ بجانب بحيرة", "no word of the prompt is known"),
        ("asdf qwer zxcv", "no word of the prompt is known"),
        ("../../etc/passwd", "no word of the prompt is known"),
        ("x" * LONGEST_PROMPT, "no word of the prompt is known, got 'x{59}…'"),
    ],
)
def test_what_nobody_could_build_is_told_in_one_sentence(prompt: str, rule: str) -> None:
    with pytest.raises(InvalidInputError, match=rule) as caught:
        understand(prompt)

    assert caught.value.hint and "\n" not in str(caught.value)


def test_other_languages_are_told_what_helps() -> None:
    with pytest.raises(InvalidInputError) as caught:
        understand("eine Hütte am See")

    assert caught.value.hint is not None
    assert "English" in caught.value.hint and "IMMERSIVE_LLM_URL" in caught.value.hint


def test_a_prompt_that_is_half_in_another_language_says_so() -> None:
    brief = understand("the lake, auf dem Weg zur verschneiten Berghütte", use_sentence_meanings=False)

    assert any(line.startswith("language: English, though") for line in brief.guessed)
    assert {"Weg", "verschneiten", "Berghütte"} <= set(brief.left_out)


@pytest.mark.parametrize(
    "prompt",
    [
        "a photo of nothing",
        "a sunny night without a sun",
        "a forest without trees",
        "a treeless forest with two pines",
        "a cabin and no cabin",
        "a frozen lake in a hot summer desert, raining snow at noon by night",
        "a room without walls, floor or ceiling",
        "no no no not without never",
        "a cabin beside beside beside",
        "beside the",
        "on the under the",
        "a chair around a chair on a chair",
        "0 cabins and -3 boats and 999999 lakes and 10000000 pines",
        "the ../../etc/passwd of a forest",
        "a forest <script>alert(1)</script> & <b>bold</b>",
        "a lake'; DROP TABLE scenes; --",
        "a lake {setting} %s ${HOME} $(reboot) `ls`",
        "[red]a lake[/red] [link=file:///etc/passwd]boat[/link]",
        "a forest 🌲🌲🌲 with a 🏠 and a lake 🌊",
        "a\tlake\r\nand\n\na boat",
        "a\u202elake\u202c with a\u200bboat",
        "A CABIN BESIDE A LAKE!!!",
        "the lake" + ", a boat" * 200,
        "a lake " + "very " * 350 + "big",
        "the (((((((((((((((((((((lake",
    ],
)
def test_what_is_odd_or_contradicts_itself_is_a_brief_all_the_same(prompt: str) -> None:
    brief = understand(prompt)

    _assert_sound(brief)
    assert brief == understand(prompt)


def test_contradictions_are_settled_and_told() -> None:
    night = understand("a sunny night without a sun")
    bare = understand("a forest without trees")
    both = understand("a cabin and no cabin")
    twice = understand("a lake at noon by night")

    assert (night.time, night.weather) == ("night", "clear") and "without sun -> none" in night.understood
    assert (
        bare.setting == "forest"
        and _kinds(bare)["pine"] == 0
        and "without trees -> no tree" in bare.understood
    )
    assert _kinds(both) in ({"cabin": 0}, {"cabin": 1})
    assert twice.time == "day" and twice.left_out == ("night",)


def test_paths_and_markup_are_words_and_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    path = understand("the forest of ../../etc/passwd")
    markup = understand("a forest <script>alert(1)</script>")

    assert {"etc", "passwd"} <= set(path.left_out) and path.prompt == "the forest of ../../etc/passwd"
    assert {"script", "alert", "1"} <= {word for line in markup.left_out for word in line.split()}
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_a_place_of_guesses() -> None:
    brief = understand("a photo of nothing")

    assert brief.left_out == ("nothing",) and brief.elements == ()
    assert any(line.startswith("setting:") for line in brief.guessed)
