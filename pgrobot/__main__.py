"""``python -m pgrobot`` is the command ``pgrobot``."""

import sys

from pgrobot.cli import main

sys.exit(main())
