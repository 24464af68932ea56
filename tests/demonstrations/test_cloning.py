"""Cloning: least squares where it should be, every shown step once a pass, an early stop, and a run like any other."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from demonstrated import make_demonstrations, make_spec
from problems import make_problem
from torch.func import grad, hessian
from toys import GAUSSIAN, POLICY, make_policy, numbers

import pgrobot
from pgrobot import checkpoint
from pgrobot.assembly import build
from pgrobot.batch import Batch
from pgrobot.bodies import Gru
from pgrobot.collectors.demonstrations import DemonstrationCollector
from pgrobot.constraints import Constraint, CostColumns
from pgrobot.demonstrations import Demonstrations, as_learnt, read_demonstrations, write_file
from pgrobot.errors import PgrobotError
from pgrobot.objectives import Cloning
from pgrobot.origin import Origin
from pgrobot.policies import NetworkPolicy
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.randomness import stream
from pgrobot.schemes.clone import Cloner
from pgrobot.solvers import FlatParameters, PolicyProblem
from pgrobot.tracking.metrics_file import MetricsFile

GAIN = torch.tensor([[-0.4], [0.3]], dtype=torch.float64)


def linear(rows: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Observations of two entries, and actions that are linear in them plus noise."""
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
    return obs, obs @ GAIN + 0.1 + noise * torch.randn(rows, 1, generator=generator, dtype=torch.float64)


def least_squares(obs: torch.Tensor, action: torch.Tensor) -> tuple[np.ndarray, float]:
    """Slopes and offset, and the mean square of what is left."""
    design = np.column_stack((obs.numpy(), np.ones(len(obs))))
    found, *_ = np.linalg.lstsq(design, action.numpy(), rcond=None)
    return found[:, 0], float(np.square(design @ found - action.numpy()).mean())


