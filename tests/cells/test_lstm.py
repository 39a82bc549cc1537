from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.lstm import LSTM
from rnnx.core.engine import scan
from rnnx.core.errors import UsageError

VANILLA = {
    "input_gate": True,
    "forget_gate": True,
    "output_gate": True,
    "input_activation": True,
    "output_activation": True,
    "peepholes": False,
    "coupled": False,
    "gate_recurrence": False,
}
VARIANTS = [{name: not plain} for name, plain in VANILLA.items()]
MANY = {"peepholes": True, "coupled": True, "gate_recurrence": True}


def sense(options: dict[str, bool]) -> bool:
    gates = [options[name] for name in ("input_gate", "forget_gate", "output_gate")]
    if options["coupled"] and not all(gates[:2]):
        return False
    return any(gates) or not (options["peepholes"] or options["gate_recurrence"])


SPACE = [dict(zip(VANILLA, point, strict=True)) for point in itertools.product([False, True], repeat=8)]
SENSE = [options for options in SPACE if sense(options)]
NONSENSE = [options for options in SPACE if not sense(options)]


def written(options: dict[str, bool]) -> str:
    return " ".join(
        f"{name}={str(value).lower()}" for name, value in options.items() if value != VANILLA.get(name)
    )


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


class Odyssey:
    """Greff et al. 2015: section II-A (the forward pass) with the variants of section III, one vector a step.

    The paper's letters: ``z`` is the block input and ``y`` the block output, and ``R[g, r]`` feeds gate ``g``
    of the step before to gate ``r``. Its coupled gates are ``f = 1 - i``; ours ``i = 1 - f``.
    """

    def __init__(self, cell: LSTM, options: dict[str, bool]) -> None:
        self.options = options
        present = {"i": options["input_gate"] and not options["coupled"], "f": options["forget_gate"]}
        present |= {"z": True, "o": options["output_gate"]}
        rows = [row for row in "ifzo" if present[row]]
        gates = [row for row in rows if row != "z"]
        weights = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
        assert set(weights) == {
            *("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
            *(["weight_ch"] if options["peepholes"] else []),
            *(["weight_gh"] if options["gate_recurrence"] else []),
        }
        self.W = dict(zip(rows, np.split(weights["weight_ih"], len(rows)), strict=True))
        self.R: dict[Any, np.ndarray] = dict(
            zip(rows, np.split(weights["weight_hh"], len(rows)), strict=True)
        )
        self.b = dict(zip(rows, np.split(weights["bias_ih"] + weights["bias_hh"], len(rows)), strict=True))
        self.p = {gate: np.zeros(cell.output_size) for gate in gates}
        if options["peepholes"]:
            self.p = dict(zip(gates, np.split(weights["weight_ch"], len(gates)), strict=True))
        if options["gate_recurrence"]:
            for to, row in zip(gates, np.split(weights["weight_gh"], len(gates)), strict=True):
                for source, matrix in zip(gates, np.split(row, len(gates), 1), strict=True):
                    self.R[source, to] = matrix

    def gate(self, name: str, x: Any, y: Any, c: Any, past: dict[str, np.ndarray]) -> np.ndarray:
        a = self.W[name] @ x + self.R[name] @ y + self.p[name] * c + self.b[name]
        if self.options["gate_recurrence"]:
            for source, value in past.items():
                a = a + self.R[source, name] @ value
        return sigmoid(a)

    def step(self, x: Any, y: Any, c: Any, past: dict[str, np.ndarray]) -> tuple[Any, Any, dict[str, Any]]:
        now = {}
        z = self.W["z"] @ x + self.R["z"] @ y + self.b["z"]
        if self.options["input_activation"]:
            z = np.tanh(z)
        i = f = o = 1.0
        if self.options["forget_gate"]:
            now["f"] = f = self.gate("f", x, y, c, past)
        if self.options["coupled"]:
            i = 1 - f
        elif self.options["input_gate"]:
            now["i"] = i = self.gate("i", x, y, c, past)
        c = z * i + c * f
        if self.options["output_gate"]:
            now["o"] = o = self.gate("o", x, y, c, past)
        y = (np.tanh(c) if self.options["output_activation"] else c) * o
        return y, c, now

    def read(self, x: np.ndarray, state: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        gates = [gate for gate in "ifo" if gate in self.p]
        y, c, past = *state[:2], {}
        if self.options["gate_recurrence"]:
            past = dict(zip(gates, np.split(state[2], len(gates)), strict=True))
        outputs = []
        for x_t in x:
            y, c, past = self.step(x_t, y, c, past)
            outputs.append(y)
        last = [y, c]
        if self.options["gate_recurrence"]:
            last.append(np.concatenate([past[gate] for gate in gates]))
        return np.array(outputs).reshape(len(x), len(c)), last


def ba(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
    """Ba et al. 2016, the LSTM of the supplementary material, with d(g) of Semeniuta et al. 2016."""
    (h, c), (d_g,) = state, d
    b = w["bias_ih"] + w["bias_hh"]
    sums = LN(w["weight_hh"] @ h, w["norm_hh.gain"]) + LN(w["weight_ih"] @ x, w["norm_ih.gain"]) + b
    i, f, g, o = np.split(sums, 4)
    c = sigmoid(f) * c + sigmoid(i) * d_g * np.tanh(g)
    h = sigmoid(o) * np.tanh(LN(c, w["norm_c.weight"], w["norm_c.bias"]))
    return h, (h, c)


def ba_anywhere(options: dict[str, bool]) -> Callable[..., Any]:
    """The same at any point of the search space; peepholes are not normalised."""
    present = {"i": options["input_gate"] and not options["coupled"], "f": options["forget_gate"]}
    present |= {"g": True, "o": options["output_gate"]}
    rows = [row for row in "ifgo" if present[row]]
    gates = [row for row in rows if row != "g"]

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        (h, c, *past), (d_g,) = state, d
        sums = LN(w["weight_ih"] @ x, w["norm_ih.gain"]) + LN(w["weight_hh"] @ h, w["norm_hh.gain"])
        a = dict(zip(rows, np.split(sums + w["bias_ih"] + w["bias_hh"], len(rows)), strict=True))
        if past:
            fed = LN(w["weight_gh"] @ past[0], w["norm_gh.gain"])
            for gate, term in zip(gates, np.split(fed, len(gates)), strict=True):
                a[gate] = a[gate] + term
        p = dict.fromkeys(gates, 0.0)
        if options["peepholes"]:
            p = dict(zip(gates, np.split(w["weight_ch"], len(gates)), strict=True))
        f = sigmoid(a["f"] + p["f"] * c) if "f" in a else np.ones(len(c))
        i = sigmoid(a["i"] + p["i"] * c) if "i" in a else 1 - f if options["coupled"] else np.ones(len(c))
        c = f * c + i * d_g * (np.tanh(a["g"]) if options["input_activation"] else a["g"])
        o = sigmoid(a["o"] + p["o"] * c) if "o" in a else np.ones(len(c))
        out = LN(c, w["norm_c.weight"], w["norm_c.bias"])
        h = o * (np.tanh(out) if options["output_activation"] else out)
        now = {"i": i, "f": f, "o": o}
        return h, (h, c, *([np.concatenate([now[gate] for gate in gates])] if past else []))

    return step


def test_it_is_torchs_lstm(same_as_torch: Callable[..., None]) -> None:
    same_as_torch(LSTM(3, hidden_size=6), nn.LSTM(3, 6, batch_first=True, bidirectional=True))


def test_it_takes_the_weights_of_torchs_cell_and_steps_like_it() -> None:
    torch.manual_seed(0)
    theirs, ours = nn.LSTMCell(3, 6), LSTM(3, hidden_size=6)
    ours.load_state_dict(theirs.state_dict())
    x, h, c = torch.randn(2, 3), torch.randn(2, 6), torch.randn(2, 6)
    y, state = ours.step(ours.project(x), (h, c))
    torch.testing.assert_close(state, theirs(x, (h, c)), rtol=0, atol=1e-6)
    assert torch.equal(y, state[0])


@pytest.mark.parametrize("options", SENSE, ids=written)
def test_every_point_of_the_search_space_is_the_papers_equations(options: dict[str, bool]) -> None:
    """Rows of different length in one batch, padded with NaN, in two chunks: each is the paper's alone."""
    torch.manual_seed(0)
    cell = LSTM(3, hidden_size=4, **options).double()
    paper = Odyssey(cell, options)
    x = torch.randn(3, 5, 3, dtype=torch.double)
    state = tuple(torch.randn(3, size, dtype=torch.double) for size in cell.state_sizes)
    lengths = torch.tensor([4, 0, 5])
    expected = [
        paper.read(x[n, :length].numpy(), [tensor[n].numpy() for tensor in state])
        for n, length in enumerate(lengths)
    ]
    for n, length in enumerate(lengths):
        x[n, length:] = torch.nan
    first, between = scan(cell, x[:, :2], lengths.clamp(max=2), state)
    second, last = scan(cell, x[:, 2:], (lengths - 2).clamp(min=0), between)
    y = torch.cat([first, second], 1).detach().numpy()
    for n, (outputs, after) in enumerate(expected):
        np.testing.assert_allclose(y[n, : lengths[n]], outputs, rtol=0, atol=1e-12)
        assert not y[n, lengths[n] :].any()
        for tensor, wanted in zip(last, after, strict=True):
            np.testing.assert_allclose(tensor[n].detach(), wanted, rtol=0, atol=1e-12)


def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None],
) -> None:
    normalized_and_dropped(LSTM(3, hidden_size=4, layer_norm=True), ba)


@pytest.mark.parametrize("options", [*VARIANTS, MANY], ids=written)
def test_so_it_is_at_other_points_of_the_search_space(
    normalized_and_dropped: Callable[..., None], options: dict[str, bool]
) -> None:
    normalized_and_dropped(LSTM(3, hidden_size=4, layer_norm=True, **options), ba_anywhere(VANILLA | options))


@pytest.mark.parametrize("options", [{}, {"peepholes": True}], ids=written)
def test_what_it_remembers_outlives_a_dropped_candidate(
    keeps_its_memory: Callable[..., None], options: dict[str, bool]
) -> None:
    keeps_its_memory(LSTM(3, hidden_size=8, forget_bias=1000.0, **options), 1)


@pytest.mark.parametrize("gate", ["input_gate", "forget_gate", "output_gate"])
def test_a_gate_left_out_is_torchs_gate_held_open(gate: str) -> None:
    torch.manual_seed(0)
    theirs, ours = nn.LSTMCell(3, 6).double(), LSTM(3, hidden_size=6, **{gate: False}).double()
    open_rows = slice(*{"input_gate": (0, 6), "forget_gate": (6, 12), "output_gate": (18, 24)}[gate])
    kept = torch.ones(24, dtype=torch.bool)
    kept[open_rows] = False
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            getattr(ours, name).copy_(parameter[kept])
            parameter[open_rows] = 1000.0 if name == "bias_ih" else 0.0
    x, h, c = (torch.randn(2, size, dtype=torch.double) for size in (3, 6, 6))
    _, state = ours.step(ours.project(x), (h, c))
    torch.testing.assert_close(state, theirs(x, (h, c)), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "options",
    [{}, *VARIANTS, MANY, {"layer_norm": True}],
    ids=written,
)
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], options: dict[str, Any]
) -> None:
    true_gradients(LSTM(2, hidden_size=3, **options))


