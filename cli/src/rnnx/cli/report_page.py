"""The page that compares runs: one file of HTML with everything in it."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from itertools import count
from statistics import mean
from typing import TYPE_CHECKING, Any, Final, final

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]
from pydantic_core import to_json

from rnnx.cli.scoreboard import Column, Scoreboard
from rnnx.core.comparing.comparison import Row
from rnnx.core.comparing.labels import shown
from rnnx.core.comparing.significance import Difference

if TYPE_CHECKING:
    from rnnx.core.comparing.comparison import Table
    from rnnx.core.comparing.record import Points, Record, Shown

LONGEST: Final = 1000  # points of a curve that are drawn
DIGITS: Final = 5  # of their values
COLOURS: Final = 8  # that report.css has
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")  # in turn: with the colours, 40 kinds of line
STROKES: Final = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "12 4"}
DRAWN: Final = {"curves.png", "gradient_flow.png"}  # pictures of what the page draws itself
FLOWS: Final = {
    "state": ("memory of the state", "‖∂s<sub>T</sub> / ∂s<sub>t</sub>‖"),
    "loss": ("gradient of the loss", "‖∂L / ∂s<sub>t</sub>‖"),
}
DEPTH: Final = 1e-12  # how far below its largest value a curve of gradients is drawn
TAGS: Final = {  # that a sample's HTML may have
    "b", "br", "code", "div", "em", "i", "img", "li", "ol", "p", "pre", "small", "span", "strong", "sub",
    "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
STYLES: Final = {  # and its properties of CSS
    "background", "background-color", "border", "border-bottom", "border-radius", "color", "display",
    "font-size", "font-style", "font-weight", "height", "image-rendering", "line-height", "margin",
    "max-width", "min-width", "opacity", "padding", "text-align", "vertical-align", "white-space", "width",
}  # fmt: skip


def page(tables: Sequence[Table], command: str) -> str:
    """The page, which needs neither a network nor a server, and in which nothing but its own scripts runs.

    The runs' texts are escaped, their HTML is cleaned, and a policy in the page forbids what is not in it.

    Args:
        tables: From :func:`rnnx.core.comparing.comparison.compare`.
        command: What the user typed.

    Raises:
        InputError: a file of a run is not what runs write.
    """
    environment = Environment(
        loader=PackageLoader("rnnx.cli", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mean": mean, "shown": shown, "told": told}
    numbers = count()
    labels = dict.fromkeys(row.label for table in tables for row in table.rows)
    places = {label: place for place, label in enumerate(labels)}
    sections = [Section.of(table, places, numbers) for table in tables]
    scripts = [Markup(get_plotlyjs()), Markup(_file(environment, "report.js"))]
    return environment.get_template("report.html").render(
        sections=sections,
        runs=[run for section in sections for run in section.runs],
        command=command,
        version=version("rnnx"),
        style=Markup(_file(environment, "report.css")),
        scripts=scripts,
        policy=_policy(scripts),
        data=_script_data(
            {
                "runs": {run.key: run.to_plain() for section in sections for run in section.runs},
                "charts": {chart.key: chart.to_plain() for section in sections for chart in section.charts},
            }
        ),
    )


@final
@dataclass(frozen=True)
class Run:
    """A run as it is drawn.

    Attributes:
        record: It.
        row: The label of its row.
        place: A number of its row, from 0, which gives its colour and its kind of line.
        key: Its name in the page.
    """

    record: Record
    row: str
    place: int
    key: str

    @property
    def colour(self) -> int:
        """The number of its colour."""
        return self.place % COLOURS

    @property
    def dash(self) -> str:
        """Its kind of line, by plotly's name."""
        return DASHES[self.place % len(DASHES)]

    @property
    def stroke(self) -> str:
        """Its kind of line, by SVG's."""
        return STROKES[self.dash]

    @property
    def label(self) -> str:
        """Its row and its seed."""
        return f"{self.row}, seed {self.record.seed}"

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {"colour": self.colour, "dash": self.dash, "label": self.label}


