"""Two results held against each other: the first place where they differ, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rnnx.core.state import State
from rnnx.core.testing.ways import Result

TOLERANCE = 1e-9  # of the largest number, and at least of 1


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
    allowed = tolerance * _largest(wanted_y)
    for step, (one, other) in enumerate(zip(y.unbind(1), wanted_y.unbind(1), strict=True), 1):
        _assert_near(one, other, f"output at {place} {step}", fault, allowed)
    assert_same_state(state, wanted_state, fault, tolerance)


def assert_same_state(found: State, wanted: State, fault: str, tolerance: float = TOLERANCE) -> None:
    """Whether two states agree, tensor by tensor; they are counted from 1.

    Raises:
        AssertionError: they differ.
    """
    require(len(found) == len(wanted), f"the state has {len(found)} tensors, expected {len(wanted)}")
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), 1):
        assert_same(one, other, f"state tensor {number}", fault, tolerance)


def assert_same(found: Tensor, wanted: Tensor, what: str, fault: str, tolerance: float = TOLERANCE) -> None:
    """Whether two tensors agree; what is not a number agrees with nothing.

    Raises:
        AssertionError: they differ.
    """
    assert_shape(found, wanted.shape, what)
    _assert_near(found, wanted, what, fault, tolerance * _largest(wanted))


def assert_shape(found: Tensor, wanted: Sequence[int], what: str) -> None:
    """Whether a tensor has a shape.

    Raises:
        AssertionError: it has another.

    Example:
        >>> import torch
        >>> assert_shape(torch.zeros(2, 3), (2, 4), "the output of step")
        Traceback (most recent call last):
        AssertionError: the output of step has the shape (2, 3), expected (2, 4)
    """
    require(
        tuple(found.shape) == tuple(wanted),
        f"{what} has the shape {tuple(found.shape)}, expected {tuple(wanted)}",
    )


def require(fact: bool, otherwise: str) -> None:
    """Unlike ``assert``, it also looks when Python is told to optimise.

    Raises:
        AssertionError: it is no fact.
    """
    if not fact:
        raise AssertionError(otherwise)


def _assert_near(found: Tensor, wanted: Tensor, what: str, fault: str, allowed: float) -> None:
    wrong = ~((found - wanted).abs() <= allowed)
    if bool(wrong.any()):
        before, after = wanted[wrong][0].item(), found[wrong][0].item()
        raise AssertionError(f"{what} {fault}: {before:.6g} became {after:.6g}")


def _largest(tensor: Tensor) -> float:
    """The largest finite number, and at least 1."""
    finite = tensor.detach()[tensor.isfinite()]
    return max(1.0, float(finite.abs().max())) if len(finite) else 1.0
