from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rnnx.cli.app import app
from tests.runs import write_run


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``rnnx compare`` in a folder with four runs."""
    for cell, seed, loss in (("gru", 1, 1.0), ("gru", 2, 1.5), ("lstm", 1, 3.0), ("lstm", 2, 3.5)):
        words = ("task=lm", f"cell={cell}", f"seed={seed}")
        scores = {"loss": loss, "perplexity": 2.0 * loss}
        write_run(tmp_path / "runs" / f"{cell}-{seed}", *words, test=scores, valid=scores)
    monkeypatch.chdir(tmp_path)

    def _compare(*words: str) -> Result:
        return CliRunner().invoke(app, ["compare", *words])

    return _compare


def models(shown: str) -> list[str]:
    return [line.split()[0] for line in shown.splitlines()[2:4]]


def test_all_runs_are_compared_by_their_test_metrics(compare) -> None:
    done = compare()
    assert (done.exit_code, done.stderr) == (0, "")
    title, head, *rows = done.stdout.splitlines()
    assert title == "lm on toy"
    assert head.split() == [
        *["model", "seeds", "perplexity", "↓", "loss", "↓", "parameters", "minutes", "train", "tokens/s"]
    ]
    assert rows[0].split()[:8] == ["gru", "2", "2.500", "±", "0.707", "1.250", "±", "0.354"]
    assert models(done.stdout) == ["gru", "lstm"]


def test_some_runs_some_metrics_and_an_order(compare) -> None:
    done = compare("gru-1", "runs/lstm-1", "--metric", "valid/loss", "--metric", "loss", "--sort", "model")
    assert done.stdout.splitlines()[1].split()[2:6] == ["valid/loss", "↓", "loss", "↓"]
    assert "too few seeds" in done.stdout
    assert models(compare("--sort", "seconds").stdout) == ["gru", "lstm"]


def test_each_table_has_its_own_metrics_once_the_monitor_first(compare, tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "nmt-1", "task=nmt", test={"loss": 2.0, "chrf": 50.0, "bleu": 30.0})
    write_run(
        tmp_path / "runs" / "files-1",
        "task=lm",
        "data=files",
        "data.text=x",
        test={"loss": 1.0, "perplexity": 2.0},
    )
    done = compare("gru-1", "nmt-1", "files-1", "--markdown")
    heads = [line for line in done.stdout.splitlines() if line.startswith("| model")]
    assert heads == [
        f"| model | seeds | {metrics} | parameters | minutes | train tokens/s |"
        for metrics in ("perplexity ↓ | loss ↓", "bleu ↑ | loss ↓ | chrf ↑", "perplexity ↓ | loss ↓")
    ]


def test_a_metric_that_is_asked_for_twice_is_shown_once(compare) -> None:
    done = compare("--metric", "loss", "--metric", "test/loss")
    assert done.stdout.splitlines()[1].split()[:5] == ["model", "seeds", "loss", "↓", "parameters"]


@pytest.fixture
def tagged(tmp_path: Path) -> None:
    """Two runs of ner with long labels and many metrics."""
    for seed, f1 in (("1", 70.58), ("2", 71.58)):
        words = ("task=ner", "cell=lstm", f"seed={seed}", "cell.hidden_size=333", "optimizer.lr=0.0125")
        scores = {"f1": f1, "precision": 75.25, "recall": 65.5, "accuracy": 0.9375, "loss": 0.5}
        write_run(tmp_path / "runs" / f"ner-{seed}", *words, test=scores)
    write_run(tmp_path / "runs" / "ner-3", "task=ner", "cell=lstm", test={"f1": 50.0})


@pytest.mark.usefixtures("tagged")
@pytest.mark.parametrize(
    ("width", "shown", "rate", "others"),
    [
        (80, ["f1"], "", "precision, recall, accuracy, loss, train tokens/s"),
        (120, ["f1", "precision", "recall"], " 1,234", "accuracy, loss"),
    ],
)
def test_a_terminal_has_whole_numbers_and_the_names_of_what_it_has_no_room_for(
    compare, monkeypatch: pytest.MonkeyPatch, width: int, shown: list[str], rate: str, others: str
) -> None:
    for name, value in {"TERM": "xterm", "FORCE_COLOR": "1", "COLUMNS": str(width)}.items():
        monkeypatch.setenv(name, value)
    lines = re.sub(r"\x1b\[[\d;]*m", "", compare("ner-1", "ner-2", "ner-3").stdout).splitlines()
    assert max(map(len, lines)) <= width
    heads = lines[1].replace(" ↑", "").replace(" ↓", "").split()
    costs = ["parameters", "minutes", *(["train", "tokens/s"] if rate else [])]
    assert heads == ["model", "hidden_size", "lr", "seeds", *shown, *costs]
    numbers = {"f1": "71.08 ± 0.71", "precision": "75.25 ± 0.00", "recall": "65.50 ± 0.00"}
    row = " ".join(lines[2].split())
    assert row == f"lstm 333 0.0125 2 {' '.join(numbers[name] for name in shown)} 4,321 1.5{rate}"
    text = " ".join(" ".join(lines).split())
    assert f"also there: {others}; --metric NAME shows a metric, --csv all" in text


@pytest.mark.usefixtures("tagged")
def test_where_there_is_no_terminal_all_columns_are_there(compare) -> None:
    head = compare("ner-1", "ner-3").stdout.splitlines()[1]
    assert {"f1", "precision", "recall", "accuracy", "loss", "tokens/s"} < set(head.split())
    assert "also there" not in compare("ner-1", "ner-3").stdout


def test_results_are_read_without_torch(compare) -> None:
    program = (
        "import sys; from rnnx.cli.app import app; "
        "app(['compare'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lm on toy")
    assert not {"torch", "lightning"} & set(done.stdout.split())


def test_every_format_is_whole(compare) -> None:
    assert [row["model"] for row in csv.DictReader(compare("--csv").stdout.splitlines())] == [
        "gru",
        "lstm",
    ]
    [table] = json.loads(compare("--json").stdout)
    assert [row["model"] for row in table["rows"]] == ["gru", "lstm"]
    assert compare("--markdown").stdout.startswith("**lm on toy**\n\n| model |")
    assert compare("--latex").stdout.startswith(r"\begin{table}")


def test_the_baseline_is_named(compare) -> None:
    assert "baseline: lstm" in compare("--baseline", "lstm-2").stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("gone",), "no run 'gone'"),
        (("--json", "--csv"), "--json, --csv: expected one of them, as there is one answer"),
        (("--metric", "los"), "test/los: no run has such a metric; did you mean 'test/loss'?"),
        (("--sort", "speed"), "test/speed: no run has such a metric"),
        (("--baseline", "gur"), "no row and no run is called 'gur'; did you mean 'gru'?"),
        (("--out", "elsewhere"), "there are none yet in elsewhere"),
    ],
)
def test_what_is_wrong_is_told(compare, words: tuple[str, ...], problem: str) -> None:
    done = compare(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert problem in done.stderr


def test_an_option_that_all_have_is_a_column_and_others_stand_with_the_model(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    some = (("gru", 1, 20, "1"), ("gru", 2, 50, "2"), ("lstm", 1, 20, "3"), ("lstm", 1, 50, "4"))
    for cell, layers, length, name in some:
        words = [
            "task=memory",
            "data=adding",
            f"cell={cell}",
            f"net.layers={layers}",
            f"data.length={length}",
        ]
        bias = [f"cell.forget_bias={int(name)}.0"] if cell == "lstm" else []
        write_run(tmp_path / "lengths" / name, *words, *bias, test={"loss": float(name)})
    done = CliRunner().invoke(app, ["compare", "lengths"])
    assert (done.exit_code, done.stderr) == (0, "")
    _, head, *rows = done.stdout.splitlines()
    assert re.split("  +", head)[:5] == ["model", "length", "layers", "seeds", "loss ↓"]
    assert [re.split("  +", row)[:5] for row in rows[:4]] == [
        ["gru", "20", "1", "1", "1.000"],
        ["gru", "50", "2", "1", "2.000"],
        ["lstm forget_bias=3.0", "20", "1", "1", "3.000"],
        ["lstm forget_bias=4.0", "50", "1", "1", "4.000"],
    ]
    told = json.loads(CliRunner().invoke(app, ["compare", "lengths", "lengths/1", "--json"]).stdout)
    assert [row["model"] for row in told[0]["rows"]][:2] == [
        "gru length=20 layers=1",
        "gru length=50 layers=2",
    ]
    assert [len(row["runs"]) for row in told[0]["rows"]] == [1, 1, 1, 1]
