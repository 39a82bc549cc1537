"""The runs that words with several values stand for, and their names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from rnnx.core.commas import between_commas
from rnnx.core.comparing.labels import short, shown
from rnnx.core.config import DEFAULTS, Config
from rnnx.core.config_file import flat
from rnnx.core.declarations.validation import Word
from rnnx.core.errors import UsageError
from rnnx.core.registry import plugins
from rnnx.core.resolution import refuse_blanks, resolve
from rnnx.core.sweeps.once import many_processes
from rnnx.core.sweeps.search_space import SearchSpace, Values

NAMED: Final = ("task", "cell", "seed")  # what every run is named after
ODD: Final = re.compile(r"[^\w.,+-]", re.ASCII)  # what a folder's name is better without
LONGEST: Final = 120  # characters of a run's name that tell its options


@final
@dataclass(frozen=True)
class Combinations:
    """Every combination of the values in some words.

    Attributes:
        configs: The runs, each with a name, by task, then by cell, then by what else is varied, then by seed.
        varied: The keys, besides task, cell and seed, that have several values.

    Example:
        >>> words = ["task=memory", "cell=gru", "data.length=20,50", "net.layers=1,2"]
        >>> [config.name for config in Combinations.parse(words).configs][:2]
        ['memory-gru-length=20-layers=1-1', 'memory-gru-length=20-layers=2-1']
    """

    configs: tuple[Config, ...]
    varied: tuple[str, ...]

    @classmethod
    def parse(cls, words: Sequence[str]) -> Combinations:
        """Reads and checks all; each run is there once, however its values are typed.

        Args:
            words: As of :class:`rnnx.core.sweeps.search_space.SearchSpace`: each may hold several values with
                commas between, or a range that has steps; ``task`` and ``cell`` may be ``all``. What is not
                said of ``task`` and ``cell`` stands in a file among the words, or else is ``all``.

        Raises:
            UsageError: all that is wrong with the words.
        """
        space = _space(words)
        varied = tuple(key for key in space.searched if key not in NAMED)
        found = [_named(_resolved(space, values), varied) for values in space.grid()]
        problems = [problem for config in found for problem in many_processes(config)]
        if any(not config.trainer["limit_test_batches"] for config in found):
            problems.append(
                "trainer.limit_test_batches: expected at least one batch, or a fraction above 0, as runs are "
                "compared by their tests, got 0"
            )
        if problems:
            raise UsageError(*dict.fromkeys(problems))
        return cls(tuple({config.name: config for config in found}.values()), varied)


def options(config: Config, keys: Sequence[str]) -> dict[str, Any]:
    """The values of some keys, as JSON knows them.

    Args:
        config: A configuration.
        keys: They, as the user types them.
    """
    plain = dict(flat(config.to_plain()))
    return {key: plain.get(f"{key}.name" if key in DEFAULTS else key) for key in keys}


def _space(words: Sequence[str]) -> SearchSpace:
    """The words that stand, and what is varied, in the order of the runs."""
    refuse_blanks(words)
    named, others = {}, []
    for word in words:
        key, equals, text = word.partition("=")
        if key.removesuffix(".name") in DEFAULTS:
            key = key.removesuffix(".name")
        if equals and key in NAMED:
            named[key] = _each(key, text)
        else:
            others.append(f"{key}={_each(key, text)}" if equals else word)
    if all("=" in word for word in others):
        named = {"task": _each("task", "all"), "cell": _each("cell", "all")} | named
    found = SearchSpace.parse([*others, *(f"{key}={text}" for key, text in named.items())])
    problems = []
    if "name" in found.searched or any(word.startswith("name=") for word in found.fixed):
        problems.append("name: each run is named after its task, cell, options and seed; leave it out")
    if "out" in found.searched:
        problems.append("out: expected one folder, which holds all runs; put one with a comma in quotes")
    if problems:
        raise UsageError(*problems)
    order = {"task": 0, "cell": 1, "seed": 3}
    return replace(
        found,
        searched={
            key: found.searched[key] for key in sorted(found.searched, key=lambda key: order.get(key, 2))
        },
    )


def _each(key: str, text: str) -> str:
    """The values of a word, each once, as a mean would else have one run in it several times."""
    if text == "all" and key in ("task", "cell"):
        return ",".join(plugin.name for plugin in plugins(key))
    values = between_commas(text)
    return ",".join(dict.fromkeys(values)) if len(values) > 1 else text


def _resolved(space: SearchSpace, values: Values) -> Config:
    """A configuration; where it lacks a list, that is told, as commas alone make several values."""
    try:
        return resolve(space.words(values))
    except UsageError as error:
        lists = {key for key in values for one in error.problems if one.startswith(f"{key}: expected a list")}
        told = (
            f"{one} (commas alone are between several values; a list has brackets, as {key}=[1,2])"
            if (key := one.partition(":")[0]) in lists
            else one
            for one in error.problems
        )
        raise UsageError(*told) from None


def _named(config: Config, varied: Sequence[str]) -> Config:
    """A configuration with a name that no other of the matrix has, and that any folder can have.

    It is the same in whatever order the words are, so that the run is found again.
    """
    values = options(config, sorted(varied))
    names = short(values)
    told = "-".join(f"{names[key]}={_written(value)}" for key, value in values.items())
    if len(told) > LONGEST or any(map(_is_odd, values.values())):
        digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:8]
        told = f"{told[:LONGEST]}-{digest}"
    parts = (config.task.name, config.cell.name, told, str(config.seed))
    return replace(config, name="-".join(filter(None, parts)))


def _written(value: Any) -> str:
    """A value as a name has it."""
    text = shown(value)
    return ODD.sub("_", text[1:-1] if isinstance(value, list) else text).strip("_")


def _is_odd(value: Any) -> bool:
    """Whether another value may be written alike."""
    if isinstance(value, str):
        return "," in value or Word(value).value != value or ODD.search(value) is not None
    return ODD.search(shown(value).strip("[]")) is not None
