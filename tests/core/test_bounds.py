from __future__ import annotations

import math
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt

from rnnx.core.bounds import AboveZero, Count, Fraction, Limit, NonNegative, Positive, Rate, Seed, Share
from rnnx.core.config import KEYS, UNNAMED
from rnnx.core.declarations.validation import Word, validate
from rnnx.core.errors import UsageError
from rnnx.core.options import Option, Options, options_of
from rnnx.core.registry import GROUPS, find, plugins
from rnnx.core.resolution import resolve


@pytest.mark.parametrize(
    ("kind", "within", "beyond"),
    [
        (Positive, (1, 2), (0, -1)),
        (Count, (0, 1), (-1,)),
        (Limit, (-1, 0, 1), (-2,)),
        (Seed, (0, 2**32 - 1), (-1, 2**32)),
        (AboveZero, (1e-9, 2.0), (0.0, -1.0, math.nan)),
        (NonNegative, (0.0, 2.0), (-1e-9, math.nan)),
        (Share, (0.0, 1.0), (-1e-9, 1.001, math.nan)),
        (Fraction, (1e-9, 1.0), (0.0, 1.001, math.nan)),
        (Rate, (0.0, 0.999), (-1e-9, 1.0, math.nan)),
    ],
)
def test_where_each_type_ends(kind: Any, within: tuple[float, ...], beyond: tuple[float, ...]) -> None:
    options = {"x": Option("x", kind)}
    accepted = [value for value in (*within, *beyond) if not validate("", "it", options, {"x": value})[1]]
    assert accepted == list(within)


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("cell.hidden_size=0", "expected an integer of at least 1, got 0"),
        ("net.layers=0", "expected an integer of at least 1, got 0"),
        ("net.dropout=1.5", "expected a number of at least 0 and below 1, got 1.5"),
        ("task.beam_size=0", "expected an integer of at least 1, got 0"),
        ("task.label_smoothing=-0.1", "expected a number from 0 to 1, got -0.1"),
        ("data.batch_size=0", "expected an integer of at least 1, got 0"),
        ("data.vocabulary_size=4", "expected an integer of at least 5 or null, got 4"),
        ("optimizer.lr=-1", "expected a number above 0, got -1"),
        (
            "optimizer.betas=[0.9, 1]",
            "expected a list of 2 numbers of at least 0 and below 1, got [0.9, 1]",
        ),
        ("schedule.warmup=-1", "expected an integer of at least 0, got -1"),
        ("trainer.max_epochs=-2", "expected an integer of at least -1, got -2"),
        ("trainer.devices=0", "expected an integer of at least 1 or 'auto', got 0"),
        ("trainer.accumulate_grad_batches=0", "expected an integer of at least 1, got 0"),
        (
            "trainer.limit_train_batches=1.5",
            "expected an integer of at least 0 or a number from 0 to 1, got 1.5",
        ),
        ("seed=-1", "expected an integer from 0 to 4294967295, got -1"),
    ],
)
def test_a_number_out_of_bounds_is_told_like_a_wrong_type(word: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve([word])
    assert refused.value.problems == (f"{word.partition('=')[0]}: {problem}",)


def test_all_of_them_come_at_once_before_torch_is_imported() -> None:
    words = [
        "cell.hidden_size=0",
        "net.dropout=2",
        "task.beam_size=0",
        "optimizer.lr=-1",
        "trainer.max_epochs=-2",
    ]
    program = f"""
import sys
from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
try:
    resolve({words})
except UsageError as error:
    print(*(problem.partition(":")[0] for problem in error.problems), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    keys = {word.partition("=")[0] for word in words}
    assert done.stderr == ""
    assert (set(done.stdout.split()[:-1]), done.stdout.split()[-1]) == (keys, "False")


@pytest.mark.parametrize(
    ("task", "word", "problem"),
    [
        ("nmt", "batch_size=0", "expected an integer of at least 1, got 0"),
        ("nmt", "beam_size=0", "expected an integer of at least 1 or null, got 0"),
        ("nmt", "n_best=0", "expected an integer of at least 1, got 0"),
        ("nmt", "max_length=0", "expected an integer of at least 1 or null, got 0"),
        ("lm", "temperature=-1", "expected a number of at least 0 or null, got -1"),
        ("lm", "length=-1", "expected an integer of at least 1 or null, got -1"),
        ("lm", "top_p=0", "expected a number above 0 and at most 1 or null, got 0"),
    ],
)
def test_so_it_is_in_prediction(task: str, word: str, problem: str) -> None:
    options = options_of(f"{find('task', task).target}.predict")
    name, _, text = word.partition("=")
    assert validate("", "it", options, {name: Word(text)})[1] == {name: f"{name}: {problem}"}


def installed() -> Iterator[tuple[str, Options]]:
    """Everything of rnnx's own that has options, by a name that a failure can tell."""
    yield "a run", KEYS
    for section, target in UNNAMED.items():
        yield section, options_of(target)
    ours = (p for kind in GROUPS for p in plugins(kind) if p.distribution.startswith("rnnx-"))
    for plugin in ours:
        yield plugin.label, options_of(plugin)
        if plugin.kind == "task":
            yield f"rnnx predict of {plugin.label}", options_of(f"{plugin.target}.predict")


def unbounded(kind: Any) -> bool:
    """Whether a type holds a number that may be any: one without a lower bound."""
    if typing.get_origin(kind) is typing.Annotated:
        return not any(isinstance(bound, Ge | Gt) for bound in kind.__metadata__)
    if typing.get_origin(kind) is typing.Literal:
        return False
    return kind in (int, float) or any(map(unbounded, typing.get_args(kind)))


def test_what_counts_as_unbounded() -> None:
    bounded = (Positive, Positive | None, tuple[Rate, ...], typing.Literal[1], str, bool)
    assert [kind for kind in bounded if unbounded(kind)] == []
    free = (int, float | None, tuple[float, float], Positive | float, typing.Annotated[int, Lt(1)])
    assert [kind for kind in free if not unbounded(kind)] == []
    assert not unbounded(typing.Annotated[float, Gt(0), Le(1)])


def test_every_number_that_a_user_may_set_has_bounds_and_its_default_lies_within() -> None:
    groups = list(installed())
    assert len(groups) > 20
    free = [
        f"{owner}: {name}"
        for owner, options in groups
        for name, o in options.items()
        if unbounded(o.type) and not name.endswith("_bias")  # a gate may start as open or shut as one likes
    ]
    assert free == []
    for owner, options in groups:
        defaults = {name: option.default for name, option in options.items() if not option.required}
        given = {name: option for name, option in options.items() if name in defaults}
        assert validate("", owner, given, defaults)[1] == {}
