"""The parts of a C2PA side-car that nothing signs: lengths, names of boxes, padding, certificates.

c2pa-rs checks everything that a signature covers and is lenient with the rest: a third of the bytes of a
side-car can be changed and it is still valid. Here the rest is held to what the standard says it is, so that
a byte that changed is noticed wherever it lies, and the signer's certificate is found for its fingerprint.

Source: C2PA 2.2, sections 11 (JUMBF) and 13.2 (COSE); ISO 19566-5; RFC 8949 (CBOR); RFC 9052, 9360 (COSE).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from reconstruction.errors import InvalidInputError

_KIND_TAIL = bytes.fromhex("00110010800000aa00389b71")
# Boxes that C2PA names, whose names c2pa-rs does not look at.
_NAMES = {
    b"c2pa": ("c2pa",),
    b"c2as": ("c2pa.assertions",),
    b"c2cl": ("c2pa.claim", "c2pa.claim.v2"),
    b"c2cs": ("c2pa.signature",),
    b"c2vc": ("c2pa.credentials",),
    b"c2db": ("c2pa.databoxes",),
}
_MANIFESTS = (b"c2ma", b"c2um", b"c2cm")  # standard, update, compressed
_HAS_NAME, _HAS_ID, _HAS_HASH, _HAS_PRIVATE = 2, 4, 8, 16
_MOST_NESTED = 12
_CHAIN, _OLD_CHAIN = 33, "x5chain"
_PADS = ("pad", "pad2")
_UNSIGNED = (*_PADS, _CHAIN, _OLD_CHAIN, "sigTst", "sigTst2", "rVals")
_MOST_CERTIFICATES = 16


class SideCarError(InvalidInputError):
    """A side-car is not built as the standard says."""


@dataclass(frozen=True, slots=True)
class Box:
    """A superbox: what it is, what it is called, and what it holds."""

    kind: bytes  # first four letters of its type
    name: str
    boxes: tuple[Box, ...]
    content: tuple[tuple[bytes, bytes], ...]  # other boxes: type and bytes

    def only(self, kind: bytes) -> Box:
        """Return the one box of a kind."""
        found = [box for box in self.boxes if box.kind == kind]
        if len(found) != 1:
            raise SideCarError(f"a manifest must hold one {kind.decode()} box, got {len(found)}")
        return found[0]


def active_signer(data: bytes) -> tuple[str, x509.Certificate]:
    """Check a side-car; return the name of its active manifest and the certificate of who signed that.

    Raises:
        SideCarError: It is not built as the standard says, or a part that nothing signs was changed.
    """
    boxes = [*_boxes(data, 0)]
    if len(boxes) != 1 or not isinstance(boxes[0], Box) or boxes[0].kind != b"c2pa":
        raise SideCarError("a side-car must hold one C2PA store and nothing else")
    manifests = [box for box in boxes[0].boxes if box.kind in _MANIFESTS]
    if not manifests or len(manifests) != len(boxes[0].boxes) or boxes[0].content:
        raise SideCarError("a C2PA store must hold manifests and nothing else")
    if len({box.name for box in manifests}) != len(manifests):
        raise SideCarError("manifests must have different names")
    chains = [_chain(manifest.only(b"c2cs")) for manifest in manifests]
    # The last manifest is the active one.
    try:
        return manifests[-1].name, x509.load_der_x509_certificate(chains[-1][0])
    except ValueError as error:
        raise SideCarError(f"the certificate of the signer cannot be read: {error}") from error


def _boxes(data: bytes, nested: int) -> Iterator[Box | tuple[bytes, bytes]]:
    if nested > _MOST_NESTED:
        raise SideCarError(f"boxes must be at most {_MOST_NESTED} deep")
    start = 0
    while start < len(data):
        length, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        if not 8 <= length <= len(data) - start:
            raise SideCarError(f"a box must end where its surroundings do, got {length} bytes of another")
        inside = data[start + 8 : start + length]
        yield _superbox(inside, nested) if kind == b"jumb" else (kind, inside)
        start += length


def _superbox(data: bytes, nested: int) -> Box:
    inner = [*_boxes(data, nested + 1)]
    if not inner or isinstance(inner[0], Box) or inner[0][0] != b"jumd":
        raise SideCarError("a superbox must begin with its description")
    kind, name = _description(inner[0][1])
    if name not in _NAMES.get(kind, (name,)):
        raise SideCarError(f"a {kind.decode('latin-1')} box must be called {_NAMES[kind][0]}, got {name!r}")
    return Box(
        kind,
        name,
        tuple(box for box in inner if isinstance(box, Box)),
        tuple(box for box in inner[1:] if not isinstance(box, Box)),
    )


def _description(data: bytes) -> tuple[bytes, str]:
    if len(data) < 18:
        raise SideCarError("a description must hold a type and a name")
    toggles, rest = data[16], data[17:]
    if not toggles & _HAS_NAME or toggles >= 32:
        raise SideCarError(f"a description must have a name, got toggles {toggles}")
    name, end, rest = rest.partition(b"\0")
    rest = rest[4:] if toggles & _HAS_ID else rest
    rest = rest[32:] if toggles & _HAS_HASH else rest
    if not end or (rest and not toggles & _HAS_PRIVATE):
        raise SideCarError("a description must end with its name")
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise SideCarError("a name must be UTF-8") from error
    return (data[:4] if data[4:16] == _KIND_TAIL else data[:16]), text


def _chain(signature: Box) -> list[bytes]:
    """Return the certificates (DER) of a COSE signature, the signer's first."""
    if signature.boxes or len(signature.content) != 1 or signature.content[0][0] != b"cbor":
        raise SideCarError("a signature box must hold CBOR and nothing else")
    value = decode_cbor(signature.content[0][1])
    if not isinstance(value, list) or len(value) != 4 or not isinstance(value[0], bytes):
        raise SideCarError("a signature must be a COSE_Sign1")
    signed, unsigned = decode_cbor(value[0]), value[1]
    if not isinstance(signed, dict) or not isinstance(unsigned, dict):
        raise SideCarError("headers of a signature must be maps")
    for name, content in unsigned.items():
        if name not in _UNSIGNED:
            raise SideCarError(f"a signature must have no unsigned part {name!r:.40}")
        if name in _PADS and (not isinstance(content, bytes) or content.strip(b"\0")):
            raise SideCarError("the padding of a signature must be zeros")
    chains = [
        header[name] for header in (signed, unsigned) for name in (_CHAIN, _OLD_CHAIN) if name in header
    ]
    if len(chains) != 1:
        raise SideCarError(f"a signature must have one chain of certificates, got {len(chains)}")
    chain = [chains[0]] if isinstance(chains[0], bytes) else chains[0]
    is_list = isinstance(chain, list) and 0 < len(chain) <= _MOST_CERTIFICATES
    if not is_list or not all(isinstance(one, bytes) for one in chain):
        raise SideCarError("a chain of certificates must be a list of bytes")
    return chain


