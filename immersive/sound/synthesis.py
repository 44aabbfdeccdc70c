"""Sounds of places made of filtered noise and small physical models, as mono loops at 48 kHz.

Every loop is periodic: noise is shaped in the frequency domain, where a period has no ends, and events wrap
around. So no cross-fade is needed and nothing clicks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reconstruction.conventions import F32

RATE_HZ = 48_000
LOOP_S = 12

_Wave = NDArray[np.float64]


def synthesise(kind: str, seed: int) -> F32:
    """Return one loop [LOOP_S * RATE_HZ] in -1..1; the same seed gives the same samples.

    Raises:
        KeyError: Nobody knows how that sounds.
    """
    make, peak = _SOUNDS[kind]
    random = np.random.default_rng([seed, sum(kind.encode())])
    wave = make(LOOP_S * RATE_HZ, random)
    return (peak * wave / np.abs(wave).max()).astype(np.float32)


def kinds() -> tuple[str, ...]:
    """Return everything that can be heard."""
    return tuple(_SOUNDS)


def _noise(count: int, random: Generator, low_hz: float, high_hz: float, slope: float = 0.0) -> _Wave:
    """Return periodic noise between two frequencies; its power falls by `slope` (1: pink, 2: brown)."""
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    # Soft edges of a third of an octave, so that the noise does not ring.
    gain = 1 / (1 + (low_hz / np.maximum(hz, 1e-3)) ** 8) / (1 + (hz / high_hz) ** 8)
    gain *= np.maximum(hz, low_hz) ** (-slope / 2)
    gain[0] = 0
    phases = np.exp(2j * np.pi * random.random(len(hz)))
    wave = np.fft.irfft(gain * phases, count)
    return wave / np.abs(wave).max()


def _slow(count: int, random: Generator, per_s: float, low: float, high: float) -> _Wave:
    """Return a smooth periodic curve between two values that turns about `per_s` times a second."""
    knots = max(3, round(count / RATE_HZ * per_s))
    values = random.random(knots)
    at = np.arange(count) / count * knots
    index = at.astype(np.int64)
    share = at - index
    share = share * share * (3 - 2 * share)
    curve = values[index % knots] * (1 - share) + values[(index + 1) % knots] * share
    return low + (high - low) * curve


def _add(wave: _Wave, start: int, event: _Wave) -> None:
    """Add an event that may run over the end of the loop into its beginning."""
    np.add.at(wave, (start + np.arange(len(event))) % len(wave), event)


def _wind(count: int, random: Generator) -> _Wave:
    gust = _slow(count, random, 0.35, 0.2, 1.0) ** 1.6
    hiss = _noise(count, random, 900, 4_000, 1.0) * _slow(count, random, 0.6, 0.1, 0.7)
    return gust * (1.6 * _noise(count, random, 40, 420, 1.0) + 0.3 * hiss)


def _bubbles(wave: _Wave, random: Generator, per_s: float) -> None:
    """Minnaert's bubbles: sines that rise and die away."""
    time = np.arange(int(0.06 * RATE_HZ)) / RATE_HZ
    for _ in range(round(per_s * len(wave) / RATE_HZ)):
        hz, size = random.uniform(350, 1_900), random.uniform(0.05, 0.5)
        event = size * np.sin(2 * np.pi * hz * (time + 2.2 * time**2)) * np.exp(-70 * time)
        _add(wave, int(random.integers(len(wave))), event)


def _lake(count: int, random: Generator) -> _Wave:
    wave = np.zeros(count)
    hiss = _noise(count, random, 250, 1_800)
    for start in np.arange(0, count, int(1.9 * RATE_HZ)):
        length = int(random.uniform(1.0, 1.8) * RATE_HZ)
        swell = np.sin(np.linspace(0, np.pi, length)) ** 2 * random.uniform(0.4, 1.0)
        first = int(start + random.uniform(0, 0.6) * RATE_HZ)
        _add(wave, first, swell * np.take(hiss, first + np.arange(length), mode="wrap"))
    _bubbles(wave, random, 10)
    return wave


def _brook(count: int, random: Generator) -> _Wave:
    wave = 2.0 * _noise(count, random, 400, 5_200, 1.0) * _slow(count, random, 0.5, 0.7, 1.0)
    _bubbles(wave, random, 110)
    return wave


def _sea(count: int, random: Generator) -> _Wave:
    wave = 0.25 * _noise(count, random, 60, 700, 1.0)
    hiss = _noise(count, random, 300, 6_000, 0.7)
    for start in np.linspace(0, count, 3, endpoint=False).astype(int):
        length = int(random.uniform(4.0, 5.5) * RATE_HZ)
        share = np.linspace(0, 1, length)
        breaker = np.minimum(share / 0.25, 1) ** 2 * np.exp(-3.2 * np.maximum(share - 0.25, 0))
        _add(wave, int(start), breaker * (1 - share) * np.take(hiss, start + np.arange(length), mode="wrap"))
    return wave


