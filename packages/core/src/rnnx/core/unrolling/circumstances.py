"""What a step depends on besides tensors: modes, the precision, where the random numbers stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def transformed() -> bool:
    """Whether operations are not what they seem: within ``torch.func``, or forward-mode differentiation."""
    return torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0


def watched() -> bool:
    """Whether something looks at each operation: what is :func:`transformed`, or a compiler."""
    return transformed() or torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def compiling() -> bool:
    """Whether ``torch.compile`` reads this, and may read in parts.

    A graph of all steps would take it minutes, for each length. So it is led round them, see
    :func:`uncompiled`, as it goes round torch's own networks; and cells are run by their plans.
    """
    return torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting()


def uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function as ``torch.compile`` calls it without reading it."""
    torch._dynamo.graph_break(msg="rnnx goes along steps by itself: compile without fullgraph=True")
    made: Callable[..., Any] = torch.compiler.disable(function)
    return made


def counted() -> bool:
    """Whether something is told of each operation, as what counts them is."""
    return torch._C._len_torch_dispatch_stack() > 0


def exact() -> bool:
    """Whether products of 32 bits are made with all of them; CUDA's may be made with 19 (``tf32``)."""
    return torch.backends.cuda.matmul.fp32_precision != "tf32"


@final
@dataclass(frozen=True)
class Circumstances:
    """Those of a forward pass.

    Attributes:
        device: It.
        autocast: The type of autocast on it; None without.
        training: Of each module, whether it was in training.
        random: Where torch's generators stood, the CPU's and the device's; None where nothing is drawn.
    """

    device: torch.device
    autocast: torch.dtype | None
    training: Sequence[bool]
    random: Sequence[Tensor] | None

    @classmethod
    def of(cls, module: nn.Module, device: torch.device, draws: bool) -> Circumstances:
        """Those of now.

        Args:
            module: Whose modules are meant.
            device: The device.
            draws: Whether random numbers are drawn.
        """
        kind = device.type
        autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        training = [part.training for part in module.modules()]
        own = [] if kind == "cpu" else [torch.get_device_module(kind).get_rng_state(device)]
        return cls(device, autocast, training, [torch.get_rng_state(), *own] if draws else None)

    @contextmanager
    def again(self, module: nn.Module) -> Iterator[None]:
        """Makes it so once more, for a while."""
        now = Circumstances.of(module, self.device, draws=False)
        kind = self.device.type
        devices = [] if kind == "cpu" else [self.device]
        with (
            torch.random.fork_rng(devices, enabled=self.random is not None, device_type=kind),
            torch.autocast(kind, self.autocast, self.autocast is not None),
        ):
            if self.random is not None:
                first, *own = self.random
                torch.set_rng_state(first)
                for state in own:
                    torch.get_device_module(kind).set_rng_state(state, self.device)
            self._set(module)
            try:
                yield
            finally:
                now._set(module)

    def _set(self, module: nn.Module) -> None:
        for part, training in zip(module.modules(), self.training, strict=True):
            part.training = training


def seed(device: torch.device, number: int) -> None:
    """Seeds torch's generators, the CPU's and that of one device; those of others stay as they are."""
    torch.default_generator.manual_seed(number)
    if device.type != "cpu":
        with torch.accelerator.device_index(device.index):
            torch.get_device_module(device).manual_seed(number)
