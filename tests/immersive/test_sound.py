"""Sounds: loops without a click, told apart by their spectra, and where the brief says they are."""

from __future__ import annotations

import io
import json

import av
import numpy as np
import pytest

from immersive.brief import Element, SceneBrief
from immersive.generation.procedural.generator import build_world
from immersive.generation.understanding import understand
from immersive.sound.ambience import bed_of_clip, make_loops, plan_sounds
from immersive.sound.opus import encode
from immersive.sound.synthesis import LOOP_S, RATE_HZ, kinds, synthesise
from immersive.stage_results import arrays_from_frames, frames_from_arrays
from reconstruction.audio import AudioTrack
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.clip_audio import read_audio
from reconstruction.conventions import look_at_viewmat
from reconstruction.frames import FrameSequence, Landmark, Provenance
from streaming.assemble import build_asset
from streaming.asset import SoundLoop
from streaming.errors import AssetFormatError
from streaming.messages import CHUNK_KINDS, Chunk, decode_from_server
from streaming.pack import asset_json, parse_asset_json
from streaming.session import StreamedScene, ViewerSession
from tests.reconstruction.clips import sliding, write_clip
from tests.streaming.splat_clouds import lopsided_cloud


def decoded(opus: bytes) -> np.ndarray:
    """Return samples [N, C] by the decoder of another library's wheel than the encoder's settings."""
    with av.open(io.BytesIO(opus)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1).T


@pytest.fixture(scope="module")
def loops() -> dict[str, np.ndarray]:
    return {kind: synthesise(kind, 3).astype(np.float64) for kind in kinds()}


@pytest.mark.parametrize("kind", kinds())
def test_a_loop_ends_where_it_begins(kind: str, loops: dict[str, np.ndarray]) -> None:
    wave = loops[kind]
    steps = np.abs(np.diff(wave))

    assert len(wave) == LOOP_S * RATE_HZ and np.isfinite(wave).all()
    # Round the seam nothing is rougher than the roughest hundredth of a second within.
    assert abs(wave[0] - wave[-1]) <= steps.max()
    curvature = np.abs(np.diff(np.r_[wave[-3:], wave[:3]], 2)).max()
    assert curvature <= np.abs(np.diff(wave, 2)).max()
    assert 0.03 < np.abs(wave).max() < 0.61


def test_the_same_seed_sounds_the_same_and_another_does_not(loops: dict[str, np.ndarray]) -> None:
    for kind in ("wind", "birds"):
        np.testing.assert_array_equal(synthesise(kind, 3), loops[kind].astype(np.float32))
        assert np.abs(synthesise(kind, 4) - loops[kind]).max() > 0.01
    assert encode(synthesise("fire", 3)) == encode(synthesise("fire", 3))


def test_sounds_lie_where_ears_expect_them(loops: dict[str, np.ndarray]) -> None:
    hz = np.fft.rfftfreq(LOOP_S * RATE_HZ, 1 / RATE_HZ)
    power = {kind: np.abs(np.fft.rfft(wave)) ** 2 for kind, wave in loops.items()}
    centre = {kind: (p * hz).sum() / p.sum() for kind, p in power.items()}

    assert (
        centre["room"] < centre["wind"] < centre["crowd"] < centre["brook"] < centre["birds"] < centre["rain"]
    )
    assert 3_500 < centre["crickets"] < 5_500
    # A clock ticks once a second: its envelope repeats every second and not every two thirds.
    envelope = np.abs(loops["clock"]).reshape(-1, 480).max(axis=1)
    spectrum = np.abs(np.fft.rfft(envelope - envelope.mean()))
    assert spectrum.argmax() % LOOP_S == 0
    assert envelope.reshape(LOOP_S, -1).argmax(axis=1).std() == 0
    # The fire is silent between its cracks more than the rain is.
    short = {kind: np.abs(loops[kind]).reshape(-1, 480).max(axis=1) for kind in ("fire", "rain")}
    assert short["fire"].max() / np.median(short["fire"]) > 1.5 * short["rain"].max() / np.median(
        short["rain"]
    )


def test_opus_decodes_to_as_many_samples_that_sound_alike(loops: dict[str, np.ndarray]) -> None:
    opus = encode(loops["crickets"].astype(np.float32))
    heard = decoded(opus)[:, 0]

    assert len(heard) == LOOP_S * RATE_HZ and 10_000 < len(opus) < 200_000
    assert np.corrcoef(heard, loops["crickets"])[0, 1] > 0.9


