"""Scenes that are looked at while they are made: what shows when, what stays, what goes."""

from __future__ import annotations

import base64
import io
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from immersive.archive import write_archive
from immersive.catalog import Catalog
from immersive.client import open_link
from immersive.errors import SceneGrowingError, UnknownSceneError
from immersive.garbage import collect
from immersive.growing import STOPPED_S, Growing, GrowthReporter, growth_of
from immersive.jobs.queue import Jobs
from immersive.pipeline import create_scene
from immersive.progress import Silent
from immersive.request import CreateRequest
from immersive.restore import restore_archive
from immersive.share import Links, ShareLink
from reconstruction.errors import UnliftableInputError
from streaming.messages import Redirect, Scene
from tests.immersive.served_site import Site, drain, ending
from tests.immersive.test_jobs import Clock, catalog, clock, hanging, jobs, toy_jobs, wait_for  # noqa: F401
from tests.posed_room import write_posed_room
from tests.streaming.opaque_asset import opaque_asset

RAMP = np.broadcast_to(np.arange(30, dtype=np.uint8)[:, None, None, None] * 8, (30, 40, 60, 3)).copy()


def begin(catalog: Catalog, recipe: str = "r1") -> Growing:  # noqa: F811
    return Growing.begin(catalog, recipe_digest=recipe, title="A\n hut\t", prompt="a hut")


def bytes_beside(catalog: Catalog, *versions: str) -> int:  # noqa: F811
    """Remove all packs but these, and return how many bytes they held."""
    with catalog.blobs.exclusive():
        return catalog.blobs.sweep(set(versions))


def test_a_growing_scene_has_links_and_nothing_else_yet(catalog: Catalog) -> None:  # noqa: F811
    growing = begin(catalog)
    record = catalog.get(growing.scene_id)
    assert (record.title, record.prompt, record.byte_length) == ("A hut", "a hut", 0)
    assert catalog.list() == []  # no scene that anybody made
    link = Links(catalog).create(record.id)
    assert Links(catalog).open(link.id, str(link.secret)).scene_id == record.id
    with pytest.raises(SceneGrowingError, match="still being made"):
        catalog.asset(record.id)
    collect(catalog)
    assert catalog.get(record.id) == record


def test_each_version_takes_the_place_of_the_one_before_and_the_id_stays(catalog: Catalog) -> None:  # noqa: F811
    growing = begin(catalog)
    growing.show_splats(opaque_asset(seed=1))
    first = catalog.get(growing.scene_id)
    assert catalog.asset(first.id).pack == opaque_asset(seed=1).pack
    assert catalog.list() == []
    growing.show_splats(opaque_asset(seed=2))
    assert not catalog.blobs.has(first.version)
    collect(catalog)
    done = growing.finish(opaque_asset("A hut at last", seed=3), backend="procedural", recipe_digest="r1")
    assert (done.id, done.title, done.backend, done.recipe_digest) == (
        first.id, "A hut at last", "procedural", "r1",
    )  # fmt: skip
    assert done.quality == opaque_asset().manifest.quality
    assert catalog.asset(done.id) == opaque_asset("A hut at last", seed=3)
    assert catalog.list() == [done]
    assert growth_of(catalog, done.id) is None
    growing.show_splats(opaque_asset(seed=4))  # too late: it is finished
    assert catalog.get(done.id) == done
    assert catalog.blobs.has(done.version) and bytes_beside(catalog, done.version) == 0


def test_an_equal_scene_takes_over_the_links(catalog: Catalog) -> None:  # noqa: F811
    known = catalog.publish(opaque_asset(seed=3), recipe_digest="another")
    growing = begin(catalog)
    growing.show_splats(opaque_asset(seed=1))
    link = Links(catalog).create(growing.scene_id)
    done = growing.finish(opaque_asset(seed=3), backend="procedural", recipe_digest="r1")
    assert done == known and catalog.list() == [known]
    assert Links(catalog).open(link.id, str(link.secret)).scene_id == known.id
    assert catalog.blobs.has(known.version) and bytes_beside(catalog, known.version) == 0


def test_an_interrupted_making_goes_on_with_the_same_scene_and_ends_some_day(
    catalog: Catalog, clock: Clock  # noqa: F811
) -> None:  # fmt: skip
    growing = begin(catalog)
    growing.show_splats(opaque_asset(seed=1))
    assert begin(catalog).scene_id == growing.scene_id
    assert begin(catalog, "r2").scene_id != growing.scene_id
    clock.at += STOPPED_S + 1
    stopped = growth_of(catalog, growing.scene_id)
    assert stopped is not None and stopped.is_stopped and stopped.has_splats
    clock.at += 86_400
    kept = begin(catalog, "r3")
    collect(catalog)
    assert growth_of(catalog, kept.scene_id) is not None
    with pytest.raises(UnknownSceneError):
        catalog.get(growing.scene_id)
    assert bytes_beside(catalog) == 0


