"""The section ``net``: how any cell is stacked, regularised and started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, final

from rnnx.core.bounds import AboveZero, NonNegative, Positive, Rate
from rnnx.core.cell import Cell
from rnnx.core.contract import hold_to_contract
from rnnx.core.declarations.validation import validate
from rnnx.core.errors import UsageError
from rnnx.core.layers import Bidirectional, Layer, Recurrent, Stack
from rnnx.core.nets.initialization import Initialization, initialize
from rnnx.core.nets.matrices import recurrent_matrices
from rnnx.core.nets.recurrent_dropout import has_candidate
from rnnx.core.nets.skips import SKIPS, Skip
from rnnx.core.nets.transition import DeepTransition
from rnnx.core.nets.variational_dropout import VariationalDropout
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.options import options_of
from rnnx.core.spec import Spec


@final
class Net:
    """How cells are stacked, regularised and started: the section ``net``.

    Args:
        cell: Which cell.
        layers: Number of layers.
        bidirectional: Whether an encoder reads in both directions (a decoder never does).
        transitions: Cells that take turns within a step, the first reading the input, each other one the
            output of the one before (deep transitions, Pascanu et al. 2014).
        skip: The way round each layer: none, residual, dense (side by side) or highway (gated).
        dropout: Rate of the dropout between layers; of one layer there is none.
        variational_input: Rate of the dropout on what each layer reads, one mask a sequence (Gal & Ghahramani
            2016).
        variational_state: Rate of the dropout on what the recurrent matrices read of the state, one mask for
            all steps and rows of a batch.
        variational_output: Rate of the dropout on what each layer gives, one mask a sequence.
        weight_drop: Rate at which single weights of the recurrent matrices are dropped, drawn once a batch
            (Merity et al. 2017).
        zoneout: Rates at which the tensors of the state keep their old values (Krueger et al. 2016): one for
            all that are memory, or one for each of them, [0.5,0.05].
        recurrent_dropout: Rate of the dropout on the candidate, of cells that have one (Semeniuta et al.
            2016).
        input_init: How matrices that read the input start: as the cell does it, orthogonal, xavier, he, or
            uniform.
        recurrent_init: How matrices that carry the past start.
        init_range: A uniform start is between minus and plus this.
        recompute: Whether the backward pass makes the steps of a sequence once more, so that memory grows
            with the square root of its length: for sequences of thousands of steps.
        match: Parameters the whole model is to have: cell.hidden_size is solved for so that they come as near
            as can be; 0 to leave it.

    Example:
        >>> cell = {"name": "gru", "hidden_size": 8}
        >>> net = Net.from_plain({"cell": cell, "layers": 2, "bidirectional": True})
        >>> net.encoder(3).output_size, net.decoder(3).output_size
        (16, 8)

        In place of ``nn.LSTM(10, 20, num_layers=2, bidirectional=True, batch_first=True)``:

        >>> import torch
        >>> lstm = {"name": "lstm", "hidden_size": 20}
        >>> rnn = Net.from_plain({"cell": lstm, "layers": 2, "bidirectional": True}).encoder(10)
        >>> y, state = rnn(torch.randn(3, 5, 10), torch.tensor([5, 2, 4]))
        >>> y.shape, len(state)  # h and c, forth and back, of two layers
        (torch.Size([3, 5, 40]), 8)
    """

    def __init__(
        self,
        cell: Spec,
        *,
        layers: Positive = 1,
        bidirectional: bool = False,
        transitions: Positive = 1,
        skip: Literal["none", "residual", "dense", "highway"] = "none",
        dropout: Rate = 0.0,
        variational_input: Rate = 0.0,
        variational_state: Rate = 0.0,
        variational_output: Rate = 0.0,
        weight_drop: Rate = 0.0,
        zoneout: Rate | tuple[Rate, ...] = 0.0,
        recurrent_dropout: Rate = 0.0,
        input_init: Initialization = "cell",
        recurrent_init: Initialization = "cell",
        init_range: AboveZero = 0.1,
        recompute: bool = False,
        match: NonNegative = 0.0,
    ) -> None:
        self.cell, self.layers, self.bidirectional, self.transitions = (
            cell,
            layers,
            bidirectional,
            transitions,
        )
        self.skip, self.dropout = SKIPS[skip], dropout
        self.variational_input, self.variational_state = variational_input, variational_state
        self.variational_output, self.weight_drop = variational_output, weight_drop
        self.zoneout, self.recurrent_dropout = zoneout, recurrent_dropout
        self.input_init, self.recurrent_init, self.init_range = input_init, recurrent_init, init_range
        self.recompute, self.match = recompute, match

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Net:
        """The net of plain data ``{"cell": {"name": ..., options}, options}``, as a checkpoint holds it.

        A cell with the defaults of its options may be its name alone, ``{"cell": "gru"}``.

        Raises:
            UsageError: no such cell is installed, or an option of its or of the net cannot be so.
        """
        given = {name: value for name, value in plain.items() if name != "cell"}
        options, problems = validate("net", "net", options_of(cls), given)
        if problems:
            raise UsageError(*problems.values())
        cell = plain["cell"]
        return cls(Spec.from_plain("cell", {"name": cell} if isinstance(cell, str) else cell), **options)

    def encoder(self, input_size: int) -> Recurrent:
        """A net that reads whole sequences, in one direction or both.

        Raises:
            UsageError: an option asks for something that the cell has not.
        """
        return self._stack(input_size, self.bidirectional)

    def decoder(self, input_size: int) -> Recurrent:
        """A net that reads from the first step on, so that it can also go step by step.

        Raises:
            UsageError: an option asks for something that the cell has not.
        """
        return self._stack(input_size, bidirectional=False)

    def _stack(self, input_size: int, bidirectional: bool) -> Recurrent:
        layers: list[Recurrent] = []
        skips: list[Skip] = []
        for _ in range(self.layers):
            layer = self._layer(input_size, reverse=False)
            if bidirectional:
                layer = Bidirectional(layer, self._layer(input_size, reverse=True))
            layers.append(layer)
            skips.append(self.skip(input_size, layer.output_size))
            input_size = skips[-1].output_size
        return Stack(layers, skips, self.dropout)

    def _layer(self, input_size: int, reverse: bool) -> Recurrent:
        layer = Layer(self._step(input_size), reverse, self.recompute)
        dropping: Recurrent = layer
        if self.weight_drop or self.variational_state:
            dropping = self._dropping(layer)
        if self.variational_input or self.variational_output:
            return VariationalDropout(dropping, self.variational_input, self.variational_output)
        return dropping

    def _dropping(self, layer: Layer) -> WeightDrop:
        if not recurrent_matrices(layer.cell):
            option = "weight_drop" if self.weight_drop else "variational_state"
            raise UsageError(
                f"net.{option}: cell {self.cell.name!r} multiplies its past by no matrix, so there is "
                "nothing to drop; set it to 0"
            )
        return WeightDrop(layer, self.weight_drop, self.variational_state)

    def _step(self, input_size: int) -> Cell:
        """What is done in a step: one cell, or several."""
        cell = self._cell(input_size)
        if self.transitions > 1:
            others = [self._cell(cell.output_size) for _ in range(self.transitions - 1)]
            cell = DeepTransition([cell, *others])
        count = len(cell.state_sizes)
        if isinstance(self.zoneout, Sequence):
            rates = tuple(self.zoneout)
        else:
            rates = tuple(0.0 if place in cell.bookkeeping else self.zoneout for place in range(count))
        if len(rates) != count:
            raise UsageError(
                f"net.zoneout: expected one rate, or one for each tensor of the state, of which cell "
                f"{self.cell.name!r} has {count}, got {list(rates)}"
            )
        return Zoneout(cell, rates) if any(rates) else cell

    def _cell(self, input_size: int) -> Cell:
        cell: Cell = self.cell.build(input_size)
        hold_to_contract(cell, self.cell.name)
        initialize(cell, self.input_init, self.recurrent_init, self.init_range)
        if self.recurrent_dropout and not has_candidate(cell):
            raise UsageError(
                f"net.recurrent_dropout: cell {self.cell.name!r} passes nothing through "
                "Cell.drop_candidate, so there is nothing to drop; set it to 0"
            )
        cell.recurrent_dropout = self.recurrent_dropout
        return cell
