"""What came of the runs of a matrix: each as far as it came, and those over seeds together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal, final

from rnnx.core.comparing.labels import short, shown
from rnnx.core.comparing.scores import mean_and_spread

LEARNT: Final = ("task.", "data", "data.")  # how the keys begin that say what is learnt, not by which model


@final
@dataclass(frozen=True)
class Entry:
    """One run of a matrix, as far as it came.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        seed: Its seed.
        folder: The run's folder.
        metric: The metric by which models of this task are compared, :attr:`rnnx.core.task.Task.monitor`.
        mode: Whether it is to fall or to rise, :attr:`rnnx.core.task.Task.mode`.
        values: What its ``result.json`` holds; None where it failed.
        failure: Why it failed, a sentence; empty where it did not.
        options: What else is varied, by key, and the value here.
    """

    task: str
    cell: str
    seed: int
    folder: Path
    metric: str
    mode: Literal["min", "max"]
    values: Mapping[str, Any] | None
    failure: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Line:
    """The runs of one cell on one task, with the same options, over the seeds.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        metric: See :class:`Entry`.
        mode: Whether a lower or a higher score is the better one.
        scores: The test score of each run that ended well.
        parameters: Of the model; 0 where no run ended well.
        seconds: Of training, on the average.
        failures: Why runs failed, a sentence each.
        options: See :class:`Entry`.
    """

    task: str
    cell: str
    metric: str
    mode: Literal["min", "max"]
    scores: tuple[float, ...]
    parameters: int
    seconds: float
    failures: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The cell, and those of its options that say by which model it is learnt: the row of a grid.

        Example:
            >>> options = {"net.layers": 2, "data.length": 50}
            >>> line = Line("memory", "gru", "loss", "min", (0.5,), 10, 1.5, (), options)
            >>> line.model, line.problem
            ('gru layers=2', 'memory length=50')
        """
        return " ".join([self.cell, *self._told(learnt=False)])

    @property
    def problem(self) -> str:
        """The task, and those of its options that say what is learnt: the column of a grid."""
        return " ".join([self.task, *self._told(learnt=True)])

    def _told(self, learnt: bool) -> list[str]:
        names = short(self.options)
        return [
            f"{names[key]}={shown(value)}"
            for key, value in self.options.items()
            if (key == "data" or key.startswith(LEARNT)) == learnt
        ]

    @property
    def score(self) -> str:
        """The mean score, and with several seeds the standard deviation; or the failure.

        Example:
            >>> Line("lm", "gru", "loss", "min", (1.0, 2.0), 10, 1.5, ()).score
            '1.500 ± 0.707'
        """
        if not self.scores:
            return "; ".join(self.failures)
        return mean_and_spread(self.scores)


def lines(entries: Sequence[Entry]) -> list[Line]:
    """The runs that differ in nothing but their seed, together; in the order of the entries."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        alike = json.dumps([entry.task, entry.cell, entry.options])
        groups.setdefault(alike, []).append(entry)
    return [_line(group) for group in groups.values()]


def _line(entries: Sequence[Entry]) -> Line:
    done = [entry.values for entry in entries if entry.values is not None]
    return Line(
        entries[0].task,
        entries[0].cell,
        entries[0].metric,
        entries[0].mode,
        tuple(values["test"][entries[0].metric] for values in done),
        done[0]["parameters"] if done else 0,
        mean(values["seconds"]["fit"] for values in done) if done else 0.0,
        tuple(entry.failure for entry in entries if entry.failure),
        entries[0].options,
    )
