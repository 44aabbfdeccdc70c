"""Every format we write, in readers of others: each number beside what we read in the same bytes.

`test_conformance` has Babylon, PlayCanvas, Spark and the Khronos validator, `test_gaussforge` GaussForge.
Here: splat-transform, SPZ's own library, three and CesiumJS.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction.conventions import wxyz_from_xyzw
from reconstruction.spherical_harmonics import rgb_from_dc
from reconstruction.splats import SplatCloud
from streaming import spz
from streaming.transform import RDF_SIGNS, flip_axes
from streaming.validate import ENCODERS, FOLDER_ENCODERS, read_splats, write_splats
from tests.streaming.other_readers import columns, node
from tests.streaming.splat_clouds import angles_deg, covariances, lopsided_cloud

DEGREES = (0, 1, 2, 3)
_OWN: dict[str, Callable[[SplatCloud], bytes]] = {
    f".v{version}.spz": partial(spz.encode, version=version) for version in (2, 3, 4)
}


def _write(folder: Path, name: str, degree: int) -> Path:
    """Write a scene in which no two splats and no two axes are alike."""
    path = folder / f"{degree}" / (name if name in FOLDER_ENCODERS else f"scene{name}")
    path.parent.mkdir(exist_ok=True)
    cloud = lopsided_cloud(211 + 30 * degree, degree=degree, seed=degree + 11)
    if name in _OWN:
        path.write_bytes(_OWN[name](cloud))
    else:
        write_splats(cloud, path)
    return path


def _all_found(script: str, folder: Path, names: tuple[str, ...]) -> list[tuple[str, Path, Any]]:
    paths = [(name, _write(folder, name, degree)) for name in names for degree in DEGREES]
    found = node(script, *(path for _, path in paths))
    assert len(found) == len(paths)
    return [(name, path, one) for (name, path), one in zip(paths, found, strict=True)]


def _activated(found: Any, sh: np.ndarray) -> SplatCloud:
    """Return the cloud of a report in logarithms and logits."""
    quats = wxyz_from_xyzw(columns(found["quatsXyzw"])) if "quatsXyzw" in found else columns(found["quats"])
    logits = columns(found["opacityLogits"])[:, 0].astype(np.float64)
    return SplatCloud(
        columns(found["means"]),
        quats,
        np.exp(columns(found["logScales"])),
        (1 / (1 + np.exp(-logits))).astype(np.float32),
        sh.astype(np.float32),
    )


def _assert_same(theirs: SplatCloud, ours: SplatCloud, what: str, most_deg: float = 0.01) -> None:
    """Both decoded the same bytes: only the arithmetic of float32 may differ."""
    np.testing.assert_allclose(theirs.means, ours.means, rtol=2e-6, atol=1e-6, err_msg=what)
    np.testing.assert_allclose(theirs.scales, ours.scales, rtol=1e-5, err_msg=what)
    np.testing.assert_allclose(theirs.opacities, ours.opacities, atol=1e-6, err_msg=what)
    np.testing.assert_allclose(theirs.sh, ours.sh, atol=3e-6, err_msg=what)
    assert angles_deg(theirs.quats, ours.quats).max() < most_deg, what


def test_splat_transform_reads_what_we_read_in_every_format_it_knows(tmp_path: Path) -> None:
    names = (".ply", ".compressed.ply", ".splat", ".sog", "meta.json", *_OWN)

    for name, path, found in _all_found("splatTransform", tmp_path, names):
        by_channel = columns([*found["dc"], *found["rest"]])
        rest = by_channel[:, 3:].reshape(len(by_channel), 3, -1).swapaxes(1, 2)
        sh = np.concatenate([by_channel[:, None, :3], rest], axis=1)
        ours = read_splats(path)
        # It holds every file right, down, forward: of SPZ, too, it turns the axes and the coefficients.
        theirs = flip_axes(_activated(found, sh), RDF_SIGNS)
        # A byte b of a .splat is (b - 128) / 128 to its owner and b / 127.5 - 1 to splat-transform: b / 32640
        # apart in each of four components.
        most_deg = 1.8 if name == ".splat" else 0.01
        _assert_same(theirs, ours, f"{name} {found['shDegree']}", most_deg)
        assert name == ".splat" or found["shDegree"] == ours.sh_degree


def test_library_of_spz_reads_what_we_read(tmp_path: Path) -> None:
    for name, path, found in _all_found("spz", tmp_path, tuple(_OWN)):
        ours = read_splats(path)
        sh = columns([*found["dc"], *found["sh"]]).reshape(found["count"], -1, 3)
        _assert_same(_activated(found, sh), ours, f"{name} {found['shDegree']}")
        assert found["shDegree"] == ours.sh_degree
        assert found["statesFrame"] == (name == ".v4.spz")


def test_library_of_spz_turns_every_stated_frame_as_we_do(tmp_path: Path) -> None:
    data = bytearray(spz.encode(lopsided_cloud(60, degree=3), version=4))
    at = data.index(struct.pack("<II", 0xADBE0003, 4)) + 8
    # Above 8 its 0.2.3 and its source of today number them differently (9 is LFD there, LBD here).
    for code in range(1, 9):
        data[at : at + 4] = struct.pack("<I", code)
        (tmp_path / f"{code}.spz").write_bytes(bytes(data))
    paths = sorted(tmp_path.iterdir())

    for path, found in zip(paths, node("spz", *paths), strict=True):
        sh = columns([*found["dc"], *found["sh"]]).reshape(60, -1, 3)
        _assert_same(_activated(found, sh), read_splats(path), path.name)


def test_three_reads_what_we_read(tmp_path: Path) -> None:
    names = (".glb", ".compact.glb", ".ply", *_OWN)

    for name, path, found in _all_found("three", tmp_path, names):
        # It turns no PLY; of the others the frame is its own.
        ours = read_splats(path, frame="rub")
        assert (found["count"], found["shDegree"]) == (len(ours), ours.sh_degree), name
        np.testing.assert_allclose(columns(found["means"]), ours.means, rtol=2e-6, atol=1e-6, err_msg=name)
        upper = covariances(ours)[:, *np.triu_indices(3)]
        sizes = covariances(ours).max(axis=(1, 2))[:, None]
        assert (np.abs(columns(found["covariances"]) - upper) <= 1e-5 * sizes).all(), name
        # Colour and opacity are rounded to bytes, of SPZ by a table that was rounded once before.
        rgba = np.concatenate([rgb_from_dc(ours.sh[:, 0]), ours.opacities[:, None]], axis=1).clip(0, 1)
        assert np.abs(columns(found["rgba"]) / 255 - rgba).max() <= 0.51 / 255, name
        if ours.sh_degree:
            theirs = (columns(found["sh"]) - 128) / 128
            wanted = ours.sh[:, 1:].reshape(len(ours), -1).clip(-1, 127 / 128)
            assert np.abs(theirs - wanted).max() <= (1e-6 if name in _OWN else 0.51 / 128), name


def test_cesium_reads_in_a_tile_what_we_read(tmp_path: Path) -> None:
    for name, path, found in _all_found("cesium", tmp_path, (".spz.glb",)):
        ours = read_splats(path)
        assert (found["count"], found["shDegree"]) == (len(ours), ours.sh_degree), name
        np.testing.assert_array_equal(columns(found["means"]), ours.means)
        np.testing.assert_allclose(columns(found["scales"]), ours.scales, rtol=1e-6)
        assert angles_deg(wxyz_from_xyzw(columns(found["quatsXyzw"])), ours.quats).max() < 0.01
        rgba = np.concatenate([rgb_from_dc(ours.sh[:, 0]), ours.opacities[:, None]], axis=1).clip(0, 1)
        assert np.abs(columns(found["rgba"]) / 255 - rgba).max() <= 1 / 255 + 1e-6
        if ours.sh_degree:
            rest = columns(found["sh"]).reshape(len(ours), -1, 3)
            np.testing.assert_allclose(rest, ours.sh[:, 1:], atol=1e-6)


def test_content_of_a_tileset_is_the_file_that_cesium_was_given(tmp_path: Path) -> None:
    cloud = lopsided_cloud(40, degree=1)
    write_splats(cloud, tmp_path / "tileset.json")

    assert (tmp_path / "splats.glb").read_bytes() == ENCODERS[".spz.glb"](cloud)


def test_files_of_a_sog_folder_are_those_of_its_bundle(tmp_path: Path) -> None:
    cloud = lopsided_cloud(40, degree=2)
    write_splats(cloud, tmp_path / "meta.json")
    write_splats(cloud, tmp_path / "scene.sog")

    with zipfile.ZipFile(tmp_path / "scene.sog") as bundle:
        for name in bundle.namelist():
            assert bundle.read(name) == (tmp_path / name).read_bytes()
