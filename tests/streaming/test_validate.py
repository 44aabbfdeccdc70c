from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reconstruction.errors import ImmersiveError, InvalidInputError
from streaming import gltf, ply, spz, tiles
from streaming.errors import AssetFormatError
from streaming.pack import write_pack
from streaming.validate import ENCODERS, FOLDER_ENCODERS, inspect, read_splats, write_splats
from tests.data import shared
from tests.streaming.scenes import small_asset
from tests.streaming.splat_clouds import lopsided_cloud


@pytest.mark.parametrize("name", [*(f"scene{ending}" for ending in ENCODERS), *FOLDER_ENCODERS])
def test_each_format_keeps_the_scene_upright_and_in_place(name: str, tmp_path: Path) -> None:
    cloud = lopsided_cloud(200)
    path = tmp_path / name

    write_splats(cloud, path)

    found = read_splats(path).means
    # Some formats order splats along a curve.
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(cloud.means, axis=0), atol=0.01)
    report = inspect(path)
    assert report.is_readable and report.splat_count == 200 and report.sh_degree == 0
    np.testing.assert_allclose(report.bounds_min, cloud.means.min(axis=0), atol=0.01)


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "wrong.spz").write_bytes(ply.encode(lopsided_cloud(4)))

    assert inspect(tmp_path / "wrong.spz").format == "PLY"


@pytest.mark.parametrize(
    ("name", "kind", "version", "count", "degree"),
    [
        ("splats/converted_playbot_lod3/playbot_lod3.ply", "PLY", "1.0 binary_little_endian", 31_000, 2),
        ("splats/converted_playbot_lod3/playbot_lod3.compressed.ply", "compressed PLY", "1.0", 31_000, 2),
        ("splats/converted_playbot_lod3/playbot_lod3.v3.spz", "SPZ", "3", 31_000, 2),
        ("splats/converted_playbot_lod3/playbot_lod3.v4.spz", "SPZ", "4", 31_000, 2),
        ("splats/converted_playbot_lod3/playbot_lod3.splat", ".splat", "", 31_000, 0),
        ("gltf/playbot_lod3.glb", "glTF", "2.0", 31_000, 2),
        ("gltf/khr_conformance_matrix.gltf", "glTF", "2.0", 15, 3),
        ("splats/tiny_fixtures/minimal-v2.spz", "SPZ", "2", 4, 0),
        ("splats/converted_playbot_lod3/playbot_lod3.c1.ksplat", ".ksplat", "0.1, level 1", 31_000, 2),
        ("splats/tiny_fixtures/minimal.ksplat", ".ksplat", "0.1, level 0", 4, 0),
        ("splats/angel.sog", "SOG", "2", 71_359, 0),
        ("splats/angel.compressed.ply", "compressed PLY", "1.0", 71_377, 0),
        *[(f"splats/tiny_fixtures/minimal-v{v}.spz", "SPZ", str(v), 4, 0) for v in (3, 4)],
        ("splats/tiny_fixtures/minimal-raw.spz", "SPZ", "", 4, 0),
        ("splats/tiny_fixtures/minimal.splat", ".splat", "", 4, 0),
        ("splats/tiny_fixtures/test-splat.3-points-from-train.ply", "PLY", "1.0", 3, 3),
        ("splats/tiny_fixtures/test-splat.3-points-from-train.splat", ".splat", "", 3, 0),
        ("splats/tiny_fixtures/test-splat.3-points-from-train.spz", "SPZ", "", 3, 3),
        ("gltf/khr_conformance_matrix.glb", "glTF", "2.0", 15, 3),
        *[
            (f"splats/playbot_lod_sog/{level}_0", "SOG folder", "2", count, 2)
            for level, count in ((1, 250_000), (2, 125_000), (3, 31_000), (4, 8_406))
        ],
        ("splats/playbot_lod_sog/5_0", "SOG folder", "2", 3_000, 2),
        ("splats/playbot_lod_sog/6_0/meta.json", "SOG folder", "2", 1_873, 2),
        ("splats/playbot_lod_sog", "streamed SOG", "1, 7 levels", 500_000, 2),
    ],
)
def test_files_of_others_are_recognised(name: str, kind: str, version: str, count: int, degree: int) -> None:
    report = inspect(shared(name))

    assert (report.format, report.splat_count, report.sh_degree) == (kind, count, degree)
    assert report.version.startswith(version)


