from __future__ import annotations

import struct

import numpy as np
import pytest
from scipy.spatial import cKDTree

from reconstruction.spherical_harmonics import evaluate
from reconstruction.splats import SplatCloud
from streaming import ksplat
from streaming.errors import AssetFormatError
from streaming.validate import read_splats
from tests.data import shared
from tests.streaming.splat_clouds import angles_deg, covariances, damaged, lopsided_cloud

FIELDS = ("count", "room", "capacity", "buckets", "side", "bucket_bytes", "steps", "full", "partial")
FIELDS += ("degree",)


def _header(level: int, splats: int, *, sections: int = 1, version: tuple[int, int] = (0, 1)) -> bytes:
    head = struct.pack("<BBxxIIIIH14xff", *version, sections, sections, splats, splats, level, -2.0, 3.0)
    return head.ljust(4096, b"\0")


def _section(**values: float) -> bytes:
    facts = {"room": values.get("count", 0), "bucket_bytes": 12, **dict.fromkeys(FIELDS, 0), **values}
    facts["room"] = values.get("room", values["count"])
    facts["bucket_bytes"] = values.get("bucket_bytes", 12)
    integers = [facts[name] for name in FIELDS]
    return struct.pack("<IIIIfHxxI4xIIH", *integers).ljust(1024, b"\0")


def by_hand(level: int, **changes: float) -> bytes:
    """Three splats of degree 1: one in the only full bucket, one in each of two partly filled ones."""
    section = {"count": 3, "capacity": 1, "buckets": 3, "side": 4.0, "full": 1, "partial": 2, "degree": 1}
    section = {**section, "steps": 0, **changes}
    number = "f" if level == 0 else "e"
    rows = []
    for i in range(3):
        mean = [1.0 + i, 2.0, 3.0] if level == 0 else [32767 + 16383 * i, 32767, 0]
        row = struct.pack("<3f" if level == 0 else "<3H", *mean)
        row += struct.pack(f"<7{number}", 0.5, 0.25, 0.125, 0.5, 0.5, 0.5, -0.5)
        row += bytes([255, 0, 51 * i, 204])
        rest = [0.25, 0.5, 0.75, -0.25, -0.5, -0.75, 1.0, -1.0, 0.125]
        row += bytes(range(0, 255, 30)) if level == 2 else struct.pack(f"<9{number}", *rest)
        rows.append(row)
    centers = (10, 20, 30, -10, -20, -30, 7, 8, 9)
    body = struct.pack("<2I", 1, 1) + struct.pack("<9f", *centers) + b"".join(rows)
    return _header(level, 3) + _section(**section) + body


def test_floats_of_level_zero_mean_what_they_say() -> None:
    cloud = ksplat.decode(by_hand(0), frame="rub")

    np.testing.assert_array_equal(cloud.means, [[1, 2, 3], [2, 2, 3], [3, 2, 3]])
    np.testing.assert_allclose(cloud.scales, [[0.5, 0.25, 0.125]] * 3, rtol=1e-6)
    np.testing.assert_allclose(cloud.quats, [[0.5, 0.5, 0.5, -0.5]] * 3, atol=1e-7)
    np.testing.assert_allclose(cloud.opacities, 0.8)
    np.testing.assert_allclose(0.5 + 0.28209479 * cloud.sh[1, 0], [1, 0, 0.2], atol=1e-6)
    # All of red, then green, then blue.
    np.testing.assert_array_equal(cloud.sh[0, 1:, 0], [0.25, 0.5, 0.75])
    np.testing.assert_array_equal(cloud.sh[0, 1:, 2], [1.0, -1.0, 0.125])


@pytest.mark.parametrize("level", [1, 2])
def test_positions_are_steps_around_the_centre_of_their_bucket(level: int) -> None:
    cloud = ksplat.decode(by_hand(level), frame="rub")

    # Half a side of 2 m is 32767 steps.
    half = 16383 / 32767 * 2
    wanted = [[10, 20, 28], [-10 + half, -20, -32], [7 + 2 * half, 8, 7]]
    np.testing.assert_allclose(cloud.means, wanted, atol=1e-4)
    if level == 2:
        np.testing.assert_allclose(cloud.sh[0, 1:, 1], np.array([90, 120, 150]) / 255 * 5 - 2, rtol=1e-6)


def test_sections_of_unequal_degree_are_joined() -> None:
    first = struct.pack("<10f4B", 1, 2, 3, 1, 1, 1, 1, 0, 0, 0, 9, 9, 9, 9)
    second = struct.pack("<10f4B9f", 4, 5, 6, 1, 1, 1, 1, 0, 0, 0, 9, 9, 9, 9, *[0.5] * 9)
    empty = _section(count=0)
    sections = _section(count=1) + empty + _section(count=1, degree=1)

    cloud = ksplat.decode(_header(0, 2, sections=3) + sections + first + second, frame="rub")

    np.testing.assert_array_equal(cloud.means, [[1, 2, 3], [4, 5, 6]])
    assert cloud.sh_degree == 1 and not cloud.sh[0, 1:].any() and (cloud.sh[1, 1:] == 0.5).all()


