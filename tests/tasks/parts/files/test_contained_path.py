from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.contained_path import inside

ROOT = Path("photos/all")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.jpg", "1.jpg"),
        ("a b/ü.jpg", "a b/ü.jpg"),
        ("./a/./1.jpg", "a/1.jpg"),
        ("a\\1.jpg", "a/1.jpg"),
        ("..jpg", "..jpg"),
        ("...", "..."),
        ("Screenshot 3.00\u202fPM.png", "Screenshot 3.00\u202fPM.png"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_name_leads_to_a_file_of_the_folder(name: str, expected: str) -> None:
    assert inside(ROOT, name, "list.txt") == ROOT / expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../1.jpg",
        "../../etc/passwd",
        "a/../../1.jpg",
        "a/..",
        "..\\1.jpg",
        "/etc/passwd",
        "//host/share/1.jpg",
        "\\1.jpg",
        "C:\\1.jpg",
        "C:1.jpg",
        "a\0.jpg",
        "x" * 256,
        "ü" * 128,
        "a/" * 600,
        "half \ud83d.jpg",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        inside(ROOT, name, "list.txt", 7)
    assert str(caught.value) == f"list.txt:7: expected the name of a file in '{ROOT}', got {name!r}"
