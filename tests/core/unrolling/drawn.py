"""Cells whose steps are drawn at random: operations that a cell may be made of, in any order."""

from __future__ import annotations

from random import Random
from typing import Any, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State

WIDTHS: Final = (1, 2, 5, 8, 31, 33, 64)  # of one panel of columns, of several, and of parts of them
CURVES: Final = (
    *(torch.tanh, torch.sigmoid, torch.relu, torch.sin, torch.neg, torch.square, torch.abs),
    *(F.gelu, F.elu, F.leaky_relu, F.softplus, F.logsigmoid, F.hardtanh, F.hardswish, F.silu),
)
ALONG: Final = (
    "sum",
    "mean",
    "spread",
    "largest",
    "first",
    "length",
)  # of which comes one number of each row
KINDS: Final = (
    *("linear", "linear", "curve", "curve", "add", "times", "where", "piece", "join", "norm", "along"),
    *("softmax", "column", "over", "table"),
)


@final
class Drawn(Cell):
    """A step of three to twelve operations on its input, its state, and what they made.

    Args:
        seed: By which all is drawn.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = Random(seed)
        torch.manual_seed(seed)
        self.input_size = draw.randint(1, 9)
        self.state_sizes = tuple(draw.choice(WIDTHS) for _ in range(draw.randint(1, 3)))
        self.widths = [self.input_size, *self.state_sizes]  # of all values so far
        self.modules_of = nn.ModuleList()
        self.operations = [self._drawn(draw) for _ in range(draw.randint(3, 12))]
        read = [draw.randrange(len(self.widths)) for _ in self.state_sizes]
        self.ends = [
            (place, self._linear(place, size)) for place, size in zip(read, self.state_sizes, strict=True)
        ]
        self.outputs = [draw.randrange(len(self.widths)) for _ in range(draw.randint(1, 2))]
        self.output_size = sum(self.widths[place] for place in self.outputs)

    def _linear(self, place: int, width: int, bias: bool = True) -> int:
        self.modules_of.append(nn.Linear(self.widths[place], width, bias))
        return len(self.modules_of) - 1

    def _drawn(self, draw: Random) -> tuple[str, int, Any]:
        """An operation, the value that it reads, and what it is given besides."""
        kind, place = draw.choice(KINDS), draw.randrange(len(self.widths))
        width, other = self.widths[place], None
        if kind == "linear":
            made = draw.choice(WIDTHS)
            other = self._linear(place, made, draw.random() < 0.6)
        elif kind == "norm":
            made = width
            self.modules_of.append(nn.LayerNorm(width))
            other = len(self.modules_of) - 1
        elif kind == "piece":
            first = draw.randrange(width)
            other = slice(first, draw.randint(first + 1, width))
            made = other.stop - first
        elif kind == "join":
            other = draw.randrange(len(self.widths))
            made = width + self.widths[other]
        elif kind == "curve":
            other, made = draw.choice(CURVES), width
        elif kind == "along":
            other, made = draw.choice(ALONG), 1
        elif kind in ("softmax", "table"):
            made = width
        elif kind == "column":
            made = draw.choice(WIDTHS)
            other = self._linear(place, made, bias=False)
        else:
            other = draw.choice([one for one, size in enumerate(self.widths) if size in (1, width)])
            made = width
        self.widths.append(made)
        return kind, place, other

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        values = [z, *state]
        for kind, place, other in self.operations:
            values.append(self._made(kind, values[place], other, values))
        last = tuple(torch.tanh(self.modules_of[module](values[place])) for place, module in self.ends)
        return torch.cat([values[place] for place in self.outputs], -1), last

    def _made(self, kind: str, x: Tensor, other: Any, values: list[Tensor]) -> Tensor:
        if kind in ("linear", "norm"):
            return self.modules_of[other](x)  # type: ignore[no-any-return]
        if kind == "curve":
            return other(x)  # type: ignore[no-any-return]
        if kind == "piece":
            return x[:, other]
        if kind == "join":
            return torch.cat((x, values[other]), -1)
        if kind == "along":
            return torch.tanh(_along(x, other))
        if kind == "softmax":
            return x.softmax(-1) if x.shape[1] % 2 else x.log_softmax(-1)
        if kind == "table":
            return _as_table(x)
        if kind == "column":
            return (self.modules_of[other].weight @ x.T).T  # type: ignore[operator]
        if kind == "over":
            return torch.tanh((x * 2).sub_(values[other]).clamp_(max=1.5))
        if kind == "where":
            return torch.where(x > 0, x, values[other])
        return x + values[other] if kind == "add" else torch.tanh(x) * values[other]


def _as_table(x: Tensor) -> Tensor:
    """Each row as two, in the other order, one below the other; of an odd width as it is."""
    if x.shape[1] % 2:
        return x.reshape(-1, x.shape[1])
    first, second = x.view(len(x), 2, -1).unbind(1)
    return torch.stack((torch.sin(second), first), 1).flatten(1)


def _along(x: Tensor, kind: str) -> Tensor:
    """One number of each row, ``(N, 1)``."""
    if kind == "first":
        return x[:, 0].unsqueeze(1)
    if kind == "mean":
        return x.mean(1)[:, None]
    if kind == "spread":
        return x.var(-1, correction=0, keepdim=True)
    return {"sum": torch.sum, "largest": torch.amax, "length": torch.norm}[kind](x, dim=-1, keepdim=True)  # type: ignore[operator, no-any-return]
