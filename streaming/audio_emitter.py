"""Sounds inside glTF: KHR_audio_emitter with Ogg Opus by OMI_audio_opus.

KHR_audio_emitter is Khronos's draft for sounds in glTF and knows all that ours have but captions; it allows
MP3 and WAV itself, and Opus by OMI's extension. MSFT_audio_emitter, the older vendor extension, allows MP3
and WAV alone. Nothing is required: a viewer that knows neither shows the scene in silence.

Source: omigroup/gltf-extensions, KHR_audio_emitter (draft) and OMI_audio_opus (stage 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import gltf
from .asset import SoundLoop
from .errors import AssetFormatError
from .limits import MAX_SOUND_BYTES, MAX_SOUNDS

EXTENSION = "KHR_audio_emitter"
OPUS_EXTENSION = "OMI_audio_opus"
_OPUS = "audio/opus"  # of a buffer view with Ogg Opus, as the extension has it
_ROLLOFF = 1.2  # as the page lets sounds fade
_OGG_MAGIC = b"OggS"
_OPUS_HEAD = b"OpusHead"  # in the first page, after a header of 28 bytes


def add_sounds(builder: gltf.BufferBuilder, document: dict[str, Any], loops: Sequence[SoundLoop]) -> None:
    """Put sounds into a document: what has a place on a node of its own, the others on the first scene."""
    if not loops:
        return
    emitters: list[dict[str, Any]] = []
    everywhere: list[int] = []
    scene = document["scenes"][document["scene"]]
    for index, loop in enumerate(loops):
        emitter: dict[str, Any] = {"name": loop.kind, "gain": loop.gain, "sources": [index]}
        if loop.position is None:
            emitter["type"] = "global"
            everywhere.append(index)
        else:
            emitter["type"] = "positional"
            emitter["positional"] = {
                "distanceModel": "inverse",
                "refDistance": loop.reference_m,
                "rolloffFactor": _ROLLOFF,
            }
            scene["nodes"].append(len(document["nodes"]))
            document["nodes"].append(
                {
                    "name": f"sound of {loop.kind}",
                    "translation": list(loop.position),
                    "extensions": {EXTENSION: {"emitter": index}},
                }
            )
        emitters.append(emitter)
    if everywhere:
        scene.setdefault("extensions", {})[EXTENSION] = {"emitters": everywhere}
    document.setdefault("extensions", {})[EXTENSION] = {
        "audio": [{"mimeType": _OPUS, "bufferView": builder.add_bytes(loop.opus)} for loop in loops],
        "sources": [
            {
                "name": loop.kind,
                "loop": True,
                "autoPlay": True,
                "extensions": {OPUS_EXTENSION: {"audio": index}},
            }
            for index, loop in enumerate(loops)
        ],
        "emitters": emitters,
    }
    document["extensionsUsed"] += [EXTENSION, OPUS_EXTENSION]


def read_sounds(document: gltf.Gltf, captions: Sequence[str]) -> tuple[SoundLoop, ...]:
    """Return the sounds of a document, one for each emitter and its caption.

    Values are as they stand there: what a manifest allows is for its reader to check.

    Raises:
        AssetFormatError: Emitters and captions differ in number, or a sound is not there, too large or not
            Ogg Opus.
    """
    audio = _objects(document, "audio")
    sources, emitters = _objects(document, "sources"), _objects(document, "emitters")
    if len(emitters) != len(captions):
        raise AssetFormatError(f"{len(emitters)} sounds must have as many captions, got {len(captions)}")
    places = _places(document)
    loops = []
    for index, (emitter, caption) in enumerate(zip(emitters, captions, strict=True)):
        named = emitter.get("sources")
        source = _pick(sources, named[0] if isinstance(named, list) and named else None, "source")
        nested = source.get("extensions")
        opus = nested.get(OPUS_EXTENSION) if isinstance(nested, dict) else None
        entry = _pick(audio, opus.get("audio") if isinstance(opus, dict) else None, "Opus audio")
        positional = emitter.get("positional")
        loops.append(
            SoundLoop(
                kind=emitter.get("name"),  # type: ignore[arg-type]
                caption=caption,
                opus=_opus(document, entry.get("bufferView"), index),
                position=places.get(index),
                gain=emitter.get("gain", 1.0),
                reference_m=positional.get("refDistance", 1.0) if isinstance(positional, dict) else 0.0,
            )
        )
    return tuple(loops)


def sound_count(document: gltf.Gltf) -> int:
    """Return how many emitters a document claims."""
    try:
        return len(_objects(document, "emitters"))
    except AssetFormatError:
        return 0


def _opus(document: gltf.Gltf, view: Any, index: int) -> bytes:
    data, _ = gltf.read_view(document, view)
    if len(data) > MAX_SOUND_BYTES:
        raise AssetFormatError(f"a sound must be at most {MAX_SOUND_BYTES:,} bytes, got {len(data):,}")
    if data[:4] != _OGG_MAGIC or _OPUS_HEAD not in bytes(data[:64]):
        raise AssetFormatError(f"sound {index} must be Ogg Opus, got {bytes(data[:4])!r} first")
    return bytes(data)


def _places(document: gltf.Gltf) -> dict[int, tuple[float, float, float]]:
    """Return where the emitters of the default scene stand, the first place of each."""
    places: dict[int, tuple[float, float, float]] = {}
    for node, world_from_node in gltf.scene_nodes(document):
        extensions = node.get("extensions")
        entry = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
        emitter = entry.get("emitter") if isinstance(entry, dict) else None
        if isinstance(emitter, int):
            x, y, z = world_from_node[:3, 3].tolist()
            places.setdefault(emitter, (x, y, z))
    return places


def _objects(document: gltf.Gltf, name: str) -> list[dict[str, Any]]:
    extensions = document.document.get("extensions")
    entry = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    found = entry.get(name, []) if isinstance(entry, dict) else []
    if not isinstance(found, list) or len(found) > MAX_SOUNDS or not all(isinstance(o, dict) for o in found):
        raise AssetFormatError(f"{EXTENSION} {name} must be a list of at most {MAX_SOUNDS} objects")
    return found


def _pick(rows: list[dict[str, Any]], index: Any, what: str) -> dict[str, Any]:
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(rows):
        raise AssetFormatError(f"a sound must name one of {len(rows)} entries of {what}, got {index!r:.80}")
    return rows[index]
