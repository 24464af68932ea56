"""An exported policy acts in ONNX Runtime as in torch; what has no such form is refused, and nothing written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from remembering import Elman
from torch import Tensor
from toys import TargetWorld, make_policy

import pgrobot
from pgrobot.bodies import Mlp
from pgrobot.cli import main
from pgrobot.deploy import TrainedPolicy, exporting
from pgrobot.deploy.exportable import traced
from pgrobot.deploy.parity import _observations, session
from pgrobot.distributions import Gaussian, MultiCategorical
from pgrobot.errors import FailureError, PgrobotError
from pgrobot.policies import NetworkPolicy, Policy
from pgrobot.policies.heads.beta import BetaHead
from pgrobot.policies.heads.binned import BinnedHead
from pgrobot.policies.heads.categorical import CategoricalHead
from pgrobot.policies.heads.full_covariance import FullCovarianceHead
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.policies.heads.smooth import SmoothHead
from pgrobot.policies.heads.squashed import SquashedHead
from pgrobot.policies.heads.state_std import StateStdHead
from pgrobot.randomness import stream
from pgrobot.spec_file import read_spec
from pgrobot.types import Action, ActionForm, EnvironmentSpec, ObservationGroup, Widths

SPEC = TargetWorld(1, 0).spec


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has ``export`` export a policy as if it were a run's."""

    def given(policy: Policy, spec: EnvironmentSpec = SPEC) -> TrainedPolicy:
        trained = TrainedPolicy(policy, spec, Path("best.pt"), 1)
        monkeypatch.setattr(exporting, "load", lambda *_, **__: trained)
        return trained

    return given


def test_the_robot_is_driven_by_the_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:3] == [
        f"{run}/export/policy.onnx",
        "  in  policy [N, 11] float64",
        "  out action [N, 3] float64",
    ]
    parity = re.fullmatch(
        r"parity with torch: (\S+) of half .* over 1,000 observations \(at most 1e-05\)", told[3]
    )
    assert parity
    assert 0.0 < float(parity[1]) <= 1e-5
    spec = json.loads((run / "export" / "spec.json").read_text())
    assert spec["export"]["checkpoint"] == "best.pt"
    assert spec["export"]["inputs"] == [{"name": "policy", "shape": ["N", 11], "dtype": "float64"}]
    assert read_spec(run / "export").actuators == read_spec(run).actuators
    runtime, policy = session((run / "export" / "policy.onnx").read_bytes()), pgrobot.load(run)
    robot = gymnasium.make("Hopper-v5")
    obs, _ = robot.reset(seed=0)
    ended, steps = False, 0
    while not ended:
        (action,) = runtime.run(None, {"policy": obs[None]})
        assert action[0] == pytest.approx(policy.act(obs), abs=1e-5)
        obs, _, terminated, truncated, _ = robot.step(action[0])
        ended, steps = terminated or truncated, steps + 1
    robot.close()
    assert steps > 5
    content = (run / "export" / "policy.onnx").read_bytes()
    assert json.loads(session(content).get_modelmeta().custom_metadata_map["spec"])["name"] == "Hopper-v5"


def test_a_memory_goes_in_and_out(given: Any, tmp_path: Path) -> None:
    policy = given(Elman(1))
    told = pgrobot.export("run", output=tmp_path / "out")
    assert [str(port) for port in (*told.inputs, *told.outputs)] == [
        "policy [N, 2] float64", "episode_start [N] bool", "carry_in [N, 3] float32",
        "action [N, 1] float64", "carry_out [N, 3] float32",
    ]  # fmt: skip
    assert told.difference <= 1e-5
    runtime = session((tmp_path / "out" / "policy.onnx").read_bytes())
    world = TargetWorld(3, 0)
    obs, start, carry = world.reset()["policy"], np.ones(3, bool), np.zeros((3, 3), np.float32)
    for _ in range(20):
        action, carry = runtime.run(None, {"policy": obs, "episode_start": start, "carry_in": carry})
        assert action == pytest.approx(policy.act(obs), abs=1e-6)
        step = world.step(action)
        obs, start = step.obs["policy"], step.terminated | step.truncated
        policy.reset(start)


class Brightness(Policy):
    """Chooses by how bright an image is."""

    action_size = 1
    carry_size = 0

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[MultiCategorical, Tensor]:
        bright = obs["policy"].float().mean((-3, -2, -1)).unsqueeze(-1)
        return MultiCategorical(-(bright - torch.tensor([0.0, 128.0, 255.0])).square().unsqueeze(-2)), carry


class Complex(Policy):
    """Computes what ONNX has no word for."""

    action_size = 1
    carry_size = 0

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        mean = torch.linalg.eigvalsh(obs["policy"].unsqueeze(-1) * obs["policy"].unsqueeze(-2))[..., :1]
        return Gaussian(mean, mean), carry


