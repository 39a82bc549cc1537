"""From words and YAML files to a configuration: which component is used, and with which options."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, final

from rnnx.core.bounds import Seed
from rnnx.core.declarations.validation import Word, validate
from rnnx.core.errors import InputError, RunWarning, UsageError
from rnnx.core.files import write_text
from rnnx.core.options import Option, Options, options_of
from rnnx.core.paths import refuse_elsewhere
from rnnx.core.registry import PER_TASK, closest, find, plugins, split, suggestion
from rnnx.core.runs import OUT
from rnnx.core.yaml import yaml

DEFAULTS: dict[str, str | None] = {  # of the sections that name a component, in the order they are shown
    "task": "nmt",
    "cell": "gru",
    "data": "toy",
    "optimizer": "adam",
    "schedule": "constant",
    "logger": "wandb",
    "baseline": None,
}
UNNAMED = {
    "net": "rnnx.core.net:Net",
    "trainer": "rnnx.core.running.trainer:Trainer",
    "checkpoint": "rnnx.core.running.checkpoints:Checkpoint",
    "stopping": "rnnx.core.running.stopping:Stopping",
}
KEYS: Options = {
    "seed": Option("seed", Seed, 1, "The seed of every random number."),
    "name": Option("name", str | None, None, "Name of the run; without it, one is made."),
    "out": Option("out", str, OUT, "The folder that holds runs."),
}
SECTIONS = (*DEFAULTS, *UNNAMED)
KEY = re.compile(r"\w[\w-]*(\.[\w-]+)*")


@dataclass(frozen=True)
class Spec:
    """A component that can be built: plain data.

    Args:
        kind: See :class:`~rnnx.core.registry.Plugin`.
        name: Name of the entry point; of data and baselines ``TASK.NAME``.
        options: Its keyword arguments.

    Example:
        >>> Spec("cell", "gru", {"hidden_size": 8}).to_plain()
        {'name': 'gru', 'hidden_size': 8}
    """

    kind: str
    name: str
    options: dict[str, Any]

    @property
    def short(self) -> str:
        """The name as the user types it, without the task."""
        return split(self.kind, self.name)[1]

    def build(self, *positional: Any) -> Any:
        """Imports the component and constructs it.

        Args:
            *positional: What the program gives; the options are the user's.

        Raises:
            UsageError: its constructor raised a ValueError: the options, or some of them together, cannot be.
            Exception: whatever else its constructor raises, with a note that names the component.
        """
        plugin = find(self.kind, self.name)
        component = plugin.load()
        try:
            return component(*positional, **self.options)
        except ValueError as error:
            raise UsageError(f"{plugin.title}: {error}") from error
        except Exception as error:
            error.add_note(f"raised by the constructor of {plugin.title}")
            raise

    def to_plain(self) -> dict[str, Any]:
        """The name and the options as JSON knows them."""
        return {"name": self.name, **_plain(self.options)}

    @staticmethod
    def from_plain(kind: str, plain: Mapping[str, Any]) -> Spec:
        """What :meth:`to_plain` gave, checked, and with the defaults of options that are missing.

        Raises:
            UsageError: no such component is installed, or it has no such option.
        """
        values = {key: value for key, value in plain.items() if key != "name"}
        plugin = find(kind, plain["name"])
        options, problems = validate(kind, plugin.label, options_of(plugin), values)
        if problems:
            raise UsageError(*problems.values())
        return Spec(kind, plugin.name, options)


@final
@dataclass(frozen=True)
class Config:
    """Everything that decides a run. Two runs of one configuration are one experiment.

    Args:
        task: What is learnt.
        cell: The recurrent cell.
        data: What it is learnt from.
        optimizer: How the parameters move.
        schedule: How the learning rate changes.
        logger: Where the run is tracked.
        baseline: A model without a network, or None.
        net: Options of the network around the cell.
        trainer: Options of the trainer.
        seed: The seed of every random number.
        name: Name of the run, or None.
        out: The folder that holds runs.
        checkpoint: When a run writes what it can go on from.
        stopping: What ends the training early.
    """

    task: Spec
    cell: Spec
    data: Spec
    optimizer: Spec
    schedule: Spec
    logger: Spec
    baseline: Spec | None
    net: dict[str, Any]
    trainer: dict[str, Any]
    seed: int
    name: str | None
    out: str
    checkpoint: dict[str, Any] = field(default_factory=dict)
    stopping: dict[str, Any] = field(default_factory=dict)

    @property
    def net_plain(self) -> dict[str, Any]:
        """What a task builds its network from: the cell and the options of the net, as JSON knows them."""
        return {"cell": self.cell.to_plain(), **_plain(self.net)}

    def to_plain(self) -> dict[str, Any]:
        """The whole configuration as JSON knows it, with the keys of the command line."""
        named: dict[str, Spec | None] = {section: getattr(self, section) for section in DEFAULTS}
        components = {
            section: spec.to_plain() | {"name": spec.short} for section, spec in named.items() if spec
        }
        keys = {key: getattr(self, key) for key in KEYS}
        return components | {section: _plain(getattr(self, section)) for section in UNNAMED} | keys

    def yaml(self) -> str:
        """The whole configuration as YAML 1.2, which :func:`resolve` reads back to an equal one."""
        text = StringIO()
        yaml().dump(self.to_plain(), text)
        return text.getvalue()

    def dump(self, path: Path) -> None:
        """Writes :meth:`yaml` to a file, as :func:`rnnx.core.files.write_text`."""
        write_text(path, self.yaml())


def resolve(words: Sequence[str]) -> Config:
    """Reads the words of a command line; later ones win.

    Options in a file of a component that later words replace are left out, with a
    :class:`~rnnx.core.errors.RunWarning`.

    Args:
        words: ``key=value``, or paths of YAML files with the same keys, dotted or nested.

    Raises:
        UsageError: all that is wrong with the words and the keys and values in the files.
        InputError: a file is not YAML 1.2.
    """
    resolution = _Resolution()
    source = 0
    for word in words:
        key, _, text = word.partition("=")
        if not word.isascii() and re.search("[\ud800-\udfff]", word):
            resolution.problems.append(f"{word!r}: expected text in UTF-8")
        elif _is_assignment(word):
            resolution.take(_Given(key, Word(text), source))
        else:
            for given in resolution.file(word, source + 1):
                resolution.take(given)
            source += 2
    return resolution.config()


def allow_only(words: Sequence[str], beginnings: tuple[str, ...], rule: str) -> None:
    """Refuses words of other sections than some.

    Args:
        words: ``key=value``.
        beginnings: How words of those sections begin, as ``trainer.``.
        rule: What is said of another one.

    Raises:
        UsageError: all words that begin otherwise.
    """
    strange = [word for word in words if not word.startswith(beginnings)]
    if strange:
        raise UsageError(*(f"{word!r}: {rule}" for word in strange))


def settings(path: Path) -> dict[str, Any]:
    """The keys of a configuration's file, dotted, and their values, as they stand there.

    Nothing is checked against what is installed, and nothing is added.

    Args:
        path: The file.

    Raises:
        InputError: it is not there, or not YAML 1.2.
    """
    try:
        return dict(_flat(_read(path)[0]))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None


def _is_assignment(word: str) -> bool:
    """Whether a word is ``key=value``; a path may have the same form."""
    key, equals, _ = word.partition("=")
    file = word.endswith((".yaml", ".yml")) and os.path.isfile(word)  # noqa: PTH113
    return bool(equals and KEY.fullmatch(key)) and not file


@final
@dataclass(frozen=True)
class _Given:
    """A value that the user gave.

    Args:
        key: ``section``, ``section.option`` or a key of the run.
        value: Plain data or a word.
        source: Number of the file, or of the words between two files.
        where: Place in a file, as the end of a sentence.
    """

    key: str
    value: Any
    source: int
    where: str = ""


@final
class _Resolution:
    """Takes what was given, one by one; tells all that is wrong at the end."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.names: dict[str, str | None] = dict(DEFAULTS)
        self.named: dict[str, _Given] = {}
        self.changed = dict.fromkeys((*SECTIONS, ""), -1)  # the source that last changed the component
        self.values: dict[str, dict[str, _Given]] = {section: {} for section in (*SECTIONS, "")}
        self.options: dict[str, Options] = {}
        self.unknown: list[_Given] = []

    def file(self, word: str, source: int) -> Iterator[_Given]:
        """The keys and values of a YAML file."""
        if not os.path.isfile(word):  # noqa: PTH113 - False for what no file can be called
            what = "that is a folder" if os.path.isdir(word) else "there is no such file"  # noqa: PTH112
            meant = [
                f"{kind}={word.lower()}"
                for kind in ("cell", "task")
                if word.lower() in {plugin.name for plugin in plugins(kind)}
            ]
            hint = f"; did you mean {' or '.join(map(repr, meant))}?" if meant else ""
            self.problems.append(f"{word!r}: expected KEY=VALUE or the path of a YAML file, and {what}{hint}")
            return
        path = Path(word)
        content, lines = _read(path)
        for key, value in _flat(content):
            yield _Given(key, value, source, f" ({path}:{lines[key]})" if key in lines else f" ({path})")

    def take(self, given: _Given) -> None:
        """Puts a value where it belongs."""
        section, _, option = given.key.partition(".")
        if section in DEFAULTS and option in ("", "name"):
            self._name(section, given)
        elif section in SECTIONS and option:
            self.values[section][option] = given
        elif section in UNNAMED and given.value is not None:
            self.problems.append(
                f"{section}: takes no name, only options: {section}.OPTION=VALUE{given.where}"
            )
        elif given.key in KEYS:
            self.values[""][given.key] = given
        elif section not in UNNAMED:
            self.unknown.append(given)

    def config(self) -> Config:
        """The result, with a warning for each option that is left out.

        Raises:
            UsageError: there are problems.
        """
        components: dict[str, Any] = {section: self._component(section) for section in DEFAULTS}
        for section, target in UNNAMED.items():
            components[section] = self._checked(section, section, options_of(target))
        keys = self._checked("", "a run", KEYS)
        try:
            refuse_elsewhere("name", keys.get("name"))
        except UsageError as error:
            self.problems.append(f"{error}{self.values['']['name'].where}")
        self.problems.extend(map(self._no_such_key, self.unknown))
        if self.problems:
            raise UsageError(*self.problems)
        for note in self.notes:
            warnings.warn(note, RunWarning, stacklevel=3)
        return Config(**components, **keys)

    def _name(self, section: str, given: _Given) -> None:
        name = given.value.text if isinstance(given.value, Word) else given.value
        if section == "baseline" and name == "null":
            name = None
        if name is None and section != "baseline":
            return
        if not isinstance(name, str | None):
            self.problems.append(
                f"{section}: expected the name of a {section}, got {json.dumps(name)}{given.where}"
            )
            return
        if name != self.names[section]:
            self.changed[section] = given.source
            if section == "task":
                self.changed |= dict.fromkeys(PER_TASK, given.source)
        self.names[section], self.named[section] = name, given

    def _component(self, section: str) -> Spec | None:
        name = self.names[section]
        if name is None:
            for given in self.values[section].values():
                if given.source < self.changed[section]:
                    self.notes.append(f"{given.key} is left out, as no {section} is chosen{given.where}")
                else:
                    self.problems.append(
                        f"{given.key}: no {section} is chosen; add {section}=NAME{given.where}"
                    )
            return None
        if section in PER_TASK and "task" not in self.options:
            return None
        try:
            plugin = find(section, name, self.names["task"] if section in PER_TASK else None)
        except UsageError as error:
            where = self.named[section].where if section in self.named else ""
            self.problems += [problem + where for problem in error.problems]
            return None
        return Spec(section, plugin.name, self._checked(section, plugin.label, options_of(plugin)))

    def _checked(self, section: str, label: str, options: Options) -> dict[str, Any]:
        """The options of a section, without those that were meant for a component that was replaced."""
        self.options[section] = options
        given = self.values[section]
        clean, problems = validate(section, label, options, {name: one.value for name, one in given.items()})
        outdated = [name for name in problems if name in given and given[name].source < self.changed[section]]
        if outdated:
            self.notes += [
                f"{given[n].key} is left out, as {label} does not take it{given[n].where}" for n in outdated
            ]
            kept = {name: one.value for name, one in given.items() if name not in outdated}
            clean, problems = validate(section, label, options, kept)
        self.problems += [
            problem + (given[name].where if name in given else "") for name, problem in problems.items()
        ]
        return clean

    def _no_such_key(self, given: _Given) -> str:
        section, dot, option = given.key.partition(".")
        hint = suggestion(section, SECTIONS if dot else (*SECTIONS, *KEYS)).replace("'?", f"{dot}{option}'?")
        options = {name for options in self.options.values() for name in options}
        if not dot and (section in options or not hint):
            close = closest(section, options)
            owners = [f"{owner}.{close}" for owner in SECTIONS if close in self.options.get(owner, {})]
            hint = f"; did you mean {' or '.join(map(repr, owners))}?" if owners else ""
        hint = hint or f" (keys: {', '.join((*SECTIONS, *KEYS))})"
        return f"no such key {given.key!r}{hint}{given.where}"