_SIX = [
    *(("compressed.ply", "auto"), ("v3.spz", "rdf"), ("v4.spz", "rdf")),
    *(("splat", "auto"), ("c1.ksplat", "auto")),
]


def test_one_scene_in_six_files_has_one_size() -> None:
    folder = shared("splats/converted_playbot_lod3")
    truth = read_splats(folder / "playbot_lod3.ply")
    low, high = truth.means.min(axis=0), truth.means.max(axis=0)

    for name, frame in _SIX:
        means = read_splats(folder / f"playbot_lod3.{name}", frame=frame).means
        np.testing.assert_allclose(means.min(axis=0), low, atol=6e-4)
        np.testing.assert_allclose(means.max(axis=0), high, atol=6e-4)


def test_spz_that_does_not_say_which_way_is_up_is_noted() -> None:
    report = inspect(shared("splats/tiny_fixtures/minimal-v3.spz"))

    assert any("which way is up" in note for note in report.notes)
    assert report.problems == ()  # the format does not ask for it


def test_older_draft_and_missing_bounds_of_the_conformance_matrix_are_noted() -> None:
    text = " | ".join(inspect(shared("gltf/khr_conformance_matrix.glb")).problems)

    assert "logarithms" in text and "min and max (15 of 15 primitives)" in text


def test_asset_folder_is_a_file_too(tmp_path: Path) -> None:
    write_pack(small_asset(1_200), tmp_path)

    report = inspect(tmp_path)

    assert (report.format, report.splat_count, report.has_collider) == ("asset", 1_200, True)
    assert report.is_labelled_generated and len(read_splats(tmp_path)) == 1_200


def test_damaged_file_gets_a_report_with_the_reason(tmp_path: Path) -> None:
    data = ply.encode(lopsided_cloud(9))
    (tmp_path / "cut.ply").write_bytes(data[:-20])

    report = inspect(tmp_path / "cut.ply")

    assert not report.is_readable and report.byte_length == len(data) - 20
    assert "must hold" in report.problems[0]


def test_doubtful_splats_are_counted(tmp_path: Path) -> None:
    cloud = lopsided_cloud(300)
    cloud.opacities[:7] = 0.001
    cloud.scales[:3] = [5.0, 0.001, 0.001]
    cloud.means[0] = [900, 0, 0]
    write_splats(cloud, tmp_path / "odd.ply")

    text = " | ".join(inspect(tmp_path / "odd.ply").problems)

    for part in ("7 of 300 splats are invisible", "3 splats are needles", "1 splats are strays"):
        assert part in text


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"hello", "must be a known splat format"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "must be a known splat format"),
        ("a.ply", b"", "must be 1 to"),
        ("a.ply", b"PLY in capitals", "must be a known splat format"),
    ],
)
def test_unknown_file_is_refused_with_a_hint(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)

    for call in (inspect, read_splats):
        with pytest.raises(AssetFormatError, match=message) as caught:
            call(tmp_path / name)
        assert caught.value.hint


@pytest.mark.parametrize("name", ["missing.ply", "."])
def test_missing_file_and_plain_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match="must be a file"):
        read_splats(tmp_path / name)


def test_unknown_ending_to_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImmersiveError, match=r"must end in \.compressed\.ply, \.ply, \.spz, .*, meta\.json"):
        write_splats(lopsided_cloud(3), tmp_path / "a.obj")


def test_ground_of_a_scene_tells_up_and_a_statue_does_not() -> None:
    folder = shared("splats/converted_playbot_lod3")
    names = (folder / "playbot_lod3.ply", shared("gltf/playbot_lod3.glb"), shared("splats/angel.sog"))

    assert [inspect(path).up for path in names] == ["+Y", "+Y", "unclear"]


def test_spz_with_the_axes_of_a_ply_is_told_by_name() -> None:
    report = inspect(shared("splats/converted_playbot_lod3/playbot_lod3.v4.spz"))

    assert report.up == "-Y" and report.dialects == ("PLY axes in SPZ",)
    assert any("splat-transform, GaussForge and gsply" in problem for problem in report.problems)


def test_ply_that_was_saved_upright_is_told(tmp_path: Path) -> None:
    cloud = read_splats(shared("splats/converted_playbot_lod3/playbot_lod3.ply"), frame="rub")
    write_splats(cloud, tmp_path / "turned.ply")

    report = inspect(tmp_path / "turned.ply")

    assert report.up == "-Y" and any("--frame rub" in problem for problem in report.problems)


