from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.errors import InputError, RnnxError, RunError, UsageError


def test_all_problems_are_told_one_a_line() -> None:
    error = UsageError("cell: no such cell 'gruu'", "seed: expected an integer, got 'x'")
    assert str(error) == "cell: no such cell 'gruu'\nseed: expected an integer, got 'x'"
    assert error.problems == ("cell: no such cell 'gruu'", "seed: expected an integer, got 'x'")


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("x"), 2), (InputError("a", "x"), 1), (RunError("x"), 1), (RnnxError("x"), 1)],
)
def test_exit_code_is_2_for_what_was_typed_and_1_for_what_failed(error: RnnxError, code: int) -> None:
    assert error.exit_code == code


def test_a_place_in_a_file_can_be_clicked() -> None:
    assert str(InputError(Path("a/b.de"), "empty", line=3)) == f"{Path('a/b.de')}:3: empty"
    assert str(InputError("b.de", "empty")) == "b.de: empty"
