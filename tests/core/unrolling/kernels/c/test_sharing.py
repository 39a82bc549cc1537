from __future__ import annotations

import pytest

from rnnx.core.unrolling.kernels.c.sharing import BLOCK, SHARE, parallel, shared
from tests.threads import threads


@pytest.mark.parametrize("rows", [0, 1, SHARE, BLOCK, 10 * BLOCK + 3])
def test_one_thread_takes_all_rows_in_the_largest_blocks(rows: int) -> None:
    with threads(1):
        assert shared(rows) == (parallel(), 1, BLOCK, rows)


@pytest.mark.skipif(not parallel(), reason="torch has no OpenMP of GNU's here")
@pytest.mark.parametrize(
    ("rows", "taking", "size"),
    [
        (SHARE, 1, SHARE),  # all go together
        (SHARE + 1, 4, SHARE),
        (8 * 20, 4, 20),  # each thread takes two blocks
        (8 * BLOCK, 4, BLOCK),
        (100 * BLOCK, 4, BLOCK),
    ],
)
def test_several_threads_take_two_blocks_each_or_more(rows: int, taking: int, size: int) -> None:
    with threads(4):
        assert shared(rows) == (parallel(), taking, size, rows)


def test_few_rows_are_taken_by_one_thread() -> None:
    with threads(4):
        assert shared(1000, alone=1000) == (parallel(), 1, BLOCK, 1000)
        assert shared(1001, alone=1000)[1] == (4 if parallel() else 1)
