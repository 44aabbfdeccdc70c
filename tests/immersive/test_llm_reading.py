"""A language model reads prompts through real HTTP on loopback; whatever it says, briefs are sound."""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from immersive.brief import Element, Relation
from immersive.generation.llm_client import LlmSettings, settings_from
from immersive.generation.llm_reading import brief_schema, read_with_model
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY
from immersive.generation.understanding import understand
from immersive.prompt_brief import brief_of
from immersive.stages import StageStore
from reconstruction.errors import InvalidInputError, ModelFailedError
from tests.immersive.model_server import completion, serving

_PROMPT = "une cabane en bois au bord d'un lac gelé, sans bouleaux"
_KEY = "sk-very-secret-4711"
_ANSWER: dict[str, Any] = {
    "setting": "lake_shore",
    "time": "dusk",
    "weather": "clear",
    "season": "winter",
    "size": "large",
    "style": ["serene"],
    "elements": [
        {"kind": "cabin", "count": 2, "attributes": ["wooden"], "relation": {"kind": "beside", "to": "lake"}},
        {"kind": "lake", "count": None, "attributes": ["frozen"], "relation": None},
        {"kind": "birch", "count": 0, "attributes": [], "relation": None},
    ],
    "understood": [
        {"phrase": "une cabane en bois", "meaning": "wooden cabin"},
        {"phrase": "au bord d'un lac gelé", "meaning": "beside a frozen lake"},
    ],
    "guessed": ["time", "weather", "season", "size"],
    "left_out": [],
}


def _settings(url: str, **options: Any) -> LlmSettings:
    return LlmSettings(url, "tiny", **options)


def test_an_answer_becomes_the_brief_and_every_word_has_its_account() -> None:
    with serving(completion(_ANSWER)) as server:
        brief = understand(_PROMPT, seed=3, llm=_settings(server.url, key=_KEY))

    assert (brief.setting, brief.is_indoor, brief.time, brief.season) == (
        "lake_shore",
        False,
        "dusk",
        "winter",
    )
    assert brief.elements == (
        Element("cabin", 2, ("wooden",), Relation("beside", "lake")),
        Element("lake", None, ("frozen",)),
        Element("birch", 0),
    )
    assert brief.size == "medium"  # guessed by the model: the caller's size stands
    assert brief.prompt == _PROMPT and brief.seed == 3
    assert "bouleaux" in brief.left_out  # the model told nothing of this word
    assert "une cabane en bois -> wooden cabin" in brief.understood
    assert "time of day: dusk" in brief.guessed and "words: read by tiny at 127.0.0.1" in brief.guessed


def test_the_question_carries_schema_vocabulary_and_key_once() -> None:
    with serving(completion(_ANSWER)) as server:
        read_with_model(_PROMPT, _settings(server.url, key=_KEY))
        asked, headers, path = server.asked[0], server.headers[0], server.paths[0]

    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {_KEY}"
    assert _KEY not in str(asked)
    assert asked["model"] == "tiny" and asked["messages"][1] == {"role": "user", "content": _PROMPT}
    schema = asked["response_format"]["json_schema"]["schema"]
    assert asked["response_format"]["json_schema"]["strict"] is True
    kinds = schema["properties"]["elements"]["items"]["properties"]["kind"]["enum"]
    assert set(kinds) == set(VOCABULARY)
    assert set(schema["properties"]["setting"]["enum"]) == set(SETTINGS)
    assert all(name in asked["messages"][0]["content"] for name in SETTINGS)


def test_the_schema_is_one_that_strict_servers_take() -> None:
    def check(schema: dict[str, Any]) -> None:
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
        for part in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
            check(part)
        if "items" in schema:
            check(schema["items"])

    check(brief_schema())


def test_without_a_key_none_is_sent() -> None:
    with serving(completion(_ANSWER)) as server:
        read_with_model("a hut", _settings(server.url))

        assert "Authorization" not in server.headers[0]


def test_what_cannot_be_built_is_clamped_and_told() -> None:
    wild = {
        **_ANSWER,
        "time": "teatime",
        "style": ["cubist", "serene", 7],
        "elements": [
            {"kind": "cabin", "count": 900, "attributes": ["golden", "wooden"], "relation": {"kind": "over"}},
            {"kind": "dragon", "count": 1, "attributes": [], "relation": None},
            {"kind": "sofa", "count": 1, "attributes": [], "relation": None},
            {"kind": "lake", "count": -4, "attributes": "frozen", "relation": {"kind": "on", "to": "moon"}},
            {"kind": "lake", "count": 1, "attributes": [], "relation": None},
            {"kind": "rock", "count": True, "attributes": None, "relation": {"kind": "beside", "to": "rock"}},
            "a string", None, 7, [],
        ],
    }  # fmt: skip
    with serving(completion(wild)) as server:
        brief = read_with_model("a hut", _settings(server.url))

    kinds = {element.kind: element for element in brief.elements}
    most = VOCABULARY["cabin"].most
    assert set(kinds) == {"cabin", "lake", "rock"}
    assert (kinds["cabin"].count, kinds["cabin"].attributes) == (most, ("wooden",))
    assert kinds["lake"] == Element("lake", None)
    assert kinds["rock"] == Element("rock", None)
    assert brief.time == "day" and brief.style == ("serene",)
    assert {"dragon", "sofa", "golden (of the cabin)"} <= set(brief.left_out)
    assert any(f"{most} instead of 900" in line for line in brief.guessed)


