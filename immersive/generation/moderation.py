"""Whether a place may be made: asked with the words before the work, and with a few pictures after.

Off where people make places for themselves; on where a server makes them for others. A check that fails
counts as a refusal, since what nobody looked at may be anything.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from immersive.errors import HostedError, RefusedError
from reconstruction.errors import InvalidInputError

if TYPE_CHECKING:
    from .hosted.transport import Transport

Moderation = Literal["off", "words", "http"]

_CHOICE, _URL = "IMMERSIVE_MODERATION", "IMMERSIVE_MODERATION_URL"
_KEY, _MODEL = "IMMERSIVE_MODERATION_KEY", "IMMERSIVE_MODERATION_MODEL"
_SERVICE = "the moderation service"
_PICTURES = 4  # spread over a clip; moderation takes a second for each
_PICTURE_PX = 512
_HINT = "Ask for something else."


class Moderator(Protocol):
    """Looks at what is asked for and at what came of it."""

    name: Moderation
    sees_pictures: bool  # False: `check_pictures` need not be called

    def check_prompt(self, text: str) -> None:
        """Return if a place may be made of these words.

        Raises:
            RefusedError: It may not.
            HostedError: Nobody could look.
        """
        ...

    def check_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Return if pictures [H, W, 3] sRGB may be shown. Raises as `check_prompt`."""
        ...


def check_moderation(asked: str | None) -> None:
    """Raise InvalidInputError unless `asked` is None or names a kind of moderation."""
    if asked is not None and asked not in get_args(Moderation):
        raise InvalidInputError(f"moderation must be one of {', '.join(get_args(Moderation))}, got {asked!r}")


def moderator_for(
    asked: str | None,
    environment: Mapping[str, str],
    *,
    is_shared: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Moderator | None:
    """Return who looks at a request, or None where nobody does.

    Args:
        asked: What the caller wants; it outweighs IMMERSIVE_MODERATION, which outweighs the default.
        environment: Holds IMMERSIVE_MODERATION and the service's _URL, _KEY and _MODEL.
        is_shared: The place is made for others. Then somebody looks by default: the service if one is set,
            else the word list.
        sleep: Waits between tries.

    Raises:
        InvalidInputError: There is no such kind, or the service's address is missing or wrong.
    """
    asked = asked or environment.get(_CHOICE) or None
    check_moderation(asked)
    if asked is None and is_shared:
        asked = "http" if environment.get(_URL) else "words"
    if asked == "words":
        return WordModerator()
    return _http(environment, sleep) if asked == "http" else None


@dataclass(frozen=True, slots=True)
class WordModerator:
    """The built-in list; see `moderation_words`."""

    name: Moderation = "words"
    sees_pictures: bool = False

    def check_prompt(self, text: str) -> None:
        from .moderation_words import refused_for

        what = refused_for(text)
        if what is not None:
            raise RefusedError(f"this prompt is refused: it asks for {what}", hint=_HINT)

    def check_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        return


@dataclass(frozen=True, slots=True)
class HttpModerator:
    """Any service that answers as `/v1/moderations` does."""

    transport: Transport
    model: str  # "": the service's own choice
    name: Moderation = "http"
    sees_pictures: bool = True

    def check_prompt(self, text: str) -> None:
        self._check("prompt", "this prompt is", {"type": "text", "text": text})

    def check_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        # One a request: the best-known model takes no more.
        for picture in pictures:
            self._check(
                "pictures", "these pictures are", {"type": "image_url", "image_url": {"url": _uri(picture)}}
            )

    def _check(self, thing: str, subject: str, part: dict[str, Any]) -> None:
        body: dict[str, Any] = {"input": [part]} | ({"model": self.model} if self.model else {})
        try:
            reply = self.transport.look_up("moderations", json=body)
        except HostedError as error:
            raise _unchecked(thing, str(error), error.hint) from error
        finally:
            self.transport.close()
        results = reply.get("results")
        if not isinstance(results, list) or not results:
            raise _unchecked(thing, f"{_SERVICE} gives no verdict")
        categories: list[str] = []
        is_flagged = False
        for result in results:
            flagged = result.get("flagged") if isinstance(result, dict) else None
            if not isinstance(flagged, bool):
                raise _unchecked(thing, f"{_SERVICE} gives no verdict")
            is_flagged |= flagged
            found = result.get("categories")
            categories += (
                [str(name) for name, is_so in found.items() if is_so] if isinstance(found, dict) else []
            )
        if is_flagged:
            why = f": {', '.join(sorted(set(categories)))[:120]}" if categories else ""
            raise RefusedError(f"{subject} refused by {_SERVICE}{why}", hint=_HINT)


def few_of(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a few pictures of [F, H, W, 3], spread from the first to the last."""
    chosen = np.unique(np.linspace(0, len(images) - 1, _PICTURES).round().astype(int))
    return [images[index] for index in chosen]


def _http(environment: Mapping[str, str], sleep: Callable[[float], None]) -> HttpModerator:
    from .hosted.transport import Transport

    url = environment.get(_URL, "").strip().rstrip("/").removesuffix("/moderations")
    if not url:
        raise InvalidInputError(
            f"moderation by http needs {_URL}", hint="Set it, for example to https://api.openai.com/v1."
        )
    key = environment.get(_KEY, "").strip()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = Transport(_SERVICE, url, headers, _KEY, sleep=sleep)
    return HttpModerator(transport, environment.get(_MODEL, "").strip())


def _unchecked(thing: str, why: str, hint: str | None = None) -> HostedError:
    return HostedError(f"the {thing} could not be checked, so nothing was made: {why}", hint=hint)


def _uri(picture: NDArray[np.uint8]) -> str:
    from .start_picture import jpeg_of

    return "data:image/jpeg;base64," + base64.b64encode(jpeg_of(picture, _PICTURE_PX)).decode()
