"""Dropout of the matrices that carry the past (Merity, Keskar & Socher 2017; Gal & Ghahramani 2016)."""

from __future__ import annotations

from typing import final

from torch import Tensor

from rnnx.core.layers import Layer, Noise, Recurrent
from rnnx.core.nets.dropout import dropout
from rnnx.core.nets.matrices import recurrent_matrices
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.substitution import with_tensors


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
        self.bookkeeping = layer.bookkeeping

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
