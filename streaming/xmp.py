"""What a file says about its making, for machines of others: an XMP packet as JSON-LD in a glTF document.

Title, licence, credit and the label of AI-made media stand under names that the world knows; the recipe under
our own, as text. `scene_extension` holds the recipe as it is.

Source: KhronosGroup/glTF, extensions/2.0/Khronos/KHR_xmp_json_ld (ratified); ISO 16684-3 (JSON-LD of XMP);
IPTC Photo Metadata 2023.2 (DigitalSourceType).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import gltf
from .limits import MAX_CREDIT_CHARACTERS, MAX_TITLE_CHARACTERS

EXTENSION = "KHR_xmp_json_ld"
# IPTC's vocabulary of digital source types; footage keeps its own, unknown to us, and gets none.
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MODEL_MADE = "trainedAlgorithmicMedia"
PROGRAM_MADE = "algorithmicMedia"
# The end that all kinds of made media share, also those that mix it with captured one.
_MADE = "algorithmicmedia"
_CONTEXT = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "immersive": "urn:immersive:recipe:1",
}
_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
_MOST_NESTED = 4  # a list of alternatives of values is three deep


@dataclass(frozen=True, slots=True)
class Label:
    """What a packet says; "" where it says nothing."""

    title: str = ""
    licence: str = ""
    credit: str = ""
    source_type: str = ""  # an address of IPTC's vocabulary, or whatever else stands there

    @property
    def is_generated(self) -> bool:
        """Whether the media was made by a program or a model, or in part."""
        return self.source_type.lower().endswith(_MADE)


def source_type(recipe: Mapping[str, Any], is_generated: bool) -> str:
    """Return the address of the digital source type of a scene, "" for what was not generated.

    A scene that came labelled keeps its very label, under "digital_source_type" of its recipe.
    """
    if not is_generated:
        return ""
    kept = recipe.get("digital_source_type")
    if isinstance(kept, str) and kept.startswith(SOURCE_TYPES) and Label(source_type=kept).is_generated:
        return kept
    provenance = recipe.get("provenance")
    source = provenance.get("source") if isinstance(provenance, Mapping) else None
    return SOURCE_TYPES + (PROGRAM_MADE if source == "procedural" else MODEL_MADE)


def packet(label: Label, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the packet of a scene; equal input gives an equal one."""
    made: dict[str, Any] = {
        "@context": _CONTEXT,
        "@id": "",
        "xmp:CreatorTool": "immersive",
    }
    if label.title:
        made["dc:title"] = _alternatives(label.title)
    if label.licence:
        made["dc:rights"] = _alternatives(label.licence)
        address = _ADDRESS.search(label.licence)
        if address:
            made["xmpRights:WebStatement"] = address[0].rstrip(".,;)")
    if label.credit:
        made["dc:creator"] = {"@list": [label.credit]}
    if label.source_type:
        made["Iptc4xmpExt:DigitalSourceType"] = label.source_type
        made["dc:description"] = "AI-generated scene"
    for key, value in recipe.items():
        # JSON-LD knows strings; whatever has an inner structure stays JSON inside one.
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        made[f"immersive:{key}"] = text
    return made


def copyright_line(label: Label) -> str:
    """Return what glTF's own `asset.copyright` says: whom to credit, and on what terms."""
    return ". ".join(part for part in (label.credit, label.licence) if part)


def add_packet(document: dict[str, Any], label: Label, recipe: Mapping[str, Any]) -> None:
    """Put a packet on the asset of a document that has none."""
    asset = document["asset"]
    if copyright_line(label):
        asset["copyright"] = copyright_line(label)
    asset.setdefault("extensions", {})[EXTENSION] = {"packet": 0}
    document.setdefault("extensions", {})[EXTENSION] = {"packets": [packet(label, recipe)]}
    document["extensionsUsed"] = [*document.get("extensionsUsed", []), EXTENSION]


def read_label(document: gltf.Gltf) -> Label:
    """Return what a document says about itself; never fails: what cannot be understood is not there.

    Of several packets the asset's counts, but one label of generated media anywhere is enough. Without a
    packet, glTF's `asset.copyright` is the credit.
    """
    asset = document.document["asset"]
    packets = _packets(document)
    reference = _inside(asset, "extensions", EXTENSION).get("packet")
    chosen = packets[reference] if isinstance(reference, int) and 0 <= reference < len(packets) else {}
    said = _text(chosen.get("Iptc4xmpExt:DigitalSourceType"))
    # Writers differ in prefixes and nesting, and a label that is missed is a label lost.
    labelled = (name for name in _strings([chosen, *packets]) if Label(source_type=name).is_generated)
    licence = _line(chosen.get("dc:rights"), MAX_CREDIT_CHARACTERS)
    credit = _line(chosen.get("dc:creator"), MAX_CREDIT_CHARACTERS)
    if not licence and not credit:
        credit = _line(asset.get("copyright"), MAX_CREDIT_CHARACTERS)
    return Label(
        title=_line(chosen.get("dc:title"), MAX_TITLE_CHARACTERS),
        licence=licence,
        credit=credit,
        source_type=next(labelled, said),
    )


def _packets(document: gltf.Gltf) -> list[dict[str, Any]]:
    found = _inside(document.document, "extensions", EXTENSION).get("packets")
    return [one if isinstance(one, dict) else {} for one in found] if isinstance(found, list) else []


def _strings(value: Any) -> Iterator[str]:
    """Yield every string value, however deep, first things first."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list | dict):
            pending += reversed(list(one.values() if isinstance(one, dict) else one))


def _inside(value: Any, *names: str) -> dict[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _alternatives(text: str) -> dict[str, Any]:
    return {"@type": "rdf:Alt", "rdf:_1": {"@language": "x-default", "@value": text}}


def _text(value: Any, nested: int = 0) -> str:
    """Return the words of a JSON-LD value: plain, in a language, the first alternative, all of a list."""
    if isinstance(value, str):
        return value
    if nested == _MOST_NESTED:
        return ""
    if isinstance(value, list):
        return ", ".join(filter(None, (_text(one, nested + 1) for one in value[:16])))
    if isinstance(value, dict):
        for name in ("@value", "@id", "@list", "@set", "rdf:_1"):
            if name in value:
                return _text(value[name], nested + 1)
    return ""


def _line(value: Any, most: int) -> str:
    """Return words as one printable line of at most `most` characters."""
    text = _text(value)
    if len(text) <= most and text.isprintable():
        return text.strip()
    words = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    line = " ".join(words.split())
    return line if len(line) <= most else line[: most - 1] + "…"
