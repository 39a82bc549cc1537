"""What the shell offers after TAB: names of components and runs, options, and values that can be counted.

A word is completed in steps: ``ce`` to ``cell``, ``cell.`` to its options, ``cell=`` to the names of cells.
Bash hands ``cell=gr`` on as three words, other shells as one; both are understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import typer

from rnnx.cli.equations import readable
from rnnx.core.config import DEFAULTS, KEYS, SECTIONS, UNNAMED
from rnnx.core.declarations.docstrings import summary
from rnnx.core.errors import RnnxError
from rnnx.core.options import Options, options_of
from rnnx.core.registry import CHECKABLE, GROUPS, KINDS, PER_TASK, find, plugins
from rnnx.core.runs import (
    CHECKPOINT,
    CHECKPOINTS,
    CONFIG,
    OUT,
    checkpoints,
    find_model,
    find_run,
    folder_of,
    names,
)
from rnnx.core.yaml import yaml

Choice: TypeAlias = tuple[str, str]  # a word, and one line about it
Choices: TypeAlias = Callable[
    [str], Iterator[Choice]
]  # what may follow a prefix that ends in . or =, or nothing


def run_words(context: typer.Context, incomplete: str) -> list[Choice]:
    """Words of ``rnnx run``."""
    typed = _joined(context.params["words"] or ())
    chosen = _chosen(typed)
    return _completed(typed, incomplete, lambda prefix: _of_a_run(prefix, chosen))


def predict_words(context: typer.Context, incomplete: str) -> list[Choice]:
    """Words of ``rnnx predict RUN``: the options of its task, and before them other runs."""
    typed = _joined(context.params["words"] or ())
    with suppress(RnnxError, OSError):
        folder = folder_of(find_model(context.params["run"], context.params["out"] or OUT))
        task = find("task", yaml().load(folder / CONFIG)["task"]["name"])
        options = options_of(f"{task.target}.predict")
        others = _other_models(context, typed, incomplete)
        return _completed(
            typed, incomplete, lambda prefix: _first(others, prefix, _of_options(prefix, "", options))
        )
    return []


def test_words(context: typer.Context, incomplete: str) -> list[Choice]:
    """Words of ``rnnx test RUN``: those of ``rnnx run``, and before them other runs."""
    typed = _joined(context.params["words"] or ())
    others, chosen = _other_models(context, typed, incomplete), _chosen(typed)
    return _completed(typed, incomplete, lambda prefix: _first(others, prefix, _of_a_run(prefix, chosen)))


def data_words(context: typer.Context, incomplete: str) -> list[Choice]:
    """Words of ``rnnx check NAME``: the options of the data, or of the data that a task is checked on."""
    typed = _joined(context.params["words"] or ())
    task, _, name = context.params["name"].partition(".")
    with suppress(RnnxError):
        options = options_of(find("data", name or "toy", task))
        return _completed(typed, incomplete, lambda prefix: _of_options(prefix, "data.", options))
    return []


def runs(context: typer.Context) -> list[str]:
    """Runs by name, and by folder."""
    out = context.params.get("out") or OUT
    return [word for name in names(out) for word in (name, str(Path(out) / name))]


def models(context: typer.Context, incomplete: str) -> list[str]:
    """Runs, and of the one that was typed its checkpoints."""
    found = runs(context)
    out = context.params.get("out") or OUT
    return found + [
        f"{word}/{CHECKPOINTS}/{path.name}"
        for word in found
        if incomplete.startswith(f"{word}/")
        for path in checkpoints(find_run(word, out))
    ]


def kinds() -> list[str]:
    """What ``rnnx show`` knows."""
    return [*GROUPS, *UNNAMED]


def kinds_listed() -> list[str]:
    """What ``rnnx list`` knows."""
    return list(KINDS)


def bench_words(context: typer.Context, incomplete: str) -> list[Choice]:
    """Words of ``rnnx bench``: cells, and options of the one named last."""
    typed = _joined(context.params["words"] or ())
    names = [word for word in typed if "=" not in word and "." not in word]
    cells = [(plugin.name, readable(summary(plugin))) for plugin in plugins("cell")]
    chosen = {"cell": names[-1] if names else None}

    def choices(prefix: str) -> Iterator[Choice]:
        return _of_a_run(prefix, chosen) if prefix else iter([*cells, ("cell.", "options of cell")])

    return _completed(typed, incomplete, choices)


def checkable() -> list[Choice]:
    """The cells, the tasks and the data there are."""
    return [(plugin.name, readable(summary(plugin))) for kind in CHECKABLE for plugin in plugins(kind)]


def tasks_of_data(context: typer.Context) -> list[Choice]:
    """The beginnings of names of new data; nothing for what else is new."""
    tasks = plugins("task") if context.params["kind"] == "data" else []
    return [(f"{plugin.name}.", readable(summary(plugin))) for plugin in tasks]


def named(context: typer.Context) -> list[Choice]:
    """The components of the kind that was typed."""
    kind = context.params["kind"]
    return [(plugin.name, readable(summary(plugin))) for plugin in plugins(kind)]


def _other_models(context: typer.Context, typed: Sequence[str], incomplete: str) -> list[Choice]:
    """The runs that may be named besides, and their checkpoints, as long as no option was typed."""
    if any("=" in word for word in typed):
        return []
    return [
        (word, "a checkpoint" if word.endswith(CHECKPOINT) else "a run")
        for word in models(context, incomplete)
    ]


def _first(others: Sequence[Choice], prefix: str, choices: Iterator[Choice]) -> Iterator[Choice]:
    """Words that have no prefix, and the choices after one."""
    if not prefix:
        yield from others
    yield from choices


def _joined(words: Sequence[str]) -> list[str]:
    """Words as typed, where Bash has split them at ``=``."""
    return "\0".join(words).replace("\0=", "=").replace("=\0", "=").split("\0") if words else []


def _chosen(words: Sequence[str]) -> dict[str, str | None]:
    """The component of each section, as far as the words say."""
    chosen = dict(DEFAULTS)
    for word in words:
        key, equals, value = word.partition("=")
        given = {key: value} if equals else _file(Path(word))
        for section in DEFAULTS.keys() & given.keys():
            plain = given[section]
            chosen[section] = plain.get("name", chosen[section]) if isinstance(plain, dict) else plain
    return chosen


def _file(path: Path) -> Mapping[str, Any]:
    """What a YAML file says; nothing if it is none."""
    with suppress(Exception):
        return dict(yaml().load(path))
    return {}


def _completed(typed: Sequence[str], incomplete: str, choices: Choices) -> list[Choice]:
    """The choices that begin as the incomplete word does; a step further if there is one only."""
    key = _open_key(typed, choices)
    if key is not None:
        whole = _beginning(f"{key}={incomplete}", choices(f"{key}="))
        return [(word.partition("=")[2], line) for word, line in whole]
    found = _beginning(incomplete, choices(_stem(incomplete)))
    if len(found) == 1 and found[0][0].endswith((".", "=")):
        found = _beginning(incomplete, choices(found[0][0])) or found
    return found


def _open_key(typed: Sequence[str], choices: Choices) -> str | None:
    """The key whose value comes next, which Bash leaves with its ``=``, or alone if nothing follows yet."""
    last = typed[-1] if typed else ""
    key = last.removesuffix("=")
    if "=" in key or (key == last and f"{key}=" not in dict(choices(_stem(key)))):
        return None
    return key


def _stem(incomplete: str) -> str:
    """As far as a word is finished: ``cell.`` of ``cell.hid``, ``cell=`` of ``cell=gr``."""
    key, equals, _ = incomplete.partition("=")
    section, dot, _ = key.partition(".")
    return key + equals if equals else (section + dot if dot else "")


def _beginning(incomplete: str, choices: Iterator[Choice]) -> list[Choice]:
    return [choice for choice in choices if choice[0].startswith(incomplete)]


def _of_a_run(prefix: str, chosen: Mapping[str, str | None]) -> Iterator[Choice]:
    key = prefix.removesuffix("=")
    section, dot, _ = key.partition(".")
    if prefix == "":
        yield from ((f"{name}=", f"which {name}") for name in DEFAULTS)
        yield from ((f"{name}.", f"options of {name}") for name in SECTIONS)
        yield from ((f"{name}=", option.doc) for name, option in KEYS.items())
    elif dot and section in SECTIONS:
        yield from _of_options(prefix, f"{section}.", _options(section, chosen))
    elif key in DEFAULTS:
        task = chosen["task"] if key in PER_TASK else None
        yield from ((prefix + p.short, readable(summary(p))) for p in plugins(key) if p.task == task)


def _of_options(prefix: str, section: str, options: Options) -> Iterator[Choice]:
    """Keys; or, after an ``=``, values."""
    if not prefix.endswith("="):
        yield from ((f"{section}{name}=", readable(option.doc)) for name, option in options.items())
        return
    option = options.get(prefix.removeprefix(section).removesuffix("="))
    yield from ((prefix + value, "") for value in (option.choices if option else ()))


def _options(section: str, chosen: Mapping[str, str | None]) -> Options:
    """The options of the chosen component; none if there is no such component."""
    if section in UNNAMED:
        return options_of(UNNAMED[section])
    with suppress(RnnxError):
        name = chosen[section]
        if name is not None:
            return options_of(find(section, name, chosen["task"] if section in PER_TASK else None))
    return {}