def test_a_campfire_is_heard_where_it_burns() -> None:
    world = build_world(understand("a forest with a campfire and a lake at night", seed=2, size="small"))
    marks = [Landmark(point.name, point.position) for point in world.points_of_interest]
    brief = understand("a forest with a campfire and a lake at night", seed=2, size="small")

    plans = {plan.kind: plan for plan in plan_sounds(brief, marks)}

    fire = next(mark for mark in marks if mark.name == "campfire")
    assert plans["fire"].position == fire.position
    assert abs(fire.position[1] - world.ground_height(*np.array(fire.position)[[0, 2]][:, None])[0]) < 1.5
    assert plans["lake"].position is not None and plans["wind"].position is None
    assert "crickets" in plans and "birds" not in plans


@pytest.mark.parametrize(
    ("brief", "heard", "not_heard"),
    [
        (SceneBrief("a meadow", setting="meadow"), {"wind", "birds"}, {"crickets", "rain"}),
        (SceneBrief("x", setting="forest", weather="rain"), {"wind", "rain"}, {"birds", "crickets"}),
        (SceneBrief("x", setting="forest", weather="snow", season="winter"), {"wind"}, {"birds", "rain"}),
        (SceneBrief("x", setting="desert"), {"wind"}, {"birds"}),
        (SceneBrief("x", setting="cafe", is_indoor=True), {"room", "crowd"}, {"wind", "birds"}),
        (
            SceneBrief("x", setting="library", is_indoor=True, weather="rain"),
            {"room", "clock", "rain"},
            {"wind"},
        ),
    ],
)
def test_a_place_sounds_like_its_weather_and_hour(brief: SceneBrief, heard: set, not_heard: set) -> None:
    found = {plan.kind for plan in plan_sounds(brief, [])}

    assert heard <= found and not not_heard & found


def test_waters_sound_as_what_they_are_and_ice_does_not() -> None:
    mark = [Landmark("lake", (4.0, 0.0, -9.0))]
    kinds_of = {
        prompt: {plan.kind for plan in plan_sounds(understand(prompt), mark)}
        for prompt in ("a beach by the sea", "a meadow with a brook", "a forest with a lake", "a frozen lake")
    }

    assert "sea" in kinds_of["a beach by the sea"] and "brook" in kinds_of["a meadow with a brook"]
    assert "lake" in kinds_of["a forest with a lake"]
    assert not {"lake", "sea", "brook"} & kinds_of["a frozen lake"]


def test_landmarks_move_with_the_world_and_are_kept() -> None:
    viewmat = look_at_viewmat(np.array([3.0, 1.6, -2.0]), np.array([5.0, 1.2, -7.0]))
    cameras = Cameras(viewmat[None].astype(np.float32), intrinsics(100, 16, 12)[None], 16, 12)
    marks = (Landmark("campfire", (5.0, 0.4, -7.0)),)
    images = np.zeros((1, 12, 16, 3), np.uint8)
    frames = FrameSequence(images, Provenance("x", is_generated=True), cameras, landmarks=marks)

    moved = frames_from_arrays(*arrays_from_frames(frames.in_world_frame()))

    x, y, z = moved.landmarks[0].position
    # It lay straight ahead of the camera, which now looks along -Z from the origin.
    assert (
        abs(x) < 1e-4 and z == pytest.approx(-np.hypot(2, 5), abs=1e-3) and y == pytest.approx(-1.2, abs=1e-3)
    )


def asset_with(*sounds: SoundLoop):
    return build_asset(
        lopsided_cloud(60), title="Heard", provenance=Provenance("x", is_generated=True), sounds=sounds
    )


FIRE = SoundLoop("fire", "a fire crackles", b"OggS fire", (1.0, 0.2, -3.0), 0.8, 1.5)
WIND = SoundLoop("wind", "wind in the trees", b"OggS wind", None, 0.35)


