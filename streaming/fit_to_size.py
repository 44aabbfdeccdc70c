"""A scene is made to fit: the best picture in so many bytes, or the fewest bytes for so good a picture.

Splats whose removal changes pictures least go first, in rounds; the rest is fitted to the pictures of the
whole scene; colour that depends on the view is given up where more splats in its place look better. Cameras
that choose, cameras that try, and cameras that measure are three different sets. Figures in README.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reconstruction.cameras import Cameras
from reconstruction.errors import InvalidInputError
from reconstruction.kernels.binding import SplatRaster
from reconstruction.splats import SplatCloud

from .contribution import removal_costs
from .fit_limits import Draw, Effort, FileKind, Files, Fitted, Limits, Loss, Progress
from .refine import Rates, fit
from .visits import Stop, visits

_CHOOSING_SEED, _TRYING_SEED, _MEASURING_SEED = 1, 2, 1000
_CHOOSING_PX = 256, 192
# Of the splats. Down to a quarter of 71 000, 4 rounds gain 4.6 dB over one, 8 rounds 0.6 dB more.
_ROUND_KEEPS = 0.7
# Gentler than after merging: these splats were right already. Means move by shares of the usual scale.
_MEAN_RATE = 0.02
_RATES = Rates(scale=0.01, quat=0.003, opacity=0.03, dc=0.01, rest=0.001)
_CLOSE = 0.97  # of the bytes asked for; nearer takes another fit and wins 0.1 dB
_OVER = 1.005  # of the bytes asked for; so little is trimmed without another fit
_MARGIN = 0.995  # what is aimed at
_NEAR_DB = 0.25  # above the decibels asked for, a file is as small as need be
_MOST_TRIES, _REFUSAL_TRIES = 7, 4
_DB_PER_HALVING = 5.0  # 3 to 7 on three scenes
_ROUNDED_DB = 45.0  # above, a kind of file's own rounding is seen as much as what is missing
_NO_LOSS_DB = 99.0  # stands for equal pictures
_EFFORT = Effort()


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    cloud: SplatCloud
    byte_length: int
    psnr_db: float  # on the trying views, as read back


# What stands in a file while the loss is not known: no number is written longer.
_PLACEHOLDER = asdict(Loss(99.99, 99.99, 9999, 99_999_999, 99_999_999, 3))


def fit_to_size(
    cloud: SplatCloud,
    kind: FileKind,
    limits: Limits,
    draw: Draw,
    *,
    choosing_stops: list[Stop],
    measuring_stops: list[Stop],
    background: Sequence[float] = (0.0, 0.0, 0.0),
    effort: Effort = _EFFORT,
    progress: Progress = lambda share, note: None,
) -> Fitted:
    """Return files of `cloud` that keep to `limits` and look as much like it as they can; deterministic.

    With `min_psnr_db` they are the smallest that reach it in the median view. A cloud that fits as it is
    stays as it is.

    Args:
        cloud: At least one splat.
        kind: Of the files.
        limits: At least one.
        draw: Used for measuring; the fit has the kernels' own pictures, whose gradients it needs.
        choosing_stops: Of `visits.stops`.
        measuring_stops: Others: from another seed.
        background: RGB 0..1 behind the splats.
        effort: Less is for tests.
        progress: May raise to stop the work.

    Raises:
        InvalidInputError: The limits contradict each other; the sentence says what can be reached.
        MissingBackendError: The rasteriser is not compiled and there is no compiler.
    """
    search = _Search(cloud, kind, limits, draw, choosing_stops, measuring_stops, background, effort, progress)
    if limits.min_psnr_db is None:
        return search.finished(search.best_within(limits.max_bytes))
    return search.smallest_reaching(limits.min_psnr_db)


class _Search:
    def __init__(
        self,
        cloud: SplatCloud,
        kind: FileKind,
        limits: Limits,
        draw: Draw,
        choosing_stops: list[Stop],
        measuring_stops: list[Stop],
        background: Sequence[float],
        effort: Effort,
        progress: Progress,
    ) -> None:
        self._cloud, self._kind, self._limits, self._draw = cloud, kind, limits, draw
        self._background, self._effort, self._progress = background, effort, progress
        self._said, self._span = 0.0, (0.0, 1.0)
        (width, height), means = _CHOOSING_PX, cloud.means
        self._choosing = visits(
            means, choosing_stops, seed=_CHOOSING_SEED, rounds=effort.rounds, width=width, height=height
        )
        self._trying, self._measuring = (
            visits(
                means, at, seed=seed, rounds=1, width=effort.measuring_px[0], height=effort.measuring_px[1]
            )
            for at, seed in ((choosing_stops, _TRYING_SEED), (measuring_stops, _MEASURING_SEED))
        )
        self._raster = SplatRaster()
        self._rungs = [np.arange(len(cloud))]  # each a `_ROUND_KEEPS` of the one before
        self._targets: NDArray[np.float16] | None = None
        self._truths: dict[int, NDArray[np.float32]] = {}
        self._least = _size(self._encode(cloud.subset(np.arange(1))))
        stored = kind.decode(self._encode(cloud.subset(np.arange(1)))).sh_degree
        self._degree = min(cloud.sh_degree, stored, limits.max_sh_degree)
        self._attempts: dict[int | None, _Attempt] = {}

    # --- What is asked for ----------------------------------------------------------------------------

    def best_within(self, budget: int | None) -> _Attempt:
        """Return the best cloud whose files have at most `budget` bytes."""
        if budget not in self._attempts:
            self._attempts[budget] = self._attempt(budget)
        return self._attempts[budget]

    def smallest_reaching(
        self, wanted_db: float, *, low: tuple[int, float] | None = None, tries: int = _MOST_TRIES
    ) -> Fitted:
        """Return the smallest files whose measured median view has at least `wanted_db`.

        `low`: bytes and decibels that are too few.
        """
        cap = self._limits.max_bytes
        self._span = 0.0, 1 / (_MOST_TRIES + 1)
        best = self.best_within(cap)
        done = self.finished(best)
        if done.loss.psnr_db < wanted_db:
            self._refuse(wanted_db, done)
        # Trying views may flatter: `aim` is what they must show for the measuring ones to agree.
        low, high, aim = low or (self._least, 0.0), (done.byte_length, best.psnr_db), wanted_db
        for number in range(tries):
            if high[1] - aim < _NEAR_DB or high[0] < 1.04 * low[0]:
                break
            budget = _between(low, high, aim + _NEAR_DB / 2)
            self._span = (number + 1) / (_MOST_TRIES + 1), 1 / (_MOST_TRIES + 1)
            attempt = self.best_within(budget)
            if attempt.psnr_db < aim:
                low = (attempt.byte_length, attempt.psnr_db)
                continue
            candidate = self.finished(attempt)
            if candidate.loss.psnr_db >= wanted_db:
                done, high = candidate, (candidate.byte_length, attempt.psnr_db)
            else:
                low = (attempt.byte_length, attempt.psnr_db)
                aim = attempt.psnr_db + wanted_db - candidate.loss.psnr_db
        return done

    def _refuse(self, wanted_db: float, capped: Fitted) -> None:
        """Say what the decibels would need."""
        found_db, cap = capped.loss.psnr_db, self._limits.max_bytes
        limited = self._limits.max_splats is not None or self._limits.max_sh_degree < self._cloud.sh_degree
        if cap is None or limited:
            why = "these limits give" if limited else "this kind of file gives"
            raise InvalidInputError(
                f"{wanted_db:g} dB cannot be reached: {why} {found_db:.1f} dB",
                hint="Ask for less, or for a kind of file that rounds less, such as .glb.",
            )
        whole = self.finished(self.best_within(None))
        gives = f"{_spoken(cap)} gives {found_db:.1f} dB"
        if whole.loss.psnr_db < wanted_db:
            raise InvalidInputError(
                f"{wanted_db:g} dB cannot be reached: {gives}, the whole scene {whole.loss.psnr_db:.1f} dB"
                " in this kind of file",
                hint="Ask for less, or for a kind of file that rounds less, such as .glb.",
            )
        self._limits = replace(self._limits, max_bytes=None)
        found = (capped.byte_length, found_db)
        need = self.smallest_reaching(wanted_db, low=found, tries=_REFUSAL_TRIES).byte_length
        raise InvalidInputError(
            f"{wanted_db:g} dB needs {_spoken(need)}; {gives}", hint="Ask for less, or allow more bytes."
        )

    def finished(self, attempt: _Attempt) -> Fitted:
        """Measure a cloud and write it with its loss."""
        read = self._kind.decode(self._encode(attempt.cloud))
        scores = self._scores(read, self._measuring)
        loss = Loss(
            round(float(np.median(scores)), 2),
            round(float(scores.min()), 2),
            len(scores),
            len(attempt.cloud),
            len(self._cloud),
            attempt.cloud.sh_degree,
        )
        return Fitted(self._kind.encode(attempt.cloud, asdict(loss)), loss)

    def _say(self, share: float, note: str) -> None:
        start, width = self._span
        self._said = max(self._said, start + width * share)
        self._progress(self._said, note)

    # --- How ------------------------------------------------------------------------------------------

    def _attempt(self, budget: int | None) -> _Attempt:
        most = min(len(self._cloud), self._limits.max_splats or len(self._cloud))
        if most == len(self._cloud):
            whole = _cut_degree(self._cloud, self._degree)
            size = _size(self._encode(whole))
            if self._degree == self._cloud.sh_degree and (budget is None or size <= budget):
                return self._tried(whole)
        if budget is not None and budget < self._least:
            raise InvalidInputError(
                f"this scene cannot be smaller than {_spoken(self._least)} in this kind of file,"
                f" got {_spoken(budget)}",
                hint="Ask for more; .sog and .spz leave out all but splats.",
            )
        plans = []
        for degree in range(self._degree + 1) if budget is not None else (self._degree,):
            count = most if budget is None else self._count_within(budget, degree, most)
            plans.append((count, degree))
        if len(plans) > 1:
            # The same number of splats with more colour is never worse; drop what is beaten so.
            plans = [plan for plan in plans if not any(o[0] >= plan[0] and o[1] > plan[1] for o in plans)]
        if len(plans) > 1:
            scored = []
            for number, (count, degree) in enumerate(plans):
                self._say(0.3 + 0.3 * number / len(plans), f"trying colour of degree {degree}")
                draft = self._fitted(count, degree, self._effort.draft_steps)
                scored.append(float(np.median(self._scores(draft, self._trying))))
            plans = [plans[int(np.argmax(scored))]]
        ((count, degree),) = plans
        return self._tried(self._filling(budget, count, degree, most))

    def _filling(self, budget: int | None, count: int, degree: int, most: int) -> SplatCloud:
        """Return fitted splats that fill `budget`; fitted ones pack worse than those they were made from.

        Taking away what is too much after the fit instead costs 1.1 dB (SPZ, half of a forest).
        """
        for steps in (self._effort.draft_steps, self._effort.steps, self._effort.steps):
            if budget is None and steps != self._effort.steps:
                continue
            self._say(0.6 if steps != self._effort.steps else 0.7, f"fitting {count:,} splats")
            cloud = self._fitted(count, degree, steps)
            if budget is None:
                return cloud
            size = _size(self._encode(cloud))
            is_close = size <= _OVER * budget and (size >= _CLOSE * budget or count == most)
            if steps == self._effort.steps and is_close:
                break
            share = (budget * _MARGIN - self._least) / max(size - self._least, 1)
            count = int(np.clip(count * share, 1, most))
        return self._trimmed(cloud, budget)

    def _count_within(self, budget: int, degree: int, most: int) -> int:
        """Return how many splats of a degree fill `budget` bytes; sizes are almost linear in them."""
        goal, count = budget * _MARGIN - self._least, most
        for _ in range(3):
            size = _size(self._encode(self._kept(count, degree))) - self._least
            if size <= goal and (count == most or size > _CLOSE * goal):
                break
            count = int(np.clip(goal / max(size, 1) * count, 1, most))
        return count

    def _kept(self, count: int, degree: int) -> SplatCloud:
        """Return the splats that pictures can least do without, in their first order."""
        while len(self._rungs[-1]) * _ROUND_KEEPS > count:
            self._rungs.append(self._shrunk(self._rungs[-1], int(len(self._rungs[-1]) * _ROUND_KEEPS)))
        rung = next(rung for rung in reversed(self._rungs) if len(rung) >= count)
        index = rung if len(rung) == count else self._shrunk(rung, count)
        return _cut_degree(self._cloud.subset(index), degree)

    def _shrunk(self, index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        self._say(0.3 * (1 - count / len(self._cloud)), "looking for what nobody sees")
        return index[self._dearest(self._cloud.subset(index), count)]

    def _dearest(self, cloud: SplatCloud, count: int) -> NDArray[np.int64]:
        costs = removal_costs(cloud, self._choosing, background=self._background)
        return np.sort(np.argsort(-costs, kind="stable")[:count])

    def _fitted(self, count: int, degree: int, steps: int) -> SplatCloud:
        cloud = self._kept(count, degree)
        if self._targets is None:
            # Half precision: 170 MB instead of 340, and 1/2000 of white is less than files keep.
            self._targets = _pictures(self._draw, self._cloud, self._choosing, self._background, np.float16)
        rates = replace(_RATES, mean=_MEAN_RATE * float(np.median(cloud.scales)))
        return fit(
            self._raster,
            cloud,
            self._choosing,
            self._targets,
            steps=steps,
            rates=rates,
            background=self._background,
        )

    def _trimmed(self, cloud: SplatCloud, budget: int) -> SplatCloud:
        """Take splats away until the files fit: what was fitted may pack worse than what it was made from."""
        while (size := _size(self._encode(cloud))) > budget:
            share = (budget - self._least) / max(size - self._least, 1)
            count = min(int(len(cloud) * share * 0.998), len(cloud) - 1)
            if count < 1:
                raise InvalidInputError(f"no splat fits into {_spoken(budget)}", hint="Ask for more bytes.")
            cloud = cloud.subset(self._dearest(cloud, count))
        return cloud

    def _tried(self, cloud: SplatCloud) -> _Attempt:
        files = self._encode(cloud)
        scores = self._scores(self._kind.decode(files), self._trying)
        return _Attempt(cloud, _size(files), float(np.median(scores)))

    def _encode(self, cloud: SplatCloud) -> Files:
        return self._kind.encode(cloud, _PLACEHOLDER)

    def _scores(self, cloud: SplatCloud, cameras: Cameras) -> NDArray[np.float64]:
        """Return the PSNR [F] against the whole scene."""
        if id(cameras) not in self._truths:
            pictures = _pictures(self._draw, self._cloud, cameras, self._background)
            self._truths[id(cameras)] = np.clip(pictures, 0, 1)
        truth = self._truths[id(cameras)]
        found = []
        for picture, right in zip(self._draw(cloud, cameras, self._background), truth, strict=True):
            error = float(np.mean((np.clip(picture, 0, 1) - right) ** 2, dtype=np.float64))
            found.append(min(_NO_LOSS_DB, -10 * math.log10(max(error, 1e-12))))
        return np.array(found)


def _pictures(
    draw: Draw,
    cloud: SplatCloud,
    cameras: Cameras,
    background: Sequence[float],
    dtype: DTypeLike = np.float32,
) -> NDArray:
    pictures = np.empty((len(cameras), cameras.height, cameras.width, 3), dtype)
    for picture, drawn in zip(pictures, draw(cloud, cameras, background), strict=True):
        picture[:] = drawn
    return pictures


def _between(low: tuple[int, float], high: tuple[int, float], wanted_db: float) -> int:
    """Return the bytes at which decibels are expected, which grow about with the logarithm of bytes."""
    (low_bytes, low_db), (high_bytes, high_db) = low, high
    if low_db == 0:
        # What a file rounds says nothing about how much can go.
        halvings = 1.0 if high_db >= _ROUNDED_DB else max((high_db - wanted_db) / _DB_PER_HALVING, 0.1)
        return max(low_bytes + 1, int(high_bytes / 2**halvings))
    if high_db >= _ROUNDED_DB:
        share = (wanted_db - low_db) / _DB_PER_HALVING / math.log2(high_bytes / low_bytes)
    else:
        share = (wanted_db - low_db) / (high_db - low_db)
    return int(low_bytes * (high_bytes / low_bytes) ** min(max(share, 0.1), 0.9))


def _cut_degree(cloud: SplatCloud, degree: int) -> SplatCloud:
    return cloud if cloud.sh_degree <= degree else replace(cloud, sh=cloud.sh[:, : (degree + 1) ** 2].copy())


def _size(files: Files) -> int:
    return sum(len(data) for data in files.values())


def _spoken(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} KB"
