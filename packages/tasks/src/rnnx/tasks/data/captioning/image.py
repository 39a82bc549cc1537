"""An image with its captions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, final

from numpy.typing import NDArray


@final
class CaptionedImage(NamedTuple):
    """An image as a source gives it.

    Attributes:
        read: Gives it: one picture, ``(1, C, H, W)``, of unsigned bytes; or the features of its places,
            ``(S, D)``, floating-point.
        captions: What people say of it, one or more.
        place: The line that ``rnnx predict`` reads it from: its path; empty where it lies nowhere.
    """

    read: Callable[[], NDArray[Any]]
    captions: list[str]
    place: str = ""
