"""Who is in a scene and who is told of whom, without any input or output: poses in, messages out.

Every 1/20 s a viewer gets at most one PEERS: of the K nearest who moved, and of a tenth of the others who
did, so that each of those is seen twice a second. The newest pose wins. A table holds when each viewer was
last told of each person, so one who takes nothing for a while misses moments, never a last place.
"""

from __future__ import annotations

import colorsys
import json
import unicodedata
from collections import deque
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from .limits import MAX_PEOPLE_IN_ROOM, MAX_PERSON_NAME_CHARACTERS, MAX_SAID_CHARACTERS
from .messages import encode
from .peer_pose import check_pose, positions_of
from .people_messages import PeerLeave, PeerNames, Peers, PeerSay

NEAREST = 24  # a group stands around one; beyond it nobody sees 20 Hz from 2
_FAR_TICKS = 10
_NEARNESS_TICKS = 5  # who is near changes at walking pace
_NEVER = np.iinfo(np.int32).max
_FIRST_SLOTS = 8
_MOST_MARKS = 2  # accents on one letter; more of them climb over other people's names
_PEER_IDS = 2**16
_REPORTED_TICKS = 20  # reports come once a second at least, where anybody wants them
_NOTES_KEPT = 8  # for one who takes nothing just now; the oldest go first


