"""A bonus is what its page says: of the true successor, in the unit of its filtered sum, in a column of its own."""

from __future__ import annotations

import copy
import dataclasses
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from curious import GAMMA, bonus, paid, rollout
from managing import collector as collector_of_two
from managing import uneven
from torch import Tensor
from toys import TargetWorld, make

import pgrobot
from pgrobot.answers import check_columns, with_column_of
from pgrobot.configure import build
from pgrobot.errors import PgrobotError
from pgrobot.guard import GuardedLearner
from pgrobot.types import Action, EnvironmentSpec, Rollout

GRID = {"size": {"policy/0": 0.5, "policy/1": 0.25}}
PARTS: dict[str, dict[str, Any]] = {"rnd": {}, "icm": {}, "count": {"bits": 4}, "grid": GRID}
WORLD = TargetWorld(4, 0)


def part(name: str, **changes: Any) -> Any:
    spec = {"spec": WORLD.spec} if name == "icm" else {}
    return bonus(name, **{**PARTS[name], **spec, **changes})


def filtered_by_hand(novelty: list[Tensor], rollouts: list[Rollout], episodic: bool) -> np.ndarray:
    """``F_t = b_t + γ F_{t−1}`` along time, one environment after the other, over rollouts that follow each other."""
    found = []
    for env in range(novelty[0].shape[1]):
        running = 0.0
        for bonuses, given in zip(novelty, rollouts, strict=True):
            for t in range(len(bonuses)):
                if given.weight[t, env] == 0.0:
                    continue
                running = float(bonuses[t, env]) + running
                found.append(running)
                over = episodic and bool(given.done[t, env])
                running *= 0.0 if over else GAMMA ** float(given.duration[t, env])
    return np.array(found)


@pytest.mark.parametrize("episodic", [False, True])
@pytest.mark.parametrize("padding", [False, True])
def test_the_scale_is_the_deviation_of_what_is_filtered_over_time(episodic: bool, padding: bool) -> None:
    """Of every environment by itself, over rollouts; along the other axis, over environments, it would be another."""
    one = part("rnd", episodic=episodic)
    given = [rollout(12, 3, seed=seed) for seed in range(3)]
    if padding:
        weight = torch.ones(12, 3)
        weight[9:, 1] = 0.0
        lasting = 1.0 + torch.arange(36.0).view(12, 3) % 3
        given = [dataclasses.replace(each, weight=weight, duration=lasting) for each in given]
    novelty = []
    for index, each in enumerate(given):
        raw = one.novelty(each)
        novelty.append(raw)
        wanted = filtered_by_hand(novelty, given[: index + 1], episodic).std()
        counts = each.weight > 0.0
        assert paid(one, each)[counts].numpy() == pytest.approx((raw[counts] / wanted).numpy(), rel=1e-5)
        assert not paid(one, each)[~counts].any()
        told = one.fit(each)
        assert told["intrinsic/rnd/scale"] == pytest.approx(wanted, rel=1e-6)
        assert told["intrinsic/rnd/mean"] == pytest.approx(float((raw[counts] / wanted).mean()), rel=1e-5)
    across = np.concatenate([np.stack(_filtered(raw.T)) for raw in novelty]).std()
    assert abs(across / wanted - 1.0) > 0.02


def _filtered(rows: Tensor) -> list[np.ndarray]:
    running, found = np.zeros(rows.shape[1]), []
    for row in rows:
        running = row.numpy() + GAMMA * running
        found.append(running)
    return found


