"""Two tensors held against each other: where they differ, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor

TOLERANCE: Final = 1e-9  # of the largest number, and at least of 1
NOTHING: Final = "nan stands on both sides, so that nothing can be told; see whether numbers are finite"


def assert_same(found: Tensor, wanted: Tensor, what: str, fault: str, tolerance: float = TOLERANCE) -> None:
    """Whether two tensors agree; what is not a number agrees with nothing.

    Args:
        found: The tensor in question.
        wanted: What it should be.
        what: What it is, the sentence's subject.
        fault: What happened to it, the sentence's predicate.
        tolerance: What two numbers may differ by, as a part of the largest.

    Raises:
        AssertionError: they differ.

    Example:
        >>> import torch
        >>> assert_same(torch.ones(2), torch.zeros(2), "the loss", "changes when padding is added")
        Traceback (most recent call last):
        AssertionError: the loss changes when padding is added: 0 became 1
    """
    assert_shape(found, wanted.shape, what)
    assert_near(found, wanted, what, fault, tolerance * largest(wanted))


def assert_near(found: Tensor, wanted: Tensor, what: str, fault: str, allowed: float) -> None:
    """Whether no number of a tensor is further than ``allowed`` from the other's.

    Raises:
        AssertionError: one is, or NaN stands where the other has NaN; of that all say the same.
    """
    wrong = ~((found - wanted).abs() <= allowed)
    if bool(wrong.any()):
        wrong = wrong & ~(found.isnan() & wanted.isnan())
        require(bool(wrong.any()), NOTHING)
        before, after = wanted[wrong][0].item(), found[wrong][0].item()
        raise AssertionError(f"{what} {fault}: {before:.6g} became {after:.6g}")


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


def largest(tensor: Tensor) -> float:
    """The largest finite number, and at least 1."""
    finite = tensor.detach()[tensor.isfinite()]
    return max(1.0, float(finite.abs().max())) if len(finite) else 1.0


def require(fact: bool, otherwise: str) -> None:
    """Unlike ``assert``, it also looks when Python is told to optimise.

    Raises:
        AssertionError: it is no fact.
    """
    if not fact:
        raise AssertionError(otherwise)
