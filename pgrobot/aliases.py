"""Shorter names of keys: ``policy.hidden`` is ``policy.body.hidden``, typed or written in a recipe.

An alias stands for a key where the part that holds that key is there: a policy of the user's own may have keys of the
same names, and keeps them.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pgrobot.errors import PgrobotError

_BODY = ("hidden", "activation", "block", "norm", "units", "sequence")
_HEAD = ("log_std", "log_std_bounds", "concentration", "concentration_bounds", "bins", "share", "correlation")
ALIASES: dict[str, str] = {
    **{f"{owner}.{key}": f"{owner}.body.{key}" for owner in ("policy", "critic") for key in _BODY},
    **{f"policy.{key}": f"policy.head.{key}" for key in _HEAD},
    "policy.head": "policy.head.kind",
    **{
        f"algorithm.{solver}.{key}": f"algorithm.{solver}.chain.{link}"
        for solver in ("policy_solver", "critic_solver")
        for key, link in (("max_gradient_norm", "clip.max_norm"), ("optimizer", "optimizer"))
    },
}
CHOICES = ("policy.goal", "policy.switch")  # nodes of which an option's name may be typed as their value
WHERE_THERE = "where_there"  # begins the part of a recipe that is for keys which the chosen parts have
_READS = ("group", "time")  # of a critic, both of them for its groups
ANY_ROBOT = "AnyRobot"  # the class that task=robot builds by itself
# Whole overrides whose value is written in another way, too.
_SAID = {
    "critic.time=true": "critic.groups=[policy,time]",
    "critic.time=false": "critic.groups=[policy]",
}


def check_once(lines: Sequence[str]) -> None:
    """Refuse overrides by two short names of one key, of which the first would be forgotten.

    Raises:
        PgrobotError: says both at once by the key's own name.
    """
    typed = {key_of(line): line.partition("=")[2] for line in lines}
    group, time = (typed.get(f"critic.{name}") for name in _READS)
    if group is not None and time is not None:
        groups = f"{group},time" if time.lower() == "true" else group
        raise PgrobotError(
            f"critic.group and critic.time are both short for critic.groups: say critic.groups=[{groups}]"
        )


def key_of(line: str) -> str:
    """The key of an override, without the signs before it."""
    return line.partition("=")[0].lstrip("+~")


def spelt_out(line: str) -> str:
    """An override by the key's own name, whatever its signs: ``policy.hidden=[8]``, ``~policy.hidden``, sweeps."""
    if line in _SAID:
        return _SAID[line]
    if line.startswith("critic/body="):
        return f"policy/body@critic.body={line.partition('=')[2]}"
    if line != as_choice(line):
        return as_choice(line)
    if line.startswith("critic.group="):
        return f"critic.groups=[{line.partition('=')[2]}]"
    key, equals, value = line.partition("=")
    signs = key[: len(key) - len(key_of(line))]
    is_node = key_of(line) == "policy.head" and not value[:1].isalpha()  # and no kind of one
    return line if is_node else f"{signs}{_full(key_of(line))}{equals}{value}"


def as_choice(line: str) -> str:
    """An override that names an option where the node of one stands, as a choice of its group."""
    key, _, value = line.partition("=")
    return f"{key.replace('.', '/')}={value}" if key in CHOICES and value.isidentifier() else line


def _full(name: str) -> str:
    """The key's own name, that of one below an alias too; in ``group@package`` that of the package."""
    group, at, key = name.rpartition("@")
    for alias, full in ALIASES.items():
        below = key.startswith(f"{alias}.") and not full.startswith(f"{alias}.")
        if key == alias or below:
            return f"{group}{at}{full}{key[len(alias) :]}"
    return name


def with_class(lines: Sequence[str]) -> list[str]:
    """Overrides in which ``task=robot`` beside a ``task._target_`` is the config of a class of one's own."""
    own = any(key_of(line) == "task._target_" and not line.endswith(f".{ANY_ROBOT}") for line in lines)
    return [f"{line}_class" if own and line == "task=robot" else line for line in lines]


def in_full(lines: Sequence[str], cfg: DictConfig) -> list[str]:
    """Overrides as they fit a composed config: spelt out, but for keys whose part is not there."""
    return [full if _fits(full := spelt_out(line), cfg) else line for line in lines]


def _fits(line: str, cfg: DictConfig) -> bool:
    parent, _, key = key_of(line).rpartition("@")[2].replace("/", ".").rpartition(".")
    part = OmegaConf.select(cfg, parent, throw_on_resolution_failure=False) if parent else None
    if not isinstance(part, DictConfig):
        return False
    holds = "_target_" in part and (key in part or "." in parent)
    return holds or isinstance(part.get(key), DictConfig)


def settle(content: MutableMapping[str, Any], typed: Collection[str]) -> None:
    """Move in place what a config holds under an alias to its key, unless that key was ``typed``.

    What a recipe holds under ``where_there`` is for keys that the chosen parts have, and left out where they have not.
    """
    for full, value in content.pop(WHERE_THERE, {}).items():
        place, _, key = full.rpartition(".")
        if key in (node := _at(content, place)) and not any(_covers(each, full) for each in typed):
            node[key] = value
    critic = _at(content, "critic")
    if str(critic.get("_target_", "")).startswith("pgrobot."):
        said = {name: critic.pop(name) for name in _READS if name in critic}
        if said and "critic.groups" not in typed:
            critic["groups"] = [said.get("group", "policy"), *(["time"] if said.get("time") else [])]
    for alias, full in ALIASES.items():
        (owner, _, name), (place, _, key) = alias.rpartition("."), full.rpartition(".")
        node, part = _at(content, owner), _at(content, place)
        if full.startswith(f"{alias}.") or name not in node or "_target_" not in part:
            continue
        value = node.pop(name)
        if full not in typed:
            part[key] = value


def _covers(typed: str, key: str) -> bool:
    """Whether what was typed is a key or a mapping that holds it; a group such as ``policy`` only says which part."""
    return key == typed or ("." in typed and key.startswith(f"{typed}."))


def _at(content: MutableMapping[str, Any], key: str) -> MutableMapping[str, Any]:
    """The node at a dotted key; an empty one where there is none."""
    node: Any = content
    for word in key.split("."):
        node = node.get(word) if isinstance(node, MutableMapping) else None
    return node if isinstance(node, MutableMapping) else {}
