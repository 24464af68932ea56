"""Exporting a trained policy: one ONNX file that acts by itself, and what it knows of its environment beside it."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pgrobot.deploy.exportable import names, traced
from pgrobot.deploy.loading import load
from pgrobot.deploy.parity import MOST, difference, steady
from pgrobot.deploy.policy import TrainedPolicy
from pgrobot.errors import FailureError, PgrobotError, in_a_sentence
from pgrobot.files import reason, strict, write_atomically
from pgrobot.named_run import directory_of, path_of
from pgrobot.provenance import this_version
from pgrobot.spec_file import FILE, as_json

POLICY = "policy.onnx"
EXTRA = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of a graph."""

    name: str
    shape: tuple[int | str, ...]  # "N": any number
    dtype: str

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(map(str, self.shape))}] {self.dtype}"


@dataclass(frozen=True, slots=True)
class Export:
    """What was exported.

    Attributes:
        path: the directory that holds ``policy.onnx`` and ``spec.json``.
        inputs: of the graph.
        outputs: of the graph.
        difference: the greatest between an action of the file and of the policy, in halves of its range.
        observations: how many were compared.
    """

    path: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    difference: float
    observations: int


def export(
    run: Any, checkpoint: str | int = "best", *, output: str | Path = "", modules: Sequence[str] = ()
) -> Export:
    """Export the policy of a run as ONNX: ``pgrobot export`` from Python.

    The graph takes raw observations ``[N, …]``, one input for each group, and gives deterministic actions in the
    environment's own units and form. A policy with a memory also takes ``episode_start`` ``[N]`` and ``carry_in``
    ``[N, H]`` (zeros at first), and gives ``carry_out``, the next ``carry_in``.

    Args:
        run: as of ``load``.
        checkpoint: as of ``load``.
        output: the directory to write, ``<run>/export`` by default. An earlier export in it is replaced.
        modules: as of ``load``.

    Raises:
        PgrobotError: the extra ``pgrobot[export]`` is not installed, the policy cannot be loaded, or ``output`` holds
            something else.
        FailureError: the policy has no ONNX form, or its file acts otherwise than it does. Nothing is written.
    """
    _check_extra()
    directory = directory_of(run) / "export" if output == "" else path_of("output", output, "a directory")
    _check_free(directory)
    trained = load(run, checkpoint, modules=modules)
    content, remembers = _graph(trained)
    if not steady(trained):
        raise FailureError(
            f"{trained.checkpoint} acts otherwise each time on the same observation, as dropout with training=True "
            "does, which a file cannot: leave it out; nothing was written"
        )
    found, count = difference(content, trained, remembers=remembers)
    if not found <= MOST:
        raise FailureError(
            f"the exported policy acts otherwise than {trained.checkpoint}: by {found:.1e} of half an action's range, "
            f"more than {MOST:.0e}; nothing was written"
        )
    inputs, outputs = _ports(content)
    told = {
        **as_json(trained.spec),
        "export": {
            "file": POLICY,
            "inputs": [asdict(port) for port in inputs],
            "outputs": [asdict(port) for port in outputs],
            "checkpoint": trained.checkpoint.name,
            "step": trained.step,
            "difference": found,
            "pgrobot": this_version(),
        },
    }
    _write(directory, {POLICY: content, FILE: (json.dumps(strict(told), indent=2) + "\n").encode()})
    return Export(directory, inputs, outputs, found, count)


def _check_extra() -> None:
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise PgrobotError(f"export needs {', '.join(missing)}: pip install 'pgrobot[export]'")


def _check_free(directory: Path) -> None:
    if directory.is_dir():
        others = sorted(path.name for path in directory.iterdir() if path.name not in (POLICY, FILE))
        if others or (directory / FILE).exists() > (directory / POLICY).exists():
            raise PgrobotError(
                f"{directory} holds something else than an export ({(others or [FILE])[0]}): choose another --output"
            )
    elif os.path.lexists(directory):
        raise PgrobotError(f"{directory} is no directory: choose another --output")


def _graph(trained: TrainedPolicy) -> tuple[bytes, bool]:
    """The policy as an ONNX file, and whether it has a memory."""
    try:
        with _quiet():
            graph, remembers = traced(trained)
            inputs, outputs = names(trained, remembers=remembers)
            program = torch.onnx.export(
                graph, dynamo=True, input_names=list(inputs), output_names=list(outputs), verbose=False
            )
            assert program is not None
            return _told(program.model_proto, trained).SerializeToString(), remembers
    except PgrobotError:
        raise
    except Exception as error:  # torch's exporter raises whatever its parts do
        words = in_a_sentence(error)
        raise FailureError(
            f"{type(trained.policy).__name__} has no ONNX form that torch knows: {words[:200]}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what is no concern of whoever calls it."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _told(model: Any, trained: TrainedPolicy) -> Any:
    """The model with its number of environments called ``N``, and with the spec inside."""
    graph = model.graph
    called = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if called and size.dim_param == called:
                size.dim_param = "N"
    model.producer_name, model.producer_version = "pgrobot", this_version()
    spec = model.metadata_props.add()
    spec.key, spec.value = "spec", json.dumps(strict(as_json(trained.spec)))
    return model


def _ports(content: bytes) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    import onnx

    def port(value: Any) -> Port:
        kind = value.type.tensor_type
        shape = tuple(size.dim_param or size.dim_value for size in kind.shape.dim)
        return Port(value.name, shape, str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))

    graph = onnx.load_from_string(content).graph
    return tuple(map(port, graph.input)), tuple(map(port, graph.output))


def _write(directory: Path, files: dict[str, bytes]) -> None:
    """Put files into a directory: all of them, or none.

    The directory stays the one that it is, which may be somebody's own, a link or a mounted disk.
    """
    made = not directory.exists()
    new = {directory / name: directory / f"{name}.new" for name in files}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for beside, content in zip(new.values(), files.values(), strict=True):
            write_atomically(beside, content)
        (directory / FILE).unlink(
            missing_ok=True
        )  # so that it never stands beside the policy of another export
        for path, beside in new.items():
            beside.rename(path)
    except OSError as error:
        raise PgrobotError(f"{directory} cannot be written: {reason(error)}") from error
    finally:
        for beside in new.values():
            beside.unlink(missing_ok=True)
        if made and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
