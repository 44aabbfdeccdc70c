"""Hosted worlds against a server on loopback: what is sent and paid, how splats come to stand upright and in
metres, and what every failure says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from rich.console import Console

from immersive.brief import SceneBrief
from immersive.errors import HostedError
from immersive.generation.backend import BackendSettings, load_world_generator
from immersive.generation.hosted.jobs import make_ordered
from immersive.generation.hosted.paid_jobs import PaidJobs
from immersive.generation.hosted.transport import Transport
from immersive.generation.hosted.world_service import WorldOrder, WorldsService
from immersive.generation.hosted.worlds import create, missing_variables
from immersive.generation.made_world import MadeWorld
from immersive.pipeline import create_scene
from immersive.request import CreateRequest
from immersive.server.run import start_in_thread
from immersive.summary import as_json_object, show_report
from reconstruction.errors import CancelledError, InvalidInputError, MissingBackendError
from streaming.assemble import finest_cloud
from streaming.pack import read_asset
from tests.immersive.fake_clip_services import KEY, running
from tests.immersive.fake_world_service import FakeWorldService, eyed_room, splats_on, world_files

BRIEF = SceneBrief(prompt="A living room with a pillar.", seed=2**31 + 4)
SPLATS, COLLIDER = world_files(count=3_000)


@pytest.fixture
def service() -> Iterator[FakeWorldService]:
    with running(FakeWorldService(SPLATS, collider=COLLIDER, metres_per_unit=1.0)) as served:
        yield served  # type: ignore[misc]


def environment(service: FakeWorldService) -> dict[str, str]:
    return {"IMMERSIVE_WORLDS_URL": f"{service.url}/marble/v1", "IMMERSIVE_WORLDS_KEY": KEY}


def make(
    service: FakeWorldService,
    journal: Path,
    *,
    most: float | None = None,
    most_splats: int | None = None,
    progress: Any = None,
    **variables: str,
) -> tuple[MadeWorld, tuple[str, ...]]:
    settings = BackendSettings("tiny-1", most, journal=journal, most_splats=most_splats)
    generator = create("worlds", settings, environment(service) | variables, [].append)
    world = generator.make_world(BRIEF, progress or (lambda share, phrase: None))
    return world, generator.notes


def away_m(world: MadeWorld) -> float:
    """How far the world's splats lie from where the room is."""
    from reconstruction.fusion import Collider

    return float(np.quantile(Collider(eyed_room()).distance(world.cloud.means), 0.99))


def test_a_prompt_becomes_splats_and_a_collider_in_the_world_frame(
    service: FakeWorldService, tmp_path: Path
) -> None:
    told: list[str] = []
    world, notes = make(service, tmp_path / "paid", progress=lambda share, phrase: told.append(phrase))

    truth = splats_on(eyed_room(), 3_000)
    np.testing.assert_allclose(world.cloud.means, truth.means, atol=0.001)
    np.testing.assert_allclose(world.vertices, eyed_room().vertices, atol=0.001)
    assert world.faces is not None and len(world.faces) == len(eyed_room().faces)
    assert world.provenance.is_generated and world.provenance.detail == "worlds tiny-1"
    (order,) = service.orders
    body = json.loads(order.body)
    assert body["world_prompt"] == {"type": "text", "text_prompt": "A living room with a pillar."}
    assert (body["model"], body["seed"], body["permission"]) == ("tiny-1", 4, {"public": False})
    assert order.headers["wlt-api-key"] == KEY and order.headers["idempotency-key"]
    assert notes == ("worlds was asked for a world at a price that is not known",)
    assert "worlds: running" in told and "fetching the world" in told


def test_the_world_may_be_asked_for_apart_from_its_operation(
    service: FakeWorldService, tmp_path: Path
) -> None:
    service.is_apart = True

    world, _ = make(service, tmp_path / "paid")

    assert away_m(world) < 0.01


@pytest.mark.parametrize(
    ("most", "file"), [(None, "500k"), (250_000, "100k"), (90_000, "100k"), (2_000_000, "full_res")]
)
def test_the_largest_file_that_was_asked_for_is_fetched(
    most: int | None, file: str, service: FakeWorldService, tmp_path: Path
) -> None:
    make(service, tmp_path / "paid", most_splats=most)

    fetched = [call.path for call in service.calls if call.path.startswith("/files/") and "spz" in call.path]
    assert fetched == [f"/files/{file}.spz?sig=x"]


