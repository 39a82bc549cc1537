"""Videos of a shape that moves, grows and changes its shade, drawn at random, with what it does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 16  # pixels of a frame
PLACES: Final = range(2, 14)  # of a shape's middle, down and across
RADII: Final = range(2, 7)  # pixels
SHADES: Final = (120, 255)
STEP: Final = 2  # pixels that a shape moves at once
LENGTH: Final = (30, 50)  # frames of a video, from and to
REST: Final = (1, 4)  # frames before the first action
ACTION: Final = (4, 12)  # frames of an action
PAUSE: Final = (1, 3)  # frames from one change to the next, the same throughout an action

CLASSES: Final = ("background", "left", "right", "up", "down", "grow", "shrink", "blink")


@final
class Shape(NamedTuple):
    """What a frame shows.

    Attributes:
        kind: 0 of a disc, 1 of a square, 2 of a diamond.
        y: Where its middle is, in pixels from the top.
        x: The same from the left.
        radius: In pixels.
        shade: 0 if it is dark, 1 if it is bright.
    """

    kind: int
    y: int
    x: int
    radius: int
    shade: int

    def changed(self, action: str) -> Shape | None:
        """The shape after one change; None if it would be too near to the edge, too small or too large.

        Example:
            >>> Shape(kind=0, y=5, x=3, radius=4, shade=0).changed("down")
            Shape(kind=0, y=7, x=3, radius=4, shade=0)
        """
        after = {
            "left": self._replace(x=self.x - STEP),
            "right": self._replace(x=self.x + STEP),
            "up": self._replace(y=self.y - STEP),
            "down": self._replace(y=self.y + STEP),
            "grow": self._replace(radius=self.radius + 1),
            "shrink": self._replace(radius=self.radius - 1),
            "blink": self._replace(shade=1 - self.shade),
        }[action]
        fits = after.y in PLACES and after.x in PLACES and after.radius in RADII
        return after if fits else None


def scene(numbers: random.Random) -> tuple[list[Shape], list[str]]:
    """Draws a video: its frames, and what the shape does in each.

    An action begins with a change, and between its changes may be frames without one. So a frame by itself
    does not say what is done, and two may not either, but the last change does; before the first it is
    ``background``.

    Args:
        numbers: The random numbers to use.

    Example:
        >>> shapes, actions = scene(random.Random(1))
        >>> len(shapes) == len(actions), actions[0]
        (True, 'background')
    """
    shape = Shape(
        numbers.randrange(3),
        numbers.choice(PLACES),
        numbers.choice(PLACES),
        numbers.choice(RADII),
        numbers.randrange(len(SHADES)),
    )
    rest, length = numbers.randint(*REST), numbers.randint(*LENGTH)
    shapes, actions = [shape] * rest, ["background"] * rest
    while len(shapes) < length:
        possible = [name for name in CLASSES[1:] if name != actions[-1] and shape.changed(name)]
        action, pause = numbers.choice(possible), numbers.randint(*PAUSE)
        for frame in range(numbers.randint(*ACTION)):
            after = shape if frame % pause else shape.changed(action)
            if after is None:
                break
            shape = after
            shapes.append(shape)
            actions.append(action)
    return shapes[:length], actions[:length]


def drawn(shapes: Sequence[Shape]) -> NDArray[np.uint8]:
    """The frames as pictures, ``(T, 1, 16, 16)``: a shape on black, its edge one pixel soft.

    Example:
        >>> picture = drawn([Shape(kind=1, y=8, x=8, radius=2, shade=1)])[0, 0]
        >>> picture[8, 4:13].tolist()
        [0, 0, 127, 255, 255, 255, 127, 0, 0]
    """
    kinds, ys, xs, radii, shades = (np.reshape(column, (-1, 1, 1)) for column in zip(*shapes, strict=True))
    line = np.arange(SIDE)
    down, across = np.abs(line[:, None] - ys), np.abs(line - xs)  # (T, 16, 1), (T, 1, 16)
    distance = np.choose(kinds, [np.hypot(down, across), np.maximum(down, across), down + across])
    shares = np.clip(radii + 0.5 - distance, 0, 1)  # (T, 16, 16)
    pictures = shares * np.take(SHADES, shades)
    return pictures.astype(np.uint8)[:, None]
