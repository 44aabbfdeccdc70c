"""Rooms: who is told of whom and when, against bytes written by hand and against the poses that went in."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import ProtocolError
from streaming.limits import MAX_PEOPLE_IN_ROOM
from streaming.messages import decode_from_client, decode_from_server, encode
from streaming.peer_pose import Hand, PersonPose, pose_message, poses_in, read_pose
from streaming.people_messages import PeerLeave, PeerNames, PeerPose, Peers, PeerSay
from streaming.presence import NEAREST, Room, shown_name

AHEAD = (1.0, 0.0, 0.0, 0.0)


def at(x: float, y: float = 1.6, z: float = 0.0) -> bytes:
    return encode(pose_message(PersonPose((x, y, z), AHEAD)))


def place(room: Room, person: int | None, x: float, z: float = 0.0) -> None:
    assert person is not None
    room.move(person, at(x, z=z))


def told(room: Room, ready: list[Any]) -> dict[int, list[Any]]:
    return {
        person: [decode_from_server(message) for message in messages] for person, messages in room.tick(ready)
    }


def seen(messages: list[Any]) -> dict[int, PersonPose]:
    found: dict[int, PersonPose] = {}
    for message in messages:
        if isinstance(message, Peers):
            found.update(poses_in(message))
    return found


def test_a_pose_has_the_bytes_that_another_program_would_write() -> None:
    # A quarter turn to the left about +Y: w = y = 0.7071, so w is left out; y is at the top of its ten bits.
    half = math.sqrt(0.5)
    left = Hand((-0.25, -0.5, 0.125), (0.0, 1.0, 0.0, 0.0))
    message = pose_message(PersonPose((1.5, -2.0, 40.0), (half, 0.0, half, 0.0), left=left))

    # 40 m need an exponent of one: 32767 / 512 = 63.9 m.
    middle, top = 511, 1022
    turn = 0 << 30 | middle << 20 | top << 10 | middle
    hand_turn = 1 << 30 | middle << 20 | middle << 10 | middle
    expected = struct.pack("<BB3hI", 0x20, 1 | 1 << 4, 768, -1024, 20_480, turn)
    assert encode(message) == expected + struct.pack("<3hI", -250, -500, 125, hand_turn)
    assert decode_from_client(encode(message)) == message


def test_a_pose_comes_back_within_its_steps() -> None:
    rng = np.random.default_rng(3)
    for size in (0.3, 20.0, 900.0, 90_000.0):
        for _ in range(100):
            position, quat = rng.normal(0, size / 3, 3).clip(-size, size), rng.normal(0, 1, 4)
            quat /= np.linalg.norm(quat)
            hand = Hand(tuple(rng.uniform(-1, 1, 3)), tuple(quat[::-1]))
            back = read_pose(pose_message(PersonPose(tuple(position), tuple(quat), right=hand)))

            assert np.abs(np.array(back.position) - position).max() <= max(size * 2**-15, 2**-11) * 1.001
            turned = 2 * math.degrees(math.acos(min(1.0, abs(float(np.dot(back.quat, quat))))))
            assert turned < 0.2 and back.left is None and back.right is not None
            assert np.abs(np.array(back.right.offset) - hand.offset).max() < 0.000_51


@pytest.mark.parametrize(
    "pose",
    [
        PersonPose((math.nan, 0, 0), AHEAD),
        PersonPose((0, math.inf, 0), AHEAD),
        PersonPose((0, 0, -200_000.0), AHEAD),
        PersonPose((0, 0, 0), (0, 0, 0, 0)),
        PersonPose((0, 0, 0), (1, math.nan, 0, 0)),
        PersonPose((0, 0, 0), AHEAD, left=Hand((0, 40, 0), AHEAD)),
    ],
)
def test_what_is_no_place_or_no_turn_is_refused(pose: PersonPose) -> None:
    with pytest.raises(ProtocolError):
        pose_message(pose)


@pytest.mark.parametrize(
    "data",
    [
        b"\x20",
        at(1.0)[:-1],
        at(1.0) + b"\0",
        b"\x20\x01" + at(1.0)[2:],  # a hand is announced and missing
        b"\x20\xd0" + at(1.0)[2:],  # exponent 13
    ],
)
def test_a_pose_that_breaks_the_layout_changes_nothing(data: bytes) -> None:
    room = Room()
    one, two = room.join(), room.join()
    assert one is not None

    with pytest.raises(ProtocolError):
        room.move(one, data)
    with pytest.raises(ProtocolError):
        decode_from_client(data)
    assert told(room, [one, two]) == {}


def test_any_turn_of_foreign_bytes_is_a_unit_quaternion() -> None:
    for turn in (0, 2**32 - 1, 0x3FFFFFFF, 0x55555555):
        quat = read_pose(PeerPose(0, (0, 0, 0), turn, b"")).quat
        assert math.isclose(sum(number**2 for number in quat), 1.0, rel_tol=1e-9)


@given(st.binary(max_size=80))
def test_foreign_records_are_poses_or_a_protocol_error(records: bytes) -> None:
    try:
        poses = poses_in(Peers(0, records))
    except ProtocolError:
        return
    numbers = [number for pose in poses.values() for number in (*pose.position, *pose.quat)]
    assert np.isfinite(numbers).all()


def test_two_people_see_each_other_and_not_themselves() -> None:
    room = Room()
    anna, ben = room.join("Anna", 0x336699), room.join()
    place(room, anna, 2.5)
    place(room, ben, -4.0)

    first = told(room, [anna, ben])

    assert anna is not None and ben is not None
    [names, peers] = first[anna]
    assert isinstance(names, PeerNames) and json.loads(names.json)[0][::2] == [ben, "Guest 1"]
    assert poses_in(peers)[ben].position == (-4.0, 1.599609375, 0.0)
    assert json.loads(first[ben][0].json) == [[anna, 0x336699, "Anna"]]
    assert set(seen(first[ben])) == {anna}


def test_only_who_moved_is_told_again_and_the_name_only_once() -> None:
    room = Room()
    one, two, three = room.join(), room.join(), room.join()
    for person, x in ((one, 0.0), (two, 1.0), (three, 2.0)):
        place(room, person, x)
    told(room, [one, two, three])
    place(room, two, 1.0)  # says the same again
    assert told(room, [one, two, three]) == {}

    place(room, two, 1.25)
    place(room, two, 1.5)
    again = told(room, [one, two, three])

    assert set(again) == {one, three}
    assert len(again[one]) == 1 and again[one][0].tick == 3
    assert seen(again[one])[two].position[0] == 1.5


def test_somebody_who_took_nothing_for_a_while_gets_the_last_place_of_all_who_moved() -> None:
    room = Room()
    slow, two, three, four = (room.join() for _ in range(4))
    for person, x in ((slow, 0.0), (two, 1.0), (three, 2.0), (four, 3.0)):
        place(room, person, x)
    told(room, [slow, two, three, four])
    place(room, two, 1.5)
    told(room, [two, three, four])
    place(room, two, 1.75)
    place(room, three, 2.5)
    told(room, [two, three, four])

    assert slow is not None
    caught_up = [decode_from_server(message) for message in room.take(slow)]

    assert {person: pose.position[0] for person, pose in seen(caught_up).items()} == {two: 1.75, three: 2.5}
    assert room.take(slow) == []


def test_who_leaves_is_told_to_those_who_knew_them() -> None:
    room = Room()
    one, two, mute = room.join(), room.join(), room.join()
    place(room, one, 0.0)
    place(room, two, 1.0)
    told(room, [one, two, mute])
    assert one is not None and two is not None and mute is not None
    room.leave(mute)  # was never shown to anyone
    room.leave(two)

    after = told(room, [one])

    assert [type(message) for message in after[one]] == [PeerLeave]
    assert after[one][0].peer.tolist() == [two]
    # Whoever takes the free place is somebody else, in number and in name.
    new = room.join("New")
    place(room, new, 1.0)
    assert new not in (two, mute)
    fresh = told(room, [one, new])
    assert json.loads(fresh[one][0].json)[0][2] == "New"
    assert set(seen(fresh[new])) == {one}  # the one who left is not shown to who came later


def test_the_nearest_come_twenty_times_a_second_and_the_others_twice() -> None:
    room = Room()
    people = [room.join() for _ in range(60)]
    counts = dict.fromkeys(people, 0)
    first = people[0]
    for tick in range(40):
        # In a line, so that nearness is order; everybody moves all the time.
        for index, person in enumerate(people):
            place(room, person, index * 3.0 + 0.01 * (tick % 7))
        messages = told(room, people)
        if tick == 0:  # a newcomer sees everybody at once, near or not
            assert set(seen(messages[first])) == set(people[1:])
        if tick >= 20:
            for person in seen(messages[first]):
                counts[person] += 1
            assert sum(isinstance(message, Peers) for message in messages[first]) == 1

    assert [counts[person] for person in people] == [0] + [20] * NEAREST + [2] * (59 - NEAREST)


def test_nearness_follows_who_walks() -> None:
    room = Room()
    people = [room.join() for _ in range(60)]
    for index, person in enumerate(people):
        place(room, person, index * 3.0)
    told(room, people)
    for tick in range(20):
        place(room, people[59], 1.0 + 0.01 * tick)
        messages = told(room, people)
        if tick >= 5:
            assert people[59] in seen(messages[people[0]])


def test_two_hundred_people_fit_the_allowance() -> None:
    room = Room()
    people = [room.join() for _ in range(200)]
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 50, (200, 2))
    sizes = []
    for _ in range(40):
        places += rng.normal(0, 0.05, places.shape)
        for person, (x, z) in zip(people, places, strict=True):
            place(room, person, x, z)
        sizes.append(sum(len(part) for _, parts in room.tick(people) for part in parts))

    assert sum(sizes[20:]) / 20 * 20 / 200 <= 12_000  # bytes a second for each
    assert max(sizes) / 200 < 16_384  # everybody's name and place at once


def test_a_note_is_heard_by_those_who_are_near_and_know_the_speaker() -> None:
    room = Room()
    people = [room.join() for _ in range(40)]
    for index, person in enumerate(people):
        place(room, person, index * 3.0)
    blind = room.join()  # has been told of nobody yet
    told(room, people)
    assert people[0] is not None
    room.say(people[0], "  Look\nat\u202e this " + "o" * 300)
    room.say(people[0], "\u200b")
    place(room, people[0], 0.5)

    heard = told(room, people)

    notes = {person: [m for m in messages if isinstance(m, PeerSay)] for person, messages in heard.items()}
    [note] = notes[people[1]]
    assert (note.peer, note.text) == (people[0], "Look at this " + "o" * 187)
    # Of 24 nearest half stand on either side: the twelfth still has the speaker among theirs.
    assert {person for person, said in notes.items() if said} == set(people[1 : NEAREST // 2 + 1])
    assert not [m for m in map(decode_from_server, room.take(blind or 40)) if isinstance(m, PeerSay)]
    assert told(room, people) == {}


def test_who_takes_nothing_for_a_while_hears_the_last_notes_and_no_more() -> None:
    room = Room()
    slow, loud = room.join(), room.join()
    place(room, slow, 0.0)
    place(room, loud, 1.0)
    told(room, [slow, loud])
    assert slow is not None and loud is not None
    for number in range(50):
        room.say(loud, f"note {number}")
        room.tick([loud])

    late = [decode_from_server(message) for message in room.take(slow)]

    assert [note.text for note in late if isinstance(note, PeerSay)] == [f"note {n}" for n in range(42, 50)]
    assert len(room.report([loud], everything=False)) <= 2 + 8


def test_a_full_room_lets_nobody_in_until_somebody_leaves() -> None:
    room = Room()
    people = [room.join() for _ in range(MAX_PEOPLE_IN_ROOM)]

    assert room.join() is None
    assert people[7] is not None
    room.leave(people[7])
    assert room.join() not in (None, *people) and len(room) == MAX_PEOPLE_IN_ROOM


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Zoë\t von\n  Tal ", "Zoë von Tal"),
        ("ab\u202edc\u200b\x00\x1b[31m", "abdc[31m"),
        ("Zo\u0308e", "Zöe"),
        ("e" + "\u0301\u0316\u0317\u0318\u0319" * 9, "é\u0316\u0317"),
        ("\u200b\u00a0", ""),
        ("x" * 80, "x" * 24),
        ("李小龍 🙂", "李小龍 🙂"),
    ],
)
def test_names_are_made_fit_to_be_shown(name: str, shown: str) -> None:
    assert shown_name(name) == shown
