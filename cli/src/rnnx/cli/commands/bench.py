"""``rnnx bench``: which cells, how they are timed, and the table of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import typer
from rich.console import Group

from rnnx.cli.arguments import BenchWords, Json, Markdown, Plot
from rnnx.cli.screen import choose_one, command_line, display, display_json, in_markdown, say, table
from rnnx.core.commas import between_commas
from rnnx.core.declarations.validation import Word, validate
from rnnx.core.errors import RnnxError, RunError, UsageError
from rnnx.core.options import options_of
from rnnx.core.paths import typed
from rnnx.core.registry import find, plugins, suggestion
from rnnx.core.spec import Spec

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rnnx.core.benchmark import Plan, Timing

COLUMNS = (
    "cell", "setting", "lengths", "mode", "threads", "ms", "twin", "its ms", "ratio", "quartiles", "per FLOP",
    "rounds",
)  # fmt: skip
SECTION = "cell."
WIDTH = "cell.hidden_size"


@final
@dataclass(frozen=True)
class Bench:
    """What was timed.

    Args:
        about: Where and how, by name.
        timings: One by one.
        failures: Why cells could not be timed, a sentence each.
    """

    about: Mapping[str, str]
    timings: Sequence[Timing]
    failures: Sequence[str]

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it."""
        timings = [timing.to_plain() for timing in self.timings]
        return {**self.about, "timings": timings, "failures": list(self.failures)}

    def markdown(self) -> str:
        """In Markdown."""
        about = "; ".join(f"{name}: {value}" for name, value in self.about.items())
        return f"{about}\n\n{in_markdown(COLUMNS, map(_row, self.timings))}"

    def draw(self, path: Path) -> None:
        """Draws the ratios.

        Args:
            path: The file.

        Raises:
            RunError: the disk does not take it.
        """
        from rnnx.core.plots import ratios, save

        save(ratios(self.timings), path)

    def __rich__(self) -> RenderableType:
        return Group(table(("", ""), self.about.items()), "", table(COLUMNS, map(_row, self.timings)))


def asked(words: Sequence[str]) -> tuple[list[Spec], list[str]]:
    """The cells that are asked for, each with the options; and why others cannot be used, a sentence each.

    Args:
        words: Names of cells, none for all there are, and ``cell.OPTION=VALUE``.

    Raises:
        UsageError: all that is wrong with the words.
    """
    names = [word for word in words if "=" not in word] or [plugin.name for plugin in plugins("cell")]
    values, problems = {}, []
    for word in words:
        key, equals, text = word.partition("=")
        if key == WIDTH:
            problems.append(f"{WIDTH}: a setting says it, for torch's module too; say --hidden {text}")
        elif equals and key.startswith(SECTION):
            values[key.removeprefix(SECTION)] = Word(text)
        elif equals:
            problems.append(f"{word!r}: expected the name of a cell, or cell.OPTION=VALUE")
    specs, failures = [], []
    for name in dict.fromkeys(names):
        try:
            plugin = find("cell", name)
            options, wrong = validate("cell", plugin.label, options_of(plugin), values)
        except UsageError as error:
            problems += error.problems
        except RunError as error:
            failures.append(str(error))
        else:
            problems += wrong.values()
            specs.append(Spec("cell", plugin.name, options))
    if problems:
        raise UsageError(*problems)
    return specs, failures


