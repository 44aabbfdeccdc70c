"""The command line. Bodies import late, so `immersive --help` loads no heavy package.

Results go to standard output, everything else to standard error. Exit status: 0 done, 1 a failure we
explain, 2 wrong usage, 3 unsigned (of `verify`), 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer

from reconstruction.errors import ImmersiveError

# In the order in which --help lists their commands.
# isort: off
from . import making  # noqa: F401
from . import scenes  # noqa: F401
from . import links  # noqa: F401
from . import files  # noqa: F401
from . import upkeep  # noqa: F401
from . import jobs  # noqa: F401
from . import reports  # noqa: F401

# isort: on
from .options import app

# Typer carries its own copy of click and exports few of its errors; this is the base of those about usage.
_UsageError: Any = typer.BadParameter.__base__


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; no traceback reaches a user for a failure we explain."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in arguments
    try:
        status = app(arguments, prog_name="immersive", standalone_mode=False)
    except _UsageError as error:
        hint = f"See `{error.ctx.command_path} --help`." if error.ctx else "See `immersive --help`."
        return _fail("usage", _one_line(error.format_message()), hint, as_json, status=2)
    except ImmersiveError as error:
        return _fail(error.code, _one_line(str(error)), error.hint, as_json, status=1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", "stopped", "Run the same command again to go on.", as_json, status=130)
    except BrokenPipeError:  # the reader of our output left, as in `immersive list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(
            "os_error", _one_line(str(error)), "Check the path and its permissions.", as_json, status=1
        )
    return status if isinstance(status, int) else 0


def _fail(code: str, message: str, hint: str | None, as_json: bool, *, status: int) -> int:
    if as_json:
        problem: dict[str, Any] = {"code": code, "message": message, "hint": hint}
        print(json.dumps({"error": problem}, ensure_ascii=False))
    else:
        print(f"immersive: {message}", file=sys.stderr)
        if hint:
            print(f"  {hint}", file=sys.stderr)
    return status


def _one_line(text: str) -> str:
    return " ".join(text.split())
