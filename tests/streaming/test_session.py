"""ViewerSession without a socket: order, credit, budget, resume, and what hostile viewers may say."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.asset import ChunkInfo, SplatAsset
from streaming.errors import AssetFormatError, ProtocolError
from streaming.limits import MAX_CREDIT_BYTES
from streaming.messages import (
    CHUNK_HEADER_BYTES,
    NACK_HASH,
    PROTOCOL_VERSION,
    BatchDone,
    Budget,
    Chunk,
    Credit,
    Evicted,
    Hello,
    Nack,
    Ping,
    Pong,
    Pose,
    Scene,
    ServerMessage,
    Tree,
    decode_from_server,
    encode,
)
from streaming.probes import encode_probes
from streaming.session import StreamedScene, ViewerSession
from tests.streaming.opaque_asset import opaque_asset

ASSET = opaque_asset()
SCENE = StreamedScene.prepare(ASSET, "scene-1", "v1")
COLLIDER = 8
ALL = 1_000_000


def drain(session: ViewerSession) -> list[ServerMessage]:
    messages: list[ServerMessage] = []
    while (data := session.next_to_send()) is not None:
        message = decode_from_server(data)
        assert message is not None
        messages.append(message)
    return messages


def chunk_order(messages: list[ServerMessage]) -> list[int]:
    return [message.chunk for message in messages if isinstance(message, Chunk)]


def looking(epoch: int, position: tuple[float, float, float], forward: tuple[float, float, float]) -> bytes:
    return encode(Pose(epoch, position, forward, 70.0))


def have(*indices: int) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(ASSET.chunks[index].sha256)[:8] for index in indices)


def test_everything_arrives_once_roots_first_then_description_then_floor_then_detail() -> None:
    messages = drain(ViewerSession(SCENE, credit=ALL))

    kinds = [type(message) for message in messages]
    assert kinds[:5] == [Chunk, Chunk, Scene, Tree, Chunk]
    assert kinds[-1] is BatchDone
    order = chunk_order(messages)
    assert set(order[:2]) == {0, 1}
    assert order[2] == COLLIDER
    assert sorted(order) == list(range(9))
    seqs = [message.seq for message in messages if isinstance(message, Chunk)]
    assert seqs == list(range(9))


def test_a_chunk_message_carries_the_very_bytes_of_the_pack() -> None:
    for message in drain(ViewerSession(SCENE, credit=ALL)):
        if isinstance(message, Chunk):
            assert message.glb == ASSET.chunk_bytes(message.chunk)
            assert message.level == ASSET.chunks[message.chunk].level


def test_the_pieces_of_a_message_are_the_message_and_the_pack_is_not_copied() -> None:
    in_pieces, whole = (ViewerSession(SCENE, credit=ALL) for _ in range(2))
    while (pieces := in_pieces.next_parts()) is not None:
        data = whole.next_to_send()
        assert data == b"".join(pieces)
        message = decode_from_server(data)
        assert message is not None
        if isinstance(message, Chunk):
            assert data == encode(message)
            assert isinstance(pieces[1], memoryview)
            assert pieces[1].obj is ASSET.pack
    assert whole.next_to_send() is None


def test_children_are_all_chunks_that_name_a_parent() -> None:
    rng = np.random.default_rng(3)
    parent = np.array([-1, -1, *(rng.integers(-1, i) for i in range(2, 60))], np.int32)
    chunks = tuple(
        replace(ASSET.chunks[0], index=i, parent=int(p), splat_count=9, range_stop=int(p >= 0))
        for i, p in enumerate(parent)
    )

    scene = StreamedScene.prepare(SplatAsset(ASSET.manifest, chunks, ASSET.pack), "s", "v")

    for index in range(60):
        assert scene.children[index].tolist() == [i for i in range(60) if parent[i] == index]


def test_the_scene_message_holds_the_manifest() -> None:
    scene = next(m for m in drain(ViewerSession(SCENE, credit=ALL)) if isinstance(m, Scene))

    told = json.loads(scene.json)
    assert told["id"] == "scene-1"
    assert told["version"] == "v1"
    assert told["chunk_count"] == 9
    assert told["byte_length"] == len(ASSET.pack)
    assert told["manifest"]["walkability"]["reachable_m2"] == 61.0
    assert told["manifest"]["spawn"]["position"] == [0.0, 0.0, 2.0]


def test_nothing_leaves_before_credit_or_hello() -> None:
    session = ViewerSession(SCENE)
    assert drain(session) == []

    session.receive(encode(Hello(PROTOCOL_VERSION, 10_000, ALL, ())))

    assert len(chunk_order(drain(session))) == 9


def test_a_viewer_gets_its_window_and_at_most_one_chunk_more() -> None:
    window = 4000
    session = ViewerSession(SCENE, credit=window)

    first = drain(session)

    # 1516 + 1116 leave 1368, enough to begin the collider (3316); then the window is overdrawn.
    assert chunk_order(first) == [0, 1, COLLIDER]
    assert session.credit == window - session.sent_chunk_bytes
    assert session.credit <= 0
    assert session.is_starved
    session.receive(encode(Credit(-session.credit)))
    assert chunk_order(drain(session)) == []
    session.receive(encode(Credit(1)))
    assert len(chunk_order(drain(session))) == 1


def test_credit_cannot_be_piled_up() -> None:
    session = ViewerSession(SCENE, credit=MAX_CREDIT_BYTES)
    for _ in range(3):
        session.receive(encode(Credit(MAX_CREDIT_BYTES)))
    assert session.credit == MAX_CREDIT_BYTES


@pytest.mark.parametrize("forward", [(0.0, 0.0, -1.0), (0.0, 0.0, 1.0)])
def test_what_the_viewer_looks_at_comes_first(forward: tuple[float, float, float]) -> None:
    pose = Pose(0, (0.5, 1.6, 1.0), forward, 70.0)
    order = chunk_order(drain(ViewerSession(SCENE, pose=pose, credit=ALL)))

    behind, ahead = (4, 2) if forward[2] < 0 else (2, 4)
    assert order.index(ahead) < order.index(behind)


def test_a_newer_pose_reorders_what_is_left_and_an_older_one_does_not() -> None:
    session = ViewerSession(SCENE, pose=Pose(0, (0.5, 1.6, 1.0), (0, 0, -1), 70.0), credit=6000)
    assert chunk_order(drain(session)) == [0, 1, COLLIDER, 2]

    session.receive(looking(5, (0.5, 1.6, 1.0), (0, 0, 1)))
    session.receive(looking(4, (-4.0, 1.6, -6.0), (0, 0, -1)))
    session.receive(encode(Credit(10_000)))

    chunk = next(m for m in drain(session) if isinstance(m, Chunk))
    assert (chunk.chunk, chunk.epoch) == (4, 5)


def test_a_parent_is_sent_before_its_children_from_any_pose() -> None:
    for x in (-30.0, -4.0, 0.0, 6.0):
        pose = Pose(0, (x, 1.0, -6.5), (0.3, -0.2, 1.0), 60.0)
        order = chunk_order(drain(ViewerSession(SCENE, pose=pose, credit=ALL)))
        for index in order:
            parent = ASSET.chunks[index].parent
            assert parent < 0 or order.index(parent) < order.index(index)


def _probed(index: int, gain: float, places: list[tuple[float, float, float]], **more: object) -> ChunkInfo:
    """Return a child of chunk 0 whose sphere holds the viewer and everything else."""
    center, radius = (0.3, 1.0, 0.0), 40.0
    probes = np.array([[*place, 1.0, 1 / len(places)] for place in places])
    text = encode_probes(probes, np.array(center), radius)
    start = 30 * (index - 1)
    parts = dict(index=index, level=1, parent=0, range_start=start, range_stop=start + 30, byte_offset=0)
    parts |= dict(center=center, radius=radius, error=0.0, gain=gain, probes=text)
    return replace(ASSET.chunks[0], **(parts | more))


def _order_of(chunks: tuple[ChunkInfo, ...], forward: float, **more: int) -> list[int]:
    scene = StreamedScene.prepare(SplatAsset(ASSET.manifest, chunks, ASSET.pack), "s", "v")
    pose = Pose(0, (0.0, 1.6, 0.0), (0.0, 0.0, forward), 70.0)
    return chunk_order(drain(ViewerSession(scene, pose=pose, credit=ALL, **more)))


def test_where_the_error_of_a_chunk_lies_its_probes_say() -> None:
    # The spheres cannot tell ahead from behind, and the third chunk is half in view.
    behind, ahead = (0.0, 1.0, 12.0), (0.0, 1.0, -12.0)
    root = replace(ASSET.chunks[0], center=(0.3, 1.0, 0.0), radius=40.0, byte_offset=0)
    chunks = (root, _probed(1, 4.0, [behind]), _probed(2, 4.0, [ahead]), _probed(3, 4.0, [ahead, behind]))

    assert _order_of(chunks, -1.0) == [0, 2, 3, 1]
    assert _order_of(chunks, 1.0) == [0, 1, 3, 2]


def test_what_a_chunk_gains_counts_and_not_how_large_its_parent_is() -> None:
    ahead = (0.0, 1.0, -12.0)
    root = replace(ASSET.chunks[0], center=(0.3, 1.0, 0.0), radius=40.0, byte_offset=0)
    chunks = (root, _probed(1, 1.0, [ahead]), _probed(2, 5.0, [ahead]), _probed(3, 3.0, [ahead]))

    assert _order_of(chunks, -1.0) == [0, 2, 3, 1]


def _layered() -> tuple[ChunkInfo, ...]:
    """Return a root, a leaf ahead, one behind, and the colour of both, which gains more than any shape."""
    ahead, behind = (0.0, 1.0, -12.0), (0.0, 1.0, 12.0)
    root = replace(ASSET.chunks[0], center=(0.3, 1.0, 0.0), radius=40.0, byte_offset=0)
    near = dict(radius=1.0)
    return (
        root,
        _probed(1, 0.01, [ahead], center=ahead, **near),
        _probed(2, 0.01, [behind], center=behind, **near),
        _probed(3, 50.0, [ahead], center=ahead, kind="sh", parent=1, range_start=0, range_stop=90, **near),
        _probed(4, 60.0, [behind], center=behind, kind="sh", parent=2, range_start=0, range_stop=90, **near),
        _probed(5, 0.001, [ahead], center=ahead, range_start=60, range_stop=90, **near),
    )


def test_harmonics_come_to_those_who_ask_after_the_shapes_in_view() -> None:
    assert _order_of(_layered(), -1.0) == [0, 1, 5, 2]
    asked = _order_of(_layered(), -1.0, wants_harmonics=True)

    # Chunk 2 is out of view, so the colour of what is in view may come before it.
    assert asked == [0, 1, 5, 3, 2, 4]


def test_nothing_is_left_out_where_harmonics_were_not_asked_for() -> None:
    scene = StreamedScene.prepare(SplatAsset(ASSET.manifest, _layered(), ASSET.pack), "s", "v")
    for wants, left in ((False, [0]), (True, [0])):
        session = ViewerSession(scene, credit=ALL, max_splats=10**6, wants_harmonics=wants)
        assert [m.left_out for m in drain(session) if isinstance(m, BatchDone)] == left


def test_harmonics_cost_no_splats_and_go_with_what_they_colour() -> None:
    scene = StreamedScene.prepare(SplatAsset(ASSET.manifest, _layered(), ASSET.pack), "s", "v")
    pose = Pose(0, (0.0, 1.6, 0.0), (0.0, 0.0, -1.0), 70.0)
    session = ViewerSession(scene, pose=pose, credit=ALL, max_splats=10**6, wants_harmonics=True)
    drain(session)
    before = session._alive

    session.receive(encode(Evicted((1, 3))))
    again = chunk_order(drain(session))

    assert again == [1, 3] and session._alive == before


def test_packs_without_gains_are_streamed_by_errors_and_spheres() -> None:
    assert all(chunk.gain is None and chunk.probes == "" for chunk in ASSET.chunks)
    # Chunk 4 hangs under a root of its own, nine metres behind; 2 is left and 3 right of the view ahead.
    order = chunk_order(
        drain(ViewerSession(SCENE, pose=Pose(0, (0.0, 1.0, 0.0), (0.6, 0.0, -1.0), 60.0), credit=ALL))
    )

    assert order.index(3) < order.index(2) < order.index(4)


@pytest.mark.parametrize("gain", [math.nan, math.inf, -1.0])
def test_a_gain_that_is_no_number_is_refused(gain: float) -> None:
    with pytest.raises(AssetFormatError, match="gain of every chunk"):
        _order_of((ASSET.chunks[0], _probed(1, gain, [(0.0, 0.0, 0.0)])), 1.0)


def test_the_budget_keeps_chunks_back_and_says_how_many() -> None:
    # Roots are 150; chunk 2 adds 400 - 50. Nothing else fits under 520.
    session = ViewerSession(SCENE, credit=ALL, max_splats=520)
    messages = drain(session)

    sent = chunk_order(messages)
    alive = sum(ASSET.chunks[i].splat_count for i in sent)
    alive -= sum(ASSET.chunks[i].range_stop - ASSET.chunks[i].range_start for i in sent)
    assert alive <= 520
    assert messages[-1] == BatchDone(0, 9 - len(sent))

    session.receive(encode(Budget(100_000)))
    assert sorted(sent + chunk_order(drain(session))) == list(range(9))


def test_roots_and_floor_come_even_without_any_budget() -> None:
    assert chunk_order(drain(ViewerSession(SCENE, credit=ALL, max_splats=0))) == [0, 1, COLLIDER]


def test_a_returning_viewer_is_sent_nothing_that_it_holds() -> None:
    held = (0, 1, 2, 5, COLLIDER)
    session = ViewerSession(SCENE)
    session.receive(encode(Hello(PROTOCOL_VERSION, 100_000, ALL, have(*held))))

    messages = drain(session)

    assert sorted(chunk_order(messages)) == [3, 4, 6, 7]
    assert [type(m) for m in messages[:2]] == [Scene, Tree]
    lengths = sum(ASSET.chunks[i].byte_length + CHUNK_HEADER_BYTES for i in (3, 4, 6, 7))
    assert session.sent_chunk_bytes == lengths


def test_a_viewer_that_holds_everything_costs_no_chunk_bytes() -> None:
    session = ViewerSession(SCENE)
    session.receive(encode(Hello(PROTOCOL_VERSION, 100_000, ALL, have(*range(9)))))

    assert [type(m) for m in drain(session)] == [Scene, Tree, BatchDone]
    assert session.sent_chunk_bytes == 0


def test_dropped_chunks_come_again_when_the_viewer_looks_there_and_not_before() -> None:
    session = ViewerSession(SCENE, pose=Pose(0, (0.5, 1.6, 2.0), (0, 0, 1), 50.0), credit=ALL)
    drain(session)

    session.receive(encode(Evicted((2,))))  # behind the viewer; takes its child 5 with it
    assert chunk_order(drain(session)) == []

    session.receive(looking(1, (0.5, 1.6, 2.0), (-0.4, 0, -1)))
    assert chunk_order(drain(session)) == [2, 5]


def test_dropping_makes_room_in_the_budget() -> None:
    session = ViewerSession(SCENE, pose=Pose(0, (0, 1.6, 2.0), (0, 0, -1), 60.0), credit=ALL, max_splats=850)
    before = chunk_order(drain(session))
    assert 2 in before and 3 in before and 4 not in before

    session.receive(looking(1, (0, 1.6, 2.0), (0, 0, 1)))
    session.receive(encode(Evicted((2, 3))))

    assert chunk_order(drain(session)) == [4]


def test_a_broken_chunk_is_sent_again_once() -> None:
    session = ViewerSession(SCENE, credit=ALL)
    drain(session)

    for expected in ([3], []):
        session.receive(encode(Nack(3, NACK_HASH)))
        assert chunk_order(drain(session)) == expected


def test_ping_is_answered_before_chunks() -> None:
    session = ViewerSession(SCENE, credit=ALL)
    session.receive(encode(Ping(12.5)))
    assert drain(session)[0] == Pong(12.5)


@pytest.mark.parametrize(
    "message",
    [
        Evicted((9,)),
        Nack(9, NACK_HASH),
        Evicted((2**32 - 1,)),
        Hello(PROTOCOL_VERSION + 1, 1, 1, ()),
    ],
)
def test_messages_that_name_nothing_real_are_refused(message: Evicted | Nack | Hello) -> None:
    with pytest.raises(ProtocolError):
        ViewerSession(SCENE, credit=ALL).receive(encode(message))


def test_a_second_hello_is_refused() -> None:
    session = ViewerSession(SCENE)
    session.receive(encode(Hello(PROTOCOL_VERSION, 1, 1, ())))
    with pytest.raises(ProtocolError, match="once"):
        session.receive(encode(Hello(PROTOCOL_VERSION, 1, 1, ())))


_actions = st.one_of(
    st.binary(max_size=80),
    st.builds(lambda c: encode(Credit(c)), st.integers(0, 60_000)),
    st.builds(lambda b: encode(Budget(b)), st.integers(0, 9_000)),
    st.builds(lambda i: encode(Evicted(tuple(i))), st.lists(st.integers(0, 8), max_size=4)),
    st.builds(lambda i: encode(Nack(i, NACK_HASH)), st.integers(0, 8)),
    st.builds(
        lambda e, x, z, a, b: looking(e, (x, 1.0, z), (a, 0.1, b)),
        st.integers(0, 9),
        st.floats(-50, 50, width=32),
        st.floats(-50, 50, width=32),
        st.floats(-1, 1, width=32),
        st.floats(-1, 1, width=32),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_actions, max_size=30))
def test_whatever_a_viewer_says_parents_lead_and_credit_and_budget_hold(actions: list[bytes]) -> None:
    session = ViewerSession(SCENE, credit=5_000, max_splats=2_000)
    held: set[int] = set()
    for action in actions:
        credit_before = session.credit
        try:
            session.receive(action)
        except ProtocolError:
            break
        assert session.credit >= credit_before
        held = {i for i in range(9) if session._sent[i]}
        before = session.credit
        for message in drain(session):
            if isinstance(message, Chunk):
                parent = ASSET.chunks[message.chunk].parent
                assert message.chunk not in held
                assert parent < 0 or parent in held
                assert before > 0
                before -= len(message.glb) + CHUNK_HEADER_BYTES
                held.add(message.chunk)
        assert before == session.credit
        assert session._alive == sum(int(SCENE.splat_growth[i]) for i in held)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parent": 7}, "parent"),
        ({"parent": -2}, "parent"),
        ({"center": (float("nan"), 0.0, 0.0)}, "finite"),
        ({"error": -1.0}, "error"),
    ],
)
def test_a_chunk_table_that_breaks_a_rule_is_refused(change: dict[str, object], message: str) -> None:
    chunks = list(ASSET.chunks)
    chunks[5] = replace(chunks[5], **change)  # type: ignore[arg-type]
    with pytest.raises(AssetFormatError, match=message):
        StreamedScene.prepare(SplatAsset(ASSET.manifest, tuple(chunks), ASSET.pack), "s", "v")


def test_a_manifest_that_is_not_json_is_refused() -> None:
    manifest = replace(ASSET.manifest, recipe={"learning_rate": float("nan")})
    with pytest.raises(AssetFormatError, match="JSON"):
        StreamedScene.prepare(SplatAsset(manifest, ASSET.chunks, ASSET.pack), "s", "v")
