from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest
from scipy import stats

from rnnx.cli.scoreboard import Scoreboard, as_csv, as_latex, as_markdown, as_plain
from rnnx.core.comparing.comparison import compare
from rnnx.core.comparing.record import Record
from tests.runs import write_run

BLEU = {"gru": [30.0, 31.0, 32.5], "lstm": [40.0, 41.0, 42.0]}


@pytest.fixture
def board(tmp_path: Path) -> Callable[..., Scoreboard]:
    """Two cells over seeds, and a run that has not ended; the metrics that are asked for."""

    def _board(*metrics: str, baseline: str | None = None, seeds: int = 3) -> Scoreboard:
        folders = [
            write_run(
                tmp_path / f"{cell}-{seed}",
                "task=nmt",
                f"cell={cell}",
                f"seed={seed}",
                test={"bleu": bleu, "loss": 1.0 / seed},
                valid={"bleu": bleu / 2},
            )
            for cell, scores in BLEU.items()
            for seed, bleu in list(enumerate(scores, 1))[:seeds]
        ]
        folders.append(write_run(tmp_path / "e", "task=nmt", "cell=elman"))
        [table] = compare([Record.read(folder) for folder in folders], baseline)
        return Scoreboard.of(table, metrics)

    return _board


def test_a_row_has_means_spreads_and_costs(board: Callable[..., Scoreboard]) -> None:
    shown = board("test/bleu", "valid/bleu")
    assert shown.headings == [
        "model",
        "seeds",
        "bleu ↑",
        "valid/bleu ↑",
        "parameters",
        "minutes",
        "train tokens/s",
    ]
    deviation = stdev(BLEU["gru"])
    assert [shown.cells(row, "<{}>") for row in shown.table.rows] == [
        ["lstm", "3", "<41.00 ± 1.00>", "<20.50 ± 0.50>", "4,321", "1.5", "1,234"],
        [
            "gru",
            "3",
            f"31.17 ± {deviation:.2f} *",
            f"15.58 ± {deviation / 2:.2f} *",
            "4,321",
            "1.5",
            "1,234",
        ],
        ["elman", "0", "no result", "", "", "", ""],
    ]


def test_metrics_after_the_first_are_spared_before_costs(board: Callable[..., Scoreboard]) -> None:
    assert list(board("test/bleu", "valid/bleu", "test/loss").spare.items()) == [
        *[(5, "parameters"), (6, "minutes"), (7, "train tokens/s")],
        *[(3, "valid/bleu"), (4, "loss")],
    ]


def test_without_metrics_the_costs_may_be_spared(board: Callable[..., Scoreboard]) -> None:
    assert board().spare == {2: "parameters", 3: "minutes", 4: "train tokens/s"}


def test_notes_name_the_test_and_the_runs_without_a_result(board: Callable[..., Scoreboard]) -> None:
    deviation, difference, chosen, failure = board("test/bleu").notes
    assert deviation == "±: the standard deviation over seeds"
    assert difference.startswith("*: differs from the best with p < 0.05 (Welch's t-test over seeds")
    assert "Benjamini and Hochberg" in difference
    assert "--baseline NAME" in chosen
    assert "e: there is no result.json" in failure


def test_notes_name_the_baseline(board: Callable[..., Scoreboard]) -> None:
    notes = board("test/bleu", baseline="gru-1").notes
    assert notes[1].startswith("*: differs from the baseline")
    assert notes[2] == "baseline: gru"


def test_of_one_seed_the_notes_say_that_there_are_too_few(board: Callable[..., Scoreboard]) -> None:
    shown = board("test/bleu", seeds=1)
    assert shown.notes[0].startswith("too few seeds to test differences")
    assert shown.cells(shown.table.rows[0])[2] == "40.00"


def test_notes_say_where_the_data_are_others(tmp_path: Path) -> None:
    """What is read, and in which units; not how many rows of it at once."""
    words = ("task=lm", "data=files", "data.train=a", "data.valid=b")
    runs = {
        "one": ("data.test=c", "data.level=char", "data.batch_size=3"),
        "two": ("data.test=d", "data.level=word", "data.batch_size=4"),
        "three": ("data.test=d", "data.level=word", "data.batch_size=5"),
    }
    folders = [write_run(tmp_path / name, *words, *more, test={"loss": 1.0}) for name, more in runs.items()]

    def notes(*folders: Path) -> list[str]:
        [table] = compare([Record.read(folder) for folder in folders])
        return Scoreboard.of(table, ["test/loss"]).notes

    *_, told = notes(*folders)
    assert told == (
        "the data differ in data.level, data.test: scores on other tests, or in other units, do not compare, "
        "and no difference is tested between them"
    )
    assert not any("the data differ" in note for note in notes(*folders[1:]))
    words = ("task=memory", "data=adding")
    lengths = [
        write_run(tmp_path / f"{length}", *words, f"data.length={length}", test={"loss": 1.0})
        for length in (20, 50)
    ]
    assert notes(*lengths)[-1].startswith("the data differ in data.length: scores on other tests")