def _stall(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    threading.Event().wait(1.0)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, so that no single wait is long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(40):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return
        threading.Event().wait(0.05)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, b'{"error": {"message": "Incorrect API key provided: sk-very"}}'), r"refused the key \(401\)"),
        ((404, b"no"), r"is not at that address \(404\)"),
        ((429, b"slow down"), r"takes no more questions for now \(429\)"),
        ((500, b"<html>oops</html>"), "answered with status 500"),
        ((307, b""), "answered with status 307"),
        ((200, b"<html>a portal</html>"), "gave an answer that is no brief"),
        ((200, b"[]"), "gave an answer that is no brief"),
        ((200, b'{"choices": []}'), "gave an answer that is no brief"),
        (completion("Sure! Here is your cabin."), "gave an answer that is no brief"),
        (completion("[1, 2]"), "gave an answer that is no brief"),
        (completion("[" * 50_000), "gave an answer that is no brief"),
        (completion({}), "named no setting"),
        (completion({**_ANSWER, "setting": "moon"}), "named no setting"),
        (completion('{"setting": "for', "length"), "did not finish"),
        ((200, b" " * 300_000), "far too long"),
        (_stall, "did not answer in 0.3 s"),
        (_drip, "did not answer in 0.3 s"),
        (_hang_up, "cannot be reached"),
    ],
)
def test_every_failure_is_one_sentence_and_the_lexicon_takes_over(answer: Any, why: str) -> None:
    with serving(answer) as server:
        # Where an answer is to come, a busy machine may take its time.
        settings = _settings(server.url, key=_KEY, timeout_s=0.3 if answer in (_stall, _drip) else 20.0)
        with pytest.raises(ModelFailedError, match=why) as caught:
            read_with_model("a hut by a lake", settings)
        brief = understand("a hut by a lake", llm=settings, use_sentence_meanings=False)

    assert _KEY not in str(caught.value) and "sk-very" not in str(caught.value)
    assert [e.kind for e in brief.elements] == ["cabin", "lake"]
    assert sum("as the language model" in line for line in brief.guessed) == 1


def test_a_server_that_is_not_there_is_told_and_not_waited_for() -> None:
    brief = understand("a hut", llm=_settings("http://127.0.0.1:9/v1"), use_sentence_meanings=False)

    assert "words: read by lexicon alone, as the language model cannot be reached" in brief.guessed


def test_a_server_without_schemas_is_asked_again_for_plain_json() -> None:
    with serving((400, b"unknown response_format"), completion(_ANSWER)) as server:
        brief = read_with_model("a hut", _settings(server.url))
        formats = [asked["response_format"]["type"] for asked in server.asked]

    assert formats == ["json_schema", "json_object"] and brief.setting == "lake_shore"


def test_the_same_prompt_is_asked_once_and_a_failure_is_not_kept(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "stages")
    with serving((500, b""), completion(_ANSWER)) as server:
        environment = {
            "IMMERSIVE_LLM_URL": server.url,
            "IMMERSIVE_LLM_MODEL": "tiny",
            "IMMERSIVE_LLM_KEY": _KEY,
        }
        first, second, third = (
            brief_of("a hut by a lake", environment=environment, store=store) for _ in range(3)
        )

    assert len(server.asked) == 2
    assert any("as the language model" in line for line in first.guessed)
    assert second == third and second.elements[0].count == 2
    assert all(_KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_key_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_from(
        {
            "IMMERSIVE_LLM_URL": "https://example.org/v1/",
            "IMMERSIVE_LLM_MODEL": "m",
            "IMMERSIVE_LLM_KEY": _KEY,
        }
    )

    assert settings is not None and settings.key == _KEY and settings.url == "https://example.org/v1"
    assert _KEY not in repr(settings) and settings.name == "m at example.org"
    with caplog.at_level(logging.DEBUG), serving(completion(_ANSWER)) as server:
        read_with_model("a hut", _settings(server.url, key=_KEY))
    assert _KEY not in caplog.text


def test_it_is_off_unless_configured() -> None:
    assert settings_from({}) is None
    assert settings_from({"IMMERSIVE_LLM_KEY": _KEY, "IMMERSIVE_LLM_URL": " "}) is None


@pytest.mark.parametrize(
    ("environment", "rule"),
    [
        ({"IMMERSIVE_LLM_URL": "ftp://x/v1", "IMMERSIVE_LLM_MODEL": "m"}, "http or https"),
        ({"IMMERSIVE_LLM_URL": "nonsense", "IMMERSIVE_LLM_MODEL": "m"}, "http or https"),
        ({"IMMERSIVE_LLM_URL": "http://[::1", "IMMERSIVE_LLM_MODEL": "m"}, "http or https"),
        ({"IMMERSIVE_LLM_URL": "https://a:b@x/v1", "IMMERSIVE_LLM_MODEL": "m"}, "without a name or password"),
        ({"IMMERSIVE_LLM_URL": "https://x/v1"}, "IMMERSIVE_LLM_MODEL must name"),
        (
            {"IMMERSIVE_LLM_URL": "http://x/v1", "IMMERSIVE_LLM_MODEL": "m", "IMMERSIVE_LLM_KEY": _KEY},
            "must use https to send a key to x",
        ),
        (
            {"IMMERSIVE_LLM_URL": "https://x/v1", "IMMERSIVE_LLM_MODEL": "m", "IMMERSIVE_LLM_KEY": "a\nb"},
            "printable ASCII",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused_without_the_key(environment: dict[str, str], rule: str) -> None:
    with pytest.raises(InvalidInputError, match=rule) as caught:
        settings_from(environment)

    assert _KEY not in str(caught.value)
