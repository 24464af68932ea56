"""Networks of runs that were made when every policy was a class of its own, which built its network itself.

Their configs name the class, with the keys of its network beside those of its distribution; their checkpoints number
the layers through to the output layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from pgrobot.types import State

# Policies by what their names ended in, and the heads that they are.
_HEADS = {
    "GaussianPolicy": "gaussian.GaussianHead",
    "SquashedPolicy": "squashed.SquashedHead",
    "FullCovariancePolicy": "full_covariance.FullCovarianceHead",
    "StateStdPolicy": "state_std.StateStdHead",
    "SmoothPolicy": "smooth.SmoothHead",
    "BetaPolicy": "beta.BetaHead",
    "BinnedPolicy": "binned.BinnedHead",
}
_CRITIC = "pgrobot.critics.MlpCritic"
# Of the mean of a policy, of all that it says, and of a critic.
_LAYER = re.compile(r"(?:mean|network|trunk)\.(\d+)\.(.+)")
_OF_THE_HEAD = re.compile(r"log_std|correlation|bounds\..+")


def split_networks(content: dict[str, Any]) -> None:
    """Give policy and critic of a config their bodies, heads and groups in place; aliases lead their keys there."""
    policy, critic = content.get("policy"), content.get("critic")
    if isinstance(policy, dict) and (head := _head_of(policy.get("_target_"))):
        kind = {"kind": policy.pop("head")} if "head" in policy else {}
        policy |= {"_target_": "pgrobot.policies.NetworkPolicy", "groups": ["policy"], "body": _body()}
        policy["head"] = {"_target_": f"pgrobot.policies.heads.{head}", "_partial_": True, **kind}
    if isinstance(critic, dict) and critic.get("_target_") == _CRITIC:
        groups = [critic.pop("group", "policy"), *(["time"] if critic.pop("time", False) else [])]
        critic |= {"_target_": "pgrobot.critics.NetworkCritic", "groups": groups, "body": _body()}


def _body() -> dict[str, Any]:
    return {"_target_": "pgrobot.bodies.Mlp", "_partial_": True}


def rename_layers(state: State) -> None:
    """Name the layers of every learner's policy and critic in a checkpoint in place as their parts do."""
    names = [
        name
        for learner in state.get("learners", {}).values()
        for part in learner.values()
        for name in _keys(part)
    ]
    if not any(map(_LAYER.fullmatch, names)):
        return  # reading the config takes a tenth of the time of loading a policy
    made_with: Any = yaml.safe_load(str(state.get("config", ""))) or {}
    policy, critic = (made_with.get(part, {}).get("_target_") for part in ("policy", "critic"))
    for learner in state.get("learners", {}).values():
        if _head_of(policy):
            learner["policy"] = _renamed(learner["policy"])
        if critic == _CRITIC:
            learner["critic"] = _renamed(learner["critic"])


def _keys(part: object) -> list[str]:
    return [str(key) for key in part] if isinstance(part, Mapping) else []


def _head_of(target: object) -> str:
    """The head that a policy was; empty for what is none of those policies."""
    return _HEADS.get(str(target).removeprefix("pgrobot.policies."), "")


def _renamed(module: Mapping[str, Any]) -> dict[str, Any]:
    layers = [int(found[1]) for name in module if (found := _LAYER.fullmatch(name))]
    return {_name(name, max(layers)): value for name, value in module.items()}


def _name(name: str, last: int) -> str:
    if found := _LAYER.fullmatch(name):
        return f"output.{found[2]}" if int(found[1]) == last else f"body.layers.{found[1]}.{found[2]}"
    return f"head.{name}" if _OF_THE_HEAD.fullmatch(name) else name