def planned(
    *,
    settings: str,
    own: Mapping[str, int | None],
    lengths: str,
    modes: str,
    threads: str | None,
    rounds: int,
    seconds: float,
    dtype: str,
    device: str | None,
) -> Plan:
    """How cells are timed, as the options of the command line say.

    Args:
        settings: Names of settings, with commas between; they give way to the user's own.
        own: ``steps``, ``batch`` and ``hidden`` of it, those not said being None.
        lengths: Kinds of lengths, with commas between.
        modes: Modes, with commas between.
        threads: Numbers of threads, with commas between; None for torch's.
        rounds: How many at most.
        seconds: About how many a cell may take.
        dtype: Name of torch's dtype.
        device: Name of torch's device; None for the accelerator, if there is one.

    Raises:
        UsageError: a name is none of those there are, or the device cannot be used.
    """
    from rnnx.core.benchmark import DTYPES, LENGTHS, MODES, SETTINGS, Plan
    from rnnx.core.benchmark import device as found

    said = {name: size for name, size in own.items() if size is not None}
    named = tuple(SETTINGS[name] for name in _chosen("--settings", settings, tuple(SETTINGS)))
    plan = Plan(
        settings=(replace(SETTINGS["b"], name="own", **said),) if said else named,
        lengths=_chosen("--lengths", lengths, LENGTHS),
        modes=_chosen("--modes", modes, MODES),
        rounds=rounds,
        seconds=seconds,
        dtype=DTYPES[dtype],
        device=found(device),
    )
    return plan if threads is None else replace(plan, threads=_counted("--threads", threads))


def measured(
    specs: Sequence[Spec], plan: Plan, failures: Sequence[str], command: str, say: Callable[[str], None]
) -> Bench:
    """Times the cells one after the other; one that fails is a sentence, not the end.

    Args:
        specs: The cells.
        plan: How they are timed.
        failures: Why other cells cannot be.
        command: What the user typed.
        say: Takes a line of how far it is.

    Raises:
        RunError: none can be timed.
    """
    from rnnx.core.benchmark import measure

    timings: list[Timing] = []
    failures = list(failures)
    for number, spec in enumerate(specs):
        try:
            for done, timing in enumerate(measure(spec, plan), number * len(plan) + 1):
                timings.append(timing)
                say(f"{done} of {len(specs) * len(plan)}: {_line(timing)}")
        except RnnxError as error:
            failures.append(str(error))
    if not timings:
        raise RunError("\n".join(failures))
    return Bench({"command": command} | plan.place, timings, failures)


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
    plot: Plot = None,
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> None:
    """Time cells next to torch's own: elman to nn.RNN, gru to nn.GRU, and all others to nn.LSTM.

    rnnx bench lstm gru --settings a,b
    """
    choose_one(json=as_json, markdown=as_markdown)
    specs, failures = asked(words or ())
    plan = planned(
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
    found = measured(specs, plan, failures, command_line(), say)
    if plot is not None:
        found.draw(typed(plot))
    if as_json:
        display_json(found.to_plain())
    elif as_markdown:
        typer.echo(found.markdown())
    else:
        display(found)
    if found.failures:
        raise RunError("\n".join(found.failures))


def _chosen(option: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Some of a few names, as typed with commas between."""
    names = tuple(dict.fromkeys(between_commas(text)))
    problems = [
        f"{option}: no such name {name!r}{suggestion(name, known)} (names: {', '.join(known)})"
        for name in names
        if name not in known
    ]
    if problems:
        raise UsageError(*problems)
    return names


def _counted(option: str, text: str) -> tuple[int, ...]:
    """Some positive integers, as typed with commas between."""
    words = between_commas(text)
    if not all(re.fullmatch("[1-9][0-9]{0,3}", word) for word in words):
        raise UsageError(f"{option}: expected numbers from 1 to 9999 with commas between, got {text!r}")
    return tuple(dict.fromkeys(map(int, words)))


def _line(timing: Timing) -> str:
    """A timing in one line."""
    threads = "1 thread" if timing.threads == 1 else f"{timing.threads} threads"
    what = f"{timing.cell} on {timing.setting.name}, {threads}, {timing.lengths} lengths, {timing.mode}"
    return f"{what}: {timing.ratio:.2f} of {timing.twin}"


def _row(timing: Timing) -> tuple[str, ...]:
    low, high = timing.quartiles
    return (
        timing.cell,
        timing.setting.name,
        timing.lengths,
        timing.mode,
        str(timing.threads),
        f"{1000 * median(timing.seconds):.2f}",
        timing.twin,
        f"{1000 * median(timing.twin_seconds):.2f}",
        f"{timing.ratio:.2f}",
        f"{low:.2f} to {high:.2f}",
        "" if timing.per_flop is None else f"{timing.per_flop:.2f}",
        str(len(timing.seconds)),
    )
