"""Who made a file and whether it is still that file: C2PA manifests in side-cars, verified.

C2PA has no clause for glTF, PLY or SPZ, so nothing can be put into them: the manifest stands beside the file,
as FILE.c2pa, and is bound to it by a hash of all its bytes. What is verified is whether anything changed and
which key signed. Whose key that is, nobody vouches for: it is this machine's, or one with a fingerprint.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from cryptography import x509

from reconstruction.errors import InvalidInputError, MissingBackendError
from streaming import xmp

from .side_car import SideCarError, active_signer
from .signing_key import fingerprint_of, own_fingerprint

SIDE_CAR_ENDING = ".c2pa"
# One is 3 KB, one with the pictures of its ingredients a few hundred.
MAX_SIDE_CAR_BYTES = 16 * 2**20

_GLB, OTHER = "model/gltf-binary", "application/octet-stream"
# Nothing is fetched: a file must not make this machine call an address.
_SETTINGS = {"verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}}
_DATA_HASH = "c2pa.hash.data"
# All of it must be said; that nothing is said against it is not enough.
_WANTED = {
    "claimSignature.validated": "its signature was not checked",
    "claimSignature.insideValidity": "its signature is outside the time of its certificate",
}
_BOUND = re.compile(r"assertion\.(data|bmff|boxes|collection)Hash\.match$")
_ALLOWED = {"signingCredential.untrusted"}  # nobody is on a list of trust; the fingerprint is told
_EXPIRED = "the certificate of the signer has expired"
_REASONS = {
    "assertion.dataHash.mismatch": "the file is not the one that was signed: changed since, or another",
    "assertion.hashedURI.mismatch": "what is said of the file was changed after it was signed",
    "claimSignature.mismatch": "the signature is not by the key of the certificate that comes with it",
    "claimSignature.outsideValidity": "the certificate of the signer was not valid when it was used",
    "signingCredential.expired": _EXPIRED,
    "signingCredential.invalid": "the certificate of the signer is not fit to sign with",
}
_MOST_TOLD = 200  # characters of a name or a reason from a file

# Endings of files that c2pa-python 0.38 looks into; of others it says that they are not supported.
_EMBEDDING = (
    *("avif", "dng", "gif", "heic", "heif", "jpeg", "jpg", "jxl", "png", "svg", "tif", "tiff", "webp"),
    *("avi", "flac", "m4a", "m4v", "mov", "mp3", "mp4", "wav"),
    *("docx", "epub", "odp", "ods", "odt", "pdf", "pptx", "sog", "xlsx", "zip"),
)

State = Literal["verified", "unsigned", "broken"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of where a file comes from."""

    state: State
    reason: str  # one sentence
    side_car: str | None = None  # its name
    is_by_this_machine: bool | None = None
    signer: str | None = None  # as its certificate says; self-made ones say what they like
    fingerprint: str | None = None  # hex sha256 of the signer's public key
    signed_at: str | None = None  # ISO 8601, by the clock of the signer
    is_generated: bool | None = None  # None: it does not say
    source_type: str | None = None  # of IPTC's vocabulary
    tool: str | None = None


def side_car_of(path: Path) -> Path:
    """Return where the manifest of a file is."""
    return path.with_name(path.name + SIDE_CAR_ENDING)


def verify_file(path: Path, home: Path, *, now: dt.datetime | None = None) -> Verdict:
    """Say whether a file is as it was signed.

    A file without a side-car is unsigned, unless it is a picture, a clip or an archive with credentials
    inside. With one, whatever is wrong with it, it is verified or broken.

    Args:
        path: The file.
        home: Whose key is "this machine's"; nothing is made there.
        now: The time, with its zone; None: the clock's.

    Raises:
        InvalidInputError: No such file.
        MissingBackendError: There is a side-car and c2pa-python is not installed.
    """
    if not path.is_file():
        raise InvalidInputError(f"{path.name!r} must be a file, found none", hint="Check the path.")
    side_car = side_car_of(path)
    beside = side_car.exists() or side_car.is_symlink()
    if not beside and _embeds(path) is None:
        return Verdict("unsigned", f"there is no {side_car.name} beside it")
    try:
        if not beside:
            return _verified_inside(path)
        return _verified_beside(path, side_car, home, now or dt.datetime.now(dt.UTC))
    except _BrokenError as error:
        return Verdict("broken", told(error), side_car.name if beside else None)


class _BrokenError(Exception):
    """Why a signature does not hold."""


def _verified_beside(path: Path, side_car: Path, home: Path, now: dt.datetime) -> Verdict:
    if not side_car.is_file():
        raise _BrokenError(f"{side_car.name} is no file")
    size = side_car.stat().st_size
    if not 0 < size <= MAX_SIDE_CAR_BYTES:
        raise _BrokenError(f"{side_car.name} must be 1 to {MAX_SIDE_CAR_BYTES:,} bytes, got {size:,}")
    data = side_car.read_bytes()
    found = _read(path, format_of(path), data)
    assert found is not None  # a side-car is there
    manifest = _checked(found)
    # Bytes that are excluded are bytes that anybody may change; a side-car needs none.
    store = manifest.get("assertion_store") or {}
    bound = [content for label, content in store.items() if label.startswith(_DATA_HASH)]
    if len(bound) != 1 or bound[0].get("exclusions"):
        raise _BrokenError("its side-car leaves out bytes of the file")
    try:
        name, certificate = active_signer(data)
    except SideCarError as error:
        raise _BrokenError(f"its side-car was changed or is damaged: {error}") from error
    if name != found["active_manifest"]:
        raise _BrokenError("its side-car has two manifests that both seem to count")
    if certificate.not_valid_after_utc < now:
        raise _BrokenError(f"{_EXPIRED} on {certificate.not_valid_after_utc:%Y-%m-%d}")
    return _verdict(manifest, side_car.name, certificate, own_fingerprint(home))


