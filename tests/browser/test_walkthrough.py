"""The whole way in a real Chromium: a created scene is served, opened, compared, walked and entered in VR."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from immersive.catalog import Catalog, SceneRecord
from immersive.pipeline import BuiltScene
from immersive.preflight import find_chromium
from immersive.server.run import start_in_thread
from immersive.share import Links
from immersive.story import connect_places, join_places
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.metrics import psnr
from reconstruction.rasterizers.draw import draw
from streaming.assemble import collider_mesh, finest_cloud
from streaming.asset import SplatAsset
from tests.conftest import ROOT, SmallScene

WIDTH, HEIGHT = 480, 270
LEAST_PSNR_DB = 25.0


@pytest.fixture(scope="module")
def visit(small_scene: SmallScene, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One long visit; the tests below read what it found."""
    assert find_chromium() is not None, "browser tests need Chromium: apt-get install chromium"
    assert (ROOT / "viewer" / "node_modules").is_dir(), "browser tests need `make setup` first"
    folder = tmp_path_factory.mktemp("visit")
    home = folder / "home"
    shutil.copytree(small_scene.home, home)
    catalog = Catalog(home)
    record, story = catalog.list()[0], _two_places(catalog)
    asset = catalog.asset(record.id)
    links = Links(catalog)
    link, gone, door = (links.create(scene) for scene in (record.id, record.id, story.id))
    links.revoke(gone.id)
    cameras = _cameras(asset)
    poses = [
        {
            "viewmat": viewmat.ravel().tolist(),
            "K": K.ravel().tolist(),
            "width": WIDTH,
            "height": HEIGHT,
            "png": str(folder / f"{index}.png"),
        }
        for index, (viewmat, K) in enumerate(zip(cameras.viewmats, cameras.Ks, strict=True))
    ]
    (folder / "poses.json").write_text(json.dumps(poses), "utf-8")
    stand, wall_m = _before_a_wall(asset)
    with start_in_thread(home) as info:
        command = [
            "node", "viewer/scripts/walkthrough.mjs", info.link(link.path), str(folder / "report.json"),
            "--poses", str(folder / "poses.json"), "--walk", "--stand", stand, "--vr",
            "--door", info.link(door.path),
            "--revoked", info.link(gone.path),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    portal = catalog.asset(story.id).manifest.portals[0]
    catalog.close()
    report = json.loads((folder / "report.json").read_text("utf-8"))
    pictures = [pose["png"] for pose in poses]
    return {
        "report": report,
        "asset": asset,
        "cameras": cameras,
        "pictures": pictures,
        "wall_m": wall_m,
        "portal": portal,
    }


def _two_places(catalog: Catalog) -> SceneRecord:
    """Publish the small scene twice, joined by a doorway, the second under another name; return the first."""
    asset = catalog.asset(catalog.list()[0].id)
    other = replace(asset, manifest=replace(asset.manifest, title="Behind the door"))
    joined = join_places(
        [BuiltScene(place, [], "images", None, ()) for place in (asset, other)], ["Back", "On"]
    )
    records = [catalog.publish(place.asset) for place in joined]
    connect_places(catalog, records)
    return records[0]


def _before_a_wall(asset: SplatAsset) -> tuple[str, float]:
    """Return x,y,z,yaw of the spawn facing a wall squarely, and how far that wall is at knee height."""
    vertices, faces = collider_mesh(asset)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    spawn = np.array(asset.manifest.spawn.position)
    yaws = np.arange(0, 360, 5.0)
    ways = np.stack([-np.sin(np.radians(yaws)), 0 * yaws, -np.cos(np.radians(yaws))], axis=1)
    origins = np.repeat([spawn + [0, 0.6, 0]], len(ways), axis=0)
    places, rays, triangles = mesh.ray.intersects_location(origins, ways, multiple_hits=False)
    metres = np.linalg.norm(places - origins[rays], axis=1)
    squareness = np.abs((ways[rays] * mesh.face_normals[triangles]).sum(axis=1))
    far_enough = metres > 1.2
    best = np.flatnonzero(far_enough)[np.argmax((squareness - 0.02 * metres)[far_enough])]
    x, y, z = spawn
    return f"{x},{y},{z},{yaws[rays[best]]}", float(metres[best])


def _cameras(asset: SplatAsset) -> Cameras:
    """Three views from the path, none level and none of them a training view."""
    viewmats = []
    for (x, y, z, yaw), pitch, turn in zip(
        asset.manifest.camera_path[:3], (-0.2, -0.1, 0.05), (20, -35, 50), strict=True
    ):
        angle = np.radians(yaw + turn)
        eye = np.array([x, y, z])
        viewmats.append(look_at_viewmat(eye, eye + np.array([-np.sin(angle), pitch, -np.cos(angle)])))
    return Cameras(np.stack(viewmats), np.stack([intrinsics(260.0, WIDTH, HEIGHT)] * 3), WIDTH, HEIGHT)


@pytest.mark.browser
def test_the_canvas_shows_what_the_rasteriser_draws(visit: dict[str, Any]) -> None:
    expected = np.clip(draw(finest_cloud(visit["asset"]), visit["cameras"]).images, 0, 1)

    for path, picture in zip(visit["pictures"], expected, strict=True):
        shown = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        assert shown.shape == picture.shape and shown.std() > 0.05
        assert psnr(shown, picture) >= LEAST_PSNR_DB


@pytest.mark.browser
def test_every_chunk_arrives_whole_and_is_shown(visit: dict[str, Any]) -> None:
    scene = visit["report"]["scene"]
    splat_chunks = [chunk for chunk in visit["asset"].chunks if chunk.kind == "splats"]

    assert scene["chunksShown"] == len(splat_chunks)
    assert visit["report"]["complaints"] == []


@pytest.mark.browser
def test_a_wall_stops_a_visitor_who_walks_ahead(visit: dict[str, Any]) -> None:
    walk = visit["report"]["walk"]
    start, end = np.array(walk["from"]), np.array(walk["to"])

    # The body's radius is between 0.2 and 0.3 m; the wall of the collider is rough by a voxel.
    assert visit["wall_m"] - 0.45 < np.hypot(*(end - start)[[0, 2]]) < visit["wall_m"] - 0.1
    assert abs(end[1] - start[1]) < 0.15 and walk["rescues"] == 0


@pytest.mark.browser
def test_a_doorway_leads_to_the_place_behind_it(visit: dict[str, Any]) -> None:
    door, portal = visit["report"]["door"], visit["portal"]

    assert door["title"] == "Behind the door" and portal.title == "On"
    assert door["splats"] == visit["asset"].manifest.splat_count
    feet = np.array(door["feet"])
    # The key is let go a moment after the arrival; whoever walks comes a few steps on.
    assert np.hypot(*(feet - portal.arrive_position)[[0, 2]]) < 3.0
    assert abs(feet[1] - portal.arrive_position[1]) < 0.2


@pytest.mark.browser
def test_both_eyes_are_lit_in_vr(visit: dict[str, Any]) -> None:
    vr = visit["report"]["vr"]

    assert vr["left"]["lit"] > 0.2 and vr["right"]["lit"] > 0.2
    assert vr["left"]["hash"] != vr["right"]["hash"]  # each eye has a picture of its own


@pytest.mark.browser
def test_a_withdrawn_link_says_so(visit: dict[str, Any]) -> None:
    card = visit["report"]["revoked"]

    assert card["code"] == "link_revoked" and len(card["text"]) > 20
