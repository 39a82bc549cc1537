"""Nets made of cells: a layer, two directions, a stack, and the bridge from one net's state to another's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast, final

import torch
from torch import Tensor, nn

from rnnx.core import engine
from rnnx.core import state as states
from rnnx.core.bounds import Positive, Rate
from rnnx.core.cell import Cell
from rnnx.core.spec import Spec
from rnnx.core.state import State


class Recurrent(nn.Module, ABC):
    """What reads sequences: a layer or anything made of layers.

    Attributes:
        input_size: Width of the input.
        output_size: Width of the output.
        state_sizes: Widths of the state's tensors, all layers and directions in one flat tuple.
    """

    input_size: int
    output_size: int
    state_sizes: tuple[int, ...]

    @abstractmethod
    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Reads whole sequences.

        Args:
            x: ``(N, T, input_size)``.
            lengths: ``(N,)``; None where all are ``T``.
            state: The state before the first step; by default the initial one.

        Returns:
            ``y``, ``(N, T, output_size)``, zero past each row's length, and the state after each row's last
            step.
        """

    @abstractmethod
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Reads one step.

        Args:
            x: ``(N, input_size)``.
            state: The state before the step.

        Returns:
            ``y``, ``(N, output_size)``, and the state after the step.

        Raises:
            TypeError: the net reads from the end, so it has no next step.
        """

    @abstractmethod
    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state before the first step, tensors ``(N, size)`` of the dtype and device of ``like``."""


@final
class Layer(Recurrent):
    """One cell along time.

    Args:
        cell: The cell.
        reverse: Whether it reads from each row's last step to its first.
    """

    def __init__(self, cell: Cell, reverse: bool = False) -> None:
        super().__init__()
        self.cell, self.reverse = cell, reverse
        self.input_size, self.output_size, self.state_sizes = (
            cell.input_size,
            cell.output_size,
            cell.state_sizes,
        )

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        return engine.scan(self.cell, x, lengths, state, self.reverse)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        if self.reverse:
            raise TypeError("a layer that reads from the end has no next step; build the net without reverse")
        return self.cell.step(self.cell.project(x), state)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.cell.initial_state(batch, like)


@final
class Bidirectional(Recurrent):
    """Two nets side by side, one a direction (Schuster & Paliwal 1997).

    Outputs and states stand one after the other, forth before back.

    Args:
        forth: Reads from the first step.
        back: Reads from the last step; another object than ``forth``.
    """

    def __init__(self, forth: Recurrent, back: Recurrent) -> None:
        super().__init__()
        if forth is back:
            raise ValueError("the two directions are one object, so they would share their weights; give two")
        self.forth, self.back = forth, back
        self.input_size, self.output_size = forth.input_size, forth.output_size + back.output_size
        self.state_sizes = forth.state_sizes + back.state_sizes
        self.counts = len(forth.state_sizes), len(back.state_sizes)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        before = (None, None) if state is None else states.split(state, self.counts)
        y_forth, forth = self.forth(x, lengths, before[0])
        y_back, back = self.back(x, lengths, before[1])
        return torch.cat((y_forth, y_back), -1), forth + back

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        raise TypeError(
            "a bidirectional net reads the future, so it has no next step; set net.bidirectional=false"
        )

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.forth.initial_state(batch, like) + self.back.initial_state(batch, like)


class Skip(nn.Module, ABC):
    """How a layer's input goes round it: ``(x, y) -> the input of the next layer``.

    Attributes:
        output_size: Width of the result.
    """

    output_size: int

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins a layer's input and output.

        Args:
            x: ``(..., input_size)``.
            y: ``(..., width)``.

        Returns:
            ``(..., output_size)``.
        """


@final
class Plain(Skip):
    """No way round: the layer's output."""

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = width

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return y