@final
@dataclass(frozen=True)
class Chart:
    """Curves of runs.

    Attributes:
        key: Its name in the page.
        title: What is drawn.
        x: What the horizontal axis is.
        y: What the vertical axis is.
        deep: Whether the vertical axis is logarithmic.
        lines: The points of each curve, by the key of its run.
    """

    key: str
    title: str
    x: str
    y: str
    deep: bool
    lines: Sequence[tuple[str, Points]]

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it."""
        lines = [
            {"run": run, "x": [x for x, _ in points], "y": [_short(y) for _, y in points]}
            for run, points in self.lines
        ]
        return {"title": self.title, "x": self.x, "y": self.y, "deep": self.deep, "lines": lines}


@final
@dataclass(frozen=True)
class Example:
    """What models make of one example of the test split.

    Attributes:
        given: What is the same of all runs, by column, as HTML.
        answers: What each run makes of it, by column, as HTML.
    """

    given: Mapping[str, Markup]
    answers: Sequence[tuple[Run, Mapping[str, Markup]]]


@final
@dataclass(frozen=True)
class Section:
    """What the page has of a table.

    Attributes:
        key: Its name in the page.
        board: The table.
        runs: Its runs, in the order of its rows.
        curves: Metrics against the step.
        flows: Gradients against the lag.
    """

    key: str
    board: Scoreboard
    runs: Sequence[Run]
    curves: Sequence[Chart]
    flows: Sequence[Chart]

    @classmethod
    def of(cls, table: Table, places: Mapping[str, int], numbers: Iterator[int]) -> Section:
        """That of a table.

        Args:
            table: It.
            places: Of the labels of rows, for their colours and kinds of line, the same in all tables.
            numbers: For what is to have a name in the page.

        Raises:
            InputError: a file of a run is not what runs write.
        """
        runs = [
            Run(record, row.label, places[row.label], f"r{next(numbers)}")
            for row in table.rows
            for record in row.records
        ]
        board = Scoreboard.of(table, [metric.name for metric in table.metrics])
        return cls(
            f"t{next(numbers)}",
            board,
            runs,
            list(_curves(runs, table, numbers)),
            list(_flows(runs, numbers)),
        )

    @property
    def charts(self) -> list[Chart]:
        """All."""
        return [*self.curves, *self.flows]

    @property
    def rows(self) -> list[tuple[Row, list[Run]]]:
        """The rows of the table, each with its runs."""
        return [(row, [run for run in self.runs if run.row == row.label]) for row in self.board.table.rows]

    @property
    def splits(self) -> list[tuple[str, list[Column]]]:
        """The columns of each split; that of the test is there, be it empty."""
        found: dict[str, list[Column]] = {"test": []}
        for column in self.board.columns:
            found.setdefault(column.metric.name.partition("/")[0], []).append(column)
        return list(found.items())

    @cached_property
    def examples(self) -> list[Example]:
        """What the runs make of the same examples; told apart by what stands in the first column."""
        found: dict[tuple[str, int], dict[str, dict[str, Shown]]] = {}
        for run in self.runs:
            seen: dict[str, int] = {}
            for sample in run.record.samples():
                question = next(iter(sample.values())).text if sample else ""
                seen[question] = seen.get(question, 0) + 1
                found.setdefault((question, seen[question]), {})[run.key] = sample
        alike = _alike(list(found.values()))
        return [_example(samples, self.runs, alike) for samples in found.values()]

    @property
    def pictures(self) -> list[tuple[str, list[tuple[Run, str]]]]:
        """The pictures that runs have besides those of their curves, by name: of each run, as a URL."""
        found: dict[str, list[tuple[Run, str]]] = {}
        for run in self.runs:
            for path in run.record.plots():
                if path.name not in DRAWN:
                    url = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
                    found.setdefault(path.stem.replace("_", " "), []).append((run, url))
        return list(found.items())

    @property
    def settings(self) -> list[tuple[str, list[str]]]:
        """The keys in which rows differ, and the value of each row."""
        return [
            (key, [shown(row.settings[key]) if key in row.settings else "" for row in self.board.table.rows])
            for key in self.board.table.differing
        ]

    @property
    def commands(self) -> list[tuple[str, list[Run]]]:
        """What was typed, and the runs that came of it."""
        return _grouped((str((run.record.result or {}).get("command") or ""), run) for run in self.runs)

    @property
    def environments(self) -> list[tuple[str, list[Run]]]:
        """The versions of what runs were made with, and the runs."""
        return _grouped(
            (", ".join(f"{name} {number}" for name, number in versions.items()), run)
            for run in self.runs
            if isinstance(versions := (run.record.result or {}).get("versions"), dict)
        )


def told(difference: Difference) -> str:
    """A difference in a few words.

    Example:
        >>> told(Difference(-1.25, (-2.0, -0.5), 0.0312))
        '−1.25, p = 0.031'
    """
    sign = "−" if difference.mean < 0 else "+"
    p = "p < 0.001" if difference.p < 0.001 else f"p = {difference.p:.2g}"
    return f"{sign}{abs(difference.mean):.3g}, {p}"


def clean(sample: Shown) -> Markup:
    """What a sample shows, as HTML that is safe: a text escaped, a fragment without all but harmless tags.

    Example:
        >>> from rnnx.core.comparing.record import Shown
        >>> clean(Shown("a < b", None)), clean(Shown("", "<b onclick='x()'>a</b><script>x()</script>"))
        (Markup('a &lt; b'), Markup('<b>a</b>'))
    """
    if sample.html is None:
        return Markup.escape(sample.text)
    return Markup(
        nh3.clean(
            sample.html,
            tags=TAGS,
            attributes={"*": {"style", "title", "dir"}, "img": {"src", "alt"}, "td": {"colspan", "rowspan"}},
            filter_style_properties=STYLES,
            url_schemes={"data"},
            attribute_filter=_within,
        )
    )


def _within(tag: str, attribute: str, value: str) -> str | None:
    """What an attribute may hold; of a picture's address only one that is the picture itself."""
    return value if attribute != "src" or value.startswith("data:image/") else None