def test_what_has_no_such_form_is_told_and_nothing_written(given: Any, tmp_path: Path) -> None:
    given(Complex())
    with pytest.raises(FailureError, match="Complex has no ONNX form that torch knows: "):
        pgrobot.export("run", output=tmp_path / "out")
    given(Complex(), replace(SPEC, observation={"carry_in": ObservationGroup.numbered("carry_in", (2,))}))
    with pytest.raises(PgrobotError, match="the observation group 'carry_in' has the name of another input"):
        pgrobot.export("run", output=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class Drops(Complex):
    """Drops out for ever."""

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Gaussian, Tensor]:
        mean = torch.nn.functional.dropout(obs["policy"], 0.5, training=True)[..., :1]
        return Gaussian(mean, mean), carry


def test_one_that_drops_out_for_ever_is_told(given: Any, tmp_path: Path) -> None:
    given(Drops())
    with pytest.raises(FailureError, match=r"best\.pt acts otherwise each time .*: leave it out"):
        pgrobot.export("run", output=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


LOG_STD: dict[str, Any] = {"log_std": -0.5, "log_std_bounds": (-4.0, 1.0)}
MOTORS = Action.unitless("hip", "knee")
CHOICES = (Action("gear", "", 3), Action("grip", "", 2))
NETWORKS: dict[str, Any] = {
    "squashed": (partial(SquashedHead, **LOG_STD), MOTORS),
    "full covariance": (partial(FullCovarianceHead, **LOG_STD), MOTORS),
    "state std": (partial(StateStdHead, **LOG_STD), MOTORS),
    "smooth, whose memory is of noise alone": (
        partial(SmoothHead, **LOG_STD, share=0.5, correlation=0.9),
        MOTORS,
    ),
    "beta": (partial(BetaHead, concentration=2.0, concentration_bounds=(1.0, 100.0)), MOTORS),
    "binned": (partial(BinnedHead, bins=5, kind="ordinal"), MOTORS),
    "categorical": (CategoricalHead, CHOICES),
}


@pytest.mark.parametrize("groups", [1, 4])
def test_a_memory_of_noise_alone_is_left_out_whatever_is_read(groups: int) -> None:
    """With several groups the number of rows may be taken from the memory itself, which is no use of what it holds."""
    observation = {f"group{i}": ObservationGroup.numbered(f"group{i}", (2,)) for i in range(groups)}
    widths = {name: group.width for name, group in observation.items()}
    head, actions = NETWORKS["smooth, whose memory is of noise alone"]
    body = partial(Mlp, hidden=(8,), activation="tanh")
    policy = NetworkPolicy(widths, actions, tuple(widths), body, head, 10.0, stream(0, "policy"))
    spec = replace(
        SPEC, observation=observation, actions=actions, action_low=-np.ones(2), action_high=np.ones(2)
    )
    _, remembers = traced(TrainedPolicy(policy, spec, Path("best.pt"), 1))
    assert policy.carry_size
    assert not remembers


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_head_has_such_a_form(name: str, given: Any, tmp_path: Path) -> None:
    head, actions = NETWORKS[name]
    policy = NetworkPolicy(
        {"policy": 3, "more": 2}, actions, ("more", "policy"), partial(Mlp, hidden=(8,), activation="elu"),
        head, 10.0, stream(0, "policy"),
    )  # fmt: skip
    with torch.no_grad():
        policy.output.weight *= 20.0
    random = np.random.default_rng(0)
    shown = {group: random.normal(100.0, 5.0, (50, width)) for group, width in (("policy", 3), ("more", 2))}
    policy.origin.fix(shown)
    origin = policy.origin.reader()
    policy.merge(
        {group: torch.from_numpy(value - origin.origin(group)).float() for group, value in shown.items()}
    )
    chosen = actions is CHOICES
    spec = replace(
        SPEC,
        observation={group: ObservationGroup.numbered(group, value.shape[1:]) for group, value in shown.items()},
        actions=actions, action_low=np.zeros(2) if chosen else np.array([-200.0, -np.inf]),
        action_high=np.array([2.0, 1.0]) if chosen else np.array([100.0, 0.0]),
        action_form=ActionForm((2,), "int64", (1, -1)) if chosen else ActionForm((1, 2), "float32", ()),
    )  # fmt: skip
    trained = given(policy, spec)
    told = pgrobot.export("run", output=tmp_path / "out")
    assert [port.name for port in told.inputs] == ["more", "policy"]
    assert str(told.outputs[0]) == ("action [N, 2] int64" if chosen else "action [N, 1, 2] float32")
    acted = trained.act(shown)
    assert len(np.unique(acted)) > 3, "it does not always do the same"
    (action,) = session((tmp_path / "out" / "policy.onnx").read_bytes()).run(None, shown)
    assert action == pytest.approx(acted, rel=0.0, abs=1e-5 * 150.0)


@pytest.mark.slow
def test_an_image_and_one_choice_have_such_a_form(given: Any, tmp_path: Path) -> None:
    spec = replace(
        SPEC,
        observation={"policy": ObservationGroup.numbered("policy", (4, 4, 3), "uint8")},
        actions=(Action("gear", "", 3),),
        action_form=ActionForm((), "int64", (-1,)),
    )
    trained = given(Brightness(), spec)
    told = pgrobot.export("run", output=tmp_path / "out")
    assert [str(port) for port in (*told.inputs, *told.outputs)] == [
        "policy [N, 4, 4, 3] uint8",
        "action [N] int64",
    ]
    pictures = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (0, 130, 255)])
    assert trained.act(pictures).tolist() == [-1, 0, 1]


