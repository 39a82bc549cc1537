from __future__ import annotations

from itertools import chain

import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnx.tasks.data.lm.streams import Streams, streamed
from rnnx.tasks.parts.nets.cross_entropy import IGNORED

texts = st.lists(st.integers(1, 50), min_size=1, max_size=80)


@given(texts, st.integers(1, 12), st.integers(1, 9))
def test_every_token_is_predicted_once_from_the_one_before_it(
    text: list[int], streams: int, length: int
) -> None:
    batches = list(streamed(text, streams, length, start=99))
    rows = min(streams, len(text))
    inputs: list[list[int]] = [[] for _ in range(rows)]
    targets: list[list[int]] = [[] for _ in range(rows)]
    for number, batch in enumerate(batches):
        assert batch.index.tolist() == list(range(rows))
        assert batch.continues == (number > 0)
        assert batch.inputs.shape == batch.targets.shape
        for row, size in enumerate(batch.lengths.tolist()):
            inputs[row] += batch.inputs[row, :size].tolist()
            targets[row] += batch.targets[row, :size].tolist()
            assert (batch.targets[row, size:] == IGNORED).all()
            assert (batch.inputs[row, size:] == 0).all()
    assert list(chain.from_iterable(targets)) == text
    assert list(chain.from_iterable(inputs)) == [99, *text[:-1]]
    sizes = [len(row) for row in targets]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) - min(sizes) <= 1
    assert all(batch.inputs.shape[1] == length for batch in batches[:-1])
    assert len(batches) == -(-max(sizes) // length)


def test_a_second_epoch_is_the_same() -> None:
    loader = streamed(list(range(1, 20)), streams=3, length=4, start=0)
    first, second = ([batch.targets.tolist() for batch in loader] for _ in range(2))
    assert first == second
    assert len(loader) == 2


@given(texts, st.integers(1, 6), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_processes_share_the_streams_of_one(
    text: list[int], streams: int, length: int, ranks: int, each: bool
) -> None:
    """A process that has no stream reads padding, as many batches as the others."""
    together = streams * ranks if each else streams
    one = list(streamed(text, together, length, start=99))
    parts = [Streams(torch.tensor(text), streams, length, 99, each, (rank, ranks)) for rank in range(ranks)]
    assert {len(part) for part in parts} == {len(one)}
    for number, batch in enumerate(one):
        rows = {}
        for part in parts:
            share = part[number]
            assert len(share) >= 1
            assert share.continues == batch.continues
            for row, stream in enumerate(share.index.tolist()):
                if share.targets[row].eq(IGNORED).all():
                    assert share.lengths[row] == 0
                    continue
                assert stream not in rows
                rows[stream] = [
                    tensor[row].tolist() for tensor in (share.inputs, share.targets, share.lengths)
                ]
        expected = {
            stream: [tensor[stream].tolist() for tensor in (batch.inputs, batch.targets, batch.lengths)]
            for stream in range(len(batch))
            if batch.lengths[stream]
        }
        assert rows == expected


def test_two_processes_read_two_streams_of_two_each() -> None:
    parts = [Streams(torch.arange(1, 9), 2, 2, 0, each=True, share=(rank, 2)) for rank in (0, 1)]
    assert [part[0].targets.tolist() for part in parts] == [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    shared = [Streams(torch.arange(1, 9), 1, 4, 0, share=(rank, 2)) for rank in (0, 1)]
    assert [part[1].targets.tolist() for part in shared] == [[[5, 6, 7, 8]], [[IGNORED] * 4]]
    assert [part[1].lengths.tolist() for part in shared] == [[4], [0]]
