"""A module with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, TypeVar, cast
from weakref import ProxyTypes, ReferenceType

from torch import Tensor, nn

Result = TypeVar("Result")
Module = TypeVar("Module", bound=nn.Module)
TABLES: Final = ("_parameters", "_buffers", "_modules")
FAR: Final = 10_000  # objects after which it is not looked further


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and the buffers of a module, each once."""
    parts = list(module.named_modules())
    tables = [(path, part._parameters) for path, part in parts]
    tables += [(path, part._buffers) for path, part in parts]
    names: dict[Tensor, str] = {}
    for path, table in tables:
        for name, tensor in table.items():
            if tensor is not None:
                names.setdefault(tensor, f"{path}.{name}" if path else name)
    return {name: tensor for tensor, name in names.items()}


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


def called_with(
    module: Module, tensors: Mapping[str, Tensor], function: Callable[[Module], Result]
) -> Result:
    """Calls a function of a module with other tensors, and leaves the module alone if that can be.

    Args:
        module: The module. Where it :func:`is_separable`, the function gets one in its stead, and what
            becomes of that one it does not see; else itself, for a while.
        tensors: By the names of :func:`named_tensors`.
        function: Of a module.
    """
    if is_separable(module):
        return function(stand_in(module, tensors))
    return with_tensors(module, tensors, function, module)


def stand_in(module: Module, tensors: Mapping[str, Tensor]) -> Module:
    """A separable module's like, with other tensors, that may be called beside it.

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
        own = dict(vars(part))
        for table in ("_parameters", "_buffers"):
            own[table] = {name: others.get(id(tensor)) for name, tensor in own[table].items()}
        own["_modules"] = {name: parts.get(id(child)) for name, child in own["_modules"].items()}
        vars(parts[id(part)]).update(own)
    return cast("Module", parts[id(module)])


def is_separable(module: nn.Module) -> bool:
    """Whether a module is no more than its attributes, and these lead to no module or tensor of its own.

    A list of layers that are there by name too, or a function that encloses the module, does.
    """
    parts = list(module.modules())
    tables = [table for part in parts for table in (part._parameters, part._buffers)]
    own = {id(part) for part in parts}
    own |= {id(tensor) for table in tables for tensor in table.values() if tensor is not None}
    if any(vars(base).get("__slots__") for part in parts for base in type(part).__mro__):
        return False
    waiting: list[Any] = [value for part in parts for name, value in vars(part).items() if name not in TABLES]
    waiting += [child for part in parts for child in part._modules.values() if type(child) in ProxyTypes]
    seen = set(map(id, waiting))
    while waiting:
        value = waiting.pop()
        if id(value) in own or type(value) in ProxyTypes or len(seen) > FAR:
            return False
        reached = [value()] if isinstance(value, ReferenceType) else gc.get_referents(value)
        for other in reached:
            if id(other) not in seen and not _is_everyones(other):
                seen.add(id(other))
                waiting.append(other)
    return True


def _is_everyones(value: Any) -> bool:
    """Whether a value is a class, a module, or what a module holds, which all lead everywhere."""
    return isinstance(value, (type, ModuleType)) or (isinstance(value, dict) and "__builtins__" in value)


def contents(module: nn.Module) -> list[tuple[str, object]]:
    """The attributes, parameters and buffers of a module and of those within; compare by identity."""
    return [
        item
        for part in module.modules()
        for table in (vars(part), part._parameters, part._buffers, part._modules)
        for item in table.items()
    ]
