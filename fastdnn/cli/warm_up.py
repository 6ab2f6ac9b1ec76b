"""Compile what will be needed, so that no later process waits for it."""

import argparse

NAME = "warmup"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--dtype", choices=["float32", "float64"], default="float32", help="(default: float32)"
    )
    parser.add_argument(
        "--everything",
        action="store_true",
        help="every activation, loss and optimiser, and not only scikit-learn's",
    )


def run(given: argparse.Namespace) -> None:
    """Compile, and print where the code is kept."""
    from fastdnn._warmup import warmup
    from fastdnn.cli.failures import Failure

    try:
        folder = warmup(given.dtype, given.everything)
    except RuntimeError as error:
        raise Failure(str(error)) from error
    if folder is None:
        print("Nothing is compiled with NUMBA_DISABLE_JIT=1.")
    else:
        print(f"Compiled code is in {folder}.")
