from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.declarations.validation import Word, validate
from rnnx.core.errors import InputError, UsageError
from rnnx.core.exhibits.activations import activations
from rnnx.core.exhibits.exhibit import Drawing
from rnnx.core.exhibits.heat import Heat
from rnnx.core.layers import Layer
from rnnx.core.state import State


class Counting(Cell):
    """Counts in its first unit, and counts down in its second; its gate says whether there was a letter."""

    input_size, output_size, state_sizes = 1, 2, (2,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        torch.sigmoid(torch.where(z > 0, torch.inf, -torch.inf))
        (h,) = state
        return h, (h + torch.tensor([[1.0, -1.0]]),)


NET = Layer(Counting())


def read(line: str) -> Sequence[str]:
    NET(torch.tensor([[[float(character.isalpha())] for character in line]]).reshape(1, -1, 1))
    return list(line)


VIEW = activations(NET, read)


def shown(line: str, **options: Any) -> dict[str, Any]:
    (exhibits,) = VIEW.show(line, {"part": "state 1", "unit": 0} | options)
    return dict(exhibits)


@pytest.mark.parametrize(
    ("part", "unit", "expected"),
    [
        ("state 1", 0, [math.tanh(1), math.tanh(2), math.tanh(3)]),
        ("state 1", 1, [math.tanh(-1), math.tanh(-2), math.tanh(-3)]),
        ("gate 1", 0, [1, 0, 1]),
    ],
)
def test_each_piece_has_the_colour_of_the_unit(part: str, unit: int, expected: list[float]) -> None:
    heat = shown("a b", part=part, unit=unit)[f"unit {unit} of {part}"]
    assert isinstance(heat, Heat)
    assert [piece for ((piece, _),) in heat.columns] == ["a", " ", "b"]
    assert [value for ((_, value),) in heat.columns] == pytest.approx(expected)


def test_all_units_are_drawn_a_row_each() -> None:
    drawing = shown("a b")["all units"]
    assert isinstance(drawing, Drawing)
    axes = drawing.draw().axes[0]
    assert axes.images[0].get_array().tolist() == [[1, 2, 3], [-1, -2, -3]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "␣", "b"]


def test_options_are_the_parts_that_there_are() -> None:
    assert VIEW.options["part"].choices == ("state 1", "gate 1")
    assert validate("", "units", VIEW.options, {})[0] == {"part": "state 1", "unit": 0}
    assert list(validate("", "units", VIEW.options, {"unit": Word("2")})[1]) == ["unit"]


def test_what_cannot_be_shown_is_said() -> None:
    with pytest.raises(UsageError, match=r"^unit: expected one of the 1 units of gate 1, from 0, got 1$"):
        shown("a", part="gate 1", unit=1)
    with pytest.raises(InputError, match=r"^the input: expected a text, got nothing to read$"):
        shown("")


def test_units_are_named_by_how_much_they_change() -> None:
    net = Layer(Steady())
    view = activations(net, lambda line: (net(torch.zeros(1, len(line), 1)), list(line))[1])
    (exhibits,) = view.show("abc", {"part": "state 1", "unit": 0})
    assert exhibits["units that change most"].text == "1, 0"


class Steady(Cell):
    """The second unit moves, the first stands still."""

    input_size, output_size, state_sizes = 1, 2, (2,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return state[0], (state[0] + torch.tensor([[0.0, 1.0]]),)
