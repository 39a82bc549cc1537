from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.nmt.files import Files

PAIRS = [("ein Hund", "a dog"), ("zwei\u2028Hunde", "two dogs"), ("", "")]


def write(prefix: Path, pairs: list[tuple[str, str]] = PAIRS) -> None:
    for ending, lines in zip(("de", "en"), zip(*pairs, strict=True), strict=True):
        Path(f"{prefix}.{ending}").write_text("".join(f"{line}\n" for line in lines), newline="")


def files(folder: Path, train: str = "train", valid: str = "train", test: str = "train") -> Files:
    return Files(
        train=str(folder / train),
        valid=str(folder / valid),
        test=str(folder / test),
        source="de",
        target="en",
    )


def test_two_files_a_split(tmp_path: Path) -> None:
    write(tmp_path / "train")
    write(tmp_path / "val.tok", PAIRS[:2])
    write(tmp_path / "test", PAIRS[:1])
    data = files(tmp_path, valid="val.tok", test="test")
    assert data.pairs() == {"train": PAIRS, "valid": PAIRS[:2], "test": PAIRS[:1]}
    assert data.languages == ("de", "en")


def test_the_other_way_round(tmp_path: Path) -> None:
    write(tmp_path / "a")
    prefix = str(tmp_path / "a")
    data = Files(train=prefix, valid=prefix, test=prefix, source="en", target="de")
    assert data.pairs()["test"] == [(english, german) for german, english in PAIRS]


def test_packed_files_are_found(tmp_path: Path) -> None:
    write(tmp_path / "train")
    plain = tmp_path / "train.de"
    (tmp_path / "train.de.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert files(tmp_path).pairs()["train"] == PAIRS


def test_the_plain_file_is_preferred_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "train")
    (tmp_path / "train.de.gz").write_bytes(gzip.compress(b"anders\n"))
    with caplog.at_level(logging.WARNING):
        assert files(tmp_path).pairs()["train"] == PAIRS
    side = tmp_path / "train.de"
    assert caplog.messages[0] == f"both '{side}' and '{side}.gz' exist; reading the plain one"


@pytest.mark.parametrize("packed", [False, True])
def test_tab_separated(tmp_path: Path, packed: bool) -> None:
    raw = "".join(f"{source}\t{target}\n" for source, target in PAIRS).encode()
    name = "all.tsv.gz" if packed else "all.tsv"
    (tmp_path / name).write_bytes(gzip.compress(raw) if packed else raw)
    assert files(tmp_path, name, name, name).pairs()["valid"] == PAIRS


def test_json_lines(tmp_path: Path) -> None:
    rows = [json.dumps({"id": 1, "en": target, "de": source}) for source, target in PAIRS]
    (tmp_path / "all.jsonl").write_text("\n".join(rows))
    assert files(tmp_path, "all.jsonl", "all.jsonl", "all.jsonl").pairs()["test"] == PAIRS


def test_a_prefix_that_ends_like_a_format_is_still_a_prefix(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv")
    assert files(tmp_path, *["train.tsv"] * 3).pairs()["train"] == PAIRS


def test_different_numbers_of_lines_say_both(tmp_path: Path) -> None:
    write(tmp_path / "train")
    write(tmp_path / "bad")
    (tmp_path / "bad.en").write_text("a dog\n")
    with pytest.raises(InputError) as caught:
        files(tmp_path, valid="bad").pairs()
    assert str(caught.value) == (
        f"{tmp_path}/bad.de: 3 lines, but '{tmp_path}/bad.en' has 1; "
        "line n of one must be the translation of line n of the other"
    )


def test_a_name_may_end_as_a_language_does(tmp_path: Path) -> None:
    write(tmp_path / "from.de")
    (tmp_path / "from.de").write_text("no side of it\n")
    assert files(tmp_path, "from.de", "from.de", "from.de").pairs()["train"] == PAIRS


def test_all_missing_files_are_named_with_what_there_is(tmp_path: Path) -> None:
    write(tmp_path / "train")
    (tmp_path / "valid.de").write_text("x\n")
    with pytest.raises(UsageError) as caught:
        files(tmp_path, train="train.de", valid="valid", test="no/test").pairs()
    train, valid, test = (tmp_path / name for name in ("train.de", "valid", "no/test"))
    assert caught.value.problems == (
        f"data.train: '{train}' is the text of one language; name those of both without their endings, "
        f"'{tmp_path}/train'",
        f"data.valid: neither '{valid}.en' nor '{valid}.en.gz' exists; "
        f"the folder '{tmp_path}' holds valid.de",
        f"data.test: neither '{test}.de' nor '{test}.de.gz' exists; there is no folder '{tmp_path}/no'",
        f"data.test: neither '{test}.en' nor '{test}.en.gz' exists; there is no folder '{tmp_path}/no'",
    )


@pytest.mark.parametrize(
    ("name", "second", "problem"),
    [
        ("a.tsv", "ein Hund", "expected two columns separated by a tab, got 1"),
        ("a.tsv", "ein\tHund\ta dog", "expected two columns separated by a tab, got 3"),
        ("a.jsonl", "{", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("a.jsonl", '{"de": "x", "en": "\\ud83d"}', "expected whole characters, got half of one, '\\ud83d'"),
        ("a.jsonl", '{"de": "x"}', "expected an object with a text under 'en', got the keys de"),
        ("a.jsonl", '{"de": 1, "en": "x"}', "expected an object with a text under 'de', got the keys de, en"),
        ("a.jsonl", '["x", "y"]', "expected an object with a text under 'de', got a list"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, name: str, second: str, problem: str) -> None:
    first = "x\ty" if name == "a.tsv" else '{"de": "x", "en": "y"}'
    (tmp_path / name).write_text(f"{first}\n{second}\n")
    with pytest.raises(InputError) as caught:
        files(tmp_path, name, name, name).pairs()
    assert str(caught.value) == f"{tmp_path}/{name}:2: {problem}"