@pytest.mark.parametrize("options", NONSENSE, ids=written)
def test_points_that_make_no_sense_are_refused(options: dict[str, bool]) -> None:
    with pytest.raises(UsageError, match=r"^cell\.(coupled|peepholes|gate_recurrence): .* set it to false"):
        LSTM(3, **options)


def test_a_forget_bias_without_a_forget_gate_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^cell\.forget_bias: 1\.0 .* set it to 0$"):
        LSTM(3, forget_gate=False, forget_bias=1.0)


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        LSTM(3, input_gate=False, forget_gate=False, output_gate=False, peepholes=True, forget_bias=1.0)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "cell.peepholes",
        "cell.forget_bias",
    ]


@pytest.mark.parametrize(("options", "row"), [({}, 1), ({"input_gate": False}, 0), ({"coupled": True}, 0)])
def test_the_forget_bias_is_added_to_the_forget_gate_alone(options: dict[str, Any], row: int) -> None:
    torch.manual_seed(0)
    without = LSTM(3, hidden_size=4, **options)
    torch.manual_seed(0)
    biased = LSTM(3, hidden_size=4, **options, forget_bias=1.5)
    zeros = torch.zeros(2, 3)
    rows = (biased.project(zeros) - without.project(zeros)).unflatten(1, (-1, 4))  # (2, rows, 4)
    expected = torch.zeros_like(rows)
    expected[:, row] = 1.5
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-6)
    for name, parameter in without.named_parameters():
        assert ("bias" in name) or torch.equal(parameter, getattr(biased, name))


