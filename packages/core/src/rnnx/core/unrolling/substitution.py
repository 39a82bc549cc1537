"""A module with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from torch import Tensor, nn

Result = TypeVar("Result")


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and the buffers of a module, each once."""
    return dict(module.named_parameters()) | dict(module.named_buffers())


def copies_of(module: nn.Module) -> dict[str, Tensor]:
    """A copy of each of :func:`named_tensors`, which may be written over."""
    return {
        name: tensor.detach().clone().requires_grad_(tensor.requires_grad)
        for name, tensor in named_tensors(module).items()
    }


def with_tensors(
    module: nn.Module, tensors: Mapping[str, Tensor], function: Callable[..., Result], *args: Any
) -> Result:
    """Calls a function while a module has other tensors.

    Args:
        module: The module; afterwards it is as before.
        tensors: By the names of :func:`named_tensors`.
        function: What may read the module.
        args: What the function is called with.

    Example:
        >>> import torch
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> with_tensors(layer, {"weight": torch.tensor([[2.0]])}, layer, torch.tensor([3.0]))
        tensor([6.])
    """
    names = {tensor: name for name, tensor in named_tensors(module).items()}
    places = [
        (table, key, tensor)
        for part in module.modules()
        for table in (part._parameters, part._buffers)
        for key, tensor in table.items()
        if tensor is not None
    ]
    try:
        for table, key, tensor in places:
            table[key] = cast("Any", tensors.get(names[tensor], tensor))
        return function(*args)
    finally:
        for table, key, tensor in places:
            table[key] = cast("Any", tensor)
