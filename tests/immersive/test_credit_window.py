"""Credit: one message for many chunks, never later than the hold, the same here and in the page."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from immersive.credit_window import FIRST_WINDOW_BYTES, CreditWindow

# Made by `story` and read by viewer/tests/credit.test.ts as well.
_GOLDEN = Path(__file__).resolve().parents[2] / "viewer" / "tests" / "credit.golden.json"


def story() -> list[list[float]]:
    """Return [what, argument, time in ms] of a visit: round trips, arrivals, what is used up, holds over."""
    rng = random.Random(5)
    steps: list[list[float]] = []
    now = 0.0
    for part, rate in enumerate((2_500, 12_500, 300)):  # bytes a millisecond
        steps.append([0, (41.0, 19.5, 103.0)[part], now])
        for _ in range(120):
            size = rng.choice((900, 17_003, 33_001, 57_012))
            now += size / rate * rng.uniform(0.8, 1.3)
            steps.append([1, size, now])
            steps.append([2, size, now])
            if rng.random() < 0.2:
                steps.append([3, 0, now])
    return steps


def told(steps: list[list[float]]) -> list[int]:
    """Return what a window says to each step."""
    window, found = CreditWindow(), []
    for what, argument, now_ms in steps:
        answer = 0
        if what == 0:
            window.measure_round_trip(argument / 1000)
        elif what == 1:
            window.arrive(int(argument), now_ms / 1000)
        else:
            answer = window.release(int(argument)) if what == 2 else window.flush()
        found.append(answer)
    return found


def test_the_page_and_python_give_the_same_credit() -> None:
    golden = json.loads(_GOLDEN.read_text())

    assert golden["steps"] == story()
    assert told(golden["steps"]) == golden["credit"]


def test_all_that_was_used_comes_back_but_for_what_the_window_changed() -> None:
    window = CreditWindow()
    given = 0
    for step in range(400):
        window.measure_round_trip(0.04)
        window.arrive(3_000, step / 100)
        given += window.release(3_000)
    given += window.flush()

    assert given - 400 * 3_000 == window.bytes - FIRST_WINDOW_BYTES
    assert window.flush() == 0


@pytest.mark.parametrize("size", [500, 8_000, 40_000])
def test_less_than_an_eighth_of_the_window_is_held_back(size: int) -> None:
    window = CreditWindow()
    held = 0
    for _ in range(100):
        answer = window.release(size)
        held = 0 if answer else held + size
        assert held < FIRST_WINDOW_BYTES / 8
    window.flush()
    messages = sum(window.release(size) > 0 for _ in range(640))
    assert messages == 640 // math.ceil(FIRST_WINDOW_BYTES / 8 / size)


if __name__ == "__main__":  # writes the golden anew
    _GOLDEN.write_text(json.dumps({"steps": story(), "credit": told(story())}) + "\n")
