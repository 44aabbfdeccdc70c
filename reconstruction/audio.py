"""Sound that comes with pictures, as samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .checks import check_array
from .conventions import F32
from .errors import InvalidArrayError

_RATES_HZ = (8_000, 192_000)
_LONGEST_S = 3_600


@dataclass(frozen=True, slots=True, eq=False)
class AudioTrack:
    """One or two channels of samples; the sound of a clip is heard everywhere alike, it has no place."""

    samples: F32  # [N, C] in -1..1; C is 1 or 2
    rate_hz: int

    def __post_init__(self) -> None:
        sizes = check_array("samples", self.samples, shape=("N", "C"), dtype=np.float32)
        if sizes["C"] not in (1, 2):
            raise InvalidArrayError("samples", f"must have 1 or 2 channels, got {sizes['C']}")
        if not _RATES_HZ[0] <= self.rate_hz <= _RATES_HZ[1]:
            raise InvalidArrayError("rate_hz", f"must be from 8,000 to 192,000, got {self.rate_hz}")
        if not 0 < sizes["N"] <= _LONGEST_S * self.rate_hz:
            raise InvalidArrayError(
                "samples", f"must last up to an hour, got {sizes['N'] / self.rate_hz:g} s"
            )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate_hz
