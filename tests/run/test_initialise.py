"""A run that begins as another one: what it takes over, what is new, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig

import pgrobot
from pgrobot import checkpoint
from pgrobot.assembly import build, build_policy
from pgrobot.cli import main
from pgrobot.configure import compose, validated
from pgrobot.errors import PgrobotError
from pgrobot.initialisation import ANEW
from pgrobot.policies import Policy
from pgrobot.run import prepare

from .conftest import Finished, Train, assert_equal, metrics, start, state, tiny_request
from .test_resume import interrupt_at


def begun(tmp_path: Path, run: Path, *overrides: str) -> Any:
    """A run that begins so, before its first step."""
    request = tiny_request(tmp_path / "next", f"initialise.run={run}", *overrides)
    assembly = build(request.cfg, 1)
    assembly.environment.close()
    return assembly


def learnt(run: Path, name: str = "best") -> Policy:
    policy = pgrobot.load(run, name).policy
    assert isinstance(policy, Policy)
    return policy


def said(policy: Policy, width: int = 11) -> list[torch.Tensor]:
    """What a policy says of the same observations."""
    obs = {"policy": torch.randn(64, width, generator=torch.Generator().manual_seed(1)) * 3.0}
    with torch.no_grad():
        distribution, carry = policy(
            obs, torch.zeros(64, policy.carry_size), torch.ones(64, dtype=torch.bool)
        )
    return [distribution.mean, distribution.std, carry]


SHORT = ["evaluation.every=1000"]  # one evaluation, at the end
KINDS = {
    "gaussian": [],
    "recurrent": ["policy=recurrent", "policy.sequence=8", *SHORT],
    "beta": ["policy=beta", *SHORT],
    "hierarchical": ["policy=hierarchical", "diagnostics.levels.every=0", *SHORT],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_function_is_preserved(kind: str, finished: Finished, tmp_path: Path) -> None:
    """Under another budget, reward, rate and seed, to the last bit."""
    run = finished(*KINDS[kind])
    others = ["seed=7", "constraint=[speed]", "constraint.speed.budget=0.5", "task.frame_skip=6",
              "task.healthy_reward=2.0"]  # fmt: skip
    request = tiny_request(tmp_path / "next", f"initialise.run={run}", *KINDS[kind], *others)
    assembly = build(request.cfg, 1)
    assembly.environment.close()
    before, after = learnt(run), assembly.policies["robot"]
    for one, other in zip(said(before), said(after), strict=True):
        assert torch.equal(one, other)
    kept = {key: value for key, value in before.state_dict().items() if not key.startswith("origin.")}
    assert_equal(kept, {key: after.state_dict()[key] for key in kept})
    fresh = build_policy(request.cfg, assembly.environment.spec)
    assert not torch.equal(said(fresh)[0], said(after)[0])


def test_beginning_as_what_it_would_be_anyway_changes_nothing(finished: Finished, tmp_path: Path) -> None:
    """The whole path, loading included: a run that begins as its own first checkpoint is the run without."""
    request = tiny_request(tmp_path / "first")
    assembly = build(request.cfg, 1)
    first = Path(shutil.copytree(finished(), tmp_path / "first"))
    content = checkpoint.load(first / "checkpoints" / "last.pt")
    content["learners"] = {name: learner.state_dict() for name, learner in assembly.learners.items()}
    checkpoint.save(first / "checkpoints" / "step_0.pt", content)
    again = start(tiny_request(tmp_path / "again", f"initialise.run={first}", "initialise.checkpoint=0")).path
    assert_equal(metrics(finished()), metrics(again))
    without = {"config", "learners"}
    assert_equal(*[{k: v for k, v in state(run).items() if k not in without} for run in (finished(), again)])
    assert_equal(state(finished())["learners"], state(again)["learners"])


def test_columns_of_the_critic_are_matched_by_their_names(finished: Finished, tmp_path: Path) -> None:
    run = finished("constraint=[speed,torque]", *SHORT)
    assembly = begun(tmp_path, run, "constraint=[fall,speed]")
    theirs = begun(tmp_path, run, "constraint=[speed,torque]").learners["robot"].learner.critic
    ours = assembly.learners["robot"].learner.critic
    obs = {"policy": torch.randn(32, 11), "time": torch.rand(32, 1)}
    with torch.no_grad():
        one, other = theirs.value(obs), ours.value(obs)
    assert one.abs().max() > 0.0
    for mine, wanted in ((0, 0), (2, 1)):  # the reward, and speed
        torch.testing.assert_close(other[:, mine], one[:, wanted], rtol=1e-6, atol=1e-7)
    assert not other[:, 1].any()
    assert ours.scaler.moments.count.tolist() == [256.0, 0.0, 256.0]
    assert (
        dict(assembly.beginning.told)["critic"] == "of reward, cost/speed; new: cost/fall; gone: cost/torque"
    )
    alone = begun(tmp_path, run, "initialise.parts=[policy]").learners["robot"].learner.critic
    assert not alone.output.weight.any()


def test_what_is_observed_is_measured_from_where_it_was(finished: Finished, tmp_path: Path) -> None:
    """And not from the first observation of the new run, however far that is."""
    run = Path(shutil.copytree(finished(), tmp_path / "first"))
    file = run / "checkpoints" / "best.pt"
    content = checkpoint.load(file)
    origin = torch.arange(11.0, dtype=torch.float64) * 10.0
    content["learners"]["robot"]["policy"]["origin.value"] = origin
    checkpoint.save(file, content)
    policy = begun(tmp_path, run).policies["robot"]
    policy.origin.fix({"policy": np.full((1, 11), 500.0)})
    assert torch.equal(policy.origin.value, origin)


def test_exploration_begins_anew(finished: Finished, tmp_path: Path) -> None:
    policy = begun(tmp_path, finished(), "initialise.log_std=-0.25").policies["robot"]
    assert policy.head.log_std.tolist() == [-0.25] * 3
    assert torch.equal(said(policy)[0], said(learnt(finished()))[0]), "about the same means"


def test_a_run_that_began_so_needs_the_other_no_more(
    finished: Finished, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its config, its manifest and its checkpoints say all of it; resuming is exact, in the warm-up too."""
    away = Path(shutil.copytree(finished(), tmp_path / "away"))
    digest = hashlib.sha256((away / "checkpoints" / "best.pt").read_bytes()).hexdigest()
    prior = "{_target_:pgrobot.objectives.KLToPrior,weight:0.5,updates:8}"
    typed = [f"initialise.run={away}", "initialise.critic_warmup=3", *SHORT, "initialise.freeze=[policy.body]",
             "initialise.log_std=0.0", f"+algorithm.objective.prior={prior}"]  # fmt: skip
    whole = train("whole", *typed, "total_steps=320").path
    with monkeypatch.context() as patch:
        interrupt_at(128, signal.SIGINT, patch)
        part = train("part", *typed, "total_steps=320").path
    shutil.rmtree(away)
    told = json.loads((whole / "manifest.json").read_text())["initialised"]
    assert told["sha256"] == digest
    assert (told["run"], told["checkpoint"], told["step"]) == (str(away), "best.pt", 256)
    start(prepare([f"resume={part}"]))
    assert_equal(metrics(whole), metrics(part))
    assert_equal(state(whole)["learners"], state(part)["learners"])
    rows = metrics(whole)
    assert [row["policy/kl"] for row in rows[:3]] == [0.0] * 3
    assert [row["objective/prior"] for row in rows[:3]] == [0.0] * 3
    assert rows[4]["objective/prior"] < 0.0
    assert rows[4]["objective/prior/weight"] == 0.5 * (1 - 1 / 8)
    assert pgrobot.load(whole).spec.name == "Hopper-v5"


