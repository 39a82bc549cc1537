from __future__ import annotations

from itertools import product

import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnx.tasks.data.memory.draws import Draw, Draws, Made, generator, loader, whole


def positions(draws: Draws) -> list[list[int]]:
    """Those of the batches of the next epoch."""
    return [draw.positions.tolist() for draw in draws]


@given(st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_an_epoch_holds_each_position_once(count: int, size: int, shuffle: bool) -> None:
    draws = Draws(count, size, shuffle=shuffle, training=False)
    batches = positions(draws)
    assert sorted(position for batch in batches for position in batch) == list(range(count))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert len(batches) == len(draws)


def test_unshuffled_is_in_order_in_every_epoch() -> None:
    draws = Draws(5, 2, shuffle=False, training=False)
    assert positions(draws) == positions(draws) == [[0, 1], [2, 3], [4]]


def test_epochs_differ_and_follow_from_the_seed_alone() -> None:
    torch.manual_seed(5)
    one = Draws(40, 4, shuffle=True, training=True)
    first, second = positions(one), positions(one)
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))

    torch.manual_seed(5)
    other = Draws(40, 4, shuffle=True, training=True)
    torch.rand(3)
    other.set_epoch(1)
    assert positions(other) == second
    torch.manual_seed(6)
    assert positions(Draws(40, 4, shuffle=True, training=True)) not in (
        first,
        second,
    )  # nor is it its neighbour, moved on


def test_every_batch_of_every_epoch_and_run_has_a_seed_of_its_own() -> None:
    seeds = set()
    for seed in range(4):
        torch.manual_seed(seed)
        draws = Draws(20, 2, shuffle=False, training=True)
        for _ in range(5):
            seeds |= {draw.seed for draw in draws}
    assert len(seeds) == 4 * 5 * 10


def test_random_numbers_follow_from_every_part_of_their_key() -> None:
    keys = [*product(("train", "valid", "test"), range(3)), ("1", 1), ("11",), (11,)]
    drawn = [tuple(torch.rand(4, generator=generator(*key)).tolist()) for key in keys]
    assert len(set(drawn)) == len(keys)
    assert drawn == [tuple(torch.rand(4, generator=generator(*key)).tolist()) for key in keys]


def test_random_numbers_are_the_same_in_every_process() -> None:
    """Hashes of texts are not; Python's own generator, of a text's SHA-512, is."""
    import random

    seed = random.Random("('valid', 1)").getrandbits(32)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(torch.rand(3, generator=generator("valid", 1)), expected)


def test_a_loader_gives_the_batches_of_one_epoch_after_another() -> None:
    batch = whole(torch.arange(12).reshape(6, 2), torch.arange(6).unsqueeze(1) * 10)
    assert batch.lengths.tolist() == [2] * 6
    torch.manual_seed(0)
    batches = loader(lambda draw: batch.select(draw.positions.tolist()), 6, 4, shuffle=True, training=True)
    assert len(batches) == 2
    first, second = ([index for part in batches for index in part.index.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(6))
    assert first != second
    for part in batches:
        assert part.inputs.tolist() == [[2 * n, 2 * n + 1] for n in part.index.tolist()]
        assert part.targets.tolist() == [[10 * n] for n in part.index.tolist()]
        assert part.lengths.tolist() == [2] * len(part)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4), st.booleans(), st.booleans())
def test_processes_share_the_batches_of_one(
    count: int, size: int, ranks: int, shuffle: bool, training: bool
) -> None:
    torch.manual_seed(3)
    (whole, *parts) = (
        Draws(count, length, shuffle=shuffle, training=training, share=place)
        for length, place in ((size * ranks, (0, 1)), *((size, (rank, ranks)) for rank in range(ranks)))
    )
    drawn = [list(part) for part in parts]
    assert [len(part) for part in parts] == [len(batches) for batches in drawn]
    kept = [draw for draw in whole if not training or len(draw.positions) >= ranks]
    for number, draw in enumerate(kept):
        shares = [batches[number] for batches in drawn if number < len(batches)]
        assert all(torch.equal(share.positions, draw.positions) for share in shares)
        assert {share.seed for share in shares} == {draw.seed}
        examples = [position for share in shares for position in share.positions[share.share].tolist()]
        assert sorted(examples) == sorted(draw.positions.tolist())
        assert all(len(share.positions[share.share]) for share in shares)
    assert max(map(len, drawn)) == len(kept)
    assert not training or {len(batches) for batches in drawn} == {len(kept)}


def test_a_process_keeps_its_share_of_what_is_made() -> None:
    batch = whole(torch.arange(10).reshape(5, 2), torch.arange(5).unsqueeze(1))
    made = Made(lambda draw: batch.select(draw.positions.tolist()))
    shares = [made[Draw(torch.tensor([4, 2, 0]), 1, slice(rank, None, 2))] for rank in (0, 1)]
    assert [share.index.tolist() for share in shares] == [[4, 0], [2]]
    assert [share.inputs.tolist() for share in shares] == [[[8, 9], [0, 1]], [[4, 5]]]
