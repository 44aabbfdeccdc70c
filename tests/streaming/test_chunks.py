from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streaming.chunks import MAX_CHUNK_SPLATS, Piece, cut
from streaming.lod import Level, build_tree
from tests.streaming.splat_clouds import lopsided_cloud


@pytest.fixture(scope="module")
def tree() -> tuple[Level, ...]:
    return build_tree(lopsided_cloud(40_000))


@pytest.fixture(scope="module")
def pieces(tree: tuple[Level, ...]) -> list[Piece]:
    return cut(tree)


def test_children_of_a_chunk_partition_its_splats(pieces: list[Piece]) -> None:
    last = max(piece.level for piece in pieces)
    for index, parent in enumerate(pieces):
        ranges = sorted((p.range_start, p.range_stop) for p in pieces if p.parent == index)
        if parent.level == last:
            assert ranges == []
            continue
        assert ranges[0][0] == 0 and ranges[-1][1] == len(parent.cloud)
        assert all(stop == start for (_, stop), (start, _) in pairwise(ranges))


def test_a_child_holds_exactly_the_children_of_the_range_it_replaces(
    tree: tuple[Level, ...], pieces: list[Piece]
) -> None:
    # Splats are found again by their means, which are unique here.
    ids = [{row.tobytes(): i for i, row in enumerate(level.cloud.means)} for level in tree]
    for piece in pieces:
        if piece.parent < 0:
            continue
        parent = pieces[piece.parent]
        replaced = parent.cloud.means[piece.range_start : piece.range_stop]
        wanted = {ids[parent.level][row.tobytes()] for row in replaced}
        own = [ids[piece.level][row.tobytes()] for row in piece.cloud.means]
        assert set(tree[piece.level].parents[own]) == wanted
        assert len(own) == np.isin(tree[piece.level].parents, list(wanted)).sum()


def test_every_level_is_whole_and_no_chunk_too_large(tree: tuple[Level, ...], pieces: list[Piece]) -> None:
    for number, level in enumerate(tree):
        own = [piece for piece in pieces if piece.level == number]
        assert sum(len(piece.cloud) for piece in own) == len(level.cloud)
        assert max(len(piece.cloud) for piece in own) <= MAX_CHUNK_SPLATS
    leaves = [len(piece.cloud) for piece in pieces if piece.level == len(tree) - 1]
    assert np.mean(leaves) > 0.6 * MAX_CHUNK_SPLATS


def test_there_is_one_root_and_parents_come_first(pieces: list[Piece]) -> None:
    assert [piece.parent for piece in pieces].count(-1) == 1 and pieces[0].parent == -1
    assert all(piece.parent < index for index, piece in enumerate(pieces))
    assert [piece.level for piece in pieces] == sorted(piece.level for piece in pieces)


def test_errors_of_a_level_are_shared_out_whole(tree: tuple[Level, ...], pieces: list[Piece]) -> None:
    for number, level in enumerate(tree):
        found = sum(piece.error for piece in pieces if piece.level == number)
        assert found == pytest.approx(float(level.errors.sum(dtype=np.float64)), rel=1e-5)


def test_chunks_are_compact_in_space(pieces: list[Piece]) -> None:
    last = max(piece.level for piece in pieces)
    leaves = [piece.cloud.means for piece in pieces if piece.level == last]
    whole = np.concatenate(leaves).std(axis=0)

    assert np.mean([np.prod(points.std(axis=0) / whole) for points in leaves]) < 0.5


def test_points_in_one_place_are_still_cut() -> None:
    cloud = lopsided_cloud(9_000)
    cloud.means[:] = 2.0

    pieces = cut(build_tree(cloud))

    assert max(len(piece.cloud) for piece in pieces) <= MAX_CHUNK_SPLATS
