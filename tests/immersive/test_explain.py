"""`create --explain` shows a brief and ends; what is shown, written or edited is what is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from immersive import create_command, sources
from immersive.brief import Element, SceneBrief
from immersive.cli import main
from immersive.generation.understanding import understand
from immersive.prompt_brief import brief_of
from immersive.request import CreateRequest
from immersive.sources import plan_source
from reconstruction.errors import InvalidInputError
from tests.immersive.model_server import completion, serving

_PROMPT = "two chairs at a table, a [bold]sofa[/bold] behind the dragon, a rug under the table"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))
    for name in ("URL", "MODEL", "KEY"):
        monkeypatch.delenv(f"IMMERSIVE_LLM_{name}", raising=False)


def test_the_account_is_shown_and_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["create", _PROMPT, "--explain"]) == 0

    shown = capsys.readouterr().out
    assert "understood" in shown and "guessed" in shown and "left out" in shown
    assert "dragon" in shown and "chair around dining table" in shown
    assert not (tmp_path / "home").exists()


def test_json_is_the_brief_itself(capsys: pytest.CaptureFixture) -> None:
    assert main(["create", _PROMPT, "--explain", "--json", "--seed", "9", "--size", "small"]) == 0

    brief = SceneBrief.from_json(capsys.readouterr().out)
    assert brief == understand(_PROMPT, seed=9, size="small")


def test_a_written_brief_is_edited_and_built_as_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "brief.toml"
    assert main(["create", _PROMPT, "--explain", "--out", str(file), "--title", "Mine", "--seed", "5"]) == 0
    text = file.read_text("utf-8")
    assert 'title = "Mine"' in text and "# left out: dragon" in text
    file.write_text(text.replace('kind = "chair"\ncount = 2', 'kind = "chair"\ncount = 7'), "utf-8")

    built: list[CreateRequest] = []
    shown: list[SceneBrief] = []
    _capture(monkeypatch, built, shown)
    capsys.readouterr()
    with pytest.raises(_Enough):
        main(["create", "--brief", str(file), "--seed", "6"])

    (request,), (seen,) = built, shown
    assert request.brief is seen  # the same object, not one understood a second time
    assert (request.title, request.seed, request.prompt) == ("Mine", 6, _PROMPT)
    assert next(element for element in seen.elements if element.kind == "chair").count == 7
    assert plan_source(request).brief is seen


def test_a_prompt_is_understood_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[CreateRequest] = []
    shown: list[SceneBrief] = []
    _capture(monkeypatch, built, shown)
    with pytest.raises(_Enough):
        main(["create", "a hut by a lake"])

    monkeypatch.setattr(sources, "plan_source", plan_source)
    assert built[0].brief is shown[0] and plan_source(built[0]).brief is shown[0]


class _Enough(Exception):
    """Stops `create` where the work would begin."""


def _capture(monkeypatch: pytest.MonkeyPatch, built: list[CreateRequest], shown: list[SceneBrief]) -> None:
    from immersive import pipeline, summary

    def create_scene(request: CreateRequest, **_: Any) -> None:
        built.append(request)
        raise _Enough

    monkeypatch.setattr(pipeline, "create_scene", create_scene)
    monkeypatch.setattr(summary, "show_brief", lambda console, brief: shown.append(brief))


def test_equal_briefs_have_equal_digests_whatever_their_accounts_say() -> None:
    one = understand("a cabin beside a lake", use_sentence_meanings=False)
    other = understand("a cabin beside a lake")
    assert one.guessed != other.guessed

    assert one.digest() == other.digest()
    assert plan_source(CreateRequest(brief=one)).digest == plan_source(CreateRequest(brief=other)).digest
    assert one.digest() == understand("a cabin  beside\na lake").digest()
    assert one.digest() != understand("a cabin beside a lake", seed=1).digest()
    assert one.digest() != understand("a cabin behind a lake").digest()


def test_a_request_takes_everything_from_its_brief() -> None:
    brief = SceneBrief("a hut", seed=8, size="large", detail="high", elements=(Element("cabin"),))

    request = CreateRequest(brief=brief)

    assert (request.prompt, request.seed, request.size, request.quality) == ("a hut", 8, "large", "high")
    assert request.kind == "prompt"
    with pytest.raises(InvalidInputError, match="a prompt and a brief"):
        CreateRequest(prompt="a barn", brief=brief)
    with pytest.raises(InvalidInputError, match="one source"):
        CreateRequest(brief=brief, video=Path("walk.mp4"))


def test_a_language_model_of_the_environment_reads_the_prompt_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    answer = {"setting": "beach", "elements": [{"kind": "boat", "count": 2}], "time": "dawn"}
    with serving(completion(answer)) as server:
        monkeypatch.setenv("IMMERSIVE_LLM_URL", server.url)
        monkeypatch.setenv("IMMERSIVE_LLM_MODEL", "tiny")
        monkeypatch.setenv("IMMERSIVE_LLM_KEY", "sk-never-shown")
        assert main(["create", "deux bateaux sur la plage", "--explain"]) == 0
        first = capsys.readouterr()
        assert main(["create", "deux bateaux sur la plage", "--explain", "--json"]) == 0
        second = capsys.readouterr()

    assert len(server.asked) == 1
    assert "words: read by tiny at 127.0.0.1" in first.out and "sk-never-shown" not in first.out + first.err
    assert json.loads(second.out)["setting"] == "beach"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "a hut", "--explain", "--out", "scene.glb"), ".toml"),
        (("create", "a hut", "--explain", "--out", "no/such/folder/brief.toml"), "does not exist"),
        (("create", "--images", ".", "--explain"), "only a prompt or a brief"),
        (("create", "--brief", "no-such.toml", "--explain"), "not found"),
        (("create", "une cabane au bord du lac", "--explain"), "no word of the prompt is known"),
    ],
)
def test_what_cannot_be_explained_is_said(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([*arguments, "--json"]) == 1

    problem = json.loads(capsys.readouterr().out)["error"]
    assert words in problem["message"] and problem["hint"]
    assert not (tmp_path / "home").exists()


def test_options_outweigh_a_brief_file_and_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "b.toml"
    file.write_text('prompt = "a large bedroom"\nseed = 3\n', "utf-8")

    found, _ = create_command.edited_brief(file, seed=None, size="small", quality="high")
    assert (found.seed, found.size, found.detail) == (3, "small", "high")
    assert brief_of("a large bedroom").size == "large"
    assert main(["create", "--brief", str(file), "--size", "vast", "--explain"]) == 1
    assert "must be one of small, medium, large" in capsys.readouterr().err
