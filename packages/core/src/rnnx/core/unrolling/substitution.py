"""A module with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any, TypeVar, cast

from torch import Tensor, nn

Result = TypeVar("Result")
Module = TypeVar("Module", bound=nn.Module)


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


def stand_in(module: Module, tensors: Mapping[str, Tensor]) -> Module:
    """A module like another, with other tensors, that may be called beside it; the other one is left alone.

    It has the attributes that the other has now, and what becomes of its own the other does not see.

    Args:
        module: The other one.
        tensors: By the names of :func:`named_tensors`; the others are those of the module.

    Example:
        >>> import torch
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> stand_in(layer, {"weight": torch.tensor([[2.0]])})(torch.tensor([3.0]))
        tensor([6.])
    """
    others = {id(tensor): tensors.get(name, tensor) for name, tensor in named_tensors(module).items()}
    parts: dict[int, nn.Module] = {id(part): object.__new__(type(part)) for part in module.modules()}
    for part in module.modules():
        own = {name: _moved(value, parts) for name, value in vars(part).items()}
        for table in ("_parameters", "_buffers"):
            own[table] = {name: others.get(id(tensor)) for name, tensor in own[table].items()}
        own["_modules"] = {name: parts.get(id(child)) for name, child in own["_modules"].items()}
        vars(parts[id(part)]).update(own)
    return cast("Module", parts[id(module)])


def _moved(value: Any, parts: Mapping[int, nn.Module]) -> Any:
    """An attribute; where it is a method of one of some modules, that of the one in its place."""
    if isinstance(value, MethodType) and id(value.__self__) in parts:
        return MethodType(value.__func__, parts[id(value.__self__)])
    if isinstance(value, partial):
        return partial(_moved(value.func, parts), *value.args, **value.keywords)
    return value


def contents(module: nn.Module) -> list[tuple[str, object]]:
    """The attributes, parameters and buffers of a module and of those within; compare by identity."""
    return [
        item
        for part in module.modules()
        for table in (vars(part), part._parameters, part._buffers, part._modules)
        for item in table.items()
    ]
