"""How findings come and go, on metrics that are made for the purpose."""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pgrobot.health import CHECKS, STRETCH, Check, Examination, Facts, Symptom, examine_run, findings
from pgrobot.health.history import WATCHED, View

CONFIG = {
    "policy": {"head": {"log_std_bounds": [-4.0, 1.0]}},
    "multiplier": {"maximum": 100.0},
    "total_steps": 1_000_000,
    "num_envs": 64,
}
FACTS = Facts.of(CONFIG, {"max_episode_steps": 1000}, {})
UNKNOWN = Facts.of({}, {}, {})
FINE = {
    "policy/std": 0.4,
    "policy/kl": 0.02,
    "policy/kl_normalizer": 0.0001,
    "policy/clip_fraction": 0.2,
    "critic/explained_variance/reward": 0.8,
    "loss/value": 0.02,
    "reward/forward/mean": 1.0,
    "reward/ctrl/mean": -0.1,
    "return/mean": 10.0,
    "cost/torque/mean": 0.05,
    "cost/torque/budget": 0.1,
    "multiplier/torque": 1.0,
    "multiplier_level/torque": 0.5,
    "torque/hip/saturation": 0.1,
    "guard/skipped_updates": 0.0,
    "simulation/failures": 0.0,
    "sensitivity/unused": 0.0,
}
OPPOSED = {
    "multiplier_level/torque": 100.0,
    "cost/torque/mean": 3.0,
    "multiplier_level/speed": 100.0,
    "cost/speed/mean": 2.0,
    "cost/speed/budget": 0.1,
    "torque/hip/gradient_torque": 1.0,
    "torque/hip/gradient_speed": -2.0,
}
Change = Callable[[int], Mapping[str, float]]


def rows(count: int, change: Change) -> Iterable[tuple[int, dict[str, float]]]:
    """Iterations of 2,048 steps that are fine but for what ``change`` says of each."""
    return [(2048 * (i + 1), FINE | change(i)) for i in range(count)]


def names(count: int, change: Change, facts: Facts = FACTS) -> list[str]:
    return [finding.name for finding in findings(rows(count, change), facts)]


def rising(i: int) -> dict[str, float]:
    return {"multiplier/torque": 1.0 + i, "cost/torque/mean": 3.0}


DISEASES: dict[str, Change] = {
    "updates_skipped": lambda i: {"guard/skipped_updates": float(i % 3 == 0)},
    "kl_runaway": lambda i: {"policy/kl": 3.0},
    "budget_infeasible": lambda i: {"multiplier_level/torque": 100.0, "cost/torque/mean": 3.0},
    "std_at_bound": lambda i: {"policy/std": math.exp(-4.0)},
    "std_collapsing": lambda i: {"policy/std": 0.6 * 0.95**i},
    "critic_useless": lambda i: {"critic/explained_variance/reward": 0.0, "loss/value": 0.5},
    "clipped_much": lambda i: {"policy/clip_fraction": 0.9},
    "reward_out_of_scale": lambda i: {"reward/ctrl/mean": -30.0},
    "normalizer_drifts": lambda i: {"policy/kl_normalizer": 0.1},
    "multiplier_winds_up": rising,
    "multiplier_at_maximum": lambda i: {
        "multiplier_level/torque": 100.0,
        "cost/torque/mean": 3.0 * 0.98**i + 0.11,
    },
    "actuator_saturated": lambda i: {"torque/hip/saturation": 0.9},
    "numbers_not_finite": lambda i: {"policy/entropy": math.nan if i % 3 else 1.0},
    "simulations_break": lambda i: {"simulation/failures": 2.0},
    "sensor_unused": lambda i: {"sensitivity/unused": 0.25},
    "budgets_contradict": lambda i: OPPOSED,
    "cost_never_occurs": lambda i: {"cost/torque/mean": 0.0},
}


def test_nothing_is_said_of_what_is_fine() -> None:
    assert names(200, lambda i: {}) == []


@pytest.mark.parametrize("name", DISEASES)
def test_every_disease_has_its_name_and_no_other(name: str) -> None:
    assert names(120, DISEASES[name]) == [name]


@pytest.mark.parametrize("name", DISEASES)
def test_the_beginning_is_left_in_peace(name: str) -> None:
    assert names(2 * STRETCH - 1, DISEASES[name]) == [name] * (name == "sensor_unused"), (
        "a closer look has seen it"
    )
    examination = Examination(FACTS)
    for step, row in rows(2 * STRETCH - 1, DISEASES[name]):
        examination.add(step, row)
    assert examination.standing == ()