@pytest.mark.parametrize("name", PARTS)
def test_paying_moves_nothing_and_a_jump_to_the_next_episode_is_not_seen(name: str) -> None:
    """The first state of a new episode follows in ``obs`` alone; what is paid is the same whatever it is."""
    one, given = part(name, scaled=False), rollout()
    one.fit(rollout(seed=5))
    before = copy.deepcopy(one.state_dict())
    once = paid(one, given)
    assert torch.equal(once, paid(one, given))
    assert_same(before, one.state_dict())
    begun = torch.where(given.episode_start.unsqueeze(-1), 50.0, given.obs["policy"])
    if name == "icm":  # it reads where a step began, which is no jump either
        first = given.episode_start
        begun = torch.where(first.unsqueeze(-1), begun, given.obs["policy"])
        other = paid(one, dataclasses.replace(given, obs={"policy": begun}))
        assert torch.equal(other[~first], once[~first])
    else:
        assert torch.equal(once, paid(one, dataclasses.replace(given, obs={"policy": begun})))
    shifted = given.next_obs["policy"].clone()
    shifted[3, 1] = shifted[5, 0]
    assert not torch.equal(
        once[3, 1], paid(one, dataclasses.replace(given, next_obs={"policy": shifted}))[3, 1]
    )


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, list | tuple):
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert one == other


def test_a_linear_predictor_knows_the_span_that_it_saw_and_nothing_beyond() -> None:
    """Without hidden layers the difference of the two networks is ``W x + w``, which gradient steps change within the
    rows that they see: at the end its error there is 0, and elsewhere that of what is at right angles to them."""
    draw = torch.Generator().manual_seed(1)
    basis = torch.randn(3, 6, generator=draw)
    seen = torch.randn(8, 4, 3, generator=draw) @ basis
    one = bonus(
        "rnd", 6, hidden=[], features=5, optimizer="sgd", rate=0.2, share=1.0, epochs=1, minibatch=32, clip=50.0,
        scaled=False,
    )  # fmt: skip
    given = rollout(8, 4, 6, next_obs={"policy": seen})

    def difference() -> Tensor:
        predictor, target = (one.networks[name].output for name in ("predictor", "target"))
        weight = torch.cat((predictor.weight, predictor.bias.unsqueeze(-1)), -1)
        return (weight - torch.cat((target.weight, target.bias.unsqueeze(-1)), -1)).detach().double()

    began = difference()
    one.fit(given)  # the whitening is that of the one rollout, again and again
    read = lambda x: torch.cat((x, torch.ones(*x.shape[:-1], 1)), -1).double()
    rows = read(one.seen(given)["next"]).flatten(0, 1)
    one.epochs = 1500
    one.fit(given)
    assert float(one.novelty(given).max()) < 1e-8
    elsewhere = torch.randn(8, 4, 6, generator=draw)
    beyond = read(one._whitening(elsewhere)).flatten(0, 1)
    projection = torch.linalg.pinv(rows, rcond=1e-4) @ rows
    left = (beyond - beyond @ projection) @ began.T
    with torch.no_grad():
        error = one._error(one._whitening(elsewhere)).flatten().double()
    np.testing.assert_allclose(error.sqrt(), (0.5 * left.square().sum(-1)).sqrt(), rtol=1e-3, atol=1e-4)
    assert float(error.min()) > 1e-3