def test_two_who_make_the_same_scene_make_one(catalog: Catalog) -> None:  # noqa: F811
    one, two = begin(catalog), begin(catalog)
    done = one.finish(opaque_asset(seed=3), backend="procedural", recipe_digest="r1")
    assert two.finish(opaque_asset(seed=3), backend="procedural", recipe_digest="r1") == done
    two.tell("Late", 0.5, None)
    two.show_splats(opaque_asset(seed=9))
    two.abandon()  # what is finished stays
    assert catalog.list() == [done]


def test_an_archive_leaves_out_what_is_not_finished(catalog: Catalog, tmp_path: Path) -> None:  # noqa: F811
    growing, kept = begin(catalog), catalog.publish(opaque_asset(seed=8))
    growing.show_splats(opaque_asset(seed=1))
    lost, link = Links(catalog).create(growing.scene_id), Links(catalog).create(kept.id)
    Links(catalog).open(lost.id, str(lost.secret))
    contents = write_archive(catalog, tmp_path / "all.zip")
    assert (contents.scenes, contents.links) == (1, 1)
    fresh = Catalog(tmp_path / "fresh")
    restore_archive(fresh, tmp_path / "all.zip")
    assert fresh.list() == [kept] and Links(fresh).get(link.id).scene_id == kept.id
    fresh.close()


def test_frames_are_few_small_and_from_the_whole_way(catalog: Catalog) -> None:  # noqa: F811
    growing = begin(catalog)
    growing.show_frames(RAMP)
    state = growth_of(catalog, growing.scene_id)
    assert state is not None and len(state.frames) == 8
    pictures = [Image.open(io.BytesIO(base64.b64decode(frame))) for frame in state.frames]
    assert {(picture.format, picture.size) for picture in pictures} == {("WEBP", (60, 40))}
    levels = [float(np.asarray(picture.convert("L")).mean()) for picture in pictures]
    assert levels == pytest.approx(np.linspace(0, 29, 8).round() * 8, abs=6)
    growing.show_frames(np.zeros((2, 900, 1600, 3), np.uint8))
    state = growth_of(catalog, growing.scene_id)
    assert state is not None
    assert [Image.open(io.BytesIO(base64.b64decode(f))).size for f in state.frames] == [(480, 270)] * 2