def _verified_inside(path: Path) -> Verdict:
    """Return what credentials say that are in the file itself, as pictures and clips of others have them."""
    found = _read(path, str(_embeds(path)), None)
    if found is None:
        return Verdict("unsigned", f"nothing is signed in it, and there is no {side_car_of(path).name}")
    return _verdict(_checked(found), None, None, None)


def _embeds(path: Path) -> str | None:
    """Return the format by which c2pa looks for credentials inside a file, None if it cannot hold any."""
    ending = path.suffix.lower().removeprefix(".")
    if ending not in _EMBEDDING:
        return None
    return "zip" if ending == "sog" else ending


def _verdict(
    manifest: Mapping[str, Any],
    side_car: str | None,
    certificate: x509.Certificate | None,
    own: str | None,
) -> Verdict:
    signature = manifest.get("signature") or {}
    actions = [*_actions(manifest)]
    kinds = [str(action["digitalSourceType"]) for action in actions if action.get("digitalSourceType")]
    made = [kind for kind in kinds if xmp.Label(source_type=kind).is_generated]
    when = next((str(action["when"]) for action in actions if action.get("when")), None)
    tool = (manifest.get("claim") or {}).get("claim_generator_info") or {}
    fingerprint = None if certificate is None else fingerprint_of(certificate.public_key())
    return Verdict(
        state="verified",
        reason="it is as it was signed",
        side_car=side_car,
        is_by_this_machine=fingerprint is not None and fingerprint == own,
        signer=told(signature.get("common_name") or signature.get("issuer") or "unnamed"),
        fingerprint=fingerprint,
        signed_at=None if when is None else told(when),
        is_generated=bool(made) if kinds else None,
        source_type=told((made or kinds)[0]) if kinds else None,
        tool=told(f"{tool.get('name', '')} {tool.get('version', '')}".strip()) or None,
    )


def _read(path: Path, form: str, data: bytes | None) -> dict[str, Any] | None:
    """Return what c2pa finds in a side-car, or in the file itself: there, None if there is nothing."""
    c2pa = load_c2pa()
    try:
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            path.open("rb") as source,
            c2pa.Reader(form, source, data, context=context) as reader,
        ):
            return json.loads(reader.detailed_json())
    except c2pa.C2paError.ManifestNotFound as error:
        if data is None:
            return None
        raise _BrokenError("its side-car holds no manifest") from error
    except (c2pa.C2paError, ValueError) as error:
        where = "what is signed in it" if data is None else "its side-car"
        raise _BrokenError(f"{where} cannot be read: {error}") from error


def _checked(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the active manifest, or raise _BrokenError unless all that makes a signature hold was found."""
    results = (found.get("validation_results") or {}).get("activeManifest") or {}
    failures = [entry for entry in results.get("failure") or () if entry.get("code") not in _ALLOWED]
    if failures:
        # A changed byte fails in several ways; the first that has plain words is told.
        codes = [str(entry.get("code")) for entry in failures]
        plain = next((_REASONS[code] for code in codes if code in _REASONS), None)
        raise _BrokenError(plain or f"{codes[0]}: {failures[0].get('explanation', '')}")
    said = {str(entry.get("code")) for entry in results.get("success") or ()}
    for code, reason in _WANTED.items():
        if code not in said:
            raise _BrokenError(reason)
    if not any(map(_BOUND.match, said)):
        raise _BrokenError("what is signed is bound to no bytes")
    if found.get("validation_state") not in ("Valid", "Trusted"):
        raise _BrokenError(f"C2PA calls it {found.get('validation_state')}")
    manifest: dict[str, Any] = found["manifests"][found["active_manifest"]]
    return manifest


def _actions(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for label, content in (manifest.get("assertion_store") or {}).items():
        if label.startswith("c2pa.actions") and isinstance(content, dict):
            yield from (one for one in content.get("actions") or () if isinstance(one, dict))


def format_of(path: Path) -> str:
    """Return the media type by which a file is signed and read again."""
    return _GLB if path.name.lower().endswith(".glb") else OTHER


def told(value: object) -> str:
    """Return words from a file as one harmless line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return line if len(line) <= _MOST_TOLD else line[: _MOST_TOLD - 1] + "…"


def load_c2pa() -> ModuleType:
    """Return the package c2pa, or raise MissingBackendError."""
    try:
        import c2pa
    except ModuleNotFoundError as error:
        if error.name != "c2pa":
            raise
        raise MissingBackendError(
            "c2pa", "is not installed", "Signatures need it: pip install 'immersive[signing]'"
        ) from error
    return c2pa
