from __future__ import annotations

import gzip
import random
import resource
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import zstandard

from reconstruction.spherical_harmonics import evaluate
from streaming import spz
from streaming.errors import AssetFormatError
from streaming.limits import MAX_SPLATS_PER_FILE
from streaming.validate import read_splats
from tests.data import shared
from tests.streaming.splat_clouds import angles_deg, covariances, lopsided_cloud

MAGIC = 0x5053474E


def _header(version: int = 3, count: int = 1, degree: int = 0, bits: int = 12, flags: int = 0) -> bytes:
    return struct.pack("<IIIBBBB", MAGIC, version, count, degree, bits, flags, 0)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_values_come_back_within_the_stated_errors(version: int, degree: int) -> None:
    cloud = lopsided_cloud(800, degree=degree)

    found = spz.decode(spz.encode(cloud, version=version))

    assert np.abs(found.means - cloud.means).max() <= 0.5 / 4096 + 1e-6
    assert np.abs(np.log(found.scales / cloud.scales)).max() <= 0.5 / 16 + 1e-4
    assert np.abs(found.opacities - cloud.opacities).max() <= 0.5 / 255 + 1e-6
    assert np.abs(found.sh[:, 0] - cloud.sh[:, 0]).max() <= 0.5 / (0.15 * 255) + 1e-5
    # Three components of 9 bits each over sqrt(1/2): at most half a step in each.
    # Version 2 derives w from three steps of 1/127.5: an error e of |xyz|^2 becomes sqrt(e) where w is 0.
    angles = angles_deg(found.quats, cloud.quats)
    assert angles.max() < (14 if version == 2 else 0.35)
    assert angles[np.abs(cloud.quats[:, 0]) > 0.5].max() < (1.6 if version == 2 else 0.35)
    assert spz.describe(spz.encode(cloud, version=version))[0] == version
    if degree:
        assert np.abs(found.sh[:, 1:4] - cloud.sh[:, 1:4]).max() <= 4.5 / 128
        assert np.abs(found.sh[:, 4:] - cloud.sh[:, 4:]).max(initial=0) <= 8.5 / 128


