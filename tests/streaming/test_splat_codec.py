"""Packed splats: within the errors that the header's steps allow, in the order asked for, byte-stable."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from reconstruction.conventions import rotmats_from_quats
from reconstruction.spherical_harmonics import SH_C0
from reconstruction.splats import SplatCloud
from streaming import splat_codec
from streaming.chunk_bytes import decode_chunks, encode_chunks
from streaming.errors import AssetFormatError
from streaming.khr_gaussian_splatting import decode, encode
from streaming.splat_steps import Fidelity
from tests.streaming.splat_clouds import clouds, covariances, damaged, lopsided_cloud

_VIEWER = Path(__file__).resolve().parents[2] / "viewer"
# Field offsets as documented, read here without the module.
_SCALE_STEPS, _LEVELS, _MEAN_STEP, _COLOR_STEPS = 2, 3, 24, 28


def _check_within_steps(payload: bytes, found: SplatCloud, truth: SplatCloud) -> None:
    mean_step = struct.unpack_from("<f", payload, _MEAN_STEP)[0]
    luma, chroma, rest, rest_chroma = struct.unpack_from("<4f", payload, _COLOR_STEPS)
    steps, levels = payload[_SCALE_STEPS], payload[_LEVELS]
    size = np.abs(truth.means).max()
    assert np.abs(found.means - truth.means).max() <= mean_step / 2 + 1e-6 * size + 1e-30
    # Each axis is rounded by itself; which comes first may change where two are as good as equal.
    ratio = np.log2(np.sort(found.scales, axis=1) / np.sort(truth.scales, axis=1))
    assert np.abs(ratio).max() <= 0.5 / steps + 1e-4
    # Half a level; the faintest are lifted to a quarter of one, and an opacity of 1 is lowered.
    assert np.abs(found.opacities - truth.opacities).max() <= 0.5 / levels + 1e-6
    assert found.opacities.min() > 0 and found.opacities.max() < 1
    # The coarsest class has steps of 2^6; G is Y plus half of Cg, R and B lie a whole half of Co further.
    for own, theirs, y, c in (
        (found.sh[:, :1], truth.sh[:, :1], luma, chroma),
        (found.sh[:, 1:], truth.sh[:, 1:], rest, rest_chroma),
    ):
        if own.size:
            bound = 64 * (y / 2 + c / 4 + c / 4) / SH_C0
            assert np.abs(own - theirs).max() <= bound + 1e-5 * np.abs(theirs).max()


@given(clouds(reach=5_000))
@settings(max_examples=25, deadline=None)
def test_every_attribute_is_within_its_step(cloud: SplatCloud) -> None:
    (packed,) = splat_codec.encode([cloud])

    (found,) = splat_codec.decode([packed.payload])

    _check_within_steps(packed.payload, found, cloud.subset(packed.order))
    for name in ("means", "quats", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(found, name), getattr(packed.cloud, name))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_splats_look_the_same_in_shape_and_colour(degree: int) -> None:
    cloud = lopsided_cloud(3_000, degree=degree)

    (packed,) = splat_codec.encode([cloud])
    (found,) = splat_codec.decode([packed.payload])

    truth = cloud.subset(packed.order)
    _check_within_steps(packed.payload, found, truth)
    # Large opaque splats are kept finely, small faint ones coarsely: nobody sees those.
    light = truth.opacities * np.sqrt(np.sort(truth.scales, axis=1)[:, 1:].prod(axis=1))
    seen = np.flatnonzero(light > np.median(light))
    found, truth = found.subset(seen), truth.subset(seen)
    own, theirs = covariances(found), covariances(truth)
    off = np.linalg.norm(own - theirs, axis=(1, 2)) / np.linalg.norm(theirs, axis=(1, 2))
    assert np.median(off) < 0.11 and off.max() < 0.35, (
        np.median(off),
        off.max(),
    )
    # Directions: the shortest axis, where it is much shorter than the longest, has turned little.
    flat = truth.scales.max(axis=1) > 4 * truth.scales.min(axis=1)
    ours = rotmats_from_quats(found.quats.astype(np.float64))[flat, :, 2]
    shortest = truth.scales[flat].argmin(axis=1)
    axes = rotmats_from_quats(truth.quats[flat].astype(np.float64))
    cosines = np.abs((ours * np.take_along_axis(axes, shortest[:, None, None], axis=2)[..., 0]).sum(axis=1))
    assert np.degrees(np.arccos(np.minimum(cosines, 1))).max() < 9
    error = np.abs(found.sh[:, 0] - truth.sh[:, 0]).mean() * SH_C0
    assert error < 0.01 and len(packed.payload) < len(cloud) * (10 + 2.2 * (degree + 1) ** 2)


def test_finer_steps_cost_more_and_keep_more() -> None:
    cloud = lopsided_cloud(2_000)
    found = {}
    for name, fidelity in {
        "default": Fidelity(),
        "fine": Fidelity(
            mean=1 / 60, scale_steps=64, opacity_levels=250, color=1 / 2000, normal=0.01, angle=0.01
        ),
    }.items():
        (packed,) = splat_codec.encode([cloud], fidelity=fidelity)
        truth = cloud.subset(packed.order)
        _check_within_steps(packed.payload, packed.cloud, truth)
        off = np.linalg.norm(covariances(packed.cloud) - covariances(truth), axis=(1, 2))
        found[name] = (len(packed.payload), off.mean(), np.abs(packed.cloud.sh - truth.sh).mean())

    assert found["fine"][0] > 1.5 * found["default"][0]
    assert found["fine"][1] < found["default"][1] / 4 and found["fine"][2] < found["default"][2] / 4


def test_runs_keep_their_order_and_splats_stay_in_theirs() -> None:
    cloud = lopsided_cloud(900)
    runs = (500, 1, 0, 399)

    (packed,) = splat_codec.encode([cloud], segments=[runs])

    for start, stop in pairwise(np.cumsum([0, *runs])):
        assert sorted(packed.order[start:stop]) == list(range(start, stop))
    _check_within_steps(packed.payload, splat_codec.decode([packed.payload])[0], cloud.subset(packed.order))


def test_a_batch_packs_to_the_bytes_of_each_alone_and_again() -> None:
    batch = [
        lopsided_cloud(40),
        lopsided_cloud(700, degree=2, seed=3),
        lopsided_cloud(1, degree=1),
        lopsided_cloud(16),
    ]

    together = [packed.payload for packed in splat_codec.encode(batch)]

    assert together == [splat_codec.encode([cloud])[0].payload for cloud in batch]
    for one, cloud in zip(splat_codec.decode(together), batch, strict=True):
        assert one.sh.shape == cloud.sh.shape
    assert splat_codec.encode([]) == [] and splat_codec.decode([]) == []


@given(clouds(reach=50))
@settings(max_examples=20, deadline=None)
def test_packing_what_was_unpacked_changes_nothing(cloud: SplatCloud) -> None:
    (packed,) = splat_codec.encode([cloud])

    (again,) = splat_codec.encode([packed.cloud])

    assert again.payload == packed.payload


def test_one_far_splat_does_not_coarsen_the_others_beyond_a_cell() -> None:
    cloud = lopsided_cloud(300)
    means = cloud.means.copy()
    means[7] = [40_000, -3, 8]

    (packed,) = splat_codec.encode([SplatCloud(means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh)])

    assert np.abs(packed.cloud.means - means[packed.order]).max() <= 40_010 / 2**20


@pytest.mark.filterwarnings("error")
def test_values_that_nobody_can_see_do_not_break_the_others() -> None:
    cloud = lopsided_cloud(50, degree=1)
    scales, sh, opacities = cloud.scales.copy(), cloud.sh.copy(), cloud.opacities.copy()
    scales[3], scales[4], sh[5], sh[6], opacities[7] = 1e-38, 9e4, 3e38, -3e38, 1e-30

    (packed,) = splat_codec.encode([SplatCloud(cloud.means, cloud.quats, scales, opacities, sh)])

    (found,) = splat_codec.decode([packed.payload])
    place = np.argsort(packed.order)
    assert np.isfinite(found.sh).all() and found.scales.min() > 0
    others = np.arange(10, 50)
    ratio = np.sort(found.scales[place[others]], axis=1) / np.sort(scales[others], axis=1)
    assert np.abs(np.log2(ratio)).max() <= 0.5 / 6 + 1e-4


def test_a_chunk_can_be_written_anew_as_plain_accessors_without_loss() -> None:
    ((data, packed),) = encode_chunks([lopsided_cloud(500, degree=1)])

    plain = encode(packed.cloud, precision=None, layout="float")

    (found,) = decode_chunks([data])
    for name in ("means", "quats", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(found, name), getattr(packed.cloud, name))
        np.testing.assert_allclose(getattr(decode(plain), name), getattr(found, name), atol=1e-7, rtol=0)


def test_the_page_reads_the_same_numbers(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node, "node is missing; install Node 20.19 or newer"
    batch = [
        lopsided_cloud(1_100),
        lopsided_cloud(1, seed=5),
        lopsided_cloud(333, degree=2, seed=9),
        lopsided_cloud(64, degree=3),
    ]
    encoded = encode_chunks(batch, [(700, 400), (1,), (333,), (64,)])
    fine = encode_chunks(
        [lopsided_cloud(900, degree=1, seed=4)],
        fidelity=Fidelity(1 / 99, 31, 254, 1e-3, 0.01, 0.01, 1e-3, 1.1),
    )
    for index, (data, _) in enumerate([*encoded, *fine]):
        (tmp_path / f"{index}.chunk").write_bytes(data)

    done = subprocess.run(
        [node, "scripts/decode-chunks.mjs", str(tmp_path)],
        cwd=_VIEWER,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["splats"] == 1_100 + 1 + 333 + 64 + 900
    for index, (_, packed) in enumerate([*encoded, *fine]):
        cloud = packed.cloud
        xyzw = cloud.quats[:, [1, 2, 3, 0]]
        expected = [
            cloud.means,
            xyzw,
            cloud.scales,
            cloud.opacities,
            0.5 + SH_C0 * cloud.sh[:, 0],
            cloud.sh[:, 1:],
        ]
        found = np.fromfile(tmp_path / f"{index}.f32", np.float32)
        np.testing.assert_allclose(
            found, np.concatenate([part.ravel() for part in expected]), rtol=1e-5, atol=1e-6
        )


def test_damage_is_refused_in_a_sentence_or_stays_finite() -> None:
    (packed,) = splat_codec.encode([lopsided_cloud(60, degree=1)])
    data = packed.payload
    for stop in range(len(data)):
        with pytest.raises(AssetFormatError):
            splat_codec.decode([data[:stop]])
    for bad in damaged(data, 400, seed=11):
        try:
            (cloud,) = splat_codec.decode([bad])
        except AssetFormatError:
            continue
        assert all(np.isfinite(getattr(cloud, name)).all() for name in ("means", "quats", "scales", "sh"))


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (0, b"\x02", "version"),
        (1, b"\x04", "degree"),
        (4, b"\xff\xff\xff\xff", "4096"),
        (4, b"\0\0\0\0", "4096"),
        (12, b"\0\0\xc0\x7f", "finite"),
        (24, b"\0\0\0\x80", "positive"),
        (44, b"\xff\xff\xff\xff", "4294967295"),
    ],
)
def test_a_header_that_cannot_be_is_refused_before_anything_is_made(
    offset: int, value: bytes, words: str
) -> None:
    (packed,) = splat_codec.encode([lopsided_cloud(60)])
    bad = bytearray(packed.payload)
    bad[offset : offset + len(value)] = value

    with pytest.raises(AssetFormatError, match=words):
        splat_codec.decode([bytes(bad)])
