"""Every backend that takes a picture goes on from one: what is sent and paid, and which cameras come back."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from immersive.brief import SceneBrief
from immersive.errors import TooDearError
from immersive.extension import joined
from immersive.generation.backend import BackendSettings
from immersive.generation.diffusion import families, generator
from immersive.generation.hosted.generator import HostedGenerator, create
from immersive.generation.start_picture import cut_to
from reconstruction.errors import CancelledError, InvalidInputError
from tests.immersive import tiny_pipelines
from tests.immersive.fake_clip_services import FakeService, running
from tests.immersive.test_hosted import environment
from tests.reconstruction.clips import sliding, write_clip

# The Cosmos pipeline hands a tensor to NumPy in a way that NumPy 2 frowns at.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
BRIEF = SceneBrief(prompt="A cabin by a lake.", seed=11, size="small")
TAKING = ("gemini-omni", "runway", "veo", "videos")


def last_picture() -> NDArray[np.uint8]:
    """Red at the left, green at the right, brighter downwards; as small as clips come."""
    x, y = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 180))
    return np.rint(255 * np.stack([1 - x, x, y], axis=-1)).astype(np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", sliding(14)).read_bytes()


@pytest.fixture
def service(clip: bytes) -> Iterator[FakeService]:
    with running(FakeService(clip)) as served:
        yield served


def silent(share: float, phrase: str) -> None:
    """Take no notice."""


def hosted(
    name: str, service: FakeService, folder: Path, most: float | None = None, **variables: str
) -> HostedGenerator:
    settings = BackendSettings(most_cost_usd=most, journal=folder / "paid", extends=True)
    return create(name, settings, environment(name, service) | variables, [].append)


def sent_picture(name: str, body: bytes) -> NDArray[np.uint8]:
    if name == "videos":
        start = body.index(b"\xff\xd8\xff")
        data = body[start : body.index(b"\xff\xd9", start) + 2]
    else:
        told = json.loads(body)
        text = {
            "gemini-omni": lambda: told["input"][1]["data"],
            "veo": lambda: told["instances"][0]["image"]["bytesBase64Encoded"],
            "runway": lambda: told["promptImage"].removeprefix("data:image/jpeg;base64,"),
        }[name]()
        data = base64.b64decode(text, validate=True)
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("name", TAKING)
def test_a_hosted_clip_begins_with_the_picture_and_goes_on(
    name: str, service: FakeService, tmp_path: Path
) -> None:
    made = hosted(name, service, tmp_path)
    made.generate(BRIEF, silent)

    frames = made.film_on(BRIEF, last_picture(), 1, silent)

    first, second = service.orders
    assert b"goes on from this picture" in second.body and b"goes on from" not in first.body
    assert b"cabin by a lake" in second.body and b"nothing moves" in second.body
    seen = sent_picture(name, second.body)
    assert seen.shape == (720, 1280, 3)
    np.testing.assert_allclose(seen[360, ::400], cut_to(last_picture(), 1280, 720)[360, ::400], atol=9)
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert frames.cameras is None and len(frames) >= 6
    assert any("asked for" in note for note in made.notes)


@pytest.mark.parametrize("name", TAKING)
def test_a_further_clip_is_paid_once(name: str, service: FakeService, tmp_path: Path) -> None:
    def stop(share: float, phrase: str) -> None:
        if "running" in phrase:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        hosted(name, service, tmp_path).film_on(BRIEF, last_picture(), 1, stop)
    for note in ("none was ordered anew", "was used again"):
        made = hosted(name, service, tmp_path)
        made.film_on(BRIEF, last_picture(), 1, silent)
        assert any(note in told for told in made.notes)

    assert len(service.orders) == 1


def test_every_clip_counts_against_the_limit(service: FakeService, tmp_path: Path) -> None:
    made = hosted("runway", service, tmp_path, most=5.2)
    made.generate(BRIEF, silent)
    made.film_on(BRIEF, last_picture(), 1, silent)

    with pytest.raises(
        TooDearError,
        match=r"^runway would cost about 7\.50 USD for 3 clips, more than the 5\.2 allowed; "
        r"no further clip was ordered$",
    ):
        made.film_on(BRIEF, last_picture()[::-1], 2, silent)
    # What is ordered already is fetched, whatever the limit has become.
    hosted("runway", service, tmp_path, most=1.0).film_on(BRIEF, last_picture(), 1, silent)

    assert len(service.orders) == 2


def test_prices_that_add_up_to_the_limit_are_within_it(service: FakeService, tmp_path: Path) -> None:
    made = hosted("videos", service, tmp_path, most=2.4, IMMERSIVE_VIDEOS_USD_PER_S="0.1")

    made.film_on(BRIEF, last_picture(), 2, silent)  # 3 x 0.8 is a little more than 2.4 to a computer

    assert len(service.orders) == 1 and made.about_usd == pytest.approx(0.8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("weights")
    return {kind: tiny_pipelines.save(kind, base / kind) for kind in tiny_pipelines.KINDS}


@pytest.fixture(autouse=True)
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cosmos without the packages that its published weights want."""
    monkeypatch.setattr(generator, "_check_package", lambda name, package, how: None)
    with tiny_pipelines.without_guardrail():
        yield


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name, family in families.FAMILIES.items():
        tiny = replace(family, width=96, height=64, frames=9, steps=2)
        monkeypatch.setitem(families.FAMILIES, name, tiny)
    monkeypatch.setattr(generator, "_stage", lambda brief, size, progress, *, with_depths: staged())


