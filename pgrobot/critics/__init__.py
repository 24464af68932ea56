"""Critics: modules that predict the return of every reward and cost column."""

from pgrobot.critics.mlp import MlpCritic

__all__ = ["MlpCritic"]
