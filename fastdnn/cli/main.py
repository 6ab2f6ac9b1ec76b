"""The parser of the command line, and what becomes of errors."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from fastdnn._version import VERSION
from fastdnn.cli import bench, info, predict, train, warm_up
from fastdnn.cli.failures import Failure

_INTERRUPTED = 130
_COMMANDS = train, predict, info, warm_up, bench


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    result = argparse.ArgumentParser(
        prog="fastdnn", description="Neural networks for tables, on the command line."
    )
    result.add_argument("--version", action="version", version=f"fastdnn {VERSION}")
    result.add_argument(
        "--debug", action="store_true", help="show where in the code an error comes from"
    )
    commands = result.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command in _COMMANDS:
        text = (command.__doc__ or "").split("\n")[0]
        one = commands.add_parser(
            command.NAME, help=text[0].lower() + text[1:].rstrip("."), description=text
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    return result


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status.

    That is 0; 1 for an error that was said on stderr; 2 for arguments that are none; 130 after
    Ctrl-C.
    """
    given = parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            # A line each, without the line of code, which is not the user's.
            warnings.showwarning = _show_warning
            given.run(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("fastdnn: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read stdout has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Failure, ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        if given.debug:
            raise
        print(f"fastdnn: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    print(f"fastdnn: warning: {message}", file=sys.stderr)
