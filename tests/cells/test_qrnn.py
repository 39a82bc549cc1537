from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.qrnn import QRNN
from rnnx.core.engine import loop, scan
from rnnx.core.errors import UsageError
from rnnx.core.layers import Layer

H = 3
each_pooling = pytest.mark.parametrize("pooling", ["f", "fo", "ifo"])
each_kernel = pytest.mark.parametrize("kernel_size", [1, 2, 4])


def sigma(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def by_paper(
    cell: QRNN, kernel_size: int, pooling: str, x: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Bradbury et al. 2016: equation 1 written out as 2, then 3, 4 or 5; k - 1 zeros come first."""
    W = cell.weight_ih.detach().numpy().reshape(kernel_size, 1 + len(pooling), H, -1)
    b = cell.bias_ih.detach().numpy().reshape(1 + len(pooling), H)
    padded = np.concatenate([np.zeros((kernel_size - 1, x.shape[1])), x])
    c, hs = np.zeros(H), []
    for t in range(len(x)):
        window = padded[t : t + kernel_size]  # x_{t-k+1} ... x_t
        sums = [
            sum(W[kernel_size - 1 - place, part] @ window[place] for place in range(kernel_size)) + b[part]
            for part in range(1 + len(pooling))
        ]
        z, f = np.tanh(sums[0]), sigma(sums[1])
        match pooling:
            case "f":
                c = f * c + (1 - f) * z
                hs.append(c)
            case "fo":
                c = f * c + (1 - f) * z
                hs.append(sigma(sums[2]) * c)
            case "ifo":
                c = f * c + sigma(sums[3]) * z
                hs.append(sigma(sums[2]) * c)
    return hs, c


@each_pooling
@each_kernel
@pytest.mark.parametrize("steps", [6, 2, 1])
def test_it_is_the_papers_equations(kernel_size: int, pooling: Any, steps: int) -> None:
    torch.manual_seed(0)
    cell = QRNN(2, hidden_size=H, kernel_size=kernel_size, pooling=pooling).double()
    x = np.random.default_rng(0).normal(size=(steps, 2))
    expected, after = by_paper(cell, kernel_size, pooling, x)
    zeros = cell.initial_state(1, torch.zeros(1, dtype=torch.double))
    for read in (scan, loop):
        y, last = read(cell, torch.from_numpy(x)[None], None, zeros)
        np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(last[0][0].detach(), after, rtol=0, atol=1e-14)


@each_pooling
@each_kernel
def test_normalised_and_with_its_candidates_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], kernel_size: int, pooling: Any
) -> None:
    """Bradbury et al. 2016 with the LN of Ba et al. 2016 and the d of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        (c, *before), (d_z,) = state, d
        sums = [W @ x for W in np.split(w["weight_ih"], kernel_size)]
        sums = [a + past for a, past in zip(sums, [*before, 0], strict=True)]
        a = LN(sums[0], w["norm_ih.gain"]) + w["bias_ih"]
        z, f, *gates = np.split(a, 1 + len(pooling))
        i = sigma(gates[1]) if pooling == "ifo" else 1 - sigma(f)
        c = sigma(f) * c + i * d_z * np.tanh(z)
        return sigma(gates[0]) * c if gates else c, (c, *sums[1:])

    cell = QRNN(2, hidden_size=4, kernel_size=kernel_size, pooling=pooling, layer_norm=True)
    normalized_and_dropped(cell, step)


@each_kernel
def test_the_gates_of_a_second_chunk_see_the_firsts_inputs(kernel_size: int) -> None:
    torch.manual_seed(0)
    cell = QRNN(2, hidden_size=H, kernel_size=kernel_size, layer_norm=True).double()
    x = torch.randn(2, 11, 2, dtype=torch.double)
    first, state = scan(cell, x[:, :5])
    second, last = scan(cell, x[:, 5:], None, state)
    wanted, last_wanted = loop(cell, x, None, cell.initial_state(2, x))
    torch.testing.assert_close(torch.cat((first, second), 1), wanted, rtol=0, atol=1e-14)
    torch.testing.assert_close(last, last_wanted, rtol=0, atol=1e-14)


def test_what_it_remembers_outlives_a_dropped_candidate(keeps_its_memory: Callable[..., None]) -> None:
    keeps_its_memory(QRNN(3, hidden_size=8, pooling="ifo", forget_bias=1000.0), 0)


@pytest.mark.parametrize(
    ("pooling", "moved"), [("f", [0, 0, 1.5, 1.5]), ("ifo", [0, 0, 1.5, 1.5, 0, 0, 0, 0])]
)
def test_the_forget_bias_is_added_to_the_forget_gate_alone(
    shifted: Callable[..., Any], pooling: Any, moved: list[float]
) -> None:
    assert shifted(QRNN, {"forget_bias": 1.5}, pooling=pooling) == {"bias_ih": moved}


@each_kernel
@pytest.mark.parametrize("cut", range(7))
def test_the_gates_see_the_inputs_of_the_chunk_before(kernel_size: int, cut: int) -> None:
    """At once and step by step, in both orders; chunks shorter than the kernel among them."""
    torch.manual_seed(0)
    cell = QRNN(2, hidden_size=H, kernel_size=kernel_size, pooling="ifo").double()
    x = np.random.default_rng(0).normal(size=(6, 2))
    expected, _ = by_paper(cell, kernel_size, "ifo", x)
    chunks = torch.from_numpy(x)[None].split([cut, 6 - cut], 1)
    for one, other in ((scan, scan), (scan, loop), (loop, scan)):
        first, between = one(cell, chunks[0], None, cell.initial_state(1, chunks[0]))
        second, _ = other(cell, chunks[1], None, between)
        np.testing.assert_allclose(torch.cat((first, second), 1)[0].detach(), expected, rtol=0, atol=1e-14)


@each_kernel
@pytest.mark.parametrize("lengths", [[1, 4, 2, 3], [1, 4, 0, 3]], ids=["all begun", "one empty"])
def test_rows_of_unequal_length_go_on_each_from_its_own_end(kernel_size: int, lengths: list[int]) -> None:
    torch.manual_seed(0)
    cell = QRNN(2, hidden_size=H, kernel_size=kernel_size, pooling="fo").double()
    x = np.random.default_rng(0).normal(size=(4, 8, 2))
    _, between = scan(cell, torch.from_numpy(x[:, :4]), torch.tensor(lengths))
    rest = np.stack([row[length : length + 4] for row, length in zip(x, lengths, strict=True)])
    y, _ = scan(cell, torch.from_numpy(rest), None, between)
    for row, length, found in zip(x, lengths, y, strict=True):
        expected, _ = by_paper(cell, kernel_size, "fo", row)
        np.testing.assert_allclose(found.detach(), expected[length : length + 4], rtol=0, atol=1e-14)


@each_pooling
def test_gradients_step_by_step_are_those_of_finite_differences(
    true_gradients: Callable[..., None], pooling: Any
) -> None:
    true_gradients(QRNN(2, hidden_size=3, pooling=pooling))


@pytest.mark.parametrize("layer_norm", [False, True])
@each_pooling
@each_kernel
def test_gradients_at_once_are_those_of_finite_differences(
    kernel_size: int, pooling: Any, layer_norm: bool
) -> None:
    torch.manual_seed(0)
    cell = QRNN(2, hidden_size=2, kernel_size=kernel_size, pooling=pooling, layer_norm=layer_norm).double()
    names, weights = zip(*cell.named_parameters(), strict=True)

    def read(x: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        state, given = rest[:kernel_size], rest[kernel_size:]
        named = {f"cell.{name}": weight for name, weight in zip(names, given, strict=True)}
        y, last = torch.func.functional_call(Layer(cell), named, (x, None, state))
        return y, *last

    x = torch.randn(2, 3, 2, dtype=torch.double, requires_grad=True)
    state = [torch.randn(2, size, dtype=torch.double, requires_grad=True) for size in cell.state_sizes]
    assert torch.autograd.gradcheck(read, (x, *state, *(w.detach().requires_grad_() for w in weights)))


def test_another_pooling_is_refused_from_python_too() -> None:
    with pytest.raises(UsageError, match=r"^cell\.pooling: expected one of f, fo, ifo, got 'of'$"):
        QRNN(3, hidden_size=4, pooling="of")  # type: ignore[arg-type]
