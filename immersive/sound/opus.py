"""Samples to Ogg Opus; libopus in PyAV's wheel is BSD."""

from __future__ import annotations

import io

import av
import numpy as np

from reconstruction.conventions import F32

_FRAME = 960  # 20 ms at 48 kHz, Opus' usual
_BITS_PER_S = 48_000


def encode(samples: F32, rate_hz: int = 48_000) -> bytes:
    """Return an Ogg file of samples [N] or [N, C] in -1..1; equal samples give equal bytes."""
    channels = samples[:, None] if samples.ndim == 1 else samples
    layout = "mono" if channels.shape[1] == 1 else "stereo"
    buffer = io.BytesIO()
    # Ogg numbers its streams at random unless told not to; scenes are told apart by their bytes.
    with av.open(
        buffer, "w", format="ogg", options={"serial_offset": "1", "fflags": "+bitexact"}
    ) as container:
        stream = container.add_stream("libopus", rate=48_000)
        stream.bit_rate = _BITS_PER_S * channels.shape[1]
        stream.layout = layout
        resampler = av.AudioResampler(
            format=stream.codec_context.format.name, layout=layout, rate=48_000, frame_size=_FRAME
        )
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(channels.T, np.float32), format="fltp", layout=layout
        )
        frame.sample_rate = rate_hz
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            for packet in stream.encode(piece):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return buffer.getvalue()
