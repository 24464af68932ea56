"""``certificate.json``: written so that people can read it, and read so that whatever is not one is refused."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pgrobot.certificate.fingerprints import sealed
from pgrobot.certificate.sampling import Batch
from pgrobot.certificate.terms import Terms
from pgrobot.constraints.sample import ROUNDING
from pgrobot.episodes import Episodes
from pgrobot.errors import PgrobotError, shown
from pgrobot.files import reason, write_atomically
from pgrobot.run.evaluation import DETERMINISTIC, STOCHASTIC
from pgrobot.types import EnvironmentSpec

FORMAT = 1
CHOICES = {
    "mode": (STOCHASTIC, DETERMINISTIC),
    "bound": ("student-t", "betting"),
    "variation": ("none", "full", "nominal"),
}
NAME = "certificate.json"
WIDTH = 120


class DamagedError(PgrobotError):
    """A certificate that does not say what one has to say."""


def write_certificate(path: Path, content: Mapping[str, Any]) -> None:
    """Write a certificate atomically, sealed; raises what ``write_atomically`` raises."""
    whole = {**content, "sha256": sealed(content)}
    write_atomically(path, (readable(whole) + "\n").encode())


def readable(value: Any, indent: str = "") -> str:
    """Indented JSON in which a list of numbers and words fills lines, instead of taking one for each entry."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        rows = [f"{deeper}{json.dumps(key)}: {readable(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(deeper + readable(item, deeper) for item in value) + f"\n{indent}]"
    line = json.dumps(value, allow_nan=False)
    if not isinstance(value, list) or len(indent) + len(line) <= WIDTH or any(type(v) is str for v in value):
        return line
    wrapped = textwrap.wrap(
        line[1:-1], WIDTH, initial_indent=deeper, subsequent_indent=deeper, break_on_hyphens=False
    )
    return "[\n" + "\n".join(wrapped) + f"\n{indent}]"


def read_certificate(path: Path) -> dict[str, Any]:
    """Read a certificate of this format; whether it is true is another question.

    Raises:
        PgrobotError: there is none, or the file is none, or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse, parse_float=_finite)
    except FileNotFoundError as error:
        raise PgrobotError(f"There is no certificate {path}: pgrobot certify makes one") from error
    except OSError as error:
        raise PgrobotError(f"{path} cannot be read: {reason(error)}") from error
    except ValueError as error:
        raise PgrobotError(f"{path} is not a certificate: it is no JSON ({error})") from error
    if not isinstance(content, dict) or not {"format", "verdict", "sha256"} <= content.keys():
        raise PgrobotError(f"{path} is not a certificate of pgrobot")
    if content["format"] != FORMAT:
        raise PgrobotError(
            f"The certificate {path} has format {content['format']} and this pgrobot reads format {FORMAT}: use the "
            "pgrobot that wrote it, which stands under `circumstances`"
        )
    if not isinstance(content.get("earlier"), list):
        raise DamagedError(f"{path} is damaged: it does not say which certificates there were `earlier`")
    return content


def _refuse(word: str) -> None:
    raise ValueError(f"JSON knows no {word}")


def _finite(word: str) -> float:
    number = float(word)
    if math.isinf(number):
        raise ValueError(f"{word} is beyond all numbers")
    return number


def terms_of(content: Mapping[str, Any], path: Path) -> Terms:
    """The terms of a certificate.

    Raises:
        DamagedError: they are none.
    """
    try:
        told = content["terms"]
        terms = Terms(
            mode=str(told["mode"]),
            bound=str(told["bound"]),
            confidence=float(told["confidence"]),
            looks=tuple(int(look) for look in told["looks"]),
            seed=int(told["seed"]),
            variation=str(told["variation"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(path, error) from error
    for key, known in CHOICES.items():
        if getattr(terms, key) not in known:
            raise DamagedError(f"{path} is damaged: terms/{key} is {shown(getattr(terms, key))}")
    if not 0.0 < terms.confidence < 1.0 or terms.seed < 0:
        raise DamagedError(f"{path} is damaged: confidence or seed of its terms cannot be")
    if not terms.looks or terms.looks[0] < 2 or any(b <= a for a, b in pairwise(terms.looks)):
        raise DamagedError(f"{path} is damaged: terms/looks is {shown(list(terms.looks))}")
    return terms


def batches_of(
    content: Mapping[str, Any], spec: EnvironmentSpec, gamma: float, path: Path
) -> tuple[Batch, ...]:
    """The episodes of a certificate, by batch.

    Args:
        content: as ``read_certificate`` gives it.
        spec: of the environments that the episodes took place in.
        gamma: the discount of costs.
        path: for messages.

    Raises:
        DamagedError: columns are missing, or of another length than the batches.
    """
    try:
        return _batches(content, spec, gamma)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _damaged(path, error) from error


def _batches(content: Mapping[str, Any], spec: EnvironmentSpec, gamma: float) -> tuple[Batch, ...]:
    told, columns = content["batches"], content["episodes"]
    sizes = [int(batch["episodes"]) for batch in told]
    if not sizes or min(sizes) < 1 or any(len(column) != sum(sizes) for column in columns.values()):
        raise ValueError(f"its columns have not one row for each of {sum(sizes)} episodes")
    names = spec.costs
    nothing = [0.0] * sum(sizes)
    costs = _floats([columns[f"cost/{name}"] for name in names])
    discounted = _floats([columns.get(f"discounted/{name}", nothing) for name in names])
    returns = _floats([columns["return"]])[:, 0]
    lengths = np.array(columns["length"])
    if lengths.dtype.kind != "i":
        raise ValueError("its lengths are no whole numbers")
    batches = []
    for batch, size, end in zip(told, sizes, np.cumsum(sizes).tolist(), strict=True):
        rows = slice(end - size, end)
        environments = int(batch["environments"])
        if not 1 <= environments <= size:
            raise ValueError(f"{size} episodes ran in {environments} environments")
        episodes = Episodes(
            returns=returns[rows],
            lengths=lengths[rows],
            costs=costs[rows],
            discounted=discounted[rows],
            failures=tuple(str(sentence) for sentence in batch["failures"]),
            max_episode_steps=spec.max_episode_steps,
            least=_floats([[batch["least"][name]] for name in names])[0],
            most=_floats([[batch["most"][name]] for name in names])[0],
            highest=np.array([spec.highest_cost[name] for name in names]),
            gamma=gamma,
            can_fall=spec.can_fall,
        )
        _check_possible(episodes)
        batches.append(Batch(environments, episodes))
    return tuple(batches)


def _check_possible(episodes: Episodes) -> None:
    """Refuse amounts that no such steps add up to, which bounds from their range are not for."""
    steps, slack = episodes.lengths[:, None], ROUNDING * np.abs(episodes.costs)
    if (steps < 1).any() or (steps > episodes.max_episode_steps).any():
        raise ValueError(f"its episodes last 1 to {episodes.max_episode_steps} steps")
    least, most = steps * episodes.least - slack, steps * episodes.most + slack
    if ((episodes.costs < least) | (episodes.costs > most)).any():
        raise ValueError("an episode cost what its steps cannot have added up to")
    paid = (episodes.least >= 0.0) & (
        (episodes.discounted < 0.0) | (episodes.discounted > episodes.costs + slack)
    )
    if paid.any():
        raise ValueError("an episode cost more discounted than at face value")


def _floats(columns: Sequence[Sequence[Any]]) -> np.ndarray:
    """Columns side by side, ``[E, K]``; null is what was no number."""
    return np.array(
        [[math.nan if value is None else float(value) for value in column] for column in columns]
    ).T


def _damaged(path: Path, error: Exception) -> DamagedError:
    words = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    return DamagedError(f"{path} is damaged: {words}")
