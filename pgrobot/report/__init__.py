"""A run on one page: what came of it, how it learnt, where gradient and violations lie, and how to run it again.

`write_report` reads a run directory and writes ``report.html`` and the figures into it. A new section is one function
from a `Story` to drawings and one row of `pgrobot.report.sections.SECTIONS`.
"""

from pgrobot.report.reading import Story, read_story
from pgrobot.report.writing import Written, write_report
from pgrobot.run_directory import REPORT as PAGE

__all__ = ["PAGE", "Story", "Written", "read_story", "write_report"]
