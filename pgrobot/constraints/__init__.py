"""What is limited and by how much, how far it is spent, and prices that make a policy keep to it."""

from pgrobot.constraints.augmented import AugmentedLagrangian
from pgrobot.constraints.budgets import UNITS, Constraint, CostColumns, unattainable
from pgrobot.constraints.crpo import Switching
from pgrobot.constraints.inference import BOUNDS, check_bound
from pgrobot.constraints.lagrangian import Lagrangian
from pgrobot.constraints.measure import measure
from pgrobot.constraints.pid import PID
from pgrobot.constraints.sample import Spending
from pgrobot.constraints.tightening import FIXED, Tightening, TighteningRule, tightening_of
from pgrobot.constraints.unconstrained import Unconstrained
from pgrobot.constraints.unvaried import Unvaried
from pgrobot.constraints.verdict import Conclusion, Verdict, conclude, judge

__all__ = [
    "BOUNDS",
    "FIXED",
    "PID",
    "UNITS",
    "AugmentedLagrangian",
    "Conclusion",
    "Constraint",
    "CostColumns",
    "Lagrangian",
    "Spending",
    "Switching",
    "Tightening",
    "TighteningRule",
    "Unconstrained",
    "Unvaried",
    "Verdict",
    "check_bound",
    "conclude",
    "judge",
    "measure",
    "tightening_of",
    "unattainable",
]
