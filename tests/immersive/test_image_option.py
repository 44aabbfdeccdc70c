"""`--image`: a picture that a place begins with reaches the backends that take one, and others say so."""

from __future__ import annotations

import base64
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import immersive
from immersive.brief import SceneBrief
from immersive.cli import main
from immersive.generation import backend
from immersive.generation.backend import BackendSettings
from immersive.generation.diffusion import families, generator
from immersive.generation.hosted.generator import create
from immersive.generation.hosted.worlds import create as create_worlds
from immersive.generation.start_picture import cut_to, jpeg_of, read_start
from immersive.moderating import moderate_prompt
from immersive.request import CreateRequest
from immersive.sources import plan_source
from immersive.story import create_story
from reconstruction.errors import InvalidInputError
from tests.immersive import tiny_pipelines
from tests.immersive.fake_clip_services import FakeService, running
from tests.immersive.fake_world_service import FakeWorldService, world_files
from tests.immersive.model_server import serving
from tests.immersive.test_hosted import environment
from tests.reconstruction.clips import sliding, write_clip

BRIEF = SceneBrief(prompt="A cabin by a lake.", seed=11)


def picture(width: int = 500, height: int = 400) -> NDArray[np.uint8]:
    """Red at the left, green at the right, brighter downwards."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.rint(255 * np.stack([1 - x, x, y], axis=-1)).astype(np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(picture()).save(path, quality=95)
    return path


def decoded(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_picture_is_cut_around_its_middle_and_never_stretched() -> None:
    wide = cut_to(picture(), 320, 180)
    tall = cut_to(picture(), 90, 200)

    assert wide.shape == (180, 320, 3) and tall.shape == (200, 90, 3)
    # 500 x 400 cut to 16:9 keeps its width, and 281 of its 400 rows.
    assert wide[90, 0, 0] > 252 and wide[90, -1, 1] > 252
    assert abs(int(wide[0, 160, 2]) - 255 * 59.4 / 400) < 3
    assert abs(int(tall[0, 0, 0]) - 255 * (1 - 160 / 500)) < 3


def test_it_is_turned_as_its_camera_was_and_tells_nothing_of_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)

    seen = read_start(tmp_path / "a.jpg")

    assert seen.shape == (500, 400, 3)
    packed = jpeg_of(seen, 100)
    assert b"Maker" not in packed and decoded(packed).shape == (100, 80, 3)


@pytest.mark.parametrize(
    ("options", "sentence", "hint"),
    [
        ({"prompt": "a lake"}, "procedural makes places of words alone, it takes no picture", "--backend"),
        ({"prompt": "a lake", "backend": "luma"}, "luma makes places of words alone", "videos"),
        ({"prompt": None, "images": Path()}, "a picture to begin with needs a prompt", "words"),
    ],
)
def test_where_no_picture_is_taken_one_line_says_so(
    options: Any, sentence: str, hint: str, photo: Path
) -> None:
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        CreateRequest(**options, image=photo)
    assert hint in (caught.value.hint or "")


def test_what_is_no_picture_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    Image.fromarray(picture(30, 20)).save(tmp_path / "small.png")
    for name, words in (("a.jpg", "a.jpg"), ("none.jpg", "must exist"), ("small.png", "at least 64 px")):
        with pytest.raises(InvalidInputError, match=words):
            CreateRequest("a lake", backend="videos", image=tmp_path / name)


def test_the_command_line_says_so_too(photo: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["create", "a lake", "--image", str(photo), "--json"]) == 1

    problem = json.loads(capsys.readouterr().out)["error"]
    assert "procedural makes places of words alone" in problem["message"] and "--images" in problem["hint"]


def test_the_picture_names_the_result_whatever_it_is_called(photo: Path, tmp_path: Path) -> None:
    def digest(image: Path | None) -> str:
        return plan_source(CreateRequest("a lake", backend="videos", image=image)).digest

    same, other = tmp_path / "same.jpg", tmp_path / "other.jpg"
    same.write_bytes(photo.read_bytes())
    Image.fromarray(picture()[::-1]).save(other)

    assert digest(photo) == digest(same) != digest(other) != digest(None) != digest(photo)


def test_programs_give_a_path_or_its_name(photo: Path, tmp_path: Path, monkeypatch) -> None:
    seen: list[BackendSettings] = []

    def load(name: str, settings: BackendSettings) -> None:
        seen.append(settings)
        raise InvalidInputError("enough")

    monkeypatch.setattr(backend, "load_generator", load)
    for given in (photo, str(photo)):
        with pytest.raises(InvalidInputError, match="enough"):
            immersive.create("a lake", image=given, backend="videos", home=tmp_path / "home")
    assert [settings.image for settings in seen] == [photo, photo]


def test_a_story_takes_none(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a picture begins one place"):
        create_story(["a lake", "a cave"], home=tmp_path, image=photo, backend="videos")


@pytest.mark.parametrize("name", ["videos", "gemini-omni", "veo", "runway"])
def test_hosted_models_get_it_at_the_clips_size(name: str, photo: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", sliding(14)).read_bytes()
    with running(FakeService(clip)) as service:
        for settings in (
            BackendSettings(journal=tmp_path / "paid", image=photo),
            BackendSettings(journal=tmp_path / "paid"),
        ):
            made = create(name, settings, environment(name, service), [].append)
            made.generate(BRIEF, lambda share, phrase: None)

    order, without = service.orders  # the same words without the picture are another order
    if name == "videos":
        start = order.body.index(b"\xff\xd8\xff")
        data = order.body[start : order.body.index(b"\xff\xd9", start) + 2]
        assert b'name="input_reference"; filename="first.jpg"' in order.body
        assert b"input_reference" not in without.body
    else:
        body, plain = json.loads(order.body), json.loads(without.body)
        text = {
            "gemini-omni": lambda: body["input"][1]["data"],
            "veo": lambda: body["instances"][0]["image"]["bytesBase64Encoded"],
            "runway": lambda: body["promptImage"].removeprefix("data:image/jpeg;base64,"),
        }[name]()
        data = base64.b64decode(text, validate=True)
        assert text not in json.dumps(plain)
    assert decoded(data).shape == (720, 1280, 3)
    np.testing.assert_allclose(decoded(data)[360, ::400], cut_to(picture(), 1280, 720)[360, ::400], atol=9)
    if name == "runway":
        assert order.path.endswith("/v1/image_to_video") and without.path.endswith("/v1/text_to_video")
    if name == "gemini-omni":
        assert body["generation_config"]["video_config"]["task"] == "image_to_video"
        assert "cabin by a lake" in body["input"][0]["text"] and isinstance(plain["input"], str)


def test_a_world_service_gets_it_whole(photo: Path, tmp_path: Path) -> None:
    splats, collider = world_files(count=500)
    with running(FakeWorldService(splats, collider=collider, metres_per_unit=1.0)) as service:
        settings = BackendSettings(journal=tmp_path / "paid", image=photo)
        told = {"IMMERSIVE_WORLDS_URL": f"{service.url}/marble/v1"}
        create_worlds("worlds", settings, told, [].append).make_world(BRIEF, lambda share, phrase: None)

    asked = json.loads(service.orders[0].body)["world_prompt"]
    assert (asked["type"], asked["text_prompt"]) == ("image", "A cabin by a lake.")
    assert (asked["image_prompt"]["source"], asked["image_prompt"]["extension"]) == ("data_base64", "jpg")
    assert decoded(base64.b64decode(asked["image_prompt"]["data_base64"])).shape == (400, 500, 3)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("weights")
    return {
        kind: tiny_pipelines.save(kind, base / kind) for kind in ("wan", "wan_image", "wan_vace", "sana_wm")
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name, family in families.FAMILIES.items():
        tiny = replace(family, width=96, height=64, frames=9, steps=2)
        monkeypatch.setitem(families.FAMILIES, name, tiny)


@pytest.mark.usefixtures("small")
def test_image_to_video_models_begin_with_it_and_build_no_world(
    folders: dict[str, Path], photo: Path, tmp_path: Path, monkeypatch
) -> None:
    def no_world(*_: object, **__: object) -> None:
        raise AssertionError("the picture is there, so no world is built for it")

    monkeypatch.setattr(generator, "_stage", no_world)
    other = tmp_path / "other.png"
    Image.fromarray(picture()[:, ::-1]).save(other)
    clips = []
    for image in (photo, other):
        settings = BackendSettings(model=str(folders["wan_image"]), device="cpu", image=image)
        made = generator.create("diffusion", settings)
        run, seen = made._run, []
        monkeypatch.setattr(
            made, "_run", lambda told, *rest, run=run, seen=seen: seen.append(told) or run(told, *rest)
        )
        clips.append(made.generate(BRIEF, lambda share, phrase: None).images)
        shown = np.asarray(seen[0]["image"])
        np.testing.assert_array_equal(shown, cut_to(read_start(image), 96, 64))

    assert clips[0].shape == (9, 64, 96, 3) and (clips[0] != clips[1]).any()  # random weights hardly look


@pytest.mark.usefixtures("small")
def test_a_model_that_follows_a_path_begins_with_it_and_keeps_the_path(
    folders: dict[str, Path], photo: Path, monkeypatch
) -> None:
    settings = BackendSettings(model=str(folders["sana_wm"]), device="cpu", image=photo)
    made = generator.create("diffusion", settings)
    run, seen = made._run, []
    monkeypatch.setattr(made, "_run", lambda told, *rest: seen.append(told) or run(told, *rest))

    frames = made.generate(SceneBrief(prompt="a meadow", size="small"), lambda share, phrase: None)

    np.testing.assert_array_equal(np.asarray(seen[0]["image"]), cut_to(read_start(photo), 96, 64))
    assert len(seen[0]["c2w"]) == 9 and frames.cameras is not None
    assert any("the lens that the model was told" in note for note in made.notes)


@pytest.mark.parametrize(("kind", "led"), [("wan", "words"), ("wan_vace", "words and depths")])
def test_models_that_take_none_say_so_before_they_run(
    kind: str, led: str, folders: dict[str, Path], photo: Path
) -> None:
    settings = BackendSettings(model=str(folders[kind]), device="cpu", image=photo)
    with pytest.raises(InvalidInputError, match=f"films from {led}, it takes no picture") as caught:
        generator.create("diffusion", settings)
    assert "image-to-video" in (caught.value.hint or "")


def test_somebody_looks_at_it_first(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = 200, json.dumps({"results": [{"flagged": False}]}).encode()
    with serving(verdict) as server:
        monkeypatch.setitem(os.environ, "IMMERSIVE_MODERATION_URL", server.url)
        moderate_prompt(CreateRequest("a lake", backend="videos", image=photo, is_shared=True))
    assert [body["input"][0]["type"] for body in server.asked] == ["text", "image_url"]
