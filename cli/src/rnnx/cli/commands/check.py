"""``rnnx check``: the conformance checks on one cell, task or data, as they are done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, final

import typer

from rnnx.cli import completion
from rnnx.cli.arguments import CheckWords, Json
from rnnx.cli.screen import display_json, say
from rnnx.core.declarations.validation import Word
from rnnx.core.errors import UsageError
from rnnx.core.registry import CHECKABLE, GROUPS, Plugin, find, plugins, suggestion
from rnnx.core.resolution import allow_only


@final
@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Args:
        fact: What was checked, in words.
        problem: What is wrong, one sentence; None if nothing is.
    """

    fact: str
    problem: str | None

    @property
    def line(self) -> str:
        """As it is shown.

        Example:
            >>> Outcome("padding changes nothing", None).line
            'ok     padding changes nothing'
            >>> Outcome("padding changes nothing", "output at step 3 changes").line
            'WRONG  padding changes nothing: output at step 3 changes'
        """
        return f"ok     {self.fact}" if self.problem is None else f"WRONG  {self.fact}: {self.problem}"


def outcomes(name: str, words: Sequence[str] = ()) -> Iterator[Outcome]:
    """Checks a cell, a task or data, one fact after the other; both, where one name is a cell's and a task's.

    A task is checked on its data ``toy``, and data with its task.

    Args:
        name: Name of its entry point.
        words: ``data.OPTION=VALUE``, of the data that is checked, or that a task is checked on.

    Raises:
        UsageError: there is nothing of this name; the task has no data ``toy``; the data lack an option that
            has no default, or take no such option; or a cell is to have some.
        RunError: it cannot be imported.
    """
    found = _named(name)
    if all(plugin.kind == "cell" for plugin in found):
        allow_only(words, (), "a cell is checked with each of its options, and takes none here")
    allow_only(words, ("data.",), "expected an option of the data, as data.train=FILE")
    options = {key.removeprefix("data."): Word(text) for key, _, text in (w.partition("=") for w in words)}

    from rnnx.core.testing.kit import checks, name_of, problem, subject_of

    for plugin in found:
        subject = subject_of(plugin, options)
        for check in checks(plugin.kind):
            yield Outcome(name_of(check), problem(check, *subject))


def lines(found: Iterable[Outcome]) -> Iterator[str]:
    r"""What is shown of outcomes as they come; what is wrong for a reason told before stands together, last.

    Args:
        found: The outcomes.

    Example:
        >>> told = [("shapes fit", "no matrix"), ("zoneout acts", None), ("numbers are finite", "no matrix")]
        >>> print(*lines(Outcome(*one) for one in told), sep="\n")
        WRONG  shapes fit: no matrix
        ok     zoneout acts
        WRONG  1 more as shapes fit: numbers are finite
    """
    alike: dict[str, list[str]] = {}
    for outcome in found:
        if outcome.problem is not None:
            facts = alike.setdefault(outcome.problem, [])
            facts.append(outcome.fact)
            if len(facts) > 1:
                continue
        yield outcome.line
    for first, *others in alike.values():
        if others:
            yield f"WRONG  {len(others)} more as {first}: {', '.join(others)}"


def notes(name: str) -> Iterator[str]:
    """What is to be known of a cell before anything is checked; as :func:`outcomes`.

    Args:
        name: Name of its entry point.
    """
    found = [plugin for plugin in _named(name) if plugin.kind == "cell"]

    from rnnx.core.testing.kit import no_candidate, noise, slowness, subject_of

    for plugin in found:
        yield from filter(None, (note(*subject_of(plugin)) for note in (slowness, noise, no_candidate)))


def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A cell, a task, or data as TASK.NAME; anybody's.",
            autocompletion=completion.checkable,
        ),
    ],
    words: CheckWords = None,
    as_json: Json = False,
) -> None:
    """Check a cell, a task or data: what must hold of every one; of cells and tasks with each option.

    rnnx check gru
    """
    found: list[Outcome] = []

    def noted() -> Iterator[Outcome]:
        for outcome in outcomes(name, words or ()):
            found.append(outcome)
            yield outcome

    for note in notes(name):
        say(f"note: {note}")
    for line in lines(noted()):
        if not as_json:
            typer.echo(line)
    if as_json:
        display_json(found)
    if any(outcome.problem for outcome in found):
        raise typer.Exit(1)


def _named(name: str) -> list[Plugin]:
    names = {kind: [plugin.name for plugin in plugins(kind)] for kind in CHECKABLE}
    found = [find(kind, name) for kind in CHECKABLE if name in names[kind]]
    if not found:
        hint = suggestion(name, {known for kind in CHECKABLE for known in names[kind]})
        known = "; ".join(
            f"{GROUPS[kind].rpartition('.')[2]}: {', '.join(names[kind])}" for kind in CHECKABLE
        )
        raise UsageError(f"no such cell, task or data {name!r}{hint} ({known})")
    return found
