"""What is limited and by how much, how far it is spent, and prices that make a policy keep to it."""

from pgrobot.constraints.budgets import UNITS, Constraint, CostColumns, unattainable
from pgrobot.constraints.inference import BOUNDS, check_bound
from pgrobot.constraints.lagrangian import Lagrangian
from pgrobot.constraints.measure import measure
from pgrobot.constraints.pid import PID
from pgrobot.constraints.sample import Spending
from pgrobot.constraints.unconstrained import Unconstrained
from pgrobot.constraints.verdict import Verdict, judge

__all__ = [
    "BOUNDS",
    "PID",
    "UNITS",
    "Constraint",
    "CostColumns",
    "Lagrangian",
    "Spending",
    "Unconstrained",
    "Verdict",
    "check_bound",
    "judge",
    "measure",
    "unattainable",
]