def test_file_of_its_own_library_equals_the_ply_it_was_made_from() -> None:
    folder = shared("splats/converted_playbot_lod3")
    plain, packed = (read_splats(folder / f"playbot_lod3.{kind}") for kind in ("ply", "c1.ksplat"))

    def key(cloud: SplatCloud) -> np.ndarray:
        logs = np.log(cloud.scales) / 20
        return np.concatenate([cloud.means * 1000, logs, cloud.opacities[:, None]], axis=1)

    _, order = cKDTree(key(packed)).query(key(plain))
    packed = packed.subset(order)

    assert len(np.unique(order)) == len(plain) == 31_000 and packed.sh_degree == 2
    assert np.abs(packed.means - plain.means).max() <= 2.5 / 32767
    assert np.abs(np.log(packed.scales / plain.scales)).max() <= 1e-3  # eleven bits of float16
    assert np.abs(packed.opacities - plain.opacities).max() <= 1 / 255 + 1e-6  # it cuts, it does not round
    assert angles_deg(packed.quats, plain.quats).max() < 0.1
    assert np.abs(packed.sh[:, 1:] - plain.sh[:, 1:]).max() < 2e-3


def test_frame_says_which_way_is_up() -> None:
    cloud = lopsided_cloud(40, degree=1)
    rows = np.concatenate([cloud.means, cloud.scales, cloud.quats], axis=1).astype("<f4")
    rest = cloud.sh[:, 1:].swapaxes(1, 2).reshape(40, 9).astype("<f4")
    body = b"".join(
        a.tobytes() + bytes([9, 9, 9, 200]) + b.tobytes() for a, b in zip(rows, rest, strict=True)
    )
    data = _header(0, 40) + _section(count=40, degree=1) + body
    flip = np.diag([1.0, -1.0, -1.0])
    ahead = np.float64([0.36, 0.48, -0.8])

    turned, raw = ksplat.decode(data), ksplat.decode(data, frame="rub")

    assert raw.means[:, 1].min() > 0 > turned.means[:, 1].max()
    np.testing.assert_allclose(covariances(raw), covariances(cloud), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(covariances(turned), flip @ covariances(raw) @ flip, atol=1e-9)
    np.testing.assert_allclose(evaluate(turned.sh, flip @ ahead), evaluate(raw.sh, ahead), atol=1e-5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begin with 4096 bytes, got 0"),
        (_header(0, 1, version=(1, 0)), "version must be 0.1"),
        (_header(0, 1, version=(0, 0)), "version must be 0.1"),
        (_header(3, 1), "level must be 0, 1 or 2, got 3"),
        (_header(0, 1, sections=0), "section count must be 1 to 1024, got 0"),
        (_header(0, 1, sections=2**32 - 1), "section count"),
        (_header(0, 1, sections=900), "headers must hold 925696 bytes, got 4096"),
        (_header(0, 0), "splat count must be 1"),
        (_header(0, 2**32 - 1), "splat count must be 1 to 20000000"),
        (_header(0, 5) + _section(count=4), "must hold 5 splats, got 4"),
        (_header(0, 5) + _section(count=5), "end inside the file"),
        (_header(0, 5) + _section(count=5, room=4), "room for 4 splats, got 5"),
        (_header(0, 5) + _section(count=5, degree=4), "degree must be 0 to 3, got 4"),
        (_header(0, 5) + _section(count=5, buckets=1, bucket_bytes=8), "must hold a centre, got 8 bytes"),
        (_header(0, 5) + _section(count=5, side=float("inf")), "side must be finite"),
        (_header(0, 5) + _section(count=5, buckets=2**32 - 1), "end inside the file"),
        (by_hand(1, partial=0, capacity=1), "must have buckets for its 3 splats"),
        (by_hand(1, full=2**32 - 1, capacity=0), "must have buckets"),
    ],
)
def test_broken_file_is_named(data: bytes, message: str) -> None:
    with pytest.raises(AssetFormatError, match=message):
        ksplat.decode(data)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_cut_is_refused(level: int) -> None:
    data = by_hand(level)

    for length in [*range(0, 5000, 97), *range(5000, len(data))]:
        with pytest.raises(AssetFormatError):
            ksplat.decode(data[:length])


@pytest.mark.parametrize("level", [0, 1, 2])
def test_random_damage_gives_our_error_or_a_cloud(level: int) -> None:
    data = by_hand(level)
    dense = data[:48] + data[4096 : 4096 + 48] + data[5120:]

    for part in damaged(dense, 1500, seed=level):
        whole = part[:48].ljust(4096, b"\0") + part[48:96].ljust(1024, b"\0") + part[96:]
        try:
            cloud = ksplat.decode(whole)
        except AssetFormatError:
            continue
        assert np.isfinite(cloud.means).all() and np.isfinite(cloud.sh).all()
