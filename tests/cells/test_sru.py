from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.cells.sru import SRU
from rnnx.core.engine import loop, scan
from rnnx.core.layers import Layer

each_width = pytest.mark.parametrize("input_size", [4, 3], ids=["as wide as h", "of another width"])
each_version = pytest.mark.parametrize("peepholes", [True, False], ids=["2018", "2017"])


def sigma(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def by_paper(cell: SRU, alpha: float, x: np.ndarray, c: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Lei et al. 2018, equations 1 to 4, and the scaling correction alpha of the output.

    Lei & Zhang 2017 is the same without v, and with the identity as g. V is that of the authors' library.
    """
    w = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    W, W_f, W_r = np.split(w["weight_ih"], 3)
    b_f, b_r = np.split(w["bias_ih"], 2)
    v_f, v_r = np.split(w.get("weight_ch", np.zeros(8)), 2)
    V = w.get("weight_ir", np.eye(4))
    hs = []
    for x_t in x:
        f = sigma(W_f @ x_t + v_f * c + b_f)
        r = sigma(W_r @ x_t + v_r * c + b_r)
        c = f * c + (1 - f) * (W @ x_t)
        hs.append(r * c + (1 - r) * (V @ x_t) * alpha)
    return hs, c


@each_width
@each_version
@pytest.mark.parametrize(
    ("rescale", "highway_bias", "alpha"),
    [(False, 0.0, 1.0), (False, -2.0, 1.0), (True, 0.0, 3**0.5), (True, -2.0, (1 + 2 * np.exp(-2)) ** 0.5)],
)
def test_it_is_the_papers_equations(
    input_size: int, peepholes: bool, rescale: bool, highway_bias: float, alpha: float
) -> None:
    torch.manual_seed(0)
    cell = SRU(
        input_size, hidden_size=4, peepholes=peepholes, rescale=rescale, highway_bias=highway_bias
    ).double()
    x, c = np.random.default_rng(0).normal(size=(5, input_size)), np.array([0.5, -1.0, 2.0, 0.1])
    expected, after = by_paper(cell, alpha, x, c)
    for read in (scan, loop):
        y, (last,) = read(cell, torch.from_numpy(x)[None], None, (torch.from_numpy(c)[None],))
        np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(last[0].detach(), after, rtol=0, atol=1e-14)


@each_width
@each_version
def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    normalized_and_dropped: Callable[..., None], input_size: int, peepholes: bool
) -> None:
    """Lei et al. 2018 with the LN of Ba et al. 2016 in the gates and the d of Semeniuta et al. 2016."""

    def step(w: dict[str, Any], x: Any, state: Any, d: Any, LN: Any) -> Any:  # noqa: N803
        (c,), (d_c,) = state, d
        W, W_gates = np.split(w["weight_ih"], [4])
        a_f, a_r = np.split(LN(W_gates @ x, w["norm_ih.gain"]) + w["bias_ih"], 2)
        v_f, v_r = np.split(w.get("weight_ch", np.zeros(8)), 2)
        f, r = sigma(a_f + v_f * c), sigma(a_r + v_r * c)
        c = f * c + (1 - f) * d_c * (W @ x)
        return r * c + (1 - r) * (w.get("weight_ir", np.eye(4)) @ x), (c,)

    normalized_and_dropped(SRU(input_size, hidden_size=4, peepholes=peepholes, layer_norm=True), step)


@each_version
def test_normalised_the_engine_reads_it_as_the_loop(peepholes: bool) -> None:
    torch.manual_seed(0)
    cell = SRU(3, hidden_size=4, peepholes=peepholes, layer_norm=True).double()
    x, c = torch.randn(2, 5, 3, dtype=torch.double), torch.randn(2, 4, dtype=torch.double)
    found, wanted = scan(cell, x, None, (c,)), loop(cell, x, None, (c,))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


@each_version
def test_gradients_step_by_step_are_those_of_finite_differences(
    true_gradients: Callable[..., None], peepholes: bool
) -> None:
    true_gradients(SRU(2, hidden_size=3, peepholes=peepholes))


@pytest.mark.parametrize("layer_norm", [False, True])
@each_version
def test_gradients_at_once_are_those_of_finite_differences(peepholes: bool, layer_norm: bool) -> None:
    torch.manual_seed(0)
    cell = SRU(2, hidden_size=3, peepholes=peepholes, layer_norm=layer_norm).double()
    names, weights = zip(*cell.named_parameters(), strict=True)

    def read(x: torch.Tensor, c: torch.Tensor, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        named = {f"cell.{name}": weight for name, weight in zip(names, given, strict=True)}
        y, last = torch.func.functional_call(Layer(cell), named, (x, None, (c,)))
        return y, *last

    x, c = (torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in ((2, 3, 2), (2, 3)))
    assert torch.autograd.gradcheck(read, (x, c, *(w.detach().requires_grad_() for w in weights)))


@each_version
@pytest.mark.parametrize("lengths", [[2, 1, 5], [2, 0, 5]], ids=["all begun", "one empty"])
def test_rows_of_unequal_length_are_read_as_if_alone(peepholes: bool, lengths: list[int]) -> None:
    torch.manual_seed(0)
    cell, x = SRU(2, hidden_size=3, peepholes=peepholes).double(), torch.randn(3, 5, 2).double()
    y, (last,) = scan(cell, x, torch.tensor(lengths))
    for n, length in enumerate(lengths):
        alone, (end,) = scan(cell, x[n : n + 1, :length])
        torch.testing.assert_close(y[n : n + 1, :length], alone, rtol=0, atol=1e-14)
        torch.testing.assert_close(last[n], end[0], rtol=0, atol=1e-14)
        assert not y[n, length:].any()


def test_the_highway_bias_is_where_r_starts_and_f_keeps_its_own() -> None:
    torch.manual_seed(0)
    f, r = SRU(2, hidden_size=4, highway_bias=-3.0).bias_ih.detach().chunk(2)
    assert r.tolist() == [-3.0] * 4
    assert f.abs().max() <= 0.5  # 1 / sqrt(4)


def test_the_forget_bias_is_added_to_the_forget_gate_alone(shifted: Callable[..., Any]) -> None:
    moved = shifted(SRU, {"forget_bias": 1.5}, highway_bias=-3.0)
    assert moved == {"bias_ih": [1.5, 1.5, 0, 0]}