BAD = {
    "initialise.log_std=0": "initialise.log_std=0.0 is of a run that this one begins as: add initialise.run=<run>",
    "initialise=RUN": "initialise consists of keys, such as initialise.run",
    "initialise.runs=RUN": "did you mean 'run'",
    "initialise.run=nowhere": "There is no run directory nowhere",
    "initialise.run=RUN initialise.checkpoint=step_7": "has no checkpoint 'step_7'",
    "initialise.run=RUN initialise.log_std=9": "lies outside the log_std_bounds of policy.head",
    "initialise.run=BETA initialise.log_std=0 policy=beta": "this policy has BetaHead: leave it out",
    "initialise.run=RUN initialise.critic_warmup=5 total_steps=320":
        "initialise.critic_warmup=5 lets the critic alone learn in all of the run's 5 iterations",
    "initialise.run=RUN initialise.freeze=[policy.boddy]": "did you mean 'policy.body'",
    "initialise.run=RUN initialise.freeze=[critic.output]": "which follows the scale of the returns",
    "initialise.run=RUN initialise.freeze=[policy.body,policy.head,policy.output]": "nothing to learn",
    "initialise.run=RUN policy.hidden=[9]": "policy.body.hidden is [9] here and [8] there, set policy.body.hidden=[8]",
    "initialise.run=RUN policy=beta": "policy.head is GaussianHead there and BetaHead here",
    "initialise.run=RUN policy.activation=relu": "policy.body.activation is 'relu' here and 'tanh' there",
    "initialise.run=RUN policy.log_std=0.2 policy.log_std_bounds=[0.1,0.5]":
        "policy.head.log_std lies outside the bounds that it has",
    "initialise.run=RUN critic.hidden=[9]": "critic.body.hidden is [9] here and [8] there",
    "initialise.run=RUN task=walker2d": "pgrobot port RUN task=<task> maps a policy by these names",
    "initialise.run=RUN task=halfcheetah": "it reads of Hopper-v5 qpos/",
    "initialise.run=RUN scheme=manager_worker": "its learners are robot, and here manager, worker",
    "+algorithm.objective.prior={_target_:pgrobot.objectives.KLToPrior,weight:1,updates:5}":
        "algorithm.objective.prior keeps to the policy that a run begins as, and this one begins anew",
    "initialise.run=RUN +algorithm.objective.prior={_target_:pgrobot.objectives.L2ToPrior,weight:1,updates:0}":
        "updates must be a whole number of updates of at least 1, or .inf",
}  # fmt: skip


