"""From an order to a file on disk: price, order, wait, fetch; and on from where an earlier call stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from immersive.errors import DiskFullError, HostedError, TooDearError, is_disk_full
from immersive.generation.backend import Progress

from .paid_jobs import PaidJob, PaidJobs
from .transport import is_refusal

_FIRST_WAIT_S, _LONGEST_WAIT_S, _SLOWER = 2.0, 15.0, 1.3
_PATIENCE_S = 45 * 60.0
_CENT = 0.01  # sums of prices are rounded


class Order(Protocol):
    """What is ordered: a frozen dataclass, all of whose fields name the order."""

    thing: ClassVar[str]  # "clip", for sentences

    @property
    def told(self) -> str:
        """How much of it, for sentences."""
        ...


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """What a clip should be; providers round it to what they offer."""

    thing: ClassVar[str] = "clip"

    prompt: str
    negative: str
    seconds: int
    width: int
    height: int
    seed: int
    model: str
    image: bytes | None = None  # JPEG of the first frame, at the clip's size

    @property
    def told(self) -> str:
        """How much of it, for sentences."""
        return f"{self.seconds} s of video"


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a job is."""

    status: Literal["waiting", "running", "done", "failed"]
    share: float = 0.0  # 0..1, where the provider tells
    reason: str = ""  # of a failure, in the provider's words
    cost_usd: float | None = None  # where the provider tells


class Provider(Protocol):
    """A service that makes something of a prompt: a clip, a world."""

    name: str

    def about_usd(self, order: Any) -> float | None:
        """Return about what an order costs, rather too much than too little; None if it is not known."""
        ...

    def order(self, order: Any, key: str) -> str:
        """Place an order and return the job's id. `key` is the same when the same order is made again."""
        ...

    def state(self, job: str) -> JobState: ...

    def fetch(self, job: str, target: Path) -> None:
        """Write what a job that is done made to `target`, all of it or nothing."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file on disk, and what is to be told about how it came there."""

    path: Path
    notes: tuple[str, ...]


def make_ordered(
    provider: Provider,
    order: Order,
    journal: PaidJobs,
    *,
    suffix: str,
    most_cost_usd: float | None,
    progress: Progress,
    before: int = 0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Return what was ordered, as a file; an order that was made before is fetched and not made again.

    Stopping leaves the job at the provider and its note in the journal, so the same command goes on with it.
    `before` is how many orders of the same price belong to the same scene; all of them together may cost
    `most_cost_usd`.

    Raises:
        TooDearError: It may cost more than `most_cost_usd`, or nobody knows. Nothing was ordered.
        HostedError: The provider refused, failed, or took too long.
        DiskFullError: There is no room for the file.
    """
    facts = asdict(order)  # type: ignore[call-overload]
    key = journal.key(provider.name, {name: value for name, value in facts.items() if value is not None})
    target = journal.result(key, suffix)
    thing = order.thing
    notes: list[str] = []
    paid = journal.find(key)
    if paid is not None and target.exists():
        return Fetched(target, (f"the {thing} that {provider.name} made before was used again",))
    if paid is None:
        about = provider.about_usd(order)
        check_price(provider.name, about, most_cost_usd, order.thing, before=before)
        told = "at a price that is not known" if about is None else f"for about {about:.2f} USD"
        progress(0.0, f"ordering {order.told} {told}")
        notes.append(f"{provider.name} was asked for {order.told} {told}")
        paid = PaidJob(provider.name, provider.order(order, key), time.time(), about)
        journal.note(key, paid)
    else:
        notes.append(
            f"a {thing} that was ordered from {provider.name} before was waited for, none was ordered anew"
        )
    state = _wait(provider, thing, paid.job, progress, clock, sleep)
    if state.status == "failed":
        journal.forget(key)
        if is_refusal(state.reason):
            raise HostedError(
                f"{provider.name} refuses this prompt: {state.reason}", hint="Say it in other words."
            )
        raise HostedError(
            f"{provider.name} could not make the {thing}: {state.reason or 'it does not say why'}",
            hint="Run the same command again to order it anew.",
        )
    progress(0.95, f"fetching the {thing}")
    try:
        provider.fetch(paid.job, target)
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(f"no room on the disk for the {thing} of {provider.name}") from error
        raise
    if state.cost_usd is not None:
        notes.append(f"{provider.name} charged {state.cost_usd:.2f} USD")
    return Fetched(target, tuple(notes))


def check_price(
    name: str, about: float | None, most: float | None, thing: str, *, before: int = 0, count: int = 1
) -> None:
    """Return if `count` orders at about this price, with the ones before, cost no more than `most`.

    Raises:
        TooDearError: They cost more, or nobody knows; never where `most` is None.
    """
    if most is None:
        return
    if about is None:
        raise TooDearError(
            f"what {name} costs is not known, so it cannot be kept below {most:g} USD",
            hint="Leave out --max-cost, or tell the price: see `immersive doctor`.",
        )
    total = before + count
    if total * about > most + _CENT / 2:
        cost = (
            f"{name} would cost about {total * about:.2f} USD{f' for {total} {thing}s' if total > 1 else ''}"
        )
        ordered = f"no further {thing}" if before else "nothing"
        raise TooDearError(
            f"{cost}, more than the {round(most, 2):g} allowed; {ordered} was ordered",
            hint="Raise --max-cost, or ask for less.",
        )


def _wait(
    provider: Provider,
    thing: str,
    job: str,
    progress: Progress,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> JobState:
    began, wait_s = clock(), _FIRST_WAIT_S
    while True:
        state = provider.state(job)
        if state.status in ("done", "failed"):
            return state
        progress(0.05 + 0.9 * min(max(state.share, 0.0), 1.0), f"{provider.name}: {state.status}")
        if clock() - began > _PATIENCE_S:
            raise HostedError(
                f"{provider.name} has not finished within {_PATIENCE_S / 60:.0f} minutes",
                hint=f"Run the same command again later: it goes on waiting for the same {thing}.",
            )
        sleep(wait_s)
        wait_s = min(wait_s * _SLOWER, _LONGEST_WAIT_S)