def test_a_linear_gaussian_clone_is_least_squares_with_the_variance_of_the_residual() -> None:
    """There the gradient is zero, and Newton's method from the policy's beginning ends there."""
    obs, action = linear(200, 0.2)
    head = partial(GaussianHead, log_std=-0.5, log_std_bounds=(-10.0, 10.0))
    policy = make_policy({"policy": 2}, 1, (), head).double()
    parameters = FlatParameters(policy)
    problem = PolicyProblem(policy, parameters, {"likelihood": Cloning(1.0)})
    batch = _batch(obs, action)
    loss = lambda v: problem.loss(v, batch)[0]
    vector = parameters.vector.clone().requires_grad_()
    search = torch.optim.LBFGS([vector], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        search.zero_grad()
        value = loss(vector)
        value.backward()
        return value

    search.step(closure)
    found = vector.detach().clone()
    for _ in range(4):
        found -= torch.linalg.solve(hessian(loss)(found), grad(loss)(found))
    assert float(grad(loss)(found).abs().max()) < 1e-12
    slopes, variance = least_squares(obs, action)
    said = problem.distribution(found, batch)
    corners = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    at = problem.ask(found)({"policy": corners}, torch.zeros(3, 0), torch.zeros(3, dtype=torch.bool)).mean[
        :, 0
    ]
    np.testing.assert_allclose([float(at[0] - at[2]), float(at[1] - at[2]), float(at[2])], slopes, rtol=1e-8)
    np.testing.assert_allclose(float(said.std[0, 0]) ** 2, variance, rtol=1e-8)


def _batch(obs: torch.Tensor, action: torch.Tensor) -> Batch:
    _, _, like = make_problem(rows=len(obs))
    return replace(like, obs={"policy": obs}, action=action)


# ---- what is handed out


def make_collector(
    shown: Demonstrations, policy: Any, count: int = 2, horizon: int = 4, **changes: Any
) -> Any:
    spec = replace(make_spec(costs=shown.costs), num_envs=count)
    constraints = [Constraint(name, 1.0, "probability", 1.5) for name in shown.costs]
    generator = torch.Generator().manual_seed(0)
    return DemonstrationCollector(
        shown, spec, policy, CostColumns(constraints, count), horizon, generator, "robot", lambda: False
    )


def test_every_step_is_handed_out_once_in_every_pass_and_in_its_order() -> None:
    shown = make_demonstrations((5, 3, 4))
    collector = make_collector(shown, make_policy(), count=1, horizon=12)
    orders = []
    for _ in range(4):
        rollout = collector.collect()["robot"]
        rows = [_row(shown, each) for each in rollout.action[:, 0]]
        assert sorted(rows) == list(range(12))
        starts = [t for t in range(12) if bool(rollout.episode_start[t, 0])]
        assert {rows[t] for t in starts} == {0, 5, 8}
        for t in range(1, 12):
            if not bool(rollout.episode_start[t, 0]):
                assert rows[t] == rows[t - 1] + 1
        assert torch.equal(rollout.reward[:, 0, 0], shown.reward[rows].float())
        assert torch.equal(rollout.next_obs["policy"][:, 0], shown.next_obs["policy"][rows].float())
        assert torch.equal(rollout.age[:, 0], shown.age[rows])
        torch.testing.assert_close(rollout.obs["time"][:, 0, 0], shown.age[rows] / 100.0)
        torch.testing.assert_close(rollout.next_obs["time"][:, 0, 0], (shown.age[rows] + 1) / 100.0)
        assert collector.ended == 3
        orders.append([rows[t] for t in starts])
    assert len({tuple(order) for order in orders}) > 1


def _row(shown: Demonstrations, action: torch.Tensor) -> int:
    return int((shown.action[:, 0] / 2.0).float().eq(action[0]).nonzero()[0, 0])


def test_costs_that_are_paid_once_are_paid_once_in_an_episode() -> None:
    shown = make_demonstrations((5, 3, 4), cost=torch.ones(12, 1).double(), costs=("speed",))
    rollout = make_collector(shown, make_policy(), count=3, horizon=8).collect()["robot"]
    expected = (rollout.age == 1).float()  # the second step takes the sum above 1.5
    assert torch.equal(rollout.reward[..., 1], expected)
    assert torch.equal(rollout.paid[..., 0], rollout.age > 1)


def test_the_state_is_all_that_is_needed_to_go_on_and_belongs_to_the_file() -> None:
    shown = make_demonstrations((5, 3, 4))
    one, other = (make_collector(shown, make_policy()) for _ in range(2))
    one.collect()
    state = one.state_dict()
    other.load_state_dict(state)
    for _ in range(5):
        first, second = one.collect()["robot"], other.collect()["robot"]
        assert torch.equal(first.action, second.action)
        assert torch.equal(first.log_prob, second.log_prob)
    with pytest.raises(PgrobotError, match="holds other demonstrations than those that the run learnt from"):
        make_collector(make_demonstrations((5, 3, 4), seed=1), make_policy()).load_state_dict(state)


def test_who_remembers_goes_on_remembering_in_the_next_rollout() -> None:
    """Three short rollouts, the last of a collector that went on from a state, are a long one."""
    gru = partial(Gru, units=3, hidden=(5,), activation="tanh", sequence=4)
    policy = NetworkPolicy(POLICY, numbers(1), ("policy",), gru, GAUSSIAN, 10.0, stream(0, "policy"))
    shown = make_demonstrations((7, 9, 8))
    whole = make_collector(shown, policy, count=1, horizon=12).collect()["robot"]
    collector, other = (make_collector(shown, policy, count=1) for _ in range(2))
    parts = [collector.collect()["robot"] for _ in range(2)]
    other.load_state_dict(collector.state_dict())
    parts.append(other.collect()["robot"])
    for name in ("action", "log_prob", "carry"):
        joined = torch.cat([getattr(part, name) for part in parts])
        torch.testing.assert_close(joined, getattr(whole, name), rtol=1e-6, atol=1e-6)
    assert bool(whole.carry[4].any())
    assert not bool(whole.episode_start[4].any())


def test_every_step_that_is_held_out_counts_the_same() -> None:
    """However long its episode is."""
    shown, policy = make_demonstrations((1, 9)), make_policy()
    read = as_learnt(shown, make_spec(), Origin({"policy": 2}))
    held: Any = SimpleNamespace(policy=policy)
    parts = [as_learnt(shown.of([each]), make_spec(), Origin({"policy": 2})) for each in (0, 1)]
    held._held_out = [(one.obs, one.action, one.episode_start) for one in parts]
    with torch.no_grad():
        said, _ = policy(read.obs, torch.zeros(10, 0), read.episode_start)
        wanted = -float(said.log_prob(read.action).mean())
    assert Cloner.held_out_nll(held) == pytest.approx(wanted, rel=1e-5)


# ---- runs


def shown_file(path: Path, lengths: tuple[int, ...], noise: float) -> Path:
    """What a linear controller with noise did on the regulator's two entries, in a space that is unbounded."""
    steps = sum(lengths)
    obs, action = linear(steps, noise)
    told = {
        "obs": {"policy": obs},
        "next_obs": {"policy": obs},
        "action": action,
        "names": {"policy": ()},
        "actions": (),
    }
    write_file(path, make_demonstrations(lengths, **told))
    return path


LQR: dict[str, Any] = {
    "task": "lqr",
    "debug": "tiny",
    "scheme": "clone",
    "quiet": True,
    "num_envs": 4,
    "horizon": 32,
    "threads": 1,
    "total_steps": 12_000,
    "evaluation.every": 10_000_000,
    "checkpoint.every": 10_000_000,
    "algorithm.policy_solver.minibatch": 32,
    "policy.hidden": [],
    "policy.log_std_bounds": [-5.0, 1.0],
}


def rows_of(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if not key.startswith("time/")} for line in lines]


