"""``python -m fastdnn``: the command line."""

import sys

from fastdnn.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
