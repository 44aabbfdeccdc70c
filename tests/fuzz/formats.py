"""Damaged files through every reader: a precise error or a cloud of numbers, soon and in little memory.

Run from the repository root: python -m tests.fuzz.formats [--cases N] [--seed S] [--only NAME] [--resume],
or --only NAME --case N for one again. A case is a good file of `parsers` after a change of `damage`.
Processes say which case they are at before it is read, so that one which kills its process is known.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import mmap
import os
import resource
import signal
import struct
import sys
import time
import warnings
from pathlib import Path
from random import Random
from types import FrameType

from streaming.errors import AssetFormatError
from tests.fuzz.parsers import PARSERS, Parser

_MOST_SECONDS = 1.0  # of processor time for one file
_MOST_RSS_KB = 512 * 1024
_BATCH = 250  # cases that a process takes at a time
_ROW = struct.Struct("6q")  # case, cases, opened, slowest and all nanoseconds, largest resident kilobytes
_LOG = Path(__file__).resolve().parents[2] / "build" / "fuzz" / "formats.jsonl"


class _TooSlow(BaseException):
    """Raised inside a reader, and no kind of error that one could catch."""


def case(parser: Parser, name: str, seed: int, index: int) -> bytes:
    """Return the file of one case; every second of them is a small change, until each was made."""
    place = index // 2 if index % 2 == 0 else -1
    for one in parser.seeds:
        if 0 <= place < one.sweep_size:
            return one.sweep(place)
        place -= one.sweep_size
    rng = Random(f"{seed} {name} {index}")
    return rng.choice(parser.seeds).random(rng, rng.choice(parser.seeds))


def read(parser: Parser, data: bytes) -> bool:
    """Return whether the reader opened a file; it must refuse in one sentence or open it rightly."""
    try:
        parser.read(data)
    except AssetFormatError as error:
        assert "\n" not in str(error) and 10 < len(str(error)) < 400, error
        return False
    return True


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlow


def _limit_memory() -> None:
    """Let this process take half a gigabyte more than it holds; what asks for more fails at once."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0]) if sys.platform == "linux" else 0
    if pages:
        limit = pages * resource.getpagesize() + _MOST_RSS_KB * 1024
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _work(name: str, seed: int, batches: range, cases: int, board: mmap.mmap, place: int) -> None:
    parser = PARSERS[name]()
    signal.signal(signal.SIGPROF, _too_slow)
    _limit_memory()
    done = opened = slowest = spent = 0
    for batch in batches:
        for index in range(batch * _BATCH, min(cases, (batch + 1) * _BATCH)):
            struct.pack_into("q", board, _ROW.size * place, index)
            data = case(parser, name, seed, index)
            begin = time.process_time_ns()
            signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
            opened += read(parser, data)
            signal.setitimer(signal.ITIMER_PROF, 0)
            took = time.process_time_ns() - begin
            done, spent, slowest = done + 1, spent + took, max(slowest, took)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert peak <= _MOST_RSS_KB, f"{peak} KB"
        _ROW.pack_into(board, _ROW.size * place, index, done, opened, slowest, spent, peak)


def run(name: str, seed: int, cases: int) -> dict[str, float | str]:
    """Send damaged files through one reader in one process per core; the figures of the run."""
    workers = len(os.sched_getaffinity(0))
    board = mmap.mmap(-1, _ROW.size * workers)  # shared with the children
    children = {}
    for place in range(workers):
        child = os.fork()
        if not child:
            faulthandler.enable()
            warnings.simplefilter("error")  # a silent overflow is a wrong number
            # What it raises ends the child with a traceback and status 1.
            _work(name, seed, range(place, -(-cases // _BATCH), workers), cases, board, place)
            os._exit(0)
        children[child] = place
    failed = 0
    while children:
        child, status = os.wait()
        place = children.pop(child)
        if status:
            failed += 1
            (index,) = struct.unpack_from("q", board, _ROW.size * place)
            print(
                f"again: python -m tests.fuzz.formats --seed {seed} --only {name} --case {index}", flush=True
            )
    rows = [_ROW.unpack_from(board, _ROW.size * place) for place in range(workers)]
    _, done, opened, slowest, spent, peak = zip(*rows, strict=True)
    return {
        "parser": name,
        "seed": seed,
        "inputs": sum(done),
        "refused": sum(done) - sum(opened),
        "opened": sum(opened),
        "slowest_ms": round(max(slowest) / 1e6, 1),
        "mean_us": round(sum(spent) / max(sum(done), 1) / 1e3, 1),
        "peak_rss_mb": max(peak) // 1024,
        "failed": failed,
    }


def run_again(name: str, seed: int, index: int) -> None:
    """Run one case in this process."""
    parser = PARSERS[name]()
    data = case(parser, name, seed, index)
    print(f"{len(data)} bytes: {data[:2000]!r}")
    warnings.simplefilter("error")
    faulthandler.dump_traceback_later(10 * _MOST_SECONDS, exit=True)
    print("opened" if read(parser, data) else "refused")


def _finished(seed: int, cases: int) -> dict[str, dict[str, float | str]]:
    """Return the rows of earlier runs that need not be repeated, by parser."""
    lines = _LOG.read_text("utf-8").splitlines() if _LOG.is_file() else []
    rows = [json.loads(line) for line in lines]
    return {
        row["parser"]: row
        for row in rows
        if row["seed"] == seed and row["inputs"] >= cases and not row["failed"]
    }


def main(arguments: list[str] | None = None) -> int:
    """Fuzz and print a table; exit status 1 if a reader failed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cases", type=int, default=1_000_000, help="for each reader")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", choices=list(PARSERS), nargs="+", default=list(PARSERS))
    options.add_argument("--case", type=int, help="only the one of this number, in this process")
    options.add_argument(
        "--resume", action="store_true", help="keep the rows that a run of this seed finished"
    )
    chosen = options.parse_args(arguments)
    if chosen.case is not None:
        run_again(chosen.only[0], chosen.seed, chosen.case)
        return 0
    kept = _finished(chosen.seed, chosen.cases) if chosen.resume else {}
    _LOG.parent.mkdir(parents=True, exist_ok=True)
    print(
        f"{'parser':<15}{'inputs':>10}{'refused':>10}{'opened':>10}{'slowest ms':>12}{'mean us':>9}{'MB':>6}"
    )
    failed = 0
    for name in chosen.only:
        row = kept.get(name) or run(name, chosen.seed, chosen.cases)
        if name not in kept:
            with _LOG.open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
        failed += int(row["failed"])
        numbers = "".join(f"{row[key]:>10,}" for key in ("inputs", "refused", "opened"))
        print(
            f"{name:<15}{numbers}{row['slowest_ms']:>12}{row['mean_us']:>9}{row['peak_rss_mb']:>6}"
            + ("  FAILED" if row["failed"] else ""),
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
