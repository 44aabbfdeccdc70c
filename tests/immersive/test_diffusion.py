"""Every family of video models, loaded as users load it, with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch

from immersive.brief import SceneBrief
from immersive.generation.backend import BackendSettings, load_generator
from immersive.generation.diffusion import families, generator
from immersive.generation.glide import plan_glide
from immersive.generation.liftable_prompt import negative, positive
from immersive.generation.procedural.generator import build_world
from immersive.generation.understanding import understand
from immersive.pipeline import create_scene
from immersive.progress import Silent
from immersive.request import CreateRequest
from reconstruction.errors import (
    CancelledError,
    InvalidInputError,
    MissingBackendError,
    ModelFailedError,
    UnliftableInputError,
)
from tests.immersive import tiny_pipelines

# The Cosmos pipeline hands a tensor to NumPy in a way that NumPy 2 frowns at.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
BRIEF = understand("a cabin in a meadow", seed=3, size="small")
WIDTH, HEIGHT, FRAMES = 96, 64, 9


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
    """Tiny sizes, no network, and the built world rendered once for all tests."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name, family in families.FAMILIES.items():
        small = replace(family, width=WIDTH, height=HEIGHT, frames=FRAMES, steps=2)
        monkeypatch.setitem(families.FAMILIES, name, small)
    monkeypatch.setattr(generator, "_stage", lambda brief, size, progress, *, with_depths: staged())


@cache
def staged():
    size = {"width": WIDTH, "height": HEIGHT, "num_frames": FRAMES}
    return STAGE(BRIEF, size, lambda share, phrase: None, with_depths=True)


STAGE = generator._stage
CHECK = generator._check_package


def film(kind: str, folders: dict[str, Path], seed: int = 3, progress=lambda share, phrase: None):
    made = load_generator("diffusion", BackendSettings(model=str(folders[kind]), device="cpu"))
    return made.generate(replace(BRIEF, seed=seed), progress), made


@pytest.mark.parametrize("kind", tiny_pipelines.KINDS)
def test_every_family_films_at_a_size_that_it_takes(kind: str, folders: dict[str, Path]) -> None:
    told: list[tuple[float, str]] = []

    frames, made = film(kind, folders, progress=lambda share, phrase: told.append((share, phrase)))

    assert frames.images.shape == (FRAMES, HEIGHT, WIDTH, 3) and frames.images.std() > 1
    assert frames.provenance.source == "diffusion" and frames.provenance.is_generated
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and any("step 2 of 2" in phrase for _, phrase in told)
    assert made.notes[0].endswith("9 frames of 96x64")
    assert (frames.audio is not None) == kind.startswith("ltx2")
    assert [phrase for phrase in dict.fromkeys(phrase for _, phrase in told) if "step" in phrase] == [
        "step 1 of 2",
        "step 2 of 2",
    ]


def test_the_same_seed_gives_the_same_clip_and_another_another(folders: dict[str, Path]) -> None:
    first, second, other = (film("ltx", folders, seed)[0].images for seed in (5, 5, 6))

    np.testing.assert_array_equal(first, second)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_a_model_that_follows_a_path_gives_its_cameras(folders: dict[str, Path]) -> None:
    frames, _ = film("sana_wm", folders)

    assert frames.cameras is not None and frames.depths is None and len(frames.held_out) >= 1
    # The first camera of a world is at its origin and looks along -Z; the others are where the glide was.
    np.testing.assert_allclose(frames.cameras.positions[0], 0, atol=1e-5)
    glide = staged().cameras
    moved = np.linalg.norm(np.diff(frames.cameras.positions, axis=0), axis=1)
    np.testing.assert_allclose(moved, np.linalg.norm(np.diff(glide.positions, axis=0), axis=1), atol=1e-4)


def test_the_path_is_told_in_the_first_cameras_frame() -> None:
    inputs = generator._inputs(families.FAMILIES["SanaWMPipeline"], staged())

    np.testing.assert_allclose(inputs["c2w"][0], np.eye(4), atol=1e-5)
    ahead = inputs["c2w"][-1][:3, 3]
    assert ahead[2] > 1.0 and abs(ahead[0]) < 0.5 * ahead[2]  # OpenCV: +Z is forward
    K = staged().cameras.Ks[0]
    assert inputs["intrinsics"] == pytest.approx([K[0, 0], K[1, 1], WIDTH / 2, HEIGHT / 2])
    assert inputs["image"].size == (WIDTH, HEIGHT)


