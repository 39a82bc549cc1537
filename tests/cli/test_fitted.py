from __future__ import annotations

import pytest
from rich.console import Console

from rnnx.cli.fitted import Fitted

LABEL = "lstm cell.hidden_size=256 optimizer.lr=0.001"  # 44 columns
ROWS = [[LABEL, "3", "70.58 ± 1.2", "0.7", "1.5"], ["gru", "1", "7.25", "0.25", "2.5"]]
TABLE = Fitted(["model", "seeds", "f1", "recall", "minutes"], ROWS, {4: "minutes", 3: "recall"}, "ask")


def lines(width: int, table: Fitted = TABLE) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


# seeds, f1, recall and minutes have 5, 11, 6 and 7 columns, and two before each
@pytest.mark.parametrize(
    ("width", "out"), [(20 + 37, []), (20 + 36, [3]), (20 + 29, [3]), (20 + 28, [3, 4]), (1, [3, 4])]
)
def test_the_last_that_may_be_spared_goes_first_and_only_where_it_must(width: int, out: list[int]) -> None:
    assert TABLE.left_out(width) == out


def test_labels_fold_and_numbers_are_whole() -> None:
    assert lines(60) == [
        "model                    seeds  f1           recall  minutes",
        "lstm                     3      70.58 ± 1.2  0.7     1.5",
        "cell.hidden_size=256",
        "optimizer.lr=0.001",
        "gru                      1      7.25         0.25    2.5",
    ]


def test_a_note_names_what_is_left_out() -> None:
    assert lines(49)[0].split() == ["model", "seeds", "f1", "minutes"]
    assert lines(49)[-1] == "also there: recall; ask"
    assert lines(48)[-1] == "also there: recall, minutes; ask"
    assert lines(100)[-1].startswith("gru")


def test_a_word_longer_than_its_column_is_broken_not_cut() -> None:
    shown = lines(29, Fitted(["model", "loss"], [["x" * 30, "0.1234567"]], {}, ""))
    assert shown[1:] == ["x" * 18 + "  0.1234567", "x" * 12]
