"""A second core where there is one, the same core where there is none; and no more threads than that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch


class Inline(Executor):
    """Runs what is submitted at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001, as in every executor: the future raises it
            future.set_exception(error)
        return future


def second_core(cores: int) -> Executor:
    """One worker beside the calling thread if it may keep ``cores`` of at least two busy, else the thread itself."""
    if cores == 1:
        return Inline()
    import torch._dynamo  # torch.func does at its first use, which two threads may not make at once

    # a thread asks for all cores unless told otherwise, whatever the thread that started it was told
    return ThreadPoolExecutor(max_workers=1, initializer=torch.set_num_threads, initargs=(1,))


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Networks of this size are fastest on one thread, and the physics has its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
