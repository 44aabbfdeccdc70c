"""Who looks at prompts and pictures, what is refused, and that nothing is left of it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from immersive.cli import main
from immersive.errors import HostedError, RefusedError
from immersive.generation import backend
from immersive.generation.moderation import HttpModerator, few_of, moderator_for
from immersive.generation.moderation_words import refused_for
from immersive.moderating import moderate_world
from immersive.pipeline import create_scene
from immersive.progress import Silent
from immersive.request import CreateRequest
from immersive.stage_runner import StageRunner
from immersive.stages import StageStore
from immersive.story import create_story
from reconstruction.errors import InvalidInputError
from reconstruction.frames import FrameSequence, Provenance
from tests.immersive.fake_clip_services import KEY
from tests.immersive.labelled_prompts import LABELLED
from tests.immersive.model_server import ModelServer, serving

BAD = "a bedroom with a naked child"
CHILDREN = "sexual content that involves minors"


def verdict(flagged: bool, **categories: bool) -> tuple[int, bytes]:
    found = {"flagged": flagged, "categories": categories, "category_scores": {}}
    return 200, json.dumps({"id": "modr-1", "model": "m", "results": [found]}).encode()


CLEAN, FLAGGED = (
    verdict(False, violence=False),
    verdict(True, violence=True, hate=False, **{"violence/graphic": True}),
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))
    for name in ("", "_URL", "_KEY", "_MODEL"):
        monkeypatch.delenv(f"IMMERSIVE_MODERATION{name}", raising=False)


def variables(server: ModelServer) -> dict[str, str]:
    return {"IMMERSIVE_MODERATION_URL": server.url, "IMMERSIVE_MODERATION_KEY": KEY}


def http(server: ModelServer, **more: str) -> HttpModerator:
    found = moderator_for("http", variables(server) | more, is_shared=False, sleep=[].append)
    assert isinstance(found, HttpModerator)
    return found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (BAD, CHILDREN),
        ("Erotic scene with a 15-year-old", CHILDREN),
        ("p0rn studio, t33n girls", CHILDREN),
        ("sèxual, a SCHOOLGIRL in a classroom", CHILDREN),
        ("a chi\u00adld porn shop", CHILDREN),
        (
            "a workshop wall with instructions for building a pipe bomb",
            "instructions for weapons that kill many",
        ),
        ("a cellar with dismembered bodies", "extreme cruelty shown in detail"),
        ("a monument glorifying genocide", "praise of mass violence"),
        ("a room that shows how to kill yourself", "instructions for self-harm"),
    ],
)
def test_the_list_refuses_what_nobody_should_serve(text: str, what: str) -> None:
    assert refused_for(text) == what


@pytest.mark.parametrize(
    "text",
    [
        "a naked rock cliff above a kids' playground",
        "a gallery of nude marble statues",
        "a Holocaust museum with a reading room",
        "a square where people celebrate the liberation from the Nazis",
        "teenagers' games room with a sofa",
        "a village in Essex, near Middlesex",
        "a castle dungeon with torture instruments",
        "a recipe book and a bath bomb on a table",
        "a battlefield with a memorial to the victims",
        "",
    ],
)
def test_the_list_lets_places_be(text: str) -> None:
    assert refused_for(text) is None


def test_none_of_our_own_prompts_is_refused() -> None:
    refused = [prompt for prompt, *_ in LABELLED if refused_for(prompt)]
    assert refused == []


def test_a_long_text_is_read_in_no_time() -> None:
    assert refused_for("child how to naked sex " * 500) == CHILDREN
    assert refused_for("a lake and a hill " * 800) is None


@pytest.mark.parametrize(
    ("asked", "environment", "is_shared", "who"),
    [
        (None, {}, False, None),
        (None, {}, True, "words"),
        (None, {"IMMERSIVE_MODERATION_URL": "https://m.example/v1"}, False, None),
        (None, {"IMMERSIVE_MODERATION_URL": "https://m.example/v1"}, True, "http"),
        (None, {"IMMERSIVE_MODERATION": "words"}, False, "words"),
        (None, {"IMMERSIVE_MODERATION": "off"}, True, None),
        ("words", {"IMMERSIVE_MODERATION": "off"}, False, "words"),
        ("off", {"IMMERSIVE_MODERATION": "words"}, True, None),
    ],
)
def test_it_is_off_for_oneself_and_on_for_others(
    asked: str | None, environment: dict[str, str], is_shared: bool, who: str | None
) -> None:
    found = moderator_for(asked, environment, is_shared=is_shared)
    assert (None if found is None else found.name) == who


def test_what_is_set_wrongly_is_told() -> None:
    for environment in ({"IMMERSIVE_MODERATION": "strict"}, {"IMMERSIVE_MODERATION": "http"}):
        with pytest.raises(InvalidInputError, match="moderation"):
            moderator_for(None, environment, is_shared=False)
    with pytest.raises(InvalidInputError, match="moderation must be one of off, words, http, got 'strict'"):
        CreateRequest("a lake", moderation="strict")
    far = {"IMMERSIVE_MODERATION_URL": "http://m.example/v1", "IMMERSIVE_MODERATION_KEY": KEY}
    with pytest.raises(InvalidInputError, match="would travel unencrypted") as caught:
        moderator_for("http", far, is_shared=False)
    assert KEY not in str(caught.value)


def test_a_service_is_asked_as_it_expects() -> None:
    picture = np.zeros((300, 900, 3), np.uint8)
    picture[:, :450] = (200, 30, 60)
    with serving(CLEAN) as server:
        moderator = http(server, IMMERSIVE_MODERATION_MODEL="omni")
        moderator.check_prompt("a lake")
        moderator.check_pictures([picture, picture[::-1]])

    assert server.paths == ["/v1/moderations"] * 3
    assert server.asked[0] == {"model": "omni", "input": [{"type": "text", "text": "a lake"}]}
    assert f"Bearer {KEY}" in server.headers[0].values()
    (part,) = server.asked[1]["input"]
    head, _, data = part["image_url"]["url"].partition(",")
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert head == "data:image/jpeg;base64" and seen.shape == (171, 512, 3)
    assert np.abs(seen[80, 100].astype(int) - [200, 30, 60]).max() < 12


def test_a_whole_address_does_too() -> None:
    with serving(CLEAN) as server:
        http(server, IMMERSIVE_MODERATION_URL=f"{server.url}/moderations").check_prompt("a lake")
    assert server.paths == ["/v1/moderations"]


def test_a_refusal_names_categories_and_not_the_words() -> None:
    with serving(FLAGGED) as server:
        with pytest.raises(
            RefusedError,
            match=r"^this prompt is refused by the moderation service: violence, violence/graphic$",
        ) as caught:
            http(server).check_prompt("a terrible thing")
        with pytest.raises(RefusedError, match=r"^these pictures are refused"):
            http(server).check_pictures([np.zeros((9, 12, 3), np.uint8)])
    assert caught.value.hint and caught.value.code == "refused" and "terrible" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, b'{"error": {"message": "bad key"}}'), "does not take the key: bad key"),
        ((429, b"{}"), "is busy"),
        ((500, b"oops"), "failed with status 500"),
        ((200, b"<html>"), "answered something that is not JSON"),
        ((200, b"{}"), "gives no verdict"),
        ((200, b'{"results": [{"flagged": "no"}]}'), "gives no verdict"),
        ((200, b'{"results": []}'), "gives no verdict"),
    ],
)
def test_where_nobody_can_look_nothing_is_made(answer: tuple[int, bytes], words: str) -> None:
    begin = "the prompt could not be checked, so nothing was made: the moderation service"
    with serving(answer) as server, pytest.raises(HostedError) as caught:
        http(server).check_prompt("a lake")
    assert str(caught.value).startswith(f"{begin} {words}") and KEY not in str(caught.value)


def test_a_service_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = {"IMMERSIVE_MODERATION_URL": "http://127.0.0.1:9"}
    found = moderator_for("http", dead, is_shared=False, sleep=[].append)
    assert found is not None
    with pytest.raises(HostedError, match=r"so nothing was made: the moderation service does not answer at"):
        found.check_pictures([np.zeros((9, 12, 3), np.uint8)])


def test_a_few_pictures_are_looked_at() -> None:
    images = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), np.uint8)
    assert [int(picture[0, 0, 0]) for picture in few_of(images)] == [0, 16, 33, 49]
    assert len(few_of(images[:2])) == 2


@pytest.mark.parametrize("arguments", [("create", BAD), ("story", f"A quiet lake. Then {BAD}.")])
def test_a_refused_prompt_is_one_line_and_writes_nothing(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([*arguments, "--moderation", "words", "--json"]) == 1

    problem = json.loads(capsys.readouterr().out)["error"]
    assert problem["code"] == "refused" and problem["hint"]
    assert problem["message"] == f"this prompt is refused: it asks for {CHILDREN}"
    assert not (tmp_path / "home" / "stages").exists() and not list(tmp_path.rglob("*.toml"))


def test_serving_others_turns_it_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert main(["create", BAD, "--lan", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "refused"
    with pytest.raises(RefusedError):
        create_story(["a lake", BAD], is_shared=True)


def test_a_title_is_read_too(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        create_scene(CreateRequest("a lake", title=BAD, moderation="words"), home=tmp_path)


class Filmed:
    """A backend that films at once."""

    name, notes = "procedural", ()

    def generate(self, brief: Any, progress: Any) -> FrameSequence:
        images = np.random.default_rng(1).integers(0, 255, (7, 24, 36, 3), np.uint8)
        return FrameSequence(images, Provenance("procedural", is_generated=True))


def test_refused_pictures_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "load_generator", lambda name, settings: Filmed())
    request = CreateRequest("a lake", is_shared=True)
    with serving(CLEAN, CLEAN, FLAGGED) as server:
        for name, value in variables(server).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RefusedError, match="these pictures are refused"):
            create_scene(request, home=tmp_path)

    assert [body["input"][0]["type"] for body in server.asked] == ["text", "image_url", "image_url"]
    assert list((tmp_path / "stages").iterdir()) == []
    assert not list(tmp_path.rglob("pack.bin"))


def test_pictures_that_nobody_could_look_at_wait_for_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "load_generator", lambda name, settings: Filmed())
    with serving(CLEAN, (401, b"{}")) as server:
        for name, value in variables(server).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(HostedError, match="the pictures could not be checked, so nothing was made"):
            create_scene(CreateRequest("a lake", moderation="http"), home=tmp_path)

    assert len(list((tmp_path / "stages").iterdir())) == 1 and not list(tmp_path.rglob("pack.bin"))


def test_worlds_are_drawn_to_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from immersive.generation.made_world import MadeWorld
    from tests.immersive.fake_world_service import eyed_room, splats_on

    world = MadeWorld(splats_on(eyed_room(), 2_000), Provenance("worlds", is_generated=True))
    runner = StageRunner(StageStore(tmp_path / "stages"), Silent())
    with serving(CLEAN, CLEAN, CLEAN, FLAGGED) as server:
        for name, value in variables(server).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RefusedError):
            moderate_world(CreateRequest("a room", moderation="http"), runner, "digest", world)
        moderate_world(CreateRequest("a room", moderation="words"), runner, "digest", world)

    assert len(server.asked) == 4
    data = server.asked[0]["input"][0]["image_url"]["url"].split(",")[1]
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).std() > 10
