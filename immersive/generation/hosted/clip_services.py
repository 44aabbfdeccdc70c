"""The services that make clips, each with its own words on the wire.

Prices are upper bounds of what was published in November 2026; `…_USD_PER_S` variables overrule them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from immersive.errors import HostedError

from .jobs import ClipOrder, JobState
from .transport import Transport

_STATES: Mapping[str, str] = {
    **dict.fromkeys(("queued", "pending", "throttled", "created"), "waiting"),
    **dict.fromkeys(("in_progress", "running", "processing", "dreaming"), "running"),
    **dict.fromkeys(("completed", "succeeded", "done"), "done"),
    **dict.fromkeys(("failed", "cancelled", "canceled", "incomplete", "expired"), "failed"),
}


@dataclass(slots=True)
class _Service:
    transport: Transport
    name: str
    usd_per_s: float | None

    def about_usd(self, order: ClipOrder) -> float | None:
        return None if self.usd_per_s is None else self.usd_per_s * order.seconds

    def close(self) -> None:
        self.transport.close()

    def _state(self, word: Any, share: Any = 0, reason: Any = "", cost: Any = None) -> JobState:
        status = _STATES.get(str(word).lower())
        if status is None:
            raise HostedError(f"{self.name} tells a state that is not known: {str(word)[:40]!r}")
        part = float(share) if isinstance(share, int | float) else 0.0
        words = reason if isinstance(reason, str) else (reason or {}).get("message") or ""
        usd = float(cost) if isinstance(cost, int | float) else None
        return JobState(status, part, " ".join(words.split())[:200], usd)  # type: ignore[arg-type]

    def _id(self, reply: Mapping[str, Any], name: str = "id") -> str:
        found = reply.get(name)
        if not isinstance(found, str) or not found:
            raise HostedError(f"{self.name} took the order but named no job")
        return found


class VideosService(_Service):
    """`/v1/videos`, the protocol that vLLM-Omni, SGLang and gateways speak; the address is the user's own."""

    def order(self, order: ClipOrder, key: str) -> str:
        fields = {
            "prompt": order.prompt,
            "negative_prompt": order.negative,
            "seconds": str(order.seconds),
            "size": f"{order.width}x{order.height}",
            "seed": str(order.seed),
        }
        if order.model:
            fields["model"] = order.model
        # As the protocol's own client sends it: every field a part of its own.
        files: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
        if order.image is not None:
            files["input_reference"] = ("first.jpg", order.image, "image/jpeg")
        return self._id(self.transport.order("videos", key=key, files=files))

    def state(self, job: str) -> JobState:
        reply = self.transport.ask(f"videos/{quote(job, safe='')}")
        share = reply.get("progress") or 0
        return self._state(reply.get("status"), share / 100, reply.get("error") or "", reply.get("cost_usd"))

    def fetch(self, job: str, target: Path) -> None:
        self.transport.download(f"videos/{quote(job, safe='')}/content", target)


class RunwayService(_Service):
    """Runway's text_to_video and image_to_video; one key, many models."""

    def order(self, order: ClipOrder, key: str) -> str:
        body = {
            "model": order.model,
            "promptText": order.prompt[:1_000],
            "ratio": "1280:720",
            "duration": order.seconds,
            "seed": order.seed,
        }
        if order.image is None:
            return self._id(self.transport.order("v1/text_to_video", key=key, json=body))
        body["promptImage"] = f"data:image/jpeg;base64,{_base64(order.image)}"
        return self._id(self.transport.order("v1/image_to_video", key=key, json=body))

    def state(self, job: str) -> JobState:
        reply = self.transport.ask(f"v1/tasks/{quote(job, safe='')}")
        return self._state(reply.get("status"), reply.get("progress") or 0, reply.get("failure") or "")

    def fetch(self, job: str, target: Path) -> None:
        output = self.transport.ask(f"v1/tasks/{quote(job, safe='')}").get("output")
        if not isinstance(output, list) or not output or not isinstance(output[0], str):
            raise _no_clip(self.name)
        self.transport.download(output[0], target)


