"""Train: the same as ``pgrobot train``."""

import sys

from pgrobot.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