def test_file_of_the_owners_library_is_upright_without_being_told() -> None:
    # One scene twice, by MetalSplatter: the PLY is right, down, forward; SPZ's own encoder turned it.
    ply_cloud = read_splats(shared("splats/tiny_fixtures/test-splat.3-points-from-train.ply"))

    cloud = read_splats(shared("splats/tiny_fixtures/test-splat.3-points-from-train.spz"))

    assert len(cloud) == 3 and cloud.sh_degree == 3
    np.testing.assert_allclose(cloud.means, ply_cloud.means, atol=0.5 / 4096 + 1e-6)
    np.testing.assert_allclose(cloud.opacities, ply_cloud.opacities, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(np.log(cloud.scales), np.log(ply_cloud.scales), atol=0.5 / 16 + 1e-3)
    assert angles_deg(cloud.quats, ply_cloud.quats).max() < 0.35
    np.testing.assert_allclose(cloud.sh, ply_cloud.sh, atol=8.5 / 128)


@pytest.mark.parametrize("name", ["minimal-raw", "minimal-v2", "minimal-v3", "minimal-v4"])
def test_four_splats_of_splat_transform_are_read_in_every_version(name: str) -> None:
    cloud = read_splats(shared(f"splats/tiny_fixtures/{name}.spz"))

    assert len(cloud) == 4 and cloud.sh_degree == 0
    assert set(np.abs(cloud.means).ravel()) <= {0.0, 1.0}
    np.testing.assert_allclose(np.log(cloud.scales), np.log(0.1), atol=0.5 / 16)
    np.testing.assert_allclose(angles_deg(cloud.quats, np.tile([1, 0, 0, 0], (4, 1))), 0, atol=1)


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_large_file_of_splat_transform_equals_the_ply_it_was_made_from(version: str) -> None:
    folder = shared("splats/converted_playbot_lod3")
    ply_cloud = read_splats(folder / "playbot_lod3.ply")

    # That converter stores the PLY's right, down, forward without saying so.
    cloud = read_splats(folder / f"playbot_lod3.{version}.spz", frame="rdf")

    assert len(cloud) == 31_000 and cloud.sh_degree == 2
    np.testing.assert_allclose(cloud.means, ply_cloud.means, atol=0.5 / 4096 + 1e-6)
    np.testing.assert_allclose(np.log(cloud.scales), np.log(ply_cloud.scales), atol=0.5 / 16 + 1e-3)
    assert angles_deg(cloud.quats, ply_cloud.quats).max() < 0.35
    inside = (np.abs(ply_cloud.sh) < 0.98).all(axis=(1, 2))
    assert inside.sum() > 100
    ahead = np.float64([0.36, 0.48, -0.8])
    seen, truth = evaluate(cloud.sh[inside], ahead), evaluate(ply_cloud.sh[inside], ahead)
    assert np.abs(seen - truth).max() < 0.15  # eight coefficients of four and five bits


def test_frame_says_which_way_is_up() -> None:
    cloud = lopsided_cloud(50, degree=3)
    data = spz.encode(cloud)

    upright, turned = spz.decode(data), spz.decode(data, frame="rdf")

    assert upright.means[:, 1].min() > 0 > turned.means[:, 1].max()
    flip = np.diag([1.0, -1.0, -1.0])
    np.testing.assert_allclose(turned.means, upright.means @ flip, atol=1e-6)
    np.testing.assert_allclose(covariances(turned), flip @ covariances(upright) @ flip, atol=1e-9)
    ahead = np.float64([0.36, 0.48, -0.8])
    np.testing.assert_allclose(evaluate(turned.sh, flip @ ahead), evaluate(upright.sh, ahead), atol=1e-5)


def test_file_that_states_its_frame_is_believed() -> None:
    cloud = lopsided_cloud(5)
    body = bytearray(zlib.decompress(spz.encode(cloud), 31))
    body[14] |= 2
    record = struct.pack("<III", 0xADBE0002, 12, 0) + bytes(8) + struct.pack("<III", 0xADBE0003, 4, 6)

    found = spz.decode(_gzip(bytes(body) + record))

    np.testing.assert_allclose(found.means, spz.decode(spz.encode(cloud), frame="rdf").means, atol=1e-6)
    assert spz.describe(_gzip(bytes(body) + record)) == (3, False, True)


@pytest.mark.parametrize(
    ("code", "signs"),
    [
        *[(1, "LDB"), (2, "RDB"), (3, "LUB"), (4, "RUB")],
        *[(5, "LDF"), (6, "RDF"), (7, "LUF"), (8, "RUF")],
        *[(9, "LBD"), (10, "RBD"), (11, "LBU"), (12, "RBU")],
        *[(13, "LFD"), (14, "RFD"), (15, "LFU"), (16, "RFU")],
    ],
)
def test_every_stated_frame_leads_to_ours_mirrored_ones_too(code: int, signs: str) -> None:
    cloud = lopsided_cloud(9, degree=3)
    body = bytearray(zlib.decompress(spz.encode(cloud), 31))
    body[14] |= 2
    stored = spz.decode(spz.encode(cloud))
    directions = {"R": (1, 0, 0), "U": (0, 1, 0), "B": (0, 0, 1), "L": (-1, 0, 0), "D": (0, -1, 0)}
    directions["F"] = (0, 0, -1)
    # Each stored axis points where its letter says; columns, as `ours @ stored` is in our frame.
    ours = np.array([directions[letter] for letter in signs], float).T

    found = spz.decode(_gzip(bytes(body) + struct.pack("<III", 0xADBE0003, 4, code)))

    np.testing.assert_allclose(found.means, stored.means @ ours.T, atol=1e-6)
    np.testing.assert_allclose(covariances(found), ours @ covariances(stored) @ ours.T, atol=1e-9)
    ahead = np.float64([0.36, 0.48, -0.8])
    np.testing.assert_allclose(evaluate(found.sh, ours @ ahead), evaluate(stored.sh, ahead), atol=1e-5)


def test_degree_four_of_version_four_is_cut_to_three() -> None:
    cloud = lopsided_cloud(6, degree=3)
    data = spz.encode(cloud, version=4)
    rest = zstandard.ZstdCompressor().compress(bytes(range(72)) * 6)
    # Rebuild the file with 24 coefficients in its last stream.
    at = int.from_bytes(data[16:20], "little")
    table = [struct.unpack_from("<QQ", data, at + 16 * i) for i in range(6)]
    kept = data[at + 96 : at + 96 + sum(size for size, _ in table[:5])]
    new = [*table[:5], (len(rest), 72 * 6)]
    header = bytearray(data[:at])
    header[12] = 4
    rebuilt = bytes(header) + b"".join(struct.pack("<QQ", *row) for row in new) + kept + rest

    found = spz.decode(rebuilt)

    assert found.sh.shape == (6, 16, 3)
    np.testing.assert_allclose(found.sh[2, 1:, 1] * 128 + 128, np.arange(1, 46, 3))


def test_position_beyond_the_fixed_point_range_is_refused_not_wrapped() -> None:
    cloud = lopsided_cloud(2)
    cloud.means[0, 0] = 2050

    with pytest.raises(AssetFormatError, match="within 2048 m"):
        spz.encode(cloud)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must begin with NGSP"),
        (b"\x1f\x8b", "must begin with NGSP"),
        (b"\x1f\x8b" + bytes(30), "gzip data must unpack"),
        (_gzip(b"PK\x03\x04" + bytes(12)), "must begin with NGSP"),
        (_gzip(_header(version=1) + bytes(20)), "version must be"),
        (_gzip(_header(version=9) + bytes(20)), "version must be"),
        (_gzip(_header(version=4) + bytes(20)), "version must be"),
        (_gzip(_header(count=0)), "count must be 1"),
        (_gzip(_header(count=4_000_000_000)), f"1 to {MAX_SPLATS_PER_FILE}"),
        (_gzip(_header(count=19_000_000)), "must fit the file"),
        (_gzip(_header(degree=4) + bytes(99)), "degree must be 0 to 3"),
        (_gzip(_header(bits=24) + bytes(20)), "fractional bits"),
        (_gzip(_header() + bytes(19)), "must hold 36 bytes, got 35"),
        (_header(version=4, count=5) + bytes(20), "stream count must be 5, got 0"),
    ],
)
def test_broken_header_is_named(data: bytes, message: str) -> None:
    with pytest.raises(AssetFormatError, match=message):
        spz.decode(data)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_every_cut_is_refused(version: int) -> None:
    data = spz.encode(lopsided_cloud(3, degree=1), version=version)
    # A gzip member ends in eight bytes of checksum and size, and in a code that says it ends: no splats.
    whole = len(data) - 9 if version < 4 else len(data)

    for length in range(whole):
        with pytest.raises(AssetFormatError):
            spz.decode(data[:length])


