"""The sound of a clip. Opened apart from its pictures: neither may be lost for the other's sake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .audio import AudioTrack

_RATE_HZ = 48_000
_LONGEST_S = 60  # more of it is never played
_QUIET = 1e-4  # peaks below are a silent track, which cameras write too


def read_audio(path: Path, say: Callable[[str], None] = lambda _: None) -> AudioTrack | None:
    """Return the first minute of a clip's sound at 48 kHz, mono or stereo; None if there is none.

    Damaged sound is as good as none: `say` is told, and nothing is raised.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    pieces: list[np.ndarray] = []
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            layout = "mono" if stream.codec_context.channels == 1 else "stereo"
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=_RATE_HZ)
            count = 0
            for frame in container.decode(stream):
                for piece in resampler.resample(frame):
                    pieces.append(piece.to_ndarray())
                    count += pieces[-1].shape[1]
                if count >= _LONGEST_S * _RATE_HZ:
                    break
    except (av.error.FFmpegError, OSError, ValueError) as error:
        what = type(error).__name__
        say(f"the sound of the clip is damaged; {_seconds(pieces):.1f} s of it were kept ({what})")
    if not pieces:
        return None
    samples = np.concatenate(pieces, axis=1)[:, : _LONGEST_S * _RATE_HZ].T
    if not np.isfinite(samples).all() or np.abs(samples).max() < _QUIET:
        return None
    return AudioTrack(np.ascontiguousarray(np.clip(samples, -1, 1), np.float32), _RATE_HZ)


def _seconds(pieces: list[np.ndarray]) -> float:
    return sum(piece.shape[1] for piece in pieces) / _RATE_HZ
