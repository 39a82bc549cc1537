"""What any cell's net is regularised with: zoneout and the dropouts that are made for recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.layers import Layer, Noise, Recurrent
from rnnx.core.nets.dropout import dropout
from rnnx.core.nets.matrices import recurrent_matrices
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.substitution import with_tensors


@final
class Zoneout(Cell):
    """A cell parts of whose state, drawn anew at each step, stay as they were (Krueger et al. 2016).

    In training each number of a state tensor keeps its value of the step before with the tensor's rate; in
    evaluation the tensor is the expectation, ``rate old + (1 - rate) new``. An output that is a tensor of the
    state is that tensor after zoneout. At a tree's node the old value is the mean of the children's.

    Args:
        cell: The cell.
        rates: One for each tensor of the state.
    """

    def __init__(self, cell: Cell, rates: Sequence[float]) -> None:
        super().__init__()
        self.cell, self.rates = cell, tuple(rates)
        self.input_size, self.output_size = cell.input_size, cell.output_size
        self.state_sizes, self.bookkeeping = cell.state_sizes, cell.bookkeeping

    def project(self, x: Tensor) -> Tensor:
        return self.cell.project(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return self._mixed(state, *self.cell.step(z, state))

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        count = mask.sum(1, keepdim=True).clamp(min=1)  # (N, 1)
        before = tuple(child.sum(1) / count for child in states.present(children, mask))
        return self._mixed(before, *self.cell.fold(z, children, mask))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.cell.initial_state(batch, like)

    def _mixed(self, before: State, y: Tensor, after: State) -> tuple[Tensor, State]:
        mixed = tuple(map(self._mix, before, after, self.rates))
        return next((kept for kept, new in zip(mixed, after, strict=True) if new is y), y), mixed

    def _mix(self, old: Tensor, new: Tensor, rate: float) -> Tensor:
        if self.training:
            return torch.where(torch.empty_like(new, dtype=torch.bool).bernoulli_(rate), old, new)
        return rate * old + (1 - rate) * new


def has_candidate(cell: Cell) -> bool:
    """Whether a step passes anything through :meth:`Cell.drop_candidate`: found by dropping all of it."""
    like = next(cell.parameters(), torch.empty(0))
    training, rate = cell.training, cell.recurrent_dropout

    def after(rate: float) -> Tensor:
        torch.default_generator.manual_seed(0)  # of whatever else the step draws
        cell.recurrent_dropout = rate
        return torch.cat(cell.step(cell.project(x), cell.initial_state(1, like))[1], -1)

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        x = torch.randn(1, cell.input_size, dtype=like.dtype, device=like.device)
        cell.train()
        try:
            return not torch.equal(after(0.0), after(1.0))
        finally:
            cell.recurrent_dropout = rate
            cell.train(training)


@final
class VariationalDropout(Recurrent):
    """Dropout of what a layer reads and of what it gives, one mask for all steps (Gal & Ghahramani 2016).

    Args:
        layer: The layer.
        inputs: Rate on what it reads.
        outputs: Rate on what it gives.
    """

    def __init__(self, layer: Recurrent, inputs: float, outputs: float) -> None:
        super().__init__()
        self.layer, self.inputs, self.outputs = layer, inputs, outputs
        self.input_size, self.output_size, self.state_sizes = (
            layer.input_size,
            layer.output_size,
            layer.state_sizes,
        )

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        before, after = self._masks(len(x), x)
        y, state = self.layer(x * before.unsqueeze(1), lengths, state, trees)
        return y * after.unsqueeze(1), state

    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
        before, after, inner = self.noise(len(x), x) if noise is None else noise
        y, state = self.layer.step(x * before[: len(x)], state, inner)
        return y * after[: len(x)], state

    def noise(self, batch: int, like: Tensor) -> Noise:
        return (*self._masks(batch, like), self.layer.noise(batch, like))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.layer.initial_state(batch, like)

    def _masks(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """One for the inputs, ``(N, input_size)``, and one for the outputs, ``(N, output_size)``."""
        return (
            dropout(like.new_ones(batch, self.input_size), self.inputs, self.training),
            dropout(like.new_ones(batch, self.output_size), self.outputs, self.training),
        )


@final
class WeightDrop(Recurrent):
    """Dropout of the matrices that carry a layer's past, drawn once for all steps and rows.

    ``elements`` drops single weights, DropConnect (Wan et al. 2013; Merity, Keskar & Socher 2017, section 2).
    ``columns`` drops what a matrix reads, so that all its products with the state see one mask: the dropout
    of states of Gal & Ghahramani 2016, who place it on the matrices' rows too. Both leave alone what a cell
    carries past its products, so that its memory is not lost.

    Deviations: Gal & Ghahramani draw for each sequence, here as in weight drop the sequences of a batch share
    one drawing, so that the cell's own product, whatever it is, can be used.

    Args:
        layer: The layer.
        elements: Rate of single weights.
        columns: Rate of whole columns.
    """

    def __init__(self, layer: Layer, elements: float, columns: float) -> None:
        super().__init__()
        self.layer, self.elements, self.columns = layer, elements, columns
        self.names = [f"cell.{name}" for name in recurrent_matrices(layer.cell)]
        self.input_size, self.output_size, self.state_sizes = (
            layer.input_size,
            layer.output_size,
            layer.state_sizes,
        )

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        return with_tensors(self.layer, self._dropped(), self.layer, x, lengths, state, trees)

    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
        (dropped,) = self.noise(len(x), x) if noise is None else noise
        return with_tensors(self.layer, dropped, self.layer.step, x, state)

    def noise(self, batch: int, like: Tensor) -> Noise:
        return (self._dropped(),)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.layer.initial_state(batch, like)

    def _dropped(self) -> dict[str, Tensor]:
        """The matrices of this drawing; in evaluation as they are."""
        return {name: self._drop(self.layer.get_parameter(name)) for name in self.names}

    def _drop(self, matrix: Tensor) -> Tensor:
        columns = dropout(matrix.new_ones(matrix.shape[-1]), self.columns, self.training)
        return dropout(matrix, self.elements, self.training) * columns
