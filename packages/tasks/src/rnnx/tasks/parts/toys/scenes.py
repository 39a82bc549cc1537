"""Scenes of two coloured shapes, drawn at random, with all that can be said of them in a small language."""

from __future__ import annotations

import random
from typing import Final, Literal, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

Position: TypeAlias = Literal["left", "right", "above", "below"]

SIDE: Final = 32  # pixels of a picture
SHAPES: Final = ("circle", "square", "triangle", "cross")
COLOURS: Final = {
    "red": (235, 45, 45),
    "green": (40, 200, 70),
    "blue": (70, 100, 255),
    "yellow": (245, 220, 50),
}
POSITIONS: Final[tuple[Position, ...]] = ("left", "right", "above", "below")
FIRST_POSITIONS: Final[tuple[Position, ...]] = ("left", "above")  # of the shape that is said first
OPPOSITE: Final[dict[Position, Position]] = {
    "left": "right",
    "right": "left",
    "above": "below",
    "below": "above",
}
RADIUS: Final = 5  # pixels from the middle of a shape to its edge
FIRST: Final = range(6, 11)  # where the middle of the left or upper shape is, in pixels
SECOND: Final = range(21, 26)  # and that of the other
ACROSS: Final = range(13, 19)  # and both, in the other direction
GROUNDS: Final = range(61)  # shades of the background
SIDEWAYS: Final = (  # what is said first is what is on the left
    "a {a} is left of a {b}",
    "a {a} is to the left of a {b}",
    "a {a} has a {b} on its right",
    "there is a {a} left of a {b}",
    "on the left there is a {a} and on the right a {b}",
)
UPRIGHT: Final = (
    "a {a} is above a {b}",
    "a {a} is over a {b}",
    "a {a} has a {b} under it",
    "there is a {a} above a {b}",
    "above there is a {a} and below a {b}",
)
NAMES: Final = tuple((shape, colour) for shape in SHAPES for colour in COLOURS)


@final
class Thing(NamedTuple):
    """One of the two shapes of a scene.

    Attributes:
        shape: Its shape.
        colour: Its colour.
        y: Where its middle is, in pixels from the top.
        x: The same from the left.
    """

    shape: str
    colour: str
    y: int
    x: int

    @property
    def name(self) -> str:
        """What it is called.

        Example:
            >>> Thing("circle", "red", y=16, x=8).name
            'red circle'
        """
        return f"{self.colour} {self.shape}"


@final
class Scene(NamedTuple):
    """Two shapes, one left of the other, or one above the other.

    Attributes:
        first: The shape on the left, or above.
        second: The other, of another shape or colour.
        position: Where the first one is, left or above.
        ground: The shade of the background, from 0 for black.
    """

    first: Thing
    second: Thing
    position: Position
    ground: int

    @property
    def captions(self) -> list[str]:
        """The five sentences of the language that are true of the scene; no other is.

        Example:
            >>> circle, square = Thing("circle", "red", 16, 8), Thing("square", "blue", 15, 24)
            >>> Scene(circle, square, "left", 0).captions[:3]  # doctest: +NORMALIZE_WHITESPACE
            ['a red circle is left of a blue square',
             'a red circle is to the left of a blue square',
             'a red circle has a blue square on its right']
        """
        sentences = SIDEWAYS if self.position == "left" else UPRIGHT
        return [sentence.format(a=self.first.name, b=self.second.name) for sentence in sentences]


def is_familiar(shape: str, colour: str, position: Position) -> bool:
    """Whether a shape of that colour may stand there in training; only in a test does any stand elsewhere.

    Each shape of each colour is familiar in three of the four positions; so each shape, each colour, and each
    pair of them with a position is.

    Example:
        >>> [is_familiar("circle", colour, "left") for colour in COLOURS]
        [False, True, True, True]
    """
    number = SHAPES.index(shape) + list(COLOURS).index(colour)
    return number % len(POSITIONS) != POSITIONS.index(position)


def scene(numbers: random.Random, familiar: bool) -> Scene:
    """Draws a scene.

    Args:
        numbers: The random numbers to use.
        familiar: Whether both shapes are where they may stand in training; else one or both are not.

    Example:
        >>> circle, cross, position, ground = scene(random.Random(1), familiar=True)
        >>> is_familiar(circle.shape, circle.colour, position)
        True
    """
    while True:
        first, second = numbers.sample(NAMES, 2)
        position = numbers.choice(FIRST_POSITIONS)
        if familiar == (is_familiar(*first, position) and is_familiar(*second, OPPOSITE[position])):
            break
    things = []
    for (shape, colour), along in ((first, FIRST), (second, SECOND)):
        y, x = numbers.choice(ACROSS), numbers.choice(along)
        if position == "above":
            y, x = x, y
        things.append(Thing(shape, colour, y, x))
    return Scene(things[0], things[1], position, numbers.choice(GROUNDS))


def drawn(scene: Scene) -> NDArray[np.uint8]:
    """The scene as a picture, ``(3, 32, 32)``, red, green and blue from 0 to 255.

    Example:
        >>> red = Thing("square", "red", y=16, x=8)
        >>> picture = drawn(Scene(red, red._replace(x=24), "left", ground=20))
        >>> picture[:, 16, 8].tolist(), picture[:, 16, 16].tolist()
        ([235, 45, 45], [20, 20, 20])
    """
    picture = np.full((3, SIDE, SIDE), scene.ground, np.float64)
    for thing in (scene.first, scene.second):
        share = np.clip(0.5 - _distances(thing), 0, 1)  # (32, 32)
        colour = np.reshape(COLOURS[thing.colour], (3, 1, 1))
        picture += share * (colour - picture)
    return picture.round().astype(np.uint8)


def _distances(thing: Thing) -> NDArray[np.float64]:
    """How far each pixel is from the edge of a shape, negative inside, ``(32, 32)``."""
    line = np.arange(SIDE, dtype=np.float64)
    down, across = line[:, None] - thing.y, np.abs(line - thing.x)  # (32, 1), (32,)
    match thing.shape:
        case "circle":
            return np.hypot(down, across) - RADIUS
        case "square":
            return np.maximum(np.abs(down), across) - RADIUS
        case "triangle":  # twice as high as half its base is wide
            return np.maximum(down - RADIUS, (2 * across - down - RADIUS) / 5**0.5)
    thick, thin = np.maximum(np.abs(down), across), np.minimum(np.abs(down), across)
    return np.maximum(thick - RADIUS, thin - RADIUS / 3)