def test_a_model_that_is_led_by_depths_keeps_the_worlds_own(folders: dict[str, Path]) -> None:
    frames, _ = film("wan_vace", folders)

    np.testing.assert_array_equal(frames.depths, staged().depths)
    pictures = generator._inputs(families.FAMILIES["WanVACEPipeline"], staged())["video"]
    near, far = staged().depths[0].argmin(), staged().depths[0].argmax()
    shown = np.asarray(pictures[0]).mean(axis=2).ravel()
    assert len(pictures) == FRAMES and shown[near] > shown[far] + 50


def test_sound_comes_with_its_rate(folders: dict[str, Path]) -> None:
    frames, _ = film("ltx2", folders)

    assert frames.audio is not None and frames.audio.rate_hz == 16_000
    assert frames.audio.samples.shape[1] == 2 and np.abs(frames.audio.samples).max() <= 1


def test_the_glide_is_smooth_free_and_looks_where_it_goes() -> None:
    world = build_world(BRIEF)

    cameras = plan_glide(world, 40, 320, 180)

    positions = cameras.positions
    assert np.asarray(world.is_free(positions[:, 0], positions[:, 2])).all()
    steps = np.diff(positions, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    assert lengths.max() < 1.6 * np.median(lengths) and 1.5 < lengths.sum() < 12
    assert ((steps * cameras.forwards[:-1]).sum(axis=1) > 0).all()
    height = positions[:, 1] - np.asarray(world.ground_height(positions[:, 0], positions[:, 2]))
    assert np.abs(height - world.eye_height_m).max() < 0.35


@pytest.mark.parametrize("name", sorted(families.FAMILIES))
def test_sizes_are_rounded_to_what_a_family_takes(name: str) -> None:
    family = families.FAMILIES[name]
    for width, height, frames in ((1, 1, 1), (333, 77, 50), (1281, 719, 162)):
        size = family.sized(width, height, frames, 7)
        assert size["width"] % family.multiple == size["height"] % family.multiple == 0 < size["height"]
        assert size["num_frames"] % family.stride == 1 and size["num_frames"] > family.stride
        if width > family.multiple:
            assert abs(size["width"] - width) <= family.multiple / 2
    assert family.sized(848, 480, 81, 5)["num_frames"] == 81


def test_a_prompt_is_rewritten_so_that_the_clip_can_be_lifted() -> None:
    brief = SceneBrief(prompt="A red barn at dusk in fog.", time="dusk", weather="fog")

    words = positive(brief)

    assert words.index("camera") < words.index("red barn") < words.index("nothing moves")
    assert words.count("dusk") == 1 and "zoom" in negative() and "zoom" not in words


@pytest.mark.parametrize("kind", tiny_pipelines.KINDS)
def test_stopping_leaves_cleanly(kind: str, folders: dict[str, Path]) -> None:
    def stop(share: float, phrase: str) -> None:
        if "step 1" in phrase:
            raise CancelledError("stopped")

    made = load_generator("diffusion", BackendSettings(model=str(folders[kind]), device="cpu"))
    with pytest.raises(CancelledError):
        made.generate(BRIEF, stop)

    assert made.notes == () and "step" not in vars(made._pipeline.scheduler)  # nobody watches any more


def test_a_creation_that_is_stopped_leaves_nothing(folders: dict[str, Path], tmp_path: Path) -> None:
    class Stopping(Silent):
        def update(self, share: float, note: str = "") -> None:
            if "step 1" in note:
                raise CancelledError("stopped")

    request = CreateRequest("a cabin in a meadow", size="small", backend=f"diffusion={folders['wan']}")
    with pytest.raises(CancelledError):
        create_scene(request, home=tmp_path, reporter=Stopping())

    assert not list(tmp_path.rglob("*.npy")) and not list(tmp_path.rglob("pack.bin"))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate"), "^WanPipeline needs more memory"),
        (MemoryError(), "^WanPipeline needs more memory than there is$"),
        (ValueError("unsafe text in\nthe prompt."), "^WanPipeline stopped: unsafe text in the prompt$"),
        (RuntimeError("cuDNN error"), "^WanPipeline stopped: cuDNN error$"),
    ],
)
def test_a_pipeline_that_gives_up_is_told_in_one_sentence(
    error: Exception, sentence: str, folders: dict[str, Path], monkeypatch
) -> None:
    def give_up(*_: object, **__: object) -> None:
        raise error

    made = load_generator("diffusion", BackendSettings(model=str(folders["wan"]), device="cpu"))
    monkeypatch.setattr(made, "_pipeline", type("WanPipeline", (), {"__call__": give_up})())

    with pytest.raises(ModelFailedError, match=sentence) as caught:
        made.generate(BRIEF, lambda share, phrase: None)
    assert caught.value.hint and "\n" not in str(caught.value)


