"""Words of Stable-Baselines3, CleanRL and their like, and what pgrobot calls the same."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from pgrobot.errors import nearest

RATE = "algorithm.policy_solver.rate.initial and algorithm.critic_solver.rate.initial"
HORIZON = "horizon, steps per environment and iteration"
MINIBATCH = "algorithm.policy_solver.minibatch, in steps"
PASSES = "algorithm.passes"
CLIP = "algorithm.objective.surrogate.clip"
ENTROPY = "algorithm.objective.entropy.weight"
CRITIC = "algorithm.critic_solver, as the critic is fitted apart and its loss has no weight"
NORM = "algorithm.policy_solver.max_gradient_norm and algorithm.critic_solver.max_gradient_norm"
TASK = "task, as in task=hopper or task=gymnasium with task.id=<id>"
LAYERS = "policy.body.hidden and critic.body.hidden"
STANDARD = "algorithm.normalisation"
DEVICE = "device, which is cpu: networks of this size are fastest there"
BUDGET = "constraint.<name>.budget"

# Written without anything but letters, as words are compared.
WORDS = {
    "lr": RATE, "learningrate": RATE, "pilr": RATE, "policylr": RATE, "actorlr": RATE, "vflr": RATE, "criticlr": RATE,
    "stepsize": RATE,
    "anneallr": "algorithm/rate@algorithm.policy_solver.rate=linear or =constant",
    "lrschedule": "algorithm/rate@algorithm.policy_solver.rate=linear, =constant or =kl_adaptive",
    "desiredkl": "algorithm.policy_solver.rate.target_kl of algorithm/rate@algorithm.policy_solver.rate=kl_adaptive",
    "gamma": "algorithm.discounts.reward", "discount": "algorithm.discounts.reward",
    "discountfactor": "algorithm.discounts.reward", "costgamma": "algorithm.discounts.cost",
    "gaelambda": "algorithm.estimator.lam", "lambda": "algorithm.estimator.lam", "lam": "algorithm.estimator.lam",
    "gae": "algorithm.estimator.lam",
    "nsteps": HORIZON, "numsteps": HORIZON, "numstepsperenv": HORIZON, "rolloutlength": HORIZON,
    "batchsize": MINIBATCH, "minibatchsize": MINIBATCH,
    "numminibatches": "algorithm.policy_solver.minibatch, the steps of one: num_envs × horizon over their number",
    "nminibatches": "algorithm.policy_solver.minibatch, the steps of one: num_envs × horizon over their number",
    "nepochs": PASSES, "updateepochs": PASSES, "numepochs": PASSES, "epochs": PASSES, "noptepochs": PASSES,
    "numlearningepochs": PASSES,
    "cliprange": CLIP, "clipcoef": CLIP, "clipparam": CLIP, "cliprangevf": CRITIC, "clipvloss": CRITIC,
    "entcoef": ENTROPY, "entropycoef": ENTROPY, "vfcoef": CRITIC, "valuecoef": CRITIC, "valuelosscoef": CRITIC,
    "maxgradnorm": NORM, "gradclip": NORM,
    "targetkl": "algorithm.policy_solver.target_kl",
    "normadv": STANDARD, "normalizeadvantage": STANDARD, "normalizeadvantages": STANDARD,
    "totaltimesteps": "total_steps", "timesteps": "total_steps", "ntimesteps": "total_steps",
    "totalsteps": "total_steps", "maxsteps": "total_steps", "numtimesteps": "total_steps",
    "maxiterations": "total_steps, num_envs × horizon for each iteration",
    "nenvs": "num_envs", "numworkers": "num_envs", "numthreads": "threads", "nthreads": "threads",
    "env": TASK, "envid": TASK, "envname": TASK, "environment": TASK, "robot": TASK,
    "algo": "algorithm", "agent": "algorithm",
    "policykwargs": LAYERS, "netarch": LAYERS, "hiddensizes": LAYERS, "hiddensize": LAYERS, "hiddendims": LAYERS,
    "activationfn": "policy.body.activation and critic.body.activation",
    "logstdinit": "policy.head.log_std", "initlogstd": "policy.head.log_std",
    "initnoisestd": "policy.head.log_std, a logarithm",
    "cuda": DEVICE, "gpu": DEVICE, "usecuda": DEVICE,
    "costlimit": BUDGET, "costbudget": BUDGET, "budget": BUDGET,
    "evalfreq": "evaluation.every", "evaluationinterval": "evaluation.every", "nevalepisodes": "evaluation.episodes",
    "savefreq": "checkpoint.every",
    "tensorboardlog": "tracker=[tensorboard]", "wandb": "tracker=[wandb]", "track": "tracker=[wandb]",
    "wandbprojectname": "tracker.wandb.project", "wandbproject": "tracker.wandb.project",
    "wandbentity": "tracker.wandb.entity",
    "logdir": "hydra.run.dir", "outputdir": "hydra.run.dir", "savedir": "hydra.run.dir", "expname": "hydra.run.dir",
}  # fmt: skip
_ALIKE = 0.84  # of two words, from which on one is taken for a slip of the other


def hint(word: str) -> str:
    """What pgrobot calls a word of another library, as the end of a sentence; empty for any other word."""
    ours = WORDS.get(_letters(word))
    return f"pgrobot calls it {ours}" if ours else ""


def suggestion(word: str, known: Collection[str]) -> str:
    """What may have been meant: pgrobot's name for another library's word, else the nearest of the valid names.

    A word that is not quite one of either is taken for the one that it is more like.
    """
    if told := hint(word):
        return told
    letters = _letters(word)
    slip = next(iter(difflib.get_close_matches(letters, WORDS, n=1, cutoff=_ALIKE)), "")
    ours = max((_likeness(letters, _letters(name)) for name in known), default=0.0)
    return hint(slip) if slip and _likeness(letters, slip) > ours else nearest(word, known)


def _letters(word: str) -> str:
    return re.sub(r"[^a-z]", "", word.lower())


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