class LumaService(_Service):
    """Luma's generations."""

    def order(self, order: ClipOrder, key: str) -> str:
        body = {
            "model": order.model,
            "prompt": order.prompt,
            "duration": f"{order.seconds}s",
            "resolution": "720p",
            "aspect_ratio": "16:9",
        }
        return self._id(self.transport.order("dream-machine/v1/generations/video", key=key, json=body))

    def state(self, job: str) -> JobState:
        reply = self._job(job)
        return self._state(reply.get("state"), 0, reply.get("failure_reason") or "")

    def fetch(self, job: str, target: Path) -> None:
        assets = self._job(job).get("assets")
        url = assets.get("video") if isinstance(assets, dict) else None
        if not isinstance(url, str):
            raise _no_clip(self.name)
        self.transport.download(url, target)

    def _job(self, job: str) -> dict[str, Any]:
        return self.transport.ask(f"dream-machine/v1/generations/{quote(job, safe='')}")


class OmniService(_Service):
    """Gemini's interactions. The clip comes inside the reply, so it is kept until it is fetched."""

    def order(self, order: ClipOrder, key: str) -> str:
        task = "text_to_video" if order.image is None else "image_to_video"
        told: Any = order.prompt
        if order.image is not None:
            picture = {"type": "image", "mime_type": "image/jpeg", "data": _base64(order.image)}
            told = [{"type": "text", "text": order.prompt}, picture]
        body = {
            "model": order.model,
            "input": told,
            "generation_config": {"video_config": {"task": task}},
            "response_format": {
                "type": "video",
                "aspect_ratio": "16:9",
                "resolution": "720p",
                "duration": f"{order.seconds}s",
                "delivery": "uri",
            },
        }
        return self._id(self.transport.order("v1beta/interactions", key=key, json=body))

    def state(self, job: str) -> JobState:
        reply = self._job(job)
        return self._state(reply.get("status"), 0, reply.get("error") or "")

    def fetch(self, job: str, target: Path) -> None:
        for step in self._job(job).get("steps") or []:
            for part in step.get("content") or []:
                if part.get("type") != "video":
                    continue
                if isinstance(part.get("uri"), str):
                    return self.transport.download(part["uri"], target)
                return _write_base64(self.name, part.get("data"), target)
        raise _no_clip(self.name)

    def _job(self, job: str) -> dict[str, Any]:
        return self.transport.ask(f"v1beta/interactions/{quote(job, safe='')}")


@dataclass(slots=True)
class VeoService(_Service):
    """Veo in Vertex mode: a long-running operation, asked for by POST."""

    project: str = ""
    location: str = ""

    def order(self, order: ClipOrder, key: str) -> str:
        parameters = {
            "aspectRatio": "16:9",
            "resolution": "720p",
            "durationSeconds": order.seconds,
            "negativePrompt": order.negative,
            "sampleCount": 1,
            "seed": order.seed,
            "generateAudio": False,
        }
        instance: dict[str, Any] = {"prompt": order.prompt}
        if order.image is not None:
            instance["image"] = {"bytesBase64Encoded": _base64(order.image), "mimeType": "image/jpeg"}
        body = {"instances": [instance], "parameters": parameters}
        reply = self.transport.order(f"{self._model(order.model)}:predictLongRunning", key=key, json=body)
        return self._id(reply, "name")

    def state(self, job: str) -> JobState:
        reply = self._operation(job)
        if not reply.get("done"):
            return JobState("running")
        if reply.get("error"):
            return self._state("failed", 1, reply["error"])
        response = reply.get("response") or {}
        if not response.get("videos") and response.get("raiMediaFilteredCount"):
            return JobState("failed", 1, "a safety filter took the clip out")
        return JobState("done", 1)

    def fetch(self, job: str, target: Path) -> None:
        videos = (self._operation(job).get("response") or {}).get("videos") or [{}]
        _write_base64(self.name, videos[0].get("bytesBase64Encoded"), target)

    def _operation(self, job: str) -> dict[str, Any]:
        path = job.split("/operations/")[0]
        return self.transport.look_up(f"v1/{path}:fetchPredictOperation", json={"operationName": job})

    def _model(self, model: str) -> str:
        place = f"projects/{quote(self.project, safe='')}/locations/{quote(self.location, safe='')}"
        return f"v1/{place}/publishers/google/models/{quote(model, safe='')}"


def _no_clip(name: str) -> HostedError:
    return HostedError(f"{name} finished but gives no clip", hint="Order another with another --seed.")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _write_base64(name: str, text: Any, target: Path) -> None:
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise _no_clip(name) from error
    temporary = target.with_name(target.name + ".part")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