@pytest.fixture
def lengths(tmp_path: Path) -> Scoreboard:
    """Two cells on data of two lengths, over three seeds; an option that but one cell has."""
    losses = {("gru", 20): 0.1, ("lstm", 20): 0.4, ("gru", 50): 0.7, ("lstm", 50): 0.9}
    folders = []
    for (cell, length), loss in losses.items():
        words = ["task=memory", "data=adding", f"cell={cell}", f"data.length={length}"]
        bias = [f"cell.forget_bias={length / 10}"] if cell == "lstm" else []
        folders += [
            write_run(
                tmp_path / f"{cell}-{length}-{seed}",
                *words,
                *bias,
                f"seed={seed}",
                test={"loss": loss + seed / 100},
            )
            for seed in (1, 2, 3)
        ]
    [table] = compare([Record.read(folder) for folder in folders])
    return Scoreboard.of(table, ["test/loss"])


def test_an_option_of_all_rows_is_a_column_in_every_form(lengths: Scoreboard) -> None:
    """As those who read the table with a program, or in a paper, look for the lengths in one place."""
    assert lengths.headings[:4] == ["model", "length", "seeds", "loss ↓"]
    expected = [["gru", "20"], ["lstm forget_bias=2.0", "20"], ["gru", "50"], ["lstm forget_bias=5.0", "50"]]
    assert [lengths.cells(row)[:2] for row in lengths.table.rows] == expected
    written = [line.strip("| ").split(" | ") for line in as_markdown([lengths]).splitlines()]
    assert [row[:2] for row in written if len(row) > 6] == [["model", "length"], ["---", "---"], *expected]
    text = as_latex([lengths])
    found = [line.split(" & ")[:2] for line in text.splitlines() if line.endswith(r"\\")]
    assert found[1:] == [[label.replace("_", r"\_"), length] for label, length in expected]
    assert r"\begin{tabular}{lrrrrrr}" in text


def test_throughput_is_of_what_the_task_counts(lengths: Scoreboard, board: Callable[..., Scoreboard]) -> None:
    """Of the adding problem that is an answer a sequence, whatever its length."""
    assert lengths.headings[-1] == "train answers/s"
    assert board("test/bleu").headings[-1] == "train tokens/s"


def test_csv_has_a_column_for_each_option_that_any_row_has(lengths: Scoreboard) -> None:
    rows = list(csv.DictReader(as_csv([lengths]).splitlines(), strict=True))
    assert [(row["model"], row["data.length"], row["cell.forget_bias"]) for row in rows] == [
        ("gru", "20", ""),
        ("lstm", "20", "2.0"),
        ("gru", "50", ""),
        ("lstm", "50", "5.0"),
    ]


def test_no_difference_is_tested_between_rows_of_other_data(lengths: Scoreboard) -> None:
    best, alike, *others = csv.DictReader(as_csv([lengths]).splitlines(), strict=True)
    samples = [[loss + seed / 100 for seed in (1, 2, 3)] for loss in (0.1, 0.4)]
    p = stats.ttest_ind(*samples, equal_var=False).pvalue  # the one test, which nothing corrects
    assert float(alike["test/loss p"]) == pytest.approx(p)
    assert [row["test/loss p"] for row in (best, *others)] == ["", "", ""]
    assert [lengths.cells(row)[3].endswith(" *") for row in lengths.table.rows] == [False, True, False, False]
    assert "no difference is tested between them" in as_latex([lengths])


def test_where_no_row_has_the_data_of_the_best_the_seeds_are_not_to_blame(tmp_path: Path) -> None:
    words = ("task=memory", "data=adding")
    folders = [
        write_run(
            tmp_path / f"{length}-{seed}",
            *words,
            f"data.length={length}",
            f"seed={seed}",
            test={"loss": 1.0 / seed},
        )
        for length in (20, 50)
        for seed in (1, 2)
    ]
    [table] = compare([Record.read(folder) for folder in folders])
    notes = Scoreboard.of(table, ["test/loss"]).notes
    assert [note.partition(":")[0] for note in notes] == ["±", "the data differ in data.length"]


