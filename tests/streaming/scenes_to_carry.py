"""Scenes with everything that a GLB carries, lopsided on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from reconstruction.frames import Provenance
from reconstruction.reports import QualityReport, WalkabilityReport
from reconstruction.walkable_space import WalkableSpace
from streaming.assemble import build_asset
from streaming.asset import Portal, SoundLoop, SplatAsset
from tests.streaming.splat_clouds import lopsided_cloud

_OGG_HEAD = b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1\2"
DOOR = Portal((1.5, -0.25, -6.0), 12.5, 1.1, 2.2, "The kitchen", (0.5, 0.0, 3.0), -170.0)


def opus_like(size: int) -> bytes:
    """Return bytes that begin as Ogg Opus does."""
    return _OGG_HEAD + bytes(index * 37 % 251 for index in range(size))


def rich_asset(splat_count: int = 400) -> SplatAsset:
    """Return a scene with collider, two sounds, two doorways, reports, licence and credit."""
    vertices = np.array([[-2, 0, 3.3], [5, 0.1, 3.3], [5, 0.2, -4], [-2, 0.1, -4], [5, 2.5, -4]], np.float32)
    space = WalkableSpace(
        vertices=vertices,
        faces=np.array([[0, 1, 2], [0, 2, 3], [3, 2, 4]], np.int32),
        boundary_start=2,
        floor_y=0.1,
        spawn_position=np.array([0.55, 0.12, 1.3], np.float32),
        spawn_yaw_deg=33.3,
        bounds_min=np.array([-2.5, -0.3, -4.25], np.float32),
        bounds_max=np.array([5.5, 3.1, 3.75], np.float32),
        metres_per_unit=1.0,
        eye_height_m=1.45,
        report=WalkabilityReport(51.2, 1, 0.03, 0.002, "good", ("51 m2 can be reached",), walkers=900),
    )
    made = build_asset(
        lopsided_cloud(splat_count),
        title="Ein schiefer Ort – “quoted”",
        walkable=space,
        quality=QualityReport(23.4, 0.75, 6, 26.0, 0.98, 6_000, "usable", ("held-out PSNR is 23.4 dB",)),
        recipe={
            "prompt": "a lopsided place",
            "seed": 4,
            "four": "4",
            "brief": {"things": [["hut", 2]], "no": None},
        },
        provenance=Provenance("worlds", is_generated=True, detail="some/model"),
        camera_path=[(0.5, 1.7, 1.1, 30.0), (2.25, 1.6, 0.1, -80.5)],
        background=(0.5, 0.6, 0.8),
        sounds=[
            SoundLoop("wind", "wind in the trees", opus_like(701), None, 0.31, 0.0),
            SoundLoop("fire", "a fire crackles", opus_like(1203), (2.125, 0.3, -1.7), 0.62, 1.75),
        ],
    )
    doors = (DOOR, replace(DOOR, title="Garden", width_m=0.9, position=(-1.5, 0.1, 2.0)))
    manifest = replace(
        made.manifest,
        portals=doors,
        licence="CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
        credit="Ada & Björn",
    )
    return replace(made, manifest=manifest)


_NUMBER = st.floats(-900, 900).map(lambda v: v + 0.0)
_PLACE = st.tuples(_NUMBER, _NUMBER, _NUMBER)
_LINE = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30)
_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _LINE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_LINE, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spaces(draw: st.DrawFn) -> WalkableSpace:
    """Draw a small collider with a start anywhere."""
    count = draw(st.integers(3, 9))
    vertices = np.array(draw(st.lists(_PLACE, min_size=count, max_size=count)), np.float32)
    corner = st.integers(0, count - 1)
    faces = np.array(draw(st.lists(st.tuples(corner, corner, corner), min_size=1, max_size=7)), np.int32)
    report = WalkabilityReport(
        draw(st.floats(0, 1e5)), 0, 0.25, 0.5, draw(st.sampled_from(["good", "poor"])), ("x",)
    )
    return WalkableSpace(
        vertices=vertices,
        faces=faces,
        boundary_start=0,
        floor_y=0.0,
        spawn_position=np.array(draw(_PLACE), np.float32),
        spawn_yaw_deg=draw(_NUMBER),
        bounds_min=vertices.min(axis=0),
        bounds_max=vertices.max(axis=0) + 1,
        metres_per_unit=1.0,
        eye_height_m=draw(st.floats(0.1, 10)),
        report=report,
    )


@st.composite
def sound_loops(draw: st.DrawFn) -> SoundLoop:
    """Draw a sound with a place or without."""
    place = draw(st.none() | _PLACE)
    reach = 0.0 if place is None else draw(st.floats(0.01, 999))
    opus = opus_like(draw(st.integers(0, 90)))
    return SoundLoop(draw(_LINE), draw(_LINE), opus, place, draw(st.floats(0, 1)), reach)


@st.composite
def assets(draw: st.DrawFn) -> SplatAsset:
    """Draw a scene in which every field that a GLB carries may be there or not."""
    made = build_asset(
        lopsided_cloud(draw(st.integers(1, 9)), seed=draw(st.integers(0, 99))),
        title=draw(_LINE),
        walkable=draw(st.none() | spaces()),
        quality=draw(st.none() | st.just(QualityReport(23.4, 0.7, 6, 26.0, 0.9, 6, "usable", ("a", "b")))),
        recipe=draw(st.dictionaries(_LINE, _PLAIN, max_size=3)),
        provenance=Provenance(draw(_LINE), is_generated=draw(st.booleans()), detail=draw(_LINE)),
        camera_path=draw(st.lists(st.tuples(_NUMBER, _NUMBER, _NUMBER, _NUMBER), max_size=3)),
        background=draw(st.tuples(*[st.floats(0, 1)] * 3)),
        sounds=draw(st.lists(sound_loops(), max_size=3)),
    )
    door = st.builds(Portal, _PLACE, _NUMBER, st.floats(0.3, 20), st.floats(0.3, 20), _LINE, _PLACE, _NUMBER)
    manifest = replace(
        made.manifest,
        portals=tuple(draw(st.lists(door, max_size=2))),
        licence=draw(st.just("") | _LINE),
        credit=draw(st.just("") | _LINE),
    )
    return replace(made, manifest=manifest)