def _curves(runs: Sequence[Run], table: Table, numbers: Iterator[int]) -> Iterator[Chart]:
    found: dict[str, list[tuple[str, Points]]] = {}
    for run in runs:
        for name, points in run.record.curves().items():
            if not name.startswith("test/"):
                found.setdefault(name, []).append((run.key, _thinned(points)))
    first = ["train/loss", *(metric.name for metric in table.metrics)]
    for name in sorted(found, key=lambda name: first.index(name) if name in first else len(first)):
        title, lines = name.replace("/", " ").replace("_", " "), found[name]
        if len({value for _, points in lines for _, value in points}) > 1:  # a constant tells nothing
            yield Chart(f"c{next(numbers)}", title, "step", "", False, lines)


def _flows(runs: Sequence[Run], numbers: Iterator[int]) -> Iterator[Chart]:
    found: dict[tuple[str, str], list[tuple[str, Points]]] = {}
    for run in runs:
        for layer in run.record.flows():
            for kind in FLOWS:
                found.setdefault((layer["layer"], kind), []).append((run.key, _visible(layer[kind])))
    for (layer_name, kind), lines in found.items():
        title, y = FLOWS[kind]
        yield Chart(f"c{next(numbers)}", f"{title}: {layer_name}", "lag T − t", y, True, lines)


def _visible(curve: Sequence[float | None]) -> Points:
    """What a logarithmic axis can show."""
    highest = max((value for value in curve if value), default=0.0)
    return [
        (float(lag), value if value and value > highest * DEPTH else math.nan)
        for lag, value in enumerate(curve)
    ]


def _thinned(points: Points) -> Points:
    """So few points that a page can draw them, among them the last."""
    every = -(-len(points) // LONGEST)
    return points[::-1][::every][::-1] if points else points


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _alike(examples: Sequence[Mapping[str, Mapping[str, Shown]]]) -> set[str]:
    """The columns in which all runs have the same; the first tells examples apart, so it is one of them."""
    columns = dict.fromkeys(name for samples in examples for sample in samples.values() for name in sample)
    if any(len(samples) > 1 for samples in examples):
        alike = {
            name
            for name in columns
            if all(len({sample.get(name) for sample in samples.values()}) == 1 for samples in examples)
        }
        if len(alike) < len(columns):
            return alike
    return set(list(columns)[:1])


def _example(samples: Mapping[str, Mapping[str, Shown]], runs: Sequence[Run], alike: set[str]) -> Example:
    first = next(iter(samples.values()))
    given = {name: clean(sample) for name, sample in first.items() if name in alike}
    answers = [
        (run, {name: clean(sample) for name, sample in samples[run.key].items() if name not in alike})
        for run in runs
        if run.key in samples
    ]
    return Example(given, answers)


def _grouped(pairs: Iterable[tuple[str, Run]]) -> list[tuple[str, list[Run]]]:
    groups: dict[str, list[Run]] = {}
    for name, run in pairs:
        if name:
            groups.setdefault(name, []).append(run)
    return list(groups.items())


def _file(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(scripts: Sequence[str]) -> str:
    """What the page may do: run these scripts, show pictures that are in it, and nothing else."""
    hashes = [base64.b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _script_data(content: Any) -> Markup:
    """JSON that can stand in a script element."""
    text = to_json(content, inf_nan_mode="null").decode()
    return Markup(text.replace("<", "\\u003c"))