def _rain(count: int, random: Generator) -> _Wave:
    drops = np.zeros(count)
    places = random.integers(0, count, 900 * LOOP_S)
    np.add.at(drops, places, random.exponential(1.0, len(places)))
    spectrum = np.fft.rfft(drops)
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    spectrum *= 1 / (1 + (1_500 / np.maximum(hz, 1)) ** 4) / (1 + (hz / 7_000) ** 4)
    spatter = np.fft.irfft(spectrum, count)
    return 0.5 * _noise(count, random, 700, 9_000) + spatter / np.abs(spatter).max()


def _birds(count: int, random: Generator) -> _Wave:
    wave = np.zeros(count)
    for _ in range(5):
        base_hz, syllables, song = random.uniform(2_300, 5_000), random.integers(2, 7), random.integers(3)
        start, gap = int(random.integers(count)), random.uniform(0.12, 0.24)
        for syllable in range(syllables):
            time = np.arange(int(random.uniform(0.05, 0.16) * RATE_HZ)) / RATE_HZ
            share = time / time[-1]
            bend = (0.25 * np.sin(2 * np.pi * 22 * time), 0.35 * share, -0.3 * share)[song]
            phase = np.cumsum(base_hz * (1 + bend)) / RATE_HZ
            event = np.sin(np.pi * share) ** 1.5 * np.sin(2 * np.pi * phase) * random.uniform(0.5, 1)
            _add(wave, start + int(syllable * gap * RATE_HZ), event)
    # A wood answers twice, faintly.
    return wave + 0.25 * np.roll(wave, int(0.11 * RATE_HZ)) + 0.12 * np.roll(wave, int(0.23 * RATE_HZ))


def _crickets(count: int, random: Generator) -> _Wave:
    time = np.arange(count) / RATE_HZ
    wave = np.zeros(count)
    for _ in range(5):
        # Whole periods in a loop: only then do end and beginning meet.
        hz, pulse, chirp = (
            round(random.uniform(*span) * LOOP_S) / LOOP_S for span in ((3_900, 5_100), (14, 19), (0.55, 0.9))
        )
        is_on = ((time * chirp + random.random()) % 1) < 0.45
        pulses = np.clip(np.sin(2 * np.pi * pulse * time), 0, 1) ** 2
        wave += np.sin(2 * np.pi * hz * time) * pulses * is_on * random.uniform(0.3, 1)
    return wave


def _fire(count: int, random: Generator) -> _Wave:
    wave = 0.9 * _noise(count, random, 30, 260, 1.0) * _slow(count, random, 1.2, 0.5, 1.0)
    hiss = _noise(count, random, 900, 8_000)
    for _ in range(random.poisson(16 * LOOP_S)):
        length = int(random.uniform(0.003, 0.02) * RATE_HZ)
        start = int(random.integers(count))
        crack = np.exp(-4 * np.arange(length) / length) * random.exponential(0.5)
        _add(wave, start, crack * np.take(hiss, start + np.arange(length), mode="wrap"))
    return wave


def _room(count: int, random: Generator) -> _Wave:
    return _noise(count, random, 30, 180, 1.0)


def _clock(count: int, random: Generator) -> _Wave:
    wave = np.zeros(count)
    tick = np.arange(1_200)
    hiss = _noise(count, random, 1_800, 5_200)
    for second in range(LOOP_S):
        pitch = 2_600 if second % 2 else 2_100  # tick, tock
        ring = np.sin(2 * np.pi * pitch * tick / RATE_HZ)
        _add(wave, second * RATE_HZ, np.exp(-tick / 90) * (ring + 0.6 * hiss[: len(tick)]))
    return wave


def _crowd(count: int, random: Generator) -> _Wave:
    """Voices too many to tell apart: bands like vowels that come and go at the rate of speech."""
    wave = np.zeros(count)
    for low_hz, high_hz in ((200, 500), (450, 900), (800, 1_700), (1_600, 2_800)):
        for _ in range(3):
            speech = _slow(count, random, 4.0, 0.0, 1.0) ** 2
            wave += _noise(count, random, low_hz, high_hz) * speech * (400 / high_hz) ** 0.5
    return wave


def _machines(count: int, random: Generator) -> _Wave:
    time = np.arange(count) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * part * time) / part for part in (1, 2, 3, 4))
    return 0.6 * hum + 0.8 * _noise(count, random, 100, 900, 1.0)


# Kind -> how it is made, and its peak: loud things are louder.
_SOUNDS: dict[str, tuple[Callable[[int, Generator], _Wave], float]] = {
    "wind": (_wind, 0.5),
    "lake": (_lake, 0.5),
    "brook": (_brook, 0.5),
    "sea": (_sea, 0.6),
    "rain": (_rain, 0.45),
    "birds": (_birds, 0.35),
    "crickets": (_crickets, 0.22),
    "fire": (_fire, 0.45),
    "room": (_room, 0.08),
    "clock": (_clock, 0.25),
    "crowd": (_crowd, 0.3),
    "machines": (_machines, 0.2),
}
