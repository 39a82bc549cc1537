"""Runs side by side: those that differ in nothing but their seed in one row, with what their scores tell."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import mean
from typing import Any, Final, final

from rnnx.core.comparing.labels import short, shown
from rnnx.core.comparing.record import Record
from rnnx.core.comparing.significance import Difference, differences
from rnnx.core.declarations.aims import Aims, aims_of
from rnnx.core.errors import UsageError
from rnnx.core.registry import find, suggestion

IDLE: Final = {  # sections and keys that make no other model
    "seed",
    "name",
    "out",
    "logger",
    "checkpoint.save_top_k",
    "checkpoint.every_n_train_steps",
    "checkpoint.every_n_minutes",
}
NETS: Final = {  # nor do these of a baseline
    "cell",
    "net",
    "optimizer",
    "schedule",
    "trainer",
    "checkpoint",
    "stopping",
}
SPLITS: Final = ("test", "valid")
FED: Final = {"data.batch_size", "data.eval_batch_size", "data.bptt", "data.workers"}  # read alike with any


@final
@dataclass(frozen=True)
class Metric:
    """What rows are compared by.

    Attributes:
        name: The split and the metric, such as ``test/loss``.
        rises: Whether it is better the higher it is.
    """

    name: str
    rises: bool


@final
@dataclass(frozen=True)
class Row:
    """Runs that differ in nothing but their seed.

    Attributes:
        model: Name of the cell, or of the baseline.
        told: What else sets them apart, as :func:`rnnx.core.comparing.labels.short` calls it.
        settings: Their values of the keys in which the table's runs differ, where they have such.
        records: The runs, by seed.
    """

    model: str
    told: Mapping[str, str]
    settings: Mapping[str, Any]
    records: Sequence[Record]

    @property
    def label(self) -> str:
        """What they are and the others are not.

        Example:
            >>> Row("gru", {"length": "50", "layers": "2"}, {}, []).label
            'gru length=50 layers=2'
        """
        return " ".join([self.model, *(f"{name}={value}" for name, value in self.told.items())])

    @property
    def ended(self) -> list[Record]:
        """The runs that have a result."""
        return [record for record in self.records if record.result is not None]

    @property
    def failures(self) -> list[str]:
        """Why the others have none, a sentence each."""
        return [record.failure for record in self.records if record.result is None]

    def scores(self, metric: str) -> list[float]:
        """A metric of each seed; where a seed has several runs, their mean."""
        found: dict[int, list[float]] = {}
        for record in self.ended:
            value = record.metric(metric)
            if value is not None:
                found.setdefault(record.seed, []).append(value)
        return [mean(values) for values in found.values()]

    @property
    def seeds(self) -> int:
        """How many seeds have a result."""
        return len({record.seed for record in self.ended})

    @property
    def parameters(self) -> int | None:
        """Of the model; None where no run has ended."""
        return next((record.result["parameters"] for record in self.ended if record.result), None)

    def measured(self, group: str, name: str) -> float | None:
        """The mean over runs of what they measured besides, such as ``("seconds", "fit")``."""
        found = [record.result[group].get(name) for record in self.ended if record.result]
        values = [value for value in found if value is not None]
        return mean(values) if values else None


@final
@dataclass(frozen=True)
class Table:
    """Runs of one task on one kind of data.

    Attributes:
        task: Name of the task.
        data: Name of the data.
        metrics: Those of the test, then those of the validation split; in each the task's monitor first.
        rows: At first the best by the first metric first, those without a score last.
        differing: The keys of the configuration in which the runs differ.
        baseline: The label of the row that the others are tested against; None for the best by each metric.
        counted: What the task predicts, so many a second, in the plural.
    """

    task: str
    data: str
    metrics: Sequence[Metric]
    rows: Sequence[Row]
    differing: Sequence[str]
    baseline: str | None = None
    counted: str = "predictions"

    @property
    def records(self) -> list[Record]:
        """The runs of all rows."""
        return [record for row in self.rows for record in row.records]

    @property
    def sources(self) -> list[str]:
        """The options of the data in which rows differ, but how many examples are read at once.

        Example:
            >>> Table("memory", "adding", [], [], ["net.layers", "data.length", "data.batch_size"]).sources
            ['data.length']
        """
        return [key for key in self.differing if key.startswith("data.") and key not in FED]

    @property
    def common(self) -> list[str]:
        """What every row tells of itself, as it is called.

        Example:
            >>> told = {"length": "50"}, {"length": "20", "forget_bias": "1.0"}
            >>> rows = [Row("lstm", one, {}, []) for one in told]
            >>> Table("lm", "toy", [], rows, []).common
            ['length']
        """
        names = dict.fromkeys(name for row in self.rows for name in row.told)
        return [name for name in names if all(name in row.told for row in self.rows)]

    @property
    def test_metrics(self) -> list[str]:
        """The names of the test's metrics, the task's monitor first.

        Example:
            >>> metrics = [Metric("test/loss", False), Metric("valid/loss", False)]
            >>> Table("lm", "toy", metrics, [], []).test_metrics
            ['test/loss']
        """
        return [metric.name for metric in self.metrics if metric.name.startswith("test/")]

    def best(self, metric: Metric) -> Row | None:
        """The row with the best mean of a metric; None where no row has a finite one."""
        means = {row.label: mean(scores) for row in self.rows if (scores := row.scores(metric.name))}
        finite = {label: value for label, value in means.items() if math.isfinite(value)}
        if not finite:
            return None
        label = (max if metric.rises else min)(finite, key=lambda label: finite[label])
        return next(row for row in self.rows if row.label == label)

    def reference(self, metric: Metric) -> Row | None:
        """The row that the others are tested against."""
        if self.baseline is None:
            return self.best(metric)
        return next(row for row in self.rows if row.label == self.baseline)

    def alike(self, one: Row, other: Row) -> bool:
        """Whether two rows read the same data, as far as their options tell, so that their scores compare."""
        return all(one.settings.get(key) == other.settings.get(key) for key in self.sources)

    def differences(self, metric: Metric) -> dict[str, Difference | None]:
        """How each other row differs from the reference, by label; see :class:`Difference`.

        None also where the two read other data: what would be tested is how hard these are.
        """
        return self._differences[metric.name]

    @cached_property
    def _differences(self) -> dict[str, dict[str, Difference | None]]:
        found: dict[str, dict[str, Difference | None]] = {}
        for metric in self.metrics:
            reference = self.reference(metric)
            others = [row for row in self.rows if reference and row.label != reference.label]
            alike = [row for row in others if reference and self.alike(row, reference)]
            samples = [row.scores(metric.name) for row in alike]
            tested = differences(samples, reference.scores(metric.name) if reference else [])
            known = dict(zip((row.label for row in alike), tested, strict=True))
            found[metric.name] = {row.label: known.get(row.label) for row in others}
        return found

    def by(self, key: str) -> Table:
        """The table with its rows in another order, those without such a number last.

        Args:
            key: A metric (the best first), ``parameters`` or ``seconds`` (the fewest first), or ``model``.
        """
        if key == "model":
            return replace(self, rows=sorted(self.rows, key=lambda row: row.label))
        metric = next((metric for metric in self.metrics if metric.name == key), None)
        sign = -1 if metric and metric.rises else 1

        def place(row: Row) -> tuple[bool, float]:
            value = row.parameters if key == "parameters" else row.measured("seconds", "fit")
            if metric:
                value = mean(scores) if (scores := row.scores(key)) else None
            return value is None or not math.isfinite(value), sign * (value or 0)

        return replace(self, rows=sorted(self.rows, key=place))


def compare(records: Sequence[Record], baseline: str | None = None) -> list[Table]:
    """The tables of some runs: one for each task and kind of data, in the order of the runs.

    Args:
        records: The runs; one that is named twice counts once.
        baseline: The label of a row, or the name of one of its runs, that the others are tested against; None
            for the best.

    Raises:
        UsageError: there is no such row, or no such task is installed.
    """
    groups: dict[tuple[str, str], dict[Any, Record]] = {}
    for record in records:
        group = groups.setdefault((record.task, str(record.settings.get("data.name"))), {})
        group.setdefault(record.folder.resolve(), record)
    tables = [_table(task, data, list(group.values())) for (task, data), group in groups.items()]
    return tables if baseline is None else _tested_against(tables, baseline)


def chosen(tables: Sequence[Table], names: Sequence[str]) -> list[str]:
    """The metrics that a user means.

    Args:
        tables: Where they are.
        names: Of metrics; of those without a split, that of the test. One that is named twice counts once.

    Raises:
        UsageError: no table has such a metric.

    Example:
        >>> chosen([Table("lm", "toy", [Metric("test/loss", False)], [], [])], ["loss"])
        ['test/loss']
    """
    known = list(dict.fromkeys(metric.name for table in tables for metric in table.metrics))
    wanted = list(dict.fromkeys(name if "/" in name else f"test/{name}" for name in names))
    if unknown := [name for name in wanted if name not in known]:
        raise UsageError(
            *(
                f"{name}: no run has such a metric{suggestion(name, known)} ({', '.join(known)})"
                for name in unknown
            )
        )
    return wanted


def _table(task: str, data: str, records: Sequence[Record]) -> Table:
    settings = [_deciding(record) for record in records]
    differing = _differing(settings)
    groups: dict[str, list[Record]] = {}
    deciding: dict[str, dict[str, Any]] = {}
    for record, values in zip(records, settings, strict=True):
        identity = json.dumps({key: values[key] for key in differing if key in values})
        groups.setdefault(identity, []).append(record)
        deciding[identity] = values

    def row(identity: str, nulls: bool) -> Row:
        group = sorted(groups[identity], key=lambda record: record.seed)
        told = _told(deciding[identity], differing, settings, nulls)
        return Row(group[0].model, told, json.loads(identity), group)

    rows = [row(identity, nulls=False) for identity in groups]
    if len({one.label for one in rows}) < len(rows):  # some are told apart by what is null alone
        rows = [row(identity, nulls=True) for identity in groups]
    aims = aims_of(find("task", task))
    table = Table(task, data, _metrics(aims, records), rows, differing, counted=aims.counted)
    return table.by(table.metrics[0].name) if table.metrics else table


def _deciding(record: Record) -> dict[str, Any]:
    """The settings that decide what becomes of a run, but for its seed."""
    idle = IDLE | (NETS if record.settings.get("baseline.name") else set())
    values = {
        key: value for key, value in record.settings.items() if idle.isdisjoint((key, key.partition(".")[0]))
    }
    return {"baseline.name": None, **values}


def _differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that have several values; that some lack a key, as what it belongs to, is no difference."""
    keys = dict.fromkeys(key for values in settings for key in values)
    return [key for key in keys if len({json.dumps(values[key]) for values in settings if key in values}) > 1]


