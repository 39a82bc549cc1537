from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rnnx.cells import normalization


def by_hand(a: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return gain * (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5)


def test_a_sum_is_normalised_by_hand() -> None:
    """1 and 5 have the mean 3 and the deviation 2: -1 and 1, times the gains; and so each row."""
    norm = normalization.of_sums(True, 2)
    with torch.no_grad():
        norm.gain.copy_(torch.tensor([10.0, 100.0]))
    found = norm(torch.tensor([[1.0, 5.0], [50.0, 10.0]]))
    torch.testing.assert_close(found, torch.tensor([[-10.0, 100.0], [10.0, -100.0]]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("shape", [(), (4,), (4, 3)])
def test_what_stands_side_by_side_is_normalised_by_itself_and_the_bias_added_after(
    shape: tuple[int, ...],
) -> None:
    torch.manual_seed(0)
    norm = normalization.of_sums(True, 4, 2, 3).double()
    with torch.no_grad():
        norm.gain.copy_(torch.randn(9))
    random = np.random.default_rng(0)
    gain, sums, bias = norm.gain.detach().numpy(), random.normal(size=(*shape, 9)), random.normal(size=9)
    parts = (slice(0, 4), slice(4, 6), slice(6, 9))
    expected = np.concatenate([by_hand(sums[..., part], gain[part]) for part in parts], -1)
    found = norm(torch.from_numpy(sums))
    np.testing.assert_allclose(found.detach(), expected, rtol=0, atol=1e-14)
    found = norm(torch.from_numpy(sums), torch.from_numpy(bias))
    np.testing.assert_allclose(found.detach(), expected + bias, rtol=0, atol=1e-14)


def test_a_product_is_normalised_without_its_bias() -> None:
    torch.manual_seed(0)
    norm = normalization.of_sums(True, 4).double()
    x, weight, bias = (torch.randn(*shape, dtype=torch.double) for shape in ((5, 3), (4, 3), (4,)))
    expected = by_hand((x @ weight.T).numpy(), np.ones(4)) + bias.numpy()
    np.testing.assert_allclose(norm.linear(x, weight, bias).detach(), expected, rtol=0, atol=1e-14)
    assert norm.bias_inside(bias).tolist() == [0.0] * 4


def test_without_normalisation_a_product_is_torchs_to_the_bit_and_has_no_parameters() -> None:
    torch.manual_seed(0)
    norm = normalization.of_sums(False, 4)
    x, weight, bias = torch.randn(5, 3), torch.randn(4, 3), torch.randn(4)
    assert torch.equal(norm.linear(x, weight, bias), F.linear(x, weight, bias))
    assert norm(x) is x
    assert norm(x, bias) is x
    assert norm.bias_inside(bias) is bias
    assert not isinstance(norm, nn.Module)


def test_a_memory_has_gain_and_bias_and_starts_normalised() -> None:
    memory = normalization.of_memory(True, 4)
    assert {name: value.tolist() for name, value in memory.named_parameters()} == {
        "weight": [1.0] * 4,
        "bias": [0.0] * 4,
    }
    c = torch.randn(2, 4)
    np.testing.assert_allclose(memory(c).detach(), by_hand(c.numpy(), np.ones(4)), rtol=0, atol=1e-6)
    assert normalization.of_memory(False, 4)(c) is c


def test_each_layer_has_gains_of_its_own() -> None:
    with_norms, without = nn.Module(), nn.Module()
    with_norms.layers = normalization.of_layers(True, 3, 4)
    without.layers = normalization.of_layers(False, 3, 4)
    assert {name: value.tolist() for name, value in with_norms.state_dict().items()} == {
        f"layers.{layer}.gain": [1.0] * 4 for layer in range(3)
    }
    assert len(without.layers) == 3
    assert not without.state_dict()
