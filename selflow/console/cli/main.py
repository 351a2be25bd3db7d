"""The console script: exit codes, and errors as one sentence and a hint. The commands are in
``app``.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence

from selflow.console.cli.invoke import FLAGS, make_invocation
from selflow.core.errors import SelFlowError

_INTERRUPTED, _TERMINATED = 130, 143


def main() -> None:
    """The console script ``selflow``."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run one command line; returns its exit code (docs/cli.md#command-line)."""
    try:
        code = _run(args)
        sys.stdout.flush()
    except SelFlowError as error:
        return _fail(
            "--json" in args, error.code, error.status, str(error), error.hint, error.exit_code
        )
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader had enough (``selflow events | head``); what is left in the buffer must not be
        # tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        detail = f"cannot use{named}: {error.strerror or type(error).__name__}"
        return _fail(
            "--json" in args,
            "bad_request",
            400,
            detail,
            "check that it exists, its mode and the space left",
            1,
        )
    return code


def _run(args: Sequence[str]) -> int:
    """``status`` without Typer, whose import and parameter models cost 300 ms: bars and prompts ask
    for it often.
    """
    given = set(args)
    if given - FLAGS == {"status"} and args.count("status") == 1:
        from selflow.console.cli.status_report import status_report

        return status_report(make_invocation(given & FLAGS))
    from selflow.console.cli.app import invoke

    return invoke(args)


def _fail(is_json: bool, code: str, status: int, detail: str, hint: str, exit_code: int) -> int:  # noqa: FBT001
    if is_json:
        problem = {
            "type": f"urn:selflow:error:{code}",
            "status": status,
            "code": code,
            "detail": detail,
            "hint": hint,
        }
        sys.stderr.write(json.dumps(problem, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"error: {detail}\n" + (f"hint: {hint}\n" if hint else ""))
    return exit_code
