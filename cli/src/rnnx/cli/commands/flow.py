"""``rnnx flow``: how gradients flow through trained nets, in numbers and in a picture."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from rich.console import Group

from rnnx.cli.arguments import Json, Out, RunsOrFolders
from rnnx.cli.screen import display, display_json, say, table
from rnnx.core.errors import RnnxError, UsageError
from rnnx.core.runs import OUT, called

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rnnx.core.gradient_flow import Flow

LAGS = (1, 10, 50, 100)  # whose norms are shown, and that of the last
PICTURE = "gradient_flow.png"


@final
@dataclass(frozen=True)
class Flows:
    """What was measured of some runs.

    Args:
        runs: The layers of each run, by the name it was asked for.
        pictures: Where each run's picture is, and after them, of several runs, the one of all.
    """

    runs: Mapping[str, Sequence[Flow]]
    pictures: Sequence[Path]

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {run: [flow.to_plain() for flow in flows] for run, flows in self.runs.items()}

    def __rich__(self) -> RenderableType:
        lags = [f"lag {lag}" for lag in LAGS]
        return Group(
            table(
                ("layer", "memory", "decay", "contraction", "gates < 0.1", "gates > 0.9"),
                [_summary(flow) for flow in _named(self.runs)],
            ),
            "",
            table(
                ("layer", "norm of", *lags, "last lag"),
                [row for flow in _named(self.runs) for row in _norms(flow)],
            ),
            "",
            table(("", ""), [("plot", str(picture)) for picture in self.pictures]),
        )


def measure(folders: Mapping[str, Path], asked: Container[str]) -> Flows:
    """Measures runs on their test data, and writes the numbers and a picture into the folder of each.

    Args:
        folders: The runs' folders, by name. Of several runs, the picture of all is written beside the first.
        asked: The names of those that cannot be left out; of another one that cannot be measured, as it has
            not ended, it says why.

    Raises:
        UsageError: a run's net reads no sequences; or none could be measured.
        RnnxError: whatever is wrong with a run.
    """
    from rnnx.core.gradient_flow import keep

    runs: dict[str, Sequence[Flow]] = {}
    pictures: list[Path] = []
    for run, folder in folders.items():
        try:
            flows = _flows(folder)
        except RnnxError as error:
            if run in asked:
                raise
            say(f"{run} is left out: {error}")
            continue
        runs[run] = flows
        keep(flows, folder)
        pictures.append(_draw(flows, folder / "plots"))
    if not runs:
        raise UsageError("RUN...: expected runs to measure, and none of those found can be")
    if len(runs) > 1:
        pictures.append(_draw(_named(runs), folders[next(iter(runs))].parent))
    return Flows(runs, pictures)


def flow(runs: RunsOrFolders, out: Out = OUT, as_json: Json = False) -> None:
    """Show how far back runs' nets remember: the norms of their gradients against the lag.

    rnnx flow lm-elman lm-lstm
    """
    flows = measure(called(runs, out), runs)
    if as_json:
        display_json(flows.to_plain())
    else:
        display(flows)


def _flows(folder: Path) -> Sequence[Flow]:
    from rnnx.core.run import Run

    if flows := Run.load(folder).flow():
        return flows
    raise UsageError(
        f"{folder}: expected a run whose net reads sequences, but the loss depends on no recurrent "
        "layer that does; ask for another run"
    )


def _draw(flows: Sequence[Flow], folder: Path) -> Path:
    from rnnx.core.plots import gradient_flow, save

    save(gradient_flow(flows), folder / PICTURE)
    return folder / PICTURE


def _named(runs: Mapping[str, Sequence[Flow]]) -> list[Flow]:
    """All layers, of several runs with the run's name before their own."""
    if len(runs) == 1:
        return [flow for flows in runs.values() for flow in flows]
    return [replace(flow, layer=f"{run} {flow.layer}") for run, flows in runs.items() for flow in flows]


def _summary(flow: Flow) -> tuple[str, ...]:
    return (
        flow.layer,
        f"> {len(flow.state) - 1}" if flow.memory is None else str(flow.memory),
        f"{flow.decay:.4g}",
        f"{flow.contraction:.4g}",
        *("" if share is None else f"{share:.1%}" for share in (flow.low, flow.high)),
    )


def _norms(flow: Flow) -> Iterator[tuple[str, ...]]:
    for name, curve in (("dL/ds_t", flow.loss), ("ds_T/ds_t", flow.state)):
        shown = [f"{curve[lag]:.3g}" if lag < len(curve) else "" for lag in LAGS]
        yield flow.layer, name, *shown, f"{curve[-1]:.3g} ({len(curve) - 1})"
