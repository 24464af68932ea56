"""Short names of keys: typed with any sign, swept, written in recipes; and keys of the same names of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from pgrobot.aliases import ALIASES, in_full
from pgrobot.configure import compose, search_path, validated
from pgrobot.errors import PgrobotError
from pgrobot.sweep.expansion import expand


def at(cfg: Any, key: str) -> Any:
    return OmegaConf.to_container(OmegaConf.create({"it": OmegaConf.select(cfg, key)}))["it"]


def test_every_alias_leads_to_a_key_of_some_option() -> None:
    composed = [compose([f"policy={head}"]) for head in ("gaussian", "smooth", "beta", "binned")]
    composed.append(compose(["policy=recurrent", "critic=recurrent"]))
    for alias, key in ALIASES.items():
        assert any(OmegaConf.select(cfg, key) is not None for cfg in composed), alias


@pytest.mark.parametrize("key", ["policy.hidden", "++policy.hidden", "+policy.body.hidden"])
def test_a_key_is_set_by_its_short_name(key: str) -> None:
    cfg = compose([f"{key}=[8]", "critic.activation=elu", "policy=binned", "policy.head=ordinal"])
    assert at(cfg, "policy.body.hidden") == [8]
    assert (cfg.critic.body.activation, cfg.policy.head.kind) == ("elu", "ordinal")
    assert "hidden" not in cfg.policy


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("algorithm.policy_solver.max_gradient_norm=2", "policy_solver.chain.clip.max_norm", 2.0),
        (
            "++algorithm.critic_solver.max_gradient_norm=inf",
            "critic_solver.chain.clip.max_norm",
            float("inf"),
        ),
        ("algorithm.policy_solver.optimizer.epsilon=0.5", "policy_solver.chain.optimizer.epsilon", 0.5),
        (
            "algorithm/optimizer@algorithm.policy_solver.optimizer=sgd",
            "policy_solver.chain.optimizer.momentum",
            0.0,
        ),
        ("algorithm.critic_solver.optimizer={beta1: 0.5}", "critic_solver.chain.optimizer.beta1", 0.5),
    ],
)
def test_what_makes_a_step_may_be_typed_without_its_chain(typed: str, key: str, value: float) -> None:
    solvers = validated(compose([typed])).algorithm
    assert at(solvers, key) == value
    assert list(solvers.policy_solver.chain) == list(solvers.critic_solver.chain) == ["clip", "optimizer"]


def test_a_key_is_taken_out_by_its_short_name() -> None:
    assert "log_std" not in compose(["~policy.log_std"]).policy.head


def test_a_sweep_is_spelt_out() -> None:
    line = "policy.log_std=-1,-2"
    assert expand([line]) == [["policy.log_std=-1"], ["policy.log_std=-2"]]
    assert in_full([line, "seed=1", "~policy.block"], compose([])) == [
        "policy.head.log_std=-1,-2", "seed=1", "~policy.body.block",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "groups"),
    [
        ("critic.time=true", ["policy", "time"]),
        ("critic.time=false", ["policy"]),
        ("critic.group=command", ["command"]),
    ],
)
def test_what_a_critic_reads_may_be_said_as_it_was(line: str, groups: list[str]) -> None:
    assert at(validated(compose([line])), "critic.groups") == groups


@pytest.mark.parametrize(("time", "groups"), [("true", "command,time"), ("false", "command")])
def test_two_short_names_of_what_a_critic_reads_are_one_too_many(time: str, groups: str) -> None:
    with pytest.raises(PgrobotError, match=rf"say critic.groups=\[{groups}\]"):
        compose([f"critic.time={time}", "critic.group=command"])


def test_the_nearest_short_name_is_offered() -> None:
    with pytest.raises(PgrobotError, match=r"policy has no key 'hiden': did you mean 'hidden'"):
        compose(["policy.hiden=[8]"])
    with pytest.raises(PgrobotError, match="Unknown key or group 'sed'"):
        compose(["policy.hidden=[8]", "sed=1"])


@pytest.fixture
def recipes(tmp_path: Path) -> list[str]:
    """A recipe that speaks in short names, and a policy of the user's own with a key of such a name."""
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "small.yaml").write_text(
        "# @package _global_\npolicy: {hidden: [8], log_std: -1.0}\ncritic: {norm: layer}\n"
        "algorithm: {policy_solver: {max_gradient_norm: 0.25}}\n"
    )
    (tmp_path / "experiment" / "timed.yaml").write_text("# @package _global_\ncritic: {time: true}\n")
    (tmp_path / "experiment" / "both.yaml").write_text(
        "# @package _global_\ncritic: {time: true, group: command}\n"
    )
    (tmp_path / "policy" / "body").mkdir(parents=True)
    (tmp_path / "policy" / "body" / "bare.yaml").write_text("_target_: my.Body\n_partial_: true\n")
    (tmp_path / "policy" / "own.yaml").write_text("_target_: my.Policy\n_partial_: true\nhidden: [3]\n")
    return search_path([str(tmp_path)])


def test_a_recipe_may_use_short_names(recipes: list[str]) -> None:
    cfg = validated(compose([*recipes, "experiment=small"]))
    assert at(cfg, "policy.body.hidden") == [8]
    assert at(cfg, "algorithm.policy_solver.chain.clip.max_norm") == 0.25
    assert (cfg.policy.head.log_std, cfg.critic.body.norm) == (-1.0, "layer")
    for typed in ("policy.hidden=[5]", "policy.body.hidden=[5]"):
        assert at(validated(compose([*recipes, "experiment=small", typed])), "policy.body.hidden") == [5]


@pytest.mark.parametrize(
    ("line", "key", "value"), [("policy.hidden=[8]", "hidden", [8]), ("+policy.norm=layer", "norm", "layer")]
)
def test_a_policy_of_ones_own_keeps_its_keys(line: str, key: str, value: Any, recipes: list[str]) -> None:
    cfg = compose([*recipes, "policy=own", line])
    assert at(cfg, f"policy.{key}") == value
    assert "body" not in cfg.policy
    assert in_full([line], cfg) == [line]


def test_a_recipe_may_say_that_the_critic_knows_the_time(recipes: list[str]) -> None:
    timed = [*recipes, "experiment=timed"]
    assert validated(compose(timed)).critic.groups == ["policy", "time"]
    assert validated(compose([*timed, "critic.groups=[policy]"])).critic.groups == ["policy"]
    both = validated(compose([*recipes, "experiment=both"]))
    assert both.critic.groups == ["command", "time"]


def test_small_networks_are_for_bodies_that_have_a_size(recipes: list[str]) -> None:
    for typed, policy, critic in (
        ([], [8], [8]),
        (["policy.hidden=[5]"], [5], [8]),
        (["critic.body={hidden:[5]}"], [8], [5]),
        (["policy=squashed", "critic=mlp"], [8], [8]),
    ):
        cfg = validated(compose(["debug=tiny", *typed]))
        assert (cfg.policy.body.hidden, cfg.critic.body.hidden) == (policy, critic)
    own = compose([*recipes, "debug=tiny", "policy/body=bare"])
    assert list(own.policy.body) == ["_target_", "_partial_"]
    assert own.critic.body.hidden == [8]
    assert "where_there" not in own
