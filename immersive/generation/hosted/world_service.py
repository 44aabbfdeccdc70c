"""Services that make a whole place of a prompt: an operation that ends in SPZ files and a collider.

Source: World Labs, public API v1 (docs.worldlabs.ai/api, read 2026-11) and clients of others that speak it.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from immersive.errors import HostedError

from .jobs import JobState
from .transport import Transport

_FULL_SPLATS = 2_000_000  # of the file called "full_res"
_SCALES = (0.01, 100.0)  # metres per unit; others are no places for people


@dataclass(frozen=True, slots=True)
class WorldOrder:
    """What a world should be."""

    thing: ClassVar[str] = "world"

    prompt: str
    seed: int
    model: str
    image: bytes | None = None  # JPEG of what is seen first

    @property
    def told(self) -> str:
        """How much of it, for sentences."""
        return "a world"


@dataclass(frozen=True, slots=True)
class WorldsService:
    """One world an order. Its files: the splats, and beside them `.glb` (a collider) and `.facts`."""

    transport: Transport
    name: str
    usd: float | None  # for one world
    most_splats: int

    def about_usd(self, order: WorldOrder) -> float | None:
        return self.usd

    def order(self, order: WorldOrder, key: str) -> str:
        body: dict[str, Any] = {
            "world_prompt": {"type": "text", "text_prompt": order.prompt},
            "seed": order.seed,
            "permission": {"public": False},
        }
        if order.image is not None:
            text = base64.b64encode(order.image).decode()
            picture = {"source": "data_base64", "data_base64": text, "extension": "jpg"}
            body["world_prompt"] |= {"type": "image", "image_prompt": picture}
        if order.model:
            body["model"] = order.model
        found = self.transport.order("worlds:generate", key=key, json=body).get("operation_id")
        if not isinstance(found, str) or not found:
            raise HostedError(f"{self.name} took the order but named no job")
        return found

    def state(self, job: str) -> JobState:
        reply = self._operation(job)
        if reply.get("done") is not True:
            return JobState("running", reason=_progress(reply))
        if reply.get("error"):
            error = reply["error"]
            words = error if isinstance(error, str) else _object(error).get("message") or ""
            return JobState("failed", 1.0, " ".join(str(words).split())[:200])
        return JobState("done", 1.0)

    def fetch(self, job: str, target: Path) -> None:
        assets = self._assets(job)
        splats, mesh = _object(assets.get("splats")), _object(assets.get("mesh"))
        collider = mesh.get("collider_mesh_url")
        if isinstance(collider, str) and collider:
            self.transport.download(collider, target.with_suffix(".glb"))
        facts = {"metres_per_unit": _metres_per_unit(splats)}
        target.with_suffix(".facts").write_text(json.dumps(facts), "utf-8")
        # Last: where the splats are, everything is.
        self.transport.download(self._choose(_object(splats.get("spz_urls"))), target)

    def close(self) -> None:
        self.transport.close()

    def _operation(self, job: str) -> dict[str, Any]:
        return self.transport.ask(f"operations/{quote(job, safe='')}")

    def _assets(self, job: str) -> Mapping[str, Any]:
        """Return where the files are: in the operation, or in the world that it names."""
        reply = self._operation(job)
        world = _object(reply.get("response"))
        assets = _object(world.get("assets"))
        if _object(_object(assets.get("splats")).get("spz_urls")):
            return assets
        number = world.get("world_id") or world.get("id") or _object(reply.get("metadata")).get("world_id")
        if not isinstance(number, str) or not number:
            raise HostedError(f"{self.name} finished but gives no world")
        found = self.transport.ask(f"worlds/{quote(number, safe='')}")
        return _object(_object(found.get("world") or found).get("assets"))

    def _choose(self, urls: Mapping[str, Any]) -> str:
        """Return the address of the largest file of at most `most_splats`, else of the smallest."""
        sizes = {url: _splat_count(name) for name, url in urls.items() if isinstance(url, str) and url}
        if not sizes:
            raise HostedError(f"{self.name} finished but gives no splats")
        fitting = [url for url, count in sizes.items() if count <= self.most_splats]
        return max(fitting, key=sizes.__getitem__) if fitting else min(sizes, key=sizes.__getitem__)


def _splat_count(name: str) -> float:
    """Return the splats of a file that is called 100k, 500k, 1.5m or full_res."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", name.lower())
    if match is None:
        return _FULL_SPLATS
    return float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2]]


def _metres_per_unit(splats: Mapping[str, Any]) -> float | None:
    found = _object(splats.get("semantics_metadata")).get("metric_scale_factor")
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found) if _SCALES[0] <= found <= _SCALES[1] else None


def _progress(reply: Mapping[str, Any]) -> str:
    progress = _object(_object(reply.get("metadata")).get("progress"))
    return " ".join(str(progress.get("description") or "").split())[:80]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
