"""`make bench`: every benchmark that fits in some minutes, one table each and one of all of them."""

from __future__ import annotations

import sys
from importlib import import_module

from tests.bench.rows import Row, publish

# In the order of the way: kernels, whole scenes, assets, delivery.
SUITES = ("raster", "scene", "walk", "asset", "generation", "delivery")


def main(names: tuple[str, ...]) -> int:
    """Run the named suites; exit status 1 if a goal was missed."""
    rows: list[Row] = []
    for name in names:
        found = import_module(f"tests.bench.{name}").rows()
        publish(name, found)
        rows += found
    publish("all", rows)
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:]) or SUITES))
