from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy import stats

from rnnx.core.comparing.comparison import Table, chosen, compare
from rnnx.core.comparing.record import Record
from rnnx.core.errors import UsageError
from tests.runs import NOT_ENDED, write_run

Runs = Callable[..., Record]
LOSSES = {"gru": [1.0, 2.0, 3.0], "lstm": [0.5, 0.7, 0.75], "elman": [0.6, 0.8, 0.9]}


@pytest.fixture
def run(tmp_path: Path) -> Runs:
    """Writes a run, and reads it."""

    def _run(name: str, *words: str, **content: object) -> Record:
        return Record.read(write_run(tmp_path / name, *words, **content))

    return _run


@pytest.fixture
def losses(run: Runs) -> list[Record]:
    """Three cells over three seeds."""
    return [
        run(
            f"{cell}-{seed}",
            "task=lm",
            f"cell={cell}",
            f"seed={seed}",
            test={"loss": loss, "perplexity": math.exp(loss)},
        )
        for cell, values in LOSSES.items()
        for seed, loss in enumerate(values, 1)
    ]


def labels(table: Table) -> list[str]:
    return [row.label for row in table.rows]


def test_runs_that_differ_in_their_seed_are_one_row(losses: list[Record]) -> None:
    [table] = compare(losses)
    assert (table.task, table.data) == ("lm", "toy")
    assert [metric.name for metric in table.metrics] == ["test/perplexity", "test/loss"]  # the monitor first
    assert labels(table) == ["lstm", "elman", "gru"]  # the lowest perplexity first
    assert {row.label: row.scores("test/loss") for row in table.rows} == LOSSES
    assert [row.seeds for row in table.rows] == [3, 3, 3]
    assert table.differing == ["cell.name"]
    assert table.rows[0].parameters == 4321
    assert table.rows[0].measured("seconds", "fit") == 90.0
    assert table.rows[0].measured("throughput", "unknown") is None


def test_differences_are_from_the_best_row_and_corrected(losses: list[Record]) -> None:
    [table] = compare(losses)
    metric = table.metrics[1]
    found = table.differences(metric)
    raw = {
        cell: stats.ttest_ind(LOSSES[cell], LOSSES["lstm"], equal_var=False).pvalue
        for cell in ("gru", "elman")
    }
    assert set(found) == {"gru", "elman"}
    assert found["gru"] is not None
    assert found["elman"] is not None
    assert found["gru"].mean == pytest.approx(2.0 - 1.95 / 3)
    smaller, larger = sorted(raw.values())
    assert sorted(one.p for one in found.values() if one) == pytest.approx([min(2 * smaller, larger), larger])


@pytest.mark.parametrize("name", ["gru", "gru-2"])
def test_differences_are_from_the_row_that_is_asked_for(losses: list[Record], name: str) -> None:
    [table] = compare(losses, name)
    found = table.differences(table.metrics[1])
    assert set(found) == {"lstm", "elman"}
    assert found["lstm"] is not None
    assert found["lstm"].mean == pytest.approx(1.95 / 3 - 2.0)
    assert labels(table) == ["lstm", "elman", "gru"]


def test_rows_that_read_other_data_are_not_tested(run: Runs) -> None:
    """Neither against the best nor against a baseline; how many rows are read at once is no other data."""
    records = [
        run(
            f"{cell}-{length}-{size}-{seed}",
            *("task=memory", "data=adding", f"cell={cell}", f"data.length={length}", f"seed={seed}"),
            f"data.batch_size={size}",
            test={"loss": loss + seed},
        )
        for cell, length, size, loss in (("gru", 20, 5, 0.0), ("lstm", 20, 6, 9.0), ("lstm", 50, 5, 9.0))
        for seed in (1, 2, 3)
    ]
    here, there = "lstm batch_size=6 length=20", "lstm batch_size=5 length=50"
    [table] = compare(records)
    found = table.differences(table.metrics[0])
    assert {label: difference is not None for label, difference in found.items()} == {
        here: True,
        there: False,
    }
    [table] = compare(records, "lstm-50-5-1")
    assert set(table.differences(table.metrics[0]).values()) == {None}


def test_a_baseline_that_is_not_there_is_refused(losses: list[Record]) -> None:
    with pytest.raises(UsageError, match="no row and no run is called 'lstn'; did you mean 'lstm'"):
        compare(losses, "lstn")