class Room:
    """The people of one scene. They are known by a number, which is not given again for a long time."""

    def __init__(self) -> None:
        self._tick = 0
        self._slots: dict[int, int] = {}  # row of the tables below, by person
        self._people: list[int] = []  # by slot; of a free one the last
        self._free: list[int] = []
        self._who: list[tuple[int, str]] = []  # colour and name, by slot
        self._records: list[bytes] = []  # as they stand in PEERS, by slot; empty before the first pose
        self._gone: dict[int, list[int]] = {}  # who left, by slot of a viewer that knew them
        self._heard: dict[int, deque[bytes]] = {}  # said near a viewer and not yet told, by slot
        # Tick, speaker and message of what was said and not yet reported.
        self._said: deque[tuple[int, int, bytes]] = deque(maxlen=_NOTES_KEPT)
        self._next_person = 0
        self._moved: NDArray[np.int32] = np.zeros(0, np.int32)  # tick of the last move, by slot
        self._told: NDArray[np.int32] = np.zeros((0, 0), np.int32)  # [viewer, person] tick; 0: not yet
        self._is_near: NDArray[np.bool_] = np.zeros((0, 0), bool)  # [viewer, person]
        self._reported: list[int] = []  # tick of the last report, by slot; -1: none

    def __len__(self) -> int:
        return len(self._slots)

    def _allocate(self, size: int) -> None:
        old = len(self._people)
        self._people += [-1] * (size - old)
        self._who += [(0, "")] * (size - old)
        self._records += [b""] * (size - old)
        self._reported += [-1] * (size - old)
        self._free += range(size - 1, old - 1, -1)
        pad = size - old
        self._moved = np.pad(self._moved, (0, pad))
        self._told = np.pad(self._told, (0, pad))
        self._is_near = np.pad(self._is_near, (0, pad))

    @property
    def is_idle(self) -> bool:
        """Whether nobody is left to be told anything: at most one person, who knows of it."""
        return len(self._slots) < 2 and not any(self._gone.values())

    def join(self, name: str = "", colour: int = 0) -> int | None:
        """Let somebody in who sees the others from now on; return their number, None if the room is full.

        Args:
            name: What they want to be called; made fit to be shown, "Guest N" if nothing is left of it.
            colour: 0xRRGGBB; 0 lets the room choose.
        """
        if len(self._slots) >= MAX_PEOPLE_IN_ROOM:
            return None
        if not self._free:
            self._allocate(max(_FIRST_SLOTS, 2 * len(self._people)))
        slot, person = self._free.pop(), self._next_person
        while person in self._slots:
            person = (person + 1) % _PEER_IDS
        self._next_person = (person + 1) % _PEER_IDS
        shown = shown_name(name)
        if not shown:
            taken = {self._who[other][1] for other in self._slots.values()}
            shown = next(
                name
                for number in range(1, MAX_PEOPLE_IN_ROOM + 1)
                if (name := f"Guest {number}") not in taken
            )
        self._slots[person], self._people[slot] = slot, person
        self._who[slot] = (colour or _colour_of(person), shown)
        self._records[slot] = b""
        self._reported[slot] = -1
        self._moved[slot] = 0
        self._told[slot], self._told[:, slot] = 0, 0
        self._told[slot, slot] = _NEVER  # nobody is told of themselves
        self._is_near[slot], self._is_near[:, slot] = True, True
        self._gone[slot] = []
        self._heard[slot] = deque(maxlen=_NOTES_KEPT)
        return person

    def leave(self, person: int) -> None:
        """Let somebody out."""
        slot = self._slots.pop(person)
        for viewer in self._slots.values():
            if self._told[viewer, slot]:
                self._gone[viewer].append(person)
        del self._gone[slot], self._heard[slot]
        self._moved[slot] = 0
        self._free.append(slot)

    def move(self, person: int, message: bytes) -> None:
        """Take in the PEER_POSE of somebody.

        Raises:
            ProtocolError: The message breaks the protocol.
        """
        check_pose(message)
        slot = self._slots[person]
        record = person.to_bytes(2, "little") + message[1:]
        if record != self._records[slot]:
            self._records[slot] = record
            self._moved[slot] = self._tick + 1

    def say(self, person: int, text: str) -> None:
        """Let those who have somebody among their nearest hear what they say. It is gone a second later."""
        line = one_line(text, MAX_SAID_CHARACTERS)
        if not line:
            return
        message = encode(PeerSay(person, line))
        slot = self._slots[person]
        for viewer in self._slots.values():
            if viewer != slot and self._told[viewer, slot] and self._is_near[viewer, slot]:
                self._heard[viewer].append(message)
        self._said.append((self._tick, person, message))

    def tick(self, ready: Sequence[int]) -> list[tuple[int, list[bytes]]]:
        """Begin the next twentieth of a second.

        Args:
            ready: Those who can take a message now. The others may `take` what they missed when they can.

        Returns:
            Whom to send what, for those for whom there is something.
        """
        self._tick += 1
        while self._said and self._said[0][0] < self._tick - _REPORTED_TICKS:
            self._said.popleft()
        if self._tick % _NEARNESS_TICKS == 1:
            self._find_nearest()
        return self._messages([self._slots[person] for person in ready])

    def take(self, person: int) -> list[bytes]:
        """Return what there is to say to one who was not ready at the last tick."""
        for _, messages in self._messages([self._slots[person]]):
            return messages
        return []

    def report(self, people: Collection[int], *, everything: bool) -> list[bytes]:
        """Return what another room needs to show `people` too: who is new, and where those are that moved.

        Args:
            people: Some of those here who have a place.
            everything: Say it all again, for rooms that have missed something.
        """
        slots = [slot for person in people if self._records[slot := self._slots[person]]]
        named = [slot for slot in slots if everything or self._reported[slot] < 0]
        moved = [slot for slot in slots if everything or self._moved[slot] > self._reported[slot]]
        for slot in moved:
            self._reported[slot] = self._tick
        messages = [self._names(named)] if named else []
        if moved:
            records = b"".join([self._records[slot] for slot in moved])
            messages.append(encode(Peers(self._tick % 2**16, records)))
        speakers = set(people)
        messages += [message for _, person, message in self._said if person in speakers]
        self._said.clear()
        return messages

    def _find_nearest(self) -> None:
        slots = [slot for slot in self._slots.values() if self._records[slot]]
        if len(slots) <= NEAREST + 1:
            self._is_near[:] = True
            return
        at = positions_of([self._records[slot][2:] for slot in slots])
        distance = np.zeros((len(slots), len(slots)), np.float32)
        for axis in at.T:
            distance += np.square(axis[:, None] - axis[None, :])
        nearest = np.argpartition(distance, NEAREST, axis=1)[:, : NEAREST + 1]  # and themselves
        index = np.array(slots)
        self._is_near[:] = False
        self._is_near[index[:, None], index[nearest]] = True

    def _messages(self, viewers: list[int]) -> list[tuple[int, list[bytes]]]:
        if not viewers:
            return []
        rows = np.array(viewers)
        told = self._told[rows]
        is_new = told == 0
        has_turn = np.arange(len(self._people)) % _FAR_TICKS == self._tick % _FAR_TICKS
        is_due = (self._moved > told) & (self._is_near[rows] | has_turn | is_new)
        which, whom = np.nonzero(is_due)
        self._told[rows[which], whom] = self._tick
        stops = np.cumsum(np.count_nonzero(is_due, axis=1)).tolist()
        met: dict[int, list[int]] = {}
        for row, slot in np.argwhere(is_due & is_new).tolist():
            met.setdefault(row, []).append(slot)
        people, records, start = whom.tolist(), self._records, 0
        head = encode(Peers(self._tick % 2**16, b""))
        found = []
        for row, (viewer, stop) in enumerate(zip(viewers, stops, strict=True)):
            messages = []
            if self._gone[viewer]:
                messages.append(encode(PeerLeave(np.array(self._gone[viewer], np.uint16))))
                self._gone[viewer] = []
            if row in met:
                messages.append(self._names(met[row]))
            if self._heard[viewer]:
                messages += self._heard[viewer]
                self._heard[viewer].clear()
            if stop > start:
                messages.append(head + b"".join([records[slot] for slot in people[start:stop]]))
            start = stop
            if messages:
                found.append((self._people[viewer], messages))
        return found

    def _names(self, slots: list[int]) -> bytes:
        rows = [(self._people[slot], *self._who[slot]) for slot in slots]
        return encode(PeerNames(json.dumps(rows, ensure_ascii=False, separators=(",", ":"))))


def shown_name(name: str) -> str:
    """Return a name as others may see it."""
    return one_line(name, MAX_PERSON_NAME_CHARACTERS)


def one_line(text: str, most_characters: int) -> str:
    """Return one line of what others may see: no letters that hide, turn the text around or pile up."""
    letters: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(letter)
        if kind[0] == "Z" or letter in "\t\n\r":
            letter = " "
        elif kind[0] == "C":  # controls, directions, joiners, private and unassigned ones
            continue
        marks = marks + 1 if kind[0] == "M" else 0
        if marks <= _MOST_MARKS and not (letter == " " and letters[-1:] == [" "]):
            letters.append(letter)
    return "".join(letters).strip()[:most_characters].rstrip()


def _colour_of(person: int) -> int:
    # Steps of the golden ratio around the circle: any few in a row differ well.
    red, green, blue = colorsys.hls_to_rgb(person * 0.618034 % 1, 0.66, 0.8)
    return round(red * 255) << 16 | round(green * 255) << 8 | round(blue * 255)
