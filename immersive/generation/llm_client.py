"""Asking a language model for JSON, behind any OpenAI-compatible endpoint, hosted or on this machine.

The key is read from the environment, sent in one header and never shown. The exchange is bounded in time
and bytes, and follows no redirect.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from reconstruction.errors import InvalidInputError, ModelFailedError

_LARGEST_REPLY_BYTES = 256 * 1024  # a brief of 64 elements takes 10 kB
_MOST_TOKENS = 4_000


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """Where the model is and what it is called."""

    url: str  # base of the API, such as http://127.0.0.1:11434/v1
    model: str
    key: str | None = field(default=None, repr=False)
    timeout_s: float = 60.0  # for the whole answer; a small local model on a CPU takes half of it

    @property
    def name(self) -> str:
        """The model and its host, for people; never the key."""
        return f"{self.model} at {urlsplit(self.url).hostname}"


def settings_from(environment: Mapping[str, str]) -> LlmSettings | None:
    """Return the settings that IMMERSIVE_LLM_URL, _MODEL and _KEY hold, or None without a URL.

    Raises:
        InvalidInputError: They do not fit together.
    """
    url = environment.get("IMMERSIVE_LLM_URL", "").strip()
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or parts.username is not None:
        raise InvalidInputError(
            "IMMERSIVE_LLM_URL must be an http or https address without a name or password in it",
            hint="For example: http://127.0.0.1:11434/v1",
        )
    model = environment.get("IMMERSIVE_LLM_MODEL", "").strip()
    if not model:
        raise InvalidInputError(
            "IMMERSIVE_LLM_MODEL must name the model to ask, got none",
            hint="Set it, or unset IMMERSIVE_LLM_URL to read prompts without a model.",
        )
    key = environment.get("IMMERSIVE_LLM_KEY", "").strip() or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise InvalidInputError("IMMERSIVE_LLM_KEY must be printable ASCII")
    if key is not None and parts.scheme == "http" and not _is_this_machine(host):
        raise InvalidInputError(
            f"IMMERSIVE_LLM_URL must use https to send a key to {host}", hint="Use https, or unset the key."
        )
    return LlmSettings(url.rstrip("/"), model, key)


def ask(
    instructions: str,
    prompt: str,
    schema: dict[str, Any],
    settings: LlmSettings,
    clock: Callable[[], float],
    name: str = "scene_brief",
) -> dict[str, Any]:
    """Return the JSON object that the model answers with.

    Args:
        instructions: What to do, for the system message.
        prompt: The user's text, sent as data.
        schema: JSON schema of the answer; a server may ignore it, so the answer is unchecked.
        settings: Where and whom to ask.
        clock: Seconds; bounds the whole exchange.
        name: What the schema is called.

    Raises:
        ModelFailedError: There is no such answer; the sentence fits behind "the language model".
    """
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [{"role": "system", "content": instructions}, {"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": _MOST_TOKENS,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": name, "strict": True, "schema": schema},
        },
    }
    status, text = _post(settings, body, clock)
    if status == 400:  # servers that know no schemas may know plain JSON
        body["response_format"] = {"type": "json_object"}
        status, text = _post(settings, body, clock)
    if status != 200:
        raise ModelFailedError(_REFUSALS.get(status, f"answered with status {status}"))
    try:
        choice = json.loads(text)["choices"][0]
        content = choice["message"]["content"]
        if choice.get("finish_reason") == "length":
            raise ModelFailedError("did not finish its answer")
        answer = json.loads(content)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise ModelFailedError("gave an answer that is no brief") from error
    if not isinstance(answer, dict):
        raise ModelFailedError("gave an answer that is no brief")
    return answer


_REFUSALS = {
    401: "refused the key (401)",
    403: "refused the key (403)",
    404: "is not at that address (404)",
    429: "takes no more questions for now (429)",
}


def _post(settings: LlmSettings, body: dict[str, Any], clock: Callable[[], float]) -> tuple[int, bytes]:
    """Return status and body; the whole exchange is bounded in time and bytes."""
    import httpx

    headers = {} if settings.key is None else {"Authorization": f"Bearer {settings.key}"}
    deadline = clock() + settings.timeout_s
    late = ModelFailedError(f"did not answer in {settings.timeout_s:g} s")
    try:
        # No redirects: a key goes to the address it was meant for.
        with (
            httpx.Client(timeout=settings.timeout_s, follow_redirects=False) as client,
            client.stream("POST", f"{settings.url}/chat/completions", json=body, headers=headers) as response,
        ):
            received = bytearray()
            for part in response.iter_bytes():
                received += part
                if len(received) > _LARGEST_REPLY_BYTES:
                    raise ModelFailedError("gave an answer that is far too long")
                if clock() > deadline:
                    raise late
            return response.status_code, bytes(received)
    except httpx.TimeoutException as error:
        raise late from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelFailedError("cannot be reached") from error


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