def test_another_size_of_the_same_world_is_not_ordered_again(
    service: FakeWorldService, tmp_path: Path
) -> None:
    make(service, tmp_path / "paid", most_splats=250_000)
    make(service, tmp_path / "paid", most_splats=500_000)
    _, notes = make(service, tmp_path / "paid", most_splats=250_000)

    assert len(service.orders) == 1 and notes[0] == "the world that worlds made before was used again"


@pytest.mark.parametrize("frame", ["rdf", "rub"])
def test_the_collider_says_which_way_is_up(frame: str, service: FakeWorldService, tmp_path: Path) -> None:
    service.clip, service.collider = world_files(frame=frame, count=3_000)

    world, _ = make(service, tmp_path / "paid")

    assert away_m(world) < 0.01


def test_without_a_collider_the_frame_can_be_told(service: FakeWorldService, tmp_path: Path) -> None:
    service.collider = None
    usual, _ = make(service, tmp_path / "one")
    told, _ = make(service, tmp_path / "two", IMMERSIVE_WORLDS_FRAME="rub")

    assert away_m(usual) < 0.01 and usual.vertices is None
    np.testing.assert_allclose(told.cloud.means, usual.cloud.means * [1, -1, -1], atol=1e-6)
    with pytest.raises(InvalidInputError, match="IMMERSIVE_WORLDS_FRAME must be one of auto, rub, rdf"):
        make(service, tmp_path / "three", IMMERSIVE_WORLDS_FRAME="up")


@pytest.mark.parametrize("has_collider", [True, False])
@pytest.mark.parametrize("is_told", [True, False])
def test_worlds_are_brought_to_metres(
    is_told: bool, has_collider: bool, service: FakeWorldService, tmp_path: Path
) -> None:
    service.clip, service.collider = world_files(units_per_metre=2.5, count=3_000)
    service.collider = service.collider if has_collider else None
    service.metres_per_unit = 0.4 if is_told else None

    world, notes = make(service, tmp_path / "paid")

    assert away_m(world) < (0.02 if is_told else 0.15)
    assert any("size is a guess" in note for note in notes) == (not is_told)


def test_a_collider_that_cannot_be_read_is_left_out(service: FakeWorldService, tmp_path: Path) -> None:
    service.collider = b"glTF" + b"\0" * 40

    world, notes = make(service, tmp_path / "paid")

    assert world.vertices is None and "the collider that came with the world was left out" in notes[-1]


@pytest.mark.parametrize(
    ("status", "sentence", "hint"),
    [
        (401, "does not take the key", "IMMERSIVE_WORLDS_KEY"),
        (402, "wants to be paid first", "credit"),
        (429, "is busy", "Wait"),
        (500, "failed with status 500", "later"),
    ],
)
def test_what_a_status_means_is_one_sentence(
    status: int, sentence: str, hint: str, service: FakeWorldService, tmp_path: Path
) -> None:
    service.script = [(status, {}, {"detail": "words\nof theirs"})] * 6

    with pytest.raises(HostedError, match=f"^worlds {sentence}: words of theirs$") as caught:
        make(service, tmp_path / "paid")

    assert caught.value.hint and hint in caught.value.hint and KEY not in str(caught.value)
    assert len(service.orders) == (6 if status == 429 else 1)
    assert not (tmp_path / "paid").exists()


def test_a_busy_server_is_waited_for_while_a_world_is_made(service: FakeWorldService, tmp_path: Path) -> None:
    service.script = [(200, {}, {"operation_id": "op-1"}), (429, {"Retry-After": "3"}, {}), (503, {}, {})]

    world, _ = make(service, tmp_path / "paid")

    assert len(world.cloud) == 3_000 and len(service.orders) == 1


def test_an_operation_that_fails_or_is_cancelled_says_so_and_may_be_ordered_anew(
    service: FakeWorldService, tmp_path: Path
) -> None:
    service.failure = "cancelled by the owner"
    with pytest.raises(HostedError, match=r"^worlds could not make the world: cancelled by the owner$"):
        make(service, tmp_path / "paid")
    service.failure = "blocked by moderation"
    with pytest.raises(HostedError, match=r"^worlds refuses this prompt: blocked by moderation$"):
        make(service, tmp_path / "paid")
    assert list((tmp_path / "paid").iterdir()) == []
    service.failure = None

    make(service, tmp_path / "paid")

    assert len(service.orders) == 3


