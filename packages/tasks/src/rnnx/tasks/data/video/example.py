"""A video with a label for each frame."""

from __future__ import annotations

from typing import Any, NamedTuple, final

from numpy.typing import NDArray


@final
class Video(NamedTuple):
    """A video as it is read.

    Attributes:
        inputs: Features, ``(T, D)``, floating-point; or pictures, ``(T, C, H, W)``, unsigned bytes.
        labels: The number of the class of each of the ``T`` frames.
        place: The line that ``rnnx predict`` reads it from: its path; empty where it lies nowhere.
    """

    inputs: NDArray[Any]
    labels: list[int]
    place: str = ""
