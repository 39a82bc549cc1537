"""Hochreiter & Schmidhuber 1997, "Long short-term memory"; forget gate: Gers, Schmidhuber & Cummins 2000."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from rnnx.cells import fused, normalization
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.errors import UsageError
from rnnx.core.nets.linear import linear
from rnnx.core.operator import Operator, in_order
from rnnx.core.state import State


@final
class LSTM(Cell):
    r"""Long short-term memory, equal to ``torch.nn.LSTM``, and its variants.

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    The state is ``(h, c)``, the output ``h``. Parameters have the names, shapes and order of gates of
    ``torch.nn.LSTMCell``: the rows of ``weight_ih`` are ``W_ii``, ``W_if``, ``W_ig``, ``W_io``, those of
    ``weight_hh`` are ``W_hi``, ``W_hf``, ``W_hg``, ``W_ho``, and so with ``bias_ih`` and ``bias_hh``.
    Recurrent dropout is of ``g``.

    The options span the search space of Greff et al. 2015, "LSTM: a search space odyssey". With all of them

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi} + R_i s_{t-1} + p_i \odot c_{t-1}) \\
        i_t &= 1 - f_t \quad \text{(coupled)} \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf} + R_f s_{t-1} + p_f \odot c_{t-1}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho} + R_o s_{t-1} + p_o \odot c_t) \\
        s_t &= [i_t; f_t; o_t]

    with the peepholes ``p`` (``weight_ch``) and the recurrence ``R`` (``weight_gh``) of the gates ``s``. A
    gate that is left out is 1, an activation the identity. Only the gates ``G`` of ``i f o`` that are neither
    left out nor coupled are in ``s`` and have rows in the parameters, in this order: ``weight_ch`` is
    ``(G H)``, ``weight_gh`` ``(G H, G H)``. With full gate recurrence the state is ``(h, c, s)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix
    (``W_ih`` is the whole ``weight_ih``),

    .. math::
        a &= \mathrm{LN}(W_{ih} x_t) + b_{ih} + \mathrm{LN}(W_{hh} h_{t-1}) + b_{hh} \\
        a &= [a_i; a_f; a_g; a_o] \\
        i_t &= \sigma(a_i) \\
        f_t &= \sigma(a_f) \\
        g_t &= \tanh(a_g) \\
        o_t &= \sigma(a_o) \\
        h_t &= o_t \odot \tanh(\mathrm{LN}(c_t))

    and ``c`` as before; further ``LN(R s)``, but bare peepholes. The gains are in ``norm_ih``, ``norm_hh``,
    ``norm_gh`` and, with a bias, ``norm_c``.

    Deviations: two biases, as torch. Greff's coupled gates are ``f = 1 - i``: the same with the weights of
    the other sign, but the gate that keeps its weights, and ``forget_bias``, is here ``f``. Greff's LSTM has
    peepholes from the start.

    Args:
        hidden_size: Width ``H`` of ``h`` and ``c``.
        input_gate: Whether there is ``i``, else 1.
        forget_gate: Whether there is ``f``, else 1: the LSTM of 1997.
        output_gate: Whether there is ``o``, else 1.
        input_activation: Whether ``g`` has its tanh.
        output_activation: Whether ``h`` has its tanh.
        peepholes: Whether the gates see the memory: ``i`` and ``f`` the one before, ``o`` the one after.
        coupled: Whether ``i = 1 - f``.
        gate_recurrence: Whether the gates of the step before feed the gates (full gate recurrence).
        forget_bias: Added to the forget gate's initial bias.
        layer_norm: Whether the sums and, inside the output, the memory are normalised.

    Raises:
        UsageError: an option needs a gate that another leaves out.

    Example:
        >>> cell = LSTM(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
        >>> LSTM(3, hidden_size=4, output_gate=False, gate_recurrence=True).state_sizes
        (4, 4, 8)
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        input_activation: bool = True,
        output_activation: bool = True,
        peepholes: bool = False,
        coupled: bool = False,
        gate_recurrence: bool = False,
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        present = {"i": input_gate, "f": forget_gate, "o": output_gate}
        _check(present, peepholes, coupled, gate_recurrence, forget_bias)
        self.gates = [gate for gate in "ifo" if present[gate] and not (coupled and gate == "i")]
        self.rows = [row for row in "ifgo" if row == "g" or row in self.gates]
        self.input_activation, self.output_activation = input_activation, output_activation
        self.peepholes, self.coupled = peepholes, coupled
        activations = input_activation and output_activation
        self.plain = len(self.rows) == 4 and activations and not (peepholes or gate_recurrence)
        self.fused = self.plain and not layer_norm
        self.standard = all(present.values()) and activations and not (gate_recurrence or layer_norm)

        own, size = len(self.gates) * hidden_size, len(self.rows) * hidden_size
        self.input_size, self.output_size, self.state_sizes = (
            input_size,
            hidden_size,
            (hidden_size, hidden_size, own) if gate_recurrence else (hidden_size, hidden_size),
        )
        self.weight_ih = nn.Parameter(torch.empty(size, input_size))  # W_ii, W_if, W_ig, W_io
        self.weight_hh = nn.Parameter(torch.empty(size, hidden_size))  # W_hi, W_hf, W_hg, W_ho
        self.bias_ih = nn.Parameter(torch.empty(size))
        self.bias_hh = nn.Parameter(torch.empty(size))
        if peepholes:
            self.weight_ch = nn.Parameter(torch.empty(own))  # p_i, p_f, p_o
        if gate_recurrence:
            self.weight_gh = nn.Parameter(torch.empty(own, own))  # R_i, R_f, R_o
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        if forget_bias:
            with torch.no_grad():
                self.bias_ih.chunk(len(self.rows))[self.rows.index("f")].add_(forget_bias)
        self.norm_ih = normalization.of_sums(layer_norm, size)
        self.norm_hh = normalization.of_sums(layer_norm, size)
        self.norm_c = normalization.of_memory(layer_norm, hidden_size)
        if gate_recurrence:
            self.norm_gh = normalization.of_sums(layer_norm, own)

    def project(self, x: Tensor) -> Tensor:
        return self.norm_ih.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        if not self.plain:
            return self._variant(z, state)
        h, c = state
        i, f, g, o = (z + self.norm_hh(linear(h, self.weight_hh))).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * self.drop_candidate(torch.tanh(g))
        h = torch.sigmoid(o) * torch.tanh(self.norm_c(c))
        return h, (h, c)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        if not self.fused:
            return None
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return fused.unroll(torch.lstm, weights, x, lengths, state)

    def operator(self) -> Operator | None:
        if not self.standard:
            return None
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        peepholes = self._iof(self.weight_ch, self.gates, "iof") if self.peepholes else None
        return Operator("LSTM", [self._iof(weight, self.rows, "iofg") for weight in weights], peepholes)

    def _iof(self, weight: Tensor, given: Sequence[str], wanted: str) -> Tensor:
        """Weights in the order of ONNX; coupled are gates whose sums have other signs."""
        if not self.coupled:
            return in_order(weight, "".join(given), wanted)
        forget = in_order(weight, "".join(given), "f")
        return in_order(torch.cat((-forget, weight)), "".join(("i", *given)), wanted)

    def _variant(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        """A step anywhere in the search space."""
        h, c, *recurrent = state
        sums = z + self.norm_hh(linear(h, self.weight_hh))
        a = dict(zip(self.rows, sums.chunk(len(self.rows), -1), strict=True))
        for gates in recurrent:
            for gate, term in self._by_gate(self.norm_gh(linear(gates, self.weight_gh))).items():
                a[gate] = a[gate] + term
        peephole = self._by_gate(self.weight_ch) if self.peepholes else {}

        def opened(gate: str, memory: Tensor) -> Tensor:
            if gate not in a:
                return torch.ones_like(memory)
            return torch.sigmoid(a[gate] + peephole[gate] * memory if peephole else a[gate])

        i, f = opened("i", c), opened("f", c)
        if self.coupled:
            i = 1 - f
        c = f * c + i * self.drop_candidate(torch.tanh(a["g"]) if self.input_activation else a["g"])
        o = opened("o", c)
        out = self.norm_c(c)
        h = o * (torch.tanh(out) if self.output_activation else out)
        if not recurrent:
            return h, (h, c)
        s = {"i": i, "f": f, "o": o}
        return h, (h, c, torch.cat([s[gate] for gate in self.gates], -1))

    def _by_gate(self, joined: Tensor) -> dict[str, Tensor]:
        """What stands side by side ``(..., G H)``, for each gate with weights of its own."""
        return dict(zip(self.gates, joined.chunk(len(self.gates), -1), strict=True))


def _check(
    present: dict[str, bool], peepholes: bool, coupled: bool, gate_recurrence: bool, forget_bias: float
) -> None:
    """Refuses options whose gates are left out."""
    problems = []
    if coupled and not (present["i"] and present["f"]):
        problems.append(
            "cell.coupled: true ties the input gate to the forget gate, and cell.input_gate or "
            "cell.forget_gate is false; set it to false"
        )
    for name, wanted in (("peepholes", peepholes), ("gate_recurrence", gate_recurrence)):
        if wanted and not any(present.values()):
            problems.append(
                f"cell.{name}: true needs a gate, and cell.input_gate, cell.forget_gate and "
                "cell.output_gate are all false; set it to false"
            )
    if forget_bias and not present["f"]:
        problems.append(
            f"cell.forget_bias: {forget_bias} needs a forget gate, and cell.forget_gate is false; set it to 0"
        )
    if problems:
        raise UsageError(*problems)