def test_a_category_is_shown_as_one(given: Any) -> None:
    """What the file is compared on says categories, or the policy would refuse it."""
    observation = {
        name: ObservationGroup.numbered(name, (width,)) for name, width in (("goal", 3), ("policy", 2))
    }
    policy = NetworkPolicy(
        Widths("World", observation), MOTORS[:1], ("policy/0", "goal", "policy/1"),
        partial(Mlp, hidden=(8,), activation="elu"),
        partial(GaussianHead, **LOG_STD), 10.0, stream(0, "policy"), embedding={"goal": 2, "policy/1": [5, 2]},
    )  # fmt: skip
    shown = _observations(
        TrainedPolicy(policy, replace(SPEC, observation=observation), Path("best.pt"), 1),
        200,
        np.random.default_rng(0),
    )
    policy.check({name: torch.from_numpy(value) for name, value in shown.items()})
    assert set(shown["policy"][:, 1]) == set(range(5))
    assert (shown["goal"].sum(0) > 0).all()
    assert np.ptp(shown["policy"][:, 0]) > 1.0, "what is a number stays one"


def test_a_file_that_acts_otherwise_is_not_written(
    given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(make_policy())
    monkeypatch.setattr(exporting, "_graph", lambda _: (b"", False))
    for found in (1.1e-5, np.inf, np.nan):
        monkeypatch.setattr(exporting, "difference", lambda *_, found=found, **__: (found, 1))
        assert main(["export", "run", "--output", str(tmp_path / "out")]) == 1
        assert "acts otherwise than best.pt" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_its_extra_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        exporting.importlib.util, "find_spec", lambda name: None if "script" in name else name
    )
    assert main(["export", "nowhere"]) == 2
    assert capsys.readouterr().err == "pgrobot: export needs onnxscript: pip install 'pgrobot[export]'\n"


def test_what_is_no_export_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").touch()
    for output, sentence in {
        run: "holds something else than an export (checkpoints)",
        tmp_path / "folder": "holds something else than an export (mine)",
        tmp_path / "file": "is no directory",
    }.items():
        with pytest.raises(PgrobotError, match=re.escape(f"{output} {sentence}: choose another --output")):
            pgrobot.export(run, output=output)
    with pytest.raises(PgrobotError, match="has no checkpoint 'step_3'"):
        pgrobot.export(run, 3)
    assert not (run / "export").exists()


def test_an_export_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "export"
    exporting._write(directory, {"policy.onnx": b"1", "spec.json": b"1"})
    exporting._write(directory, {"policy.onnx": b"2", "spec.json": b"2"})

    def full(path: Path, content: bytes) -> None:
        raise PgrobotError("The disk is full")

    monkeypatch.setattr(exporting, "write_atomically", full)
    with pytest.raises(PgrobotError, match="full"):
        exporting._write(directory, {"policy.onnx": b"3", "spec.json": b"3"})
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == {
        "policy.onnx": b"2",
        "spec.json": b"2",
    }
    assert list(tmp_path.iterdir()) == [directory]


def test_the_directory_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.mkdir()
    link.symlink_to(mine)
    monkeypatch.chdir(mine)
    for output in (Path(), link):
        exporting._check_free(output)
        exporting._write(output, {"policy.onnx": b"1", "spec.json": b"1"})
        assert sorted(path.name for path in Path.cwd().iterdir()) == ["policy.onnx", "spec.json"]
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, mine]
    lost = tmp_path / "lost"
    lost.symlink_to(tmp_path / "nowhere")
    with pytest.raises(PgrobotError, match="lost is no directory"):
        exporting._check_free(lost)
