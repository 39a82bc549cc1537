from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rnnx.core.errors import UsageError
from rnnx.core.matching import matching_size

LARGEST = 600  # of the sizes that are tried one by one


def counting(
    slope: int, curve: int, fixed: int, possible: Callable[[int], bool] = lambda size: True
) -> Callable[[int], int]:
    """The parameters of a model whose matrices grow with a size and its square, for the sizes it takes."""

    def count(size: int) -> int:
        assert size >= 1
        if not possible(size):
            raise UsageError(f"cell.hidden_size: {size} is refused")
        return fixed + slope * size + curve * size * size

    return count


@st.composite
def models(draw: st.DrawFn) -> tuple[Callable[[int], int], set[int]]:
    """A count and the sizes that the model takes: multiples, all but a few, up to some size."""
    multiple, limit = draw(st.integers(1, 20)), draw(st.integers(40, LARGEST))
    refused = draw(st.sets(st.integers(21, LARGEST), max_size=20))
    sizes = {size for size in range(multiple, limit, multiple) if size not in refused}
    count = counting(
        draw(st.integers(1, 50)), draw(st.integers(0, 8)), draw(st.integers(0, 10_000)), sizes.__contains__
    )
    return count, sizes


@given(models(), st.data())
def test_no_size_comes_nearer(model: tuple[Callable[[int], int], set[int]], data: st.DataObject) -> None:
    count, sizes = model
    budget = data.draw(st.integers(count(min(sizes)), count(max(sizes)) + 100))
    nearest = min(sizes, key=lambda size: (abs(count(size) - budget), size))
    assert matching_size(count, budget) == nearest


@given(st.integers(1, 1000), st.integers(1, 8), st.integers(0, 8))
@example(3, 1, 0)
def test_a_budget_that_a_size_meets_gives_that_size(size: int, slope: int, curve: int) -> None:
    count = counting(slope, curve, fixed=17)
    assert matching_size(count, count(size)) == size


def test_a_budget_in_the_middle_gives_the_smaller() -> None:
    assert matching_size(lambda size: 10 * size, 45) == 4
    assert matching_size(lambda size: 10 * size, 46) == 5


def test_sizes_that_count_the_same_are_as_near_as_each_other() -> None:
    """An option may round a size up, so that some sizes give one model."""
    for budget in range(4, 100):
        size = matching_size(lambda size: 4 * -(-size // 4), budget)
        assert abs(4 * -(-size // 4) - budget) == min(budget % 4, -budget % 4)


def test_a_model_that_is_too_large_at_its_smallest_is_refused() -> None:
    count = counting(10, 0, 1_000_000, lambda size: size % 8 == 0)
    with pytest.raises(UsageError) as refused:
        matching_size(count, 20_000)
    assert str(refused.value) == (
        "net.match: with cell.hidden_size=8, the least there can be, the model has 1,000,080 parameters, "
        "more than 20,000; allow more of them, or make what is around the cells smaller"
    )
    assert matching_size(count, 1_000_080) == 8


def test_a_model_that_takes_no_size_says_why() -> None:
    with pytest.raises(UsageError, match=r"cell\.hidden_size: \d+ is refused"):
        matching_size(counting(1, 1, 1, lambda size: False), 100)


def test_a_model_that_grows_no_further_is_as_large_as_it_can_be() -> None:
    assert matching_size(counting(10, 0, 0, lambda size: size <= 100), 5000) == 100
    assert matching_size(counting(10, 0, 0, lambda size: size <= 100), 904) == 90


def test_what_goes_wrong_otherwise_comes_through() -> None:
    def count(size: int) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        matching_size(count, 100)


def test_few_models_are_built_and_none_twice() -> None:
    """Each count builds a whole model: two for each doubling of the size, and a few."""
    tried: list[int] = []

    def count(size: int) -> int:
        tried.append(size)
        return size * size

    assert matching_size(count, 1_000_000) == 1000
    assert len(tried) == len(set(tried)) <= 24


def test_a_count_that_does_not_grow_is_told() -> None:
    with pytest.raises(UsageError) as refused:
        matching_size(lambda size: 10, 100)
    assert str(refused.value) == (
        "net.match: even with cell.hidden_size=128 the model has 10 parameters, fewer than 100, as the cell "
        "does not grow with it; set net.match=0"
    )


def test_a_count_that_grows_slowly_is_followed() -> None:
    assert matching_size(lambda size: 10 + size // 2, 1000) == 1980
    assert matching_size(lambda size: math.isqrt(size) + 1, 100) == 99**2
