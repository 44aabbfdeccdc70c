from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.spatial import cKDTree

from reconstruction.spherical_harmonics import evaluate, rgb_from_dc
from reconstruction.splats import SplatCloud
from streaming import ply
from streaming.errors import AssetFormatError
from streaming.limits import MAX_SPLATS_PER_FILE
from streaming.validate import read_splats
from tests.data import shared
from tests.streaming.splat_clouds import covariances, lopsided_cloud


def _plain(names: list[str], rows: list[list[float]], layout: str = "ascii", kind: str = "float") -> bytes:
    head = ["ply", f"format {layout} 1.0", "comment made by hand", f"element vertex {len(rows)}"]
    head += [f"property {kind} {name}" for name in names]
    body = "\n".join(" ".join(repr(v) for v in row) for row in rows)
    return "\n".join([*head, "end_header", body, ""]).encode()


NAMES = ["rot_3", "opacity", "x", "z", "y", "f_dc_2", "f_dc_0", "f_dc_1", "scale_0", "scale_2", "scale_1"]
NAMES += ["rot_0", "rot_1", "rot_2"]
VALUES = {
    **{"x": 1.0, "y": 2.0, "z": 3.0, "f_dc_0": 0.1, "f_dc_1": 0.2, "f_dc_2": 0.3, "opacity": 0.0},
    **{"scale_0": -1.0, "scale_1": -2.0, "scale_2": -3.0},
    **{"rot_0": 2.0, "rot_1": 0.2, "rot_2": 0.4, "rot_3": 0.6},
}


def test_ascii_in_any_order_of_properties_means_what_its_names_say() -> None:
    cloud = ply.decode(_plain(NAMES, [[VALUES[name] for name in NAMES]] * 2))

    # Right, down, forward to right, up, back: y and z change sign, and with them the turn about y and z.
    np.testing.assert_array_equal(cloud.means, [[1, -2, -3]] * 2)
    np.testing.assert_allclose(cloud.scales[0], np.exp([-1, -2, -3]), rtol=1e-6)
    assert cloud.opacities[0] == pytest.approx(0.5)
    np.testing.assert_allclose(cloud.sh[0, 0], [0.1, 0.2, 0.3], atol=1e-7)
    unit = np.array([2.0, 0.2, -0.4, -0.6]) / np.linalg.norm([2.0, 0.2, 0.4, 0.6])
    np.testing.assert_allclose(cloud.quats[0], unit, atol=1e-6)


def test_rest_coefficients_are_channel_major() -> None:
    names = NAMES + [f"f_rest_{i}" for i in range(9)]
    rows = [[VALUES[name] for name in NAMES] + [1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 100.0, 200.0, 300.0]]

    cloud = ply.decode(_plain(names, rows), frame="rub")

    np.testing.assert_array_equal(cloud.sh[0, 1:], [[1, 10, 100], [2, 20, 200], [3, 30, 300]])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_written_file_comes_back_up_to_logs_and_logits(degree: int) -> None:
    cloud = lopsided_cloud(300, degree=degree)

    found = ply.decode(ply.encode(cloud))

    np.testing.assert_array_equal(found.means, cloud.means)
    np.testing.assert_allclose(found.sh, cloud.sh, atol=1e-6)
    np.testing.assert_allclose(found.scales, cloud.scales, rtol=2e-6)
    np.testing.assert_allclose(found.opacities, cloud.opacities, atol=2e-6)
    np.testing.assert_allclose(covariances(found), covariances(cloud), rtol=1e-4, atol=1e-10)


def test_big_endian_doubles_are_read() -> None:
    cloud = lopsided_cloud(3)
    little = ply.encode(cloud)
    header = ply.read_header(little)
    table = np.frombuffer(little, header.elements[0].dtype, 3, header.byte_length)
    big = np.stack([table[n] for n in table.dtype.names], axis=1).astype(">f8").tobytes()
    text = (
        little[: header.byte_length].replace(b"little", b"big").replace(b"property float", b"property double")
    )

    np.testing.assert_allclose(ply.decode(text + big).means, cloud.means)


def test_fully_solid_and_fully_clear_splats_survive_as_logits() -> None:
    cloud = lopsided_cloud(2)
    cloud.opacities[:] = [0.0, 1.0]

    found = ply.decode(ply.encode(cloud))

    np.testing.assert_allclose(found.opacities, [0, 1], atol=2e-7)


def test_real_file_holds_its_first_row() -> None:
    path = shared("splats/tiny_fixtures/test-splat.3-points-from-train.ply")
    row = np.frombuffer(path.read_bytes()[-3 * 62 * 4 :], "<f4").reshape(3, 62)

    cloud = read_splats(path)

    np.testing.assert_array_equal(cloud.means, row[:, :3] * np.float32([1, -1, -1]))
    np.testing.assert_array_equal(cloud.sh[:, 0], row[:, 6:9])
    np.testing.assert_allclose(cloud.opacities, 1 / (1 + np.exp(-row[:, 54])), rtol=1e-5)
    np.testing.assert_allclose(np.log(cloud.scales), row[:, 55:58], atol=1e-5)