def test_sounds_travel_in_the_asset_and_come_last_over_the_wire() -> None:
    asset = asset_with(FIRE, WIND)

    manifest, chunks = parse_asset_json(asset_json(asset).encode())

    assert [sound.kind for sound in manifest.sounds] == ["fire", "wind"]
    assert manifest.sounds[0].position == (1.0, 0.2, -3.0) and manifest.sounds[1].position is None
    assert [chunks[sound.chunk].kind for sound in manifest.sounds] == ["sound", "sound"]
    assert asset.chunk_bytes(manifest.sounds[1].chunk) == b"OggS wind"
    session = ViewerSession(StreamedScene.prepare(asset, "s", "v"), credit=10**6)
    sent = []
    while (data := session.next_to_send()) is not None:
        message = decode_from_server(data)
        if isinstance(message, Chunk):
            sent.append(CHUNK_KINDS[message.kind])
    assert sent[-2:] == ["sound", "sound"] and sent.count("sound") == 2 and sent[0] == "splats"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"chunk": 0}, "sound 0 must name a chunk of sound, got 0"),
        ({"chunk": 99}, "sound 0 must name a chunk of sound, got 99"),
        ({"position": [0.0, 1e9, 0.0]}, "sound 0 must lie within"),
        ({"gain": 1.5}, "a gain of 0 to 1"),
        ({"gain": float("nan")}, "a gain of 0 to 1"),
        ({"caption": ""}, "caption of sound 0"),
        ({"kind": "a\nb"}, "caption of sound 0"),
        ({"loud": True}, "exactly its fields"),
    ],
)
def test_a_broken_sound_is_told(change, sentence) -> None:
    document = json.loads(asset_json(asset_with(FIRE)))
    document["manifest"]["sounds"][0] |= change

    with pytest.raises(AssetFormatError, match=sentence):
        parse_asset_json(json.dumps(document).encode())


def test_too_much_sound_is_told() -> None:
    with pytest.raises(AssetFormatError, match="at most 16"):
        parse_asset_json(asset_json(asset_with(*[WIND] * 17)).encode())
    long = SoundLoop("wind", "wind", bytes(2**20 + 1))
    with pytest.raises(AssetFormatError, match="a sound must be at most"):
        parse_asset_json(asset_json(asset_with(long)).encode())


def test_two_fires_share_their_samples() -> None:
    marks = [Landmark("campfire", (0.0, 0.0, 0.0)), Landmark("campfire", (5.0, 0.0, 0.0))]
    brief = SceneBrief("x", setting="desert", elements=(Element("campfire", 2),))

    fires = [loop for loop in make_loops(plan_sounds(brief, marks), 1) if loop.kind == "fire"]

    assert len(fires) == 2 and fires[0].opus == fires[1].opus and fires[0].position != fires[1].position


def test_a_clips_own_sound_is_kept_and_loops(tmp_path) -> None:
    time = np.arange(int(3.7 * 44_100)) / 44_100
    left, right = np.sin(2 * np.pi * 440 * time), 0.5 * np.sin(2 * np.pi * 1_100 * time)
    path = write_clip(tmp_path / "walk.webm", sliding(8))
    pictures = path.read_bytes()
    assert read_audio(path) is None
    (tmp_path / "heard.ogg").write_bytes(encode(np.stack([left, right], 1).astype(np.float32), 44_100))

    track = read_audio(tmp_path / "heard.ogg")

    assert (
        track is not None and track.samples.shape[1] == 2 and track.duration_s == pytest.approx(3.7, abs=0.03)
    )
    peaks = [np.abs(np.fft.rfft(track.samples[:48_000, side])).argmax() for side in (0, 1)]
    assert peaks == pytest.approx([440, 1_100], abs=2)
    bed = bed_of_clip(track)
    heard = decoded(bed.opus)
    assert bed.position is None and len(heard) == pytest.approx(2.7 * 48_000, abs=1_500)
    assert path.read_bytes() == pictures


def test_damaged_sound_is_said_and_nothing_else_is_lost(tmp_path) -> None:
    data = bytearray(encode(synthesise("wind", 1)))
    (tmp_path / "cut.ogg").write_bytes(data[: len(data) // 2])
    (tmp_path / "none.ogg").write_bytes(b"not sound")
    (tmp_path / "silent.ogg").write_bytes(encode(np.zeros(48_000, np.float32)))
    said: list[str] = []

    half = read_audio(tmp_path / "cut.ogg", said.append)

    assert half is not None and 2 < half.duration_s < 10
    assert read_audio(tmp_path / "none.ogg", said.append) is None and "damaged" in said[-1]
    assert read_audio(tmp_path / "silent.ogg") is None


def test_a_very_short_track_is_no_trouble() -> None:
    bed = bed_of_clip(AudioTrack(np.full((300, 1), 0.1, np.float32), 48_000))
    assert len(decoded(bed.opus)) > 0
