"""TOML briefs: the samples all read, a whole brief comes back equal, a wrong one gets one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immersive.brief import Element, Relation, SceneBrief
from immersive.brief_file import read_brief, write_brief
from immersive.generation.procedural.vocabulary import SETTINGS
from immersive.generation.prompt_reading import words_of
from immersive.generation.understanding import understand
from reconstruction.errors import InvalidInputError
from tests.immersive.labelled_samples import SAMPLES

_SAMPLES = sorted((Path(__file__).resolve().parents[2] / "samples" / "briefs").glob("*.toml"))
# Shown and measured since the first version; nothing of them may be left out but where a thing stands.
_SHOWN = ("cabin_by_the_lake", "cafe_at_night", "desert_morning", "reading_room")


def test_there_are_samples_of_both_worlds_and_every_one_of_ours_is_labelled():
    briefs = [read_brief(path).brief for path in _SAMPLES]

    assert {brief.is_indoor for brief in briefs} == {True, False}
    assert len({brief.setting for brief in briefs}) >= 14
    assert {"dawn", "day", "night", "dusk"} <= {brief.time for brief in briefs}
    assert {path.stem for path in _SAMPLES} == set(SAMPLES) | set(_SHOWN)
    assert len({brief.seed for brief in briefs}) == len(briefs)


@pytest.mark.parametrize("name", _SHOWN)
def test_every_shown_sample_is_understood_to_the_last_word(name):
    read = read_brief(next(path for path in _SAMPLES if path.stem == name))
    related = {
        word
        for element in read.brief.elements
        if element.relation is not None
        for word in (element.kind, element.relation.kind, element.relation.to)
    }

    assert read.title
    assert {word for line in read.brief.left_out for word in words_of(line)} <= related | {"onto"}


@pytest.mark.parametrize("path", _SAMPLES, ids=lambda path: path.stem)
def test_a_brief_that_is_written_and_read_again_is_the_same_scene(path, tmp_path):
    read = read_brief(path)
    whole = tmp_path / "whole.toml"
    whole.write_text(write_brief(read.brief, read.title), "utf-8")

    again = read_brief(whole)

    assert again.title == read.title
    assert again.brief.built() == read.brief.built()
    assert again.brief.digest() == read.brief.digest()
    assert SceneBrief.from_json(read.brief.to_json()) == read.brief


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=80))
def test_any_prompt_survives_the_file(tmp_path_factory, text):
    brief = replace(_cabin(), prompt=" ".join(f"the {text}".split()))
    path = tmp_path_factory.mktemp("brief") / "one.toml"
    path.write_text(write_brief(brief, title=text), "utf-8")

    read = read_brief(path)

    assert read.title == text
    assert read.brief.digest() == replace(brief, prompt=read.brief.prompt).digest()
    assert read.brief.prompt == understand(brief.prompt, needs_known_word=False).prompt


def _cabin() -> SceneBrief:
    return understand("the wooden cabin beside a frozen lake", use_sentence_meanings=False)


def test_keys_reach_the_brief(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text('prompt = "a café"\nseed = 12\nsize = "large"\ndetail = "high"\n', "utf-8")

    read = read_brief(path)

    assert read.title is None
    assert (read.brief.seed, read.brief.size, read.brief.detail) == (12, "large", "high")


def test_the_file_outweighs_its_prompt_and_leaves_the_rest_of_it(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text('prompt = "a large cabin in a misty forest"\ntime = "night"\nsize = "small"\n', "utf-8")

    brief = read_brief(path).brief

    assert (brief.time, brief.size, brief.weather) == ("night", "small", "fog")
    assert [element.kind for element in brief.elements] == ["cabin"]
    assert "time -> as the file says" in brief.understood
    assert not any(line.startswith("time of day") for line in brief.guessed)


def test_edited_elements_are_what_is_built(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text(
        'prompt = "a cabin in a forest"\n'
        '[[elements]]\nkind = "tent"\ncount = 3\nattributes = ["red"]\n'
        'relation = { kind = "around", to = "campfire" }\n'
        '[[elements]]\nkind = "campfire"\n[[elements]]\nkind = "birch"\ncount = 0\n',
        "utf-8",
    )

    brief = read_brief(path).brief

    assert brief.elements == (
        Element("tent", 3, ("red",), Relation("around", "campfire")),
        Element("campfire"),
        Element("birch", 0),
    )
    assert brief.digest() != understand("a cabin in a forest").digest()


def test_a_whole_brief_needs_no_word_that_anybody_knows(tmp_path):
    path = tmp_path / "one.toml"
    whole = write_brief(replace(_cabin(), prompt="une cabane au bord du lac"))
    path.write_text(whole, "utf-8")

    assert read_brief(path).brief.elements == _cabin().elements


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("seed = 1\n", "must hold a prompt"),
        ('prompt = "a hut"\nsed = 1\n', "'sed'"),
        ('prompt = "a hut"\nseed = "1"\n', "seed in .* must be int"),
        ('prompt = "a hut"\nseed = true\n', "seed in .* must be int"),
        ('prompt = "a hut"\nseed = -1\n', "seed in .* must be from 0"),
        ("prompt = [1]\n", "prompt in .* must be str"),
        ('prompt = "a hut\n', "must be TOML"),
        ('prompt = ""\n', "at least one word"),
        ('prompt = "a hut"\nsize = "vast"\n', "size must be one of small, medium, large"),
        ('prompt = "a hut"\nsetting = "moon"\n', "setting in .* must be one of forest, .*; got 'moon'"),
        ('prompt = "a hut"\nsetting = 3\n', "setting in .* must be one of forest"),
        ('prompt = "a hut"\ntime = "noon"\n', "time in .* must be one of dawn, day, dusk, night; got 'noon'"),
        ('prompt = "a hut"\nweather = "hail"\n', "weather in .* must be one of clear, "),
        ('prompt = "a hut"\nseason = []\n', "season in .* must be one of spring, "),
        ('prompt = "a hut"\nstyle = "cozy"\n', "style in .* must be a list of words"),
        ('prompt = "a hut"\nstyle = ["cubist"]\n', "style in .* must be one of bright, .*; got 'cubist'"),
        ('prompt = "a hut"\nelements = 3\n', "elements in .* must be at most 64"),
        ('prompt = "a hut"\nelements = [3]\n', "must be a table with a kind"),
        ('prompt = "a hut"\n[[elements]]\ncount = 1\n', "the kind of an element .* got None"),
        (
            'prompt = "a hut"\n[[elements]]\nkind = "sofa"\n',
            r"\(forest\) must be one of .*; got 'sofa'",
        ),
        ('prompt = "a hut"\n[[elements]]\nkind = "cabin"\ncuont = 1\n', "kind, count, attributes, relation"),
        (
            'prompt = "a hut"\n[[elements]]\nkind = "cabin"\ncount = 4\n',
            "count of cabin in .* must be from 0 to 3, got 4",
        ),
        ('prompt = "a hut"\n[[elements]]\nkind = "cabin"\ncount = 1.5\n', "must be from 0 to 3, got 1.5"),
        ('prompt = "a hut"\n[[elements]]\nkind = "cabin"\ncount = true\n', "must be from 0 to 3, got True"),
        (
            'prompt = "a hut"\n[[elements]]\nkind = "cabin"\nattributes = ["pink"]\n',
            "an attribute of cabin in .* must be one of wooden, .*; got 'pink'",
        ),
        ('prompt = "a hut"\n[[elements]]\nkind = "cabin"\nattributes = "red"\n', "must be a list of words"),
        ('prompt = "a hut"\n[[elements]]\nkind = "cabin"\nrelation = "x"\n', "a table with kind and to"),
        (
            'prompt = "a hut"\n[[elements]]\nkind = "cabin"\nrelation = { kind = "near", to = "lake" }\n',
            "must be one of beside, .*along; got 'near'",
        ),
        (
            'prompt = "a hut"\n[[elements]]\nkind = "cabin"\nrelation = { kind = "on", to = "lake" }\n',
            r"another element of the brief \(none\), got 'lake'",
        ),
        (
            'prompt = "a hut"\n[[elements]]\nkind = "cabin"\nrelation = { kind = "on", to = "cabin" }\n',
            "must lead to another element",
        ),
        (
            'prompt = "a hut"\n[[elements]]\nkind = "lake"\n[[elements]]\nkind = "lake"\n',
            "lake in .* must stand once",
        ),
        ('prompt = "a cabin"\nsetting = "kitchen"\n', "from its prompt.*got 'cabin'"),
    ],
)
def test_a_wrong_brief_is_refused_with_what_is_allowed(tmp_path, text, rule):
    path = tmp_path / "wrong.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(InvalidInputError, match=rule) as caught:
        read_brief(path)

    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'prompt = "caf\xe9"')
    (tmp_path / "large.toml").write_text(f'prompt = "{"word " * 100_000}"')
    (tmp_path / "deep.toml").write_text(f"prompt = {'[' * 20_000}")
    (tmp_path / "nul.toml").write_bytes(b'prompt = "a\x00hut"')
    (tmp_path / "many.toml").write_text('prompt = "a hut"\n' + '[[elements]]\nkind = "cabin"\n' * 65)
    (tmp_path / "long.toml").write_text(f'prompt = "{"word " * 2_000}"')

    for name, rule in (
        ("latin", "TOML in UTF-8"), ("large", "64 KiB"), ("deep", "TOML in UTF-8"), ("nul", "TOML in UTF-8"),
        ("none", "not found"), ("many", "at most 64"), ("long", "at most 2,000 characters, got 10,000"),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match=rule):
            read_brief(tmp_path / f"{name}.toml")


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_every_setting_can_be_asked_for(tmp_path, setting):
    path = tmp_path / "one.toml"
    path.write_text(f'prompt = "the place"\nsetting = "{setting}"\n', "utf-8")

    brief = read_brief(path).brief

    assert (brief.setting, brief.is_indoor) == (setting, SETTINGS[setting].is_indoor)
