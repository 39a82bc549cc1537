from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core import reading
from rnnx.core.errors import InputError


def noted(**contents: bytes) -> dict[str, str]:
    with reading.noting() as read:
        for name, content in contents.items():
            reading.note(Path(name), content)
    return dict(read)


def test_what_is_read_within_is_noted_and_nothing_else() -> None:
    reading.note("before", b"1")
    assert noted(a=b"123456789") == {"a": "9 bytes, crc32 cbf43926"}  # the check value of CRC-32/ISO-HDLC
    reading.note("after", b"1")
    assert noted() == {}


def test_files_that_changed_are_named_and_others_are_not(tmp_path: Path) -> None:
    reading.keep(noted(a=b"one", b=b"two", c=b"three"), tmp_path)
    now = noted(a=b"one", b=b"owt", c=b"three.", d=b"new")
    assert reading.changed(now, tmp_path) == ["b", "c"]
    assert reading.told(["b", "c"]).startswith("b and c are not what they were when the run began")


def test_a_run_that_read_no_file_keeps_nothing_and_knows_of_none(tmp_path: Path) -> None:
    reading.keep(noted(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert reading.changed(noted(a=b"one"), tmp_path) == []


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_file_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(InputError, match=r"data\.json"):
        reading.changed(noted(a=b"one"), tmp_path)
