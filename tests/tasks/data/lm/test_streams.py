from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from rnnx.tasks.data.lm.streams import IGNORED, streamed

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
