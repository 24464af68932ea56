"""Sweeps: many runs from one command, and one table of what they came to."""

from pgrobot.sweep.launch import report, run_sweep
from pgrobot.sweep.names import register_resolvers

__all__ = ["register_resolvers", "report", "run_sweep"]
