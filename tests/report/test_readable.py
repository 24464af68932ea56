"""What would mislead is said: values that are none, noise, gaps, gaits that are none, and what is left out."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgrobot.figures import image
from pgrobot.film.mp4 import Mp4
from pgrobot.help import train_page
from pgrobot.numerals import between, numeral
from pgrobot.report import PAGE, Written, read_story, write_report
from pgrobot.report.drawing import Drawing, Sentence
from pgrobot.report.gallery import CLEARLY, sensitivity
from pgrobot.report.learning import curves
from pgrobot.report.odd import reach
from pgrobot.report.still import still
from pgrobot.report.torque import agreement, gradients, loads
from pgrobot.tracking import keep

from .conftest import BARE, RESULT, full, simple, write_run

JOINT = "knee <b>"


def drawings(shown: Any) -> dict[str, Drawing]:
    return {one.name: one for one in shown if isinstance(one, Drawing)}


def sentences(shown: Any) -> list[str]:
    return [one.text for one in shown if isinstance(one, Sentence)]


def texts(drawing: Drawing) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawing.image.svg.decode())


def test_what_is_not_finite_is_counted(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [full(i) for i in range(20)]
    for row, value in zip(rows[2:7], (math.nan, math.inf, "high", 10**400, True), strict=True):
        row["cost/speed/mean"] = value
    rows[9][f"torque/{JOINT}/rms"] = -math.inf
    run = write_run(tmp_path / "run", rows)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"global_step": 1344, "cost/speed/mean": null}\n')
    story = read_story(run)
    assert (
        "6 of 21 values of cost/speed/mean are not finite numbers, as are values of 1 more metrics"
        in " ".join(story.remarks)
    )
    assert (
        "6 of 21 values of cost/speed/mean are not finite, and left out."
        in drawings(curves(story))["cost_speed"].note
    )
    assert f"1 of 20 values of torque/{JOINT}/rms are not finite" in drawings(loads(story))["rms"].note


def test_one_huge_value_flattens_nothing(tmp_path: Path) -> None:
    rows = [full(i) for i in range(40)]
    rows[5]["cost/speed/mean"] = rows[7][f"torque/{JOINT}/gradient_reward"] = 1e300
    rows[9]["evaluation/cost/speed/upper"] = 1e300
    story = read_story(write_run(tmp_path / "run", rows))
    cost = drawings(curves(story))["cost_speed"]
    assert "Left out, for beside it all else is a flat line: 1e+300, where the triangle is." in cost.note
    assert "between 0.0125 and 0.5" in cost.words
    assert not [text for text in texts(cost) if "e3" in text or "e29" in text]
    gradient = drawings(gradients(story))["gradient_reward"]
    assert "Colours: −1 to 1; the largest magnitude is 1e+300." in gradient.note


def test_only_few_values_far_from_many_are_left_out() -> None:
    ordinary = np.linspace(-1.0, 1.0, 100)
    assert reach(ordinary) == math.inf
    assert reach(np.append(ordinary, 1e6)) < 1e3
    assert reach(np.append(ordinary, [1e6] * 20)) == math.inf
    assert reach(np.geomspace(1.0, 1e6, 50)) == math.inf
    assert reach(np.zeros(9)) == reach(np.array([])) == reach(np.array([np.nan])) == math.inf


def test_evaluations_are_drawn_before_an_episode_has_ended(tmp_path: Path) -> None:
    rows = [{"global_step": 64.0 * (i + 1), "policy/kl": 0.1} for i in range(4)]
    rows[1]["evaluation/return/mean"] = 3.0
    story = read_story(write_run(tmp_path / "run", rows))
    drawing = drawings(curves(story))["return"]
    assert "None of the training has yet: the diamonds are evaluations." in drawing.note
    assert drawing.words == "evaluation: 3 at step 128, 3 at step 128, between 3 and 3."
    (told,) = sentences(curves(story))
    assert told.startswith("Training and evaluation differ.")


def test_two_lines_are_explained_where_there_are_two(tmp_path: Path) -> None:
    for count, two in ((49, False), (51, True)):
        run = write_run(tmp_path / f"{count}", [simple(i) for i in range(count)])
        assert ("Faint: each iteration" in drawings(curves(read_story(run)))["cost_speed"].note) == two


def spec(run: Path, count: int, unit: str = "200 N·m", **more: Any) -> None:
    actions = [{"name": f"joint_{i}", "unit": unit, "choices": 0} for i in range(count)]
    (run / "spec.json").write_text(json.dumps({"name": "Many", "actions": actions, **more}))


def torques(count: int, **of_each: float) -> dict[str, float]:
    return {f"torque/joint_{i}/{word}": value for i in range(count) for word, value in of_each.items()}


def test_of_many_actuators_it_says_which_are_shown(tmp_path: Path) -> None:
    row = {"global_step": 64.0} | torques(64, share=1 / 64, gradient_reward=1.0, rms=0.01)
    run = write_run(tmp_path / "run", [row])
    spec(run, 2000, unit="")
    story = read_story(run)
    (told,) = sentences(gradients(story))
    assert told.startswith(
        "64 of 2,000 actuators are shown, here and below: the first ones, joint_0 to joint_63."
    )
    shown = drawings(gradients(story)) | drawings(loads(story))
    assert "Colours: 0 to 0.0156." in shown["share"].note
    assert "Colours: 0 to 0.01." in shown["rms"].note
    spec(run, 64)
    assert sentences(gradients(read_story(run))) == []


def test_a_label_of_any_length_is_whole(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{"global_step": 64.0} | torques(3, gradient_reward=1.0)])
    spec(run, 3, unit="")
    found = texts(drawings(gradients(read_story(run)))["gradient_reward"])
    assert "reward per" in " ".join(found)
    assert not [text for text in found if len(text) > 22]
    assert "action" in " ".join(found)


def test_an_angle_that_is_noise_is_grey(tmp_path: Path) -> None:
    def rows(snr: float) -> list[dict[str, float]]:
        each = torques(2, cosine_speed=0.5, gradient_speed=0.1, snr=snr)
        return [{"global_step": 64.0 * (t + 1), **each} for t in range(3)]

    clear, noise = (
        read_story(write_run(tmp_path / f"{snr}", rows(snr))) for snr in (0.3, 0.2)
    )  # of 64 steps
    assert (
        "Grey: the actuator's gradient lies within 2 standard errors"
        in drawings(agreement(clear))["agreement_speed"].note
    )
    assert drawings(agreement(noise)) == {}
    assert sentences(agreement(noise)) == [
        "Reward against the cost speed: no value stands out from noise, so there is nothing to draw."
    ]


def test_a_cost_that_nobody_pays_is_said(tmp_path: Path) -> None:
    row = {"global_step": 64.0, **torques(2, gradient_speed=0.0, gradient_reward=1.0)}
    story = read_story(write_run(tmp_path / "run", [row]))
    assert sentences(agreement(story)) == [
        "Reward against the cost speed: nothing cost anything, so there is no angle."
    ]
    assert sentences(gradients(story)) == [
        "Gradient of the cost speed: 0 throughout, of all 2 rows, so there is nothing to draw."
    ]
    assert set(drawings(gradients(story))) == {"gradient_reward"}


@pytest.mark.parametrize("learner", ["", "worker/"])
def test_a_gait_is_shown_where_there_is_one(learner: str, tmp_path: Path) -> None:
    for advance, seen in ((0.52, False), (CLEARLY, True)):
        row = {f"{learner}gait/advance": advance, f"{learner}gait/period": 0.3, "global_step": 64.0}
        run = write_run(tmp_path / f"{advance}", [row])
        for name in ("map", "gait"):
            keep(run, 64, f"{learner}sensitivity/{name}", image(lambda f: f.add_subplot(), 2.0, 2.0, name))
        shown = list(sensitivity(read_story(run)))
        assert (f"{learner}sensitivity/gait_kept" in drawings(shown)) == seen
        assert bool(sentences(shown)) == (not seen)
        text = write_report(run, run / PAGE, videos=False).page.read_text()
        assert ("period of the gait" in text) == (seen and not learner)
        assert ("No gait: the phase of what is observed goes forward in 52% of the steps" in text) == (
            not seen
        )


def test_figures_have_true_minus_signs_and_differ_where_they_do() -> None:
    assert (numeral(-1234.0), numeral(-0.5), numeral(-math.inf)) == ("−1,234", "−0.5", "−∞")
    assert between(1015.1, 1015.3) == ("1,015.1", "1,015.3")
    assert between(1.0, 2.0) == ("1", "2")
    assert between(3.0, 3.0) == ("3", "3")
    assert between(math.nan, 1.0) == ("–", "1")
    assert between(-0.12341, -0.1234) == ("−0.12341", "−0.12340")


def page(run: Path, **result: Any) -> str:
    (run / "result.json").write_text(json.dumps(RESULT | result))
    return write_report(run, run / PAGE, videos=True).page.read_text()


def test_an_interval_shows_that_it_is_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [BARE])
    told = {"mean": 1015.2, "ci95": [1015.11, 1015.3], "episodes": 9}
    assert "95 % interval 1,015.1 to 1,015.3," in page(run, **{"return": told})


def test_a_film_is_offered_where_one_can_be_made(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [BARE])
    assert "nothing to make one of: it keeps no checkpoint." in page(run)
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "best.pt").touch()
    assert "<code>pgrobot play</code> makes one." in page(run)
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"environment": "a function"}))
    assert "its environments were given from Python." in page(run)


def test_a_printed_film_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", [BARE])
    path = run / "videos" / "play_64.mp4"
    with Mp4(path, 64, 48, 30) as film:
        for frame in range(9):
            film.add(np.full((48, 64, 3), 20 * frame, np.uint8))
    assert still(path).startswith(b"\xff\xd8")
    assert page(run).count('"data:image/jpeg;base64,') == 2
    path.write_bytes(b"no film")
    assert still(path) == b""
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nonexist")
    assert still(path) == b""


def test_throughput_is_not_a_cost_called_speed(whole: Written) -> None:
    titles = re.findall(
        r"<dc:title>(.*?)</dc:title>", "".join(i.svg.decode() for i in whole.figures.values())
    )
    assert "Cost: speed" in titles
    assert "Speed" not in titles


def test_the_help_page_has_a_space_after_every_setting() -> None:
    assert "diagnostics.sensitivity.at_end=true whether" in train_page([])
