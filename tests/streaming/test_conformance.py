"""Other people's loaders and validator on our files. Node packages come with `make setup`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reconstruction.spherical_harmonics import rgb_from_dc
from reconstruction.splats import SplatCloud
from streaming import gltf, ksplat, ply, sog, splat_file, spz
from streaming.assemble import build_asset, chunk_glb, encode_collider, finest_cloud
from streaming.export import export_glb
from streaming.khr_gaussian_splatting import Layout, decode, encode
from streaming.validate import read_splats, write_splats
from tests.data import shared
from tests.streaming.other_readers import columns, node
from tests.streaming.scenes import PROVENANCE, small_asset, walkable
from tests.streaming.scenes_to_carry import rich_asset
from tests.streaming.splat_clouds import angles_deg, lopsided_cloud

# The validator knows no names with a prefix (its issue 252); formats.md, section 5.
EXPECTED_NAME = re.compile(r"/KHR_gaussian_splatting:(ROTATION|SCALE|OPACITY|SH_DEGREE_[0-3]_COEF_[0-6])$")


@pytest.fixture(scope="module", params=["degree0", "degree2", "compact3"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SplatCloud]:
    folder = tmp_path_factory.mktemp("export")
    if request.param == "compact3":
        write_splats(lopsided_cloud(900, degree=3), folder / "room.compact.glb")
        return folder / "room.compact.glb", read_splats(folder / "room.compact.glb")
    path = folder / "room.glb"
    asset = small_asset(1_700)
    if request.param == "degree2":
        cloud = lopsided_cloud(1_100, degree=2)
        asset = build_asset(cloud, title="x", walkable=walkable(), provenance=PROVENANCE)
    export_glb(asset, path)
    return path, finest_cloud(asset)


def test_babylon_holds_the_same_splats(exported: tuple[Path, SplatCloud]) -> None:
    path, cloud = exported

    found = node("babylon", path)

    assert (found["meshes"], found["otherMeshes"]) == (1, 0)  # the collider is not drawn
    assert (found["count"], found["shDegree"]) == (len(cloud), cloud.sh_degree)
    np.testing.assert_array_equal(columns(found["means"]), cloud.means)
    np.testing.assert_array_equal(columns(found["scales"]), cloud.scales)
    # Babylon keeps colour, opacity and rotation in eight bits.
    rgba = np.concatenate([rgb_from_dc(cloud.sh[:, 0]), cloud.opacities[:, None]], axis=1).clip(0, 1)
    assert np.abs(columns(found["rgba"]) / 255 - rgba).max() <= 1 / 255 + 1e-5
    assert angles_deg((columns(found["quats"]) - 127.5) / 127.5, cloud.quats).max() < 1.9


def test_playcanvas_holds_the_same_splats(exported: tuple[Path, SplatCloud]) -> None:
    path, cloud = exported

    found = node("playcanvas", path)

    assert found["meshes"] == 1
    assert (found["count"], found["shDegree"]) == (len(cloud), cloud.sh_degree)
    means = columns(found["means"])
    # It sorts splats along a curve: ours are put in the order of theirs.
    rank = np.lexsort(np.concatenate([cloud.means, cloud.scales], axis=1).T)
    theirs = np.lexsort(np.concatenate([means, columns(found["scales"])], axis=1).T)
    ours = cloud.subset(rank)
    np.testing.assert_array_equal(means[theirs], ours.means)
    np.testing.assert_array_equal(columns(found["scales"])[theirs], ours.scales)
    # Of bytes it keeps b / 127 and b / 255 as they are, without the unit length.
    assert angles_deg(columns(found["quats"])[theirs], ours.quats).max() < 1e-3
    np.testing.assert_allclose(columns(found["opacities"])[theirs, 0], ours.opacities, atol=1e-7)
    np.testing.assert_array_equal(columns(found["dc"])[theirs], ours.sh[:, 0])
    if cloud.sh_degree:
        rest = ours.sh[:, 1:].swapaxes(1, 2).reshape(len(cloud), -1)
        np.testing.assert_array_equal(columns(found["rest"])[theirs], rest)


def _check(path: Path, unused_views: tuple[str, ...] = ()) -> None:
    issues = node("validator", path)
    names = [i for i in issues if i["code"] == "MESH_PRIMITIVE_INVALID_ATTRIBUTE"]
    assert all(EXPECTED_NAME.search(issue["pointer"]) for issue in names)
    others = [i for i in issues if i not in names and i["severity"] < 2]
    assert others == []
    # It takes what only an extension that it does not know uses for unused.
    unused = [i["pointer"] for i in issues if i["code"] == "UNUSED_OBJECT"]
    assert tuple(unused) == unused_views
    hints = {i["code"] for i in issues if i["severity"] >= 2}
    assert hints <= {"UNSUPPORTED_EXTENSION", "UNUSED_OBJECT"}


def test_khronos_validator_finds_nothing_but_the_prefixed_names(exported: tuple[Path, SplatCloud]) -> None:
    _check(exported[0])


@pytest.mark.parametrize("layout", ["float", "compact"])
def test_khronos_validator_finds_nothing_in_a_scene_with_all_that_it_can_carry(
    layout: Layout, tmp_path: Path
) -> None:
    export_glb(rich_asset(1_100), tmp_path / "room.glb", layout=layout)

    views = len(gltf.decode((tmp_path / "room.glb").read_bytes()).items("bufferViews"))
    _check(tmp_path / "room.glb", (f"/bufferViews/{views - 2}", f"/bufferViews/{views - 1}"))


def test_splats_of_a_scene_with_all_that_it_can_carry_are_alone_in_other_engines(tmp_path: Path) -> None:
    export_glb(rich_asset(1_100), tmp_path / "room.glb")

    babylon, playcanvas = (node(loader, tmp_path / "room.glb") for loader in ("babylon", "playcanvas"))

    assert (babylon["meshes"], babylon["otherMeshes"], babylon["count"]) == (1, 0, 1_100)
    assert (playcanvas["meshes"], playcanvas["count"]) == (1, 1_100)


def test_chunks_and_collider_are_valid_files_of_their_own(tmp_path: Path) -> None:
    asset = small_asset(1_700)
    colorful = build_asset(lopsided_cloud(200, degree=2), title="x", provenance=PROVENANCE)
    last = next(c.index for c in reversed(asset.chunks) if c.kind == "splats")
    packed = ("/bufferViews/0",)  # used by an extension of ours
    for name, glb, unused in (
        ("root", chunk_glb(asset, 0), packed),
        ("harmonics", chunk_glb(colorful, 1), packed),
        ("leaf", chunk_glb(asset, last), packed),
        ("collider", encode_collider(walkable().vertices, walkable().faces), ()),
    ):
        (tmp_path / f"{name}.glb").write_bytes(glb)
        _check(tmp_path / f"{name}.glb", unused)


def test_a_packed_chunk_is_refused_by_others_and_loads_once_written_anew(tmp_path: Path) -> None:
    asset = small_asset(1_700)
    packed, plain = tmp_path / "packed.glb", tmp_path / "plain.glb"
    packed.write_bytes(chunk_glb(asset, 0))
    plain.write_bytes(encode(decode(chunk_glb(asset, 0)), precision=None, layout="compact"))

    for loader in ("babylon", "playcanvas"):
        assert node(loader, plain)["count"] == asset.chunks[0].splat_count
    with pytest.raises(AssertionError, match="IMMERSIVE_gaussian_splatting_packed"):
        node("babylon", packed)


_RAW: dict[str, Callable[..., SplatCloud]] = {
    ".sog": sog.decode,
    ".spz": spz.decode,
    ".splat": splat_file.decode,
    ".ply": ply.decode,
    ".compressed.ply": ply.decode,
    ".ksplat": ksplat.decode,
}


def _assert_spark_agrees(path: Path, ending: str) -> None:
    found = node("spark", path)

    # Spark leaves the numbers of every file as they stand.
    cloud = _RAW[ending](path.read_bytes(), frame="rub")
    assert (found["count"], found["shDegree"]) == (len(cloud), cloud.sh_degree)
    np.testing.assert_allclose(columns(found["means"]), cloud.means, rtol=2e-6, atol=1e-6)
    # It keeps scales, opacity and colour in sixteen bits (measured: half a step of a half float, a whole one
    # of scales) and rotations in thirty-two of an axis and an angle.
    bounds = {"rtol": 2**-8, "atol": 6e-8}
    np.testing.assert_allclose(columns(found["scales"]), cloud.scales, **bounds)
    np.testing.assert_allclose(columns(found["opacities"])[:, 0], cloud.opacities, atol=2**-11)
    np.testing.assert_allclose(columns(found["rgb"]), rgb_from_dc(cloud.sh[:, 0]), rtol=2**-10, atol=2**-11)
    # Ten bits of angle: half a turn in 512 steps; the worst are small turns.
    angles = angles_deg(columns(found["quats"]), cloud.quats)
    assert np.median(angles) < 0.3 and angles.max() < 2


@pytest.mark.parametrize("degree", [0, 2])
@pytest.mark.parametrize("ending", [ending for ending in _RAW if ending != ".ksplat"])
def test_spark_holds_the_same_splats_of_other_formats(ending: str, degree: int, tmp_path: Path) -> None:
    path = tmp_path / f"scene{ending}"
    write_splats(lopsided_cloud(700, degree=degree), path)

    _assert_spark_agrees(path, ending)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("angel.sog", ".sog"),
        ("converted_playbot_lod3/playbot_lod3.c1.ksplat", ".ksplat"),
        ("angel.compressed.ply", ".compressed.ply"),
        ("tiny_fixtures/minimal.splat", ".splat"),
    ],
)
def test_spark_and_we_read_the_same_in_files_of_others(name: str, ending: str) -> None:
    _assert_spark_agrees(shared(f"splats/{name}"), ending)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("ending", [".ply", ".compressed.ply"])
def test_playcanvas_holds_the_same_splats_of_a_ply(ending: str, degree: int, tmp_path: Path) -> None:
    path = tmp_path / f"scene{ending}"
    write_splats(lopsided_cloud(700, degree=degree), path)

    found = node("playcanvasPly", path)

    cloud = ply.decode(path.read_bytes(), frame="rub")
    assert found["isCompressed"] == (ending == ".compressed.ply")
    assert (found["count"], found["shDegree"]) == (len(cloud), cloud.sh_degree)
    np.testing.assert_allclose(columns(found["means"]), cloud.means, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(columns(found["logScales"]), np.log(cloud.scales), atol=1e-5)
    opacities = 1 / (1 + np.exp(-columns(found["opacityLogits"])[:, 0]))
    np.testing.assert_allclose(opacities, cloud.opacities, atol=1e-6)
    np.testing.assert_allclose(columns(found["dc"]), cloud.sh[:, 0], atol=3e-6)
    assert angles_deg(columns(found["quats"]), cloud.quats).max() < 0.01
    if degree:
        rest = cloud.sh[:, 1:].swapaxes(1, 2).reshape(len(cloud), -1)
        # The engine takes a byte for b / 255 of -4..4, splat-transform (as we) for the middle of its cell.
        bound = 1 / 64 + 1e-6 if ending == ".compressed.ply" else 1e-6
        np.testing.assert_allclose(columns(found["rest"]), rest, atol=bound)