def decode_cbor(data: bytes) -> Any:
    """Return one CBOR item: definite lengths, no repeated keys, nothing after it; tags are dropped.

    Raises:
        SideCarError: It is not.
    """
    value, stop = _cbor(data, 0, 0)
    if stop != len(data):
        raise SideCarError("CBOR must end where its box does")
    return value


def _cbor(data: bytes, start: int, nested: int) -> tuple[Any, int]:
    if start >= len(data) or nested > _MOST_NESTED:
        raise SideCarError("CBOR must be whole and not too deep")
    major, low = data[start] >> 5, data[start] & 31
    start += 1
    number = low
    if low >= 24:
        if low > 27 or start + (1 << low - 24) > len(data):
            raise SideCarError("CBOR must have definite lengths")
        size = 1 << low - 24
        number = int.from_bytes(data[start : start + size], "big")
        start += size
    if major in (2, 3):
        if number > len(data) - start:
            raise SideCarError("CBOR must be whole")
        raw = data[start : start + number]
        try:
            return (raw if major == 2 else raw.decode()), start + number
        except UnicodeDecodeError as error:
            raise SideCarError("CBOR text must be UTF-8") from error
    if major in (4, 5):
        items: list[Any] = []
        for _ in range(number * (major - 3)):
            item, start = _cbor(data, start, nested + 1)
            items.append(item)
        return (items if major == 4 else _map(items)), start
    if major == 6:
        return _cbor(data, start, nested + 1)
    if major == 7:
        return {20: False, 21: True, 22: None}.get(low, number), start
    return (number if major == 0 else -1 - number), start


def _map(items: list[Any]) -> dict[Any, Any]:
    keys = items[::2]
    if not all(isinstance(key, int | str | bytes) for key in keys) or len(set(keys)) != len(keys):
        raise SideCarError("keys of a CBOR map must be plain and different")
    return dict(zip(keys, items[1::2], strict=True))
