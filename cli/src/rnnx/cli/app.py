"""The command ``rnnx``. Torch is imported only when a command needs it."""

from __future__ import annotations

import io
import json
import shlex
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any, Literal, final

import typer
from typer.core import TyperGroup

from rnnx.cli import completion
from rnnx.cli.listing import SIZE
from rnnx.core.errors import InputError, Interrupted, RnnxError, RunError, UsageError
from rnnx.core.options import Word, options_of, validate
from rnnx.core.registry import find
from rnnx.core.runs import CONFIG, OUT, find_run
from rnnx.core.spec import resolve


@final
class Commands(TyperGroup):
    """The commands, and what becomes of their errors: a sentence and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Lets ``--debug`` stand anywhere."""
        others = [arg for arg in args if arg != "--debug"]
        return super().parse_args(ctx, args if len(others) == len(args) else ["--debug", *others])

    def invoke(self, ctx: Any) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Interrupted as stop:
            from rnnx.core.processes import leads

            if leads():
                how = f"; go on with: rnnx resume {shlex.quote(str(stop.folder))}" if stop.folder else ""
                typer.echo(f"rnnx: stopped by {stop}{how}", err=True)
            raise typer.Exit(stop.exit_code) from None
        except Exception as error:
            if ctx.params["debug"]:
                traceback.print_exc()
            else:
                _complain(error)
            raise typer.Exit(error.exit_code if isinstance(error, RnnxError) else 1) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORDS...",
        help="KEY=VALUE, such as cell=lstm or net.layers=2, and YAML files with such keys; the last wins.",
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
        metavar="OPTION=VALUE...",
        help="Options of the task; `rnnx show task NAME` lists them.",
        autocompletion=completion.predict_words,
    ),
]
BenchWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CELL... OPTION=VALUE...",
        help="Names of cells, all there are if none is said; and options of theirs, such as cell.depth=5.",
        autocompletion=completion.bench_words,
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
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's folder, or its name.", autocompletion=completion.runs)
]
RunNames = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Runs' folders, or their names.", autocompletion=completion.runs),
]
Out = Annotated[str, typer.Option(help="The folder that holds runs.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rnnx {version('rnnx')}")
        raise typer.Exit


@app.callback()
def rnnx(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Recurrent networks: any cell on any task."""


@app.command()
def run(
    words: Words = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the configuration and the model's size; train nothing.")
    ] = False,
) -> None:
    """Train a model, test it, and keep both in a folder of its own.

    rnnx run cell=gru task=nmt
    """
    config = resolve(words or ())

    from rnnx.cli import reporting
    from rnnx.cli.screen import display
    from rnnx.core.experiment import Experiment
    from rnnx.core.processes import leads
    from rnnx.core.task import Task

    if leads():
        for note in config.notes:
            typer.echo(f"rnnx: {note}", err=True)
    experiment = Experiment(config)
    if dry_run:
        _, model = experiment.prepare()
        typer.echo(experiment.config.yaml(), nl=False)
        if isinstance(model, Task):
            typer.echo(reporting.size(model))
        return
    result = experiment.run(_command(), _has_screen(), _say)
    if leads():
        display(reporting.outcome(result))


@app.command()
def matrix(
    words: Words = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many runs at once.")] = 1,
    as_grid: Annotated[bool, typer.Option("--grid", help="Write a row a cell, and a column a task.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Write a table in Markdown.")] = False,
) -> None:
    """Train each cell on each task, over seeds, and compare them; what is done already is not done again.

    rnnx matrix cell=gru,lstm task=lm,nmt seed=1,2,3 net.match=1e6
    """
    from rnnx.cli import comparing
    from rnnx.cli.screen import display
    from rnnx.core.matrix import configurations, lines, run

    configs = configurations(words or ())
    entries = []
    for entry in run(configs, jobs, _command()):
        entries.append(entry)
        typer.echo(f"{len(entries)} of {len(configs)}: {comparing.line(entry)}", err=True)
    if as_markdown:
        typer.echo(comparing.markdown(lines(entries), as_grid))
    else:
        display(comparing.compared(lines(entries), as_grid))
    if any(entry.failure for entry in entries):
        raise typer.Exit(1)


@app.command()
def sweep(
    words: SweepWords = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many in all.", show_default="20, or the whole grid")
    ] = None,
    sampler: Annotated[
        Literal["tpe", "random", "grid"], typer.Option(help="How values are chosen; tpe is Bayesian.")
    ] = "tpe",
    pruner: Annotated[
        Literal["median", "hyperband", "none"], typer.Option(help="Which trials are stopped early.")
    ] = "median",
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL_OR_FILE",
            help="A database, as Optuna knows it, or a file.",
            show_default="OUT/STUDY/journal.log",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="STUDY", help="Name of the study.", show_default="TASK-sweep")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many trials at once.")] = 1,
    launcher: Annotated[
        str, typer.Option(help="Where they run: local, ray, slurm; `rnnx show launcher NAME` lists options.")
    ] = "local",
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Write a table in Markdown.")] = False,
) -> None:
    """Search for the best options, over seeds; the same command goes on where it was stopped.

    rnnx sweep task=lm cell=gru,lstm optimizer.lr=loguniform:1e-4..1e-2 net.layers=int:1..3 seed=1,2,3
    """
    from rnnx.cli import sweeping
    from rnnx.cli.screen import display
    from rnnx.core.sweep import Sweep, run

    plan = Sweep.parse(
        words or (),
        trials=trials,
        sampler=sampler,
        pruner=pruner,
        storage=storage,
        name=name,
        launcher=launcher,
        command=_command(),
    )
    outcomes = []
    with redirect_stdout(sys.stderr):  # Ray says there that a worker died
        for outcome in run(plan, jobs):
            outcomes.append(outcome)
            typer.echo(f"{len(outcomes)} of {plan.trials}: {sweeping.line(plan, outcome)}", err=True)
    if as_json:
        typer.echo(json.dumps(sweeping.plain(plan, outcomes), indent=2, ensure_ascii=False))
    elif as_markdown:
        typer.echo(sweeping.markdown(plan, outcomes))
    else:
        display(sweeping.told(plan, outcomes))
    if not any(outcome.state == "complete" for outcome in outcomes):
        raise typer.Exit(1)


@app.command("find-lr")
def find_lr(
    words: Words = None,
    lowest: Annotated[float, typer.Option(min=0, help="The learning rate at the first step.")] = 1e-6,
    highest: Annotated[float, typer.Option(min=0, help="That at the last step.")] = 1.0,
    steps: Annotated[int, typer.Option(min=20, help="How many.")] = 100,
    plot: Annotated[str | None, typer.Option(metavar="FILE", help="Draw the losses there.")] = None,
    as_json: Json = False,
) -> None:
    """Find a learning rate: train some steps, each with a higher one; nothing is kept.

    rnnx find-lr cell=gru task=nmt
    """
    config = resolve(words or ())

    from rnnx.core.experiment import Experiment
    from rnnx.core.learning_rates import learning_rates

    found = learning_rates(Experiment(config), lowest, highest, steps)
    if plot is not None:
        from rnnx.core.paths import typed
        from rnnx.core.plots import rate_test, save

        save(rate_test(found.rates, found.losses, found.suggestion), typed(plot))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    elif found.suggestion is None:
        typer.echo(f"the loss falls at no learning rate from {lowest:g} to {highest:g}")
    else:
        typer.echo(f"optimizer.lr={found.suggestion:.2g}")


@app.command()
def resume(run: RunName, words: ResumeWords = None, out: Out = OUT) -> None:
    """Go on with a run that was stopped, from its last checkpoint, as if it had never been.

    rnnx resume nmt-gru
    """
    folder = find_run(run, out)

    from rnnx.cli import reporting
    from rnnx.cli.screen import display
    from rnnx.core.experiment import Experiment
    from rnnx.core.processes import leads

    result = Experiment.resume(folder, *(words or ()), command=_command(), progress=_has_screen(), say=_say)
    if leads():
        display(reporting.outcome(result))


@app.command("list")
def list_(
    kinds: Annotated[
        str | None,
        typer.Argument(
            metavar="KINDS", help="cells, tasks, data ...", autocompletion=completion.kinds_listed
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=1, help="Of cells: the hidden_size they are measured with.", show_default=str(SIZE)),
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(min=1, help="Of cells: the width of their input.", show_default="the hidden_size"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what is installed, also what cannot be used; of cells also the state, the size and how they read.

    rnnx list cells --size 256
    """
    from rnnx.cli.listing import CellRow, Row, cell_rows, rows
    from rnnx.cli.screen import display, table

    if kinds != "cells" and (size or input_size):
        raise UsageError("--size and --input-size: only cells are measured; say rnnx list cells")
    size = size or SIZE
    found: Sequence[Row | CellRow] = cell_rows(input_size or size, size) if kinds == "cells" else rows(kinds)
    if as_json:
        typer.echo(json.dumps([row.to_plain() for row in found], indent=2, ensure_ascii=False))
    else:
        columns = CellRow.columns if kinds == "cells" else Row.columns
        display(table(columns, [row.cells for row in found]))


@app.command()
def show(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="cell, task, data ..., or net or trainer.", autocompletion=completion.kinds
        ),
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Its name.", autocompletion=completion.named)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a component: its equations, its paper, and every option with type, default and meaning.

    rnnx show cell gru
    """
    from rnnx.cli.screen import display
    from rnnx.cli.showing import describe

    for description in describe(kind, name):
        if as_json:
            typer.echo(json.dumps(description.to_plain(), ensure_ascii=False))
        else:
            display(description)


@app.command()
def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A cell or a task, anybody's.", autocompletion=completion.checkable
        ),
    ],
    as_json: Json = False,
) -> None:
    """Check a cell or a task: what must hold of every one, with each of its options.

    rnnx check gru
    """
    from rnnx.cli.checking import outcomes

    found = []
    for outcome in outcomes(name):
        found.append(outcome)
        if not as_json:
            typer.echo(outcome.line)
    if as_json:
        typer.echo(json.dumps([asdict(outcome) for outcome in found], indent=2, ensure_ascii=False))
    if any(outcome.problem for outcome in found):
        raise typer.Exit(1)


@app.command()
def bench(
    words: BenchWords = None,
    settings: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="T steps, N rows, width H: a is T=35 N=20 H=200, b T=100 N=64 H=256, c T=64 N=32 H=512.",
        ),
    ] = "a,b,c",
    steps: Annotated[int | None, typer.Option(min=1, help="T of a setting of your own; else b's.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="N of a setting of your own; else b's.")] = None,
    hidden: Annotated[int | None, typer.Option(min=1, help="H of a setting of your own; else b's.")] = None,
    lengths: Annotated[
        str,
        typer.Option(metavar="KINDS", help="Of variable ones 63% of the batch is real; there torch packs."),
    ] = "equal,variable",
    modes: Annotated[
        str, typer.Option(metavar="NAMES", help="Training is forward and backward, inference forward.")
    ] = "training,inference",
    threads: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Such as 1,2.", show_default="as torch has it")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is timed, at most.")] = 20,
    seconds: Annotated[float, typer.Option(min=0, help="How many a cell may take, about.")] = 45.0,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float64"], typer.Option(help="Of weights and input.")
    ] = "float32",
    device: Annotated[
        str | None, typer.Option(help="Such as cuda:1.", show_default="the accelerator, if there is one")
    ] = None,
    plot: Annotated[str | None, typer.Option(metavar="FILE", help="Draw the ratios there.")] = None,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Write a table in Markdown.")] = False,
) -> None:
    """Time cells next to torch's own: elman to nn.RNN, gru to nn.GRU, and all others to nn.LSTM.

    rnnx bench lstm gru --settings a,b
    """
    from rnnx.cli import benching
    from rnnx.cli.screen import display
    from rnnx.core.paths import typed

    specs, failures = benching.asked(words or ())
    plan = benching.planned(
        settings=settings,
        own={"steps": steps, "batch": batch, "hidden": hidden},
        lengths=lengths,
        modes=modes,
        threads=threads,
        rounds=rounds,
        seconds=seconds,
        dtype=dtype,
        device=device,
    )
    found = benching.measured(specs, plan, failures, _command(), lambda line: typer.echo(line, err=True))
    if plot is not None:
        found.draw(typed(plot))
    if as_json:
        typer.echo(json.dumps(found.to_plain(), indent=2, ensure_ascii=False))
    elif as_markdown:
        typer.echo(found.markdown())
    else:
        display(found)
    if found.failures:
        raise RunError("\n".join(found.failures))


@app.command("test")
def measure(run: RunName, out: Out = OUT, as_json: Json = False) -> None:
    """Measure a run's model anew on its test data."""
    folder = find_run(run, out)

    from rnnx.cli.reporting import metrics
    from rnnx.cli.screen import display
    from rnnx.core.experiment import Run

    measured = Run.load(folder).test()
    if as_json:
        typer.echo(json.dumps(measured, indent=2))
    else:
        display(metrics({"test": measured}))


@app.command()
def flow(runs: RunNames, out: Out = OUT, as_json: Json = False) -> None:
    """Show how far back runs' nets remember: the norms of their gradients against the lag.

    rnnx flow lm-elman lm-lstm
    """
    folders = {run: find_run(run, out) for run in runs}

    from rnnx.cli.flowing import measure
    from rnnx.cli.screen import display

    flows = measure(folders)
    if as_json:
        typer.echo(json.dumps(flows.to_plain(), indent=2, ensure_ascii=False))
    else:
        display(flows)


@app.command()
def predict(run: RunName, words: PredictWords = None, out: Out = OUT) -> None:
    """Answer the lines of standard input, one by one.

    echo "una casa" | rnnx predict nmt-gru beam_size=10
    """
    folder = find_run(run, out)
    task = find("task", resolve([str(folder / CONFIG)]).task.name)
    options = _options(f"{task.target}.predict", f"rnnx predict with {task.label}", words or ())

    from rnnx.core.experiment import Run

    for answer in Run.load(folder).predict(_lines(sys.stdin.buffer), **options):
        sys.stdout.buffer.write(f"{answer}\n".encode())
        sys.stdout.buffer.flush()


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="rnnx")


def _command() -> str:
    """What the user typed."""
    return shlex.join(["rnnx", *sys.argv[1:]])


def _has_screen() -> bool:
    """Whether somebody watches, so that a progress bar is of use."""
    return sys.stderr.isatty() and sys.stdout.isatty()


def _say(line: str) -> None:
    """A line of how a run goes, where no progress bar shows it."""
    if not _has_screen():
        typer.echo(line, err=True)


def _complain(error: Exception) -> None:
    if isinstance(error, RnnxError):
        for line in str(error).splitlines():
            typer.echo(f"rnnx: {line}", err=True)
    else:
        what = f"{type(error).__name__}: {error}"
        typer.echo(f"rnnx: internal error: {what} (use --debug for the traceback)", err=True)


def _options(target: str, label: str, words: Sequence[str]) -> dict[str, Any]:
    """The options of a function as the words give them, checked."""
    given = {key: Word(text) for key, equals, text in (word.partition("=") for word in words) if equals}
    options, problems = validate("", label, options_of(target), given)
    strange = [f"{word!r}: expected OPTION=VALUE" for word in words if "=" not in word]
    if strange or problems:
        raise UsageError(*strange, *problems.values())
    return options


def _lines(stream: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream as they come.

    Raises:
        InputError: a line is not UTF-8.
    """
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            what = f"not UTF-8: byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line"
            raise InputError("standard input", what, number) from None
