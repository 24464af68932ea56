"""Every option of every group composes into a config that passes its own checks."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from pgrobot import baselines, configure, critics, estimators, objectives, policies, solvers
from pgrobot.algorithm import Algorithm
from pgrobot.configure import VERSION_BASE, build, compose, options, search_path, validated
from pgrobot.configure.schema import RunConfig
from pgrobot.errors import PgrobotError
from pgrobot.signatures import hints
from pgrobot.sweep.expansion import expand

ROBOT = ["task=robot", "task.xml_file=ant.xml"]
NEEDS = {
    ("task", "gymnasium"): ["task.id=Pendulum-v1"],
    ("task", "robot"): ROBOT,
    ("task", "robot_class"): [
        "task._target_=pgrobot.envs.swimmer.Swimmer",
        "+task.forward_reward_weight=1",
        "+task.ctrl_cost_weight=0",
        "+task.reset_noise_scale=0",
        "+task.exclude_current_positions_from_observation=true",
    ],
    ("task", "dm_control"): ["task.domain=cheetah", "task.name=run"],
    ("critic/reads", "levels"): ["policy=hierarchical"],
    ("intrinsic", "discriminator"): ["intrinsic.discriminator.files=[runs/expert]"],
    ("intrinsic", "grid"): ["intrinsic.grid.size={policy/qpos/rootz: 0.1}"],
    **{("policy/switch", name): ["policy=hierarchical"] for name in ("clock", "learnt")},
    **{(part, name): ROBOT for part in ("task/rewards", "task/terminations") for name in options([])[part]},
    ("task/rewards", "feet_air_time"): [*ROBOT, "task.rewards.feet_air_time.parts=[torso]"],
    ("task/terminations", "contact"): [*ROBOT, "task.terminations.contact.parts=[torso]"],
    **{("policy/goal", name): ["policy=hierarchical"] for name in ("drawn", "reparameterised", "options")},
    **{("algorithm/auxiliary", f"{way}_dynamics"): ["policy/body=encoder"] for way in ("forward", "inverse")},
    ("task", "pixels"): ["task.id=Pendulum-v1"],
    ("algorithm", "clone"): ["scheme=clone", "scheme.file=runs/expert"],
    ("algorithm", "dapg"): ["algorithm.objective.demonstration.file=runs/expert"],
    ("scheme", "clone"): ["scheme.file=runs/expert"],
}
PLACES = {
    "algorithm/optimizer": "algorithm/optimizer@algorithm.policy_solver.chain.optimizer",
    "algorithm/transform": "+algorithm/transform@algorithm.policy_solver.chain.added",
    "critic/reads": "critic/reads@critic",
    "algorithm/rate": "algorithm/rate@algorithm.policy_solver.rate",
    "algorithm/auxiliary": "+algorithm/auxiliary",
}
OWN_TASKS = (
    "ant", "ant_goal", "drone_corridor", "drone_gates", "drone_hover", "halfcheetah", "halfcheetah_sparse", "hopper",
    "hopper_sparse", "humanoid", "humanoidstandup", "inverteddoublependulum", "invertedpendulum", "point_maze",
    "pusher", "quadruped_velocity", "reacher", "swimmer", "walker2d",
)  # fmt: skip
WITH_SPEED = (
    "ant", "halfcheetah", "halfcheetah_sparse", "hopper", "hopper_sparse", "humanoid", "swimmer", "walker2d",
)  # fmt: skip
DRONES = ("drone_corridor", "drone_gates", "drone_hover")  # whose motors are on no joints
CHEAP = ["num_envs=2", "horizon=32", "compile=false", "threads=1"]


def every_option() -> Iterator[list[str]]:
    for group, names in options([]).items():
        for name in names:
            yield [f"{PLACES.get(group, group)}={name}", *NEEDS.get((group, name), [])]


@pytest.mark.parametrize("overrides", list(every_option()), ids=lambda overrides: overrides[0])
def test_every_option_of_every_group_is_valid(overrides: list[str]) -> None:
    """And what was checked is what a run directory holds: checked again, it is the same."""
    checked = validated(compose(overrides))
    assert validated(checked) == checked


def test_the_groups_are_those_of_the_design() -> None:
    offered = options([])
    for group in (
        "task",
        "constraint",
        "multiplier",
        "policy",
        "critic",
        "algorithm",
        "tracker",
        "experiment",
        "debug",
    ):
        assert offered[group]
    assert "algorithm/estimator" in offered


@pytest.mark.parametrize("task", OWN_TASKS)
@pytest.mark.parametrize("multiplier", ["none", "pid", "lagrangian"])
def test_tasks_constraints_and_multipliers_combine(task: str, multiplier: str) -> None:
    constraint = "speed,torque,action_rate" if task in WITH_SPEED else "torque,power"
    constraint = "speed,action_rate,tilt,crash,out_of_bounds" if task in DRONES else constraint
    cfg = validated(
        compose([f"task={task}", f"constraint=[{constraint}]", f"multiplier={multiplier}", *CHEAP])
    )
    assembly = build(cfg, 1)
    assert assembly.environment.spec.costs == tuple(constraint.split(","))
    assembly.environment.close()


@pytest.mark.parametrize("task", sorted(set(OWN_TASKS) - set(WITH_SPEED) - set(DRONES) - {"humanoidstandup"}))
def test_a_budget_for_a_cost_the_task_lacks_is_refused(task: str) -> None:
    with pytest.raises(PgrobotError, match="speed"):
        build(validated(compose([f"task={task}", "constraint=[speed]", *CHEAP])), 1)


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], ["speed", "torque", "fall"]),
        (["constraint=torque"], ["torque"]),
        (["constraint=[power,speed]"], ["power", "speed"]),
        (["~constraint.torque"], ["speed", "fall"]),
        (["task=halfcheetah"], ["speed", "torque"]),
        (["task=invertedpendulum"], ["torque", "fall"]),
        (["~constraint.torque", "~constraint.speed", "~constraint.fall"], []),
        (["constraint=[]"], []),
        (["constraint=none"], []),
        (["task=gymnasium", "task.id=Pendulum-v1"], []),
        (["task=gymnasium", "task.id=Pendulum-v1", "constraint=cost"], ["cost"]),
    ],
)
def test_constraints_are_selected_by_name(overrides: list[str], names: list[str]) -> None:
    assert list(validated(compose(overrides)).constraint) == names


def test_the_schema_is_what_the_primary_config_says() -> None:
    cfg = OmegaConf.to_container(compose([]), resolve=False)
    assert set(hints(RunConfig)) == cfg.keys() - {"hydra"}
    assert set(hints(Algorithm)) == cfg["algorithm"].keys()


def test_what_checks_configs_names_no_part() -> None:
    """And is short: a part says by itself what it may be given and what it needs."""
    files = {path: path.read_text(encoding="utf-8") for path in Path(configure.__path__[0]).glob("*.py")}
    for room in (baselines, critics, estimators, objectives, policies, solvers):
        for name in room.__all__:
            part = getattr(room, name)
            if inspect.isclass(part) and not getattr(part, "_is_protocol", False) and name != "Policy":
                assert not [path for path, text in files.items() if re.search(rf"\b{name}\b", text)], name
    assert sum(len(text.splitlines()) for text in files.values()) < 1000


def test_values_come_out_in_their_type() -> None:
    cfg = validated(compose(["total_steps=1e6", "constraint.speed.budget=10", "seed=3"]))
    assert (cfg.total_steps, type(cfg.total_steps)) == (1_000_000, int)
    assert (cfg.constraint.speed.budget, type(cfg.constraint.speed.budget)) == (10.0, float)
    assert cfg.constraint.speed.cost.threshold == cfg.task.speed_threshold


GOALS_SEEN = ["policy", "policy/goal", "policy/time_left"]


@pytest.mark.parametrize(
    ("overrides", "groups"),
    [
        ([], ["policy"]),
        (["policy=recurrent"], ["policy"]),
        (["policy=hierarchical"], GOALS_SEEN),
        (["policy=hierarchical", "critic=recurrent"], GOALS_SEEN),
        (["critic=mlp", "policy=hierarchical", "debug=tiny"], GOALS_SEEN),
        (["critic.groups=[policy,time]", "policy=hierarchical"], ["policy", "time"]),
        (["experiment=maze_u"], GOALS_SEEN),
        (["experiment=maze_medium", "policy=gaussian"], ["policy"]),
    ],
)
def test_a_critic_sees_the_goals_of_two_levels_unless_it_is_said(
    overrides: list[str], groups: list[str]
) -> None:
    assert list(validated(compose(overrides)).critic.groups) == groups


def test_a_task_brings_its_own_threshold() -> None:
    assert validated(compose(["task=swimmer"])).constraint.speed.cost.threshold == 0.2282


def test_experiments_yield_to_what_is_typed() -> None:
    assert validated(compose(["experiment=fast"])).horizon == 64
    assert validated(compose(["experiment=fast", "horizon=128"])).horizon == 128


def test_another_directory_of_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my configs, here"
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 77\n")
    assert validated(compose(["experiment=mine", *search_path([str(folder)])])).seed == 77
    monkeypatch.setenv("PGROBOT_CONFIG_PATH", str(folder))
    assert validated(compose(["experiment=mine", *search_path([])])).seed == 77
    assert "mine" in options(search_path([]))["experiment"]
    monkeypatch.setenv("PGROBOT_CONFIG_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(PgrobotError, match="nowhere' does not exist"):
        search_path([])


def test_a_module_of_the_user_is_trusted_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_robots.py").write_text(
        "from dataclasses import dataclass\nfrom pgrobot.envs.hopper import Hopper\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Mine(Hopper):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    mine = ["task._target_=my_robots.Mine", *CHEAP]
    with pytest.raises(PgrobotError, match=r"add modules=\[my_robots\]"):
        validated(compose(mine))
    environment = build(validated(compose([*mine, "modules=[my_robots]"])), 1).environment
    assert environment.spec.name == "Mine-v5"


PARTS = """
from dataclasses import dataclass
from typing import Annotated, ClassVar
from pgrobot.baselines import Value
from pgrobot.critics import NetworkCritic
from pgrobot.ranges import Within, above, at_least, between, one_of
from pgrobot.solvers import Constant
from pgrobot.objectives import ClippedRatio
from pgrobot.policies import Policy

