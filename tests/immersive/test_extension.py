"""`--extend`: what is filmed further, what it costs, what is kept of it, and who refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import immersive
from immersive import extension
from immersive.brief import SceneBrief
from immersive.cli import main
from immersive.errors import HostedError, RefusedError, TooDearError
from immersive.extension import MOST_FRAMES, LiftedScene, extended, joined, thinned
from immersive.generation import backend
from immersive.generation.liftable_prompt import ONWARD, positive
from immersive.pipeline import create_scene, plan_scene
from immersive.progress import Silent
from immersive.request import CreateRequest
from immersive.sources import Film, Source
from immersive.stage_runner import StageRunner
from immersive.stages import StageStore
from immersive.summary import show_report
from reconstruction.audio import AudioTrack
from reconstruction.errors import CancelledError, InvalidInputError, ModelFailedError, UnliftableInputError
from reconstruction.frames import FrameSequence, Provenance
from reconstruction.reports import QualityReport, WalkabilityReport
from tests.immersive import toy_backend

BRIEF = SceneBrief(prompt="a meadow")
QUALITY = QualityReport(24.0, 0.8, 4, 26.0, 1.0, 900, "usable", ("as told",))


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> list[toy_backend.ToyGenerator]:
    made = backend._Backend("tests.immersive.toy_backend", takes_image=True)
    monkeypatch.setitem(backend._BACKENDS, "toy", made)
    monkeypatch.setattr(toy_backend, "MADE", [])
    return toy_backend.MADE


def grey(count: int, first: int = 0, *, width: int = 12, height: int = 8) -> FrameSequence:
    """Frames that are told apart by their grey."""
    shades = np.arange(first, first + count, dtype=np.uint8)[:, None, None, None]
    images = np.broadcast_to(shades, (count, height, width, 3)).copy()
    return FrameSequence(images, Provenance("toy", is_generated=True, detail="the first"))


def scene(
    area_m2: float, frames: FrameSequence, *, verdict: Any = "usable", digest: str = "d"
) -> LiftedScene:
    source = Source(frames, None, None, False, "t", BRIEF, ("first",), Film(frames, ("first",)))
    space = type("Space", (), {"report": WalkabilityReport(area_m2, 0, 0.0, 0.0, verdict, ())})()
    return LiftedScene(source, digest, None, QUALITY, [], space)  # type: ignore[arg-type]


class Clips:
    """Films grey clips of four frames; raises what it is told to in place of one."""

    def __init__(self, errors: dict[int, Exception] | None = None) -> None:
        self.errors, self.pictures, self.notes = errors or {}, [], ()

    def film_on(self, brief: SceneBrief, picture: Any, number: int, progress: Any) -> FrameSequence:
        self.pictures.append(int(picture[0, 0, 0]))
        if number in self.errors:
            raise self.errors[number]
        self.notes = (f"clip {number}",)
        return grey(4, int(picture[0, 0, 0]))


def film_further(
    folder: Path,
    monkeypatch: Any,
    areas: Sequence[Any],
    *,
    most: int = 2,
    first_m2: float = 14.0,
    **options: Any,
) -> tuple[LiftedScene, Clips, list[list[int]]]:
    """Extend a scene whose longer versions come to `areas`, which may hold errors of lifting."""
    clips, lifted, left = Clips(**options), [], list(areas)
    monkeypatch.setattr(backend, "load_extending_generator", lambda name, settings: clips)

    def posed(runner: Any, digest: str, brief: Any, title: str, film: Film) -> Source:
        return Source(film.frames, None, None, False, title, brief, film.notes, film)

    def lift(digest: str, source: Source) -> LiftedScene:
        lifted.append(source.frames.images[:, 0, 0, 0].tolist())
        area = left.pop(0)
        if isinstance(area, Exception):
            raise area
        return replace(scene(area, source.frames, digest=digest), source=source)

    monkeypatch.setattr(extension, "posed_source", posed)
    runner = StageRunner(StageStore(folder / "stages"), Silent())
    request = CreateRequest("a meadow", backend="toy", extend=most)
    return extended(runner, request, scene(first_m2, grey(3)), lift), clips, lifted


def test_clips_go_on_from_the_last_picture_until_there_is_enough_room(tmp_path: Path, monkeypatch) -> None:
    best, clips, lifted = film_further(tmp_path, monkeypatch, [21.0, 31.4], most=5)

    assert clips.pictures == [2, 5]
    assert lifted == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8]]  # each doubled picture once
    assert best.area_m2 == 31.4 and best.digest != "d"
    assert best.source.notes == ("first", "clip 1", "clip 2", "filmed 2 clips further: 14 m2 became 31 m2")


def test_no_more_clips_are_filmed_than_were_allowed(tmp_path: Path, monkeypatch) -> None:
    best, clips, _ = film_further(tmp_path, monkeypatch, [16.0, 18.0, 20.0], most=2)

    assert len(clips.pictures) == 2 and best.area_m2 == 18.0


def test_a_scene_with_room_enough_is_left_alone(tmp_path: Path, monkeypatch) -> None:
    best, clips, _ = film_further(tmp_path, monkeypatch, [], first_m2=25.0)

    assert clips.pictures == []
    assert best.source.notes[-1] == "25 m2 can be walked, 25 are enough: nothing was filmed further"


@pytest.mark.parametrize(
    ("areas", "errors", "kept", "clip_count", "sentence"),
    [
        (
            [9.0],
            {},
            14,
            1,
            "filmed 1 clip further: 14 m2 stay as they were; the last clip was left out, 9 m2",
        ),
        ([20.0, 18.0], {}, 20, 2, "filmed 2 clips further: 14 m2 became 20 m2; the last clip was left out"),
        (
            [UnliftableInputError("these pictures cannot become a scene: no parallax")],
            {},
            14,
            1,
            "filmed 1 clip further: 14 m2 stay as they were; the last clip could not be joined: these",
        ),
        (
            [],
            {1: TooDearError("too dear; no further clip was ordered")},
            14,
            1,
            "filmed no clips further: 14 m2",
        ),
        ([19.0], {2: TooDearError("too dear")}, 19, 2, "filmed 1 clip further: 14 m2 became 19 m2; too dear"),
        (
            [],
            {1: ModelFailedError("the model's frames show nothing")},
            14,
            1,
            "another clip came to nothing, as",
        ),
        (
            [],
            {1: RefusedError("the pictures are refused")},
            14,
            1,
            "another clip was not used: the pictures are",
        ),
    ],
)
def test_the_better_of_both_is_kept_and_told(
    areas: Any, errors: Any, kept: float, clip_count: int, sentence: str, tmp_path: Path, monkeypatch
) -> None:
    best, clips, _ = film_further(tmp_path, monkeypatch, areas, errors=errors, most=4)

    assert best.area_m2 == kept and len(clips.pictures) == clip_count
    assert sentence in best.source.notes[-1]


def test_more_ground_of_a_poor_scene_is_not_better(tmp_path: Path, monkeypatch) -> None:
    assert scene(40, grey(3), verdict="poor").rank < scene(6, grey(3)).rank < scene(7, grey(3)).rank


def test_a_service_that_fails_stops_the_work_and_the_same_call_goes_on(tmp_path: Path, monkeypatch) -> None:
    for error in (HostedError("videos is busy"), CancelledError("stopped")):
        with pytest.raises(type(error)):
            film_further(tmp_path, monkeypatch, [16.0, 30.0], errors={2: error})

    best, clips, _ = film_further(tmp_path, monkeypatch, [16.0, 30.0])

    assert clips.pictures == [5]  # the first one was kept
    assert best.source.notes[-1] == "filmed 2 clips further: 14 m2 became 30 m2"


def test_cameras_and_depths_go_on_where_the_last_clip_ended() -> None:
    film, clip = toy_backend.clip(0), toy_backend.clip(1)
    sound = AudioTrack(np.zeros((9, 1), np.float32), 16_000)

    whole = joined(replace(film, audio=sound), clip)

    assert len(whole) == len(film) + len(clip) - 1 == len(whole.depths) == len(whole.cameras)
    assert whole.audio is sound and whole.held_out and max(whole.held_out) < len(whole)
    # The same room from the same eyes, whichever frame each clip is in: points of the joint agree.
    last, again = film.cameras.viewmats[-1], whole.cameras.viewmats[len(film) - 1]
    np.testing.assert_array_equal(last, again)
    eyes = whole.cameras.positions
    between = np.linalg.norm(eyes[len(film) - 6] - eyes[len(film) + 6])
    assert between == pytest.approx(np.hypot(0.2, 2.6), abs=1e-4)
    assert np.ptp(eyes[:, 1]) < 1e-4  # nobody climbs
    assert joined(film, replace(clip, cameras=None)).cameras is None


def test_a_clip_of_another_size_is_cut_to_the_films() -> None:
    whole = joined(grey(3), grey(3, 2, width=30, height=16))

    assert whole.images.shape == (5, 8, 12, 3) and whole.images[:, 4, 6, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_long_film_is_thinned_evenly_and_keeps_its_ends() -> None:
    film = grey(250)

    few = thinned(film)

    shades = few.images[:, 0, 0, 0].astype(int)
    assert len(few) == MOST_FRAMES and shades[0] == 0 and shades[-1] == 249
    assert set(np.diff(shades)) == {2, 3} and thinned(few) is few


@pytest.mark.parametrize(
    ("options", "sentence", "hint"),
    [
        ({"prompt": "a lake"}, "procedural goes on from no picture", "--size"),
        ({"prompt": "a lake", "backend": "luma"}, "luma goes on from no picture", "runway"),
        ({"prompt": "a lake", "backend": "worlds"}, "worlds goes on from no picture", "--extend"),
        (
            {"prompt": "a lake", "backend": "videos", "extend": 9},
            "extend must be from 0 to 8 clips, got 9",
            "",
        ),
        ({"prompt": "a lake", "backend": "videos", "extend": -1}, "extend must be from 0 to 8 clips", ""),
        ({"images": Path()}, "extend is for a prompt's place", ""),
    ],
)
def test_where_nothing_can_be_filmed_further_one_line_says_so(options: Any, sentence: str, hint: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        CreateRequest(**{"extend": 1, **options})
    assert hint in (caught.value.hint or "") and "\n" not in str(caught.value)


def test_the_command_line_and_programs_ask_for_it(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("IMMERSIVE_HOME", str(tmp_path))
    assert main(["create", "a lake", "--extend", "2", "--json"]) == 1
    assert "procedural goes on from no picture" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["create", "a lake", "--extend", "-2", "--json"]) == 2
    with pytest.raises(InvalidInputError, match="luma goes on from no picture"):
        immersive.create("a lake", backend="luma", extend=1, home=tmp_path)


def test_it_names_the_scene_and_not_the_first_clip(tmp_path: Path) -> None:
    runner = StageRunner(StageStore(tmp_path), Silent())
    recipes = [
        plan_scene(runner, CreateRequest("a lake", backend="toy", extend=clips)) for clips in (0, 1, 2)
    ]

    assert len({recipe.digest for recipe in recipes}) == 3
    assert len({recipe.planned.digest for recipe in recipes}) == 1  # which is filmed and paid once


def test_the_words_send_the_camera_on() -> None:
    words = positive(BRIEF, camera=ONWARD)

    assert words.index("goes on from this picture") < words.index("forward") < words.index("A meadow")
    assert "nothing moves" in words


def test_a_place_grows_as_it_is_filmed_further(tmp_path: Path, toy) -> None:
    told: list[str] = []

    class Labels(Silent):
        def begin(self, stage: str, label: str) -> None:
            told.append(label)

    request = CreateRequest("a meadow", backend="toy", budget_s=1, splats=3_000, extend=2)

    small = create_scene(replace(request, extend=0), home=tmp_path).record
    large = create_scene(request, home=tmp_path, reporter=Labels())
    again = create_scene(request, home=tmp_path)

    before, after = small.walkability, large.record.walkability
    assert before is not None and after is not None and after.reachable_m2 > before.reachable_m2 + 5
    assert again.record.id == large.record.id != small.id
    films = [generator for generator in toy if generator.went_on_from]
    assert len(toy) == 2 and len(films) == 1 and len(films[0].went_on_from) == 2  # the first clip was kept
    np.testing.assert_array_equal(films[0].went_on_from[0], toy_backend.clip(0).images[-1])
    assert films[0].settings.extends and not toy[0].settings.extends
    assert [label for label in told if "on" in label.split()] == ["Filming on 1/2", "Filming on 2/2"]
    assert large.notes[:3] == ("the first clip", "clip 1 further", "clip 2 further")
    assert large.notes[-1].startswith("filmed 2 clips further: ") and " became " in large.notes[-1]
    shown = StringIO()
    show_report(Console(file=shown, width=200), large)
    assert large.notes[-1] in shown.getvalue()
