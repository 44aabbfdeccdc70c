"""GaussForge, a C++ converter with SPZ's own library inside, reads what we write, and we what it writes.

It keeps the numbers of a PLY whatever the format, so its SPZ is right, down, forward.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from reconstruction.splats import SplatCloud
from streaming import compressed_ply, ksplat, ply, sog, splat_file, spz
from tests.data import shared
from tests.streaming.splat_clouds import angles_deg, lopsided_cloud

gaussforge = pytest.importorskip("gaussforge", reason="GaussForge comes with the test extra (make setup)")

_SPZ = partial(spz.decode, frame="rdf")


def _convert(data: bytes, source: str, target: str) -> bytes:
    result = gaussforge.GaussForge().convert(data, source, target)
    assert "error" not in result, result["error"]
    return bytes(result["data"])


def _assert_same(found: SplatCloud, wanted: SplatCloud, *, with_rest: bool = True) -> None:
    """Both sides decode the same bytes: only float32 arithmetic may differ."""
    np.testing.assert_allclose(found.means, wanted.means, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(found.scales, wanted.scales, rtol=5e-6)
    np.testing.assert_allclose(found.opacities, wanted.opacities, atol=2e-7)
    assert found.sh.shape == wanted.sh.shape
    bases = None if with_rest else 1
    np.testing.assert_allclose(found.sh[:, :bases], wanted.sh[:, :bases], atol=1e-6)
    assert angles_deg(found.quats, wanted.quats).max() < 1e-3


@pytest.mark.parametrize(
    ("name", "encode", "decode"),
    [
        ("ply", ply.encode, ply.decode),
        ("compressed.ply", compressed_ply.encode, ply.decode),
        ("sog", sog.encode, sog.decode),
        ("splat", splat_file.encode, splat_file.decode),
        *[("spz", partial(spz.encode, version=version), _SPZ) for version in (2, 3, 4)],
    ],
)
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_it_reads_in_our_files_what_we_read(
    name: str, encode: Callable[[SplatCloud], bytes], decode: Callable[[bytes], SplatCloud], degree: int
) -> None:
    data = encode(lopsided_cloud(700, degree=degree))

    theirs = ply.decode(_convert(data, name, "ply"))

    _assert_same(theirs, decode(data))


@pytest.mark.parametrize(
    ("name", "decode"),
    [
        ("compressed.ply", ply.decode),
        ("sog", sog.decode),
        ("splat", splat_file.decode),
        ("ksplat", ksplat.decode),
        ("spz", _SPZ),
    ],
)
@pytest.mark.parametrize("degree", [0, 2])
def test_we_read_in_its_files_what_it_reads(
    name: str, decode: Callable[[bytes], SplatCloud], degree: int
) -> None:
    data = _convert(ply.encode(lopsided_cloud(700, degree=degree)), "ply", name)

    theirs = ply.decode(_convert(data, name, "ply"))

    # It takes the SH of a .ksplat to be channel by channel over all degrees, the format's owner inside each.
    _assert_same(decode(data), theirs, with_rest=name != "ksplat")


def test_owner_of_ksplat_writes_coefficients_degree_by_degree() -> None:
    data = shared("splats/converted_playbot_lod3/playbot_lod3.c1.ksplat").read_bytes()

    theirs = ply.decode(_convert(data, "ksplat", "ply"))

    # Ours are those of the PLY it was made from (test_ksplat); theirs are the same sizes in other places.
    ours = ksplat.decode(data)
    sizes = [np.sort(np.abs(cloud.sh[:, 1:]).reshape(len(cloud), -1)) for cloud in (theirs, ours)]
    np.testing.assert_allclose(*sizes, atol=1e-6)
    assert np.abs(theirs.sh - ours.sh).max() > 1
