from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.errors import UsageError
from rnnx.core.running.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, trained

OPTIONS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (SGD, {"lr": 0.3, "momentum": 0.7, "nesterov": True, "weight_decay": 0.2}),
    (SGD, {"lr": 0.3, "momentum": 0.7, "nesterov": False, "weight_decay": 0.2}),
    (Adam, {"lr": 0.3, "betas": (0.6, 0.8), "eps": 0.5, "weight_decay": 0.2}),
    (Adam, {"lr": 0.3, "betas": [0.6, 0.8], "eps": 0.5, "weight_decay": 0.2}),
    (AdamW, {"lr": 0.3, "betas": (0.6, 0.8), "eps": 0.5, "weight_decay": 0.2}),
    (RMSprop, {"lr": 0.3, "alpha": 0.6, "eps": 0.5, "momentum": 0.7, "weight_decay": 0.2}),
    (Adagrad, {"lr": 0.3, "eps": 0.5, "weight_decay": 0.2}),
]


def three_steps(build: Any) -> Tensor:
    """Where three steps down a bowl lead."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.double))
    optimizer = build([weight])
    for _ in range(3):
        optimizer.zero_grad()
        (weight**2 * torch.tensor([0.1, 0.2, 0.3])).sum().backward()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize(("recipe", "options"), OPTIONS)
def test_it_is_torchs_with_the_options_of_the_same_names(
    recipe: type[Optimizer], options: dict[str, Any]
) -> None:
    assert set(options) == set(inspect.signature(recipe).parameters)
    theirs = getattr(torch.optim, recipe.__name__)
    expected = three_steps(lambda weights: theirs(weights, **options))
    torch.testing.assert_close(three_steps(recipe(**options).build), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("recipe", [SGD, Adam, AdamW, Adagrad])
def test_the_fused_step_is_asked_for_on_a_cpu_and_elsewhere_torch_chooses(recipe: type[Optimizer]) -> None:
    asked = {
        device: recipe().build([nn.Parameter(torch.zeros(1, device=device))]) for device in ("cpu", "meta")
    }
    assert asked["cpu"].defaults["fused"] is True
    assert asked["meta"].defaults["fused"] is None


@pytest.mark.parametrize("name", ["momentum", "nesterov", "weight_decay", "betas", "eps", "alpha"])
@pytest.mark.parametrize("recipe", [SGD, Adam, AdamW, RMSprop, Adagrad])
def test_what_is_not_said_is_as_in_torch(recipe: type[Optimizer], name: str) -> None:
    theirs = inspect.signature(getattr(torch.optim, recipe.__name__)).parameters
    ours = inspect.signature(recipe).parameters
    assert name not in ours or ours[name].default == theirs[name].default


def test_a_recipe_without_a_build_is_refused() -> None:
    with pytest.raises(TypeError, match="build"):
        type("Idle", (Optimizer,), {})()


def test_what_is_trained_is_of_every_group() -> None:
    one, two, three = (nn.Parameter(torch.ones(size)) for size in (1, 2, 3))
    optimizer = torch.optim.SGD([{"params": [one]}, {"params": [two, three], "lr": 0.1}], lr=1.0)
    assert [id(parameter) for parameter in trained(optimizer)] == [id(one), id(two), id(three)]


def test_nesterovs_momentum_needs_one() -> None:
    with pytest.raises(
        UsageError, match=r"optimizer.nesterov: expected a momentum above 0, got 0; set optimizer"
    ):
        SGD(nesterov=True)
