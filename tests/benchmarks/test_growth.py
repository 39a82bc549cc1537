from __future__ import annotations

import pytest
import torch

from benchmarks.growth import Line, Search, Training, grown, peak, saved, slope


def test_the_slope_is_the_power() -> None:
    assert slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    assert slope([1, 2, 4], [5, 5, 5]) == pytest.approx(0)
    assert slope([1, 2, 4], [1, 2, 2]) == pytest.approx(0.5)  # logarithms 0 1 1 over 0 1 2


def test_the_peak_is_what_is_there_at_once() -> None:
    def call() -> None:
        one = torch.ones(1000, dtype=torch.float64)  # 8000 bytes
        two = one.clone()
        del one
        two.clone().clone()  # three at most

    assert peak(call) == 3 * 8000


def test_what_is_saved_counts_once_and_without_what_is_there() -> None:
    x = torch.ones(100, requires_grad=True)

    def call() -> torch.Tensor:
        y = x.exp()  # saves its result
        return (y * y[:50].repeat(2)).sum()  # saves both: the first again, and a new one of 100

    assert saved(call, set()) == 2 * 400
    z = torch.ones(100)
    assert saved(lambda: x * z, set()) == 400
    assert saved(lambda: x * z, {z.untyped_storage().data_ptr()}) == 0


@pytest.mark.parametrize("cell", ["gru", "mgu"])
def test_twice_the_steps_keep_twice_as_much(cell: str) -> None:
    once, twice = (Training(cell, steps, rows=4, width=8) for steps in (32, 64))
    once()
    twice()  # the first call finds out how the cell is read
    assert all(parameter.grad is None for parameter in once.layer.parameters())
    assert twice.kept() / once.kept() == pytest.approx(2, rel=0.05)


def test_a_search_writes_as_many_words_as_asked_and_no_more_steps() -> None:
    search = Search(words=7, beam=2, length=5, width=4)
    rows: list[int] = []
    search.output.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    search()
    assert len(rows) == 5
    assert set(rows) <= {8, 16}  # of 8 sentences, two hypotheses each


def test_a_line_is_measured_at_each_size() -> None:
    sizes = {"steps": (3, 2), "rows": (2, 1), "width": (4, 2)}
    line = grown("x", lambda **given: Training("gru", **given), sizes, "rows", rounds=1)
    assert (line.what, line.grows, line.sizes) == ("x", "rows", [1, 2, 4, 8, 16])
    assert len(line.seconds) == len(line.peaks) == len(line.kept) == 5
    assert line.kept[-1] > line.kept[0]
    line = grown("y", Search, {"words": (9, 5), "beam": (2, 1), "length": (2, 1)}, "length", rounds=1)
    assert (line.sizes, line.kept) == ([1, 2, 4, 8, 16], [])


def test_a_row_of_the_table() -> None:
    line = Line("gru", "steps", [1000, 2000], [0.002, 0.004], [1_000_000, 4_000_000], [5, 5])
    assert line.row == (
        "| gru | steps | 1,000 | 2,000 | 1.00 | 2.00 to 4.00 | 2.00 | 1.00 to 4.00 | 0.00 | 0.00 to 0.00 |"
    )
    assert Line("beam", "words", [1, 2], [1, 1], [1, 1], []).row.endswith("| 0.00 | 0.00 to 0.00 |  |  |")
