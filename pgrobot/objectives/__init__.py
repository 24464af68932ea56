"""Terms of the policy objective, each a pure function of a policy and a batch, to be maximised."""

from pgrobot.objectives.auxiliary import Auxiliary
from pgrobot.objectives.budgets import BudgetPenalty, InteriorPoint
from pgrobot.objectives.control import ControlVariate
from pgrobot.objectives.demonstration import Demonstration
from pgrobot.objectives.entropy import Entropy, EstimatedEntropy
from pgrobot.objectives.forward_dynamics import ForwardDynamics
from pgrobot.objectives.gated import GatedRatio
from pgrobot.objectives.generalized import GeneralizedClippedRatio
from pgrobot.objectives.imitation import Cloning, SelfImitation
from pgrobot.objectives.inverse_dynamics import InverseDynamics
from pgrobot.objectives.kl import AdaptiveKLPenalty, KLPenalty, ReverseKLPenalty
from pgrobot.objectives.policy_gradient import (
    ClippedRatio,
    DecoupledClippedRatio,
    Likelihood,
    Ratio,
    SimplePolicyOptimization,
)
from pgrobot.objectives.prior import KLToPrior, L2ToPrior
from pgrobot.objectives.term import (
    FixedWeight,
    Objective,
    PolicyAt,
    PriorAt,
    Supplied,
    TermContext,
    TermFactory,
)

__all__ = [
    "AdaptiveKLPenalty",
    "Auxiliary",
    "BudgetPenalty",
    "ClippedRatio",
    "Cloning",
    "ControlVariate",
    "DecoupledClippedRatio",
    "Demonstration",
    "Entropy",
    "EstimatedEntropy",
    "FixedWeight",
    "ForwardDynamics",
    "GatedRatio",
    "GeneralizedClippedRatio",
    "InteriorPoint",
    "InverseDynamics",
    "KLPenalty",
    "KLToPrior",
    "L2ToPrior",
    "Likelihood",
    "Objective",
    "PolicyAt",
    "PriorAt",
    "Ratio",
    "ReverseKLPenalty",
    "SelfImitation",
    "SimplePolicyOptimization",
    "Supplied",
    "TermContext",
    "TermFactory",
]
