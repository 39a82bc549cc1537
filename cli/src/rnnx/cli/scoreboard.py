"""The table of a comparison, for a terminal and for papers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from io import StringIO
from statistics import mean
from typing import TYPE_CHECKING, Any, Final, final

from rnnx.cli.screen import in_markdown
from rnnx.core.comparing.labels import short
from rnnx.core.comparing.scores import digits, mean_and_spread, spread
from rnnx.core.comparing.significance import CORRECTION, LEVEL, TEST, Difference

if TYPE_CHECKING:
    from rnnx.core.comparing.comparison import Metric, Row, Table

SHORT: Final = 12  # characters of a value that has a column, not a place in the label
NONE: Final = "no result"
CHOSEN: Final = (
    "the best was chosen by these scores, which makes p somewhat too small; --baseline NAME tests against a "
    "row that is chosen beforehand"
)


@final
@dataclass(frozen=True)
class Column:
    """A metric of every row.

    Attributes:
        metric: It.
        decimals: How many digits follow the point.
        best: The label of the best row; None where no row has a score.
        differences: How rows differ from the one they are tested against, by label.
    """

    metric: Metric
    decimals: int
    best: str | None
    differences: dict[str, Difference | None]

    @property
    def title(self) -> str:
        """The metric, of the validation split with its name, and the direction in which it gets better."""
        return f"{self.metric.name.removeprefix('test/')} {'↑' if self.metric.rises else '↓'}"

    @property
    def order(self) -> str:
        """In which the best come first."""
        return "descending" if self.metric.rises else "ascending"

    def text(self, row: Row) -> str:
        """The mean and the spread; empty where there is no score."""
        scores = row.scores(self.metric.name)
        return mean_and_spread(scores, self.decimals) if scores else ""

    def significant(self, row: Row) -> bool:
        """Whether the row differs from the one it is tested against by more than chance."""
        difference = self.differences.get(row.label)
        return difference is not None and difference.significant


@final
@dataclass(frozen=True)
class Scoreboard:
    """A table, and which of its metrics are shown.

    Attributes:
        table: It.
        columns: The metrics.
    """

    table: Table
    columns: Sequence[Column]

    @classmethod
    def of(cls, table: Table, metrics: Sequence[str]) -> Scoreboard:
        """The table with some of its metrics, in their order.

        Args:
            table: It.
            metrics: Their names; those that the table does not have are left out.
        """
        known = {metric.name: metric for metric in table.metrics}
        columns = []
        for metric in (known[name] for name in metrics if name in known):
            means = [mean(scores) for row in table.rows if (scores := row.scores(metric.name))]
            best = table.best(metric)
            columns.append(Column(metric, digits(means), best and best.label, table.differences(metric)))
        return cls(table, columns)

    @property
    def title(self) -> str:
        """The task and the data."""
        return f"{self.table.task} on {self.table.data}"

    @property
    def options(self) -> list[str]:
        """The options that have a column each: those that all rows have, where their values are short."""
        return [
            name for name in self.table.common if all(len(row.told[name]) <= SHORT for row in self.table.rows)
        ]

    @property
    def leading(self) -> list[str]:
        """The headings before the metrics."""
        return ["model", *self.options, "seeds"]

    @property
    def cost_headings(self) -> list[str]:
        """Of :meth:`costs`."""
        return ["parameters", "minutes", f"train {self.table.counted}/s"]

    @property
    def headings(self) -> list[str]:
        """Of :meth:`cells`."""
        return [*self.leading, *(column.title for column in self.columns), *self.cost_headings]

    @property
    def spare(self) -> dict[int, str]:
        """What a narrow terminal may go without: places of :attr:`headings`, and what the user calls them.

        The last may go first: the metrics from the last to the second, then the costs.
        """
        names = [column.metric.name.removeprefix("test/") for column in self.columns]
        first = len(self.leading)
        metrics = dict(enumerate(names, first))
        costs = dict(enumerate(self.cost_headings, first + len(names)))
        metrics.pop(first, None)
        return costs | metrics

    def cells(self, row: Row, best: str = "{}", significant: str = "{} *") -> list[str]:
        """The texts of a row.

        Args:
            row: It.
            best: How the best of a column is written.
            significant: How what differs by more than chance is written.
        """
        scores = []
        for column in self.columns:
            text = column.text(row)
            if text and row.label == column.best:
                text = best.format(text)
            scores.append(significant.format(text) if column.significant(row) else text)
        if scores and not row.ended:
            scores[0] = NONE
        rest = {name: value for name, value in row.told.items() if name not in self.options}
        options = [row.told[name] for name in self.options]
        return [replace(row, told=rest).label, *options, str(row.seeds), *scores, *self.costs(row)]

    def costs(self, row: Row) -> list[str]:
        """What a row's model and training take, as :attr:`cost_headings`; empty if unknown."""
        seconds, rate = row.measured("seconds", "fit"), row.measured("throughput", "train_tokens_per_second")
        return [
            "" if row.parameters is None else f"{row.parameters:,}",
            "" if seconds is None else f"{seconds / 60:.1f}",
            "" if rate is None else f"{rate:,.0f}",
        ]

    @property
    def tested(self) -> bool:
        """Whether any difference could be tested."""
        return any(found for column in self.columns for found in column.differences.values())

    @property
    def legend(self) -> list[str]:
        """What the signs in the table mean, and whether there are too few seeds."""
        against = "the best" if self.table.baseline is None else "the baseline"
        signs = ["±: the standard deviation over seeds"] if any(r.seeds > 1 for r in self.table.rows) else []
        if self.tested:
            test = f"{TEST}, with {CORRECTION} for the rows of a column"
            found = [*signs, f"*: differs from {against} with p < {LEVEL} ({test})"]
            return found if self.table.baseline is not None else [*found, CHOSEN]
        few = "too few seeds to test differences: two or more with a result are needed on both sides"
        rows = self.table.rows
        return [*signs, few] if any(self.table.alike(rows[0], row) for row in rows[1:]) else signs

    @property
    def notes(self) -> list[str]:
        """The legend, which row is the baseline, what cannot be compared, and why runs have no result."""
        baseline = [] if self.table.baseline is None else [f"baseline: {self.table.baseline}"]
        failures = [failure for row in self.table.rows for failure in row.failures]
        return [*self.legend, *baseline, *self.unlike, *failures]

    @property
    def unlike(self) -> list[str]:
        """What cannot be compared; empty where all can."""
        if not (sources := ", ".join(self.table.sources)):
            return []
        return [
            f"the data differ in {sources}: scores on other tests, or in other units, do not compare, and no "
            "difference is tested between them"
        ]