def test_frames_come_while_they_are_made_if_somebody_looks(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setattr("immersive.growing._FRAME_S", 0.0)
    growing, shown = begin(catalog), []
    growing.show_frame(RAMP[0])
    assert growth_of(catalog, growing.scene_id, is_watching=True) is not None
    for image in RAMP[1:20]:
        growing.show_frame(image)
        state = growth_of(catalog, growing.scene_id)
        assert state is not None
        shown.append(len(state.frames))
    assert shown == [1, 2, 3, 4, 5, 6, 7, 8] + [5, 6, 7, 8] * 2 + [5, 6, 7]
    assert state is not None
    newest, oldest = (Image.open(io.BytesIO(base64.b64decode(state.frames[at]))) for at in (-1, 0))
    assert np.asarray(newest.convert("L")).mean() == pytest.approx(19 * 8, abs=6)
    assert np.asarray(oldest.convert("L")).mean() == pytest.approx(1 * 8, abs=6)


def test_progress_is_told_once_a_second_and_passed_on_always(catalog: Catalog) -> None:  # noqa: F811
    growing, now, heard = begin(catalog), [10.0], []

    class Heard(Silent):
        def update(self, share: float, note: str = "") -> None:
            heard.append(share)

    reporter = GrowthReporter(Heard(), growing, clock=lambda: now[0])
    reporter.begin("fit", "Fitting splats")
    for share, at in ((0.0, 10.0), (0.02, 10.5), (0.25, 15.0), (0.3, 15.9)):
        now[0] = at
        reporter.update(share)
    state = growth_of(catalog, growing.scene_id)
    assert state is not None
    assert (state.label, state.share, state.seconds_left) == ("Fitting splats", 0.25, pytest.approx(15.0))
    assert heard == [0.0, 0.02, 0.25, 0.3]


def test_it_is_watched_while_somebody_asks(catalog: Catalog, clock: Clock) -> None:  # noqa: F811
    growing = begin(catalog)
    assert not growing.is_watched
    growth_of(catalog, growing.scene_id)  # to look whether there is something is not to watch
    assert not growing.is_watched
    growth_of(catalog, growing.scene_id, is_watching=True)
    assert growing.is_watched
    clock.at += 40
    assert not growing.is_watched


def test_who_works_in_silence_has_not_stopped(
    catalog: Catalog, clock: Clock, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    growing = begin(catalog)
    clock.at += 1_000
    monkeypatch.setattr("immersive.growing.STOPPED_S", 0.06)

    def is_stopped() -> bool:
        state = growth_of(catalog, growing.scene_id)
        assert state is not None
        return state.is_stopped

    assert is_stopped()
    with growing.worked_on():
        wait_for(lambda: not is_stopped())
    clock.at += 1_000
    time.sleep(0.05)
    assert is_stopped()  # and nobody says otherwise any more


def test_a_cancelled_job_takes_its_scene_along(jobs: Jobs, catalog: Catalog) -> None:  # noqa: F811
    job = jobs.submit({"prompt": "hang"})
    with toy_jobs(catalog.home):
        hanging(catalog.home)
        growing = begin(catalog)
        worker = jobs.get(job.id).worker
        assert worker is not None
        jobs.note_scene(job.id, worker, growing.scene_id)
        assert jobs.get(job.id).scene_id == growing.scene_id
        jobs.cancel(job.id)
        wait_for(lambda: jobs.get(job.id).state == "cancelled")
        wait_for(lambda: growth_of(catalog, growing.scene_id) is None)
    with pytest.raises(UnknownSceneError):
        catalog.get(growing.scene_id)


def test_the_server_tells_how_far_it_is_and_sends_viewers_to_the_newer_version(site: Site) -> None:
    growing = begin(site.catalog)
    link = site.links.create(growing.scene_id)
    url = site.info.url
    opened = httpx.post(f"{url}/api/links/{link.id}/open", json={"secret": link.secret}).json()
    assert (opened["scene"], opened["ticket"]) == (None, None)
    bearer = {"Authorization": f"Bearer {opened['bearer']}"}
    growing.tell("Fitting splats", 0.4, 20.0)
    growing.show_frames(RAMP[:3])

    def asked() -> dict:
        return httpx.get(f"{url}/api/links/{link.id}/growth", headers=bearer).json()

    answer = asked()
    assert (answer["title"], answer["version"], answer["growth"]["share"]) == ("A hut", None, 0.4)
    assert len(answer["growth"]["frames"]) == 3 and growing.is_watched
    other = {"Authorization": f"Bearer {open_link(site.url).bearer}"}
    for headers in ({}, other):
        refused = httpx.get(f"{url}/api/links/{link.id}/growth", headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_allowed")
    with pytest.raises(SceneGrowingError, match="still being made"):
        open_link(site.info.link(link.path))

    growing.show_splats(opaque_asset(seed=1))
    draft = open_link(site.info.link(link.path))
    assert draft.scene["is_growing"] and draft.scene["version"] == asked()["version"]
    with site.socket(ticket=draft.ticket) as old, site.socket() as unconcerned:
        assert any(isinstance(message, Scene) for message in drain(old))
        drain(unconcerned)
        growing.finish(opaque_asset(seed=2), backend="procedural", recipe_digest="r1")
        messages, code = ending(old)
        assert messages == [Redirect(0)] and code == 1001
        unconcerned.ping().wait(5)
    final = open_link(site.info.link(link.path))
    assert not final.scene["is_growing"] and final.scene["version"] != draft.scene["version"]
    assert asked() == {"title": "Cabin by a lake", "growth": None, "version": final.scene["version"]}


def test_a_scene_is_seen_growing_and_one_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The whole pipeline, with somebody looking on from the moment the link is there."""
    folder, home = write_posed_room(tmp_path / "room"), tmp_path / "home"
    request = CreateRequest(images=folder, budget_s=4, splats=6_000, title="Room")
    watched, stop = Catalog(home), threading.Event()
    seen: list[tuple[str, int, bool]] = []
    labels: set[str] = set()

    def watch(link: ShareLink) -> None:
        while not stop.is_set():
            state = growth_of(watched, link.scene_id, is_watching=True)
            record = watched.get(link.scene_id)
            step = (record.version, record.byte_length, state is not None and len(state.frames) == 8)
            labels.add("" if state is None else state.label)
            if not seen or seen[-1] != step:
                seen.append(step)
            time.sleep(0.02)

    watchers: list[threading.Thread] = []

    def on_link(link: ShareLink) -> None:
        growth_of(watched, link.scene_id, is_watching=True)
        watchers.append(threading.Thread(target=watch, args=(link,)))
        watchers[0].start()

    try:
        scene = create_scene(request, home=home, on_link=on_link)
    finally:
        stop.set()
        watchers[0].join()
    assert scene.link.scene_id == scene.record.id == watched.list()[0].id
    assert seen[0][1:] == (0, False)  # a link, and nothing
    assert any(size == 0 and has_frames for _, size, has_frames in seen)  # then frames
    drafts = {version for version, size, has_frames in seen if size and has_frames}
    assert len(drafts) >= 2 and scene.record.version not in drafts  # then drafts
    assert {"Fitting splats", "Making it walkable"} <= labels

    again = create_scene(request, home=home, on_link=lambda link: seen.clear())
    assert again.record == scene.record and seen == []

    def broken(*_: object, **__: object) -> None:
        raise UnliftableInputError("nothing to see")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(UnliftableInputError):
        patch.setattr("immersive.pipeline._fit", broken)
        create_scene(replace(request, title="Another"), home=home)
    assert watched.database.read("SELECT * FROM growth") == []
    assert [record.id for record in watched.list()] == [scene.record.id]
    watched.close()
