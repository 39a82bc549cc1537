"""All checks, and how they are run: on a class, or by pytest."""

from __future__ import annotations

from collections.abc import Callable

from rnnx.core.cell import Cell
from rnnx.core.registry import find
from rnnx.core.testing import declarations, isolation, numerics, sequences, shapes, trees
from rnnx.core.testing.check import Check

CHECKS: tuple[Check, ...] = (
    declarations.check_paper_and_equations_are_given,
    declarations.check_options_are_typed_and_documented,
    declarations.check_every_option_acts,
    shapes.check_shapes_are_the_declared_ones,
    shapes.check_arguments_are_left_as_they_were,
    sequences.check_reading_twice_gives_the_same,
    sequences.check_a_sequence_is_its_steps_one_by_one,
    sequences.check_unroll_is_the_loop_of_steps,
    sequences.check_chunks_with_the_state_carried_are_the_whole,
    sequences.check_reversal_is_the_flipped_sequence,
    trees.check_a_chain_is_a_sequence,
    trees.check_absent_children_change_nothing,
    isolation.check_padding_changes_nothing,
    isolation.check_neighbours_change_nothing,
    isolation.check_the_gradient_of_a_batch_is_that_of_its_rows,
    isolation.check_rows_can_change_places,
    numerics.check_gradients_are_those_of_finite_differences,
    numerics.check_every_parameter_gets_a_gradient,
    numerics.check_saving_and_loading_change_nothing,
    numerics.check_bfloat16_stays_finite_and_close,
)


def checks() -> list[Check]:
    """The checks, ``check_<fact>(cell_class)``; each raises ``AssertionError`` where its fact is none.

    Example:
        >>> check_padding = checks()[12]
        >>> name_of(check_padding)
        'padding changes nothing'
    """
    return list(CHECKS)


def name_of(check: Check) -> str:
    """The fact that a check is about, in words."""
    return check.__name__.removeprefix("check_").replace("_", " ")


def problem(check: Check, cell_class: type[Cell]) -> str | None:
    """What a check finds wrong with a cell, one sentence; or None."""
    try:
        check(cell_class)
    except AssertionError as error:
        return str(error)
    return None


def check_cell(cell_class: type[Cell]) -> list[tuple[str, str | None]]:
    """Runs every check.

    Args:
        cell_class: The class of the cell.

    Returns:
        For each check its fact in words, and what is wrong or None.

    Example:
        >>> import torch
        >>> class Forgetful(Cell):
        ...     def __init__(self, input_size: int) -> None:
        ...         super().__init__()
        ...         self.input_size = self.output_size = input_size
        ...         self.state_sizes = (input_size,)
        ...         self.weight = torch.nn.Parameter(torch.ones(input_size))
        ...
        ...     def step(self, z, state):
        ...         h = torch.tanh(self.weight * (z - z.mean(0)) + state[0])
        ...         return h, (h,)
        >>> found = dict(check_cell(Forgetful))
        >>> print(found["rows can change places"])
        the output of step changes when the rows of input and state are put in another order, ...
        >>> print(found["padding changes nothing"])
        None
    """
    return [(name_of(check), problem(check, cell_class)) for check in CHECKS]


def conformance(name: str) -> Callable[[Check], None]:
    """The tests of an installed cell, one a check: the whole test file of a plugin.

    Needs pytest, which ``rnnx-core[testing]`` brings::

        from rnnx.core.testing import conformance; test_conformance = conformance("mycell")

    Args:
        name: Name of the cell's entry point.

    Returns:
        A test for pytest to find.
    """
    import pytest

    @pytest.mark.parametrize("check", CHECKS, ids=name_of)
    def test_conformance(check: Check) -> None:
        found = problem(check, find("cell", name).load())
        if found:
            pytest.fail(found, pytrace=False)

    return test_conformance