@cache
def staged() -> Any:
    """The built-in world of `BRIEF`, rendered once."""
    return STAGE(BRIEF, {"width": 96, "height": 64, "num_frames": 9}, silent, with_depths=False)


STAGE = generator._stage


def local(kind: str, folders: dict[str, Path], monkeypatch: Any) -> tuple[Any, list[dict[str, Any]]]:
    settings = BackendSettings(model=str(folders[kind]), device="cpu", extends=True)
    made, seen = generator.create("diffusion", settings), []
    run = made._run
    monkeypatch.setattr(
        made, "_run", lambda told, seed, watch: seen.append({**told, "seed": seed}) or run(told, seed, watch)
    )
    return made, seen


@pytest.mark.parametrize(
    "kind", [kind for kind in tiny_pipelines.KINDS if tiny_pipelines.takes_picture(kind)]
)
def test_a_local_clip_begins_with_the_picture_and_goes_on(
    kind: str, folders: dict[str, Path], monkeypatch
) -> None:
    made, seen = local(kind, folders, monkeypatch)

    frames = made.film_on(BRIEF, last_picture(), 2, silent)

    assert frames.images.shape == (9, 64, 96, 3) and seen[0]["seed"] == 13
    np.testing.assert_array_equal(np.asarray(seen[0]["image"]), cut_to(last_picture(), 96, 64))
    assert "goes on from this picture" in seen[0]["prompt"]
    assert made.notes[0].startswith("filmed by ") and len(made.notes) == 1


def test_a_path_goes_on_from_where_it_ended(folders: dict[str, Path], monkeypatch) -> None:
    made, seen = local("sana_wm", folders, monkeypatch)
    film = made.generate(BRIEF, silent)
    clip = made.film_on(BRIEF, film.images[-1], 1, silent)

    whole = joined(film, clip)

    np.testing.assert_allclose(seen[0]["c2w"], seen[1]["c2w"], atol=1e-5)
    eyes = whole.cameras.positions
    assert len(whole) == 17 and whole.held_out
    steps = np.linalg.norm(np.diff(eyes, axis=0), axis=1)
    np.testing.assert_allclose(steps[:8], steps[8:], atol=1e-4)
    ahead = film.cameras.forwards[-1]
    assert ((eyes[9:] - eyes[8]) @ ahead > 0).all() and np.linalg.norm(eyes[16] - eyes[0]) > 2.5


@pytest.mark.parametrize("kind", ["wan", "wan_vace"])
def test_weights_that_take_no_picture_say_so(kind: str, folders: dict[str, Path]) -> None:
    settings = BackendSettings(model=str(folders[kind]), device="cpu", extends=True)
    with pytest.raises(InvalidInputError, match="goes on from no picture") as caught:
        generator.create("diffusion", settings)
    assert "--extend" in (caught.value.hint or "")
