"""Hosted models against a server on loopback: what is sent, what is paid, and what every failure says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from immersive.brief import SceneBrief
from immersive.errors import HostedError
from immersive.generation.backend import BackendSettings, load_generator
from immersive.generation.hosted import jobs
from immersive.generation.hosted.generator import FAMILIES, create, missing_variables
from immersive.generation.hosted.jobs import JobState
from immersive.generation.hosted.transport import Transport
from immersive.generation.understanding import understand
from reconstruction.errors import CancelledError, InvalidInputError, MissingBackendError
from reconstruction.video import read_clip
from tests.immersive.fake_clip_services import KEY, FakeService, running
from tests.reconstruction.clips import sliding, write_clip

BRIEF = SceneBrief(prompt="A cabin by a lake.", seed=11, time="dusk", weather="fog")
VARIABLES = {
    "videos": ("IMMERSIVE_VIDEOS_KEY", "IMMERSIVE_VIDEOS_URL", "/v1"),
    "gemini-omni": ("GEMINI_API_KEY", "IMMERSIVE_GEMINI_URL", ""),
    "veo": ("IMMERSIVE_VERTEX_TOKEN", "IMMERSIVE_VERTEX_URL", ""),
    "runway": ("RUNWAYML_API_SECRET", "IMMERSIVE_RUNWAY_URL", ""),
    "luma": ("LUMAAI_API_KEY", "IMMERSIVE_LUMA_URL", ""),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", sliding(14)).read_bytes()


@pytest.fixture
def service(clip: bytes) -> Iterator[FakeService]:
    with running(FakeService(clip)) as served:
        yield served


@pytest.fixture
def waits() -> list[float]:
    """What would have been waited; no test waits."""
    return []


def environment(name: str, service: FakeService) -> dict[str, str]:
    key, url, path = VARIABLES[name]
    return {key: KEY, url: service.url + path, "GOOGLE_CLOUD_PROJECT": "p"}


def film(
    name: str,
    service: FakeService,
    journal: Path,
    most: float | None = None,
    progress: Any = None,
    waits: list[float] | None = None,
) -> tuple[Any, Any]:
    settings = BackendSettings(most_cost_usd=most, journal=journal)
    sleep = ([] if waits is None else waits).append
    generator = create(name, settings, environment(name, service), sleep)
    return generator.generate(BRIEF, progress or (lambda share, phrase: None)), generator


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_service_gives_the_frames_of_its_clip(name: str, service: FakeService, tmp_path: Path) -> None:
    frames, generator = film(name, service, tmp_path / "paid")

    (tmp_path / "same.mp4").write_bytes(service.clip)
    np.testing.assert_array_equal(frames.images, read_clip(tmp_path / "same.mp4").images)
    assert frames.cameras is None and frames.provenance.is_generated
    assert frames.provenance.source == name and KEY not in frames.provenance.detail
    (order,) = service.orders
    assert KEY in " ".join(order.headers.values()) and order.headers["idempotency-key"]
    assert b"cabin by a lake" in order.body and b"nothing moves" in order.body
    assert len(service.calls) >= 3  # order, at least two looks
    assert any("asked for" in note for note in generator.notes)


def test_the_prompt_names_camera_place_light_and_stillness_in_that_order(
    service: FakeService, tmp_path: Path
) -> None:
    film("runway", service, tmp_path / "paid")

    body = json.loads(service.orders[0].body)

    words = [body["promptText"].index(part) for part in ("camera", "cabin", "dusk", "misty", "nothing moves")]
    assert words == sorted(words) and body["seed"] == 11


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_a_job_that_fails_says_why_and_may_be_ordered_anew(
    name: str, service: FakeService, tmp_path: Path
) -> None:
    service.failure = "no capacity left"
    with pytest.raises(HostedError, match=f"{name} could not make the clip: no capacity left"):
        film(name, service, tmp_path / "paid")
    service.failure = None

    film(name, service, tmp_path / "paid")

    assert len(service.orders) == 2


def test_a_refused_prompt_is_told_as_such(service: FakeService, tmp_path: Path) -> None:
    service.failure = "blocked by the content policy"
    with pytest.raises(HostedError, match="videos refuses this prompt"):
        film("videos", service, tmp_path / "paid")
    service.script = [(400, {}, {"error": {"code": "moderation_blocked", "message": "moderation: no"}})]
    with pytest.raises(HostedError, match="videos refuses this prompt: moderation: no"):
        film("videos", service, tmp_path / "paid")


@pytest.mark.parametrize(
    ("status", "sentence", "hint"),
    [
        (401, "does not take the key", "IMMERSIVE_VIDEOS_KEY"),
        (402, "wants to be paid first", "credit"),
        (403, "does not allow this", "may do"),
        (404, "knows nothing of this", "model"),
        (429, "is busy", "Wait"),
        (500, "failed with status 500", "later"),
    ],
)
def test_what_a_status_means_is_one_sentence(
    status: int, sentence: str, hint: str, service: FakeService, tmp_path: Path
) -> None:
    service.script = [(status, {}, {"error": {"message": "words\nof theirs"}})] * 6

    with pytest.raises(HostedError, match=f"videos {sentence}: words of theirs") as caught:
        film("videos", service, tmp_path / "paid")

    assert caught.value.hint and hint in caught.value.hint and KEY not in str(caught.value)
    assert list((tmp_path).rglob("*.json")) == []
    # Busy means not taken, so it is asked again; after a broken server nobody knows.
    assert len(service.orders) == (6 if status == 429 else 1)


def test_a_busy_server_is_left_alone_as_long_as_it_asks(
    service: FakeService, tmp_path: Path, waits: list[float]
) -> None:
    service.script = [(429, {"Retry-After": "17"}, {}), (429, {"Retry-After": "9999"}, {})]

    film("videos", service, tmp_path / "paid", waits=waits)

    assert waits[:2] == [17.0, 60.0] and len(service.orders) == 3


def test_looks_are_repeated_after_a_broken_server_and_come_ever_more_seldom(
    service: FakeService, tmp_path: Path, waits: list[float]
) -> None:
    service.polls_until_done = 12
    generator = create(
        "videos", BackendSettings(journal=tmp_path / "paid"), environment("videos", service), waits.append
    )
    original = service.answer

    def once_broken(call):
        if len(service.calls) == 3:
            service.script = [(503, {}, {})]
        return original(call)

    service.answer = once_broken  # type: ignore[method-assign]
    generator.generate(BRIEF, lambda share, phrase: None)

    looks = [wait for wait in waits if wait != 1.0]  # 1 s after the broken one
    assert looks == sorted(looks) and looks[0] == 2.0 and looks[-1] == 15.0
    assert 1.0 in waits


def test_a_clip_that_breaks_off_is_fetched_again_and_not_ordered_again(
    service: FakeService, tmp_path: Path
) -> None:
    service.truncate = True
    with pytest.raises(HostedError, match="did not come whole") as caught:
        film("videos", service, tmp_path / "paid")
    assert "nothing is ordered twice" in (caught.value.hint or "")
    assert [path.suffix for path in (tmp_path / "paid").iterdir()] == [".json"]
    service.truncate = False

    _, generator = film("videos", service, tmp_path / "paid")

    assert len(service.orders) == 1
    assert any("none was ordered anew" in note for note in generator.notes)


def test_a_file_that_is_no_clip_is_told_and_fetched_again(service: FakeService, tmp_path: Path) -> None:
    good, service.clip = service.clip, b"<html>not found</html>"
    with pytest.raises(HostedError, match="is no clip that can be read"):
        film("luma", service, tmp_path / "paid")
    service.clip = good

    film("luma", service, tmp_path / "paid")

    assert len(service.orders) == 1


def test_stopping_leaves_the_job_to_the_next_call(service: FakeService, tmp_path: Path) -> None:
    def stop(share: float, phrase: str) -> None:
        if "running" in phrase:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        film("videos", service, tmp_path / "paid", progress=stop)

    film("videos", service, tmp_path / "paid")
    film("videos", service, tmp_path / "paid")  # the clip is there by now

    assert len(service.orders) == 1
    assert sum(call.path.endswith("/content") for call in service.calls) == 1


def test_another_seed_is_another_order(service: FakeService, tmp_path: Path) -> None:
    settings = BackendSettings(journal=tmp_path / "paid")
    generator = create("videos", settings, environment("videos", service), [].append)
    for seed in (1, 2):
        generator.generate(SceneBrief(prompt="a cabin", seed=seed), lambda share, phrase: None)

    keys = {call.headers["idempotency-key"] for call in service.orders}
    assert len(service.orders) == len(keys) == 2


def test_nothing_is_ordered_beyond_the_limit(service: FakeService, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"runway would cost about 2.50 USD, more than the 2 allowed"):
        film("runway", service, tmp_path / "paid", most=2.0)
    with pytest.raises(InvalidInputError, match="what videos costs is not known"):
        film("videos", service, tmp_path / "paid", most=2.0)
    assert service.calls == []

    _, generator = film("runway", service, tmp_path / "paid", most=2.5)

    assert "runway was asked for 10 s of video for about 2.50 USD" in generator.notes


def test_a_price_of_ones_own_overrules(service: FakeService, tmp_path: Path) -> None:
    told = environment("videos", service) | {"IMMERSIVE_VIDEOS_USD_PER_S": "0.5"}
    settings = BackendSettings(most_cost_usd=3.0, journal=tmp_path / "paid")
    with pytest.raises(InvalidInputError, match=r"about 4.00 USD"):
        create("videos", settings, told, [].append).generate(BRIEF, lambda share, phrase: None)
    for wrong in ("free", "-1", "nan"):
        with pytest.raises(InvalidInputError, match="IMMERSIVE_VIDEOS_USD_PER_S must be a price"):
            create("videos", settings, told | {"IMMERSIVE_VIDEOS_USD_PER_S": wrong})


def test_a_job_that_never_ends_is_given_up_and_kept(service: FakeService, tmp_path: Path) -> None:
    service.polls_until_done = 10**9
    hours = iter(range(100))

    class Endless:
        name = "endless"
        about_usd = staticmethod(lambda order: 1.0)
        order = staticmethod(lambda order, key: "job")
        state = staticmethod(lambda job: JobState("running"))

    order = jobs.ClipOrder("p", "", 8, 64, 64, 0, "m")
    with pytest.raises(HostedError, match="has not finished within 45 minutes"):
        jobs.make_ordered(
            Endless(),  # type: ignore[arg-type]
            order,
            jobs.PaidJobs(tmp_path / "paid"),
            suffix=".mp4",
            most_cost_usd=None,
            progress=lambda share, phrase: None,
            clock=lambda: next(hours) * 1_000.0,
            sleep=[].append,
        )
    assert len(list((tmp_path / "paid").glob("*.json"))) == 1


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_a_missing_key_is_named_and_nothing_is_sent(name: str) -> None:
    needed = missing_variables(name, {})
    assert needed
    with pytest.raises(MissingBackendError, match=f"{name}.*{needed[0]}"):
        create(name, BackendSettings(), {})
    assert set(FAMILIES) == set(VARIABLES)


def test_the_key_goes_nowhere_but_to_the_service(clip: bytes, tmp_path: Path, caplog) -> None:
    with running(FakeService(clip)) as other, running(FakeService(clip, other=other)) as service:
        caplog.set_level("DEBUG")
        film("videos", service, tmp_path / "paid")

        assert len(other.calls) == 1  # the download was redirected there
        assert KEY not in str(other.calls[0].headers)
        assert all(KEY in str(call.headers) for call in service.calls)
    assert KEY not in caplog.text
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


def test_a_key_does_not_travel_unencrypted() -> None:
    told = {"IMMERSIVE_VIDEOS_KEY": KEY, "IMMERSIVE_VIDEOS_URL": "http://example.org/v1"}
    with pytest.raises(InvalidInputError, match=r"would travel unencrypted to example.org") as caught:
        create("videos", BackendSettings(), told)
    assert KEY not in str(caught.value)
    with pytest.raises(InvalidInputError, match="must begin with http"):
        create("videos", BackendSettings(), told | {"IMMERSIVE_VIDEOS_URL": "file:///etc/passwd"})


def test_nobody_at_the_address_is_told(tmp_path: Path) -> None:
    dead = Transport("videos", "http://127.0.0.1:9/v1", {}, "X", sleep=[].append)
    with pytest.raises(HostedError, match=r"videos does not answer at 127\.0\.0\.1:9"):
        dead.ask("videos/x")
    dead.close()


@pytest.mark.parametrize("reply", [b"not json", b"[1, 2]", b'{"status": "queued"}', b'{"id": 5}'])
def test_an_answer_that_makes_no_sense_is_told(reply: bytes, service: FakeService, tmp_path: Path) -> None:
    service.script = [(200, {}, reply)]
    with pytest.raises(HostedError, match=r"videos (answered something|must answer|took the order)"):
        film("videos", service, tmp_path / "paid")


def test_a_state_that_is_not_known_is_told(service: FakeService, tmp_path: Path) -> None:
    service.script = [(200, {}, {"id": "job-1"}), (200, {}, {"status": "levitating"})]
    with pytest.raises(HostedError, match="a state that is not known: 'levitating'"):
        film("videos", service, tmp_path / "paid")


def test_the_table_loads_hosted_backends_from_the_environment(service: FakeService, monkeypatch) -> None:
    for name, value in environment("luma", service).items():
        monkeypatch.setitem(os.environ, name, value)
    assert load_generator("luma").name == "luma"
    assert understand("a cabin").prompt  # the environment is not in its way
