"""From words and YAML files to a configuration: which component is used, and with which options."""

from __future__ import annotations

import json
import os
import re
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rnnx.core.commas import between_commas
from rnnx.core.config import DEFAULTS, KEYS, SECTIONS, UNNAMED, Config
from rnnx.core.config_file import flat, read_config
from rnnx.core.declarations.validation import Word, validate
from rnnx.core.errors import RunWarning, UsageError
from rnnx.core.options import Options, options_of
from rnnx.core.paths import refuse_elsewhere
from rnnx.core.registry import PER_TASK, closest, find, plugins
from rnnx.core.spec import Spec
from rnnx.core.synonyms import synonym

RANGE = re.compile(r"(\w+:)?[-+.e\d]+\.\.[-+.e\d]+")
KEY = re.compile(r"\w[\w-]*(\.[\w-]+)*")


def resolve(words: Sequence[str]) -> Config:
    """Reads the words of a command line; later ones win.

    Options in a file of a component that later words replace are left out, with a
    :class:`~rnnx.core.errors.RunWarning`.

    Args:
        words: ``key=value``, or paths of YAML files with the same keys, dotted or nested.

    Raises:
        UsageError: all that is wrong with the words and the keys and values in the files; where blanks have
            taken a word apart, that alone.
        InputError: a file is not YAML 1.2.
    """
    refuse_blanks(words)
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
        rule: What is said of another section; of an option alone it is said how it is written.

    Raises:
        UsageError: all words that begin otherwise.
    """
    strange = [word for word in words if not word.startswith(beginnings)]
    if strange:
        alone = "expected SECTION.OPTION=VALUE, such as"
        raise UsageError(
            *(
                f"{word!r}: {f'{alone} {beginnings[0]}{word}' if _is_option(word) else rule}"
                for word in strange
            )
        )


def _is_option(word: str) -> bool:
    """Whether a word is an option's name without a section."""
    key, equals, _ = word.partition("=")
    return bool(equals) and "." not in key and key not in (*SECTIONS, *KEYS)


def refuse_blanks(words: Sequence[str]) -> None:
    """Refuses what the shell has taken apart at blanks around the ``=``.

    Args:
        words: As typed.

    Raises:
        UsageError: some were; what is to be typed for each.

    Example:
        >>> refuse_blanks(["cell=gru", "task", "=", "lm"])
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: 'task = lm': expected no blanks around the =; type task=lm
    """
    problems = []
    for place, word in enumerate(words):
        after = [*words[place + 1 : place + 3], "", ""]
        if not KEY.fullmatch(word.removesuffix("=")):
            continue
        if after[0] == "=" and after[1]:
            parts = [word, *after[:2]]
        elif _are_one(word, after[0]):
            parts = [word, after[0]]
        else:
            continue
        typed = shlex.quote("".join(parts))
        problems.append(f"{' '.join(parts)!r}: expected no blanks around the =; type {typed}")
    if problems:
        raise UsageError(*problems)


def _are_one(key: str, value: str) -> bool:
    """Whether two words are a key and a value, one of them with the ``=``."""
    if key.endswith("="):
        return bool(value) and "=" not in value and not os.path.isfile(value)  # noqa: PTH113
    return value.startswith("=") and value != "="


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


def _several(given: _Given, problem: str = "") -> str:
    """Where several values of one key belong, as the end of a sentence; of a list it is another matter."""
    typed = given.value.text if isinstance(given.value, Word) else ""
    if RANGE.fullmatch(typed):
        return "; a range is what rnnx matrix and rnnx sweep take, as KIND:LOWEST..HIGHEST, such as int:1..3"
    if len(between_commas(typed)) == 1 or "expected a list" in problem:
        return ""
    return "; commas are between several values, which rnnx matrix and rnnx sweep take"


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
        self.strays: list[tuple[_Given, str, str]] = []  # options of another section, perhaps: whose not, why

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
        content, lines = read_config(path)
        for key, value in flat(content):
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
        self.problems.extend(self._astray(*stray) for stray in self.strays)
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
            named = self.named.get(section)
            end = f"{_several(named)}{named.where}" if named else ""
            self.problems += [problem + end for problem in error.problems]
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
        for name, problem in problems.items():
            end = f"{_several(given[name], problem)}{given[name].where}" if name in given else ""
            if name in options or closest(name, options):
                self.problems.append(f"{problem}{end}")
            else:
                self.strays.append((given[name], label, f"{problem}{end}"))
        return clean

    def _astray(self, given: _Given, label: str, problem: str) -> str:
        """What is said of an option that its section has not, nor one like it; another may have it."""
        owners = self._owners(given.key.partition(".")[2])
        return f"{given.key}: no such option of {label}{_meant(owners)}{given.where}" if owners else problem

    def _owners(self, option: str, alike: bool = False) -> list[str]:
        """The keys of the options of this name, or that others call so; or of the one most alike."""
        names = {name for options in self.options.values() for name in options}
        name = option if option in names else closest(option, names) if alike else synonym(option, names)
        return [f"{section}.{name}" for section in SECTIONS if name in self.options.get(section, {})]

    def _no_such_key(self, given: _Given) -> str:
        section, dot, option = given.key.partition(".")
        near = closest(section, SECTIONS if dot else (*SECTIONS, *KEYS))
        of_near = self.options.get(near or "", {})
        meant = option if option in of_near else closest(option, of_near)
        keys = [f"{near}{dot}{meant or option}"] if near else []
        if dot:
            keys = keys if meant else self._owners(option) or keys
        elif not near or self._owners(section):
            theirs = synonym(section, (*SECTIONS, *KEYS))
            keys = [*(keys if theirs else ()), *self._owners(section, alike=True)]
        hint = _meant(keys) or f" (keys: {', '.join((*SECTIONS, *KEYS))})"
        return f"no such key {given.key!r}{hint}{given.where}"


def _meant(keys: Sequence[str]) -> str:
    """The end of a sentence about an unknown key; nothing where none is meant."""
    return f"; did you mean {' or '.join(map(repr, keys))}?" if keys else ""