def test_display_colours_in_the_fallback_are_told_by_name() -> None:
    report = inspect(shared("gltf/playbot_lod3.glb"))

    assert report.dialects == ("sRGB COLOR_0",)
    assert any("COLOR_0 must be linear" in problem for problem in report.problems)


def test_logarithms_in_scale_are_told_by_name() -> None:
    assert inspect(shared("gltf/khr_conformance_matrix.glb")).dialects == ("logarithmic SCALE",)


def test_early_names_of_the_spz_extension_are_told_by_name(tmp_path: Path) -> None:
    parsed = gltf.decode(tiles.encode_glb(lopsided_cloud(9)))
    text = json.dumps(parsed.document).replace("compression_spz_2", "compression_spz")
    (tmp_path / "early.glb").write_bytes(gltf.encode_glb(json.loads(text), parsed.buffers[0]))

    report = inspect(tmp_path / "early.glb")

    assert report.dialects == ("early SPZ names",) and report.splat_count == 9


def test_our_own_files_speak_no_dialect(tmp_path: Path) -> None:
    for ending in ENCODERS:
        write_splats(lopsided_cloud(200, degree=2), tmp_path / f"a{ending}")

        report = inspect(tmp_path / f"a{ending}")

        assert report.dialects == report.problems == (), ending


def test_our_spz_4_says_which_way_is_up_and_3_cannot(tmp_path: Path) -> None:
    for version in (2, 3, 4):
        (tmp_path / "a.spz").write_bytes(spz.encode(lopsided_cloud(90), version=version))

        assert any("which way is up" in note for note in inspect(tmp_path / "a.spz").notes) == (version < 4)


_CUT_ELSEWHERE = {".splat", ".sog"}  # below; test_sog


@pytest.mark.parametrize("ending", [ending for ending in ENCODERS if ending not in _CUT_ELSEWHERE])
def test_every_cut_of_a_file_is_refused(ending: str, tmp_path: Path) -> None:
    data = ENCODERS[ending](lopsided_cloud(2))
    path = tmp_path / f"a{ending}"
    # The last bytes of a gzip member are checksums, those of a GLB may be padding.
    for length in range(1, len(data) - (9 if ending == ".spz" else 4 if ending == ".spz.glb" else 0)):
        path.write_bytes(data[:length])

        with pytest.raises(AssetFormatError):
            read_splats(path)


def test_rows_of_a_splat_file_are_whole(tmp_path: Path) -> None:
    data = ENCODERS[".splat"](lopsided_cloud(3))
    path = tmp_path / "a.splat"
    for length in range(1, len(data)):
        path.write_bytes(data[:length])
        if length % 32:
            with pytest.raises(AssetFormatError, match="whole rows"):
                read_splats(path)
        else:
            assert len(read_splats(path)) == length // 32


@pytest.mark.parametrize("ending", [".ply", ".compressed.ply", ".spz", ".sog", ".splat"])
def test_frame_turns_every_format_that_does_not_say(ending: str, tmp_path: Path) -> None:
    cloud = lopsided_cloud(60, degree=0 if ending == ".splat" else 2)
    write_splats(cloud, tmp_path / f"a{ending}")

    own, other = (read_splats(tmp_path / f"a{ending}", frame=frame) for frame in ("rub", "rdf"))

    half_turn = np.float32([1, -1, -1])
    ours = own if ending == ".spz" else other
    assert ours.means[:, 1].min() > -0.01  # lopsided: all of it lies above
    np.testing.assert_array_equal(own.means, other.means * half_turn)
    np.testing.assert_array_equal(own.quats, other.quats * np.float32([1, 1, -1, -1]))
    # Coefficients change sign or not, and none rounds.
    np.testing.assert_array_equal(np.abs(own.sh), np.abs(other.sh))


@pytest.mark.parametrize("ending", list(ENCODERS))
def test_bytes_do_not_depend_on_the_run(ending: str) -> None:
    cloud = lopsided_cloud(150, degree=1)

    assert ENCODERS[ending](cloud) == ENCODERS[ending](cloud)


def test_nothing_half_written_stays_when_a_format_refuses(tmp_path: Path) -> None:
    cloud = lopsided_cloud(3)
    cloud.means[0, 0] = 5000

    with pytest.raises(AssetFormatError, match="within 2048 m"):
        write_splats(cloud, tmp_path / "a.spz")

    assert not list(tmp_path.iterdir())
