"""The energies of attention against the formula in torch's own operations, with more bits."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnnx.core.unrolling.kernels.c.compiler import compiler
from rnnx.tasks.parts.nets.energies import energies
from tests.core.unrolling.counting import Operations
from tests.threads import threads

ROOT = Path(__file__).parents[3]
Three = tuple[Tensor, Tensor, Tensor]


def drawn(n: int, u: int, s: int, d: int, scale: float = 1.0) -> Three:
    """Queries, keys doubled, and ``v``."""
    query, keys, v = (scale * torch.randn(n, u, d), scale * torch.randn(n, s, d), torch.randn(d))
    return query.requires_grad_(), keys.requires_grad_(), v.requires_grad_()


def formula(query: Tensor, twice_keys: Tensor, v: Tensor) -> Tensor:
    """Bahdanau et al. 2015, A.1.2."""
    return torch.tanh(query.unsqueeze(2) + twice_keys.unsqueeze(1) / 2) @ v


def exact(tensors: Three) -> Three:
    query, keys, v = (tensor.detach().double().requires_grad_() for tensor in tensors)
    return query, keys, v


def near(found: Tensor, wanted: Tensor) -> None:
    atol = 1e-5 * max(1.0, float(wanted.detach().abs().max())) if wanted.numel() else 0.0
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=atol)


sizes = st.tuples(st.integers(0, 70), st.integers(0, 4), st.integers(0, 5), st.integers(1, 40))


@pytest.mark.parametrize("count", [1, 3])
def test_they_are_the_formulas_forth_and_back(count: int) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(sizes)
    def check(sizes: tuple[int, int, int, int]) -> None:
        tensors = drawn(*sizes)
        precise = exact(tensors)
        found, wanted = energies(*tensors), formula(*precise)
        near(found, wanted)
        at = torch.randn(found.shape)
        ours, theirs = (
            torch.autograd.grad(end, given, end.new_tensor(at.tolist()).view_as(end))
            for end, given in ((found, tensors), (wanted, precise))
        )
        for one, other in zip(ours, theirs, strict=True):
            near(one, other)

    torch.manual_seed(0)
    with threads(count):
        check()


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
def test_threads_do_not_write_over_one_another() -> None:
    torch.manual_seed(0)
    tensors = drawn(400, 10, 10, 64)
    precise = exact(tensors)
    wanted = torch.autograd.grad(formula(*precise).sum(), precise)
    for _ in range(10):  # it would go well now and then
        with threads(4):
            found = torch.autograd.grad(energies(*tensors).sum(), tensors)
        for one, other in zip(found, wanted, strict=True):
            near(one, other)


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
@pytest.mark.parametrize("scale", [1e-4, 100.0])
def test_small_and_large_numbers_are_the_formulas_to_six_digits(scale: float) -> None:
    """Where the slope of tanh is 1, and where it is 0."""
    tensors = drawn(3, 2, 5, 20, scale)
    precise = exact(tensors)
    found, wanted = energies(*tensors), formula(*precise)
    for one, other in zip(
        (found, *torch.autograd.grad(found.sum(), tensors)),
        (wanted, *torch.autograd.grad(wanted.sum(), precise)),
        strict=True,
    ):
        torch.testing.assert_close(
            one.detach().double(), other.detach(), rtol=0, atol=1e-6 * float(other.detach().abs().max())
        )


def test_tensors_may_lie_in_memory_in_any_way() -> None:
    """Rows of a larger tensor, numbers that lie apart, one key for all rows."""
    query, v = torch.randn(4, 20, 3).transpose(1, 2), torch.randn(40)[::2]
    for keys in (torch.randn(9, 5, 20)[2:6], torch.randn(4, 20, 5).mT, torch.randn(5, 20).expand(4, 5, 20)):
        tensors = query.requires_grad_(), keys.requires_grad_(), v.requires_grad_()
        precise = exact(tensors)
        found, wanted = energies(*tensors), formula(*precise)
        near(found, wanted)
        at = torch.randn(5, 3, 4).permute(2, 1, 0)
        for one, other in zip(
            torch.autograd.grad(found, tensors, at),
            torch.autograd.grad(wanted, precise, at.double()),
            strict=True,
        ):
            near(one, other)


LEARNING = [ways for ways in product((True, False), repeat=3) if any(ways)]


@pytest.mark.parametrize("learning", LEARNING)
def test_second_gradients_are_the_formulas(learning: tuple[bool, bool, bool]) -> None:
    """Of those that learn; the others get none."""

    def twice(way: Callable[..., Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
        given = [
            tensor.detach().requires_grad_(learns) for tensor, learns in zip(tensors, learning, strict=True)
        ]
        wanted = [tensor for tensor in given if tensor.requires_grad]
        first = torch.autograd.grad(way(*given).square().sum(), wanted, create_graph=True)
        total = torch.stack([one.square().sum() for one in first]).sum()
        return [*first, *torch.autograd.grad(total, wanted)]

    tensors = drawn(3, 2, 4, 6)
    for one, other in zip(twice(energies, tensors), twice(formula, exact(tensors)), strict=True):
        near(one.detach(), other.detach())


@pytest.mark.parametrize("learning", LEARNING)
def test_what_learns_nothing_gets_nothing(learning: tuple[bool, bool, bool]) -> None:
    tensors = [
        tensor.detach().requires_grad_(learns)
        for tensor, learns in zip(drawn(3, 2, 4, 6), learning, strict=True)
    ]
    energies(*tensors).sum().backward()
    assert tuple(tensor.grad is not None for tensor in tensors) == learning


@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 2, 6), (1, 4, 6), (6,)),  # one memory for all rows
        ((1, 2, 6), (3, 4, 6), (6,)),
        ((3, 2, 1), (3, 4, 6), (6,)),
        ((3, 2, 6), (3, 4, 1), (6,)),
    ],
)
def test_what_is_one_is_the_same_for_all(shapes: Sequence[tuple[int, ...]]) -> None:
    query, keys, v = (torch.randn(shape) for shape in shapes)
    torch.testing.assert_close(energies(query, keys, v), formula(query, keys, v), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 2, 6), (2, 4, 6), (6,)),
        ((3, 2, 6), (3, 4, 5), (6,)),
        ((3, 2, 6), (3, 4, 6), (5,)),
        ((3, 2, 6), (3, 4, 6), (7,)),
    ],
)
def test_what_does_not_fit_is_torchs_error(shapes: Sequence[tuple[int, ...]]) -> None:
    with pytest.raises(RuntimeError, match=r"size|shape"):
        energies(*(torch.randn(shape) for shape in shapes))


def test_what_is_no_number_and_what_is_infinite_stay_so() -> None:
    query, keys, v = (tensor.detach() for tensor in drawn(3, 2, 4, 6))
    query[0, 0, 0], keys[1, 2, 3], keys[2, 0, 0] = math.nan, math.inf, -math.inf
    torch.testing.assert_close(
        energies(query, keys, v), formula(query, keys, v), rtol=1e-4, atol=1e-5, equal_nan=True
    )


def test_signs_that_are_turned_later_are_turned() -> None:
    query, keys, v = (tensor.detach() for tensor in drawn(3, 2, 4, 6))
    found = energies(query, torch._neg_view(keys), v)
    torch.testing.assert_close(found, formula(query, -keys, v), rtol=1e-4, atol=1e-5)


def test_several_gradients_may_go_back_at_once() -> None:
    tensors = drawn(3, 2, 4, 6)
    found, at = energies(*tensors), torch.randn(5, 3, 2, 4)
    together = torch.autograd.grad(found, tensors, at, is_grads_batched=True, retain_graph=True)
    alone = [torch.autograd.grad(found, tensors, one, retain_graph=True) for one in at]
    for one, many in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(one, torch.stack(many), rtol=1e-4, atol=1e-5)


def test_they_are_compiled_as_torchs() -> None:
    query, keys, v = (tensor.detach() for tensor in drawn(3, 2, 4, 6))
    whole = torch.compile(energies, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(query, keys, v), formula(query, keys, v), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
def test_nothing_of_the_size_of_all_pairs_is_kept() -> None:
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    tensors = drawn(3, 40, 50, 6)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        energies(*tensors)
    assert sum(kept) <= sum(tensor.numel() for tensor in tensors) < 3 * 40 * 50


def test_in_mixed_precision_they_are_of_half() -> None:
    query, keys, v = (tensor.detach() for tensor in drawn(3, 2, 4, 6))
    with torch.autocast("cpu", torch.bfloat16):
        assert energies(query, keys, v).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_they_are_of_the_type_that_is_given(dtype: torch.dtype) -> None:
    tensors = tuple(tensor.detach().to(dtype) for tensor in drawn(3, 2, 4, 6))
    found = energies(*tensors)
    assert found.dtype == dtype
    torch.testing.assert_close(found, formula(*tensors), rtol=0.05, atol=0.1)


@pytest.mark.filterwarnings("ignore:.torch.jit.script")  # torch's own, in its forward mode
def test_within_torchs_transformations_they_are_the_formulas() -> None:
    query, keys, v = (tensor.detach() for tensor in drawn(3, 2, 4, 6))
    found, tangent = torch.func.jvp(energies, (query, keys, v), (query, keys, v))
    wanted, tangent_wanted = torch.func.jvp(formula, (query, keys, v), (query, keys, v))
    torch.testing.assert_close((found, tangent), (wanted, tangent_wanted), rtol=1e-4, atol=1e-5)
    mapped = torch.func.vmap(energies, (0, 0, None))(query.unsqueeze(1), keys.unsqueeze(1), v)
    torch.testing.assert_close(mapped.squeeze(1), formula(query, keys, v), rtol=1e-4, atol=1e-5)


def test_who_counts_operations_is_told_of_them() -> None:
    with Operations() as counted:
        energies(*drawn(3, 2, 4, 6))
    assert counted.counts[torch.ops.aten.sigmoid_.default] == 1


SCRIPT = """
import warnings
import torch
from rnnx.tasks.parts.nets.energies import FORWARD, _function, energies

query, keys, v = torch.randn(3, 2, 6), torch.randn(3, 4, 6), torch.randn(6, requires_grad=True)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(2):
        found = energies(query, keys, v)
        wanted = torch.tanh(query.unsqueeze(2) + keys.unsqueeze(1) / 2) @ v
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(*(torch.autograd.grad(end.sum(), v)[0] for end in (found, wanted)))
print(_function(FORWARD) is not None, *(str(one.message) for one in said))
"""


@pytest.mark.parametrize(
    ("cc", "said"),
    [
        (
            shlex.join([sys.executable, "-c", "raise SystemExit(1)"]),
            "False attention is made without functions in C, which is slower: they cannot be compiled "
            f"({sys.executable} ends with 1: )",
        ),
        ("", "False"),
    ],
    ids=["that fails", "that is none"],
)
def test_where_c_cannot_be_compiled_they_are_torchs(cc: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "CC": cc},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == said, done.stderr
