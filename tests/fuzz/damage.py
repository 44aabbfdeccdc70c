"""What becomes of a good file before a reader sees it: every small change once, then many at random.

A seed says what its bytes are (plain bytes, JSON, or a text whose words matter), since chance alone seldom
gets past a bracket or a checksum.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

_WORDS = (0, 1, 2, 127, 255, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
# NaN, both infinities, the least and the greatest float32, minus nothing, and a signalling NaN.
_FLOATS = (0x7FC00000, 0x7F800000, 0xFF800000, 1, 0x7F7FFFFF, 0x80000000, 0x7FA00001)
_NUMBERS = (-1, 0, 1, 2**31, 2**32 - 1, 2**53, 10**30, 1e-300, 1e300, 0.5)
# As texts: a list that two trees shared would carry the changes of one case into the next.
_NONSENSE = tuple(
    json.dumps(value)
    for value in (
        *(None, True, False, "", "x", "../x", "a\u0000b", "\U0001f600" * 40, [], {}, [0], {"a": 1}, [[[[]]]]),
        *_NUMBERS,
    )
)
_TOKENS = (b"0", b"-1", b"4294967295", b"18446744073709551616", b"1e999", b"nan", b"-inf", b"x", b"", b"list")

Kind = Literal["bytes", "json", "words"]


@dataclass(frozen=True)
class Seed:
    """Part of a good file, and how a whole file is made of the part once it is damaged."""

    data: bytes
    wrap: Callable[[bytes], bytes] = bytes
    kind: Kind = "bytes"
    places: list[tuple[str | int, ...]] = field(init=False)  # of every value, where this is JSON
    sweep_size: int = field(init=False)  # small changes, each of which is made once

    def __post_init__(self) -> None:
        places = list(_places(json.loads(self.data))) if self.kind == "json" else []
        object.__setattr__(self, "places", places)
        size = len(self.data) + len(self.data) // 4 * (len(_WORDS) + len(_FLOATS))
        if self.kind == "json":
            size = len(places) * (len(_NONSENSE) + 1)
        elif self.kind == "words":
            size = len(self.data) + len(self.data.split(b" ")) * len(_TOKENS)
        object.__setattr__(self, "sweep_size", size)

    def sweep(self, index: int) -> bytes:
        """Return the file after small change `index`: a cut at each byte, and each value in each place."""
        match self.kind:
            case "json":
                return self.wrap(self._json_sweep(index))
            case _ if index < len(self.data):
                return self.wrap(self.data[:index])
            case "words":
                place, token = divmod(index - len(self.data), len(_TOKENS))
                words = self.data.split(b" ")
                words[place] = _TOKENS[token]
                return self.wrap(b" ".join(words))
            case _:
                place, value = divmod(index - len(self.data), len(_WORDS) + len(_FLOATS))
                word = struct.pack("<I", (*_WORDS, *_FLOATS)[value])
                return self.wrap(self.data[: 4 * place] + word + self.data[4 * place + 4 :])

    def _json_sweep(self, index: int) -> bytes:
        place, value = divmod(index, len(_NONSENSE) + 1)
        tree = json.loads(self.data)
        *parents, key = self.places[place]
        holder = _follow(tree, parents)
        if value < len(_NONSENSE):
            holder[key] = json.loads(_NONSENSE[value])
        else:
            del holder[key]
        return json.dumps(tree).encode()

    def random(self, rng: Random, other: Seed) -> bytes:
        """Return the file after one to five changes, some of them taken from another seed."""
        data = self.data
        if self.kind == "json" and rng.random() < 0.85:
            return self.wrap(_damage_json(rng, self, other))
        if self.kind == "words" and rng.random() < 0.6:
            data = _damage_words(rng, data)
        return self.wrap(damage_bytes(rng, data, other.data))


def damage_bytes(rng: Random, data: bytes, other: bytes) -> bytes:
    """Return `data` with one to four changes of its bytes."""
    copy = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        size = len(copy)
        at = rng.randrange(size) if size else 0
        aligned = at & ~3
        match rng.randrange(12):
            case 0 | 1 if size:
                copy[at] = rng.randrange(256)
            case 2 if size:
                copy[at] ^= 1 << rng.randrange(8)
            case 3 | 4:
                copy[aligned : aligned + 4] = struct.pack("<I", rng.choice(_WORDS))
            case 5:
                copy[aligned : aligned + 4] = struct.pack("<I", rng.choice(_FLOATS))
            case 6 if size - aligned >= 4:  # a count a little off
                (value,) = struct.unpack_from("<I", copy, aligned)
                struct.pack_into("<I", copy, aligned, (value + rng.choice((-1, 1, 4, -4))) & 0xFFFFFFFF)
            case 7:
                copy[aligned : aligned + 8] = rng.choice((b"\xff" * 8, bytes(8), b"\xff" * 7 + b"\x7f"))
            case 8:
                del copy[at:]
            case 9:
                del copy[at : at + rng.randint(1, 16)]
            case 10:  # a section twice
                copy[at:at] = copy[at : at + rng.randint(1, 64)]
            case _:
                begin = rng.randrange(len(other) + 1)
                copy[at : at + rng.choice((0, 16))] = other[begin : begin + rng.randint(1, 64)]
    return bytes(copy)


def _damage_json(rng: Random, seed: Seed, other: Seed) -> bytes:
    tree = json.loads(seed.data)
    for _ in range(rng.randint(1, 3)):
        *parents, key = rng.choice(seed.places)
        try:
            holder = _follow(tree, parents)
            value = holder[key]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
        if isinstance(holder, str):
            continue
        match rng.randrange(8):
            case 0 | 1:
                holder[key] = json.loads(rng.choice(_NONSENSE))
            case 2 | 3 if isinstance(value, int | float):
                holder[key] = rng.choice(
                    (value + 1, value - 1, -value, value * 4, value * 2**16, value + 0.5)
                )
            case 4:
                del holder[key]
            case 5 if isinstance(holder, list):
                holder[key:key] = [value] * rng.choice((1, 1, 2, 40))
            case 6 if other.kind == "json":
                holder[key] = _follow(json.loads(other.data), rng.choice(other.places))
            case _:  # a value from somewhere else in the same tree
                holder[key] = _follow(json.loads(seed.data), rng.choice(seed.places))
    return json.dumps(tree).encode()


def _damage_words(rng: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        match rng.randrange(5):
            case 0:
                lines.insert(at, rng.choice(lines))
            case 1 if len(lines) > 1:
                del lines[at]
            case _:
                words = lines[at].split(b" ")
                words[rng.randrange(len(words))] = rng.choice(_TOKENS)
                lines[at] = b" ".join(words)
    return b"\n".join(lines)


def _places(tree: Any) -> Any:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (key,)
        for rest in _places(value):
            yield (key, *rest)


def _follow(tree: Any, keys: Any) -> Any:
    for key in keys:
        tree = tree[key]
    return tree
