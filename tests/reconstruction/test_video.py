from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import laplace

from reconstruction import video
from reconstruction.errors import InvalidInputError
from reconstruction.video import read_clip, read_shots
from tests.reconstruction.clips import blurred, sliding, texture, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "walk.mp4", sliding(20))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm"])
def test_frames_come_in_time_order_and_upright(tmp_path: Path, suffix: str) -> None:
    frames = sliding(12)

    found = read_clip(write_clip(tmp_path / f"walk{suffix}", frames))

    assert found.images.shape == frames.shape
    for shown, true in zip(found.images, frames, strict=True):
        # Codecs halve the colour's resolution, so brightness is compared.
        assert np.abs(shown.mean(axis=2) - true.mean(axis=2)).mean() < 5
    assert found.cameras is None
    assert found.provenance.source == "clip"
    assert not found.provenance.is_generated


def test_a_clip_filmed_sideways_is_turned_as_its_header_says(clip: Path) -> None:
    plain = read_clip(clip).images
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version and times, ids, layer, volume: then nine fixed-point numbers
    one = 0x10000
    data[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 0x40000000)  # a quarter turn
    clip.write_bytes(data)

    turned = read_clip(clip).images

    # ISO 14496-12: (x', y') = (x, y) M, so x' = -y and y' = x: what was the left edge becomes the top.
    assert turned.shape[1:3] == (128, 96)
    expected = plain[0].transpose(1, 0, 2)[:, ::-1]
    assert np.abs(turned[0].astype(int) - expected).mean() < 2


def test_of_two_shots_the_longer_is_kept_and_said(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.webm", np.concatenate([sliding(9, seed=1), sliding(15, seed=2)]))
    said: list[str] = []

    found = read_clip(path, say=said.append)

    assert len(found) == 15
    assert said == ["the clip has 2 shots; the longest was kept, frames 9 to 23 of 24"]


def test_shots_come_longest_first_and_those_without_enough_frames_not_at_all(tmp_path: Path) -> None:
    shots = [sliding(8, seed=1), sliding(4, seed=2), sliding(15, seed=3)]
    said: list[str] = []

    found = list(read_shots(write_clip(tmp_path / "cuts.webm", np.concatenate(shots)), say=said.append))

    assert [len(frames) for frames in found] == [15, 8]
    assert np.abs(found[1].images[0].mean(axis=2) - shots[0][0].mean(axis=2)).mean() < 5
    assert said == [
        "the clip has 3 shots; the longest was kept, frames 12 to 26 of 27",
        "the next longest shot was kept, frames 0 to 7 of 27",
    ]


def test_a_clip_of_many_short_shots_is_refused_with_their_number(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "trailer.webm", np.concatenate([sliding(4, seed=k) for k in range(5)]))

    with pytest.raises(InvalidInputError, match="4 different frames among the longest of its 5 shots"):
        read_clip(path)


def test_steady_motion_is_no_cut(clip: Path) -> None:
    said: list[str] = []

    read_clip(clip, say=said.append)

    assert said == []


def test_repeated_frames_are_dropped(tmp_path: Path) -> None:
    frames = np.repeat(sliding(8), 3, axis=0)

    assert len(read_clip(write_clip(tmp_path / "slow.webm", frames))) == 8


def test_of_each_span_the_sharpest_frame_is_chosen(tmp_path: Path) -> None:
    frames = sliding(24)
    for index in range(24):
        if index % 3 != 1:
            frames[index] = blurred(frames[index])

    found = read_clip(write_clip(tmp_path / "shaky.webm", frames), max_frames=8).images

    assert len(found) == 8
    sharp = [laplace(image.mean(axis=2)).var() for image in found]
    assert min(sharp) > 0.6 * laplace(frames[1].mean(axis=2)).var()


def test_long_edge_is_kept_to_and_nothing_is_enlarged(clip: Path) -> None:
    assert read_clip(clip, long_edge_px=64).images.shape[1:3] == (48, 64)
    assert read_clip(clip, long_edge_px=4000).images.shape[1:3] == (96, 128)


def test_a_still_picture_is_refused_as_a_clip(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "still.webm", np.stack([texture(96, 128)] * 12))

    with pytest.raises(InvalidInputError, match="different frames, got 1 different frame"):
        read_clip(path)


def test_one_frame_is_too_few(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "one.mp4", sliding(1))

    with pytest.raises(
        InvalidInputError, match=r"'one.mp4' must hold at least 6 different frames, got 1 frame"
    ):
        read_clip(path)


def _nothing(path: Path, whole: bytes) -> None:
    path.write_bytes(b"")


def _half(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[: len(whole) // 2])


def _head(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[:200])


def _text(path: Path, whole: bytes) -> None:
    path.write_text("this is a shopping list\n" * 50)


def _scrambled(path: Path, whole: bytes) -> None:
    data = bytearray(whole)
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4 if data.index(b"moov") > start else len(data)
    data[start:end] = np.random.default_rng(0).integers(0, 256, end - start, dtype=np.uint8).tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_nothing, _half, _head, _text, _scrambled])
def test_damaged_clips_are_one_sentence_and_silent(clip: Path, damage, capfd) -> None:
    damage(clip, clip.read_bytes())

    with pytest.raises(InvalidInputError, match=r"^clip 'walk.mp4' must (be|hold)") as caught:
        read_clip(clip)

    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert str(clip.parent) not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"clip must exist, got 'no.mp4'"):
        read_clip(tmp_path / "no.mp4")
    with pytest.raises(InvalidInputError, match="clip must be a file, got the folder"):
        read_clip(tmp_path)


def test_absurd_sizes_are_refused_before_a_frame_is_decoded(clip: Path, monkeypatch) -> None:
    monkeypatch.setattr(video, "MAX_PIXELS", 128 * 96 - 1)
    monkeypatch.setattr(video, "_upright", lambda *_: pytest.fail("a frame was decoded"))

    with pytest.raises(InvalidInputError, match="got 128x96"):
        read_clip(clip)


def test_a_clip_beyond_the_limit_is_cut_and_said(clip: Path, monkeypatch) -> None:
    monkeypatch.setattr(video, "MAX_DECODED", 10)
    said: list[str] = []

    found = read_clip(clip, say=said.append)

    assert len(found) == 10
    assert said == ["the clip is longer than 10 frames; the rest was left out"]