@pytest.mark.parametrize("version", [2, 3, 4])
def test_random_damage_gives_our_error_or_a_cloud(version: int) -> None:
    data = spz.encode(lopsided_cloud(4, degree=1), version=version)
    if version < 4:
        data = zlib.decompress(data, 31)  # gzip would catch the damage before we do
    noise = random.Random(3)

    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(noise.randint(1, 4)):
            damaged[noise.randrange(len(damaged))] = noise.randrange(256)
        try:
            cloud = spz.decode(bytes(damaged))
        except AssetFormatError:
            continue
        assert np.isfinite(cloud.sh).all()


def test_bomb_of_a_gigabyte_costs_no_memory() -> None:
    # Deflate blocks between full flushes stand alone: one is squeezed and repeated.
    first = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = first.compress(_header(count=100)) + first.flush(zlib.Z_FULL_FLUSH)
    other = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = other.compress(bytes(2**20)) + other.flush(zlib.Z_FULL_FLUSH)
    bomb = b"\x1f\x8b\x08" + bytes(7) + head + block * 1024
    assert len(bomb) < 1.2e6
    tracemalloc.start()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    cloud = spz.decode(bomb)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # It says 100 splats and holds them; what follows is never unpacked.
    assert len(cloud) == 100
    assert peak < 2e6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KB


def test_zstd_stream_that_claims_more_than_its_splats_need_is_refused() -> None:
    count = 2
    sizes = [18, 2, 6, 6, 8]
    frames = [zstandard.ZstdCompressor().compress(bytes(size)) for size in sizes]
    frames[1] = zstandard.ZstdCompressor().compress(bytes(10_000_000))
    header = struct.pack("<IIIBBBBI12x", MAGIC, 4, count, 0, 12, 0, 5, 32)
    table = b"".join(struct.pack("<QQ", len(f), s) for f, s in zip(frames, sizes, strict=True))

    with pytest.raises(AssetFormatError, match="stream 1 must unpack to 2 bytes"):
        spz.decode(header + table + b"".join(frames))
