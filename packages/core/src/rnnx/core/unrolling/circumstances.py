"""What a step depends on besides tensors: modes, the precision, where the random numbers stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def transformed() -> bool:
    """Whether something looks at each operation: ``torch.func``, forward-mode differentiation, a compiler."""
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    )


@final
@dataclass(frozen=True)
class Circumstances:
    """Those of a forward pass.

    Attributes:
        device: The kind of device.
        autocast: The type of autocast on it; None without.
        training: Of each module, whether it was in training.
        random: Where torch's generator stood; None where nothing is drawn.
    """

    device: str
    autocast: torch.dtype | None
    training: Sequence[bool]
    random: Tensor | None

    @classmethod
    def of(cls, module: nn.Module, device: str, draws: bool) -> Circumstances:
        """Those of now.

        Args:
            module: Whose modules are meant.
            device: The kind of device.
            draws: Whether random numbers are drawn.
        """
        autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        training = [part.training for part in module.modules()]
        return cls(device, autocast, training, torch.get_rng_state() if draws else None)

    @contextmanager
    def again(self, module: nn.Module) -> Iterator[None]:
        """Makes it so once more, for a while."""
        now = Circumstances.of(module, self.device, draws=False)
        with (
            torch.random.fork_rng(devices=[], enabled=self.random is not None),
            torch.autocast(self.device, self.autocast, self.autocast is not None),
        ):
            if self.random is not None:
                torch.set_rng_state(self.random)
            self._set(module)
            try:
                yield
            finally:
                now._set(module)

    def _set(self, module: nn.Module) -> None:
        for part, training in zip(module.modules(), self.training, strict=True):
            part.training = training
