from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reconstruction import matching
from reconstruction.colmap import load_pycolmap
from reconstruction.matching import frame_index, match_pictures
from reconstruction.retrieval import similar_pairs
from tests.reconstruction.textured import pictures_of_room, room_cameras_along

LAP = 12


def _two_laps() -> np.ndarray:
    """Pictures of two rounds about the room's pillar; the second stands 5 cm beside the first."""
    angle = np.linspace(0, 4 * np.pi, 2 * LAP, endpoint=False)
    beside = np.repeat([0.0, 0.05], LAP)
    eyes = np.stack([3 + (1.7 + beside) * np.cos(angle), 1.5 + beside, 2.1 + 1.3 * np.sin(angle)], axis=1)
    ahead = np.stack([-np.cos(angle + 0.7), np.full(2 * LAP, -0.12), -np.sin(angle + 0.7)], axis=1)
    return pictures_of_room(room_cameras_along(eyes, eyes + ahead, focal_over_edge=0.7))


def _matched_pairs(database: Path) -> set[tuple[int, int]]:
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as opened:
        frame = {image.image_id: frame_index(image.name) for image in opened.read_all_images()}
        ids, matches = opened.read_all_matches()
        pairs = [pycolmap.pair_id_to_image_pair(pair) for pair in ids]
    found = [
        tuple(sorted((frame[a], frame[b])))
        for (a, b), own in zip(pairs, matches, strict=True)
        if len(own) >= 15
    ]
    return set(found)  # type: ignore[arg-type]


def test_a_second_lap_is_matched_with_the_first_without_matching_everything(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(matching, "EXHAUSTIVE_UP_TO", 2 * LAP - 1)
    monkeypatch.setattr(matching, "SEQUENTIAL_OVERLAP", 2)  # and steps of 4, 8 and 16, but none of 12
    monkeypatch.setattr(matching, "LOOK_ALIKES", 3)

    pairs = _matched_pairs(match_pictures(_two_laps(), tmp_path, lambda share, phrase: None))

    assert sum((i, i + LAP) in pairs for i in range(LAP)) >= LAP - 1
    assert all((i, i + 1) in pairs for i in range(2 * LAP - 1))
    assert len(pairs) < 0.7 * LAP * (2 * LAP - 1)


def _features(seed: int, count: int = 80) -> np.ndarray:
    values = np.random.default_rng(seed).gamma(0.4, 40.0, (count, 128))
    return np.minimum(values, 255).astype(np.uint8)


def test_pictures_with_shared_features_find_each_other_and_neighbours_are_left_out() -> None:
    rng = np.random.default_rng(7)
    places = [_features(seed) for seed in range(6)]
    seen = [places[k] for k in (0, 1, 2, 3, 4, 5, 2, 0)]
    noisy = [np.clip(one + rng.normal(0, 4, one.shape), 0, 255).astype(np.uint8) for one in seen]

    pairs = similar_pairs(noisy, count=1, apart=1)

    assert {(0, 7), (2, 6)} <= set(pairs)
    assert all(j - i > 1 for i, j in pairs)
    assert pairs == similar_pairs(noisy, count=1, apart=1)


def test_pictures_without_features_have_no_partners() -> None:
    nothing = np.empty((0, 128), np.uint8)

    assert similar_pairs([nothing, nothing, nothing], count=2, apart=0) == []
    assert similar_pairs([_features(0), nothing, _features(0)], count=2, apart=0) == [(0, 2)]


@pytest.mark.parametrize("count", [1, 100])
def test_there_are_never_more_partners_than_pictures(count: int) -> None:
    pairs = similar_pairs([_features(seed) for seed in range(5)], count=count, apart=0)

    assert len(pairs) <= 10
    assert all(i < j for i, j in pairs)
