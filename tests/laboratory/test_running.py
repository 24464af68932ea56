"""``pgrobot exact``: its table, its list, its exit status."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from pgrobot.cli import main
from pgrobot.distributions import Gaussian
from pgrobot.errors import PgrobotError
from pgrobot.laboratory import Outcome
from pgrobot.laboratory.report import print_check, print_header, print_verdict
from pgrobot.laboratory.running import build_check, catalogue, spelt_out


def test_named_checks_are_run_and_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exact", "fisher", "clipped_samples"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^(\w+) [\d.]+ s$", out, re.MULTILINE) == ["fisher", "clipped_samples"]
    assert "all 4 ok" in out
    assert out.count(" ok") == 5


def test_a_failure_is_shown_and_is_the_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gaussian, "kl", lambda self, other: 0.0 * self.mean.sum(-1))
    assert main(["exact", "fisher"]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 failed" in out or "2 of 2 failed" in out
    assert "failed" in out


def test_an_unknown_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exact", "fisher", "trust_regoin"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "", "nothing is run"
    assert "there is no check 'trust_regoin': did you mean 'trust_region'?" in captured.err


def test_the_list_names_every_check_and_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exact", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*catalogue().checks, *catalogue().groups]


def test_a_group_stands_for_its_checks() -> None:
    cfg = catalogue()
    for group, checks in cfg.groups.items():
        assert group not in cfg.checks
        assert set(checks) <= set(cfg.checks)
        assert spelt_out(cfg, ["fisher", str(group)]) == ["fisher", *checks]
    assert spelt_out(cfg, []) == list(cfg.checks)
    with pytest.raises(PgrobotError, match="there is no check 'constraint': did you mean 'constraints'"):
        build_check(cfg, "constraint")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_figures_are_whole_in_any_terminal(width: int) -> None:
    text = io.StringIO()
    console = Console(file=text, width=width)
    outcome = Outcome("a name [with brackets] that is longer than most", -1234.567, 1e-10, 1.2e3, 1.0e-10)
    print_header(console)
    print_check(console, "check", [outcome], 0.1)
    print_verdict(console, [outcome], 0.1)
    out = text.getvalue()
    for figure in ("-1234.57", "1e-10", "1.2e+03", "1.0e-10", "failed", "1 of 1 failed in 0.1 s"):
        assert figure in out
    assert "[with" in out