# Refused by the keys alone, whatever run it is.
BAD_KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "checkpoint": (
        {"checkpoint": "last"},
        "initialise.checkpoint=last is of a run that this one begins as: add",
    ),
    "warmup": ({"critic_warmup": 3}, "initialise.critic_warmup=3 is of a run that this one begins as: add"),
    "freeze": (
        {"freeze": ["policy.body"]},
        "initialise.freeze=[policy.body] is of a run that this one begins as: add",
    ),
    "parts": ({"parts": ["policy"]}, "initialise.parts=[policy] is of a run"),
    "no policy": ({"run": "r", "parts": ["critic"]}, "leaves out the policy"),
    "no part": ({"run": "r", "parts": ["policy", "body"]}, "initialise.parts.1 cannot be 'body'"),
    "no number": ({"run": "r", "log_std": "wide"}, "initialise.log_std must be kept or a number"),
    "negative": ({"run": "r", "critic_warmup": -1}, "must be a whole number of at least 0"),
}


@pytest.fixture(scope="module")
def composed() -> DictConfig:
    return compose(["task=hopper"])


@pytest.mark.parametrize("name", BAD_KEYS)
def test_what_the_keys_contradict_is_told_in_a_sentence(name: str, composed: DictConfig) -> None:
    keys, sentence = BAD_KEYS[name]
    cfg = composed.copy()
    cfg.initialise = {**ANEW, **keys}
    with pytest.raises(PgrobotError, match=re.escape(sentence)):
        validated(cfg)


@pytest.mark.parametrize("typed", BAD)
def test_what_does_not_fit_is_told_in_a_sentence(typed: str, finished: Finished, tmp_path: Path) -> None:
    """Before there is a directory."""
    runs = {"RUN": finished, "BETA": lambda: finished(*KINDS["beta"])}
    words, sentence = typed, BAD[typed]
    for name, run in runs.items():
        if name in words:
            words, sentence = (text.replace(name, str(run())) for text in (words, sentence))
    with pytest.raises(PgrobotError, match=re.escape(sentence)):
        start(tiny_request(tmp_path / "run", *words.split()))
    assert not (tmp_path / "run").exists()


def test_the_command_says_what_was_taken_over(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ["debug=tiny", "total_steps=256", "task.frame_skip=6", f"initialise.run={finished()}"]
    assert main(["train", *overrides, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    told = capsys.readouterr().out
    assert "begins as" in told
    assert "it acts every 0.008 s, and Hopper-v5 every 0.012 s" in told
