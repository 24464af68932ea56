"""``pgrobot report``."""

from __future__ import annotations

import sys
from pathlib import Path

from pgrobot.commands.parser import Parser


def report(words: list[str]) -> int:
    """``pgrobot report``: a run on one page."""
    parser = Parser(
        prog="pgrobot report",
        description="Write a run on one page, <run>/report.html: verdicts, health, films, learning curves with their "
        "budgets, gradients and violations by actuator and joint, the config and the command that runs it again. The "
        "page is one file that loads nothing. Its drawings are written to <run>/figures/report/ as SVG and PNG. A run "
        "that goes on, or was stopped, is shown as far as it has come. The exit status is 0 where the page is "
        "written, also if the run takes no drawings, which is said.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--output", type=Path, help="the file to write (default: <run>/report.html)")
    parser.add_argument(
        "--no-videos", action="store_true", help="leave the films out, which make the page large"
    )
    asked = parser.parse_args(words)
    from pgrobot.report import PAGE, write_report

    written = write_report(asked.run, asked.output or asked.run / PAGE, videos=not asked.no_videos)
    for remark in written.remarks:
        print(remark)
    if written.not_kept:
        print(written.not_kept, file=sys.stderr)
    print(written.page)
    return 0
