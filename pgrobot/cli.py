"""The command ``pgrobot``: train, evaluate, certify, watch, probe, record, report, health, sweep, exact, export, …."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from pgrobot.commands.certify import certify
from pgrobot.commands.evaluate import evaluate
from pgrobot.commands.exact import exact
from pgrobot.commands.export import export
from pgrobot.commands.health import health
from pgrobot.commands.play import play
from pgrobot.commands.port import port
from pgrobot.commands.probe import probe
from pgrobot.commands.record import record
from pgrobot.commands.report import report
from pgrobot.commands.sweep import sweep
from pgrobot.commands.train import train
from pgrobot.commands.variance import variance
from pgrobot.commands.verify import verify
from pgrobot.errors import PgrobotError, nearest

VERBS: Mapping[str, Callable[[list[str]], int]] = {
    "train": train,
    "evaluate": evaluate,
    "certify": certify,
    "verify": verify,
    "report": report,
    "health": health,
    "play": play,
    "probe": probe,
    "record": record,
    "sweep": sweep,
    "exact": exact,
    "variance": variance,
    "export": export,
    "port": port,
}

BROKEN_PIPE = 1
UNREAD = (errno.EPIPE, errno.EIO)  # a pipe without a reader, a terminal that was closed
UNFORESEEN = 1
USAGE = """\
pgrobot trains robots under safety budgets.

  pgrobot train [key=value ...]     train the default robot under its budgets, or any other; pgrobot train --help
  pgrobot evaluate RUN              judge a run's best policy against its budgets; pgrobot evaluate --help
  pgrobot certify RUN               a certificate of a run's best policy, which others can check; pgrobot certify --help
  pgrobot verify CERTIFICATE        whether a certificate is true: hashes, figures, episodes; pgrobot verify --help
  pgrobot report RUN                a run on one page, with all its drawings; pgrobot report --help
  pgrobot health RUN                what is wrong with a run, and what to do; pgrobot health --help
  pgrobot play RUN                  watch a run's policy, in a window or as a film; pgrobot play task=hopper agent=sine
  pgrobot probe RUN                 what is spent of every cost, to choose a budget; pgrobot probe task=hopper
  pgrobot record RUN                episodes of a run's policy, for others to learn from; pgrobot record --help
  pgrobot sweep DIR                 the table of a sweep's results (pgrobot train -m ... makes a sweep)
  pgrobot exact [CHECK ...]         prove what trains on closed forms; pgrobot exact --list
  pgrobot variance RUN              what each baseline does to a policy's gradient; pgrobot variance --help
  pgrobot export RUN                a run's best policy as ONNX; pgrobot export --help
  pgrobot port RUN task=...         a run's policy for another robot, by names; pgrobot port --help
  pgrobot --version                 which pgrobot this is

Start with: pgrobot train"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 is success, 2 is bad input, 1 is anything else: a run or a job that failed, a budget that is not satisfied, a bug;
    130 and 143 say that a signal stopped it.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Warnings are for the user; a display that is alive prints them above itself.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        status = _run(words)
        sys.stdout.flush()  # here, where it is met with silence that nobody reads it, and not when Python ends
        return status
    except PgrobotError as error:
        print(f"pgrobot: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("pgrobot: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - it is told with its traceback, as Python would
        if isinstance(error, OSError) and error.errno in UNREAD:
            # Whoever read our output has gone; Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        traceback.print_exc()
        print(
            "\npgrobot: This was not foreseen. If it is not the fault of something else that the lines above name, "
            "please report it, with them and the command.",
            file=sys.stderr,
        )
        return UNFORESEEN


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0
    if words[0] == "--version":
        from pgrobot.provenance import this_version

        print(this_version())
        return 0
    if words[0] not in VERBS:
        raise PgrobotError(f"There is no command {words[0]!r}: {nearest(words[0], VERBS)}")
    return VERBS[words[0]](words[1:])
