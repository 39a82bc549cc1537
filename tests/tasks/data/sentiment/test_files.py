"""Files of texts: which reader is chosen, and what is held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.sentiment.files import Files


def table(folder: Path, name: str = "train.tsv", rows: int = 40) -> str:
    file = folder / name
    file.write_text("".join(f"text {n}\t{('no', 'yes')[n % 2]}\n" for n in range(rows)))
    return str(file)


def test_each_split_has_a_format_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "dev.jsonl").write_text('{"text": "x", "label": "yes"}\n')
    for label in ("no", "yes"):
        (tmp_path / "test" / label).mkdir(parents=True)
        (tmp_path / "test" / label / "1.txt").write_text(f"said {label}")
    data = Files(train=table(tmp_path), valid=str(tmp_path / "dev.jsonl"), test=str(tmp_path / "test"))
    classes, texts = data.corpus()
    assert classes == ["no", "yes"]
    assert len(texts["train"]) == 40
    assert [(text.text, text.label) for text in texts["valid"]] == [("x", "yes")]
    assert [(text.text, text.label) for text in texts["test"]] == [("said no", "no"), ("said yes", "yes")]


def test_columns_are_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("stars,review\n1,bad\n5,good\n")
    data = Files(train=str(file), valid=str(file), test=str(file), text="review", label="stars")
    assert [(text.text, text.label) for text in data.texts()["train"]] == [("bad", "1"), ("good", "5")]


def test_some_training_texts_are_held_out(tmp_path: Path) -> None:
    train = table(tmp_path)
    everything = [f"text {n}" for n in range(40)]
    drawn = []
    for seed in (1, 1, 2):
        texts = Files(train=train, test=train, held_out=0.25, seed=seed).texts()
        kept, held = ([text.text for text in texts[split]] for split in ("train", "valid"))
        assert (len(kept), len(held)) == (30, 10)
        assert sorted(kept + held) == sorted(everything)
        assert kept == [text for text in everything if text in kept]
        assert [text.text for text in texts["test"]] == everything
        drawn.append(held)
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] != everything[:10]


def test_one_text_at_least_is_held_out(tmp_path: Path) -> None:
    train = table(tmp_path, rows=4)
    assert len(Files(train=train, test=train, held_out=0.01).texts()["valid"]) == 1


def test_one_text_at_least_is_left_to_train_on(tmp_path: Path) -> None:
    (tmp_path / "two.tsv").write_text("good\tpos\nbad\tneg\n")
    (tmp_path / "one.tsv").write_text("good\tpos\n")
    test = str(tmp_path / "two.tsv")
    found = Files(train=test, test=test, held_out=0.99).texts()
    assert (len(found["train"]), len(found["valid"])) == (1, 1)
    with pytest.raises(InputError) as caught:
        Files(train=str(tmp_path / "one.tsv"), test=test).texts()
    assert str(caught.value) == (
        f"{tmp_path / 'one.tsv'}: expected two texts at least, of which one is held out; got one"
    )


def test_faults_stop_the_run_or_are_left_out(tmp_path: Path) -> None:
    train = table(tmp_path)
    bad = tmp_path / "bad.tsv"
    bad.write_text("good\tyes\nno label\nodd\tmaybe\n")
    with pytest.raises(InputError, match=r"bad\.tsv:2: expected 2 columns, got 1"):
        Files(train=train, valid=str(bad), test=train).corpus()
    skipping = Files(train=train, valid=str(bad), test=train, skip=True)
    assert [text.text for text in skipping.corpus().texts["valid"]] == ["good"]


def test_all_problems_with_paths_are_named_at_once(tmp_path: Path) -> None:
    odd = tmp_path / "odd.txt"
    odd.write_text("x\n")
    data = Files(train=str(tmp_path / "none.tsv"), valid=str(odd), test=str(tmp_path / "no.tar.gz" / "train"))
    with pytest.raises(UsageError) as caught:
        data.corpus()
    assert caught.value.problems == (
        f"data.train: there is no file or folder '{tmp_path}/none.tsv'; check the path",
        f"data.valid: expected a folder, or a file in .tsv, .csv, .jsonl (or these and .gz), got '{odd}'",
        f"data.test: there is no file or folder '{tmp_path}/no.tar.gz/train'; check the path",
    )