def test_the_task_says_which_direction_is_better(run: Runs) -> None:
    records = [
        run("a", "task=nmt", "cell=gru", test={"loss": 1.0, "bleu": 30.0, "perplexity": 2.0, "chrf": 9.0}),
        run("b", "task=nmt", "cell=lstm", test={"loss": 2.0, "bleu": 40.0, "perplexity": 3.0, "chrf": 8.0}),
    ]
    [table] = compare(records)
    assert labels(table) == ["lstm", "gru"]
    best = {metric.name: row.label for metric in table.metrics if (row := table.best(metric))}
    assert best == {"test/bleu": "lstm", "test/loss": "gru", "test/perplexity": "gru", "test/chrf": "gru"}


def test_a_seed_that_was_run_twice_counts_once(run: Runs) -> None:
    records = [
        run("a", "task=lm", "seed=1", test={"loss": 1.0}),
        run("b", "task=lm", "seed=1", test={"loss": 2.0}),
        run("c", "task=lm", "seed=2", test={"loss": 4.0}),
    ]
    [table] = compare([*records, records[2]])
    [row] = table.rows
    assert row.scores("test/loss") == [1.5, 4.0]
    assert row.seeds == 2
    assert [record.name for record in row.records] == ["a", "b", "c"]


def test_a_row_is_called_by_what_it_alone_is(run: Runs) -> None:
    records = [
        run("a", "task=lm", "cell=gru", "cell.hidden_size=8", "optimizer=sgd", test={"loss": 1.0}),
        run("b", "task=lm", "cell=gru", "cell.hidden_size=16", "optimizer=sgd", test={"loss": 2.0}),
        run(
            "c",
            "task=lm",
            "cell=lstm",
            "cell.hidden_size=24",
            "net.layers=2",
            "optimizer=sgd",
            test={"loss": 3.0},
        ),
        run("d", "task=lm", "cell=lstm", "cell.hidden_size=24", "net.layers=2", test={"loss": 4.0}),
    ]
    [table] = compare(records)
    assert sorted(labels(table)) == [
        "gru hidden_size=16 optimizer=sgd layers=1",
        "gru hidden_size=8 optimizer=sgd layers=1",
        "lstm optimizer=adam layers=2",  # its hidden size is the same in all of its runs
        "lstm optimizer=sgd layers=2",
    ]
    assert "cell.hidden_size" in table.differing
    assert "cell.reset" not in table.differing  # that an LSTM has no such option is no difference


def test_what_a_row_has_not_is_said_where_it_alone_tells_two_apart(run: Runs, tmp_path: Path) -> None:
    """As a run of an earlier version, which had no such option."""
    words = "task=lm", "cell=gru"
    records = [run("a", *words), run("b", *words, "trainer.max_time=00:01:00:00")]
    assert sorted(labels(compare(records)[0])) == ["gru", "gru max_time=00:01:00:00"]
    earlier = write_run(tmp_path / "c", *words)
    text = (earlier / "config.yaml").read_text()
    (earlier / "config.yaml").write_text(text.replace("  max_time: null\n", ""))
    (table,) = compare([*records, Record.read(earlier)])
    assert sorted(labels(table)) == ["gru", "gru max_time=00:01:00:00", "gru max_time=null"]


def test_where_parameters_are_matched_the_size_is_not_the_users(run: Runs) -> None:
    records = [
        run("a", "task=lm", "cell=gru", "net.match=1e4", "cell.hidden_size=8", test={"loss": 1.0}),
        run("b", "task=lm", "cell=gru", "net.match=2e4", "cell.hidden_size=16", test={"loss": 2.0}),
    ]
    [table] = compare(records)
    assert labels(table) == ["gru match=10000.0", "gru match=20000.0"]


def test_names_loggers_and_checkpoints_make_no_other_row(run: Runs) -> None:
    records = [
        run("a", "task=lm", "logger=csv", "seed=1", test={"loss": 1.0}),
        run("b", "task=lm", "logger=none", "checkpoint.every_n_train_steps=3", "seed=2", test={"loss": 2.0}),
        run("c", "task=lm", "checkpoint.save_top_k=3", "seed=3", test={"loss": 3.0}),
    ]
    [table] = compare(records)
    assert labels(table) == ["gru"]
    assert table.differing == []


