"""What is checked: a task as one setting of its options builds it, on a net of a small cell, with data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final, final

import torch

from rnnx.core.batch import Batch
from rnnx.core.config import UNNAMED
from rnnx.core.data import Data, Meta, Split
from rnnx.core.errors import UsageError
from rnnx.core.options import Options, options_of
from rnnx.core.task import Task
from rnnx.core.testing.settings import settings
from rnnx.core.testing.tasks.batches import in_type, rows
from rnnx.core.testing.tasks.probe import NAME

BATCHES, ROWS = 2, 6  # of a split, and of a batch
NOISE: Final = 0.1  # added to the weights, so that one that starts at zero cannot hide an error


@final
class Examples:
    """What a task is checked on: some rows of the first batches of its data; numbers of 64 bits.

    Args:
        data: The data, prepared.
    """

    def __init__(self, data: Data) -> None:
        self.data = data
        self._drawn: dict[Split, list[Batch]] = {}

    @cached_property
    def meta(self) -> Meta:
        """What the data tells of itself, written and read as JSON."""
        return dict(through_json(self.data.meta))

    def batches(self, split: Split) -> list[Batch]:
        """Batches of rows from the first to the last; always the same."""
        if split not in self._drawn:
            torch.manual_seed(0)
            self._drawn[split] = [_few(batch) for batch in islice(self.data.loader(split), BATCHES)]
        return self._drawn[split]


@final
@dataclass(frozen=True)
class Subject:
    """A task and its data.

    Args:
        task_class: The class of the task.
        examples: What it is checked on.
        options: Its keyword arguments.
        setting: Those that the user would have set, as typed; empty for the defaults.
    """

    task_class: type[Task]
    examples: Examples
    options: Mapping[str, Any]
    setting: str = ""

    def build(self, noise: float = NOISE, **net: Any) -> Task:
        """The task in evaluation, with weights that are always the same.

        Args:
            noise: What is added to the weights at random.
            net: Options of the net; the others have their defaults.
        """
        torch.manual_seed(0)
        task = self.task_class(plain_net(**net), self.examples.meta, **self.options).double()
        with torch.no_grad():
            for parameter in task.parameters():
                parameter.add_(noise * torch.randn_like(parameter))
        return task.eval()

    def batches(self, split: Split) -> list[Batch]:
        """Those of the examples."""
        return self.examples.batches(split)


def subjects(task_class: type[Task], data: Data) -> Iterator[Subject]:
    """The task of each of its :func:`~rnnx.core.testing.settings.settings` that suits the data and the net.

    One that the task refuses with a ``UsageError`` does not suit them; the defaults must.

    Args:
        task_class: The class of the task.
        data: What it is checked on, prepared.

    Raises:
        RunError: its constructor is none that can be a command line.
        AssertionError: an option has no default.
    """
    options, examples = options_of(task_class), Examples(data)
    for changed, setting in settings("task", f"task {task_class.__name__!r}", options, {}):
        subject = Subject(task_class, examples, changed, setting)
        try:
            subject.build()
        except UsageError:
            if not setting:
                raise
        else:
            yield subject


def predict_options(task_class: type[Task]) -> Options:
    """The options of ``rnnx predict`` with this task."""
    name = f"{task_class.__qualname__}.predict"
    body = {"__init__": task_class.predict, "__module__": task_class.__module__, "__qualname__": name}
    return options_of(type("predict", (), body))  # a class of that constructor: it need not be importable


def plain_net(**changed: Any) -> dict[str, Any]:
    """A net of the small cell as a checkpoint holds it; the options that are not said have their defaults."""
    usual = {name: option.default for name, option in options_of(UNNAMED["net"]).items()}
    return dict(through_json({"cell": {"name": NAME}, **usual, **changed}))


def through_json(plain: Any) -> Any:
    """Plain data, written and read as JSON."""
    return json.loads(json.dumps(plain))


def _few(batch: Batch) -> Batch:
    chosen = range(0, len(batch), max(1, len(batch) // ROWS))[:ROWS]
    return in_type(rows(batch, chosen), torch.double)
