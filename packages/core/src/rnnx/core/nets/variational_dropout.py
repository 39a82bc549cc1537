"""Dropout with one mask for all steps of a sequence (Gal & Ghahramani 2016)."""

from __future__ import annotations

from typing import final

from torch import Tensor

from rnnx.core.layers import Noise, Recurrent
from rnnx.core.nets.dropout import dropout
from rnnx.core.state import State
from rnnx.core.trees import Trees


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
        self.bookkeeping = layer.bookkeeping

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        before, after = self._masks(x.shape[0], x)
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