@pytest.mark.parametrize("event", ["guard/skipped_updates", "simulation/failures"])
@pytest.mark.parametrize(
    ("place", "count"), [(250, 500), (500, 501), (499, 500), (0, 1), (0, 20), (19, 20), (20, 21)]
)
def test_a_lone_accident_is_none(event: str, place: int, count: int) -> None:
    """Wherever it falls, and however few iterations are left of a stretch."""
    assert names(count, lambda i: {event: float(i == place)}) == []
    examination = Examination(FACTS)
    told = [examination.add(step, row) for step, row in rows(count, lambda i: {event: float(i == place)})]
    assert not any(told)


def test_rare_events_are_counted_over_the_last_fifty_iterations() -> None:
    def skipped(*places: int) -> Change:
        return lambda i: {"guard/skipped_updates": float(i in places)}

    assert names(100, skipped(52, 99)) == []  # 2 of 50
    assert names(100, skipped(49, 52, 99)) == []  # the third is too long ago
    (found,) = findings(rows(100, skipped(50, 52, 99)), FACTS)
    assert found.sentence.startswith("3 of the last 50 updates were skipped")
    assert found.evidence == {"guard/skipped_updates": 0.06}
    (found,) = findings(rows(23, skipped(0, 22)), FACTS)
    assert found.sentence.startswith("2 of the last 23 updates were skipped")
    (found,) = findings(rows(100, lambda i: {"simulation/failures": 26.0 * (i == 60)}), FACTS)
    assert found.sentence.startswith("0.52 simulations break per iteration")


@pytest.mark.parametrize("name", DISEASES)
def test_a_finding_whose_metrics_are_missing_says_nothing(name: str) -> None:
    """As in runs of older versions, and of algorithms that have no critic or no clip."""
    changed = set().union(*(DISEASES[name](i) for i in range(3)))
    for missing in changed:
        without = [
            (step, {key: v for key, v in row.items() if key != missing})
            for step, row in rows(120, DISEASES[name])
        ]
        assert name not in [finding.name for finding in findings(without, FACTS)]
    assert findings(((step, {}) for step, _ in rows(120, DISEASES[name])), FACTS) == ()


@pytest.mark.parametrize("name", DISEASES)
def test_numbers_that_are_none_are_passed_over(name: str) -> None:
    def broken(i: int) -> Mapping[str, float]:
        return dict.fromkeys(FINE, math.nan if i % 4 else math.inf) if i % 3 == 0 else DISEASES[name](i)

    odd = "numbers_not_finite"
    found = set(names(120, broken))
    assert found == {name, odd} or name == "updates_skipped"
    assert names(120, lambda i: dict.fromkeys(FINE, math.nan)) == [odd]


@pytest.mark.parametrize("value", [math.nan, -math.inf, 1e300, 10**400, "high", None])
def test_what_is_no_figure_is_counted(value: Any) -> None:
    (found,) = findings(rows(40, lambda i: {"cost/torque/mean": value} if i < 16 else {}), FACTS)
    assert found.sentence.startswith("16 values of cost/torque/mean in 40 iterations are not finite")
    assert found.evidence == {"cost/torque/mean": 16.0}
    (alone,) = findings([(step, {"only": value}) for step in range(40)], FACTS)
    assert alone.sentence.startswith("40 values of only")


def test_without_facts_only_what_needs_none_is_said() -> None:
    needy = {"std_at_bound", "budget_infeasible", "budgets_contradict", "multiplier_at_maximum"}
    for name, disease in DISEASES.items():
        assert (name in names(120, disease, UNKNOWN)) == (name not in needy), name