def future(given, *, horizon):
    return given.reward, given.reward

class Fixed(Policy):
    def __init__(self, observation, actions, generator, gain, bias=0.0):
        super().__init__()

class Seedless(Policy):
    def __init__(self, observation, actions):
        super().__init__()

class Anything(NetworkCritic):
    def __init__(self, depth, **rest):
        super().__init__(**rest)

class Mine(ClippedRatio):
    pass

@dataclass(frozen=True)
class Bent(ClippedRatio):
    power: Annotated[float, between(0.0, 2.0), Within("low", "high")]
    low: float
    high: float

class Noisy(Value):
    depends_on_action: ClassVar[bool] = True
    def __init__(self, samples: Annotated[int, at_least(1)], kind: Annotated[str, one_of("a", "b")] = "a"):
        pass

@dataclass(frozen=True)
class Chasing(Constant):
    follows_kl: ClassVar[bool] = True
"""
BENT = [
    "algorithm.objective.surrogate._target_=my_parts.Bent",
    "+algorithm.objective.surrogate.low=0",
    "+algorithm.objective.surrogate.high=1.5",
]
NOISY = ["algorithm/baseline=none", "algorithm.baseline._target_=my_parts.Noisy"]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Parts of the user's own, and configs that hold no more than a test says."""
    (tmp_path / "my_parts.py").write_text(PARTS)
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "own.yaml").write_text("_partial_: true\n")
    (tmp_path / "algorithm" / "estimator").mkdir(parents=True)
    (tmp_path / "algorithm" / "estimator" / "own.yaml").write_text("_partial_: true\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return ["modules=[my_parts]", *CHEAP, *search_path([str(tmp_path)])]


@pytest.mark.parametrize(
    "overrides",
    [
        ["policy=own", "+policy._target_=my_parts.Fixed", "+policy.gain=1.0"],
        [
            "algorithm/estimator=own",
            "+algorithm.estimator._target_=my_parts.future",
            "+algorithm.estimator.horizon=3",
        ],
        ["critic._target_=my_parts.Anything", "+critic.depth=3"],
        ["algorithm/baseline=linear", "algorithm.objective.surrogate._target_=my_parts.Mine"],
    ],
)
def test_parts_of_the_users_own_say_what_they_need(overrides: list[str], parts: list[str]) -> None:
    assert validated(compose([*parts, *overrides]))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["policy=own", "+policy._target_=my_parts.Fixed"], "policy.gain must be given, as Fixed needs it"),
        (
            ["policy=own", "+policy._target_=my_parts.Seedless"],
            "policy: Seedless has no parameter 'generator', which it is called with",
        ),
        (
            ["algorithm/estimator=own", "+algorithm.estimator._target_=my_parts.future"],
            "algorithm.estimator.horizon must be given, as future needs it",
        ),
        (["critic._target_=my_parts.Anything"], "critic.depth must be given, as Anything needs it"),
        (
            [
                "algorithm/baseline=linear",
                "algorithm.objective.surrogate._target_=my_parts.Mine",
                "algorithm.objective.surrogate.weight=0.5",
            ],
            "algorithm.objective.control.weight is 1.0, but what it adds back was taken from a surrogate",
        ),
        (
            [*BENT, "+algorithm.objective.surrogate.power=3"],
            "algorithm.objective.surrogate.power must be a number from 0 to 2, not 3",
        ),
        (
            [*BENT, "+algorithm.objective.surrogate.power=1", "algorithm.objective.surrogate.clip=0"],
            "algorithm.objective.surrogate.clip must be a number above 0, not 0",  # inherited from another module
        ),
        (
            [*BENT, "+algorithm.objective.surrogate.power=2"],
            "power is 2.0, which lies outside algorithm.objective.surrogate.low and algorithm.objective.surrogate.high",
        ),
        (
            [*NOISY, "+algorithm.baseline.samples=0"],
            "baseline.samples must be a whole number of at least 1, not 0",
        ),
        (
            [*NOISY, "+algorithm.baseline.samples=1", "+algorithm.baseline.kind=c"],
            "algorithm.baseline.kind cannot be 'c': valid: a, b",
        ),
        (
            [*NOISY, "+algorithm.baseline.samples=1"],
            "the baseline Noisy depends on the action, and no term adds its expectation back",
        ),
        (
            [
                "algorithm/rate@algorithm.critic_solver.rate=constant",
                "algorithm.critic_solver.rate._target_=my_parts.Chasing",
            ],
            "algorithm.critic_solver.rate=my_parts.Chasing follows how far a policy moves, and a critic is none: use ",
        ),
    ],
)
def test_parts_of_the_users_own_are_refused_like_others(
    overrides: list[str], sentence: str, parts: list[str]
) -> None:
    with pytest.raises(PgrobotError) as refused:
        validated(compose([*parts, *overrides]))
    assert sentence in str(refused.value)


def test_a_sweep_is_written_out_in_hydras_order() -> None:
    jobs = expand(
        ["task=hopper,ant", "constraint=[speed],[]", "seed=range(2)", "horizon=8", "~constraint.torque"]
    )
    assert len(jobs) == 8
    assert jobs[0] == ["task=hopper", "constraint=[speed]", "seed=0", "horizon=8", "~constraint.torque"]
    assert [job[2] for job in jobs[:3]] == ["seed=0", "seed=1", "seed=0"]
    assert jobs[-1][:3] == ["task=ant", "constraint=[]", "seed=1"]


def test_composing_inside_a_hydra_application_leaves_it_alone() -> None:
    with initialize_config_module("pgrobot.conf", job_name="outer", **VERSION_BASE):
        outer = GlobalHydra.instance().hydra
        compose(["seed=3"])
        assert GlobalHydra.instance().hydra is outer
        assert hydra_compose("train", ["seed=4"]).seed == 4