def test_compressed_file_equals_the_plain_one_it_was_made_from() -> None:
    folder = shared("splats/converted_playbot_lod3")
    plain, packed = (read_splats(folder / f"playbot_lod3.{kind}") for kind in ("ply", "compressed.ply"))

    # The converter sorts splats; position and size find each again.
    def key(cloud: SplatCloud) -> np.ndarray:
        return np.concatenate(
            [cloud.means * 1000, np.log(cloud.scales) / 20, cloud.opacities[:, None]], axis=1
        )

    _, order = cKDTree(key(packed)).query(key(plain))
    packed = packed.subset(order)

    assert len(np.unique(order)) == len(plain) == 31_000 and packed.sh_degree == 2
    assert np.abs(packed.means - plain.means).max() < 1e-3
    assert np.abs(np.log(packed.scales / plain.scales)).max() < 0.005
    assert np.abs(packed.opacities - plain.opacities).max() < 0.003
    assert np.abs(packed.sh[:, 0] - plain.sh[:, 0]).max() < 0.03
    inside = (np.abs(plain.sh[:, 1:]) < 3.9).all(axis=(1, 2))
    assert np.abs(packed.sh[inside, 1:] - plain.sh[inside, 1:]).max() < 8 / 256
    relative = np.abs(covariances(packed) - covariances(plain)).max(axis=(1, 2)) / covariances(plain).max(
        axis=(1, 2)
    )
    assert relative.max() < 0.03


def _halves(cloud: SplatCloud) -> tuple[SplatCloud, SplatCloud]:
    """Return what lies in the lower and in the upper half of a scene's height."""
    heights = cloud.means[:, 1]
    is_low = heights < np.percentile(heights, [1, 99]).mean()
    return cloud.subset(is_low), cloud.subset(~is_low)


def test_robot_floats_above_its_ground() -> None:
    low, high = _halves(read_splats(shared("splats/converted_playbot_lod3/playbot_lod3.ply")))

    assert len(low) > 8 * len(high)
    assert np.ptp(low.means[:, 0]) > 1.5 * np.ptp(high.means[:, 0])


def test_statue_that_an_editor_saved_upright_needs_to_be_told() -> None:
    cloud = read_splats(shared("splats/angel.compressed.ply"), frame="rub")

    low, high = _halves(cloud)

    # White marble on a dark plinth; read like every other PLY, it stands on its head (looked at).
    assert len(cloud) == 71_377 and cloud.sh_degree == 0
    assert rgb_from_dc(high.sh[:, 0]).mean() > 1.3 * rgb_from_dc(low.sh[:, 0]).mean()


def test_view_dependent_colour_turns_with_the_frame() -> None:
    cloud = lopsided_cloud(30, degree=3)
    data = ply.encode(cloud)
    ahead = np.float64([0.36, 0.48, -0.8])
    flip = np.diag([1.0, -1.0, -1.0])

    raw = ply.decode(data, frame="rub")

    np.testing.assert_allclose(evaluate(raw.sh, flip @ ahead), evaluate(cloud.sh, ahead), atol=1e-5)


def _header_with(line: str, body: bytes = bytes(64)) -> bytes:
    return f"ply\nformat binary_little_endian 1.0\n{line}\nend_header\n".encode() + body


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begin with a header"),
        (b"ply\n" + b"comment x\n" * 10_000, "begin with a header"),
        (b"ply\nformat ascii 1.0\nelement vertex x\nend_header\n", "bad line"),
        (b"ply\nformat ebcdic 1.0\nend_header\n", "bad line"),
        (b"ply\nproperty float x\nend_header\n", "bad line"),
        (b"ply\nelement vertex 1\nend_header\n", "must name its format"),
        (_header_with("element vertex 4000000000\nproperty float x"), f"0 to {MAX_SPLATS_PER_FILE} rows"),
        (_header_with("element vertex -1\nproperty float x"), "0 to"),
        (_header_with("element vertex 100\nproperty float x"), "must hold 400 bytes, got 64"),
        (_header_with("element vertex 0\nproperty float x"), "at least one vertex"),
        (_header_with("element face 3\nproperty list uchar int vertex_indices"), "must not hold lists"),
        (
            _header_with("element vertex 2\nproperty float x\nproperty float y\nproperty float z"),
            "property f_dc_0",
        ),
        (_plain(NAMES, [[*[VALUES[n] for n in NAMES][:-1]]]), "must hold 14 numbers, got 13"),
        (_plain(NAMES, [["what", *[VALUES[n] for n in NAMES][1:]]]), "numbers only"),
        (_plain([*NAMES, "f_rest_0"], [[VALUES[n] for n in NAMES] + [0.5]]), "0, 9, 24 or 45 f_rest"),
        (
            _plain(NAMES, [[{**VALUES, "x": float("nan")}[n] for n in NAMES]]),
            "positions must be finite, got 1 of 1",
        ),
        (_plain(NAMES, [[{**VALUES, "y": 1e300}[n] for n in NAMES]]), "positions must be finite, got 1 of 1"),
        (_plain(NAMES, [[{**VALUES, "scale_1": float("inf")}[n] for n in NAMES]]), "scales must be finite"),
        (_plain(NAMES, [[{**VALUES, "scale_1": 90.0}[n] for n in NAMES]]), "logarithms up to 20"),
        (
            _plain(NAMES, [[0.0 if n.startswith("rot") else VALUES[n] for n in NAMES]]),
            "rotations must not be zero",
        ),
    ],
)
def test_broken_file_is_named(data: bytes, message: str) -> None:
    with pytest.raises(AssetFormatError, match=message):
        ply.decode(data)


def test_random_damage_gives_our_error_or_a_cloud() -> None:
    data = ply.encode(lopsided_cloud(4))
    noise = random.Random(9)

    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(noise.randint(1, 4)):
            damaged[noise.randrange(len(damaged))] = noise.randrange(256)
        try:
            cloud = ply.decode(bytes(damaged))
        except AssetFormatError:
            continue
        assert np.isfinite(cloud.scales).all()
