"""3D Tiles of others: which tiles are read, where their splats are, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reconstruction.spherical_harmonics import evaluate
from reconstruction.splats import SplatCloud
from streaming import khr_gaussian_splatting, tiles, tileset
from streaming.errors import AssetFormatError
from streaming.limits import MAX_TILES
from streaming.sog_files import FolderFiles
from streaming.validate import inspect, read_splats, write_splats
from tests.streaming.splat_clouds import covariances, lopsided_cloud

CLOUDS = {name: lopsided_cloud(20 + 7 * i, degree=1, seed=i) for i, name in enumerate("abcde")}


def _write(folder: Path, root: Any, name: str = "tileset.json", **more: Any) -> Path:
    """Write a tileset and the tile contents a.glb to e.glb beside it."""
    for letter, cloud in CLOUDS.items():
        (folder / f"{letter}.glb").write_bytes(khr_gaussian_splatting.encode(cloud, precision=None))
    document = {"asset": {"version": "1.1"}, "geometricError": 9, "root": root, **more}
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(document), "utf-8")
    return folder / name


def _tile(content: str | None = None, *children: Any, **more: Any) -> dict[str, Any]:
    box = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    tile: dict[str, Any] = {"boundingVolume": {"box": box}, "geometricError": 1, **more}
    if content:
        tile["content"] = {"uri": content}
    if children:
        tile["children"] = list(children)
    return tile


def _names(path: Path) -> list[str]:
    return [name for name, _ in tileset.contents(FolderFiles(path.parent))]


def test_our_own_tileset_comes_back_as_its_content(tmp_path: Path) -> None:
    write_splats(lopsided_cloud(70, degree=2), tmp_path / "tileset.json")

    for path in (tmp_path / "tileset.json", tmp_path):
        found, wanted = read_splats(path), read_splats(tmp_path / tiles.CONTENT_NAME)
        np.testing.assert_allclose(found.means, wanted.means, atol=1e-6)
        np.testing.assert_allclose(found.sh, wanted.sh, atol=1e-6)
        report = inspect(path)
        assert (report.format, report.splat_count, report.problems) == ("3D Tiles", 70, ())
        assert report.notes == ("its finest level is read, of 1 tile",)


@pytest.mark.parametrize(
    ("root", "wanted"),
    [
        (_tile("a.glb", _tile("b.glb"), _tile("c.glb", _tile("d.glb"))), "bd"),
        (_tile("a.glb", _tile("b.glb"), refine="ADD"), "ab"),
        # A tile inherits how it is refined.
        (_tile("a.glb", _tile("b.glb", _tile("c.glb")), refine="add"), "abc"),
        (_tile("a.glb", _tile("b.glb", _tile("c.glb"), refine="REPLACE"), refine="ADD"), "ac"),
        # Children that hold nothing replace nothing.
        (_tile("a.glb", _tile(), _tile(None, _tile())), "a"),
        (_tile(None, _tile(contents=[{"uri": "b.glb"}, {"uri": "e.glb"}]), _tile("c.glb")), "bec"),
        ({"children": [{"content": {"url": "./d.glb"}}]}, "d"),
    ],
)
def test_finest_tiles_are_read_each_once(root: Any, wanted: str, tmp_path: Path) -> None:
    path = _write(tmp_path, root)

    assert _names(path) == [f"{letter}.glb" for letter in wanted]
    assert len(read_splats(path)) == sum(len(CLOUDS[letter]) for letter in wanted)


def test_tileset_inside_a_tileset_names_files_from_its_own_folder(tmp_path: Path) -> None:
    _write(tmp_path, _tile("../b.glb", _tile("..%2Fc.glb")), "inner/part one.json")
    path = _write(tmp_path, _tile("a.glb", _tile("inner/part%20one.json?v=3"), _tile("d.glb")))

    assert _names(path) == ["c.glb", "d.glb"]


def _column_major(matrix: np.ndarray) -> list[float]:
    return [float(value) for value in matrix.T.ravel()]


def test_tiles_move_turn_and_scale_their_content_parents_last(tmp_path: Path) -> None:
    shift = np.eye(4)
    shift[:3, 3] = [5, 7, 11]
    # A turn about the tile's up, +Z, by the angle of 3-4-5, and twice the size.
    turn = np.diag([2.0, 2, 2, 1])
    turn[:2, :2] = 2 * np.array([[0.8, -0.6], [0.6, 0.8]])
    child = _tile("a.glb", transform=_column_major(turn))
    path = _write(tmp_path, _tile(None, child, transform=_column_major(shift)))
    cloud = CLOUDS["a"]

    found = read_splats(path)

    # glTF (x, y, z) is (x, -z, y) in a tile; ours is glTF's again.
    x, y, z = cloud.means.T
    east, north, up = 2 * (0.8 * x + 0.6 * z) + 5, 2 * (0.6 * x - 0.8 * z) + 7, 2 * y + 11
    np.testing.assert_allclose(found.means, np.stack([east, up, -north], axis=1), rtol=1e-6, atol=1e-5)
    about_up = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    moved = 4 * about_up @ covariances(cloud) @ about_up.T
    np.testing.assert_allclose(covariances(found), moved, rtol=1e-3, atol=1e-8)
    ahead = np.float64([0.36, 0.48, -0.8])
    np.testing.assert_allclose(evaluate(found.sh, about_up @ ahead), evaluate(cloud.sh, ahead), atol=1e-5)


def _on_earth() -> np.ndarray:
    """Return east, north, up at a place of 52 N 4 E as a map to the Earth's axes."""
    lat, lon = np.radians([52.0, 4.0])
    east = [-np.sin(lon), np.cos(lon), 0]
    north = [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)]
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([east, north, up], axis=1)
    matrix[:3, 3] = 6_365_000 * up
    return matrix


