"""Many runs of one configuration: each cell with each task, over seeds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any, final

from rnnx.core.errors import UsageError
from rnnx.core.registry import find, plugins
from rnnx.core.runs import CONFIG, RESULT
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
        spread = f" ± {stdev(self.scores):.3g}" if len(self.scores) > 1 else ""
        return f"{mean(self.scores):.4g}{spread}"


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
    return configs


def _values(key: str, text: str) -> list[str]:
    if text == "all" and key != "seed":
        return [plugin.name for plugin in plugins(key)]
    return [value.strip() for value in text.split(",")]


def run(configs: Sequence[Config], jobs: int = 1, command: str = "") -> Iterator[Entry]:
    """Runs what is not yet done, each in its folder; a run that fails is an entry, not the end.

    A folder that an interrupted run left is set aside under another name.

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
    with ProcessPoolExecutor(jobs, get_context("spawn"), _share, (jobs,)) as pool:
        yield from pool.map(_entry, configs, [command] * len(configs))


def lines(entries: Sequence[Entry]) -> list[Line]:
    """The runs that differ in nothing but their seed, together; in the order of the entries."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.task, entry.cell), []).append(entry)
    return [_line(group) for group in groups.values()]


def _share(jobs: int) -> None:
    """Leaves each process its share of the cores."""
    import torch

    torch.set_num_threads(max((os.cpu_count() or 1) // jobs, 1))


def _entry(config: Config, command: str) -> Entry:
    folder = Path(config.out) / str(config.name)
    entry = Entry(config.task.name, config.cell.name, config.seed, folder, "", None)
    try:
        metric = find("task", entry.task).load().monitor
        return replace(entry, metric=metric, values=_values_of(folder, config, command))
    except Exception as error:  # whatever it is: a row of the table
        return replace(entry, failure=" ".join(str(error).split()) or type(error).__name__)


def _values_of(folder: Path, config: Config, command: str) -> Mapping[str, Any]:
    """What ``result.json`` holds, once there is one."""
    from rnnx.core.experiment import Experiment

    if (folder / RESULT).is_file():
        if _comparable(resolve([str(folder / CONFIG)])) != _comparable(config):
            raise UsageError(f"{folder} holds a run of another configuration; give another out=FOLDER")
        values: Mapping[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        return values
    if folder.exists():
        aside = (folder.with_name(f"{folder.name}.interrupted-{number}") for number in count(1))
        folder.rename(next(path for path in aside if not path.exists()))
    return Experiment(config).run(command).values


def _comparable(config: Config) -> Config:
    """Without the hidden size where ``net.match`` solves for it."""
    if not config.net["match"]:
        return config
    options = {name: value for name, value in config.cell.options.items() if name != "hidden_size"}
    return replace(config, cell=replace(config.cell, options=options))


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