def _read(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The content of a YAML file, and the line of each key, dotted."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_bytes().decode()
        content = yaml().load(text) or {}
        json.dumps(content)
        tree = yaml().compose(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(path, f"not UTF-8: byte 0x{error.object[error.start]:02x}", line) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            path, f"not YAML 1.2: {error.problem or error.context}", mark and mark.line + 1
        ) from error
    except (YAMLError, TypeError, ValueError, RecursionError) as error:
        raise InputError(path, f"not YAML 1.2 in plain data: {error}") from error
    if not isinstance(content, dict):
        raise InputError(path, f"expected KEY: VALUE lines, got {json.dumps(content)}", 1)
    keys = [key for key, _ in _flat(content)]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(path, f"{key} is given twice", _lines(tree)[key])
    return content, _lines(tree)


def _flat(content: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The sections spread out: ``cell.hidden_size`` and its value."""
    for key, value in content.items():
        if key in SECTIONS and isinstance(value, dict):
            yield from ((f"{key}.{option}", inner) for option, inner in value.items())
        else:
            yield str(key), value


def _lines(tree: Any) -> dict[str, int]:
    """The line of each key and of each key below it, counted from 1."""
    lines = {}
    for key, value in tree.value if tree and tree.id == "mapping" else ():
        lines[key.value] = key.start_mark.line + 1
        if isinstance(value.value, list) and value.id == "mapping":
            lines |= {f"{key.value}.{inner}": line for inner, line in _lines(value).items()}
    return lines


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
