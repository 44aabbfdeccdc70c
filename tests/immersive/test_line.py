"""The emulated line of `make bench-delivery` does to packets what it says; figures rest on it."""

from __future__ import annotations

import pytest

from immersive.credit_window import FIRST_WINDOW_BYTES, CreditWindow
from tests.bench.line import Line, Shaper


def arrivals(line: Line, sent: list[tuple[float, int]]) -> list[tuple[float, bytes]]:
    """Send packets of (time, size) and look in steps of a tenth of a millisecond."""
    shaper, found, waiting = Shaper(line), [], list(sent)
    for tick in range(20_000):
        now = tick / 10_000
        while waiting and waiting[0][0] <= now:
            shaper.push(bytes(waiting.pop(0)[1]), now)
        while (packet := shaper.pop(now)) is not None:
            found.append((now, packet))
    return found


def test_a_packet_takes_half_the_round_trip_and_its_own_length() -> None:
    ((at_s, _),) = arrivals(Line(mbit_s=8, rtt_ms=60), [(0.1, 1000)])

    assert at_s == pytest.approx(0.1 + 0.030 + 1000 / 1e6, abs=2e-4)


def test_packets_leave_at_the_rate_of_the_line_and_in_order() -> None:
    found = arrivals(Line(mbit_s=8, rtt_ms=20), [(0.0, 1000 + i) for i in range(50)])

    assert [len(packet) for _, packet in found] == [1000 + i for i in range(50)]
    assert found[-1][0] - found[0][0] == pytest.approx(sum(range(1001, 1050)) / 1e6, abs=2e-4)


def test_what_the_queue_cannot_hold_is_dropped() -> None:
    line = Line(mbit_s=8, rtt_ms=20)  # 100 ms of it are 100 000 bytes

    found = arrivals(line, [(0.0, 1000)] * 300)

    assert len(found) in (99, 100)  # to a rounding


def test_as_many_packets_are_lost_as_it_says() -> None:
    sent = [(i / 1e3, 100) for i in range(1500)]

    found = arrivals(Line(mbit_s=100, rtt_ms=20, loss=0.1), sent)

    assert 1290 <= len(found) <= 1410  # 1350, five standard deviations of 11.6


def test_the_window_follows_the_line_and_not_its_worst_moment() -> None:
    window = CreditWindow()
    window.measure_round_trip(0.3)  # drawn out by a busy machine
    window.measure_round_trip(0.04)
    given = 0
    for step in range(300):
        window.arrive(25_000, step / 100)  # 2.5 MB/s
        given += window.release(25_000)

    given += window.flush()
    settled = window.bytes
    assert settled == pytest.approx(2.5e6 * (2 * 0.04 + 0.01) + 16_384, rel=0.05)
    assert given - 300 * 25_000 == settled - FIRST_WINDOW_BYTES
    for step in range(300, 400):
        window.arrive(1_000, step / 100)
        window.release(1_000)
    window.flush()
    assert window.bytes == settled


def test_a_window_never_takes_back_what_is_on_its_way() -> None:
    window = CreditWindow()
    window.measure_round_trip(0.001)
    window.arrive(1_000, 0.0)
    window.arrive(1_000, 1.0)

    assert window.release(1_000) == 0
    assert window.flush() == 0
    assert window.bytes == FIRST_WINDOW_BYTES - 1_000
