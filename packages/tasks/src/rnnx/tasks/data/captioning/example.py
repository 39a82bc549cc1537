"""A caption to learn or to score, with its image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, final

from numpy.typing import NDArray


@final
class Example(NamedTuple):
    """A caption as a model learns it.

    Attributes:
        read: Reads its image; see :class:`rnnx.tasks.data.captioning.image.CaptionedImage`.
        target: Token numbers, the last that of ``<eos>``.
        references: All captions of the image, as text.
    """

    read: Callable[[], NDArray[Any]]
    target: list[int]
    references: tuple[str, ...]