def test_torchs_kernel_reads_where_it_is_exact() -> None:
    x = torch.randn(2, 4, 3)

    def fused(**options: Any) -> tuple[Tensor, Any] | None:
        cell = LSTM(3, hidden_size=5, **options)
        return cell.unroll(x, None, cell.initial_state(2, x))

    assert fused() is not None
    assert fused(forget_bias=1.0) is not None
    assert fused(layer_norm=True) is None
    assert [fused(**options) for options in VARIANTS] == [None] * len(VARIANTS)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # torch's own, in forward mode
def test_within_a_transformation_of_functions_torchs_kernel_does_not_read() -> None:
    """It has no rule for them; each row alone says what is right."""
    cell = LSTM(3, hidden_size=4).double()
    x, tangent = torch.randn(2, 4, 5, 3, dtype=torch.float64), torch.randn(4, 5, 3, dtype=torch.float64)
    expected = torch.stack([scan(cell, rows)[0] for rows in x])
    torch.testing.assert_close(torch.func.vmap(lambda rows: scan(cell, rows)[0])(x), expected)
    _, found = torch.func.jvp(lambda rows: scan(cell, rows)[0], (x[0],), (tangent,))
    step = 1e-6 * tangent
    ahead, behind = scan(cell, x[0] + step)[0], scan(cell, x[0] - step)[0]
    torch.testing.assert_close(found, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("options", [{}, *VARIANTS, {"layer_norm": True}], ids=written)
def test_in_half_precision_it_stays_close(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    cell, x = LSTM(3, hidden_size=8, **options), torch.randn(2, 6, 3)
    exact, _ = scan(cell, x, torch.tensor([6, 4]))
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = scan(cell, x, torch.tensor([6, 4]))
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.05)


def test_weights_start_uniform_as_torchs() -> None:
    torch.manual_seed(0)
    for parameter in LSTM(50, hidden_size=100, peepholes=True, gate_recurrence=True).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
