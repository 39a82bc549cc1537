from __future__ import annotations

import random
from itertools import pairwise, product

import numpy as np
import pytest

from rnnx.tasks.parts.toys.moving_shapes import CLASSES, PLACES, RADII, Shape, drawn, scene

SHAPE = Shape(kind=1, y=8, x=7, radius=4, shade=0)
AFTER = {
    "left": SHAPE._replace(x=5),
    "right": SHAPE._replace(x=9),
    "up": SHAPE._replace(y=6),
    "down": SHAPE._replace(y=10),
    "grow": SHAPE._replace(radius=5),
    "shrink": SHAPE._replace(radius=3),
    "blink": SHAPE._replace(shade=1),
}


def scenes(count: int = 200) -> list[tuple[list[Shape], list[str]]]:
    numbers = random.Random(3)
    return [scene(numbers) for _ in range(count)]


def seen(before: Shape, after: Shape) -> str | None:
    """What was done from one frame to the next; None if nothing."""
    if before == after:
        return None
    (field,) = (name for name in Shape._fields if getattr(before, name) != getattr(after, name))
    more = getattr(after, field) > getattr(before, field)
    return {
        "x": ("left", "right"),
        "y": ("up", "down"),
        "radius": ("shrink", "grow"),
        "shade": ("blink", "blink"),
    }[field][more]


@pytest.mark.parametrize("action", CLASSES[1:])
def test_an_action_changes_one_thing(action: str) -> None:
    assert SHAPE.changed(action) == AFTER[action]


def test_nothing_leaves_the_frame() -> None:
    for action, field, value in [
        ("left", "x", 3),
        ("right", "x", 12),
        ("up", "y", 3),
        ("down", "y", 12),
        ("grow", "radius", 6),
        ("shrink", "radius", 2),
    ]:
        assert SHAPE._replace(**{field: value}).changed(action) is None
    assert SHAPE._replace(shade=1).changed("blink") == SHAPE


def test_a_label_is_the_last_change_and_before_the_first_it_is_background() -> None:
    """So who remembers the last change is never wrong."""
    for shapes, actions in scenes():
        expected = ["background"]
        for before, after in pairwise(shapes):
            expected.append(seen(before, after) or expected[-1])
        assert actions == expected


def test_neither_one_frame_nor_two_say_what_is_done() -> None:
    frames = still = 0
    for shapes, actions in scenes():
        still += sum(
            a == b and c != "background" for a, b, c in zip(shapes, shapes[1:], actions[1:], strict=False)
        )
        frames += len(shapes)
    assert still > 0.3 * frames


def test_lengths_are_as_documented() -> None:
    found = scenes()
    assert {len(shapes) for shapes, _ in found} == set(range(30, 51))
    assert {actions.index(next(a for a in actions if a != "background")) for _, actions in found} == {
        1,
        2,
        3,
        4,
    }
    assert all(len(shapes) == len(actions) for shapes, actions in found)


def test_all_actions_are_drawn_and_often() -> None:
    labels = [action for _, actions in scenes() for action in actions]
    shares = {name: labels.count(name) / len(labels) for name in CLASSES}
    assert all(0.03 < share < 0.3 for share in shares.values()), shares


def test_each_change_can_be_seen_and_told_from_every_other() -> None:
    """Of every shape in every place."""
    pictures = 0
    for values in product(range(3), PLACES, PLACES, RADII, range(2)):
        shape = Shape(*values)
        after = [found for name in CLASSES[1:] if (found := shape.changed(name))]
        assert len({picture.tobytes() for picture in drawn([shape, *after])}) == 1 + len(after)
        pictures += 1 + len(after)
    assert pictures > 6 * 4320


@pytest.mark.parametrize("kind", range(3))
def test_pictures_by_hand(kind: int) -> None:
    y, x, radius = 6, 9, 3
    (picture,) = drawn([Shape(kind, y, x, radius, shade=0)])[0]
    for row, column in product(range(16), range(16)):
        down, across = abs(row - y), abs(column - x)
        distance = [(down**2 + across**2) ** 0.5, max(down, across), down + across][kind]
        share = (
            1.0 if distance <= radius - 0.5 else 0.0 if distance >= radius + 0.5 else radius + 0.5 - distance
        )
        assert picture[row, column] == int(120 * share), (row, column)


def test_frames_are_drawn_in_order_and_bright_ones_are_bright() -> None:
    pictures = drawn([SHAPE, AFTER["blink"], AFTER["left"]])
    assert pictures.shape == (3, 1, 16, 16)
    assert pictures.dtype == np.uint8
    assert [int(picture.max()) for picture in pictures] == [120, 255, 120]
    assert np.array_equal(pictures[0, 0, :, 2:], pictures[2, 0, :, :-2])