def test_what_comes_and_goes_is_not_told() -> None:
    flickering = lambda i: {"policy/kl": 3.0 if i // STRETCH % 2 else 0.02}
    assert names(300, flickering) == []
    spikes = lambda i: {"policy/kl": 3.0 if i % 4 == 0 else 0.02}
    assert names(300, spikes) == []


def test_what_stands_does_not_flicker_and_goes_after_three_looks() -> None:
    examination = Examination(FACTS)
    told = []
    for step, row in rows(200, lambda i: {"policy/kl": 3.0 if i < 60 or 70 <= i < 100 else 0.02}):
        if examination.add(step, row):
            told.append((step // 2048, [f.name for f in examination.standing]))
    assert told == [(30, ["kl_runaway"]), (130, [])]
    ((finding, until),) = examination.past
    assert finding.since_step == 20 * 2048
    assert until == 130 * 2048


def test_a_finding_keeps_its_beginning_and_has_the_newest_evidence() -> None:
    (finding,) = findings(rows(100, lambda i: {"policy/kl": 1.0 + i}), FACTS)
    assert finding.since_step == 20 * 2048
    assert finding.evidence == {"policy/kl": pytest.approx(95.5)}
    assert finding.sentence == (
        "An update moves the policy by 95.5 nats, so that its rollout tells little of where it went."
    )


FINE_AFTER_ALL: dict[str, Change] = {
    "a price that rises as its cost falls": lambda i: rising(i) | {"cost/torque/mean": 3.0 * 0.99**i + 0.2},
    "a price that rises within its budget": lambda i: rising(i) | {"cost/torque/mean": 0.05},
    "a price at its maximum within its budget": lambda i: {"multiplier_level/torque": 100.0},
    "a critic where every state is worth the same": lambda i: {
        "critic/explained_variance/reward": -0.3,
        "loss/value": 1e-4,
    },
    "a normaliser that does little beside little": lambda i: {
        "policy/kl": 1e-5,
        "policy/kl_normalizer": 1e-4,
    },
    "a bonus for being alive": lambda i: {"reward/forward/mean": 10.0, "reward/ctrl/mean": 0.02},
    "a deviation that falls as training goes": lambda i: {"policy/std": 0.6 * 0.99**i},
}


@pytest.mark.parametrize("story", FINE_AFTER_ALL)
def test_what_looks_bad_and_is_not(story: str) -> None:
    assert names(150, FINE_AFTER_ALL[story]) == []


def test_the_worst_comes_first() -> None:
    everything = {k: v for name in ("actuator_saturated", "kl_runaway") for k, v in DISEASES[name](0).items()}
    assert names(100, lambda i: everything) == ["kl_runaway", "actuator_saturated"]


def test_a_critic_has_seen_something_before_it_is_called_useless() -> None:
    """However many iterations that takes."""
    small = [(step // 128, row) for step, row in rows(700, DISEASES["critic_useless"])]
    examination = Examination(FACTS)
    first = next(step for step, row in small if examination.add(step, row))
    assert 10_000 <= first < 10_500
    (found,) = examination.standing
    assert found.name == "critic_useless"


def test_learners_are_told_apart() -> None:
    def told(i: int) -> dict[str, float]:
        return {f"walker/{k}": v for k, v in (FINE | DISEASES["kl_runaway"](i)).items()}

    (finding,) = findings(rows(100, told), FACTS)
    assert (finding.name, finding.learner) == ("kl_runaway", "walker")
    assert finding.sentence.startswith("walker: An update")


def test_what_belongs_to_no_learner_is_no_learner_without_episodes() -> None:
    def told(i: int) -> dict[str, float]:
        return {"walker/return/mean": 1.0, "walker/guard/skipped_updates": 0.0, "simulation/failures": 0.0}

    cost = {"verdict": "undecided", "episodes_needed": 240.0}
    result = {"return": {"episodes": 100}, "costs": {"torque": cost}}
    facts = Facts.of(CONFIG | {"total_steps": 2048}, {}, result)
    several = [(2048 * (i + 1), told(i)) for i in range(30)]
    assert [(f.learner, f.subject) for f in findings(several, facts)] == [("", "torque")]


def test_choices_have_no_deviation_that_could_be_small() -> None:
    small = {"policy/std": 0.01}
    assert names(100, lambda i: small) == ["std_collapsing"]
    assert names(100, lambda i: small, Facts.of(CONFIG | {"policy": {"head": {}}}, {}, {})) == []


def test_evaluations_are_no_learner() -> None:
    assert WATCHED.fullmatch("evaluation/return/mean") is None
    assert WATCHED.fullmatch("evaluation/cost/torque/mean") is None
    assert WATCHED.fullmatch("cost/torque/mean")["learner"] is None  # type: ignore[index]


def test_a_short_run_is_told_that_no_episode_ended() -> None:
    without = [
        (step, {k: v for k, v in row.items() if k != "return/mean"}) for step, row in rows(30, lambda i: {})
    ]
    short = Facts.of(CONFIG | {"total_steps": 61_440}, {"max_episode_steps": 1000}, {})
    (finding,) = findings(without, short)
    assert finding.name == "too_few_episodes"
    assert "64,000 steps are one for each environment" in finding.sentence
    assert findings(without, FACTS) == ()


def test_an_undecided_budget_is_told_how_many_episodes_it_takes() -> None:
    cost = {"verdict": "undecided", "episodes_needed": 240.0}
    result = {"return": {"episodes": 100}, "costs": {"torque": cost, "speed": {"verdict": "satisfied"}}}
    (finding,) = findings(rows(30, lambda i: {}), Facts.of(CONFIG, {}, result))
    assert (finding.name, finding.subject) == ("too_few_episodes", "torque")
    assert "some 240 would" in finding.sentence
    for needed in (math.inf, None, 80.0):
        result["costs"]["torque"]["episodes_needed"] = needed  # type: ignore[index]
        assert findings(rows(30, lambda i: {}), Facts.of(CONFIG, {}, result)) == ()


def test_nonsense_in_a_config_is_not_known() -> None:
    for config in ({"policy": None}, {"policy": {"head": 3, "log_std_bounds": [1]}}, {"total_steps": "many"}):
        facts = Facts.of(config, {}, {"costs": [], "return": 3})
        assert math.isnan(facts.std_low)
        assert math.isnan(facts.total_steps)
    assert Facts.of({"policy": {"log_std_bounds": [-1, 0]}}, {}, {}).std_high == 1.0


def test_names_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "health.md").read_text(encoding="utf-8")
    sections = [
        line.removeprefix("### `").removesuffix("`") for line in page.splitlines() if line[:4] == "### "
    ]
    assert sections == [check.name for check in CHECKS]
    for check in CHECKS:
        assert f"*{check.severity}*" in page.split(f"### `{check.name}`")[1].split("###")[0]


def test_every_check_has_a_disease() -> None:
    assert {check.name for check in CHECKS} == {*DISEASES, "too_few_episodes"}


def test_a_look_costs_little() -> None:
    """At most 0.5 % of an iteration of 78 ms, with as many metrics as a humanoid has."""
    generator = random.Random(1)
    many = FINE | {f"torque/joint_{i}/saturation": 0.1 for i in range(50)}
    many |= {f"cost/torque/joint_{i}": 0.1 for i in range(50)} | {f"violation/{i}": 0.0 for i in range(400)}
    told = [(i, {k: v * generator.uniform(0.99, 1.01) for k, v in many.items()}) for i in range(200)]
    seconds = []
    for _ in range(3):
        examination = Examination(FACTS)
        began = time.process_time()
        for step, row in told:
            examination.add(step, row)
        seconds.append((time.process_time() - began) / len(told))
    assert (
        min(seconds) < 0.005 * 0.078 * 3.0
    )  # this machine may be three times as slow as the one that was measured


# ------------------------------------------------------------------------------------------------------ run directories


def write(run: Path, told: Iterable[tuple[int, Mapping[str, float]]]) -> None:
    lines = (json.dumps({"global_step": step, **row}) for step, row in told)
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_run_directory_with_nothing_but_metrics(tmp_path: Path) -> None:
    write(tmp_path, rows(100, DISEASES["kl_runaway"]))
    assert [finding.name for finding in examine_run(tmp_path).standing] == ["kl_runaway"]


def test_torn_and_damaged_lines_cost_themselves(tmp_path: Path) -> None:
    write(tmp_path, rows(100, DISEASES["kl_runaway"]))
    whole = examine_run(tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_bytes()
    damaged = b'{"global_step": "x"}\nnull\n[1]\n\xff\xfe\n{"global_step": 1e999}\n'
    (tmp_path / "metrics.jsonl").write_bytes(damaged + lines + b'{"global_step": 204801, "policy/kl": 0.0')
    assert examine_run(tmp_path).standing == whole.standing


def test_damaged_files_beside_them_are_not_known(tmp_path: Path) -> None:
    write(tmp_path, rows(100, DISEASES["std_at_bound"]))
    for name in ("config.yaml", "spec.json", "result.json"):
        (tmp_path / name).write_bytes(b"\xff[:")
    assert examine_run(tmp_path).standing == ()


def test_unused_sensors_are_named_by_the_last_table(tmp_path: Path) -> None:
    write(tmp_path, rows(30, DISEASES["sensor_unused"]))
    tables = tmp_path / "tables" / "sensitivity"
    tables.mkdir(parents=True)
    head = '"entry","attribution","unused"\n'
    (tables / "entries_9.csv").write_text(head + '"old",0.0,1.0\n')
    (tables / "entries_10.csv").write_text(head + '"x",5.0,0.0\n"y",0.001,1.0\n"z",3.0,0.0\n')
    (finding,) = examine_run(tmp_path).standing
    assert finding.sentence.endswith("25% of the entries that the policy observes: y.")
    (tables / "entries_11.csv").write_text("nothing")
    (finding,) = examine_run(tmp_path).standing
    assert finding.sentence.endswith("25% of the entries that the policy observes.")


def test_checks_are_pure_functions_of_what_they_are_shown() -> None:
    def eager(view: View) -> Iterable[Symptom]:
        yield Symptom("", f"{len(view.stretches)} stretches.", {"x": 1.0}, "Nothing.")

    check = Check("eager", "note", 2, eager)  # type: ignore[arg-type]
    shown = View(1, ({"a": 1.0},), {"a": 1.0}, {}, {}, 1, FACTS)
    assert [s.sentence for s in itertools.chain(check.look(shown), check.look(shown))] == ["1 stretches."] * 2
