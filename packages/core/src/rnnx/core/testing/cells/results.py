"""What came of reading, held against what should have come."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

from rnnx.core.state import State
from rnnx.core.testing.comparison import TOLERANCE, assert_near, assert_same, assert_shape, largest, require

Result: TypeAlias = tuple[Tensor, State]  # y (N, T, output_size), and the state after it


def assert_same_result(
    found: Result, wanted: Result, fault: str, tolerance: float = TOLERANCE, place: str = "step"
) -> None:
    """Whether two results agree, output first.

    Args:
        found: The result in question.
        wanted: What it should be.
        fault: What happened to ``found``, the sentence's predicate.
        tolerance: What two numbers may differ by, as a part of the largest.
        place: What an output belongs to, ``step`` or ``node``; they are counted from 1.

    Raises:
        AssertionError: they differ.

    Example:
        >>> import torch
        >>> zeros, ones = torch.zeros(1, 3, 1), torch.tensor([[[0.], [0.], [1.]]])
        >>> assert_same_result((ones, ()), (zeros, ()), "changes when padding is added")
        Traceback (most recent call last):
        AssertionError: output at step 3 changes when padding is added: 0 became 1
    """
    (y, state), (wanted_y, wanted_state) = found, wanted
    assert_shape(y, wanted_y.shape, "the output")
    allowed = tolerance * largest(wanted_y)
    for step, (one, other) in enumerate(zip(y.unbind(1), wanted_y.unbind(1), strict=True), 1):
        assert_near(one, other, f"output at {place} {step}", fault, allowed)
    assert_same_state(state, wanted_state, fault, tolerance)


def assert_same_state(found: State, wanted: State, fault: str, tolerance: float = TOLERANCE) -> None:
    """Whether two states agree, tensor by tensor; they are counted from 1.

    Raises:
        AssertionError: they differ.
    """
    require(len(found) == len(wanted), f"the state has {len(found)} tensors, expected {len(wanted)}")
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), 1):
        assert_same(one, other, f"state tensor {number}", fault, tolerance)
