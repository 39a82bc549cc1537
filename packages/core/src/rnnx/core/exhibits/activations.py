"""Watching the units of a net over a text (Karpathy, Johnson & Li 2015), whatever its cells are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.exhibit import Drawing, Text
from rnnx.core.exhibits.heat import Heat, shown
from rnnx.core.exhibits.palettes import DIVERGING
from rnnx.core.exhibits.recording import Trail, trails
from rnnx.core.exhibits.view import Exhibits, View
from rnnx.core.layers import Recurrent
from rnnx.core.options import Option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELLED: Final = 60  # pieces that are named below a heat map, at most
LIVELIEST: Final = 10  # units that are named
ABOUT: Final = (
    "One unit over the text, then all of them: of a state blue where it is above 0 and vermilion where it is "
    "below, the deeper the farther; of a gate white where it is shut and blue where it is open."
)


def activations(net: Recurrent, read: Callable[[str], Sequence[str]], between: str = "") -> View:
    """A view of the units of a net while it reads a line: the states and the gates of all its layers.

    Args:
        net: The net.
        read: Has the net read a line, and gives the pieces of which each was a step.
        between: What stands between two pieces in a text.
    """
    example = next(net.parameters(), torch.zeros(()))
    parts = _parts(trails(net, lambda: net(example.new_zeros(1, 1, net.input_size))))
    most = max((part.shape[1] for part in parts.values()), default=1) - 1
    options = {
        "part": Option("part", Literal[tuple(parts)], next(iter(parts), None), "States and gates, by layer."),
        "unit": Option("unit", Annotated[int, Ge(0), Le(most)], 0, "Which unit of it, counted from 0."),
    }
    return View("units", ABOUT, options, partial(_show, net, read, between), live=True)


def _show(
    net: nn.Module,
    read: Callable[[str], Sequence[str]],
    between: str,
    line: str,
    options: Mapping[str, Any],
) -> Iterator[Exhibits]:
    pieces: list[str] = []
    name, unit = options["part"], options["unit"]
    part = _parts(trails(net, lambda: pieces.extend(read(line)))).get(name)
    if part is None:
        raise InputError("the input", "expected a text, got nothing to read")
    if unit >= part.shape[1]:
        raise UsageError(f"unit: expected one of the {part.shape[1]} units of {name}, from 0, got {unit}")
    values = part[:, unit] if _is_gate(name) else part[:, unit].tanh()
    columns = [[(piece + between, value)] for piece, value in zip(pieces, values.tolist(), strict=True)]
    liveliest = part.var(0, correction=0).argsort(descending=True)[:LIVELIEST].tolist()
    alt = f"Each unit of {name} (from top to bottom) at each piece of the text (from left to right)"
    yield {
        f"unit {unit} of {name}": Heat(_written(columns), columns),
        "all units": Drawing("", alt, partial(_drawn, part, pieces, unit, _is_gate(name))),
        "units that change most": Text(", ".join(map(str, liveliest))),
    }


def _parts(found: Sequence[Trail]) -> dict[str, Tensor]:
    """States and gates ``(T, size)`` by the names of their layers and their own."""
    return {f"{trail.layer} {name}".strip(): part for trail in found for name, part in trail.parts().items()}


def _is_gate(name: str) -> bool:
    return name.split()[-2] == "gate"


def _written(columns: Sequence[Sequence[tuple[str, float]]]) -> str:
    """Pieces with their numbers."""
    return " ".join(f"{shown(piece.strip(' ') or piece)} {value:+.2f}" for ((piece, value),) in columns)


def _drawn(part: Tensor, pieces: Sequence[str], unit: int, gate: bool) -> Figure:
    """A row for each unit, a column for each piece."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    low, _, high = DIVERGING
    colours = LinearSegmentedColormap.from_list("", ["white", high] if gate else [low, "white", high])
    steps = len(part)
    figure = Figure(figsize=(min(3 + 0.2 * steps, 16), 4.5), layout="constrained")
    axes = figure.subplots()
    most = 1.0 if gate else max(float(part.abs().max()), 1e-6)
    image = axes.imshow(
        part.T.float().numpy(),
        cmap=colours,
        vmin=0 if gate else -most,
        vmax=most,
        aspect="auto",
        interpolation="nearest",
    )
    if steps <= LABELLED:
        labels = [shown(piece) for piece in pieces]
        rotation = 0 if max(map(len, labels)) == 1 else 90
        axes.set_xticks(range(steps), labels=labels, parse_math=False, rotation=rotation)
    axes.axhline(unit, color="black", linewidth=0.6, linestyle=":")
    axes.set_ylabel("unit")
    axes.tick_params(length=0)
    figure.colorbar(image, pad=0.01)
    return figure
