"""Evaluate: the same as ``pgrobot evaluate``."""

import sys

from pgrobot.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
