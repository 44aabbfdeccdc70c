"""That a place is AI-made, and by what, is said by every backend and stays with it to the visitor."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from immersive.brief import SceneBrief
from immersive.catalog import Catalog
from immersive.cli import main
from immersive.exporting import export_asset
from immersive.generation.backend import BackendSettings, backend_names
from immersive.generation.diffusion.generator import DiffusionGenerator
from immersive.generation.hosted import generator as hosted
from immersive.generation.hosted import worlds
from immersive.generation.made_world import MadeWorld
from immersive.generation.procedural import generator as procedural
from immersive.generation.understanding import understand
from immersive.server.run import start_in_thread
from immersive.share import Links
from immersive.stage_results import arrays_from_frames, frames_from_arrays
from immersive.world_source import _put_together, _take_apart
from reconstruction.frames import FrameSequence, Provenance
from streaming import gltf
from streaming.assemble import build_asset
from streaming.validate import inspect
from tests.immersive.fake_clip_services import KEY, FakeService, running
from tests.immersive.fake_world_service import FakeWorldService, world_files
from tests.immersive.test_hosted import environment
from tests.reconstruction.clips import sliding, write_clip
from tests.streaming.splat_clouds import lopsided_cloud

BRIEF = SceneBrief(prompt="A cabin by a lake.", seed=11)


def quiet(share: float, phrase: str) -> None:
    pass


def by_procedural(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Path | None) -> FrameSequence:
    def grey(world: Any, cameras: Any, *_: Any, **__: Any) -> tuple[np.ndarray, np.ndarray]:
        shape = (len(cameras), cameras.height, cameras.width)
        return np.full((*shape, 3), 90, np.uint8), np.full(shape, 4, np.float32)

    monkeypatch.setattr(procedural, "render", grey)
    brief = understand("a meadow", seed=3, size="small")
    return procedural.create("procedural", BackendSettings()).generate(brief, quiet)


def by_diffusion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Path | None) -> FrameSequence:
    class WanImageToVideoPipeline:
        def __call__(self, **told: Any) -> Any:
            images = np.random.default_rng(1).random((1, 5, told["height"], told["width"], 3))
            return SimpleNamespace(frames=images)

    pictured = image or tmp_path / "any.png"
    Image.fromarray(np.zeros((90, 120, 3), np.uint8)).save(pictured)
    settings = BackendSettings(model="some/model", image=pictured)
    return DiffusionGenerator(WanImageToVideoPipeline(), "some/model", settings).generate(BRIEF, quiet)


def by_clip(name: str) -> Callable[..., FrameSequence]:
    def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Path | None) -> FrameSequence:
        clip = write_clip(tmp_path / "walk.mp4", sliding(14)).read_bytes()
        settings = BackendSettings("some/model", journal=tmp_path / "paid", image=image)
        with running(FakeService(clip)) as service:
            made = hosted.create(name, settings, environment(name, service), [].append)
            return made.generate(BRIEF, quiet)

    return film


def by_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Path | None) -> MadeWorld:
    splats, collider = world_files(count=400)
    settings = BackendSettings("some/model", journal=tmp_path / "paid", image=image)
    with running(FakeWorldService(splats, collider=collider)) as service:
        told = {"IMMERSIVE_WORLDS_URL": f"{service.url}/marble/v1", "IMMERSIVE_WORLDS_KEY": KEY}
        return worlds.create("worlds", settings, told, [].append).make_world(BRIEF, quiet)


MAKERS: dict[str, Callable[..., FrameSequence | MadeWorld]] = {
    "procedural": by_procedural,
    "diffusion": by_diffusion,
    **{name: by_clip(name) for name in hosted.FAMILIES},
    "worlds": by_world,
}


def test_no_backend_is_left_out() -> None:
    assert set(MAKERS) == set(backend_names())


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_backend_says_that_a_program_made_it_and_which(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MAKERS[name](tmp_path, monkeypatch, None)

    assert (made.provenance.source, made.provenance.is_generated) == (name, True)
    assert ("some/model" if name != "procedural" else "meadow") in made.provenance.detail
    assert KEY not in json.dumps(made.provenance.detail)
    # Kept and loaded again, nothing of it is lost.
    if isinstance(made, MadeWorld):
        again: Any = _put_together(*_take_apart((made, ())))[0]
    else:
        again = frames_from_arrays(*arrays_from_frames(replace(made, landmarks=())))
    assert again.provenance == made.provenance


@pytest.mark.parametrize("name", ["diffusion", "videos", "worlds"])
def test_a_users_picture_is_told_without_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "my garden.png"
    Image.fromarray(np.full((90, 120, 3), 60, np.uint8)).save(image)

    detail = MAKERS[name](tmp_path, monkeypatch, image).provenance.detail

    assert detail.endswith("some/model, begun with a picture") and "garden" not in detail


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_label_goes_with_the_scene_to_files_and_visitors(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    provenance = Provenance(name, is_generated=True, detail=f"{name} some/model")
    asset = build_asset(lopsided_cloud(60), title="Made up", recipe={"seed": 1}, provenance=provenance)
    catalog = Catalog(tmp_path / "home")
    record = catalog.publish(asset, backend=name)
    link = Links(catalog).create(record.id, visibility="unlisted")
    export_asset(catalog.asset(record.id), tmp_path / "out.glb")
    catalog.close()

    (packet,) = gltf.decode((tmp_path / "out.glb").read_bytes()).document["extensions"]["KHR_xmp_json_ld"][
        "packets"
    ]
    kind = "/algorithmicMedia" if name == "procedural" else "/trainedAlgorithmicMedia"
    assert packet["Iptc4xmpExt:DigitalSourceType"].endswith(kind)
    assert json.loads(packet["immersive:provenance"])["detail"] == f"{name} some/model"
    assert inspect(tmp_path / "out.glb").is_labelled_generated
    with start_in_thread(tmp_path / "home", page_folder=tmp_path) as info:
        preview = httpx.get(f"{info.url}/api/links/{link.id}/preview").json()
        opened = httpx.post(f"{info.url}/api/links/{link.id}/open", json={"secret": link.secret}).json()
    assert preview["is_generated"] is True and opened["scene"]["is_generated"] is True


@pytest.mark.parametrize("is_generated", [True, False])
def test_a_labelled_file_that_is_imported_keeps_its_label(
    is_generated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path / "home"))
    provenance = Provenance("worlds", is_generated=is_generated)
    export_asset(build_asset(lopsided_cloud(60), title="T", provenance=provenance), tmp_path / "a.glb")

    assert main(["import", str(tmp_path / "a.glb"), "--json"]) == 0

    catalog = Catalog(tmp_path / "home")
    (record,) = catalog.list()
    catalog.close()
    assert record.is_generated is is_generated and record.backend == "import"