def _told(
    own: Mapping[str, Any], differing: Sequence[str], settings: Sequence[Mapping[str, Any]], nulls: bool
) -> dict[str, str]:
    """What sets a model apart; of a component's options, what differs among those with it.

    What is null is left out, unless asked for: others say what they have instead.
    """

    def names(key: str) -> bool:
        name = f"{key.partition('.')[0]}.name"
        if key in ("cell.name", "baseline.name"):  # the model
            return False
        if key == "cell.hidden_size" and own.get("net.match"):  # it was solved for
            return False
        if own[key] is None and not nulls:
            return False
        return key == name or key in _differing([one for one in settings if one.get(name) == own.get(name)])

    called = short(differing)
    return {called[key]: shown(own[key]) for key in differing if key in own and names(key)}


def _metrics(aims: Aims, records: Sequence[Record]) -> list[Metric]:
    def names(split: str) -> Iterator[str]:
        found = dict.fromkeys(name for record in records for name in (record.result or {}).get(split, ()))
        yield from sorted(found, key=lambda name: name != aims.monitor)

    return [Metric(f"{split}/{name}", aims.rises(name)) for split in SPLITS for name in names(split)]


def _tested_against(tables: Sequence[Table], baseline: str) -> list[Table]:
    found = []
    for table in tables:
        names = {record.name: row.label for row in table.rows for record in row.records}
        labels = {row.label: row.label for row in table.rows}
        found.append(replace(table, baseline=(names | labels).get(baseline)))
    if all(table.baseline is None for table in found):
        known = [row.label for table in tables for row in table.rows]
        raise UsageError(
            f"--baseline: no row and no run is called {baseline!r}{suggestion(baseline, known)} "
            f"(rows: {', '.join(known)})"
        )
    return found