def test_a_clip_that_shows_nothing_is_told(folders: dict[str, Path], monkeypatch) -> None:
    made = load_generator("diffusion", BackendSettings(model=str(folders["wan"]), device="cpu"))
    for frames, sentence in (
        (np.full((1, 9, 64, 96, 3), 0.5), "show nothing"),
        (np.full((1, 9, 64, 96, 3), np.nan), "are not numbers"),
    ):
        answer = type("Answer", (), {"frames": frames})()
        monkeypatch.setattr(made, "_run", lambda *_, answer=answer: answer)
        with pytest.raises(ModelFailedError, match=sentence):
            made.generate(BRIEF, lambda share, phrase: None)


def test_what_is_no_video_model_is_told(tmp_path: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(InvalidInputError, match="diffusion needs a model"):
        load_generator("diffusion")
    with pytest.raises(InvalidInputError, match="cannot be loaded as a video model"):
        load_generator("diffusion", BackendSettings(model=str(tmp_path / "nowhere")))
    (tmp_path / "model_index.json").write_text("{]")
    with pytest.raises(InvalidInputError, match="cannot be loaded as a video model"):
        load_generator("diffusion", BackendSettings(model=str(tmp_path)))
    with pytest.raises(InvalidInputError, match="a str does not film places from words"):
        generator._family_of("")


def test_a_missing_package_is_told_with_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(generator, "_check_package", CHECK)
    monkeypatch.setattr(generator.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingBackendError, match="needs diffusers") as caught:
        generator.create("diffusion", BackendSettings(model="x"))
    assert "immersive[diffusion]" in (caught.value.hint or "")


def test_what_a_model_wants_besides_is_told_with_its_name(folders: dict[str, Path], monkeypatch) -> None:
    def check(name: str, package: str, how: str) -> None:
        if package == "torchvision":
            CHECK(name, "a_package_that_is_not_there", how)

    monkeypatch.setattr(generator, "_check_package", check)
    with pytest.raises(MissingBackendError, match="needs a_package_that_is_not_there") as caught:
        generator.create("diffusion", BackendSettings(model=str(folders["cosmos2"]), device="cpu"))
    assert caught.value.hint == "pip install torchvision"


def test_a_guardrail_that_is_missing_is_told_and_not_gone_around(
    folders: dict[str, Path], monkeypatch
) -> None:
    from diffusers.pipelines.cosmos import pipeline_cosmos2_video2world as module

    class Missing:
        def __init__(self) -> None:
            raise ImportError("`cosmos_guardrail` is not installed. Please install it:\n`pip install it`.")

    monkeypatch.setattr(module, "CosmosSafetyChecker", Missing)
    with pytest.raises(
        MissingBackendError, match="cannot load this model: `cosmos_guardrail` is not"
    ) as caught:
        generator.create("diffusion", BackendSettings(model=str(folders["cosmos2"]), device="cpu"))
    assert caught.value.hint and "\n" not in str(caught.value)


def test_weights_that_do_not_fit_into_memory_are_told(folders: dict[str, Path], monkeypatch) -> None:
    def too_large(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", too_large)
    with pytest.raises(ModelFailedError, match="needs more memory than there is"):
        generator.create("diffusion", BackendSettings(model=str(folders["wan"]), device="cpu"))


@pytest.mark.parametrize("kind", ["wan", "sana_wm", "cogvideox_image"])
def test_random_frames_are_refused_and_nothing_is_left(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    request = CreateRequest("a cabin in a meadow", size="small", seed=3, backend=f"diffusion={folders[kind]}")

    with pytest.raises(UnliftableInputError):
        create_scene(request, home=tmp_path)

    assert not (tmp_path / "scenes").exists() or list((tmp_path / "scenes").rglob("pack.bin")) == []


def test_a_clip_led_by_depths_becomes_a_scene(folders: dict[str, Path], tmp_path: Path) -> None:
    request = CreateRequest(
        "a cabin in a meadow",
        size="small",
        seed=3,
        backend=f"diffusion={folders['wan_vace']}",
        budget_s=2,
        splats=3_000,
    )

    scene = create_scene(request, home=tmp_path)

    assert scene.record.backend == "diffusion" and scene.record.is_generated
    assert (
        scene.record.quality is not None and scene.record.quality.verdict == "poor"
    )  # noise, and it says so
    assert any("filmed by WanVACEPipeline" in note for note in scene.notes)
