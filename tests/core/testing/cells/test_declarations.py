from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from torch import nn

from rnnx.core.cell import Cell
from rnnx.core.testing.cells.declarations import (
    check_every_option_acts,
    check_options_are_typed_and_documented,
    check_paper_and_equations_are_given,
    check_tensors_and_modules_are_registered,
)

But = Callable[..., type[Cell]]


@pytest.mark.parametrize(
    "check",
    [
        check_every_option_acts,
        check_options_are_typed_and_documented,
        check_paper_and_equations_are_given,
        check_tensors_and_modules_are_registered,
    ],
)
def test_right_cells_pass(check: Any, right: type[Cell], unrolled: type[Cell], but: But) -> None:
    check(right)
    check(but(unrolled))


@pytest.mark.parametrize("text", [None, "", "A fine cell.\n\nSomebody 1999.", "Cell 12000"])
def test_a_module_without_a_paper(
    right: type[Cell], but: But, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "unknown_cells", ModuleType("unknown_cells", text))
    message = "^the first line of module unknown_cells names no paper with its year: '"
    with pytest.raises(AssertionError, match=message):
        check_paper_and_equations_are_given(but(right, __module__="unknown_cells"))


@pytest.mark.parametrize("text", [None, "A cell.", "A cell.\n\n.. math::\n\nNone", ".. math:: is LaTeX"])
def test_a_class_without_equations(right: type[Cell], but: But, text: str | None) -> None:
    message = r"^the docstring of Wrong gives no equations; write them below '.. math::'$"
    with pytest.raises(AssertionError, match=message):
        check_paper_and_equations_are_given(but(right, __doc__=text))


def two_positional(self: Any, input_size: int, hidden_size: int = 6) -> None: ...
def none_positional(self: Any, *, input_size: int) -> None: ...
def untyped(self: Any, input_size: int, *, gated=False) -> None: ...
def of_another_type(self: Any, input_size: int, *, gated: object = None) -> None: ...
def without_default(self: Any, input_size: int, *, gated: bool) -> None: ...
def undocumented(self: Any, input_size: int, *, depth: int = 1) -> None: ...
def anything(self: Any, input_size: int, **options: Any) -> None: ...


@pytest.mark.parametrize(
    ("constructor", "message"),
    [
        (two_positional, "the constructor's positional parameters are input_size, hidden_size, expected"),
        (none_positional, "the constructor's positional parameters are none, expected input_size alone"),
        (untyped, "Wrong: option 'gated' has no type"),
        (of_another_type, "Wrong: the type of option 'gated' is "),
        (without_default, "option 'gated' has no default"),
        (undocumented, "option 'depth' has no line under 'Args:' in the docstring"),
        (anything, r"Wrong: takes \*\*options; write each option as a keyword-only parameter"),
    ],
)
def test_constructors_that_are_no_command_line(
    right: type[Cell], but: But, constructor: Any, message: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_options_are_typed_and_documented(but(right, __init__=constructor))


@pytest.mark.parametrize(
    ("kept", "message"), [("gated", "cell.activation=sigmoid"), ("activation", "cell.gated=true")]
)
def test_an_option_that_does_nothing(right: type[Cell], but: But, kept: str, message: str) -> None:
    def construct(
        self: Any,
        input_size: int,
        *,
        gated: bool = False,
        activation: Literal["tanh", "sigmoid"] = "tanh",
    ) -> None:
        given: dict[str, Any] = {"gated": gated, "activation": activation}
        right.__init__(self, input_size, **{kept: given[kept]})

    with pytest.raises(AssertionError, match=f"^{message} does nothing: weights and outputs, on sequences"):
        check_every_option_acts(but(right, __init__=construct))


def test_an_option_that_breaks_the_cell(right: type[Cell], but: But) -> None:
    def construct(self: Any, input_size: int, *, gated: bool = False) -> None:
        right.__init__(self, input_size)
        if gated:
            raise NotImplementedError("not yet")

    with pytest.raises(AssertionError, match=r"^NotImplementedError: not yet$"):
        check_every_option_acts(but(right, __init__=construct))


@pytest.mark.parametrize(
    ("held", "remedy"),
    [
        (lambda cell: torch.ones(3), "register_buffer"),
        (lambda cell: {"a": torch.ones(3)}, "register_buffer"),
        (lambda cell: (cell.output.weight, nn.Parameter(torch.ones(3))), "register_buffer"),
        (lambda cell: [cell.output, nn.Linear(3, 3)], "nn.ModuleList"),
    ],
)
def test_what_torch_does_not_know_of(right: type[Cell], but: But, held: Any, remedy: str) -> None:
    def construct(self: Any, input_size: int, *, hidden_size: int = 6) -> None:
        right.__init__(self, input_size, hidden_size=hidden_size)
        self.output.held = held(self)

    message = "^held holds what torch does not know of, so that it stays behind .*; use " + remedy
    with pytest.raises(AssertionError, match=message):
        check_tensors_and_modules_are_registered(but(right, __init__=construct))


def test_a_tensor_beside_a_parameter_whose_name_begins_alike(right: type[Cell], but: But) -> None:
    def construct(self: Any, input_size: int, *, hidden_size: int = 6) -> None:
        right.__init__(self, input_size, hidden_size=hidden_size)
        self.output.held_bias, self.output.held = nn.Parameter(torch.ones(3)), torch.ones(3)

    with pytest.raises(AssertionError, match=r"^held holds what torch does not know of"):
        check_tensors_and_modules_are_registered(but(right, __init__=construct))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_weights_that_hooks_make_of_parameters(right: type[Cell], but: But, norm: Any) -> None:
    def construct(self: Any, input_size: int, *, hidden_size: int = 6) -> None:
        right.__init__(self, input_size, hidden_size=hidden_size)
        norm(self.past)

    check_tensors_and_modules_are_registered(but(right, __init__=construct))


def test_other_names_for_what_torch_knows(right: type[Cell], but: But) -> None:
    def construct(self: Any, input_size: int, *, hidden_size: int = 6) -> None:
        right.__init__(self, input_size, hidden_size=hidden_size)
        self.register_buffer("clock", torch.ones(3), persistent=False)
        self.held = [self.output, self.past.weight, 3, "text"]

    check_tensors_and_modules_are_registered(but(right, __init__=construct))
