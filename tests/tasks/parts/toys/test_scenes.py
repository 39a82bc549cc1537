from __future__ import annotations

import random
from itertools import pairwise, product

import numpy as np
import pytest

from rnnx.tasks.parts.toys.scenes import (
    COLOURS,
    OPPOSITE,
    POSITIONS,
    SHAPES,
    Scene,
    Thing,
    drawn,
    is_familiar,
    scene,
)

CROSS, CIRCLE = Thing("cross", "green", y=15, x=9), Thing("circle", "yellow", y=17, x=22)


def scenes(familiar: bool, count: int = 400) -> list[Scene]:
    numbers = random.Random(3)
    return [scene(numbers, familiar) for _ in range(count)]


def standing(scene: Scene) -> list[tuple[str, str, str]]:
    """Shape, colour and position of both."""
    first, second, position, _ = scene
    return [(first.shape, first.colour, position), (second.shape, second.colour, OPPOSITE[position])]


def seen(scene: Scene) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the colours of both shapes have their middle in the picture, down and across."""
    picture = drawn(scene).astype(int)
    middles = []
    for thing in (scene.first, scene.second):
        same = (picture == np.reshape(COLOURS[thing.colour], (3, 1, 1))).all(0)
        middles.append(tuple(np.argwhere(same).mean(0)))
    return middles[0], middles[1]


def test_captions_say_it_in_five_ways() -> None:
    assert Scene(CROSS, CIRCLE, "left", 0).captions == [
        "a green cross is left of a yellow circle",
        "a green cross is to the left of a yellow circle",
        "a green cross has a yellow circle on its right",
        "there is a green cross left of a yellow circle",
        "on the left there is a green cross and on the right a yellow circle",
    ]
    assert Scene(CROSS, CIRCLE, "above", 0).captions == [
        "a green cross is above a yellow circle",
        "a green cross is over a yellow circle",
        "a green cross has a yellow circle under it",
        "there is a green cross above a yellow circle",
        "above there is a green cross and below a yellow circle",
    ]


def test_no_caption_is_true_of_two_different_scenes() -> None:
    names = [Thing(shape, colour, 0, 0) for shape in SHAPES for colour in COLOURS]
    every = [
        caption
        for first, second in product(names, names)
        if first != second
        for position in ("left", "above")
        for caption in Scene(first, second, position, 0).captions
    ]
    assert len(every) == len(set(every)) == 16 * 15 * 2 * 5


def test_captions_are_short_and_of_few_words() -> None:
    captions = [caption.split() for one in scenes(familiar=True) for caption in one.captions]
    assert {len(caption) for caption in captions} == {8, 9, 10, 11, 15}
    assert len({word for caption in captions for word in caption}) == 25


def test_the_picture_shows_what_the_captions_say() -> None:
    for one in scenes(familiar=True) + scenes(familiar=False):
        if one.first.colour == one.second.colour:
            continue
        (y, x), (other_y, other_x) = seen(one)
        down, across = other_y - y, other_x - x
        if one.position == "left":
            assert across > 9
            assert abs(down) < 0.75 * across
        else:
            assert down > 9
            assert abs(across) < 0.75 * down


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_by_its_pixels(shape: str) -> None:
    """Of radius 5; a pixel that the edge goes through is left out."""
    thing = Thing(shape, "red", y=16, x=9)
    picture = drawn(Scene(thing, Thing(shape, "blue", 16, 24), "left", 40))
    y, x = np.mgrid[:32, :16]
    down, across = y - 16, abs(x - 9)
    inside, outside = {
        "circle": (down**2 + across**2 <= 4.5**2, down**2 + across**2 >= 5.5**2),
        "square": (
            np.maximum(abs(down), across) <= 4,
            np.maximum(abs(down), across) >= 6,
        ),
        "triangle": (
            (down <= 4) & (2 * across <= down + 3),
            (down >= 6) | (2 * across >= down + 8),
        ),
        "cross": (
            (np.maximum(abs(down), across) <= 4) & (np.minimum(abs(down), across) <= 1),
            (np.maximum(abs(down), across) >= 6) | (np.minimum(abs(down), across) >= 3),
        ),
    }[shape]
    assert inside.sum() > 20
    assert (picture[:, :, :16][:, inside] == np.reshape(COLOURS["red"], (3, 1))).all()
    assert (picture[:, :, :16][:, outside] == 40).all()
    assert (picture[:, 16, 24] == COLOURS["blue"]).all()


def test_nothing_leaves_the_picture_and_shapes_do_not_touch() -> None:
    for one in scenes(familiar=True):
        things = (one.first, one.second)
        assert all(5 <= place <= 26 for thing in things for place in (thing.y, thing.x))
        gap = max(abs(one.first.y - one.second.y), abs(one.first.x - one.second.x))
        assert gap >= 11
        assert drawn(one).shape == (3, 32, 32)
        assert drawn(one).dtype == np.uint8


def test_every_shape_of_every_colour_is_unfamiliar_in_one_position() -> None:
    for shape, colour in product(SHAPES, COLOURS):
        assert sum(is_familiar(shape, colour, position) for position in POSITIONS) == 3
    for position in POSITIONS:
        rare = [names for names in product(SHAPES, COLOURS) if not is_familiar(*names, position)]
        assert {shape for shape, _ in rare} == set(SHAPES)
        assert {colour for _, colour in rare} == set(COLOURS)


def test_what_is_unfamiliar_never_stands_in_a_familiar_scene_and_always_in_others() -> None:
    known = {names for one in scenes(familiar=True, count=2000) for names in standing(one)}
    assert known == {
        (shape, colour, position)
        for shape, colour, position in product(SHAPES, COLOURS, POSITIONS)
        if is_familiar(shape, colour, position)
    }
    assert all(set(standing(one)) - known for one in scenes(familiar=False))
    words = [{word for one in scenes(familiar) for text in one.captions for word in text.split()}
             for familiar in (True, False)]  # fmt: skip
    assert words[0] == words[1]


def test_everything_is_drawn_about_as_often() -> None:
    found = scenes(familiar=True, count=2000)
    for values in (
        [thing.shape for one in found for thing in one[:2]],
        [thing.colour for one in found for thing in one[:2]],
        [one.position for one in found],
    ):
        counts = sorted(map(values.count, set(values)))
        assert counts[0] > 0.85 * counts[-1]
    assert all(one.first[:2] != one.second[:2] for one in found)
    assert any(a.first.shape == a.second.shape for a, _ in pairwise(found))
