"""`--backend`: what is told before any work, and that a backend's pictures are kept under their own name."""

from __future__ import annotations

import numpy as np
import pytest

from immersive.generation.backend import load_generator, parse_backend
from immersive.request import CreateRequest
from immersive.sources import plan_source
from immersive.stage_results import arrays_from_frames, frames_from_arrays
from reconstruction.audio import AudioTrack
from reconstruction.errors import InvalidArrayError, InvalidInputError
from reconstruction.frames import FrameSequence, Provenance


def test_a_backend_is_a_name_and_perhaps_a_model() -> None:
    assert parse_backend("procedural") == ("procedural", None)
    assert parse_backend("procedural=a/b=c") == ("procedural", "a/b=c")
    assert load_generator("procedural").name == "procedural"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"prompt": "a cabin", "backend": "sora"}, "unknown backend 'sora'"),
        ({"prompt": "a cabin", "backend": "procedural="}, "'procedural=' names no model"),
        ({"prompt": "a cabin", "most_cost_usd": 1.0}, "a cost limit is for hosted backends"),
        ({"prompt": "a cabin", "most_cost_usd": -1.0}, "a cost limit must be from 0 to 10,000, got -1"),
    ],
)
def test_a_backend_that_cannot_be_used_is_told_before_any_work(options, sentence) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        CreateRequest(**options)


def test_footage_takes_no_backend(tmp_path) -> None:
    with pytest.raises(InvalidInputError, match="a backend is for a prompt"):
        CreateRequest(images=tmp_path, backend="procedural=x")


def test_frames_of_different_backends_are_kept_apart(tmp_path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"one")
    usual = plan_source(CreateRequest("a cabin")).digest
    own = plan_source(CreateRequest("a cabin", backend=f"procedural={tmp_path}")).digest
    (tmp_path / "weights.bin").write_bytes(b"two")
    # The usual backend needs no model, so only its name counts.
    assert own == usual == plan_source(CreateRequest("a cabin", backend=f"procedural={tmp_path}")).digest


def test_the_sound_of_frames_is_kept_with_them() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, (300, 2)).astype(np.float32)
    images = np.zeros((2, 4, 6, 3), np.uint8)
    frames = FrameSequence(images, Provenance("x", is_generated=True), audio=AudioTrack(samples, 16_000))

    again = frames_from_arrays(*arrays_from_frames(frames))

    assert again.audio is not None and again.audio.rate_hz == 16_000
    np.testing.assert_array_equal(again.audio.samples, samples)
    assert frames.audio is not None and frames.audio.duration_s == pytest.approx(0.01875)
    assert frames.subset([1]).audio is frames.audio


@pytest.mark.parametrize("shape, rate_hz", [((0, 1), 16_000), ((9, 3), 16_000), ((9, 1), 7), ((9,), 16_000)])
def test_sound_that_is_none_is_refused(shape, rate_hz) -> None:
    with pytest.raises(InvalidArrayError):
        AudioTrack(np.zeros(shape, np.float32), rate_hz)
