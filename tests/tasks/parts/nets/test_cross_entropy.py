"""The cross-entropy in pieces against torch's own of all scores at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from rnnx.tasks.parts.nets.cross_entropy import cross_entropy

H, V = 3, 2500
SHAPES = {  # of the targets
    "no place": (0,),
    "few": (2, 5),
    "many": (6, 200),  # a million scores are few; these are three pieces, and 512 does not divide them
}

doubles = pytest.mark.usefixtures("doubles")
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
each_smoothing = pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])


def plain(output: nn.Linear, features: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """As a reader of torch's documentation would write it."""
    scores = output(features).flatten(0, -2).float()
    if features.dtype == torch.double:
        scores = output(features).flatten(0, -2)
    return F.cross_entropy(scores, targets.flatten(), reduction="sum", label_smoothing=smoothing)


def given(
    shape: tuple[int, ...], sharp: float = 1.0, ignored: float = 0.2
) -> tuple[nn.Linear, Tensor, Tensor]:
    """A layer, features and targets, a share of them ignored."""
    torch.manual_seed(0)
    output, features = nn.Linear(H, V), sharp * torch.randn(*shape, H)
    targets = torch.randint(V, shape).masked_fill(torch.rand(shape) < ignored, -100)
    return output, features.requires_grad_(), targets


def gradients(total: Tensor, output: nn.Linear, features: Tensor, **options: Any) -> tuple[Tensor, ...]:
    return torch.autograd.grad(total, (features, output.weight, output.bias), **options)


@doubles
@each_smoothing
@each_shape
def test_it_is_torchs_own(shape: tuple[int, ...], smoothing: float) -> None:
    output, features, targets = given(shape, sharp=5.0)
    found, wanted = (way(output, features, targets, smoothing) for way in (cross_entropy, plain))
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=0)
    for one, other in zip(
        gradients(-0.3 * found, output, features), gradients(-0.3 * wanted, output, features), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)
    with torch.no_grad():
        torch.testing.assert_close(cross_entropy(output, features, targets, smoothing), wanted)


@doubles
@pytest.mark.parametrize("shape", [(7,), (600,)], ids=["few", "many"])
def test_its_gradient_is_that_of_its_differences(shape: tuple[int, ...]) -> None:
    output, features, targets = given(shape)

    def total(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        layer = nn.Linear(H, V, device="meta")
        del layer.weight, layer.bias
        layer.weight, layer.bias = weight, bias  # type: ignore[assignment]
        return cross_entropy(layer, features, targets, 0.1)

    inputs = (features, output.weight, output.bias)
    assert torch.autograd.gradcheck(total, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(total, inputs, fast_mode=True)


@doubles
@each_shape
def test_the_matrix_may_be_the_embedding_too(shape: tuple[int, ...]) -> None:
    """Features made of the weight: the gradient by each way, and the gradient of its square."""
    output, _, targets = given(shape)
    tokens = torch.randint(V, shape)
    found, wanted = [], []
    for way, results in ((cross_entropy, found), (plain, wanted)):
        total = way(output, output.weight[tokens].tanh(), targets)
        (gradient,) = torch.autograd.grad(total, output.weight, create_graph=True)
        results += [gradient, *torch.autograd.grad(gradient.square().sum(), output.weight)]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


@doubles
def test_a_frozen_matrix_gets_no_gradient_and_the_others_get_theirs() -> None:
    output, features, targets = given(SHAPES["many"])
    output.weight.requires_grad_(False)
    found, wanted = (
        torch.autograd.grad(way(output, features, targets), (features, output.bias))
        for way in (cross_entropy, plain)
    )
    torch.testing.assert_close(found, wanted)
    cross_entropy(output, features, targets).backward()
    assert output.weight.grad is None


@doubles
def test_a_second_time_backward_is_as_the_first() -> None:
    output, features, targets = given(SHAPES["many"])
    total = 0.5 * cross_entropy(output, features, targets)
    first = gradients(total, output, features, retain_graph=True)
    torch.testing.assert_close(gradients(total, output, features), first, rtol=0, atol=0)


# ------------------------------------------------------------------------------------------- numbers


@each_smoothing
def test_32_bits_are_as_near_to_64_as_torchs_own(smoothing: float) -> None:
    output, features, targets = given(SHAPES["many"], sharp=10.0)
    with torch.no_grad():
        output.bias += 1000.0  # which changes nothing, and of which a logarithm of a sum would lose digits
    exact = plain(output.double(), features.double(), targets, smoothing).item()
    usual = plain(output.float(), features, targets, smoothing).item()
    found = cross_entropy(output, features, targets, smoothing)
    assert found.dtype == torch.float32
    assert abs(found.item() - exact) <= 2 * abs(usual - exact) + 1e-6 * abs(exact)


def test_what_is_all_but_impossible_has_a_finite_loss() -> None:
    """Its probability, exp(-500), is no number of 32 bits."""
    output, features, targets = given((600,), ignored=0.0)
    with torch.no_grad():
        output.weight.zero_()
        output.bias.zero_()[0] = 500.0
    total = cross_entropy(output, features, targets.clamp(min=1))
    assert total.item() == pytest.approx(600 * 500.0)


@each_smoothing
def test_half_precision_is_summed_in_32_bits(smoothing: float) -> None:
    output, features, targets = given(SHAPES["many"])
    totals = []
    for way in (cross_entropy, plain):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            total = way(output, features, targets, smoothing)
        assert total.dtype == torch.float32
        totals.append((total, *gradients(total, output, features)))
    exact = plain(output, features, targets, smoothing)
    for found, usual, wanted in zip(*totals, (exact, *gradients(exact, output, features)), strict=True):
        assert found.dtype == torch.float32
        wrong, usually = ((tensor - wanted).norm().item() for tensor in (found, usual))
        assert wrong <= 1.5 * usually + 1e-6 * wanted.norm().item()


def test_64_bits_of_a_uniform_guess() -> None:
    output, features, targets = given((600,), ignored=0.0)
    output.weight.data.zero_()
    output.bias.data.zero_()
    assert cross_entropy(output, features, targets).item() == pytest.approx(600 * math.log(V), rel=1e-6)


def test_a_lost_model_is_seen() -> None:
    output, features, targets = given((600,))
    features.data[3] = math.nan
    targets[3] = 1
    assert cross_entropy(output, features, targets).isnan()


# -------------------------------------------------------------------------------------------- memory


class _Largest(TorchDispatchMode):
    """Sees how many numbers the largest tensor has that is made."""

    numbers = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor):
                self.numbers = max(self.numbers, tensor.untyped_storage().nbytes() // tensor.itemsize)
        return result


def largest(way: Callable[..., Tensor], places: int, training: bool) -> int:
    output, features, targets = given((places,), ignored=0.0)
    with _Largest() as seen, torch.set_grad_enabled(training):
        total = way(output, features, targets, 0.1)
        if training:
            total.backward()
    return seen.numbers


@pytest.mark.parametrize("training", [True, False])
def test_never_are_all_scores_there(training: bool) -> None:
    """More places than 512 take no larger tensor; torch's own way, which this sees too, has all of them."""
    for places in (1000, 2000, 4000):
        assert largest(cross_entropy, places, training) <= 512 * V
    assert largest(plain, 4000, training) == 4000 * V