@final
class Residual(Skip):
    """The sum of input and output (He et al. 2016; Prakash et al. 2016).

    The input is projected where the widths differ.
    """

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = width
        self.carry = nn.Identity() if input_size == width else nn.Linear(input_size, width, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.carry(x) + y


@final
class Dense(Skip):
    """Input and output side by side (Huang et al. 2017)."""

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = input_size + width

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat((x, y), -1)


@final
class Highway(Skip):
    """A gate chooses between output and input: ``t y + (1 - t) x``, ``t = sigmoid(W x + b)``.

    Srivastava et al. 2015. The bias starts at -1, so that the input is carried at first, as in the paper.
    """

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = width
        self.carry = nn.Identity() if input_size == width else nn.Linear(input_size, width, bias=False)
        self.gate = nn.Linear(input_size, width)
        nn.init.constant_(self.gate.bias, -1.0)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        carry = self.carry(x)
        return carry + torch.sigmoid(self.gate(x)) * (y - carry)


@final
class Stack(Recurrent):
    """Layers one above the other.

    Args:
        layers: From the lowest up.
        skips: The way round each layer.
        dropout: Rate of the dropout between layers (not after the last), as in ``torch.nn.LSTM``.
    """

    def __init__(self, layers: Sequence[Recurrent], skips: Sequence[Skip], dropout: float = 0.0) -> None:
        super().__init__()
        for skip, above in zip(skips, layers[1:], strict=False):
            if skip.output_size != above.input_size:
                raise ValueError(
                    f"a layer gives {skip.output_size} features and the next reads {above.input_size}"
                )
        self.layers = cast("Sequence[Recurrent]", nn.ModuleList(layers))
        self.skips = cast("Sequence[Skip]", nn.ModuleList(skips))
        self.dropouts = nn.ModuleList([*(nn.Dropout(dropout) for _ in layers[1:]), nn.Identity()])
        self.input_size, self.output_size = layers[0].input_size, skips[-1].output_size
        self.state_sizes = tuple(size for layer in layers for size in layer.state_sizes)
        self.counts = [len(layer.state_sizes) for layer in layers]

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        if lengths is not None:  # a skip carries the input on, and padding may hold anything
            real = torch.arange(x.shape[1], device=x.device) < lengths.to(x.device).unsqueeze(1)  # (N, T)
            x = x.where(real.unsqueeze(-1), 0)
        before = [None] * len(self.layers) if state is None else states.split(state, self.counts)
        after: State = ()
        for layer, skip, dropout, past in zip(self.layers, self.skips, self.dropouts, before, strict=True):
            y, last = layer(x, lengths, past)
            x, after = dropout(skip(x, y)), after + last
        return x, after

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        after: State = ()
        before = states.split(state, self.counts)
        for layer, skip, dropout, past in zip(self.layers, self.skips, self.dropouts, before, strict=True):
            y, last = layer.step(x, past)
            x, after = dropout(skip(x, y)), after + last
        return x, after

    def initial_state(self, batch: int, like: Tensor) -> State:
        return tuple(tensor for layer in self.layers for tensor in layer.initial_state(batch, like))


@final
class Bridge(nn.Module):
    """Any net's last state made into any other net's first: ``tanh(W s + b)`` (Bahdanau et al. 2015, A.2.2).

    Args:
        source: Widths of the state that comes.
        target: Widths of the state wanted.

    Example:
        >>> bridge = Bridge((4, 4), (3,))
        >>> [tensor.shape for tensor in bridge((torch.zeros(2, 4), torch.zeros(2, 4)))]
        [torch.Size([2, 3])]
    """

    def __init__(self, source: Sequence[int], target: Sequence[int]) -> None:
        super().__init__()
        self.target = list(target)
        self.linear = nn.Linear(sum(source), sum(target))

    def forward(self, state: State) -> State:
        """Args: state: tensors ``(N, size)`` of the source. Returns: tensors ``(N, size)`` of the target."""
        return torch.tanh(self.linear(torch.cat(state, -1))).split(self.target, -1)


SKIPS: dict[str, Callable[[int, int], Skip]] = {
    "none": Plain,
    "residual": Residual,
    "dense": Dense,
    "highway": Highway,
}


@final
class Net:
    """How cells are stacked: the section ``net``.

    Args:
        cell: Which cell.
        layers: Number of layers.
        bidirectional: Whether an encoder reads in both directions (a decoder never does).
        skip: The way round each layer: none, residual, dense (side by side) or highway (gated).
        dropout: Rate of the dropout between layers.

    Example:
        >>> cell = {"name": "gru", "hidden_size": 8}
        >>> net = Net.from_plain({"cell": cell, "layers": 2, "bidirectional": True})
        >>> net.encoder(3).output_size, net.decoder(3).output_size
        (16, 8)
    """

    def __init__(
        self,
        cell: Spec,
        *,
        layers: Positive = 1,
        bidirectional: bool = False,
        skip: Literal["none", "residual", "dense", "highway"] = "none",
        dropout: Rate = 0.0,
    ) -> None:
        self.cell, self.layers, self.bidirectional, self.dropout = cell, layers, bidirectional, dropout
        self.skip = SKIPS[skip]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Net:
        """The net of plain data ``{"cell": {"name": ..., options}, options}``, as a checkpoint holds it."""
        options = dict(plain)
        return cls(Spec.from_plain("cell", options.pop("cell")), **options)

    def encoder(self, input_size: int) -> Recurrent:
        """A net that reads whole sequences, in one direction or both."""
        return self._stack(input_size, self._both if self.bidirectional else self._forth)

    def decoder(self, input_size: int) -> Recurrent:
        """A net that reads from the first step on, so that it can also go step by step."""
        return self._stack(input_size, self._forth)

    def _stack(self, input_size: int, build: Callable[[int], Recurrent]) -> Recurrent:
        layers: list[Recurrent] = []
        skips: list[Skip] = []
        for _ in range(self.layers):
            layers.append(build(input_size))
            skips.append(self.skip(input_size, layers[-1].output_size))
            input_size = skips[-1].output_size
        return Stack(layers, skips, self.dropout)

    def _forth(self, input_size: int) -> Recurrent:
        return Layer(self.cell.build(input_size))

    def _both(self, input_size: int) -> Recurrent:
        return Bidirectional(
            Layer(self.cell.build(input_size)), Layer(self.cell.build(input_size), reverse=True)
        )
