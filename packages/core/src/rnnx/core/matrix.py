"""Many runs of one configuration: each cell with each task, over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any, final

from rnnx.core.commas import between_commas
from rnnx.core.cores import share_cores
from rnnx.core.errors import UsageError
from rnnx.core.once import many_processes, once
from rnnx.core.registry import find, plugins
from rnnx.core.scores import mean_and_spread
from rnnx.core.spec import Config, resolve

SWEPT = ("task=", "cell=", "seed=")


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
        values: What its ``result.json`` holds; None where it failed.
        failure: Why it failed, a sentence; empty where it did not.
    """

    task: str
    cell: str
    seed: int
    folder: Path
    metric: str
    values: Mapping[str, Any] | None
    failure: str = ""


@final
@dataclass(frozen=True)
class Line:
    """The runs of one cell on one task, over the seeds.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        metric: See :class:`Entry`.
        scores: The test score of each run that ended well.
        parameters: Of the model; 0 where no run ended well.
        seconds: Of training, on the average.
        failures: Why runs failed, a sentence each.
    """

    task: str
    cell: str
    metric: str
    scores: tuple[float, ...]
    parameters: int
    seconds: float
    failures: tuple[str, ...]

    @property
    def score(self) -> str:
        """The mean score, and with several seeds the standard deviation; or the failure.

        Example:
            >>> Line("lm", "gru", "loss", (1.0, 2.0), 10, 1.5, ()).score
            '1.5 ± 0.707'
        """
        if not self.scores:
            return "; ".join(self.failures)
        return mean_and_spread(self.scores)


def configurations(words: Sequence[str]) -> list[Config]:
    """Every combination of the tasks, cells and seeds in the words, each checked; by task, then by cell.

    Args:
        words: As of :func:`rnnx.core.spec.resolve`; ``task``, ``cell`` and ``seed`` may hold several values
            with commas between, ``task`` and ``cell`` also ``all``. What is not said of ``task`` and ``cell``
            stands in a file among the words, or else is ``all``.

    Raises:
        UsageError: all that is wrong with the words.
    """
    said = dict(word.split("=", 1) for word in words if word.startswith(SWEPT))
    if any(word.startswith("name=") for word in words):
        raise UsageError("name: each run is named after its task, cell and seed; leave it out")
    others = [word for word in words if not word.startswith(SWEPT)]
    if all("=" in word for word in others):
        said = {"task": "all", "cell": "all"} | said
    said = {key: said[key] for key in ("task", "cell", "seed") if key in said}
    values = [_values(key, text) for key, text in said.items()]
    configs = []
    for combination in product(*values):
        chosen = [f"{key}={value}" for key, value in zip(said, combination, strict=True)]
        config = resolve([*others, *chosen])
        configs.append(replace(config, name=f"{config.task.name}-{config.cell.name}-{config.seed}"))
    if problems := [problem for config in configs for problem in many_processes(config)]:
        raise UsageError(*dict.fromkeys(problems))
    return configs


def _values(key: str, text: str) -> list[str]:
    if text == "all" and key != "seed":
        return [plugin.name for plugin in plugins(key)]
    return between_commas(text)


def run(configs: Sequence[Config], jobs: int = 1, command: str = "") -> Iterator[Entry]:
    """Runs what is not yet done, each in its folder; a run that fails is an entry, not the end.

    A run that was interrupted goes on, as :func:`rnnx.core.once.once`.

    Args:
        configs: From :func:`configurations`.
        jobs: How many at once, each in its own process; with 1 all are in this one.
        command: What the user typed, for ``result.json``.

    Yields:
        The runs in order, those done before too.
    """
    if jobs == 1:
        yield from (_entry(config, command) for config in configs)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), share_cores, (jobs,)) as pool:
        yield from pool.map(_entry, configs, [command] * len(configs))


def lines(entries: Sequence[Entry]) -> list[Line]:
    """The runs that differ in nothing but their seed, together; in the order of the entries."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.task, entry.cell), []).append(entry)
    return [_line(group) for group in groups.values()]


def _entry(config: Config, command: str) -> Entry:
    folder = Path(config.out) / str(config.name)
    entry = Entry(config.task.name, config.cell.name, config.seed, folder, "", None)
    try:
        metric = find("task", entry.task).load().monitor
        return replace(entry, metric=metric, values=once(config, command))
    except Exception as error:  # whatever it is: a row of the table
        return replace(entry, failure=" ".join(str(error).split()) or type(error).__name__)


def _line(entries: Sequence[Entry]) -> Line:
    done = [entry.values for entry in entries if entry.values is not None]
    return Line(
        entries[0].task,
        entries[0].cell,
        entries[0].metric,
        tuple(values["test"][entries[0].metric] for values in done),
        done[0]["parameters"] if done else 0,
        mean(values["seconds"]["fit"] for values in done) if done else 0.0,
        tuple(entry.failure for entry in entries if entry.failure),
    )