def as_csv(boards: Sequence[Scoreboard]) -> str:
    """All tables as one, comma-separated; of each metric the mean, the deviation and the corrected p.

    What sets rows apart has a column for each option, as it is typed, which is empty where a row lacks it.
    """
    rows = [_numbers(board, row) for board in boards for row in board.table.rows]
    text = StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(boards: Sequence[Scoreboard]) -> str:
    """The tables in Markdown, the best of each column bold."""
    return "\n".join(line for board in boards for line in _markdown(board))


def as_latex(boards: Sequence[Scoreboard]) -> str:
    """The tables in LaTeX, the best of each column bold; for the package booktabs."""
    return "\n".join(map(_latex, boards))


def as_plain(boards: Sequence[Scoreboard]) -> list[dict[str, Any]]:
    """The tables as JSON knows them: the rows, with their settings, runs, scores and tests."""
    return [
        {
            "task": board.table.task,
            "data": board.table.data,
            "test": f"{TEST}, with {CORRECTION}",
            "baseline": board.table.baseline,
            "rows": [_plain(board, row) for row in board.table.rows],
        }
        for board in boards
    ]


def _numbers(board: Scoreboard, row: Row) -> dict[str, Any]:
    numbers = {
        "task": board.table.task,
        "data": board.table.data,
        "model": row.model,
        **{key.removesuffix(".name"): row.told.get(name) for key, name in _called(board.table).items()},
        "seeds": row.seeds,
        "parameters": row.parameters,
        "seconds": row.measured("seconds", "fit"),
        "train_tokens_per_second": row.measured("throughput", "train_tokens_per_second"),
    }
    for column in board.columns:
        name, scores = column.metric.name, row.scores(column.metric.name)
        difference = column.differences.get(row.label)
        numbers[name] = mean(scores) if scores else None
        numbers[f"{name} deviation"] = spread(scores)
        numbers[f"{name} p"] = difference and difference.p
    return numbers


def _called(table: Table) -> dict[str, str]:
    """The keys by which a table's rows are told apart, and what rows call them."""
    return {
        key: name
        for key, name in short(table.differing).items()
        if any(name in row.told for row in table.rows)
    }


def _markdown(board: Scoreboard) -> Iterator[str]:
    yield from (f"**{board.title}**", "")
    yield in_markdown(board.headings, [board.cells(row, "**{}**", r"{} \*") for row in board.table.rows])
    yield ""
    for note in board.notes:
        yield from (note.replace("*", r"\*"), "")


def _latex(board: Scoreboard) -> str:
    from pandas import DataFrame  # type: ignore[import-untyped]

    told = board.headings[: 1 + len(board.options)]
    rows = [board.cells(row, r"\textbf{{{}}}", "{}$^*$") for row in board.table.rows]
    rows = [[*row[: len(told)], *(cell.replace("±", r"$\pm$") for cell in row[len(told) :])] for row in rows]
    style = DataFrame(rows, columns=board.headings).style.hide(axis="index")
    style = style.format(escape="latex", subset=told)
    style = style.format_index(_with_arrow, axis="columns", escape="latex")
    unlike = [note.replace("_", r"\_") for note in board.unlike]
    caption = "; ".join([board.title.replace("_", r"\_"), "bold: the best", *board.legend, *unlike])
    return style.to_latex(
        hrules=True,
        column_format="l" + "r" * (len(board.headings) - 1),
        position="t",
        position_float="centering",
        caption=caption.replace("±", r"$\pm$").replace("<", "$<$"),
    )


def _with_arrow(heading: str) -> str:
    return heading.replace("↑", r"$\uparrow$").replace("↓", r"$\downarrow$")


def _plain(board: Scoreboard, row: Row) -> dict[str, Any]:
    metrics = {}
    for column in board.columns:
        scores = row.scores(column.metric.name)
        difference = column.differences.get(row.label)
        metrics[column.metric.name] = {
            "scores": scores,
            "mean": mean(scores) if scores else None,
            "deviation": spread(scores),
            "best": row.label == column.best,
            "difference": difference and asdict(difference),
        }
    return {
        "model": row.label,
        "settings": row.settings,
        "seeds": row.seeds,
        "runs": [str(record.folder) for record in row.records],
        "failures": row.failures,
        "parameters": row.parameters,
        "seconds": row.measured("seconds", "fit"),
        "train_tokens_per_second": row.measured("throughput", "train_tokens_per_second"),
        "metrics": metrics,
    }
