"""``pgrobot port``: a directory that a new run may begin as, what it tells, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import pgrobot
from pgrobot.assembly import build
from pgrobot.cli import main
from pgrobot.policies import NetworkPolicy
from pgrobot.transfer import opened

from .conftest import Finished, Train, metrics, tiny_request

SHORT = "task.max_episode_steps=40"
V4 = ("task=ant", "task.version=v4", SHORT, "constraint=[]", "total_steps=64")


def policy_of(run: Path) -> NetworkPolicy:
    policy = pgrobot.load(run).policy
    assert isinstance(policy, NetworkPolicy)
    return policy


def test_an_ant_of_the_older_version_goes_on_in_the_newer_one(
    finished: Finished, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, made = finished(*V4), tmp_path / "made"
    assert main(["port", str(run), "task.version=v5", "--output", str(made)]) == 0
    told = capsys.readouterr().out
    assert "Ant-v4 → Ant-v5" in told
    assert re.search(r"observations +27 +78 +0", told)
    assert "new observations: cfrc_ext/torso/rx, " in told.replace("\n", " ")
    note = json.loads((made / "manifest.json").read_text())["ported"]
    assert len(note["observations"]["matched"]) == 27
    assert note["observations"]["gone"] == note["actions"]["new"] == []
    typed = ["task=ant", SHORT, "constraint=[]", f"initialise.run={made}"]
    assembly = build(tiny_request(tmp_path / "n", *typed).cfg, 1)
    assembly.environment.close()
    old, new = policy_of(run), assembly.policies["robot"]
    rows = torch.randn(64, 105, generator=torch.Generator().manual_seed(1))
    start, carry = torch.ones(64, dtype=torch.bool), torch.zeros(64, 0)
    with torch.no_grad():
        before = old({"policy": rows[:, :27]}, carry, start)[0].mean
        after = new({"policy": rows}, carry, start)[0].mean
    torch.testing.assert_close(before, after, rtol=0.0, atol=1e-6)
    assert float(before.std()) > 1e-3
    assert main(["train", f"resume={made}"]) == 2
    assert f"begin a training from it by pgrobot train initialise.run={made}" in capsys.readouterr().err
    learnt = train("newer", *typed, "total_steps=128").path
    assert metrics(learnt)[-1]["global_step"] == 128
    with torch.no_grad():
        assert policy_of(learnt)({"policy": rows}, carry, start)[0].mean.isfinite().all()


def test_a_hopper_becomes_a_walker_with_a_leg_that_hangs(
    finished: Finished, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By default in the run itself; an earlier port gives way, something else does not."""
    run = finished("total_steps=64")
    assert pgrobot.port(run, task="walker2d").path == run / "ported" / "walker2d"
    assert main(["port", str(run), "task=walker2d"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "new actions: thigh_left_joint, leg_left_joint, foot_left_joint" in told
    assert "the action thigh_joint is told in 200 N·m, from -1 to 1 there and in 100 N·m" in told
    assert [path.name for path in (run / "ported").iterdir()] == ["walker2d"]
    ported = pgrobot.load(run / "ported" / "walker2d")
    assert ported.spec.name == "Walker2d-v5"
    acted = ported.act(torch.randn(5, 17).numpy())
    left = [i for i, name in enumerate(ported.spec.actuators) if "left" in name]
    assert len(left) == 3
    assert not acted[:, left].any()
    assert pgrobot.evaluate(run / "ported" / "walker2d", episodes=2)["return"]["episodes"] == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    assert main(["port", str(run), "task=walker2d", f"--output={tmp_path / 'mine'}"]) == 2
    assert "holds something else than an earlier port" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_critic_goes_on_reading_what_its_policy_shows(finished: Finished) -> None:
    groups = ["policy", "policy/features"]
    shared = ("policy/body=encoder", "policy.share_features=true", f"critic.groups=[{','.join(groups)}]")
    run = finished(*shared, "total_steps=64")
    old, new = (
        opened(path, "best", [])
        for path in (run, pgrobot.port(run, task="hopper", **{"task.max_episode_steps": 30}).path)
    )
    assert list(new.cfg.critic.groups) == groups
    (before,), (after,) = ([learner.critic for learner in source.learners.values()] for source in (old, new))
    assert before.state_dict().keys() == after.state_dict().keys()
    for name, value in before.state_dict().items():
        if not name.startswith("normalizer."):
            assert torch.equal(value, after.state_dict()[name]), name


BAD = {
    "": "say which robot",
    "task=hoper": "Unknown task 'hoper': did you mean 'hopper'?",
    "policy.hidden=[3] task=ant": "policy.hidden is none of what says which robot it is (task, variation, wrapper",
    "task=reacher constraint=none": "none of the observations of Hopper-v5 is called as one of its own, qpos/rootz",
    "task=reacher ~constraint.speed": "so it cannot be constrained by fall: ",
    "task=pusher": "Pusher-v5 has no forward speed",
    "task=walker2d --checkpoint=step_7": "has no checkpoint 'step_7'",
    "KIND:policy=hierarchical task=walker2d": "its policy is a HierarchicalPolicy, and names map a policy that is one",
    "KIND:policy=full_covariance task=walker2d": "a FullCovarianceHead does not say of each action by itself",
    "KIND:scheme=manager_worker task=walker2d": "its policy is a Manager, and names map a policy that is one network",
}


@pytest.mark.parametrize("typed", BAD)
def test_nonsense_is_refused_in_a_sentence(
    typed: str, finished: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    words = typed.split()
    kinds = [word.removeprefix("KIND:") for word in words if word.startswith("KIND:")]
    run = finished(*kinds, "total_steps=64")
    before = sorted(run.rglob("*"))
    assert main(["port", str(run), *[word for word in words if not word.startswith("KIND:")]]) == 2
    told = capsys.readouterr().err
    assert BAD[typed] in told
    assert told.count("\n") == 1
    assert sorted(run.rglob("*")) == before


def test_there_has_to_be_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["port", "nowhere", "task=ant"]) == 2
    assert "There is no run directory nowhere" in capsys.readouterr().err
