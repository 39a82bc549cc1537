"""What ``rnnx run`` says: before it starts, while it trains, and at its end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType

from rnnx.cli.screen import table

if TYPE_CHECKING:
    from rnnx.core.result import Result

LONGEST: Final = 200  # characters of an example that is shown whole


def metrics(splits: Mapping[str, Mapping[str, float]]) -> RenderableType:
    """A table of metrics, a column for each split."""
    names = dict.fromkeys(name for values in splits.values() for name in values)
    rows = [(name, *(_number(values.get(name)) for values in splits.values())) for name in names]
    return table(("", *splits), rows)


def outcome(result: Result) -> RenderableType:
    """Metrics, samples, pictures, and the command that uses the model."""
    splits = {split: result.values[split] for split in ("valid", "test")}
    return Group("", metrics(splits), "", *_samples(result), table(("", ""), _places(result)))


def _samples(result: Result) -> Iterator[RenderableType]:
    for sample in result.texts:
        yield table(("", ""), sample.items())
        yield ""


def _places(result: Result) -> Iterator[tuple[str, str]]:
    yield "run", str(result.folder)
    yield from (("plot", str(path)) for path in result.plots)
    if result.samples:
        command, line = f"rnnx predict {shlex.quote(str(result.folder))}", shlex.quote(_example(result))
        yield "use it", f"echo {line} | {command}" if len(line) <= LONGEST else f"{command} < FILE"


def _example(result: Result) -> str:
    """A line that the model can answer: what the first sample was made of."""
    first = next(iter(result.samples[0].values())).text
    return next((line.strip() for line in first.splitlines() if line.strip()), "...")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.3f}"
