"""Arguments and options of commands, with what the shell offers for them."""

from __future__ import annotations

from typing import Annotated

import typer

from rnnx.cli import completion


def _refuse_no_picture(path: str | None) -> str | None:
    """A picture's name, refused where it is none before anything is measured."""
    if path is not None:
        from rnnx.core.paths import typed
        from rnnx.core.plots import format_of

        format_of(typed(path))
    return path


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORDS...",
        help="KEY=VALUE, such as cell=lstm or net.layers=2, and YAML files with such keys; the last wins.",
        autocompletion=completion.run_words,
    ),
]
MatrixWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORDS...",
        help="As of rnnx run; each may have several values, as cell=gru,lstm, task=all or net.layers=1,2; a "
        "list is in brackets, and a text with commas in quotes.",
        autocompletion=completion.run_words,
    ),
]
SweepWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORDS...",
        help="As of rnnx run, and what is searched: KEY=a,b,c or KEY=KIND:LOWEST..HIGHEST, where KIND is "
        "uniform, loguniform, int or logint.",
        autocompletion=completion.run_words,
    ),
]
PredictWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN... OPTION=VALUE...",
        help="Other runs or checkpoints, to answer together, and options of the task; `rnnx show task NAME` "
        "lists them.",
        autocompletion=completion.predict_words,
    ),
]
ViewWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="OPTION=VALUE...",
        help="Options of the view, with --terminal; the page has them beside it.",
    ),
]
BenchWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CELL... OPTION=VALUE...",
        help="Names of cells, all there are if you name none; and options of theirs, such as cell.depth=5.",
        autocompletion=completion.bench_words,
    ),
]
CheckWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="OPTION=VALUE...",
        help="Options of the data, such as data.train=FILE.",
        autocompletion=completion.data_words,
    ),
]
ResumeWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="OPTION=VALUE...",
        help="What is to be different from now on, such as trainer.max_epochs=20.",
        autocompletion=completion.run_words,
    ),
]
TestWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN... OPTION=VALUE...",
        help="Other runs or checkpoints, to be measured together; and what is to be different from the "
        "training, such as task.beam_size=10 or data.test=FILE.",
        autocompletion=completion.test_words,
    ),
]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's folder, or its name.", autocompletion=completion.runs)
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, or its name; or one of its checkpoints, RUN/checkpoints/last.ckpt.",
        autocompletion=completion.models,
    ),
]
RunsOrFolders = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Runs' folders, or their names, or folders that hold runs.",
        autocompletion=completion.runs,
    ),
]
Compared = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN...",
        help="Runs' folders, or their names, or folders that hold runs; all runs there are if you name none.",
        autocompletion=completion.runs,
    ),
]
Jobs = Annotated[int, typer.Option(min=1, help="How many at once.")]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL_OR_FILE",
        help="A database, as Optuna knows it, or a file.",
        show_default="OUT/STUDY/journal.log",
    ),
]
LauncherName = Annotated[
    str, typer.Option(help="Where they run: local, ray, slurm; `rnnx show launcher NAME` lists options.")
]
Baseline = Annotated[
    str | None,
    typer.Option(help="The row, or a run in it, that the others are tested against; the best if not said."),
]
Out = Annotated[str, typer.Option(help="The folder that holds runs.")]
Plot = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Draw what was measured there.", callback=_refuse_no_picture),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Write a table in Markdown.")]
