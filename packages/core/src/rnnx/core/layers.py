"""Nets made of cells: a layer, two directions, a stack, and the bridge from one net's state to another's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypeAlias, cast, final

import torch
from torch import Tensor, nn

from rnnx.core import engine
from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.linear import Linear
from rnnx.core.nets.padding import real_steps
from rnnx.core.nets.skips import Skip
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.arguments import refuse_no_lengths, rows_and_steps

Noise: TypeAlias = tuple[Any, ...]  # what is drawn once a sequence; only the net that drew it reads it


class Recurrent(nn.Module, ABC):
    """What reads sequences: a layer or anything made of layers.

    Attributes:
        input_size: Width of the input.
        output_size: Width of the output.
        state_sizes: Widths of the state's tensors, all layers and directions in one flat tuple.
        bookkeeping: The positions in it of what the cells keep account of, see
            :attr:`~rnnx.core.cell.Cell.bookkeeping`.
    """

    input_size: int
    output_size: int
    state_sizes: tuple[int, ...]
    bookkeeping: tuple[int, ...] = ()

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        """Reads whole sequences, or composes along trees from the leaves to the roots.

        Args:
            x: ``(N, T, input_size)``.
            lengths: ``(N,)``; None where all are ``T``. Of trees, the places in each row.
            state: The state before the first step; by default the initial one. A tree starts from none.
            trees: The trees whose nodes the rows of ``x`` are; None for sequences.

        Returns:
            ``y``, ``(N, T, output_size)``, zero past each row's length, and the state after each row's last
            step, or at its root.

        Raises:
            TypeError: the net reads from the end, so it cannot compose from the leaves up.
        """

    @abstractmethod
    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
        """Reads one step.

        Args:
            x: ``(N, input_size)``.
            state: The state before the step.
            noise: From :meth:`noise`, the same for all steps of a sequence; by default drawn for this step.
                It may be that of more rows, of which these are the first.

        Returns:
            ``y``, ``(N, output_size)``, and the state after the step.

        Raises:
            TypeError: the net reads from the end, so it has no next step.
        """

    @abstractmethod
    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state before the first step, tensors ``(N, size)`` of the dtype and device of ``like``."""

    def noise(self, batch: int, like: Tensor) -> Noise:
        """The random masks that stay the same for all steps of a sequence; none by default.

        :meth:`forward` draws them itself; who goes step by step in training draws them once.

        Args:
            batch: ``N``.
            like: A tensor whose dtype and device they take.
        """
        return ()


