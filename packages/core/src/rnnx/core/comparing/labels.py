"""What tells runs apart, in few words: ``length=50``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any


def shown(value: Any) -> str:
    """A value of a setting, as it is typed.

    Example:
        >>> shown("dot"), shown(True), shown([0.9, 0.999]), shown(None)
        ('dot', 'true', '[0.9,0.999]', 'null')
    """
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def short(keys: Iterable[str]) -> dict[str, str]:
    """What keys are called where few stand together: without their section, unless another is called so too.

    Args:
        keys: As they are typed, or as a configuration has them, with ``.name``.

    Example:
        >>> list(short(["data.length", "optimizer.name", "cell.activation", "net.activation"]).values())
        ['length', 'optimizer', 'cell.activation', 'net.activation']
    """
    typed = {key: key.removesuffix(".name") for key in keys}
    ends = Counter(name.rpartition(".")[2] for name in ("seed", *typed.values()))
    return {key: name if ends[end := name.rpartition(".")[2]] > 1 else end for key, name in typed.items()}
