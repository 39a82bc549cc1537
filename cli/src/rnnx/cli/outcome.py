"""What ``rnnx run`` and ``rnnx resume`` say at the end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType

from rnnx.cli.screen import display, display_json, table
from rnnx.core.config import Config
from rnnx.core.resolution import resolve
from rnnx.core.runs import CONFIG, OUT

if TYPE_CHECKING:
    from rnnx.core.running.result import Result

LONGEST: Final = 200  # characters of an example that is shown whole


def metrics(splits: Mapping[str, Mapping[str, float]]) -> RenderableType:
    """A table of metrics, a column for each split."""
    names = dict.fromkeys(name for values in splits.values() for name in values)
    rows = [(name, *(_number(values.get(name)) for values in splits.values())) for name in names]
    return table(("", *splits), rows)


def tell(result: Result, as_json: bool) -> None:
    """Writes what a run came to; of several processes one does.

    Args:
        result: Of the run.
        as_json: Whether as one JSON document: what ``result.json`` holds, and the ``folder``.
    """
    from rnnx.core.processes import leads

    if not leads():
        return
    if as_json:
        display_json({"folder": result.folder, **result.values})
    else:
        display(outcome(result, resolve([str(result.folder / CONFIG)])))


def outcome(result: Result, config: Config) -> RenderableType:
    """Metrics, samples, where things are, and the commands that one may want next."""
    splits = {split: result.values[split] for split in ("valid", "test")}
    places = [("run", str(result.folder)), *(("plot", str(path)) for path in result.plots)]
    rows = table(("", ""), [*places, *_next(result, config)])
    return Group("", metrics(splits), "", *_samples(result), rows)


def _samples(result: Result) -> Iterator[RenderableType]:
    for sample in result.texts:
        yield table(("", ""), sample.items())
        yield ""


def _next(result: Result, config: Config) -> Iterator[tuple[str, str]]:
    run = shlex.quote(str(result.folder))
    if result.samples:
        command, line = f"rnnx predict {run}", shlex.quote(_example(result))
        yield "use it", f"echo {line} | {command}" if len(line) <= LONGEST else f"{command} < FILE"
    if config.baseline is None:
        yield "play", f"rnnx play {run}"
        limits = ((limit, config.trainer[limit]) for limit in ("max_epochs", "max_steps"))
        more = [f"trainer.{limit}={2 * value}" for limit, value in limits if value > 0]
        more += ["trainer.max_time=null"] if config.trainer["max_time"] else []
        yield "go on", f"rnnx resume {run} {' '.join(more)}"
    if any(path.stem == "gradient_flow" for path in result.plots):
        yield "look back", f"rnnx flow {run}"
    out = result.folder.parent
    beside = "" if out == Path(OUT) else f" --out {shlex.quote(str(out))}"
    yield "compare", f"rnnx compare{beside}"
    yield "report", f"rnnx report{beside}"


def _example(result: Result) -> str:
    """A line that the model can answer: what the first sample was made of."""
    first = next(iter(result.samples[0].values())).text
    return next((line.strip() for line in first.splitlines() if line.strip()), "...")


def _number(value: float | None) -> str:
    """With three places, or three digits where these would be zeros."""
    if value is None:
        return ""
    return f"{value:.3g}" if 0 < abs(value) < 0.001 else f"{value:,.3f}"
