"""How often each of torch's operations is carried out."""

from __future__ import annotations

from collections import Counter
from typing import Any, final

import torch
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
PRODUCTS = (ATEN.mm.default, ATEN.addmm.default, ATEN.bmm.default, ATEN.mm.out, ATEN.addmm.out)


@final
class Operations(TorchDispatchMode):
    """Counts what is carried out."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[Any] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func] += 1
        return func(*args, **(kwargs or {}))

    def products(self) -> int:
        return sum(self.counts[func] for func in PRODUCTS)