def test_scene_on_the_earth_keeps_its_millimetres_and_its_up(tmp_path: Path) -> None:
    beside = np.eye(4)
    beside[:3, 3] = [30, 40, 0]
    children = _tile("a.glb"), _tile("b.glb", transform=_column_major(beside))
    path = _write(tmp_path, _tile(None, *children, transform=_column_major(_on_earth())))

    found = read_splats(path)

    count = len(CLOUDS["a"])
    np.testing.assert_allclose(found.means[:count], CLOUDS["a"].means, atol=2e-6)
    np.testing.assert_allclose(found.means[count:], CLOUDS["b"].means + [30, 0, -40], atol=4e-6)
    np.testing.assert_allclose(found.sh[:count], CLOUDS["a"].sh, atol=1e-5)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (_tile("missing.glb"), "must hold 'missing.glb', found none"),
        (_tile("../secret.glb"), "stay inside their folder"),
        (_tile("x/../../secret.glb"), "stay inside their folder"),
        (_tile("..%2F..%2Fsecret.glb"), "stay inside their folder"),
        (_tile("/etc/passwd"), "stay inside their folder"),
        (_tile("https://example.org/a.glb"), "must lie in the folder of its tileset"),
        (_tile("//example.org/a.glb"), "must lie in the folder of its tileset"),
        (_tile("file:///etc/passwd"), "must lie in the folder of its tileset"),
        (_tile("http://[a.glb"), "must lie in the folder of its tileset"),
        (_tile("tileset.json"), "'tileset.json' must not lie in itself"),
        (_tile("model.b3dm"), "'model.b3dm' must be glTF, got b'b3dm' first"),
        (_tile("a.glb", _tile("b.glb"), _tile("b.glb")), "content of its own, got 'b.glb' twice"),
        (_tile("mesh.glb"), "must hold splats, found none"),
        (_tile(), "must name the content of a tile"),
        (_tile("a.glb", implicitTiling={}), "got implicit tiling"),
        (_tile("a.glb", refine="MAYBE"), "must be ADD or REPLACE, got 'MAYBE'"),
        (_tile("a.glb", transform=[1] * 15), "must be 16 numbers"),
        (_tile("a.glb", transform=[1] * 16), "must be affine"),
        (_tile("a.glb", transform=[True] * 15 + ["1"]), "must be 16 numbers"),
        (_tile("a.glb", transform=[*np.diag([1.0, 1, -1, 1]).ravel()]), "must not mirror"),
        (_tile("a.glb", transform=[*np.diag([1.0, 1, 0, 1]).ravel()]), "must not mirror or flatten"),
        # Flat but for a skew, far from the origin: what turns such a tile upright is beyond all numbers.
        (
            _tile("a.glb", transform=[1, 0, 0, 0, 0, 1, 0, 0, 0, 5e6, 1e-300, 0, 4e6, 5e6, 6e5, 1]),
            "must not mirror or flatten",
        ),
        (
            _tile("a.glb", transform=[*np.diag([1e20, 1e20, 1e20, 1]).ravel()])
            | {"children": [_tile("b.glb", transform=[*np.diag([1e20, 1e20, 1e20, 1]).ravel()])]},
            "must stay below 1e\\+30",
        ),
        (_tile(None, 3), "tile must be an object, got int"),
        ({"children": {}}, "tile children must be a list"),
        ({"content": 3}, "tile content must be an object"),
        ({"content": {"uri": 3}}, "must have a uri, got 3"),
        ([], "tileset root must be an object"),
    ],
)
def test_broken_or_hostile_tileset_is_refused_by_name(root: Any, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    folder.mkdir()
    (tmp_path / "secret.glb").write_bytes(khr_gaussian_splatting.encode(CLOUDS["a"]))
    (folder / "model.b3dm").write_bytes(b"b3dm" + bytes(60))
    (folder / "mesh.glb").write_bytes(b'{"asset":{"version":"2.0"}}')
    path = _write(folder, root)

    with pytest.raises(AssetFormatError, match=message):
        read_splats(path)


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "scene").mkdir()
    path = _write(tmp_path / "scene", _tile("link.glb"))
    (path.parent / "a.glb").rename(tmp_path / "secret.glb")
    (path.parent / "link.glb").symlink_to(tmp_path / "secret.glb")

    with pytest.raises(AssetFormatError, match=r"must hold 'link.glb', found none"):
        read_splats(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "must parse"),
        (b'{"root":' * 60_000, "must parse"),
        (b'{"root": NaN}', "non-JSON number NaN"),
        (b"[]", "must be an object, got list"),
        (b'{"root": {}}', "tileset asset must be an object"),
        (b'{"asset": {"version": "2.0"}, "root": {}}', "version must be 1.0 or 1.1, got '2.0'"),
    ],
)
def test_what_is_no_tileset_is_told(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "tileset.json").write_bytes(text)

    with pytest.raises(AssetFormatError, match=message):
        read_splats(tmp_path / "tileset.json")


def test_too_many_tiles_and_too_deep_a_tree_are_refused(tmp_path: Path) -> None:
    deep = _tile("a.glb")
    for _ in range(80):
        deep = _tile(None, deep)
    for root in (deep, _tile("a.glb", *[_tile()] * (MAX_TILES + 1))):
        path = _write(tmp_path, root)

        with pytest.raises(AssetFormatError, match=f"at most {MAX_TILES} tiles, 64 deep"):
            read_splats(path)


def test_splats_of_all_tiles_are_counted_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tileset, "MAX_SPLATS_PER_FILE", 50)
    path = _write(tmp_path, _tile(None, _tile("a.glb"), _tile("b.glb"), _tile("c.glb")))
    read: list[SplatCloud] = []
    monkeypatch.setattr(tileset, "decode_shown", lambda *_: read)

    with pytest.raises(AssetFormatError, match="at most 50 splats"):
        read_splats(path)
