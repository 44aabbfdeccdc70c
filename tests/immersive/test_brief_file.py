"""TOML briefs: the samples all read; a wrong file is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from immersive.brief_file import read_brief
from reconstruction.errors import InvalidInputError

_SAMPLES = sorted((Path(__file__).resolve().parents[2] / "samples" / "briefs").glob("*.toml"))


def test_there_are_samples_of_both_worlds():
    briefs = [read_brief(path).brief for path in _SAMPLES]

    assert len(briefs) >= 3
    assert {brief.is_indoor for brief in briefs} == {True, False}
    assert len({brief.setting for brief in briefs}) == len(briefs)
    assert {"day", "night", "dusk"} <= {brief.time for brief in briefs}


@pytest.mark.parametrize("path", _SAMPLES, ids=lambda path: path.stem)
def test_every_sample_is_understood_to_the_last_word(path):
    read = read_brief(path)

    assert read.title
    assert read.brief.left_out == ()


def test_keys_reach_the_brief(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text('prompt = "a café"\nseed = 12\nsize = "large"\ndetail = "high"\n', "utf-8")

    read = read_brief(path)

    assert read.title is None
    assert (read.brief.seed, read.brief.size, read.brief.detail) == (12, "large", "high")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("seed = 1\n", "must hold a prompt"),
        ('prompt = "a hut"\nsed = 1\n', "'sed'"),
        ('prompt = "a hut"\nseed = "1"\n', "seed in .* must be int"),
        ('prompt = "a hut"\nseed = true\n', "seed in .* must be int"),
        ("prompt = [1]\n", "prompt in .* must be str"),
        ('prompt = "a hut\n', "must be TOML"),
        ('prompt = ""\n', "at least one word"),
        ('prompt = "a hut"\nsize = "vast"\n', "size must be one of"),
    ],
)
def test_a_wrong_brief_is_refused(tmp_path, text, rule):
    path = tmp_path / "wrong.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(InvalidInputError, match=rule):
        read_brief(path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'prompt = "caf\xe9"')
    (tmp_path / "large.toml").write_text("#" * 70_000)

    with pytest.raises(InvalidInputError, match="TOML in UTF-8"):
        read_brief(tmp_path / "latin.toml")
    with pytest.raises(InvalidInputError, match="64 KiB"):
        read_brief(tmp_path / "large.toml")
    with pytest.raises(InvalidInputError, match="not found"):
        read_brief(tmp_path / "none.toml")
