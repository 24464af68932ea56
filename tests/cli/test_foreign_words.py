"""Words of other libraries lead to keys that exist, however they are written."""

from __future__ import annotations

import re

import pytest
from omegaconf import OmegaConf

from pgrobot.configure import compose
from pgrobot.foreign import hint, suggestion, words


def test_every_hint_names_what_exists() -> None:
    cfg = compose(["algorithm/rate@algorithm.policy_solver.rate=kl_adaptive"])
    for word, ours in words().items():
        assert re.fullmatch("[a-z]+", word)
        for key in re.findall(r"(?<!\S)[a-z_]+(?:\.[a-z_]+)+(?=[\s,]|$)", ours):
            assert OmegaConf.select(cfg, key, throw_on_missing=False) is not None, (word, key)
        assert re.match(r"[a-z_]+", ours)[0] in cfg or ours.startswith("constraint.<name>"), word


@pytest.mark.parametrize(
    "word",
    ["learning_rate", "learning-rate", "learningRate", "LEARNING_RATE", "learing_rate", "--learning-rate"],
)
def test_a_word_is_known_however_it_is_written(word: str) -> None:
    assert suggestion(word, ["seed", "task"]).startswith(
        "pgrobot calls it algorithm.policy_solver.rate.initial"
    )


def test_our_own_words_come_first() -> None:
    assert suggestion("total_step", ["total_steps"]) == "did you mean 'total_steps'?"
    assert suggestion("horizn", ["horizon"]) == "did you mean 'horizon'?"
    assert hint("horizon") == hint("seed") == ""
    assert hint("n_steps").startswith("pgrobot calls it horizon")  # which is nearer to total_steps
    assert hint("batch_size").startswith("pgrobot calls it algorithm.policy_solver.minibatch")