def test_the_random_network_stays_what_it_is() -> None:
    one = part("rnd")
    before = copy.deepcopy(one.networks.state_dict())
    one.fit(rollout())
    moved = {
        name for name, value in one.networks.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == {name for name in before if name.startswith("predictor.")}


def test_whitening_is_of_its_own_and_bounded() -> None:
    one, first, second = part("rnd"), rollout(seed=0), rollout(seed=1)
    for count, given in enumerate((first, second), 1):
        rows = torch.cat([each.next_obs["policy"].flatten(0, 1) for each in (first, second)[:count]])
        expected = (given.next_obs["policy"] - rows.mean(0)) / rows.std(0, correction=0)
        torch.testing.assert_close(one.seen(given)["next"], expected, rtol=1e-5, atol=1e-5)
        with torch.no_grad():
            missed = one.networks["predictor"](expected) - one.networks["target"](expected)
        torch.testing.assert_close(one.novelty(given), 0.5 * missed.square().sum(-1), rtol=1e-4, atol=1e-5)
        one.fit(given)
    far = dataclasses.replace(second, next_obs={"policy": 1e6 * torch.ones(12, 3, 2)})
    assert float(one._whitening(far.next_obs["policy"]).max()) == 5.0


def test_a_predictor_learns_from_a_share_of_the_rows() -> None:
    one, read = part("rnd", share=0.25, epochs=3, minibatch=4), []
    losses = one.losses
    one.losses = lambda rows: read.append(len(rows["next"])) or losses(rows)
    one.fit(rollout(12, 3))
    assert read == 3 * [4, 4, 1]


@pytest.mark.parametrize("name", ["rnd", "icm"])
def test_nothing_is_learnt_from_padding(name: str) -> None:
    weight, ends = torch.ones(12, 3), []
    weight[7:, 1] = 0.0
    for padding in (0.0, 5.0):
        one, given = part(name, epochs=2, share=1.0, minibatch=10), rollout(weight=weight)
        for rows in (given.obs["policy"], given.next_obs["policy"], given.action):
            rows[weight == 0.0] = padding
        one.fit(given)
        ends.append(one.networks.state_dict())
    assert_same(*ends)


def test_counts_are_those_of_brute_force() -> None:
    """On a grid, with padding, over three rollouts; and by hashes, whose cells are those of the signs."""
    one = part("grid", scaled=False)
    seen: Counter[tuple[int, ...]] = Counter()
    for seed in range(3):
        weight = torch.ones(12, 3)
        weight[10:, seed] = 0.0
        given = rollout(seed=seed, weight=weight)
        cells = np.floor(given.next_obs["policy"].double().numpy() / [0.5, 0.25]).astype(int)
        counted = [tuple(cell) for cell in cells[weight.numpy() > 0.0].tolist()]
        seen.update(counted)
        wanted = [1.0 / np.sqrt(seen[cell]) for cell in counted]
        np.testing.assert_allclose(paid(one, given)[weight > 0.0], wanted, rtol=1e-6)
        assert one.fit(given)["intrinsic/grid/cells"] == len(seen)
    hashed, given = bonus("count", 2, bits=3, scaled=False), rollout(40, 5)
    rows = given.next_obs["policy"].flatten(0, 1)
    white = (rows - rows.mean(0)) / rows.std(0, correction=0)
    signs = Counter(map(tuple, (white @ hashed._directions > 0.0).tolist()))
    wanted = [signs[tuple(row)] ** -0.5 for row in (white @ hashed._directions > 0.0).tolist()]
    np.testing.assert_allclose(paid(hashed, given).flatten(), wanted, rtol=1e-6)
    hashed.fit(given)
    again = dataclasses.replace(given, next_obs={"policy": given.next_obs["policy"] + 0.0})
    np.testing.assert_allclose(paid(hashed, again).flatten(), np.array(wanted) / np.sqrt(2.0), rtol=1e-6)
    assert int(hashed._visits.sum()) == 200


def test_hashed_cells_stay_where_the_first_rollout_put_them() -> None:
    """By its rows that count alone; whatever is seen later does not move them."""
    hashed, weight = bonus("count", 2, bits=3, scaled=False), torch.ones(40, 5)
    weight[30:, 1:3] = 0.0
    first, later = rollout(40, 5, weight=weight), rollout(40, 5, seed=1)
    first.next_obs["policy"][weight == 0.0] = 1e3
    later.next_obs["policy"].mul_(3.0).add_(2.0)
    counted = first.next_obs["policy"][weight > 0.0]
    signs = lambda x: ((x - counted.mean(0)) / counted.std(0, correction=0)) @ hashed._directions > 0.0
    seen = Counter(map(tuple, signs(counted).tolist()))
    wanted = [seen[tuple(row)] ** -0.5 for row in signs(counted).tolist()]
    np.testing.assert_allclose(paid(hashed, first)[weight > 0.0], wanted, rtol=1e-6)
    hashed.fit(first)
    rows = signs(later.next_obs["policy"].flatten(0, 1)).tolist()
    seen.update(map(tuple, rows))
    np.testing.assert_allclose(
        paid(hashed, later).flatten(), [seen[tuple(row)] ** -0.5 for row in rows], rtol=1e-6
    )


def test_an_inverse_model_reads_the_action_and_a_forward_one_foresees() -> None:
    """Of the linear system ``s' = s + B a``: both losses go to 0, and with them what is paid."""
    one = part("icm", hidden=[], features=2, epochs=150, share=1.0, minibatch=200, rate=3e-2, scaled=False)
    draw = torch.Generator().manual_seed(0)
    states, action = torch.randn(40, 5, 2, generator=draw), 2.0 * torch.rand(40, 5, 1, generator=draw) - 1.0
    push = torch.tensor([0.5, -1.0])
    given = rollout(40, 5, obs={"policy": states}, next_obs={"policy": states + action * push}, action=action)
    before = paid(one, given).mean()
    for _ in range(4):
        told = one.fit(given)
    assert told["intrinsic/icm/inverse_loss"] < 1e-4
    assert told["intrinsic/icm/forward_loss"] < 1e-4
    assert float(paid(one, given).mean()) < 1e-3 * float(before)


def test_each_model_of_icm_learns_by_its_own_loss() -> None:
    """The features by the inverse model's alone, so that they cannot become easy to foresee by saying nothing."""
    one, given = part("icm"), rollout()
    reached = {}
    for loss in ("inverse_loss", "forward_loss"):
        one.networks.zero_grad()
        one.losses({name: value.flatten(0, 1) for name, value in one.seen(given).items()})[loss].backward()
        reached[loss] = {
            name for name in one.networks
            if any(p.grad is not None and bool(p.grad.any()) for p in one.networks[name].parameters())
        }  # fmt: skip
    assert reached == {"inverse_loss": {"encoder", "inverse_model"}, "forward_loss": {"forward_model"}}


def test_a_choice_is_read_as_one_of_so_many() -> None:
    """And a real number as what the space lets through of it, here half of its range to either side."""
    actions = Action("gear", "", 3), Action("gas", "", 0)
    spec = dataclasses.replace(
        WORLD.spec, actions=actions, action_low=np.array([0.0, 1.0]), action_high=np.array([2.0, 5.0])
    )
    one = bonus("icm", actions=2, spec=spec)
    gear = torch.arange(36).view(12, 3) % 3
    gas = 2.0 * torch.randn(12, 3, generator=torch.Generator().manual_seed(3))
    assert bool((gas.abs() > 1.0).any())
    written = one._code(torch.stack((gear.float(), gas), -1))
    assert torch.equal(written[..., :3], torch.eye(3)[gear])
    assert torch.equal(written[..., 3], gas.clamp(-1.0, 1.0))
    assert torch.equal(one._code(torch.stack((gear.float(), gas, gas), -1)), written)  # and a goal
    said, action = (
        torch.randn(5, 4),
        torch.tensor([[0.0, 0.5], [1.0, 0.1], [2.0, 0.0], [1.0, 1.0], [0.0, -1.0]]),
    )
    chosen = said[:, :3].log_softmax(-1)[torch.arange(5), action[:, 0].long()]
    expected = -chosen.mean() + 0.5 * (said[:, 3] - action[:, 1]).square().mean()
    torch.testing.assert_close(one._inverse_loss(said, action), expected)


def test_every_column_has_its_own_discount_and_streams_add_up() -> None:
    """The advantages of two columns by hand, one γ each; their mix is that of two learners with one each."""
    ones = [part("rnd", discount=0.7), part("grid", discount=0.95, episodic=True)]
    collector, learner = make(TargetWorld(4, 0, fatal=0.8, costs=False), intrinsic=ones)
    learner.update(collector.collect()["robot"])
    given = collector.collect()["robot"]
    evidence, values = learner.seen(given)
    full = evidence.rollout
    assert full.columns == ("reward", "bonus/rnd", "bonus/grid")
    assert full.episodic.tolist() == [True, False, True]
    assert full.terminated.any()
    estimate = learner.poser.estimate(full, values, torch.zeros(16, 4))
    together = torch.zeros(16, 4)
    for column, gamma in enumerate((0.9, 0.7, 0.95)):
        alone = _gae_by_hand(full, values.now, values.next, column, gamma)
        torch.testing.assert_close(estimate.advantage[..., column], alone, rtol=1e-4, atol=1e-5)
        together += alone
    torch.testing.assert_close(
        learner.poser.mixed(estimate.advantage, evidence), together, rtol=1e-4, atol=1e-5
    )


def _gae_by_hand(full: Rollout, now: Tensor, following: Tensor, column: int, gamma: float) -> Tensor:
    found, episodic = torch.zeros(full.log_prob.shape), bool(full.episodic[column])
    for env in range(found.shape[1]):
        running = torch.zeros(())
        for t in reversed(range(len(found))):
            over = episodic and bool(full.done[t, env])
            dead = episodic and bool(full.terminated[t, env])
            after = following[t, env, column]
            if not episodic and t + 1 < len(found):
                after = now[t + 1, env, column]
            delta = full.reward[t, env, column] + gamma * (not dead) * after - now[t, env, column]
            running = delta + gamma * 0.95 * (not over) * running
            found[t, env] = running
    return found


def test_all_of_them_train_as_a_run_builds_them(tmp_path: Path) -> None:
    """Typed as on the command line, all at once: a column and metrics of each."""
    rows, ends = np.zeros((6, 3)), {"terminations": np.zeros(6, bool), "truncations": np.arange(6) == 5}
    steps = {"observations": rows, "next_observations": rows, "actions": rows[:, :1], "rewards": np.zeros(6)}
    np.savez(tmp_path / "shown.npz", **steps, **ends)
    names = ["rnd", "icm", "count", "grid", "discriminator"]
    cfg = pgrobot.compose(
        debug="tiny", task="mdp", intrinsic=names, num_envs=4, horizon=16,
        **{"intrinsic.grid.size": {"policy/*": 0.5}, "intrinsic.discriminator.files": [str(tmp_path / "shown.npz")]},
    )  # fmt: skip
    assembly = build(cfg, 1)
    learner: Any = assembly.learners["robot"]
    told = learner.update(assembly.collector.collect()["robot"])
    assert learner.learner.columns == ("reward", *(f"bonus/{name}" for name in names))
    for name in names:
        assert told[f"intrinsic/{name}/weight"] == 1.0
        assert np.isfinite(told[f"intrinsic/{name}/mean"])


def test_without_a_discount_of_its_own_it_has_that_of_its_kind() -> None:
    class Plain:
        column = "bonus/plain"

    one: Any = Plain()
    from pgrobot.posing import discounts_of

    discounts = {"reward": 0.9, "cost": 0.8, "bonus": 0.6}
    columns = ("reward", "cost/x", "bonus/plain")
    assert discounts_of(columns, discounts, [one]) == {"reward": 0.9, "cost/x": 0.8, "bonus/plain": 0.6}
    one.discount = 0.5
    assert discounts_of(columns, discounts, [one])["bonus/plain"] == 0.5
    one.discount = 1.5
    with pytest.raises(PgrobotError, match=r"Plain.discount has to be a number from 0 to 1, not 1.5"):
        check_columns([one])


@pytest.mark.parametrize("name", PARTS)
def test_without_weight_it_looks_on_and_changes_nothing(name: str) -> None:
    collector, learner = make(TargetWorld(4, 0, fatal=0.8))
    watched, watching = make(TargetWorld(4, 0, fatal=0.8), intrinsic=[part(name, weight=0.0)])
    for _ in range(4):
        told, also = learner.update(collector.collect()["robot"]), watching.update(watched.collect()["robot"])
        assert told == {key: value for key, value in also.items() if not key.startswith("intrinsic/")}
        assert len(also) > len(told)
    assert torch.equal(learner.policy_vector.vector, watching.policy_vector.vector)
    assert torch.equal(learner.critic_vector.vector, watching.critic_vector.vector)
    _, paying = make(TargetWorld(4, 0, fatal=0.8), intrinsic=[part(name)])
    assert paying.columns[-1] == f"bonus/{name}"


def test_a_linear_weight_ends_with_the_annealing() -> None:
    one = part("grid", weight=0.5, schedule="linear", annealing_steps=72, scaled=False)
    weights = []
    for seed in range(4):
        given = rollout(seed=seed)  # of 36 steps
        ratio = paid(one, given) / one.novelty(given)
        weights.append(float(ratio.mean()))
        assert one.fit(given)["intrinsic/grid/weight"] == pytest.approx(weights[-1])
    assert weights == pytest.approx([0.5, 0.25, 0.0, 0.0])


def test_a_weight_falls_with_the_steps_and_not_with_the_decisions() -> None:
    """Of a manager, a decision of which lasts up to four steps, and whose rollout is padded."""
    one = part("grid", weight=0.5, schedule="linear", annealing_steps=160, scaled=False)
    rollouts, _ = collector_of_two(uneven(), horizon=16)
    for left in (0.25, 0.0):
        decided = rollouts.collect()["manager"]
        assert decided.log_prob.numel() < 80 == decided.by_step.log_prob.numel()
        one.fit(decided)
        assert one.weight_now == pytest.approx(left)


@pytest.mark.parametrize("name", PARTS)
def test_it_goes_on_from_a_checkpoint_to_the_last_bit(name: str) -> None:
    whole, begun, given = part(name), part(name), [rollout(seed=seed) for seed in range(4)]
    for each in given[:2]:
        whole.fit(each)
        begun.fit(each)
    file = io.BytesIO()
    torch.save(begun.state_dict(), file)
    file.seek(0)
    resumed = part(name, seed=9)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for each in given[2:]:
        assert torch.equal(paid(whole, each), paid(resumed, each))
        assert whole.fit(each) == resumed.fit(each)
    assert_same(whole.state_dict(), resumed.state_dict())


def test_what_is_no_number_stops_the_run_and_is_named() -> None:
    one = part("rnd")
    torch.nn.init.constant_(one.networks["predictor"].output.weight, torch.nan)
    with pytest.raises(
        PgrobotError, match=r"intrinsic.rnd.RND pays nan as 'bonus/rnd' at step 0 of environment 0"
    ):
        with_column_of(one, rollout())
    collector, learner = make(WORLD, intrinsic=[one])
    with pytest.raises(PgrobotError, match="lower the rate by which it learns"):
        GuardedLearner(learner).update(collector.collect()["robot"])


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        (
            "rnd",
            {"discount": 1.0},
            r"intrinsic.rnd.discount=1 adds up without end where intrinsic.rnd.episodic=false",
        ),
        ("rnd", {"weight": 0.0, "schedule": "linear"}, r"intrinsic.rnd.schedule=linear fades a weight of 0"),
        ("rnd", {"groups": ["polcy"]}, r"intrinsic.rnd.groups names 'polcy'"),
        ("rnd", {"activation": "swish"}, "Unknown activation 'swish'"),
        ("count", {"bits": 63}, "intrinsic.count.bits=63 is more than 62"),
        ("grid", {"size": {}}, "intrinsic.grid.size names no entry"),
        ("grid", {"size": {"x": 1.0}}, "intrinsic.grid.size names 'x', which is not observed"),
        ("grid", {"size": {"policy/*": 1.0}, "width": 7}, "names 7 entries, and a grid of more than 6"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(name: str, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(PgrobotError, match=told):
        part(name, **changes)


def test_of_one_that_has_no_end_there_is_a_column_that_goes_on() -> None:
    given = rollout()
    assert part("rnd")(given).episodic.tolist() == [True, False]
    assert part("rnd", episodic=True)(given).episodic.tolist() == [True, True]


def test_the_environment_is_told_to_whoever_asks() -> None:
    assert isinstance(part("icm").spec, EnvironmentSpec)
    assert not hasattr(part("rnd"), "spec")
