"""Stories filmed by hosted models within one limit of cost, and stories cut and read by a language model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from immersive import story
from immersive.cli import main
from immersive.errors import TooDearError
from immersive.generation.storyboard import plan_story
from immersive.pipeline import BuiltScene
from immersive.request import CreateRequest
from immersive.stages import StageStore
from immersive.story import create_story, make_story
from reconstruction.errors import InvalidInputError, MissingBackendError
from tests.immersive.model_server import completion, serving
from tests.immersive.test_story import meadow

STORY = "Une cabane au bord d'un lac. Derrière la porte, un salon avec un canapé bleu."
PIECES = ["Une cabane au bord d'un lac.", "Derrière la porte, un salon avec un canapé bleu."]
_KEY = "sk-very-secret-4712"


def answer(
    setting: str, *kinds: str, guessed: tuple[str, ...] = ("time", "weather", "season")
) -> dict[str, Any]:
    things = [{"kind": kind, "count": None, "attributes": [], "relation": None} for kind in kinds]
    light = {"time": "dusk" if "time" not in guessed else "day", "weather": "clear", "season": "summer"}
    return {
        **light, "setting": setting, "size": "medium", "style": [], "elements": things, "understood": [],
        "guessed": list(guessed), "left_out": [],
    }  # fmt: skip


LAKE = answer("lake_shore", "cabin", "lake", guessed=("weather", "season"))
ROOM = answer("living_room", "sofa")


def model(url: str) -> dict[str, str]:
    return {"IMMERSIVE_LLM_URL": url, "IMMERSIVE_LLM_MODEL": "tiny", "IMMERSIVE_LLM_KEY": _KEY}


def test_a_language_model_cuts_a_paragraph_and_reads_each_place(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "stages")
    with serving(completion({"places": PIECES}), completion(LAKE), completion(ROOM)) as server:
        made = plan_story(STORY, seed=5, environment=model(server.url), store=store)
        again = plan_story(STORY, seed=5, environment=model(server.url), store=store)

    assert [brief.setting for brief in made.briefs] == ["lake_shore", "living_room"]
    assert [brief.prompt for brief in made.briefs] == PIECES and len(server.asked) == 3
    assert made.notes == ("cut into places by tiny at 127.0.0.1",) and again == made
    assert made.briefs[1].time == "dusk" and "time of day: dusk, as before" in made.briefs[1].guessed
    asked = server.asked[0]
    assert asked["messages"][1]["content"] == STORY and _KEY not in str(server.asked)
    assert asked["response_format"]["json_schema"]["name"] == "story"
    assert all(_KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_prompts_of_ones_own_are_only_read(tmp_path: Path) -> None:
    with serving(completion(LAKE), completion(ROOM)) as server:
        made = plan_story(PIECES, environment=model(server.url))

    assert len(server.asked) == 2 and made.notes == ()
    assert {element.kind for element in made.briefs[0].elements} == {"cabin", "lake"}


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((500, b"oops"), "answered with status 500"),
        ((401, b"no"), r"refused the key \(401\)"),
        (completion("no idea"), "gave an answer that is no brief"),
        (completion({"places": "two"}), "gave an answer that is no list of places"),
        (completion({"places": [1, 2]}), "gave an answer that is no list of places"),
        (completion({"places": []}), "found 0 places in the story"),
        (completion({"places": ["a forest with a path", " ...", ""]}), "found 1 place in the story"),
        (completion({"places": ["forest"] * 9}), "found 9 places in the story"),
        (
            completion({"places": ["A forest", "a living room with a dragon"]}),
            "put a word into the story that is not in it, 'dragon'",
        ),
    ],
)
def test_where_it_fails_the_grammar_cuts_and_says_so(reply: Any, why: str, tmp_path: Path) -> None:
    text = "A forest with a path. Inside is a living room with a sofa."
    store = StageStore(tmp_path / "stages")
    # What reads the places fails as well, or gives what is no brief; the lexicon takes over.
    with serving(reply) as server:
        made = plan_story(text, environment=model(server.url), store=store)

    assert [brief.setting for brief in made.briefs] == ["forest", "living_room"]
    (note,) = made.notes
    assert re.fullmatch(f"cut into places by grammar, as the language model {why}.*", note)
    assert all(any("as the language model" in line for line in brief.guessed) for brief in made.briefs)
    assert not (tmp_path / "stages").exists()  # a failure is not kept: the model is asked again


def test_words_that_it_loses_are_told_and_other_scripts_are_cut_within_words(tmp_path: Path) -> None:
    pieces = ["A forest with a path.", "Inside is a living room."]
    text = "A forest with a path. A forgotten fountain. Inside is a living room."
    with serving(completion({"places": pieces}), completion(LAKE), completion(ROOM)) as server:
        made = plan_story(text, environment=model(server.url))
    assert {"forgotten", "fountain"} <= set(made.briefs[0].left_out)

    with serving(
        completion({"places": ["湖边的小屋", "屋里有沙发"]}), completion(LAKE), completion(ROOM)
    ) as server:
        made = plan_story("湖边的小屋屋里有沙发", environment=model(server.url))
    assert [brief.prompt for brief in made.briefs] == ["湖边的小屋", "屋里有沙发"]


def test_settings_that_do_not_fit_are_told() -> None:
    with pytest.raises(InvalidInputError, match="IMMERSIVE_LLM_MODEL must name"):
        plan_story(STORY, environment={"IMMERSIVE_LLM_URL": "http://127.0.0.1:9/v1"})


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> list[CreateRequest]:
    """A hosted model at 0.80 USD a clip, and the requests that places are built of."""
    monkeypatch.setenv("IMMERSIVE_VIDEOS_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("IMMERSIVE_VIDEOS_USD_PER_S", "0.1")
    built: list[CreateRequest] = []

    def build(runner: Any, recipe: Any) -> BuiltScene:
        built.append(recipe.request)
        return meadow(recipe.request.prompt)

    monkeypatch.setattr(story, "build_scene", build)
    return built


def test_a_storys_limit_is_for_all_its_places(tmp_path: Path, priced: list[CreateRequest]) -> None:
    text = ["a meadow", "a forest", "a beach"]
    with pytest.raises(TooDearError) as caught:
        create_story(text, home=tmp_path, backend="videos", most_cost_usd=2.0)
    assert str(caught.value) == (
        "videos would cost about 2.40 USD for 3 clips, more than the 2 allowed; nothing was ordered"
    )
    assert priced == []

    made = create_story(text, home=tmp_path, backend="videos", most_cost_usd=2.4, extend=2)
    again = create_story(text, home=tmp_path, backend="videos", most_cost_usd=0.1, extend=2)

    assert [request.backend for request in priced] == 3 * ["videos"]
    # Each place keeps to its share, whatever it is extended by.
    assert [request.most_cost_usd for request in priced] == 3 * [pytest.approx(0.8)]
    assert [request.extend for request in priced] == 3 * [2] and len(made.records) == 3
    assert again.records == made.records  # what is there costs nothing


def test_a_limit_needs_a_price_and_a_backend_its_key(tmp_path: Path, priced, monkeypatch) -> None:
    monkeypatch.delenv("IMMERSIVE_VIDEOS_USD_PER_S")
    board = plan_story(["a meadow", "a forest"])
    with pytest.raises(TooDearError, match="what videos costs is not known"):
        make_story(board, CreateRequest("x", backend="videos", most_cost_usd=9.0), home=tmp_path)
    monkeypatch.delenv("RUNWAYML_API_SECRET", raising=False)
    with pytest.raises(MissingBackendError, match=r"runway.*RUNWAYML_API_SECRET"):
        make_story(board, CreateRequest("x", backend="runway", most_cost_usd=9.0), home=tmp_path)
    assert priced == []


def test_the_command_line_films_stories(tmp_path: Path, priced, monkeypatch, capsys) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))
    command = ["story", "a meadow", "a forest", "--backend", "videos=m", "--json"]
    assert main([*command, "--max-cost", "1"]) == 1
    assert "for 2 clips, more than the 1 allowed" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main([*command, "--max-cost", "4", "--extend", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["places"]) == 2 and priced[0].backend == "videos=m" and priced[0].extend == 1
    assert main(["story", "a meadow", "a forest", "--image", "x.jpg"]) == 2


def test_the_command_line_asks_the_language_model(tmp_path: Path, priced, monkeypatch, capsys) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))
    with serving(completion({"places": PIECES}), completion(LAKE), completion(ROOM)) as server:
        for name, value in model(server.url).items():
            monkeypatch.setenv(name, value)
        assert main(["story", STORY, "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["notes"][0] == "cut into places by tiny at 127.0.0.1"
    assert [place["brief"]["setting"] for place in told["places"]] == ["lake_shore", "living_room"]