def test_what_chose_the_best_model_makes_another_row(run: Runs) -> None:
    records = [
        run("a", "task=lm", test={"loss": 1.0}),
        run("b", "task=lm", "checkpoint.monitor=loss", test={"loss": 2.0}),
        run("c", "task=lm", "baseline=ngram", "checkpoint.monitor=loss", test={"loss": 3.0}),
        run("d", "task=lm", "baseline=ngram", "seed=2", test={"loss": 3.0}),
    ]
    [table] = compare(records)
    assert sorted(labels(table)) == ["gru", "gru monitor=loss", "ngram"]


def test_a_baselines_row_has_nothing_of_nets(run: Runs) -> None:
    records = [
        run("a", "task=lm", "baseline=ngram", "net.layers=3", "seed=1", test={"loss": 2.0}),
        run("b", "task=lm", "baseline=ngram", "net.layers=2", "seed=2", test={"loss": 2.0}),
        run("c", "task=lm", "cell=lstm", test={"loss": 1.0}),
    ]
    [table] = compare(records)
    assert labels(table) == ["ngram", "lstm"] or labels(table) == ["lstm", "ngram"]
    assert {row.label: row.seeds for row in table.rows} == {"ngram": 2, "lstm": 1}


def test_tasks_and_kinds_of_data_have_tables_of_their_own(run: Runs) -> None:
    records = [
        run("a", "task=lm", test={"loss": 1.0}),
        run("b", "task=nmt", test={"loss": 1.0}),
        run("c", "task=lm", "data=files", "data.text=x", test={"loss": 1.0}),
        run("d", "task=lm", "seed=2", test={"loss": 1.0}),
    ]
    tables = compare(records)
    assert [(table.task, table.data, len(table.records)) for table in tables] == [
        ("lm", "toy", 2),
        ("nmt", "toy", 1),
        ("lm", "files", 1),
    ]


def test_a_run_without_a_result_is_a_row_at_the_end(run: Runs) -> None:
    records = [
        run("a", "task=lm", "cell=lstm"),
        run("b", "task=lm", "cell=gru", "seed=1", test={"loss": 1.0, "perplexity": 2.0}),
        run("c", "task=lm", "cell=gru", "seed=2"),
        run("d", "task=lm", "cell=elman", test={"loss": 1.0, "perplexity": math.inf}),
    ]
    [table] = compare(records)
    assert labels(table) == ["gru", "lstm", "elman"] or labels(table) == ["gru", "elman", "lstm"]
    gru = table.rows[0]
    assert (gru.seeds, len(gru.records), len(gru.failures)) == (1, 2, 1)
    lstm = next(row for row in table.rows if row.label == "lstm")
    assert (lstm.seeds, lstm.parameters, lstm.measured("seconds", "fit")) == (0, None, None)
    assert lstm.failures == [f"{(folder := records[0].folder)}: {NOT_ENDED} {folder}"]
    assert table.best(table.metrics[0]) is gru


def test_where_nothing_has_ended_there_are_no_metrics(run: Runs) -> None:
    [table] = compare([run("a", "task=lm")])
    assert (table.metrics, labels(table)) == ([], ["gru"])


def test_rows_are_sorted_by_what_is_asked_for(run: Runs) -> None:
    records = [
        run("a", "task=nmt", "cell=gru", test={"bleu": 3.0, "loss": 1.0}, parameters=9, seconds={"fit": 5.0}),
        run(
            "b", "task=nmt", "cell=lstm", test={"bleu": 2.0, "loss": 3.0}, parameters=8, seconds={"fit": 6.0}
        ),
        run(
            "c",
            "task=nmt",
            "cell=elman",
            test={"bleu": 1.0, "loss": 2.0},
            parameters=10,
            seconds={"fit": 4.0},
        ),
        run("d", "task=nmt", "cell=mut1"),
    ]
    [table] = compare(records)
    for key, expected in {
        "test/bleu": ["gru", "lstm", "elman", "mut1"],
        "test/loss": ["gru", "elman", "lstm", "mut1"],
        "parameters": ["lstm", "gru", "elman", "mut1"],
        "seconds": ["elman", "gru", "lstm", "mut1"],
        "model": ["elman", "gru", "lstm", "mut1"],
    }.items():
        assert labels(table.by(key)) == expected, key


def test_metrics_are_chosen_by_name(losses: list[Record]) -> None:
    tables = compare(losses)
    assert chosen(tables, ["loss", "test/perplexity"]) == ["test/loss", "test/perplexity"]
    with pytest.raises(UsageError, match="test/los: no run has such a metric; did you mean 'test/loss'"):
        chosen(tables, ["los"])
