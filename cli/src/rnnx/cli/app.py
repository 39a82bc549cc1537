"""The command ``rnnx``. Torch is imported only when a command needs it."""

from __future__ import annotations

import errno
import io
import logging
import os
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, final

import typer
from typer.core import TyperGroup

from rnnx.cli.commands.average import average
from rnnx.cli.commands.bench import bench
from rnnx.cli.commands.check import check
from rnnx.cli.commands.compare import compare
from rnnx.cli.commands.dashboard import dashboard
from rnnx.cli.commands.doctor import doctor
from rnnx.cli.commands.export import export
from rnnx.cli.commands.find_lr import find_lr
from rnnx.cli.commands.flow import flow
from rnnx.cli.commands.list import list_
from rnnx.cli.commands.matrix import matrix
from rnnx.cli.commands.measure import measure
from rnnx.cli.commands.new import new
from rnnx.cli.commands.play import play
from rnnx.cli.commands.predict import predict
from rnnx.cli.commands.push import push
from rnnx.cli.commands.report import report
from rnnx.cli.commands.resume import resume
from rnnx.cli.commands.run import run
from rnnx.cli.commands.show import show
from rnnx.cli.commands.sweep import sweep
from rnnx.cli.screen import leave, say
from rnnx.core.errors import Interrupted, RnnxError, RnnxWarning
from rnnx.core.registry import packages
from rnnx.core.synonyms import synonym

OF_MEMORY: Final = (  # which torch says where there is too little, or would be anywhere
    "OutOfMemoryError: ",
    "DefaultCPUAllocator: can't allocate memory",
    "CUDA error: out of memory",
    "Overflow when unpacking long",
    "Storage size calculation overflowed",
)
FULL: Final = (errno.ENOSPC, errno.EDQUOT)
COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "resume": resume,
    "test": measure,
    "predict": predict,
    "average": average,
    "export": export,
    "push": push,
    "play": play,
    "matrix": matrix,
    "sweep": sweep,
    "compare": compare,
    "report": report,
    "find-lr": find_lr,
    "list": list_,
    "show": show,
    "flow": flow,
    "dashboard": dashboard,
    "check": check,
    "bench": bench,
    "new": new,
    "doctor": doctor,
}


@final
class Commands(TyperGroup):
    """The commands, and what becomes of their errors: a sentence and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Lets ``--debug`` stand anywhere."""
        others = [arg for arg in args if arg != "--debug"]
        return super().parse_args(ctx, args if len(others) == len(args) else ["--debug", *others])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named first; of one that other programs have, which it is here."""
        if ours := synonym(args[0], COMMANDS):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {ours!r}?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Interrupted as stop:
            from rnnx.core.processes import leads

            if leads():
                how = f"go on with: rnnx resume {shlex.quote(str(stop.folder))}" if stop.folder else ""
                say(_stopped(str(stop), how, *_notes(stop)))
            raise typer.Exit(stop.exit_code) from None
        except KeyboardInterrupt as stop:
            say(_stopped("SIGINT", *_notes(stop)))
            raise typer.Exit(128 + signal.SIGINT) from None
        except Exception as error:
            if ctx.params["debug"]:
                traceback.print_exc()
            else:
                _complain(error)
            raise typer.Exit(error.exit_code if isinstance(error, RnnxError) else 1) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit codes: 0 done, 1 failed or broken, 2 asked for wrongly, 130 and 143 stopped by a signal.",
)


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


for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """The console script; a standard stream that is closed is one to and from nowhere."""
    nowhere = Path(os.devnull)
    sys.stdin = sys.stdin or nowhere.open()
    sys.stdout, sys.stderr = (stream or nowhere.open("w") for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    warnings.showwarning = partial(_warn, warnings.showwarning)
    ours = logging.getLogger("rnnx")
    ours.handlers, ours.propagate = [_Sentences()], False
    app(prog_name="rnnx")


@final
class _Sentences(logging.Handler):
    """Says what components log, as warnings are said."""

    def emit(self, record: logging.LogRecord) -> None:
        from rnnx.core.processes import leads

        try:
            if leads():
                say(f"rnnx: {record.getMessage()}")
        except Exception:
            self.handleError(record)


def _warn(others: Callable[..., None], message: Warning | str, category: type[Warning], *place: Any) -> None:
    """Says what is meant for the user, once for all processes; others' warnings are shown as Python's own."""
    if issubclass(category, RnnxWarning):
        from rnnx.core.processes import leads

        if leads():
            say(f"rnnx: {message}")
    else:
        others(message, category, *place)


def _notes(error: BaseException) -> Sequence[str]:
    """What was added to an error on its way."""
    return getattr(error, "__notes__", ())


def _stopped(signal_name: str, *how: str) -> str:
    """What stopped a command, and how to go on, where there is a way."""
    return "; ".join(filter(None, (f"rnnx: stopped by {signal_name}", *how)))


def _complain(error: Exception) -> None:
    if isinstance(error, RnnxError):
        for line in str(error).splitlines():
            say(f"rnnx: {line}")
    elif _is_of_memory(error):
        what, *_ = (str(error) or type(error).__name__).splitlines()
        advice = "make the model or its batches smaller (cell.hidden_size, data.batch_size), or the sequences"
        say(f"rnnx: out of memory: {what}; {advice}")
    elif isinstance(error, OSError) and error.errno in FULL:
        where = error.filename or "where it writes to"
        say(f"rnnx: {where}: {error.strerror}; make room, or write elsewhere")
        if error.filename is None:
            leave(sys.stdout)
    else:
        what = f"{type(error).__name__}: {error}"
        more = "; ".join([*_notes(error), "use --debug for the traceback"])
        say(f"rnnx: {_failing(error)}: {what} ({more})")


def _failing(error: Exception) -> str:
    """What an unforeseen error is one of: the plugin of somebody else that it came through last, or rnnx."""
    theirs = {package: plugin for package, plugin in packages().items() if package != "rnnx"}
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        package, _, _ = str(frame.f_globals.get("__name__")).partition(".")
        if package in theirs:
            return f"{theirs[package].origin} fails at {Path(frame.f_code.co_filename).name}:{line}"
    return "internal error"


def _is_of_memory(error: Exception) -> bool:
    """Whether there was too little, for Python, or for torch on a GPU or a CPU; torch is not imported."""
    return isinstance(error, MemoryError) or any(
        sign in f"{type(error).__name__}: {error}" for sign in OF_MEMORY
    )