def test_csv_is_the_numbers(board: Callable[..., Scoreboard]) -> None:
    rows = list(csv.DictReader(as_csv([board("test/bleu", "test/loss")]).splitlines(), strict=True))
    lstm, gru, elman = rows
    assert [row["model"] for row in rows] == ["lstm", "gru", "elman"]
    assert float(gru["test/bleu"]) == mean(BLEU["gru"])
    assert float(gru["test/bleu deviation"]) == stdev(BLEU["gru"])
    assert float(gru["test/bleu p"]) == pytest.approx(stats.ttest_ind(*BLEU.values(), equal_var=False).pvalue)
    assert lstm["test/bleu p"] == ""
    assert (gru["task"], gru["data"], gru["seeds"], gru["seconds"]) == ("nmt", "toy", "3", "90.0")
    assert (elman["seeds"], elman["test/bleu"], elman["parameters"]) == ("0", "", "")


def test_csv_of_several_tables_has_the_columns_of_all(
    board: Callable[..., Scoreboard], tmp_path: Path
) -> None:
    [table] = compare([Record.read(write_run(tmp_path / "lm", "task=lm", test={"perplexity": 3.0}))])
    rows = list(
        csv.DictReader(as_csv([board("test/bleu"), Scoreboard.of(table, ["test/perplexity"])]).splitlines())
    )
    assert [row["task"] for row in rows] == ["nmt", "nmt", "nmt", "lm"]
    assert (rows[3]["test/perplexity"], rows[3]["test/bleu"], rows[0]["test/perplexity"]) == ("3.0", "", "")


def test_markdown_is_a_table_of_even_rows(board: Callable[..., Scoreboard]) -> None:
    lines = as_markdown([board("test/bleu")]).splitlines()
    table = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines if line.startswith("|")]
    assert {len(row) for row in table} == {6}
    assert [cell.strip() for cell in table[2]] == ["lstm", "3", "**41.00 ± 1.00**", "4,321", "1.5", "1,234"]
    assert table[3][2].strip() == r"31.17 ± 1.26 \*"
    assert lines[0] == "**nmt on toy**"
    assert any(line.startswith(r"\*: differs") for line in lines)


def test_latex_is_a_table_of_booktabs(board: Callable[..., Scoreboard]) -> None:
    text = as_latex([board("test/bleu", "valid/bleu")])
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    [columns] = re.findall(r"\\begin{tabular}{(\w+)}", text)
    rows = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if line.endswith(r"\\")]
    assert columns == "lrrrrrr"
    assert {len(row) for row in rows} == {7}
    assert rows[0][2] == r"bleu $\uparrow$"
    assert rows[1][:3] == ["lstm", "3", r"\textbf{41.00 $\pm$ 1.00}"]
    assert rows[2][2] == r"31.17 $\pm$ 1.26$^*$"
    assert text.count("{") == text.count("}")
    assert text.count("$") % 2 == 0
    assert text.isascii()


def test_latex_escapes_what_names_hold(tmp_path: Path) -> None:
    folders = [
        write_run(
            tmp_path / name, "task=lm", "data=files", f"data.text={text}", test={"bits_per_character": 1.0}
        )
        for name, text in (("a", r"50%_a&b#{\x}$1^~"), ("b", "b"))
    ]
    [table] = compare([Record.read(folder) for folder in folders])
    text = as_latex([Scoreboard.of(table, ["test/bits_per_character"])])
    assert r"gru text=50\%\_a\&b\#\{\textbackslash x\}\$1\textasciicircum \textasciitilde" in text.replace(
        r"\space", ""
    ).replace("  ", " ")
    assert r"bits\_per\_character $\downarrow$" in text


def test_what_programs_read_has_scores_and_tests(board: Callable[..., Scoreboard]) -> None:
    [table] = as_plain([board("test/bleu")])
    assert (table["task"], table["data"], table["baseline"]) == ("nmt", "toy", None)
    lstm, gru, elman = table["rows"]
    assert lstm["metrics"]["test/bleu"]["best"]
    assert lstm["metrics"]["test/bleu"]["difference"] is None
    told = gru["metrics"]["test/bleu"]
    assert told["scores"] == BLEU["gru"]
    assert told["difference"]["mean"] == pytest.approx(mean(BLEU["gru"]) - 41)
    low, high = told["difference"]["interval"]
    assert low < told["difference"]["mean"] < high < 0
    assert [Path(run).name for run in gru["runs"]] == ["gru-1", "gru-2", "gru-3"]
    assert elman["metrics"]["test/bleu"]["mean"] is None
    assert len(elman["failures"]) == 1


def test_a_score_that_is_not_finite_is_shown(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / "a", "task=lm", "seed=1", test={"loss": math.inf}),
        write_run(tmp_path / "b", "task=lm", "seed=2", test={"loss": 2.0}),
    ]
    [table] = compare([Record.read(folder) for folder in folders])
    shown = Scoreboard.of(table, ["test/loss"])
    assert shown.cells(table.rows[0])[2] == "inf ± nan"