def test_a_run_comes_to_least_squares_and_its_policy_acts(tmp_path: Path) -> None:
    path = shown_file(tmp_path / "shown.pt", (50,) * 10, 0.2)
    result = pgrobot.train(
        **{**LQR, "scheme.file": str(path), "scheme.held_out": 0.0, "hydra.run.dir": tmp_path / "run",
                  "algorithm.policy_solver.rate.initial": 2e-2, "horizon": 160},
    )  # fmt: skip
    obs, action = linear(500, 0.2)
    slopes, variance = least_squares(obs, action)
    policy = pgrobot.load(result.path)
    at = np.array([float(policy.act(np.array(x))[0]) for x in ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0))])
    np.testing.assert_allclose([at[0] - at[2], at[1] - at[2], at[2]], slopes, atol=0.02)
    last = rows_of(result.path)[-1]
    assert last["policy/std"] == pytest.approx(variance**0.5, rel=0.05)
    assert last["clone/nll"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e * variance), abs=0.1)
    assert "clone/held_out_nll" not in last
    assert result.evaluation["return"]["episodes"] == 3
    assert pgrobot.evaluate(result.path)["judged"]["repeats"] == "all"


@pytest.fixture(scope="module")
def overfitting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run that could only learn noise by heart, and its settings."""
    folder = tmp_path_factory.mktemp("overfitting")
    path = shown_file(folder / "shown.pt", (12,) * 10, 1.0)
    settings = {
        **LQR,
        "policy.hidden": [64],
        "scheme.file": str(path),
        "scheme.held_out": 0.3,
        "scheme.patience": 8.0,
        "total_steps": 100_000,
        "algorithm.policy_solver.rate.initial": 2e-2,
    }
    return pgrobot.train(**settings, **{"hydra.run.dir": folder / "run"}).path, settings


def test_a_run_stops_when_what_is_held_out_becomes_no_likelier(
    overfitting: tuple[Path, dict[str, Any]],
) -> None:
    run, _ = overfitting
    told = rows_of(run)
    losses = [row["clone/held_out_nll"] for row in told]
    best = int(np.argmin(losses))
    assert told[-1]["global_step"] < 20_000
    assert (len(told) - 1 - best) * 128 >= 8.0 * 7 * 12 > (len(told) - 2 - best) * 128
    assert told[-1]["clone/nll"] < told[best]["clone/nll"]  # it went on to learn by heart
    state = checkpoint.load(run / "checkpoints" / "last.pt")["learners"]["robot"]
    for name, value in state["held_out"]["best"].items():
        assert torch.equal(state["policy"][name], value), name
    assert state["held_out"]["least"] == min(losses)
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["env_steps"] == told[-1]["global_step"]
    assert result["training"] == {}


def test_stopped_and_resumed_is_unstopped(
    overfitting: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, settings = overfitting
    write = MetricsFile.write

    def interrupt(self: MetricsFile, step: int, row: dict[str, float]) -> None:
        write(self, step, row)
        if step == 384:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(MetricsFile, "write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pgrobot.train(**settings, **{"hydra.run.dir": tmp_path / "parts"})
    pgrobot.train(resume=tmp_path / "parts", quiet=True)
    assert rows_of(whole) == rows_of(tmp_path / "parts")
    one, other = (
        checkpoint.load(run / "checkpoints" / "last.pt")["learners"] for run in (whole, tmp_path / "parts")
    )
    for part in ("policy", "critic"):
        for name, value in one["robot"][part].items():
            assert torch.equal(other["robot"][part][name], value), name


def test_a_policy_that_remembers_is_shown_episodes_in_their_order(tmp_path: Path) -> None:
    path = shown_file(tmp_path / "shown.pt", (24,) * 6, 0.2)
    memory = {"policy": "recurrent", "policy.body.units": 4, "policy.sequence": 8, "total_steps": 512}
    settings = {key: value for key, value in LQR.items() if not key.startswith("policy.")}
    result = pgrobot.train(
        **{**settings, **memory}, **{"scheme.file": str(path), "hydra.run.dir": tmp_path / "run"}
    )
    told = rows_of(result.path)
    assert told[-1]["clone/held_out_nll"] < told[0]["clone/held_out_nll"]


def test_a_clone_that_begins_as_another_run_is_that_policy_until_it_learns(
    overfitting: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Normaliser, origin and critic are the run's, whatever the demonstrations are; what is new knows those."""
    run, settings = overfitting
    shown = shown_file(tmp_path / "shown.pt", (12,) * 4, 0.1)
    typed = {"scheme.file": str(shown), "total_steps": 512, "initialise.run": str(run)}

    def begun(**more: Any) -> Any:
        told = {key: value for key, value in {**settings, **typed, **more}.items() if key != "quiet"}
        return build(pgrobot.compose(**told), 1).learners["robot"].learner

    there = checkpoint.load(run / "checkpoints" / "best.pt")["learners"]["robot"]
    whole, anew = begun(), begun(**{"initialise.parts": ["policy"]})
    for name, value in there["policy"].items():
        assert torch.equal(whole.policy.state_dict()[name], value), name
        assert torch.equal(anew.policy.state_dict()[name], value), name
    for name, value in there["critic"].items():
        assert torch.equal(whole.critic.state_dict()[name], value), name
    assert anew.critic.normalizer.moments.count == 12 * 3, "of the episodes that are learnt from"
    trained = pgrobot.train(**{**settings, **typed, "initialise.critic_warmup": 3, "scheme.patience": 2.0,
                               "hydra.run.dir": tmp_path / "run"}).path  # fmt: skip
    told = rows_of(trained)
    assert [row["policy/kl_normalizer"] > 0.0 for row in told] == [False] * 3 + [True], "it goes on"
    assert len(told) == 4, "what no policy could have learnt counts for no patience"
    after = checkpoint.load(trained / "checkpoints" / "last.pt")["learners"]["robot"]["policy"]
    moments = "normalizer.moments.count"
    assert after[moments] == there["policy"][moments] + 128


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no file": ({"scheme.file": ""}, r"scheme\.file has to name demonstrations .* pgrobot record <run>"),
    "missing": ({"scheme.file": "nowhere.pt"}, r"There are no demonstrations nowhere\.pt"),
    "robot": (
        {"task": "hopper", "constraint": []},
        r"shows torch.float64 \[2\] as 'policy', and Hopper-v5 float64 \[11\]",
    ),
    "cost": ({"task": "hopper", "constraint": ["speed"]}, "tells no cost 'speed', which the run limits"),
    "algorithm": ({"algorithm": "ppo"}, "reads the advantage, and what a demonstrator did"),
    "multiplier": ({"multiplier": "pid", "task": "hopper"}, "use multiplier=none"),
    "wrapper": ({"wrapper": ["reward_weight"]}, "all that the wrapper reward_weight changes: leave it out"),
    "held out": ({"scheme.held_out": 0.99}, "holds 2 episodes, of which scheme.held_out=0.99 leaves none"),
    "share": ({"scheme.held_out": 1.0}, "held_out must be a number of at least 0 and below 1"),
    "patience": ({"scheme.patience": 0}, "patience must be a number above 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_with_it_is_refused_before_anything_is_made(name: str, tmp_path: Path) -> None:
    changes, message = REFUSED[name]
    path = shown_file(tmp_path / "shown.pt", (8, 8), 0.1)
    with pytest.raises(PgrobotError, match=message):
        pgrobot.train(**{**LQR, "scheme.file": str(path), **changes, "hydra.run.dir": tmp_path / "run"})
    assert not (tmp_path / "run").exists()


def test_cloning_a_rollout_of_ones_own_is_refused() -> None:
    with pytest.raises(
        PgrobotError, match="clones demonstrations, which only a scheme hands out: use scheme=clone"
    ):
        pgrobot.compose(algorithm="clone")


def test_rows_are_read_from_the_origin_that_they_fixed(tmp_path: Path) -> None:
    """A position of millions of metres: without an origin single precision would see no difference between rows."""
    obs, action = linear(100, 0.01)
    far = obs * 1e-3 + torch.tensor([4_500_000.0, 0.0], dtype=torch.float64)
    told = {
        "obs": {"policy": far},
        "next_obs": {"policy": far},
        "action": action,
        "names": {"policy": ()},
        "actions": (),
    }
    write_file(tmp_path / "shown.pt", make_demonstrations((50, 50), **told))
    result = pgrobot.train(
        **{**LQR, "total_steps": 128},
        **{"scheme.file": str(tmp_path / "shown.pt"), "hydra.run.dir": tmp_path / "run"},
    )
    state = checkpoint.load(result.path / "checkpoints" / "last.pt")["learners"]["robot"]["policy"]
    assert float(state["origin.value"][0]) == pytest.approx(4_500_000.0, abs=1.0)
    read = as_learnt(
        read_demonstrations(tmp_path / "shown.pt"), pgrobot.load(result.path).spec, _origin(state)
    )
    assert float(read.obs["policy"][:, 0].std()) == pytest.approx(1e-3, rel=0.3)


def _origin(state: dict[str, Any]) -> Any:
    origin = Origin({"policy": 2})
    origin.load_state_dict({"fixed": state["origin.fixed"], "value": state["origin.value"]})
    return origin