@pytest.mark.parametrize("damage", ["breaks off", "half", "page"])
def test_a_damaged_world_is_fetched_again_and_not_ordered_again(
    damage: str, service: FakeWorldService, tmp_path: Path
) -> None:
    if damage == "breaks off":
        service.truncate = True
    else:
        service.clip = SPLATS[: len(SPLATS) // 2] if damage == "half" else b"<html>gone</html>"
    with pytest.raises(HostedError, match=r"did not come whole|sent is no world that can be read") as caught:
        make(service, tmp_path / "paid")
    assert "ordered twice" in (caught.value.hint or "") and "\n" not in str(caught.value)
    assert not list((tmp_path / "paid").glob("*.spz")) and not list((tmp_path / "paid").glob("*.part"))
    service.truncate, service.clip = False, SPLATS

    world, notes = make(service, tmp_path / "paid")

    assert len(world.cloud) == 3_000 and len(service.orders) == 1
    assert notes[0] == "a world that was ordered from worlds before was waited for, none was ordered anew"


def test_stopping_leaves_the_job_to_the_next_call(service: FakeWorldService, tmp_path: Path) -> None:
    def stop(share: float, phrase: str) -> None:
        if "running" in phrase:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        make(service, tmp_path / "paid", progress=stop)

    make(service, tmp_path / "paid")
    assert len(service.orders) == 1


def test_nothing_is_ordered_beyond_the_limit(service: FakeWorldService, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="what worlds costs is not known"):
        make(service, tmp_path / "paid", most=1.0)
    with pytest.raises(InvalidInputError, match=r"worlds would cost about 1.26 USD, more than the 1 allowed"):
        make(service, tmp_path / "paid", most=1.0, IMMERSIVE_WORLDS_USD="1.26")
    with pytest.raises(InvalidInputError, match="IMMERSIVE_WORLDS_USD must be a price"):
        make(service, tmp_path / "paid", IMMERSIVE_WORLDS_USD="free")
    assert service.calls == []

    _, notes = make(service, tmp_path / "paid", most=2.0, IMMERSIVE_WORLDS_USD="1.26")

    assert notes[0] == "worlds was asked for a world for about 1.26 USD"


@pytest.mark.parametrize(
    ("end", "reply", "sentence"),
    [
        ("worlds:generate", {"done": False}, "took the order but named no job"),
        ("op-1", {"done": True, "response": None}, "finished but gives no world"),
        ("op-1", {"done": True, "response": {"world_id": "w-9"}}, "finished but gives no splats"),
        ("op-1", b"[]", "must answer with an object"),
    ],
)
def test_an_answer_that_makes_no_sense_is_told(
    end: str, reply: Any, sentence: str, service: FakeWorldService, tmp_path: Path
) -> None:
    service.answers = {end: reply, "w-9": {"id": "w-9", "assets": None}}

    with pytest.raises(HostedError, match=f"worlds {sentence}"):
        make(service, tmp_path / "paid")


def test_an_address_is_needed_and_the_key_stays_at_home(service: FakeWorldService, monkeypatch) -> None:
    monkeypatch.delenv("IMMERSIVE_WORLDS_URL", raising=False)
    assert missing_variables({}) == ("IMMERSIVE_WORLDS_URL",)
    with pytest.raises(MissingBackendError, match=r"worlds.*IMMERSIVE_WORLDS_URL"):
        load_world_generator("worlds")
    with pytest.raises(InvalidInputError, match="would travel unencrypted"):
        create(
            "worlds", BackendSettings(), {"IMMERSIVE_WORLDS_URL": "http://x.org", "IMMERSIVE_WORLDS_KEY": KEY}
        )
    with pytest.raises(InvalidInputError, match="a budget is for fitting"):
        CreateRequest("a room", backend="worlds", budget_s=9)


def test_a_hosted_world_becomes_a_scene_behind_a_link(tmp_path: Path, monkeypatch) -> None:
    splats, collider = world_files(units_per_metre=2.0)
    with running(FakeWorldService(splats, collider=collider, metres_per_unit=0.5)) as service:
        for name, value in environment(service).items():  # type: ignore[arg-type]
            monkeypatch.setenv(name, value)
        request = CreateRequest("a living room with a pillar", backend="worlds=tiny-1")
        service.truncate = True
        with pytest.raises(HostedError, match="the world of worlds did not come whole"):
            create_scene(request, home=tmp_path)
        assert not (tmp_path / "stages").exists() and not list(tmp_path.rglob("pack.bin"))
        service.truncate = False
        scene = create_scene(request, home=tmp_path)
        again = create_scene(request, home=tmp_path)

    record, shown = scene.record, StringIO()
    show_report(Console(file=shown, width=100), scene)
    assert "Walkable" in shown.getvalue() and "Quality" not in shown.getvalue()
    assert as_json_object(scene, "link")["quality"] is None
    assert len(service.orders) == 1 and again.record.id == record.id
    assert (record.backend, record.is_generated, record.quality) == ("worlds", True, None)
    assert record.walkability is not None and record.walkability.verdict == "good"
    assert record.walkability.reachable_m2 == pytest.approx(25, rel=0.1)
    assert "people walk on the collider that came with the world" in scene.notes
    assert [stage.name for stage in scene.stages] == [
        "understand", "world", "walk", "sound", "pack", "publish",
    ]  # fmt: skip
    manifest_folder = next((tmp_path / "scenes").rglob("manifest.json")).parent
    asset = read_asset(manifest_folder)
    assert asset.manifest.recipe["provenance"]["source"] == "worlds"
    assert abs(asset.manifest.spawn.position[1] + 1.6) < 0.1 and len(asset.manifest.sounds) >= 1
    cloud = finest_cloud(asset)
    assert 8_500 < len(cloud) <= 9_000 and np.ptp(cloud.means, axis=0) == pytest.approx([6, 2.6, 7], abs=0.1)
    with start_in_thread(tmp_path, page_folder=tmp_path) as info:
        opened = httpx.post(
            f"{info.url}/api/links/{scene.link.id}/open", json={"secret": scene.link.secret}
        ).json()
    assert opened["scene"]["is_generated"] and opened["scene"]["splat_count"] == record.splat_count


def test_a_world_without_a_collider_is_walked_on_its_splats(tmp_path: Path, monkeypatch) -> None:
    splats, _ = world_files(count=20_000)
    with running(FakeWorldService(splats)) as service:
        for name, value in environment(service).items():  # type: ignore[arg-type]
            monkeypatch.setenv(name, value)
        scene = create_scene(CreateRequest("a living room", backend="worlds"), home=tmp_path)

    assert scene.record.walkability is not None and scene.record.walkability.verdict != "poor"
    assert scene.record.walkability.reachable_m2 == pytest.approx(25, rel=0.2)
    assert "people walk on a collider that was made of what the splats show" in scene.notes


def test_a_world_that_is_never_finished_is_given_up_and_kept(
    service: FakeWorldService, tmp_path: Path
) -> None:
    service.polls_until_done = 10**9
    thousands = iter(range(100))
    transport = Transport("worlds", f"{service.url}/marble/v1", {}, "X", thing="world")
    provider = WorldsService(transport, "worlds", None, 500_000)

    with pytest.raises(HostedError, match=r"^worlds has not finished within 45 minutes$") as caught:
        make_ordered(
            provider,
            WorldOrder("a room", 0, ""),
            PaidJobs(tmp_path / "paid"),
            suffix=".spz",
            most_cost_usd=None,
            progress=lambda share, phrase: None,
            clock=lambda: next(thousands) * 1_000.0,
            sleep=[].append,
        )
    provider.close()

    assert "waiting for the same world" in (caught.value.hint or "")
    assert [path.suffix for path in (tmp_path / "paid").iterdir()] == [".json"]


def test_an_order_that_is_not_answered_is_not_sent_again() -> None:
    sent: list[str] = []

    def silent(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        raise httpx.ReadTimeout("no answer", request=request)

    transport = Transport("worlds", "http://127.0.0.1:1/marble/v1", {}, "X", sleep=[].append, thing="world")
    transport._client = httpx.Client(transport=httpx.MockTransport(silent))
    service = WorldsService(transport, "worlds", None, 500_000)

    with pytest.raises(HostedError, match=r"^worlds took too long or broke off$") as caught:
        service.order(WorldOrder("a room", 0, ""), "key")
    assert sent == ["/marble/v1/worlds:generate"] and "may have been taken" in (caught.value.hint or "")
    with pytest.raises(HostedError, match=r"^worlds took too long or broke off$"):
        service.state("op-1")
    service.close()
    assert len(sent) == 1 + 6  # a look costs nothing, so it is repeated
