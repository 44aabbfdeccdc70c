"""The root of everything raised on purpose, and the branch of this package.

A message is one sentence, *subject, rule, what was found*, lower case and without a full stop. What the
user can do next is `hint`; the command line prints it on a line of its own.
"""

from __future__ import annotations


class ImmersiveError(Exception):
    """Base class of every error that a user may meet.

    Attributes:
        code: Stable identifier for programs, e.g. ``too_few_frames``. Each subclass sets one.
        hint: One sentence telling the user what to do next, or None.
    """

    code: str = "failed"
    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class InvalidArrayError(ImmersiveError, ValueError):
    """An array breaks a rule of the type or function that takes it."""

    code = "invalid_array"

    def __init__(self, name: str, rule: str) -> None:
        super().__init__(f"{name} {rule}")
        self.name = name


class InvalidInputError(ImmersiveError, ValueError):
    """A file, folder, prompt or option given by the user cannot be used."""

    code = "invalid_input"


class UnliftableInputError(ImmersiveError, ValueError):
    """The frames are readable but cannot become a scene: no parallax, too few registered, a cut."""

    code = "unliftable_input"


class MissingBackendError(ImmersiveError, ImportError):
    """An optional backend was asked for by name but cannot be used on this machine."""

    code = "missing_backend"

    def __init__(self, backend: str, why: str, hint: str) -> None:
        super().__init__(f"backend {backend!r} {why}", hint=hint)
        self.backend = backend


class ModelFailedError(ImmersiveError, RuntimeError):
    """A learned model ran but its answer cannot be used: not finite, wrong shape, out of memory, too slow."""

    code = "model_failed"


class CancelledError(ImmersiveError):
    """The user stopped the work; what was finished is kept and the same call resumes."""

    code = "cancelled"
