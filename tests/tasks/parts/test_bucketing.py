from __future__ import annotations

from itertools import chain, pairwise, zip_longest

import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnx.tasks.parts.bucketing import POOL, LengthBuckets, in_order

lengths = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)))


@given(st.lists(st.text("ab", max_size=4)), st.integers(1, 5))
def test_answers_are_in_the_order_of_the_rows_and_batches_in_that_of_their_lengths(
    rows: list[str], size: int
) -> None:
    batches: list[list[str]] = []

    def answer(batch: list[str]) -> list[str]:
        batches.append(batch)
        return [row.upper() for row in batch]

    assert in_order(rows, size, answer) == [row.upper() for row in rows]
    read = list(chain.from_iterable(batches))
    assert read == sorted(rows, key=len)  # which leaves rows of one length in their order
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert all(0 < len(batch) <= size for batch in batches)


@given(lengths, st.integers(1, 7), st.booleans())
def test_an_epoch_holds_each_example_once(lengths: list[tuple[int, int]], size: int, shuffle: bool) -> None:
    buckets = LengthBuckets(lengths, size, shuffle)
    batches = list(buckets)
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    assert all(0 < len(batch) <= size for batch in batches)
    assert len(batches) == len(buckets)
    assert sum(len(batch) < size for batch in batches) <= 1


def test_unshuffled_is_sorted_by_length_in_every_epoch() -> None:
    buckets = LengthBuckets([(3, 1), (1, 9), (2, 2), (1, 1)], 2, shuffle=False)
    assert list(buckets) == list(buckets) == [[3, 1], [2, 0]]


def test_epochs_differ_and_follow_from_the_seed_alone() -> None:
    lengths = [(n % 17 + 1, n % 5 + 1) for n in range(700)]
    torch.manual_seed(5)
    one = LengthBuckets(lengths, 4, shuffle=True)
    first, second = list(one), list(one)
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))

    torch.manual_seed(5)
    other = LengthBuckets(lengths, 4, shuffle=True)
    torch.rand(3)
    other.set_epoch(1)
    assert list(other) == second
    torch.manual_seed(6)
    assert list(LengthBuckets(lengths, 4, shuffle=True)) != first


def test_lengths_in_a_batch_are_alike_but_their_order_is_random() -> None:
    torch.manual_seed(0)
    size = 8
    lengths = [(1 + n * 7919 % 40, 1) for n in range(2 * POOL * size)]  # each of 40 lengths 20 times
    batches = [[lengths[position][0] for position in batch] for batch in LengthBuckets(lengths, size, True)]
    assert max(max(batch) - min(batch) for batch in batches) <= 3  # unsorted: above 20 nearly everywhere
    means = [sum(batch) / size for batch in batches]
    rising = sum(a <= b for a, b in pairwise(means))
    assert 0.3 < rising / len(means) < 0.7


@given(lengths, st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_processes_share_the_batches_of_one(
    lengths: list[tuple[int, int]], size: int, ranks: int, shuffle: bool
) -> None:
    """Two with batches of 8 read together, batch by batch, what one reads with batches of 16."""
    torch.manual_seed(3)
    whole = list(LengthBuckets(lengths, size * ranks, shuffle))
    torch.manual_seed(3)
    samplers = [LengthBuckets(lengths, size, shuffle, (rank, ranks)) for rank in range(ranks)]
    shares = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == list(map(len, shares))
    assert all(0 < len(batch) <= size for share in shares for batch in share)
    if shuffle:  # each has as many, so that none waits for another's gradients forever
        assert len(set(map(len, shares))) == 1
        whole = [batch for batch in whole if len(batch) >= ranks]
    together = [list(chain.from_iterable(batches)) for batches in zip_longest(*shares, fillvalue=[])]
    assert list(map(sorted, together)) == list(map(sorted, whole))


def test_shares_are_of_like_length() -> None:
    """None has the long half of a batch."""
    buckets = [LengthBuckets(range(1, 33), 8, shuffle=False, share=(rank, 2)) for rank in (0, 1)]
    for one, other in zip(*buckets, strict=True):
        assert [second - first for first, second in zip(one, other, strict=True)] == [1] * 8


def test_the_length_of_a_row_may_be_another_than_its_own() -> None:
    rows, read = [("aaa", "b"), ("a", "bbbb"), ("aa", "")], []
    found = in_order(rows, 1, lambda batch: read.extend(batch) or batch, length=lambda row: len(row[0]))
    assert found == rows
    assert read == [rows[1], rows[2], rows[0]]