@final
class Layer(Recurrent):
    """One cell along time.

    Args:
        cell: The cell.
        reverse: Whether it reads from each row's last step to its first.
        recompute: Whether the backward pass over a sequence makes its steps once more, to keep less in
            memory, see :func:`~rnnx.core.engine.scan`.

    Raises:
        TypeError: it is no cell, or the class of one.
    """

    def __init__(self, cell: Cell, reverse: bool = False, recompute: bool = False) -> None:
        super().__init__()
        if not isinstance(cell, Cell):
            kind = f"the class {cell.__name__}" if isinstance(cell, type) else f"a {type(cell).__name__}"
            raise TypeError(f"cell must be a rnnx.core.cell.Cell, as in Layer(GRU(3)), got {kind}")
        self.cell, self.reverse, self.recompute = cell, reverse, recompute
        self.input_size, self.output_size, self.state_sizes = (
            cell.input_size,
            cell.output_size,
            cell.state_sizes,
        )
        self.bookkeeping = cell.bookkeeping

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        if trees is None:
            return engine.scan(self.cell, x, lengths, state, self.reverse, self.recompute)
        if self.reverse:
            raise TypeError(
                "a tree is composed from its leaves up, in one direction; set net.bidirectional=false"
            )
        return engine.fold(self.cell, x, trees)

    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
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
        self.bookkeeping = _bookkeeping((forth, back))

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        before = (None, None) if state is None else states.split(state, self.counts)
        y_forth, forth = self.forth(x, lengths, before[0], trees)
        y_back, back = self.back(x, lengths, before[1], trees)
        return torch.cat((y_forth, y_back), -1), forth + back

    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
        raise TypeError(
            "a bidirectional net reads the future, so it has no next step; set net.bidirectional=false"
        )

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.forth.initial_state(batch, like) + self.back.initial_state(batch, like)


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
        self.dropouts = nn.ModuleList([*(Dropout(dropout) for _ in layers[1:]), nn.Identity()])
        self.input_size, self.output_size = layers[0].input_size, skips[-1].output_size
        self.state_sizes = tuple(size for layer in layers for size in layer.state_sizes)
        self.counts = [len(layer.state_sizes) for layer in layers]
        self.bookkeeping = _bookkeeping(layers)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        if lengths is not None:  # a skip carries the input on, and padding may hold anything
            rows, _ = rows_and_steps(self.input_size, x)
            refuse_no_lengths(rows, lengths)
            real = real_steps(x, lengths)  # (N, T)
            x = x.where(real.unsqueeze(-1), 0)
        before = [None] * len(self.layers) if state is None else states.split(state, self.counts)
        after: State = ()
        for layer, skip, dropout, past in zip(self.layers, self.skips, self.dropouts, before, strict=True):
            y, last = layer(x, lengths, past, trees)
            x, after = dropout(skip(x, y)), after + last
            trees = trees and trees.full
        return x, after

    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
        after: State = ()
        before = states.split(state, self.counts)
        drawn = [None] * len(self.layers) if noise is None else noise
        for layer, skip, dropout, past, masks in zip(
            self.layers, self.skips, self.dropouts, before, drawn, strict=True
        ):
            y, last = layer.step(x, past, masks)
            x, after = dropout(skip(x, y)), after + last
        return x, after

    def noise(self, batch: int, like: Tensor) -> Noise:
        return tuple(layer.noise(batch, like) for layer in self.layers)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return tuple(tensor for layer in self.layers for tensor in layer.initial_state(batch, like))


def _bookkeeping(nets: Sequence[Recurrent]) -> tuple[int, ...]:
    """The positions in the states of nets, one after the other."""
    starts = accumulate((len(net.state_sizes) for net in nets), initial=0)
    return tuple(start + place for start, net in zip(starts, nets, strict=False) for place in net.bookkeeping)


@final
class Bridge(nn.Module):
    """Any net's last state made into any other net's first: ``tanh(W s + b)`` (Bahdanau et al. 2015, A.2.2).

    What the other net keeps account of, as a clock or a window of inputs, begins as it always does.

    Args:
        source: Widths of the state that comes.
        target: Widths of the state wanted.
        bookkeeping: The positions in it of what is not made of the other.

    Example:
        >>> bridge = Bridge((4, 4), (3, 1), bookkeeping=(1,))
        >>> h, clock = bridge((torch.zeros(2, 4), torch.zeros(2, 4)), (torch.zeros(2, 3), torch.ones(2, 1)))
        >>> h.shape, clock.tolist()
        (torch.Size([2, 3]), [[1.0], [1.0]])
    """

    def __init__(self, source: Sequence[int], target: Sequence[int], bookkeeping: Sequence[int] = ()) -> None:
        super().__init__()
        self.made = [place for place in range(len(target)) if place not in bookkeeping]
        self.sizes = [target[place] for place in self.made]
        self.linear = Linear(sum(source), sum(self.sizes))

    def forward(self, state: State, initial: State) -> State:
        """The state wanted, tensors ``(N, size)``.

        Args:
            state: Tensors ``(N, size)`` of the source.
            initial: The state that the other net begins with by itself.
        """
        joined = torch.cat(state, -1).to(self.linear.weight.dtype)  # of which some may have more bits
        made = dict(zip(self.made, torch.tanh(self.linear(joined)).split(self.sizes, -1), strict=True))
        return tuple(made.get(place, tensor) for place, tensor in enumerate(initial))
