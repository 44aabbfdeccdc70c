"""HTTP to a provider: who may see the key, how long answers may be, and every failure as one sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from immersive.errors import HostedError
from reconstruction.errors import InvalidInputError

# A job's description is a few KB; a clip that comes inside of one, in base64, is tens of MB.
_MOST_JSON_BYTES = 200 * 2**20
_MOST_CLIP_BYTES = 2 * 2**30
_MOST_REDIRECTS = 5
# Asked again after a busy or broken server; in all about two minutes.
_TRIES = 6
_LONGEST_WAIT_S = 60.0
_BUSY, _BROKEN = (429,), (500, 502, 503, 504)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(slots=True)
class Transport:
    """Talks to one provider. The key goes to the provider's own origin and nowhere else."""

    provider: str
    base_url: str
    headers: Mapping[str, str]  # holds the key
    key_variable: str  # which environment variable the key came from, for errors
    timeout_s: float = 60.0
    thing: str = "clip"  # what it makes, for sentences
    sleep: Callable[[float], None] = time.sleep
    _client: httpx.Client | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInputError(
                f"the address of {self.provider} must begin with http:// or https://, got {self.base_url!r}"
            )
        if self.headers and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise InvalidInputError(
                f"the key of {self.provider} would travel unencrypted to {parts.hostname}",
                hint="Use https, or a server on this machine.",
            )

    def ask(self, path: str) -> dict[str, Any]:
        """GET a JSON object; a busy or broken server is asked again."""
        return self._json("GET", path, is_repeatable=True)

    def order(self, path: str, *, key: str, **body: Any) -> dict[str, Any]:
        """POST something that may cost money, and return the reply.

        It is sent again only where the server said that it did not take it. `key` makes a second one equal.
        """
        return self._json("POST", path, is_repeatable=False, extra={"Idempotency-Key": key}, **body)

    def look_up(self, path: str, **body: Any) -> dict[str, Any]:
        """POST a question that costs nothing."""
        return self._json("POST", path, is_repeatable=True, **body)

    def download(self, url: str, target: Path) -> None:
        """Write what lies at `url` (absolute, or below the base) to `target`, all of it or nothing."""
        temporary = target.with_name(target.name + ".part")
        try:
            with self._reply("GET", self._absolute(url), {}) as reply:
                self._check(reply)
                wanted = int(reply.headers.get("content-length", -1))
                if wanted > _MOST_CLIP_BYTES:
                    raise HostedError(
                        f"the {self.thing} of {self.provider} must be at most 2 GB, got {wanted:,} bytes"
                    )
                got = 0
                with temporary.open("wb") as file:
                    for block in reply.iter_bytes():
                        got += len(block)
                        if got > _MOST_CLIP_BYTES:
                            raise HostedError(
                                f"the {self.thing} of {self.provider} must be at most 2 GB, got more"
                            )
                        file.write(block)
            temporary.replace(target)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise HostedError(
                f"the {self.thing} of {self.provider} did not come whole",
                hint="Run the same command again: what was ordered is downloaded, nothing is ordered twice.",
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _absolute(self, path: str) -> str:
        # No urljoin: it would take the colon of `worlds:generate` for a scheme's.
        return path if "://" in path else f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"

    def _json(
        self,
        method: str,
        path: str,
        *,
        is_repeatable: bool,
        extra: Mapping[str, str] | None = None,
        **body: Any,
    ) -> dict[str, Any]:
        for attempt in range(_TRIES):
            is_last = attempt == _TRIES - 1
            try:
                with self._reply(method, self._absolute(path), {**(extra or {})}, **body) as reply:
                    is_refused = reply.status_code in _BUSY or (
                        is_repeatable and reply.status_code in _BROKEN
                    )
                    if is_refused and not is_last:
                        self.sleep(_wait_s(reply.headers.get("retry-after"), attempt))
                        continue
                    self._check(reply)
                    return self._object(reply)
            except httpx.ConnectError as error:
                # Nothing was sent, so nothing was ordered.
                if is_last:
                    raise HostedError(
                        f"{self.provider} does not answer at {urlsplit(self.base_url).netloc}",
                        hint="Check the address and the network.",
                    ) from error
                self.sleep(_wait_s(None, attempt))
            except (httpx.TransportError, httpx.StreamError) as error:
                if is_repeatable and not is_last:
                    self.sleep(_wait_s(None, attempt))
                    continue
                hint = "The order may have been taken: look at your account first."
                if is_repeatable:
                    hint = "Run the same command again: nothing is ordered twice."
                raise HostedError(f"{self.provider} took too long or broke off", hint=hint) from error
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _reply(
        self, method: str, url: str, extra: Mapping[str, str], **body: Any
    ) -> Iterator[httpx.Response]:
        if self._client is None:
            self._client = httpx.Client(timeout=self.timeout_s, follow_redirects=False)
        for _ in range(_MOST_REDIRECTS):
            headers = dict(extra)
            if _origin(url) == _origin(self.base_url):
                headers |= self.headers
            elif urlsplit(url).scheme not in ("http", "https"):
                raise HostedError(f"{self.provider} points to an address that is not http")
            with self._client.stream(method, url, headers=headers, **body) as reply:
                if not reply.is_redirect or method != "GET":
                    yield reply
                    return
                url = urljoin(url, reply.headers["location"])
        raise HostedError(f"{self.provider} sends in circles: more than {_MOST_REDIRECTS} redirects")

    def _object(self, reply: httpx.Response) -> dict[str, Any]:
        data = bytearray()
        for block in reply.iter_bytes():
            data += block
            if len(data) > _MOST_JSON_BYTES:
                raise HostedError(f"an answer of {self.provider} must be at most 200 MB, got more")
        try:
            found = httpx.Response(200, content=bytes(data)).json() if data else {}
        except ValueError as error:
            raise HostedError(f"{self.provider} answered something that is not JSON") from error
        if not isinstance(found, dict):
            raise HostedError(f"{self.provider} must answer with an object, got {type(found).__name__}")
        return found

    def _check(self, reply: httpx.Response) -> None:
        """Raise what a status means to the user; the provider's words are kept short, the key is in none."""
        status = reply.status_code
        if status < 400:
            return
        said = _said(reply)
        if is_refusal(said):
            raise HostedError(f"{self.provider} refuses this prompt: {said}", hint="Say it in other words.")
        meaning = {
            401: ("does not take the key", f"Check {self.key_variable}."),
            402: ("wants to be paid first", "Add credit to the account."),
            403: ("does not allow this", f"Check what the key in {self.key_variable} may do."),
            404: (
                "knows nothing of this",
                f"Check the model's name; a {self.thing} that was ordered long ago is gone.",
            ),
            410: (f"has thrown the {self.thing} away", "Order it again with another --seed."),
            413: ("finds the request too large", None),
            429: ("is busy", "Wait, and run the same command again."),
        }
        words, hint = meaning.get(status, (f"failed with status {status}", "Try again later."))
        raise HostedError(f"{self.provider} {words}" + (f": {said}" if said else ""), hint=hint)


def is_refusal(words: str) -> bool:
    """Whether a provider's words say that it will not film this."""
    lower = words.lower()
    return any(part in lower for part in ("moderation", "content policy", "content_policy", "safety"))


def _said(reply: httpx.Response) -> str:
    """Return what an error reply says, one short line."""
    try:
        reply.read()
        found: Any = reply.json()
        for name in ("error", "detail", "message"):
            if isinstance(found, dict) and name in found:
                found = found[name]
        if isinstance(found, dict):
            found = found.get("message") or found.get("code") or ""
    except (ValueError, httpx.HTTPError, httpx.StreamError):
        return ""
    return " ".join(str(found).split())[:200] if isinstance(found, str) else ""


def _wait_s(asked: str | None, attempt: int) -> float:
    try:
        wanted = float(asked) if asked is not None else 2.0**attempt
    except ValueError:  # a date; rare, and our own clock may be wrong
        wanted = 2.0**attempt
    return min(max(wanted, 0.0), _LONGEST_WAIT_S)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
