"""Advantage estimators: pure functions of all reward and cost columns at once."""

from pgrobot.estimators.gae import gae
from pgrobot.estimators.scan import reverse_scan

__all__ = ["gae", "reverse_scan"]
